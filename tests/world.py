"""A desk with one trader on a scripted market, everything of ours real, time by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, NOON, RULES
from tests.fakes import FaultyVenue, MemoryLatch, ScriptedStrategy, Wish, a_market, same_rules
from trading.accounts.recorder import Recorder
from trading.accounts.views import View
from trading.assembly import DeskParts, TraderParts, assemble, assemble_desk
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.context.settings import TraderSettings
from trading.cycle.opening import Start
from trading.desk import Desk
from trading.events import Event
from trading.execution.order_ids import OrderIds
from trading.execution.timeouts import OrderTimeouts
from trading.market.universe import UniversePlan
from trading.model.exit_rules import ExitRules
from trading.model.halt import Latch
from trading.operators.manual import ManualTrading
from trading.ports import (
    Alert,
    Announce,
    Feed,
    Journal,
    LatchFile,
    MarketScanner,
    Offload,
    Store,
    at_once,
)
from trading.risk.limits import EntryRules, Limits
from trading.safety.desk_limits import DeskLimits, DeskRisk
from trading.safety.halting import Halter
from trading.trader import Trader
from trading.types import Costs, MarketRules, Mode, Order, OrderRole, OrderType, Side, Symbol
from trading.venues.paper.venue import PaperVenue
from trading.venues.replay import ReplayFeed

QUICK = OrderTimeouts(
    answer=0.8, intent=0.1, stop=0.5, durable=0.2, first_retry=0.05, longest_retry=0.2
)


@dataclass
class World:
    """What a test touches.  `said` are the events, in the order in which they were announced."""

    clock: ManualClock
    feed: Feed
    venue: FaultyVenue
    store: Store
    trader: Trader
    desk: Desk
    halter: Halter
    recorder: Recorder
    strategy: ScriptedStrategy
    latch_file: MemoryLatch
    said: list[Event] = field(default_factory=list)

    @property
    def manual(self) -> ManualTrading:
        """What a person does by hand."""
        return self.desk.manual("majors")

    def view(self) -> View:
        """What is seen of the trader now."""
        return self.desk.views("majors").view()

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.said if type(event) is kind]

    async def start(self) -> None:
        await self.trader.load()
        await self.trader.start(Start(took=timedelta(0), down_for=None, clean=True))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        """Started, with its own tasks alive."""
        await self.start()
        task = asyncio.create_task(self.trader.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def minutes(self, count: int = 1) -> None:
        """Let so many bars close, one cycle after each."""
        for _ in range(count):
            self.clock.advance(60)
            await self.trader.cycle()
            await settled()

    async def rest_an_entry(
        self, price: str = "90", quantity: str = "1", *, symbol: Symbol = BTC, side: Side = Side.BUY
    ) -> Order:
        """A limit order of ours that rests at the venue."""
        order = self.trader.orders.prepare(
            symbol=symbol,
            side=side,
            role=OrderRole.ENTRY,
            quantity=Decimal(quantity),
            price=Decimal(price),
        )
        assert order.type is OrderType.LIMIT
        return await self.trader.orders.enter(order, self.desk.latch.permit(self.trader.name))


async def settled(turns: int = 60) -> None:
    """Let everything that can run reach its next wait."""
    for _ in range(turns):
        await asyncio.sleep(0)


def a_world(  # the parts that tests choose
    *closes: float,
    wishes: Sequence[Wish] = (),
    limits: Limits | None = None,
    exit_rules: ExitRules | None = None,
    mode: Mode = Mode.PAPER,
    store: Store | None = None,
    book: Journal | None = None,
    latch_file: LatchFile | None = None,
    symbols: Sequence[Symbol] = (BTC,),
    volume: float = 1e6,
    timeouts: OrderTimeouts = QUICK,
    clock: ManualClock | None = None,
    slippage: str = "0",
    commission: str = "0",
    feed: Feed | None = None,
    bars_of: Feed | None = None,
    journal: Journal | None = None,
    first_id: int = 1,
    announce_to: Announce | None = None,
    bus: Bus | None = None,
    cash: bool = False,
    rules: MarketRules = RULES,
    entries: EntryRules | None = None,
    strategy: ScriptedStrategy | None = None,
    offload: Offload = at_once,
    universe: UniversePlan | None = None,
    scanner: MarketScanner | None = None,
    desk_limits: DeskLimits | None = None,
) -> World:
    """A desk whose market has these closes, one a minute, the first of them before NOON.

    *announce_to* says who is alerted; without it one chat that nobody reads.  *bars_of*: in whose
    bars paper fills, where several vote.
    """
    clock = clock or ManualClock(NOON)
    closes = closes or (100.0,) * 30
    market = a_market(*closes, start=NOON, symbols=symbols, volume=volume)
    markets = same_rules(symbols, rules)
    feed = feed or ReplayFeed(
        name="scripted", clock=clock, symbols=symbols, recording=lambda: market, rules=markets
    )
    strategy = strategy or ScriptedStrategy(*wishes)
    store = store or MemoryStore(clock=clock)
    latch = MemoryLatch()
    said: list[Event] = []
    numbers = itertools.count(1)

    def announce(event: Event) -> Sequence[Alert]:
        said.append(event)
        if announce_to is not None:
            return announce_to(event)
        return (
            Alert(
                id=f"{type(event).__name__}-{next(numbers)}",
                to="test:",
                level=10,
                kind=type(event).__name__,
                at=event.at,
                body="{}",
            ),
        )

    recorder = Recorder(
        store=store,
        bus=bus or Bus(),
        clock=clock,
        announce=announce,
        offer=lambda alerts: None,
    )
    halter = Halter(
        latch=Latch(),
        recorder=recorder,
        latch_file=latch_file or latch,
        clock=clock,
        modes={"majors": mode},
    )
    venue = FaultyVenue(
        PaperVenue(
            name="paper",
            feed=bars_of or feed,
            journal=book or MemoryJournal(),
            capital=Decimal(10_000),
            rules=markets,
            cash=cash,
            costs=Costs(slippage=Decimal(slippage), commission=Decimal(commission)),
        )
    )
    ids = itertools.count(first_id)
    shared = DeskParts(
        store=store,
        recorder=recorder,
        halter=halter,
        journal=journal or MemoryJournal(),
        clock=clock,
        ids=OrderIds("test", lambda size: f"{next(ids):0{size * 2}x}"),
        timeouts=timeouts,
        offload=offload,
        desk_risk=DeskRisk(desk_limits or DeskLimits()),
    )
    own = TraderParts(
        settings=TraderSettings(
            name="majors",
            mode=mode,
            symbols=tuple(symbols),
            timeframe=timedelta(minutes=1),
            capital=Decimal(10_000),
            limits=limits or Limits(max_position=Decimal("0.5")),
            exit_rules=exit_rules or ExitRules(),
            zone=UTC,
            drawdown_alert=Decimal("0.005"),
            cycle_every=timedelta(minutes=1),
            replay_speed=1.0,
            entries=entries or EntryRules(),
            universe=universe,
        ),
        strategy=strategy,
        feed=feed,
        venue=venue,
        scanner=scanner,
    )
    desk = assemble_desk(shared, {"majors": assemble(shared, own)}, end=lambda: None)
    return World(
        clock=clock,
        feed=feed,
        venue=venue,
        store=store,
        trader=desk.traders["majors"],
        desk=desk,
        halter=halter,
        recorder=recorder,
        strategy=strategy,
        latch_file=latch,
        said=said,
    )


def at_minute(number: int) -> datetime:
    """Close of the bar so many minutes after the start."""
    return NOON + timedelta(minutes=number)


def wish(minute: int, **changes: object) -> Wish:
    return replace(Wish(at=at_minute(minute)), **changes)  # type: ignore[arg-type]  # replace checks the names
