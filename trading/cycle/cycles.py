"""A trader's cycles: every bar that closed, exits first, then what the strategy wishes.

Between the bars of a live market loss guards go by each price, and stops and targets that do not
rest at the venue.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.accounts.views import Cycle, Scan
from trading.clocks import Clock
from trading.common import words
from trading.cycle.deciding import Approval, Decider, approvals, decision_id
from trading.cycle.outages import FeedWatch
from trading.cycle.universe import TradableUniverse
from trading.errors import Refused, VenueError
from trading.events import CooldownBegan, CycleEnded, CycleFailed, ScanSlow
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.execution.resting import RestingEntries
from trading.ports import Change, Feed, Meter, Store, WritePriority
from trading.risk import pace
from trading.risk.cooldown import rest_until
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.loss_watch import LossWatch
from trading.types import LEAVE, ZERO, Decision, EquityPoint, ExitReason, Order, Signal, Symbol

if TYPE_CHECKING:
    from trading.context.settings import TraderSettings

log = logging.getLogger(__name__)


MEASURES_EVERY = timedelta(minutes=1)
AGAIN = "exits and stops are tried again in the next scan"
WENT_ON = "exits and stops went on"


class Undecided(Exception):
    """At a bar everything was done that protects, and nothing was decided: its cause says why."""


class Cycles:
    last: Cycle | None = None
    last_look: Cycle | None = None
    """The last one that had a new bar."""
    _resting_until: datetime | None = None
    _decided: tuple[Decision, ...] = ()
    """What the cycle that runs, or the last one, has decided."""
    _triggers = 0
    """What the strategy saw happen in it."""
    _looked_at: datetime | None = None
    """When the newest price was made that the last look between bars went by."""
    _measured_at: datetime | None = None
    """When the measures were saved last, between bars."""
    _seen_before: datetime | None = None
    """The cursor found at start, until the bar after it is done: it may be its second time."""

    def __init__(
        self,
        *,
        settings: Callable[[], TraderSettings],
        books: AccountReconciler,
        blocked: Callable[[], str],
        decider: Decider,
        orders: Orders,
        protection: Protection,
        exits: Exits,
        resting_entries: RestingEntries,
        losses: LossWatch,
        universe: TradableUniverse,
        feed: Feed,
        feed_watch: FeedWatch,
        valuer: Valuer,
        store: Store,
        recorder: Recorder,
        meter: Meter,
        clock: Clock,
        busy: asyncio.Lock,
    ) -> None:
        """*busy* is held by a comparison of the books too; *blocked* is why entries wait, if so."""
        self._settings = settings
        self._books = books
        self._blocked = blocked
        self._decider = decider
        self._orders = orders
        self._ledger = orders.ledger
        self._venue = orders.venue
        self._protection = protection
        self._exits = exits
        self._resting_entries = resting_entries
        self._losses = losses
        self._universe = universe
        self._feed = feed
        self._feed_watch = feed_watch
        self._valuer = valuer
        self._store = store
        self._recorder = recorder
        self._meter = meter
        self._clock = clock
        self._busy = busy

    @property
    def cursor(self) -> datetime:
        """Close time of the last bar handled."""
        return self._ledger.account.cursor or self._feed.first_cursor

    def resume(self) -> None:
        """Take up the feed at the saved cursor."""
        self._seen_before = self._ledger.account.cursor
        self._feed.resume(self.cursor)
        self._feed.handled(self.cursor)
        if self._seen_before is None:
            self._ledger.change_account(cursor=self.cursor)

    def rest_as_before(self) -> None:
        """A rest that goes on after a restart was told when it began."""
        self._resting_until = self._rest_at(self.cursor)

    def resting(self, market: datetime) -> str:
        """What holds every entry back by itself at *market* time, as a clause; empty: nothing.

        A rest after losses, or an hour or a day that has taken all the entries it may.
        """
        until = self._resting_until
        if until is not None and market < until:
            return f"rests until {words.until(until, market)} after losses in a row"
        limits = self._settings().limits
        if limits.entries_per_hour is None and limits.entries_per_day is None:
            return ""
        return pace.full(self._decider.book(market), limits, market)

    # -- the bars -------------------------------------------------------------------------

    async def run(self) -> None:
        """Handle every bar that closed since the cursor, exits first.  Never overlaps itself."""
        if not self._books.ready or self._busy.locked():
            return
        async with self._busy:
            await self._cycle()

    async def scan(self) -> Scan:
        """Run a cycle now, and return what it found.

        Raises `Refused` while one runs already, and before the books are compared.
        """
        if not self._books.ready:
            raise Refused("The books are still being compared with the venue")
        if self._busy.locked():
            raise Refused("A scan is under way already")
        async with self._busy:
            problem = await self._cycle()
            return Scan(
                cycle=None if problem else self.last,
                decisions=tuple(self._decided),
                problem=problem,
            )

    async def bars(self) -> tuple[int, int]:
        """Handle every bar that closed; raise what fails.  Return their number, and of answers.

        Raises `Undecided` after all of them when a strategy failed: its bar counts as handled, so
        that the exits of the bars after it wait for nothing.
        """
        decisions, self._decided, self._triggers = 0, (), 0
        failure: Exception | None = None
        closes = await self._feed.closes(self.cursor)
        for bar in closes:
            began = self._clock.monotonic()
            await self._leave_at(bar)
            try:
                made = await self._enter_at(bar)
            except Exception as error:  # noqa: BLE001  # whatever a strategy raises
                made, failure = 0, failure or error
            decisions += made
            await self._save_cursor(bar, made, self._clock.monotonic() - began)
            self._feed.handled(bar)
        if failure is not None:
            raise Undecided from failure
        return len(closes), decisions

    async def look(self) -> None:
        """Go by the prices that have come since the last look.

        Loss guards do, and exits only where a stop or target does not rest at the venue.
        """
        newest = self._valuer.newest_mark()
        if not self._books.ready or newest is None or newest == self._looked_at:
            return
        self._looked_at = newest
        now = self._feed.now()
        try:
            await self._exits.look(now)
            await self._losses.observe(now)
            await self._save_measures(now)
        except Exception:
            reference = secrets.token_hex(3)
            log.exception("a look at the prices failed, reference %s", reference)
            await self._recorder.say(CycleFailed(reference=reference, **self._about()))

    # -- inside ---------------------------------------------------------------------------

    async def _save_measures(self, now: datetime) -> None:
        """What losses are measured from, and with which prices, now and then between bars."""
        if self._measured_at is None or now - self._measured_at >= MEASURES_EVERY:
            self._measured_at = now
            notes = self._books.aside.marks()
            await self._recorder.keep(
                Change(accounts=(self._ledger.account,), notes=notes), WritePriority.REST
            )

    async def _cycle(self) -> str:
        """Return what went wrong, or nothing."""
        began = self._clock.monotonic()
        try:
            bars, decisions = await self.bars()
            await self._feed_watch.answered(
                last_bar=self.cursor,
                all_done=not await self._feed.closes(self.cursor),
                open_positions=len(self._ledger.positions),
            )
        except VenueError as error:
            await self._feed_watch.failed(error)
            return f"no prices: {error}; {AGAIN}"
        except Exception as error:  # noqa: BLE001  # told and logged
            self._meter.count("cycle_errors")
            return await self._broke(error)
        seconds = self._clock.monotonic() - began
        self.last = Cycle(
            at=self._clock.now(),
            seconds=seconds,
            bars=bars,
            decisions=decisions,
            triggers=self._triggers,
        )
        if bars:
            self.last_look = self.last
        self._meter.time("scan", seconds)
        await self._tell_slow(seconds)
        return ""

    async def _broke(self, error: Exception) -> str:
        reference, protected = secrets.token_hex(3), isinstance(error, Undecided)
        log.error("a cycle failed, reference %s", reference, exc_info=error)
        failed = CycleFailed(reference=reference, protected=protected, **self._about())
        await self._recorder.say(failed)
        return f"an error of ours, reference {reference}; {WENT_ON if protected else AGAIN}"

    async def _tell_slow(self, seconds: float) -> None:
        limit = self._settings().slow_scan.total_seconds()
        if seconds > limit:
            await self._recorder.say(ScanSlow(seconds=seconds, limit=limit, **self._about()))

    async def _leave_at(self, bar: datetime) -> None:
        """What protects comes first, and depends on nothing that the strategy says.

        Entries whose time was over before *bar* closed are gone by then: it does not fill them.
        """
        await self._resting_entries.watch(bar - timedelta.resolution)
        await self._resting_entries.pass_bar(bar)
        await self._venue.catch_up(bar)
        await self._recorder.settle()
        await self._protect()
        await self._exits.carry_out(bar)
        await self._protection.rest_targets()
        await self._losses.observe(bar)

    async def _protect(self) -> None:
        await self._protection.settle()
        if self._feed.speed is not None:  # a recording's time goes on when all has been done
            await self._protection.idle.wait()

    async def _enter_at(self, bar: datetime) -> int:
        """Return how many answers were given."""
        if self._universe.by_bars:
            await self._universe.refresh(bar)
        decided = await self._decide(bar)
        await self._resting_entries.watch(bar)
        await self._protect()
        await self._tell_rest(bar)
        return decided

    async def _decide(self, bar: datetime) -> int:
        """Answer every signal of *bar* in one go, then send what was approved, together."""
        signals = await self._undecided(await self._decider.signals(bar), bar)
        self._triggers += self._decider.triggers
        for signal in signals:
            await self._close_opposite(signal, bar)
        for symbol, why in self._decider.leaving(bar).items():
            await self._leave(symbol, why, bar)
        looks = await self._decider.looks(signal.symbol for signal in signals)
        now, blocked = self._clock.now(), self._blocked()
        answers = self._decider.decide(signals, looks, now=now, blocked=blocked)
        refused = tuple(a for a in answers if not isinstance(a, Approval))
        self._decided += tuple(a.decision if isinstance(a, Approval) else a for a in answers)
        if refused:
            await self._recorder.keep(Change(decisions=refused), WritePriority.REST)
        sending = [self._orders.enter(a.order, a.permit, a.decision) for a in approvals(answers)]
        self._meter.count("signals", len(signals))
        for order in await asyncio.gather(*sending):
            await self._resting_entries.refused(order)
        return len(answers)

    async def _undecided(self, signals: list[Signal], bar: datetime) -> list[Signal]:
        """Leave out what was answered before a crash: the first bar after it may be seen twice."""
        if self._seen_before is None or bar <= self._seen_before:
            return signals
        self._seen_before = None
        trader, known = self._settings().name, self._store.decided
        return [s for s in signals if await known(decision_id(trader, s)) is None]

    async def _close_opposite(self, signal: Signal, bar: datetime) -> None:
        position = self._ledger.positions.get(signal.symbol)
        if position is not None and position.side is not signal.side:
            await self._leave(signal.symbol, f"a wish for the other side, {signal.reason}", bar)

    async def _leave(self, symbol: Symbol, why: str, bar: datetime) -> None:
        """Close the position, and record what became of that."""
        position = self._ledger.positions.get(symbol)
        if position is None:
            return
        held, problem = abs(position.quantity), ""
        orders: tuple[Order, ...] = ()
        try:
            orders = await self._exits.close(symbol, held, ExitReason.SIGNAL, at=bar)
        except VenueError as error:
            problem = str(error)
        orders = tuple(self._ledger.orders[order.id] for order in orders)
        filled = sum((order.filled for order in orders), ZERO)
        decision = Decision(
            id=f"{self._settings().name}|{symbol}|{bar.isoformat()}{LEAVE}",
            trader=self._settings().name,
            symbol=symbol,
            bar=bar,
            at=self._clock.now(),
            side=position.side,
            approved=filled > ZERO,
            reason=problem or _left(orders, filled),
            signal=why,
            confidence=0,
            quantity=filled,
            order_id=orders[0].id if orders else "",
        )
        await self._recorder.keep(Change(decisions=(decision,)), WritePriority.REST)

    async def _save_cursor(self, bar: datetime, decisions: int, seconds: float) -> None:
        account = self._ledger.change_account(cursor=bar)
        self._valuer.note(self._clock.now())
        equity = self._valuer.equity(bar)
        points = () if equity is None else (self._equity_point(bar, equity),)
        ended = CycleEnded(
            bars=1, decisions=decisions, seconds=seconds, equity=equity, **self._about()
        )
        change = Change(accounts=(account,), equity=points, notes=self._books.aside.marks())
        await self._recorder.keep(change, WritePriority.REST, ended)

    def _equity_point(self, bar: datetime, equity: Decimal) -> EquityPoint:
        return EquityPoint(
            trader=self._settings().name,
            at=bar,
            equity=equity,
            wallet=self._ledger.account.wallet,
            exposure=self._valuer.exposure(bar),
        )

    async def _tell_rest(self, bar: datetime) -> None:
        until = self._rest_at(bar)
        if until is not None and until != self._resting_until:
            why = f"{self._decider.book(bar).losses_in_row} losses in a row"
            await self._recorder.say(CooldownBegan(why=why, until=until, **self._about()))
        self._resting_until = until

    def _rest_at(self, bar: datetime) -> datetime | None:
        return rest_until(self._decider.book(bar), self._settings().limits, bar)

    def _about(self) -> dict[str, Any]:
        settings = self._settings()
        return {"at": self._clock.now(), "trader": settings.name, "mode": settings.mode}


def _left(orders: Sequence[Order], filled: Decimal) -> str:
    """What became of *orders* that were to close a position, as a clause."""
    if filled:
        return "closed"
    if not orders:
        return "nothing was left to close"
    if any(order.is_alive for order in orders):
        return "no answer yet, it may have been closed"
    return "the venue did not close it"
