"""A trader: one account, one feed, one strategy, its limits; the only sender of its orders."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading import strategies
from trading.by_hand import ByHand
from trading.clocks import Clock
from trading.deciding import Approval, Decider, approvals, decision_id
from trading.desk_limits import DeskLimits, DeskRisk
from trading.errors import Refused, StoreError, VenueError
from trading.events import (
    BalanceAccepted,
    CooldownBegan,
    CycleEnded,
    CycleFailed,
    EntriesBlocked,
    EntriesFreed,
    ScanSlow,
    SettingsReloaded,
    StartDelayed,
    TraderStarted,
)
from trading.execution.enforce import Enforcer
from trading.execution.exit_rules import ExitRules
from trading.execution.orders import OrderIds, Orders, Patience
from trading.execution.protection import Protection
from trading.execution.reconcile import SMALLEST_DIFFERENCE, Reconciled, Reconciler
from trading.execution.resting import RestingEntries
from trading.guards import Guards, new_account
from trading.halt import Halt, Verb
from trading.halting import Halter
from trading.ledger import Ledger
from trading.loss_watch import LossWatch
from trading.outages import FeedWatch, VenueWatch
from trading.ports import (
    Change,
    Feed,
    FeedState,
    Journal,
    Lane,
    Meter,
    NoMeter,
    Store,
    Venue,
)
from trading.recorder import Recorder
from trading.risk.cooldown import rest_until, streak
from trading.risk.drawdown import day_begin, day_end
from trading.risk.limits import EntryRules, Limits
from trading.risk.words import minute
from trading.strategies.base import Strategy
from trading.types import (
    Decision,
    EquityPoint,
    ExitReason,
    MarketRules,
    Mode,
    Signal,
    Symbol,
)
from trading.valuation import Valuer
from trading.views import Cycle, Gap, Holding, Price, Scan, View

if TYPE_CHECKING:  # it brings TA-Lib, which a trader with another strategy does without
    from trading.strategies.rules.regime import Reading

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at live prices."""
THE_DESK = "the desk"
"""Who makes a halt that neither a person nor a guard made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderSettings:
    name: str
    mode: Mode
    symbols: tuple[Symbol, ...]
    timeframe: timedelta
    capital: Decimal
    """In quote currency; what the account begins with."""
    limits: Limits
    exit_rules: ExitRules
    zone: tzinfo
    """Where the risk day begins at 00:00."""
    drawdown_alert: Decimal | None
    """Share of the peak at which people are told, long before a halt."""
    cycle_every: timedelta
    """Wall time between two cycles."""
    replay_speed: float | None
    slow_scan: timedelta = timedelta(seconds=300)
    manual_stop: Decimal = Decimal("0.02")
    """Distance of the stop of an entry by hand, as a share of its price."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Of the strategy, as they were set; for people to see."""
    entries: EntryRules = EntryRules()
    place: str = ""
    """Where real orders go, as in `binance swap`; empty where none do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the process knows of the time before it."""

    took: timedelta
    down_for: timedelta | None
    clean: bool


class Trader:
    ready = False
    """The books were compared with the venue; entries wait until then."""
    broken = ""
    """Its loops broke on our side and are started again: no entries until they run."""
    differs = ""
    """What our books and the venue's disagree about: no entries until they agree again."""
    delayed = ""
    """Why the books could not be compared at start; empty once they were."""
    _told_delays: frozenset[str] = frozenset()
    _last_cycle: Cycle | None = None
    _resting_until: datetime | None = None
    _decided: tuple[Decision, ...] = ()
    """What the cycle that runs, or the last one, has decided."""
    _looked_at: datetime | None = None
    """When the newest price was made that the last look between bars went by."""
    _heard_until = 0
    """Interruptions of the venue's line after which the books were compared."""
    _reduced = False
    """A stranger's fill made what we hold smaller: the books must be compared."""
    _seen_before: datetime | None = None
    """The cursor found at start, until the bar after it is done: it may be its second time."""

    def __init__(
        self,
        *,
        settings: TraderSettings,
        strategy: Strategy,
        feed: Feed,
        venue: Venue,
        store: Store,
        recorder: Recorder,
        halter: Halter,
        journal: Journal,
        clock: Clock,
        ids: OrderIds,
        patience: Patience,
        desk_risk: DeskRisk | None = None,
        meter: Meter = NoMeter(),  # noqa: B008  # holds nothing
    ) -> None:
        self.settings = settings
        self.feed = feed
        self.venue = venue
        self._strategy, self._own = strategy, (strategy, settings.parameters)
        self._store = store
        self._recorder = recorder
        self._halter = halter
        self._clock = clock
        self._patience = patience
        self._meter = meter
        self._desk_risk = desk_risk = desk_risk or DeskRisk(DeskLimits(), lambda: (self,))
        self.ledger = Ledger(
            new_account(settings.name, settings.capital, clock.now(), settings.zone), venue.rules
        )
        self.valuer = Valuer(self.ledger, feed)
        who: dict[str, Any] = {"trader": settings.name, "mode": settings.mode}
        means: dict[str, Any] = {"valuer": self.valuer, "recorder": recorder, "clock": clock}
        self.orders = Orders(
            **who, **means, ledger=self.ledger, venue=venue, journal=journal, ids=ids,
            patience=patience, meter=meter,
        )  # fmt: skip
        self.protection = Protection(**who, **means, orders=self.orders)
        self._reconciler = Reconciler(
            **who, **means, orders=self.orders, quote=settings.symbols[0].quote
        )
        self.enforcer = Enforcer(
            trader=settings.name, halter=halter, orders=self.orders, protection=self.protection,
            clock=clock, patience=patience,
        )  # fmt: skip
        self.guards = Guards(
            ledger=self.ledger, limits=settings.limits, zone=settings.zone,
            drawdown_alert=settings.drawdown_alert,
        )  # fmt: skip
        self._losses = LossWatch(
            settings=lambda: self.settings, guards=self.guards, desk_risk=desk_risk, halter=halter,
            store=store,
            **means,
        )  # fmt: skip
        self._decider = Decider(
            **who, strategy=strategy, limits=settings.limits, exit_rules=settings.exit_rules,
            orders=self.orders, valuer=self.valuer, feed=feed, latch=halter.latch,
            desk_risk=desk_risk, entries=settings.entries,
        )  # fmt: skip
        self._resting_entries = RestingEntries(
            **who, **means, orders=self.orders, rules=lambda: self.settings.entries,
            blocked=lambda: self.block, permit=lambda: halter.latch.permit(settings.name),
            look=self._decider.look,
        )  # fmt: skip
        self.by_hand = ByHand(self, decider=self._decider, latch=halter.latch, clock=clock)
        self._feed_watch = FeedWatch(**who, feed=feed, recorder=recorder, clock=clock)
        self._venue_watch = VenueWatch(**who, orders=self.orders, recorder=recorder, clock=clock)
        self._busy = asyncio.Lock()
        """Held by a cycle or a comparison: they never overlap."""
        self._touched = asyncio.Event()
        self._known_equity, self._known_equity_at = settings.capital, clock.now()

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def mode(self) -> Mode:
        return self.settings.mode

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return self.settings.symbols

    @property
    def block(self) -> str:
        """Why no entries are taken although nobody halted; empty if they are."""
        return self.broken or self.differs

    # -- beginning ------------------------------------------------------------------------

    async def load(self) -> None:
        """Take over the books that history has."""
        books = await self._store.books(self.name)
        account = books.account or new_account(
            self.name, self.settings.capital, self.feed.first_cursor, self.settings.zone
        )
        self.ledger.restore(account, books)
        for order in await self.orders.noted():
            if await self._store.order(order.id) is None:
                self.ledger.add(order)
        cursor = account.cursor or self.feed.first_cursor
        self._seen_before = account.cursor
        self.feed.resume(cursor)
        if account.cursor is None:
            self.ledger.change_account(cursor=cursor)
        self._note_equity()

    async def start(self, start: Start) -> None:
        """Compare our books with the venue's; entries wait until that is done.

        Raises `VenueError` when the venue cannot be asked, and says why, once for each cause:
        call again.
        """
        try:
            await self.venue.open(self.orders.hear)
            await self.venue.catch_up(self._cursor)
            result = await self._reconciler.run() or Reconciled(
                unknown=0, missed_fills=0, problems=("an order is still in doubt",)
            )
            await self._halt_beside_another()
        except VenueError as error:
            await self._tell_delay(str(error))
            raise
        self.delayed, self._heard_until = "", self.venue.interruptions
        await self._recorder.settle()
        await self._forget_noted()
        for symbol in self.ledger.positions:
            self.orders.touched.add(symbol)
        await self.protection.settle()
        self.differs = result.problems[0] if result.problems else ""
        self._resting_until = self._rest_at(self._cursor)  # told when it began
        self._note_equity()
        self.orders.on_touch.append(self._touched.set)
        self.orders.strangers.on_reduced.append(self._note_reduced)
        self.ready = True
        self.enforcer.wake()
        await self._recorder.keep(
            Change(accounts=(self.ledger.account,)), Lane.REST, self._started(start, result)
        )

    async def _halt_beside_another(self) -> None:
        """Two desks on one account would close each other's positions: start halted."""
        reports = await self.orders.open_at_venue()
        theirs = [r for r in reports if self.orders.ids.is_another_desks(r.order_id)]
        if not theirs:
            return
        count = f"{len(theirs)} open order{'s' if len(theirs) > 1 else ''}"
        why = f"another desk trades on this account: {count} at the venue carry its tag"
        if all(h.by != THE_DESK for h in self._halter.latch.covering(self.name)):
            self._halter.engage(scope=self.name, verb=Verb.STOP, by=THE_DESK, why=why)

    def prepare(self) -> None:
        """Load what the first cycle needs; slow, for a thread."""
        self._decider.signals(self._cursor)

    async def reconcile(self) -> bool:
        """Compare the books with the venue again; what differs holds entries back.

        False: it could not be done now.
        """
        if not self.ready or self._busy.locked():
            return False
        async with self._busy:
            try:
                result = await self._reconciler.run()
            except VenueError as error:
                log.warning("%s cannot compare its books: %s", self.name, error)
                return False
        if result is not None:
            await self.hold_entries(result.problems[0] if result.problems else "")
        await self._forget_noted()
        return result is not None

    async def _forget_noted(self) -> None:
        """What history has by now needs no note beside it."""

        async def is_known(order_id: str) -> bool:
            return await self._store.order(order_id) is not None

        try:
            await self.orders.forget_noted(is_known)
        except StoreError as error:
            log.warning("the notes of %s stay: %s", self.name, error)

    async def hold_entries(self, why: str, *, origin: str = "") -> None:
        """Take no entries because of *why*, or take them again when it is empty; say so once.

        *origin* is the chat that is answered.
        """
        was, self.differs = self.differs, why
        if why and why != was:
            await self._recorder.say(EntriesBlocked(why=why, origin=origin, **self._about()))
        elif was and not why:
            await self._recorder.say(EntriesFreed(was=was, origin=origin, **self._about()))

    async def gap(self) -> Gap:
        """Compare now; return by how much the wallets differ, if that is all that differs.

        Raises `Refused` if it is not, or nothing does, and `VenueError`.
        """
        async with self._busy:
            result = await self._reconciler.run() if self.ready else None
        if result is None:
            raise Refused("The books cannot be compared now: orders are under way, or it starts")
        await self.hold_entries(result.problems[0] if result.problems else "")
        if not result.problems:
            raise Refused("The books equal the venue's, there is nothing to accept")
        if not result.gap or len(result.problems) > 1:
            raise Refused(f"Not only the wallet differs: {result.problems[0]}")
        return Gap(ours=result.ours, venue=result.ours + result.gap)

    async def accept(self, shown: Gap, *, by: str, origin: str = "") -> Gap:
        """Take over the venue's wallet, if the gap is still the one that was *shown*.

        It is no profit and no loss: baselines and peak move alike.  *origin* is the chat that is
        answered.  Raises `Refused` and `VenueError`; nothing is changed then.
        """
        gap = await self.gap()
        if abs(gap.amount - shown.amount) >= SMALLEST_DIFFERENCE:
            raise Refused(
                f"The difference has changed since you were asked: {gap.amount:.2f}, "
                f"not {shown.amount:.2f}"
            )
        account = self.ledger.account
        if min(account.peak, account.day_start, account.week_start) + gap.amount <= 0:
            raise Refused("Nothing would be left to measure losses from; begin anew with --fresh")
        account = self.ledger.move_balance(gap.amount)
        accepted = BalanceAccepted(
            amount=gap.amount, wallet=account.wallet, quote=self.symbols[0].quote, by=by,
            origin=origin, **self._about(),
        )  # fmt: skip
        note = f"{gap.amount} {accepted.quote} at {accepted.at.isoformat()} by {by}"
        change = Change(accounts=(account,), notes=((f"balance_accepted:{self.name}", note),))
        await self._recorder.keep(change, Lane.FILL, accepted)
        self._note_equity()
        await self.hold_entries("", origin=origin)
        return gap

    async def run(self) -> None:
        """What goes on between the cycles: halts carried out, stops repaired, doubts resolved."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.enforcer.run())
            group.create_task(self._mend())
            group.create_task(self._look_after())
            group.create_task(self._watch_prices())

    # -- the cycle ------------------------------------------------------------------------

    async def cycle(self) -> None:
        """Handle every bar that closed since the cursor, exits first.  Never overlaps itself."""
        if not self.ready or self._busy.locked():
            return
        async with self._busy:
            await self._cycle()

    async def scan(self) -> Scan:
        """Run a cycle now, and return what it found.

        Raises `Refused` while one runs already, and before the books are compared.
        """
        if not self.ready:
            raise Refused("The books are still being compared with the venue")
        if self._busy.locked():
            raise Refused("A scan is under way already")
        async with self._busy:
            problem = await self._cycle()
            return Scan(
                cycle=None if problem else self._last_cycle,
                decisions=tuple(self._decided),
                problem=problem,
            )

    async def _cycle(self) -> str:
        """Return what went wrong, or nothing."""
        self._decided = ()
        began = self._clock.monotonic()
        try:
            bars, decisions = await self._bars()
            await self._feed_watch.answered(
                last_bar=self._cursor,
                all_done=not await self.feed.closes(self._cursor),
                open_positions=len(self.ledger.positions),
            )
        except VenueError as error:
            await self._feed_watch.failed(error)
            return f"no prices: {error}"
        except Exception:
            self._meter.count("cycle_errors")
            reference = secrets.token_hex(3)
            log.exception("a cycle failed, reference %s", reference)
            await self._recorder.say(CycleFailed(reference=reference, **self._about()))
            return f"an error of ours, reference {reference}"
        seconds = self._clock.monotonic() - began
        self._last_cycle = Cycle(
            at=self._clock.now(), seconds=seconds, bars=bars, decisions=decisions
        )
        self._meter.time("scan", seconds)
        await self._tell_slow(seconds)
        return ""

    async def _tell_slow(self, seconds: float) -> None:
        limit = self.settings.slow_scan.total_seconds()
        if seconds > limit:
            await self._recorder.say(ScanSlow(seconds=seconds, limit=limit, **self._about()))

    async def _bars(self) -> tuple[int, int]:
        decisions = 0
        closes = await self.feed.closes(self._cursor)
        for bar in closes:
            began = self._clock.monotonic()
            made = await self._bar(bar)
            decisions += made
            await self._save_cursor(bar, made, self._clock.monotonic() - began)
        return len(closes), decisions

    async def _bar(self, bar: datetime) -> int:
        await self.venue.catch_up(bar)
        await self._recorder.settle()
        await self.protection.settle()
        await self.protection.exits(bar)
        await self._losses.observe(bar)
        decided = await self._decide(bar)
        await self.protection.settle()
        await self._tell_rest(bar)
        return decided

    async def _decide(self, bar: datetime) -> int:
        """Answer every signal of *bar* in one go, then send what was approved, together."""
        signals = await self._undecided(self._decider.signals(bar), bar)
        for signal in signals:
            await self._close_opposite(signal)
        for symbol, why in self._decider.leaving(bar).items():
            await self._leave(symbol, why)
        looks = await self._decider.looks(signal.symbol for signal in signals)
        answers = self._decider.decide(signals, looks, now=self._clock.now(), blocked=self.block)
        refused = tuple(a for a in answers if not isinstance(a, Approval))
        self._decided += tuple(a.decision if isinstance(a, Approval) else a for a in answers)
        if refused:
            await self._recorder.keep(Change(decisions=refused), Lane.REST)
        sending = [self.orders.enter(a.order, a.permit, a.decision) for a in approvals(answers)]
        self._meter.count("signals", len(signals))
        for order in await asyncio.gather(*sending):
            await self._resting_entries.refused(order)
        return len(answers)

    async def _undecided(self, signals: list[Signal], bar: datetime) -> list[Signal]:
        """Leave out what was answered before a crash: the first bar after it may be seen twice."""
        if self._seen_before is None or bar <= self._seen_before:
            return signals
        self._seen_before = None
        return [s for s in signals if await self._store.decided(decision_id(self.name, s)) is None]

    async def _leave(self, symbol: Symbol, why: str) -> None:
        position = self.ledger.positions.get(symbol)
        if position is None:
            return
        log.info("%s: %s", symbol, why)
        try:
            await self.protection.close(symbol, abs(position.quantity), ExitReason.SIGNAL)
        except VenueError as error:
            log.warning("%s was not closed: %s", symbol, error)

    async def _close_opposite(self, signal: Signal) -> None:
        position = self.ledger.positions.get(signal.symbol)
        if position is None or position.side is signal.side:
            return
        try:
            await self.protection.close(signal.symbol, abs(position.quantity), ExitReason.SIGNAL)
        except VenueError as error:
            log.warning("%s was not closed: %s", signal.symbol, error)

    async def _save_cursor(self, bar: datetime, decisions: int, seconds: float) -> None:
        account = self.ledger.change_account(cursor=bar)
        self._note_equity()
        equity = self.valuer.equity(bar)
        points = () if equity is None else (self._equity_point(bar, equity),)
        ended = CycleEnded(
            bars=1, decisions=decisions, seconds=seconds, equity=equity, **self._about()
        )
        await self._recorder.keep(Change(accounts=(account,), equity=points), Lane.REST, ended)

    def _equity_point(self, bar: datetime, equity: Decimal) -> EquityPoint:
        return EquityPoint(
            trader=self.name,
            at=bar,
            equity=equity,
            wallet=self.ledger.account.wallet,
            exposure=self.valuer.exposure(bar),
        )

    # -- telling --------------------------------------------------------------------------

    async def _tell_delay(self, why: str) -> None:
        self.delayed = why
        if why not in self._told_delays:
            self._told_delays |= {why}
            log.warning("%s cannot compare its books: %s", self.name, why)
            await self._recorder.say(StartDelayed(why=why, **self._about()))

    async def _tell_rest(self, bar: datetime) -> None:
        until = self._rest_at(bar)
        if until is not None and until != self._resting_until:
            why = f"{self._decider.book(bar).losses_in_row} losses in a row"
            await self._recorder.say(CooldownBegan(why=why, until=until, **self._about()))
        self._resting_until = until

    def _rest_at(self, bar: datetime) -> datetime | None:
        return rest_until(self._decider.book(bar), self.settings.limits, bar)

    def _started(self, start: Start, result: Reconciled) -> TraderStarted:
        return TraderStarted(
            took=start.took,
            down_for=start.down_for,
            clean=start.clean,
            positions=len(self.ledger.positions),
            orders=len(self.ledger.alive),
            unknown=result.unknown,
            missed_fills=result.missed_fills,
            differs=self.differs,
            halt=self._halter.latch.strictest(self.name),
            place=self.settings.place,
            **self._about(),
        )

    # -- between the cycles ---------------------------------------------------------------

    async def _mend(self) -> None:
        while True:
            await self._touched.wait()
            self._touched.clear()
            await self.protection.settle()

    async def _look_after(self) -> None:
        while True:
            await self._clock.sleep(self._patience.upkeep)
            await self.upkeep()

    async def _watch_prices(self) -> None:
        """Between the bars, where prices come at any moment: exits and loss guards go by each."""
        while self.feed.speed is None:
            await self._clock.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Act on the prices that have come since the last look, as at a bar's close."""
        newest = self.valuer.newest_mark()
        if not self.ready or newest is None or newest == self._looked_at:
            return
        self._looked_at = newest
        now = self.feed.now()
        try:
            await self.protection.exits(now)
            await self._losses.observe(now)
        except Exception:
            reference = secrets.token_hex(3)
            log.exception("a look at the prices failed, reference %s", reference)
            await self._recorder.say(CycleFailed(reference=reference, **self._about()))

    async def upkeep(self) -> None:
        """Ask about orders in doubt, end old entries, and repair what protects."""
        await self._venue_watch.look()
        await self._after_interruption()
        for order in self.ledger.unknown():
            try:
                await self.orders.resolve(order)
            except VenueError as error:
                log.warning("%s stays unknown: %s", order.id, error)
        await self._resting_entries.watch()
        await self.protection.watch()

    async def _after_interruption(self) -> None:
        """What was not heard while the line was broken is asked for."""
        broke = self.venue.interruptions
        if (broke != self._heard_until or self._reduced) and await self.reconcile():
            self._heard_until, self._reduced = broke, False

    def _note_reduced(self) -> None:
        self._reduced = True

    async def close(self) -> None:
        """Let go of the feed and the venue."""
        await asyncio.gather(self.feed.close(), self.venue.close(), return_exceptions=True)

    # -- what people ask for --------------------------------------------------------------

    def use(self, settings: TraderSettings) -> None:
        """Go by new limits, exits and alert threshold from now on; what is open keeps its plan.

        Only what can change while trading does: the rest must equal the settings in use.  A
        strategy that was chosen meanwhile stays.
        """
        self.settings = replace(settings, parameters=self.settings.parameters)
        self._decider.use(settings.limits, settings.exit_rules, settings.entries)
        self.guards.use(settings.limits, settings.drawdown_alert)

    def strategy_named(self, name: str) -> tuple[Strategy, Mapping[str, object]]:
        """Its own as it was set up, or another one as it is without settings; with its parameters.

        Raises `ValueError`, a sentence for the operator.
        """
        own, parameters = self._own
        return (own, parameters) if name == own.name else (strategies.strategy(name, {}), {})

    async def choose(self, name: str, *, by: str) -> None:
        """Go by another strategy from the next cycle on; what is open keeps its plan.

        Raises `Refused` where there is none of that name, or it cannot do with the candles here.
        """
        was = self._strategy.name
        try:
            chosen, parameters = self.strategy_named(name)
            candles = self.feed.candles(self._cursor, chosen.warmup + 1)
            if self.feed.speed is None and candles.bars <= chosen.warmup:
                here = "here is 1" if candles.bars == 1 else f"here are {candles.bars}"
                raise ValueError(f"it needs {chosen.warmup + 1} candles, {here}")
            await asyncio.to_thread(chosen.signals, candles)
        except ValueError as error:
            raise Refused(f"{self.name} cannot run {name}: {error}") from error
        async with self._busy:
            self._strategy = chosen
            self._decider.think_with(chosen, since=self._cursor)
            self.settings = replace(self.settings, parameters=parameters)
        change = f"traders.{self.name}.strategy {was} to {name}"
        await self._recorder.say(SettingsReloaded(at=self._clock.now(), by=by, changes=(change,)))

    async def regime(self) -> Reading:
        """What kind of market it is at the last candle, as its strategy reads it.

        Raises `Refused` where the strategy reads none.
        """
        from trading.strategies.rules import Rules

        if not isinstance(self._strategy, Rules):
            raise Refused(f"{self.name} runs {self._strategy.name}, which reads no regime")
        candles = self.feed.candles(self._cursor, self._strategy.warmup + 1)
        if not candles.bars:
            raise Refused(f"{self.name} has no candles yet")
        readings = await asyncio.to_thread(self._strategy.regimes, candles)
        return readings.at(-1)

    async def cancel_entries(self) -> bool:
        """Before the process ends.  True: no entry rests."""
        try:
            return await self.enforcer.sweep()
        except VenueError:
            return False

    def resume_refusal(self, halt: Halt) -> str:
        """Why *halt* may not be lifted now; empty if it may."""
        flattening = halt.verb is Verb.FLATTEN and self.ledger.positions
        if flattening:
            return f"{self.name} is still being flattened: {len(self.ledger.positions)} open"
        return self._losses.past(halt)

    async def rebase(self, halt: Halt) -> None:
        """Measure the guard of *halt* afresh from the equity now.  Raises `Refused`."""
        equity = self.valuer.equity()
        if equity is None:
            raise Refused("Equity is unknown, so there is nothing to measure from")
        self._losses.rebase(halt, equity)
        await self._recorder.keep(Change(accounts=(self.ledger.account,)), Lane.HALT)

    def rules(self, symbol: Symbol) -> MarketRules:
        return self.venue.rules(symbol)

    def price(self, symbol: Symbol) -> Price:
        """What is known of the price of *symbol* now."""
        market, quote = self.feed.now(), self.valuer.quote(symbol)
        began = self.valuer.quote(symbol, day_begin(market, self.settings.zone))
        age = None if quote is None else market - quote.at
        return Price(
            symbol=symbol,
            rules=self.rules(symbol),
            quote=quote,
            age=age,
            stale=self._too_old(age),
            day_open=None if began is None else began.price,
        )

    # -- seeing ---------------------------------------------------------------------------

    def view(self) -> View:
        """Everything about this trader at this instant."""
        market = self.feed.now()
        equity = self.valuer.equity()
        account = self.ledger.account
        holdings = tuple(self._holding(symbol, market) for symbol in self.ledger.positions)
        if any(h.stale for h in holdings):
            equity = None
        newest = [q.at for q in map(self.valuer.quote, self.symbols) if q is not None]
        halts = self._halter.latch.covering(self.name)
        return View(
            name=self.name,
            mode=self.mode,
            quote=self.symbols[0].quote,
            strategy=self._strategy.name,
            timeframe=self.settings.timeframe,
            limits=self.settings.limits,
            ready=self.ready,
            as_of=self._clock.now(),
            market=market,
            replay_speed=self.settings.replay_speed,
            equity=equity,
            known_equity=self._known_equity,
            known_equity_at=self._known_equity_at,
            wallet=account.wallet,
            open_profit=None if equity is None else equity - account.wallet,
            today=None if equity is None else equity - account.day_start,
            day_start=account.day_start,
            week_start=account.week_start,
            peak=account.peak,
            drawdown=self.guards.lost("drawdown", equity),
            exposure=self.valuer.exposure(),
            holdings=holdings,
            orders=tuple(self.ledger.alive.values()),
            halts=tuple(sorted(halts, key=lambda h: (-h.verb, h.at))),
            rest=self.block or self._resting(market),
            feed=self._feed_watch.state,
            price_age=market - max(newest) if newest else None,
            asked_at=self.orders.answered_at,
            day_ends_in=day_end(market, self.settings.zone) - market,
            venue_silent=self._venue_watch.silent,
            unsaved=self._recorder.unsaved,
            last_cycle=self._last_cycle,
            cycle_every=self.settings.cycle_every,
            losses_in_row=streak(self.ledger.trades, self.settings.limits, market).losses,
            parameters=self.settings.parameters,
            desk=self._desk_risk.use(),
            delayed=self.delayed,
        )

    def _holding(self, symbol: Symbol, market: datetime) -> Holding:
        quote = self.valuer.quote(symbol)
        age = None if quote is None else market - quote.at
        return Holding(
            position=self.ledger.positions[symbol],
            plan=self.ledger.plans[symbol],
            rules=self.rules(symbol),
            quote=quote,
            age=age,
            stale=self._too_old(age),
            stop_on_venue=self.protection.rests(symbol),
        )

    def _too_old(self, age: timedelta | None) -> bool:
        """Whether a price of that age is not to be believed; a replay's last one always is."""
        ended = self.feed.state() is FeedState.ENDED
        return age is None or (age > self.settings.limits.max_price_age and not ended)

    def _resting(self, market: datetime) -> str:
        until = self._resting_until
        if until is None or market >= until:
            return ""
        return f"rests until {minute(until)} after losses in a row"

    def _note_equity(self) -> None:
        equity = self.valuer.equity()
        if equity is not None:
            self._known_equity, self._known_equity_at = equity, self._clock.now()

    @property
    def _cursor(self) -> datetime:
        return self.ledger.account.cursor or self.feed.first_cursor

    def _about(self) -> dict[str, Any]:
        return {"at": self._clock.now(), "trader": self.name, "mode": self.mode}
