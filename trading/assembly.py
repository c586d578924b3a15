"""How a trader is put together, and the desk of several: the one place that knows all the parts.

Each part is built where it is first asked for, of those that stand below it.  It is handed what it
uses, and nothing else: no part knows this module, its trader, or a part above it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from trading.accounts.ledger import Ledger
from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.clocks import Clock
from trading.context.block import EntryBlock
from trading.context.settings import SettingsInForce, TraderSettings
from trading.context.trader import TraderContext
from trading.cycle.bars import Bars
from trading.cycle.cursor import Cursor
from trading.cycle.cycles import Cycles
from trading.cycle.deciding import Decider
from trading.cycle.doubt_watch import DoubtWatch
from trading.cycle.following import Following
from trading.cycle.opening import Opening
from trading.cycle.outages import FeedWatch, VenueWatch
from trading.cycle.price_watch import PriceWatch
from trading.cycle.resting import RestingEntries
from trading.cycle.rests import Rests
from trading.cycle.strategist import Strategist
from trading.cycle.universe import ScannedUniverse, TradableUniverse
from trading.cycle.upkeep import Upkeep
from trading.cycle.wishes import Wishes
from trading.desk import Desk, DeskTrader
from trading.execution.closing import PositionCloser
from trading.execution.cover import Covers
from trading.execution.dust import Dust
from trading.execution.evidence import Evidence
from trading.execution.exits import Exits
from trading.execution.order_ids import OrderIds
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.execution.reconcile import Reconciler
from trading.execution.set_aside import Aside
from trading.execution.stop_limits import StopLimits
from trading.execution.timeouts import OrderTimeouts
from trading.operators.acceptance import Acceptance
from trading.operators.manual import ManualTrading
from trading.operators.views import TraderViews
from trading.ports import (
    Feed,
    Journal,
    MarketScanner,
    Meter,
    NoMeter,
    Offload,
    Store,
    Venue,
    at_once,
)
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.desk_limits import DeskLimits, DeskRisk
from trading.safety.enforce import Enforcer
from trading.safety.guards import Guards, new_account
from trading.safety.halting import Halter
from trading.safety.loss_watch import LossWatch
from trading.strategies.base import Strategy
from trading.trader import Trader


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What the traders of a desk share."""

    store: Store
    recorder: Recorder
    halter: Halter
    journal: Journal
    """The fallback for intents of reductions that history does not take in time."""
    clock: Clock
    ids: OrderIds
    timeouts: OrderTimeouts = OrderTimeouts()
    desk_risk: DeskRisk = field(default_factory=lambda: DeskRisk(DeskLimits()))
    offload: Offload = at_once
    """Where a strategy computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderParts:
    """What a trader has of its own."""

    settings: TraderSettings
    strategy: Strategy
    feed: Feed
    venue: Venue
    scanner: MarketScanner | None = None
    """Looks at the market for a universe; None: the feed's candles do."""
    meter: Meter = NoMeter()  # holds nothing
    bars: type[Bars] = Bars
    universe: Callable[[TraderContext], TradableUniverse] | None = None
    """Makes it, in place of what the settings say."""


def assemble_desk(
    shared: DeskParts, traders: Mapping[str, DeskTrader], *, end: Callable[[], None]
) -> Desk:
    """*end* asks the process to end."""
    return Desk(
        traders=traders, halter=shared.halter, recorder=shared.recorder, clock=shared.clock,
        timeouts=shared.timeouts, end=end,
    )  # fmt: skip


def assemble(shared: DeskParts, own: TraderParts) -> DeskTrader:
    """A trader that has not begun, with what people see of it and do to it."""
    parts = _Parts(shared, own)
    shared.desk_risk.add(parts.valuer)
    return DeskTrader(
        trader=parts.trader, views=parts.views, manual=parts.manual, acceptance=parts.acceptance
    )


class _Parts:
    """Those of one trader, each built once."""

    def __init__(self, shared: DeskParts, own: TraderParts) -> None:
        self._shared = shared
        self._own = own
        self.context = TraderContext(
            name=own.settings.name, mode=own.settings.mode, clock=shared.clock
        )
        self.settings = SettingsInForce(own.settings)
        self.block = EntryBlock()
        self.busy = asyncio.Lock()
        """Held by a cycle or a comparison of the books: they never overlap."""

    # -- the account ------------------------------------------------------------------------

    @cached_property
    def ledger(self) -> Ledger:
        settings, venue = self._own.settings, self._own.venue
        now = self._shared.clock.now()
        account = new_account(settings.name, settings.capital, now, settings.zone)
        return Ledger(account, lambda symbol: venue.rules(symbol).shown, settings.timeframe)

    @cached_property
    def valuer(self) -> Valuer:
        noted = self._own.settings.capital, self._shared.clock.now()
        return Valuer(self.ledger, self._own.feed, noted=noted)

    # -- execution --------------------------------------------------------------------------

    @cached_property
    def orders(self) -> Orders:
        return Orders(
            context=self.context, ledger=self.ledger, venue=self._own.venue, valuer=self.valuer,
            recorder=self._shared.recorder, journal=self._shared.journal, ids=self._shared.ids,
            timeouts=self._shared.timeouts, meter=self._own.meter,
        )  # fmt: skip

    @cached_property
    def closing(self) -> PositionCloser:
        recorder = self._shared.recorder
        return PositionCloser(
            context=self.context, orders=self.orders, recorder=recorder,
            dust=Dust(
                context=self.context, orders=self.orders, valuer=self.valuer, recorder=recorder
            ),
            covers=Covers(context=self.context, orders=self.orders, recorder=recorder),
        )  # fmt: skip

    @cached_property
    def protection(self) -> Protection:
        return Protection(
            orders=self.orders, closing=self.closing, valuer=self.valuer,
            clock=self._shared.clock, settings=self.settings,
        )  # fmt: skip

    @cached_property
    def exits(self) -> Exits:
        return Exits(
            context=self.context, orders=self.orders, protection=self.protection,
            closing=self.closing, valuer=self.valuer, recorder=self._shared.recorder,
        )  # fmt: skip

    @cached_property
    def aside(self) -> Aside:
        return Aside(
            context=self.context, settings=self.settings, orders=self.orders,
            protection=self.protection, valuer=self.valuer, store=self._shared.store,
            recorder=self._shared.recorder,
        )  # fmt: skip

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence(
            context=self.context, settings=self.settings, orders=self.orders, valuer=self.valuer,
            store=self._shared.store, recorder=self._shared.recorder,
        )  # fmt: skip

    # -- safety -----------------------------------------------------------------------------

    @cached_property
    def books(self) -> AccountReconciler:
        aside = self.aside
        return AccountReconciler(
            context=self.context, orders=self.orders, protection=self.protection, aside=aside,
            reconciler=Reconciler(
                context=self.context, orders=self.orders, valuer=self.valuer,
                recorder=self._shared.recorder, quote=self._own.settings.quote,
                evidence=self.evidence,
            ),
            store=self._shared.store, recorder=self._shared.recorder, halter=self._shared.halter,
            block=self.block, busy=self.busy,
        )  # fmt: skip

    @cached_property
    def enforcer(self) -> Enforcer:
        return Enforcer(
            context=self.context, halter=self._shared.halter, orders=self.orders,
            exits=self.exits, books=self.books, timeouts=self._shared.timeouts,
        )  # fmt: skip

    @cached_property
    def losses(self) -> LossWatch:
        return LossWatch(
            context=self.context, settings=self.settings,
            guards=Guards(ledger=self.ledger, settings=self.settings),
            desk_risk=self._shared.desk_risk, valuer=self.valuer, halter=self._shared.halter,
            recorder=self._shared.recorder, store=self._shared.store,
        )  # fmt: skip

    # -- the cycle --------------------------------------------------------------------------

    @cached_property
    def universe(self) -> TradableUniverse:
        settings, feed = self._own.settings, self._own.feed
        if self._own.universe is not None:
            return self._own.universe(self.context)
        if settings.universe is None:
            return TradableUniverse(settings.symbols)
        from trading.market.candle_scan import CandleScan  # NumPy, which the first cycle needs

        return ScannedUniverse(
            context=self.context, plan=settings.universe, store=self._shared.store,
            scanner=self._own.scanner or CandleScan(feed.candles, settings.timeframe),
            recorder=self._shared.recorder, market=feed.now,
        )  # fmt: skip

    @cached_property
    def strategist(self) -> Strategist:
        return Strategist(
            settings=self.settings, strategy=self._own.strategy, orders=self.orders,
            valuer=self.valuer, offload=self._shared.offload,
        )  # fmt: skip

    @cached_property
    def decider(self) -> Decider:
        return Decider(
            context=self.context, settings=self.settings, orders=self.orders, valuer=self.valuer,
            latch=self._shared.halter.latch, desk_risk=self._shared.desk_risk,
            universe=self.universe,
        )  # fmt: skip

    @cached_property
    def resting_entries(self) -> RestingEntries:
        return RestingEntries(
            context=self.context, settings=self.settings, orders=self.orders, valuer=self.valuer,
            recorder=self._shared.recorder, latch=self._shared.halter.latch, block=self.block,
            decider=self.decider,
        )  # fmt: skip

    @cached_property
    def bars(self) -> Bars:
        wishes = Wishes(
            context=self.context, strategist=self.strategist, decider=self.decider,
            orders=self.orders, exits=self.exits, resting_entries=self.resting_entries,
            recorder=self._shared.recorder, store=self._shared.store, block=self.block,
            meter=self._own.meter,
        )  # fmt: skip
        rests = Rests(
            context=self.context, settings=self.settings, decider=self.decider,
            recorder=self._shared.recorder,
        )  # fmt: skip
        cursor = Cursor(
            context=self.context, valuer=self.valuer, aside=self.aside,
            recorder=self._shared.recorder,
        )  # fmt: skip
        return self._own.bars(
            feed=self._own.feed, orders=self.orders, exits=self.exits,
            resting_entries=self.resting_entries, losses=self.losses, universe=self.universe,
            wishes=wishes, rests=rests, cursor=cursor, recorder=self._shared.recorder,
        )  # fmt: skip

    @cached_property
    def feed_watch(self) -> FeedWatch:
        return FeedWatch(context=self.context, feed=self._own.feed, recorder=self._shared.recorder)

    @cached_property
    def doubt_watch(self) -> DoubtWatch:
        return DoubtWatch(context=self.context, feed=self._own.feed, recorder=self._shared.recorder)

    @cached_property
    def venue_watch(self) -> VenueWatch:
        return VenueWatch(context=self.context, orders=self.orders, recorder=self._shared.recorder)

    @cached_property
    def cycles(self) -> Cycles:
        return Cycles(
            context=self.context, settings=self.settings, bars=self.bars,
            strategist=self.strategist, books=self.books, feed_watch=self.feed_watch,
            recorder=self._shared.recorder, meter=self._own.meter, busy=self.busy,
        )  # fmt: skip

    @cached_property
    def following(self) -> Following:
        return Following(context=self.context, universe=self.universe, valuer=self.valuer)

    @cached_property
    def opening(self) -> Opening:
        return Opening(
            context=self.context, settings=self.settings, orders=self.orders, valuer=self.valuer,
            store=self._shared.store, recorder=self._shared.recorder, books=self.books,
            enforcer=self.enforcer, cycles=self.cycles, following=self.following,
        )  # fmt: skip

    @cached_property
    def upkeep(self) -> Upkeep:
        prices = PriceWatch(
            context=self.context, books=self.books, exits=self.exits, losses=self.losses,
            valuer=self.valuer, recorder=self._shared.recorder,
        )  # fmt: skip
        limits = StopLimits(
            orders=self.orders, exits=self.exits, valuer=self.valuer, clock=self._shared.clock
        )
        return Upkeep(
            context=self.context, timeouts=self._shared.timeouts, venue_watch=self.venue_watch,
            books=self.books, orders=self.orders, resting_entries=self.resting_entries,
            exits=self.exits, enforcer=self.enforcer,
            others=(prices.run, limits.run, self.following.run, self.doubt_watch.run),
        )  # fmt: skip

    # -- the whole --------------------------------------------------------------------------

    @cached_property
    def trader(self) -> Trader:
        return Trader(
            settings=self.settings, valuer=self.valuer, orders=self.orders, exits=self.exits,
            books=self.books, enforcer=self.enforcer, losses=self.losses, cycles=self.cycles,
            opening=self.opening, upkeep=self.upkeep,
        )  # fmt: skip

    @cached_property
    def views(self) -> TraderViews:
        return TraderViews(
            self.trader, latch=self._shared.halter.latch, desk_risk=self._shared.desk_risk,
            feed_watch=self.feed_watch, doubt_watch=self.doubt_watch, venue_watch=self.venue_watch,
            recorder=self._shared.recorder, clock=self._shared.clock,
        )  # fmt: skip

    @cached_property
    def manual(self) -> ManualTrading:
        return ManualTrading(
            self.trader, views=self.views, decider=self.decider, latch=self._shared.halter.latch,
            clock=self._shared.clock,
        )  # fmt: skip

    @cached_property
    def acceptance(self) -> Acceptance:
        return Acceptance(
            context=self.context, settings=self.settings, books=self.books,
            evidence=self.evidence, valuer=self.valuer, recorder=self._shared.recorder,
        )  # fmt: skip
