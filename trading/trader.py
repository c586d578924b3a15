"""A trader: one account, one feed, one strategy, its limits; the only sender of its orders."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from trading import strategies
from trading.accounts.ledger import Ledger
from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.accounts.views import Price, Scan, View
from trading.clocks import Clock
from trading.context.settings import TraderSettings
from trading.cycle.cycles import Cycles
from trading.cycle.deciding import Decider
from trading.cycle.outages import FeedWatch, VenueWatch
from trading.cycle.universe import ScannedUniverse, TradableUniverse
from trading.errors import Refused, VenueError
from trading.events import (
    SettingsReloaded,
    StopsAreLimits,
    TraderStarted,
)
from trading.execution.closing import PositionCloser
from trading.execution.cover import Covers
from trading.execution.dust import Dust
from trading.execution.exits import Exits
from trading.execution.orders import OrderIds, Orders, OrderTimeouts
from trading.execution.protection import Protection
from trading.execution.reconcile import Reconciled
from trading.execution.resting import RestingEntries
from trading.execution.set_aside import Aside
from trading.execution.stop_limits import StopLimits
from trading.model.halt import Halt, Verb
from trading.operators.manual import ManualTrading
from trading.operators.views import TraderViews
from trading.ports import (
    Change,
    Feed,
    Journal,
    MarketScanner,
    Meter,
    NoMeter,
    Offload,
    Store,
    Venue,
    WritePriority,
    at_once,
)
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.desk_limits import DeskLimits, DeskRisk
from trading.safety.enforce import Enforcer
from trading.safety.guards import Guards, new_account
from trading.safety.halting import Halter
from trading.safety.loss_watch import LossWatch
from trading.strategies.base import Strategy
from trading.types import (
    MarketRules,
    Mode,
    Rules,
    Stops,
    Symbol,
)

if TYPE_CHECKING:  # it brings TA-Lib, which a trader with another strategy does without
    from trading.strategies.rules.regime import RegimeReading

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at live prices."""
SURVEY_LOOK_EVERY = 30.0
"""Seconds between two looks whether a survey of a live market is due, or is to be tried again."""
THE_DESK = "the desk"
"""Who makes a halt that neither a person nor a guard made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the process knows of the time before it."""

    took: timedelta
    down_for: timedelta | None
    clean: bool


class Trader:
    broken = ""
    """Its loops broke on our side and are started again: no entries until they run."""
    _begins = False
    """Its books are being compared: what they say is open may be closed already."""

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
        timeouts: OrderTimeouts,
        desk_risk: DeskRisk | None = None,
        surveyor: MarketScanner | None = None,
        meter: Meter = NoMeter(),  # noqa: B008  # holds nothing
        cycles: type[Cycles] = Cycles,
        offload: Offload = at_once,
    ) -> None:
        """*surveyor* looks at the market for a universe; None: the feed's candles do."""
        self.settings = settings
        self.feed, self.venue = feed, venue
        self.strategy, self._own = strategy, (strategy, settings.parameters)
        self._store, self._recorder = store, recorder
        self._halter, self._clock = halter, clock
        self._timeouts = timeouts
        self._offload = offload
        desk_risk = desk_risk or DeskRisk(DeskLimits(), lambda: (self,))
        self.ledger = Ledger(
            new_account(settings.name, settings.capital, clock.now(), settings.zone),
            self.steps,
            settings.timeframe,
        )
        self.valuer = Valuer(self.ledger, feed, noted=(settings.capital, clock.now()))
        who: dict[str, Any] = {"trader": settings.name, "mode": settings.mode}
        means: dict[str, Any] = {"valuer": self.valuer, "recorder": recorder, "clock": clock}
        self.universe = self._new_universe(surveyor)
        self.orders = Orders(
            **who, **means, ledger=self.ledger, venue=venue, journal=journal, ids=ids,
            timeouts=timeouts, meter=meter,
        )  # fmt: skip
        self.protection, self.exits = self._keepers(who, means)
        self._busy = busy = asyncio.Lock()
        """Held by a cycle or a comparison: they never overlap."""
        self.books = AccountReconciler(
            **who, **means, orders=self.orders, protection=self.protection, store=store,
            halter=halter, quote=settings.symbols[0].quote, busy=busy,
            settings=lambda: self.settings,
        )  # fmt: skip
        self.enforcer = Enforcer(
            trader=settings.name, halter=halter, orders=self.orders, protection=self.protection,
            exits=self.exits, clock=clock, timeouts=timeouts, foreign=self.books.foreign,
            compare=self.books.again, closes=lambda: not self._begins,
            unproven=self.books.unproven,
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
            desk_risk=desk_risk, universe=self.universe, entries=settings.entries, offload=offload,
        )  # fmt: skip
        self._resting_entries = RestingEntries(
            **who, **means, orders=self.orders, rules=lambda: self.settings.entries,
            blocked=lambda: self.block, permit=lambda: halter.latch.permit(settings.name),
            look=self._decider.look,
        )  # fmt: skip
        self.manual = ManualTrading(self, decider=self._decider, latch=halter.latch, clock=clock)
        self._feed_watch = FeedWatch(**who, feed=feed, recorder=recorder, clock=clock)
        self._venue_watch = VenueWatch(**who, orders=self.orders, recorder=recorder, clock=clock)
        self.cycles = cycles(
            **means, settings=lambda: self.settings, books=self.books, blocked=lambda: self.block,
            decider=self._decider, orders=self.orders, protection=self.protection, exits=self.exits,
            resting_entries=self._resting_entries, losses=self._losses, universe=self.universe,
            feed=feed, feed_watch=self._feed_watch, store=store, meter=meter, busy=busy,
        )  # fmt: skip
        self._sight = TraderViews(
            self, latch=halter.latch, desk_risk=desk_risk, feed_watch=self._feed_watch,
            venue_watch=self._venue_watch, recorder=recorder, clock=clock,
        )  # fmt: skip
        self._touched = asyncio.Event()

    def _keepers(self, who: dict[str, Any], means: dict[str, Any]) -> tuple[Protection, Exits]:
        """What keeps the stops, and what closes."""
        parts: dict[str, Any] = {**who, **means, "orders": self.orders}
        covers = Covers(**who, orders=self.orders, recorder=means["recorder"], clock=self._clock)
        closing = PositionCloser(
            **who, orders=self.orders, recorder=means["recorder"], clock=self._clock,
            dust=Dust(**parts), covers=covers,
        )  # fmt: skip
        protection = Protection(
            orders=self.orders, closing=closing, valuer=self.valuer, clock=self._clock,
            gap=lambda: self.settings.exit_rules.stop_limit_gap,
        )  # fmt: skip
        return protection, Exits(**parts, protection=protection, closing=closing)

    def _new_universe(self, surveyor: MarketScanner | None) -> TradableUniverse:
        plan = self.settings.universe
        if plan is None:
            return TradableUniverse(self.settings.symbols)
        from trading.market.candle_scan import CandleScan  # NumPy, which the first cycle needs

        return ScannedUniverse(
            trader=self.name, mode=self.mode, plan=plan, store=self._store,
            surveyor=surveyor or CandleScan(self.feed.candles, self.settings.timeframe),
            recorder=self._recorder, clock=self._clock, market=self.feed.now,
        )  # fmt: skip

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def mode(self) -> Mode:
        return self.settings.mode

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Those whose prices it follows; the universe says which of them may be entered."""
        return tuple(self.feed.symbols)

    @property
    def ready(self) -> bool:
        """The books were compared with the venue; entries wait until then."""
        return self.books.ready

    @property
    def aside(self) -> Aside:
        """What it holds and nobody trades."""
        return self.books.aside

    @property
    def block(self) -> str:
        """Why no entries are taken although nobody halted; empty if they are."""
        return self.broken or self.books.differs

    # -- beginning ------------------------------------------------------------------------

    async def load(self) -> None:
        """Take over the books that history has."""
        books = await self._store.books(self.name)
        account = books.account or new_account(
            self.name, self.settings.capital, self.feed.first_cursor, self.settings.zone
        )
        self.ledger.restore(account, books)
        for order in await self.orders.intents.noted():
            if await self._store.order(order.id) is None:
                self.ledger.add(order)
        self.venue.include(self._under_way())
        await self.aside.load()
        self.aside.on_change.append(self.enforcer.go_on)
        self.cycles.resume()
        await self.universe.load(self.cycles.cursor)
        await self._follow(at_once=True)
        self.valuer.note(self._clock.now())

    @asynccontextmanager
    async def obeying(self) -> AsyncIterator[None]:
        """Until it runs: halts cancel what rests, however long it takes to compare the books."""
        self._begins = True
        task = asyncio.create_task(self.enforcer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._begins = False
            self.enforcer.go_on()  # with what was cut off, once it runs

    async def start(self, start: Start) -> None:
        """Compare our books with the venue's; entries wait until that is done.

        Raises `VenueError` when the venue cannot be asked: call again.
        """
        result = await self.books.first(self.cycles.cursor)
        self.cycles.rest_as_before()
        self.valuer.note(self._clock.now())
        self.orders.on_touch.append(self._touched.set)
        self.orders.on_held = self.protection.reserve
        self.enforcer.wake()
        change = Change(accounts=(self.ledger.account,))
        await self._recorder.keep(change, WritePriority.REST, self._started(start, result))
        await self._tell_limits()

    async def _tell_limits(self) -> None:
        """Where stops rest as limits, there is a price below which nothing sells by itself."""
        symbols = {*self.settings.symbols, *self.ledger.positions}
        limits = tuple(s for s in sorted(symbols) if self.steps(s).stops is Stops.LIMIT)
        if limits:
            gap = self.settings.exit_rules.stop_limit_gap
            await self._recorder.say(StopsAreLimits(symbols=limits, gap=gap, **self._about()))

    def prepare(self) -> None:
        """Load what the first cycle needs; slow, for a thread."""
        self._decider.prepare(self.cycles.cursor)

    async def run(self) -> None:
        """What goes on between the cycles: halts carried out, stops repaired, doubts resolved."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.enforcer.run())
            group.create_task(self._mend())
            group.create_task(self._look_after())
            group.create_task(self._watch_prices())
            group.create_task(self._watch_stop_limits())
            group.create_task(self._watch_market())

    def _started(self, start: Start, result: Reconciled) -> TraderStarted:
        return TraderStarted(
            took=start.took,
            down_for=start.down_for,
            clean=start.clean,
            positions=len(self.ledger.positions),
            orders=len(self.ledger.alive),
            unknown=result.unknown,
            missed_fills=result.missed_fills,
            differs=self.books.differs,
            halt=self._halter.latch.strictest(self.name),
            place=self.settings.place,
            **self._about(),
        )

    # -- again and again ------------------------------------------------------------------

    async def cycle(self) -> None:
        """Handle every bar that closed since the cursor, exits first.  Never overlaps itself."""
        await self.cycles.run()

    async def scan(self) -> Scan:
        """Run a cycle now, and return what it found.  Raises `Refused` while it cannot."""
        return await self.cycles.scan()

    async def reconcile(self) -> bool:
        """Compare the books with the venue again.  False: it could not be done now."""
        return await self.books.again()

    # -- between the cycles ---------------------------------------------------------------

    async def _mend(self) -> None:
        while True:
            await self._touched.wait()
            self._touched.clear()
            await self.exits.send_again()
            await self.protection.settle()

    async def _look_after(self) -> None:
        while True:
            await self._clock.beat(self._timeouts.upkeep)
            await self.upkeep()

    async def _watch_prices(self) -> None:
        """Between the bars, where prices come at any moment: guards, and what does not rest."""
        while self.feed.speed is None:
            await self._clock.beat(LOOK_EVERY)
            await self.cycles.look()

    async def _watch_stop_limits(self) -> None:
        """What was touched has two seconds to fill, so it is looked at more often than prices."""
        limits = StopLimits(
            orders=self.orders, exits=self.exits, valuer=self.valuer, clock=self._clock
        )
        while True:
            await self._clock.beat(LOOK_EVERY / 2 if limits.rest else LOOK_EVERY)
            await limits.watch()

    async def _watch_market(self) -> None:
        """Survey a live market beside the cycles: its many questions hold up no exit."""
        while not self.universe.by_bars:
            await self.universe.refresh(self.feed.now())
            await self._follow()
            await self._clock.sleep(SURVEY_LOOK_EVERY)

    async def _follow(self, *, at_once: bool = False) -> None:
        """Have the feed show what may be entered, now or soon, and what is held or under way.

        *at_once*: only what the start has to wait for; the others join while exits go on already.
        """
        followed = self.universe.followed(self._under_way(), at_once=at_once)
        if not self.universe.by_bars or not set(followed) <= set(self.feed.symbols):
            await self.feed.follow(followed)

    def _under_way(self) -> tuple[Symbol, ...]:
        """What is held, or may soon be, whether the settings still name it or not."""
        ordered = (order.symbol for order in self.ledger.alive.values())
        return (*self.ledger.positions, *ordered)

    async def upkeep(self) -> None:
        """Ask about orders in doubt, end old entries, and repair what protects."""
        await self._venue_watch.look()
        await self.aside.look()
        await self.books.after_interruption()
        for order in self.orders.in_doubt():
            try:
                await self.orders.resolve(order)
            except VenueError as error:
                log.warning("%s stays unknown: %s", order.id, error)
        if self.feed.speed is None:  # a recording's go with its bars, as in a backtest
            await self._resting_entries.watch(self.feed.now())
        await self.exits.send_again()
        await self.enforcer.look_for_buyers()
        await self.protection.watch()

    async def close(self) -> None:
        """Let go of the feed, the venue and what surveys the market."""
        closing = (self.feed.close(), self.venue.close(), self.universe.close())
        await asyncio.gather(*closing, return_exceptions=True)

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
        was = self.strategy.name
        try:
            chosen, parameters = self.strategy_named(name)
            candles = self.feed.candles(self.cycles.cursor, chosen.warmup + 1)
            if self.feed.speed is None and candles.bars <= chosen.warmup:
                here = "here is 1" if candles.bars == 1 else f"here are {candles.bars}"
                raise ValueError(f"it needs {chosen.warmup + 1} candles, {here}")
            await self._offload(partial(chosen.signals, candles))
        except ValueError as error:
            raise Refused(f"{self.name} cannot run {name}: {error}") from error
        async with self._busy:
            self.strategy = chosen
            self._decider.think_with(chosen, since=self.cycles.cursor)
            self.settings = replace(self.settings, parameters=parameters)
        change = f"traders.{self.name}.strategy {was} to {name}"
        await self._recorder.say(SettingsReloaded(at=self._clock.now(), by=by, changes=(change,)))

    async def regime(self) -> RegimeReading:
        """What kind of market it is at the last candle, as its strategy reads it.

        Raises `Refused` where the strategy reads none.
        """
        from trading.strategies.rules import Rules

        if not isinstance(self.strategy, Rules):
            raise Refused(f"{self.name} runs {self.strategy.name}, which reads no regime")
        candles = self.feed.candles(self.cycles.cursor, self.strategy.warmup + 1)
        if not candles.bars:
            raise Refused(f"{self.name} has no candles yet")
        readings = await self._offload(partial(self.strategy.regimes, candles))
        return readings.at(-1)

    async def cancel_entries(self) -> bool:
        """Before the process ends.  True: no entry rests."""
        try:
            return await self.enforcer.sweep()
        except VenueError:
            return False

    def resume_refusal(self, halt: Halt) -> str:
        """Why *halt* may not be lifted now; empty if it may."""
        if halt.verb is Verb.FLATTEN:
            if self.ledger.positions:
                return f"{self.name} is still being flattened: {self._still_open()}"
            if not halt.is_flat(self.name):
                return f"{self.name} is still being flattened: the venue has not confirmed it"
        return self._losses.past(halt)

    def _still_open(self) -> str:
        held = self.ledger.positions
        stuck = [symbol.base for symbol in held if self.orders.untraded(symbol)]
        if len(stuck) < len(held):
            return f"{len(held)} open"
        return f"{', '.join(stuck)} cannot be sold; /write_off {stuck[0]} books it out"

    async def rebase(self, halt: Halt) -> None:
        """Measure the guard of *halt* afresh from the equity now.  Raises `Refused`."""
        equity = self.valuer.equity()
        if equity is None:
            raise Refused("Equity is unknown, so there is nothing to measure from")
        self._losses.rebase(halt, equity)
        await self._recorder.keep(Change(accounts=(self.ledger.account,)), WritePriority.HALT)

    def rules(self, symbol: Symbol) -> Rules:
        return self.venue.rules(symbol)

    def steps(self, symbol: Symbol) -> MarketRules:
        """To show figures by, of any symbol there is or was."""
        return self.venue.rules(symbol).shown

    async def untraded(self, symbol: Symbol) -> str:
        """Why its venue does not trade *symbol*, looked at again; empty: it does."""
        if self.orders.untraded(symbol):
            with suppress(VenueError):  # then it is as it was
                await self.venue.reread()
        return self.orders.untraded(symbol)

    # -- seeing ---------------------------------------------------------------------------

    def view(self) -> View:
        """Everything about this trader at this instant."""
        return self._sight.view()

    def price(self, symbol: Symbol) -> Price:
        """What is known of the price of *symbol* now."""
        return self._sight.price(symbol)

    def _about(self) -> dict[str, Any]:
        return {"at": self._clock.now(), "trader": self.name, "mode": self.mode}
