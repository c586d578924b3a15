"""A desk with one trader on an exchange in memory, everything of ours real, time by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, ETH, NOON, skip_used
from tests.fakes import MemoryLatch, ScriptedStrategy, Wish
from tests.properties.engine_venue import TAG, EngineVenue, Exchange
from tests.properties.virtual import Ticker
from tests.properties.witness import Operator, Witness
from tests.servers.exchange.rules import spot_rules, swap_rules
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.world import QUICK
from trading.accounts.recorder import Recorder
from trading.accounts.views import View
from trading.assembly import DeskParts, TraderParts, assemble, assemble_desk
from trading.bus import Bus
from trading.clocks import Clock, ManualClock
from trading.context.settings import TraderSettings
from trading.cycle.opening import Start
from trading.desk import Desk
from trading.events import Event
from trading.execution.order_ids import OrderIds
from trading.execution.timeouts import OrderTimeouts
from trading.model.exit_rules import ExitRules
from trading.model.halt import Latch
from trading.operators.manual import ManualTrading
from trading.ports import Alert, Change, Store, Venue, WritePriority
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.safety.halting import Halter
from trading.trader import Trader
from trading.types import Mode, Symbol

MARKETS = ("spot", "swap", "hedge")
SYMBOLS = (BTC, ETH)
PRICES = {BTC: 100.0, ETH: 50.0}
CAPITAL, BESIDE = Decimal(10_000), Decimal(20_000)
"""The desk's money, and the operator's own on the same account."""
OWN_COINS = Decimal(3)
DEEP = Decimal(1_000)
IDS_OF_A_LIFE = 1_000_000
"""So many for each life of the desk, because here they are counted: real ones are random."""
TRADER = "majors"


@dataclass
class Outside:
    """What outlives a desk: the exchange, those who use it, the market, the clock."""

    market: str
    clock: ManualClock
    ticker: Ticker
    exchange: Exchange
    witness: Witness
    operator: Operator
    depth: Decimal = DEEP

    def set_price(self, symbol: Symbol, price: float) -> None:
        """The market trades there, and others offer anew."""
        engine, name = self.exchange.engine, self.exchange.market(symbol)
        to = Decimal(repr(round(price, 2)))
        with self.witness.looking_away():
            engine.trade_through(name, to)
            engine.quote(name, to, size=self.depth)

    def second(self) -> None:
        """A second passes: what was on its way arrives, others offer anew."""
        self.clock.advance(1)
        self.exchange.tick()
        for symbol in SYMBOLS:
            name = self.exchange.market(symbol)
            with self.witness.looking_away():
                self.exchange.engine.quote(
                    name, self.exchange.engine.price(name) or 0, size=self.depth
                )


def an_outside(
    market: str, *, clock: ManualClock | None = None, engine_clock: Clock | None = None
) -> Outside:
    """The account in *market*; the venue's own time is the desk's, unless it has an own clock."""
    clock = clock or ManualClock(NOON)
    start = clock.now()
    lots = {"lot": Decimal("0.001"), "least": Decimal("0.001"), "tick": Decimal("0.01")}
    engine: SpotEngine | SwapEngine
    if market == "spot":
        money = {s.base: OWN_COINS for s in SYMBOLS} | {"USDT": CAPITAL + BESIDE}
        rules = [spot_rules(s.base, **lots, notional=Decimal(10)) for s in SYMBOLS]
        engine = SpotEngine(rules=rules, clock=engine_clock or clock, balances=money)
    else:
        rules = [swap_rules(s.base, **lots, notional=Decimal(10)) for s in SYMBOLS]
        engine = SwapEngine(
            rules=rules,
            clock=engine_clock or clock,
            wallet=CAPITAL + BESIDE,
            hedge=market == "hedge",
        )
    exchange = Exchange(engine=engine, clock=clock, symbols=SYMBOLS)
    witness = Witness(exchange)
    outside = Outside(
        market=market,
        clock=clock,
        ticker=Ticker(clock, dict(PRICES), start=start),
        exchange=exchange,
        witness=witness,
        operator=Operator(exchange, witness),
    )
    for symbol, price in PRICES.items():
        engine.quote(exchange.market(symbol), Decimal(repr(price)), size=DEEP)
        outside.set_price(symbol, price)
    return outside


class SlowStore(MemoryStore):
    """Durable a round before anybody knows, as a disk is."""

    commits = 0

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        await asyncio.sleep(0)
        await super().commit(change, priority)
        self.commits += 1
        await asyncio.sleep(0)


@dataclass
class Keeping:
    """What a desk leaves behind for the next one."""

    store: Store
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    latch_file: MemoryLatch = field(default_factory=MemoryLatch)
    tag: str = TAG.removeprefix("qd-")
    """Kept in history: a desk that begins a new one is another desk."""


@dataclass
class Living:
    """One life of the desk.  `said` are the events, in the order in which they were announced."""

    outside: Outside
    keeping: Keeping
    venue: Venue
    trader: Trader
    desk: Desk
    halter: Halter
    recorder: Recorder
    strategy: ScriptedStrategy
    said: list[Event]
    announced: list[str]
    """Ids of the alerts made of them."""
    offered: list[str]
    """Ids of those that history could not take, and that were told from memory."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    """Whatever runs on; for those who end it."""

    @property
    def manual(self) -> ManualTrading:
        """What a person does by hand."""
        return self.desk.manual(TRADER)

    def view(self) -> View:
        """What is seen of the trader now."""
        return self.desk.views(TRADER).view()

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.said if type(event) is kind]

    async def load(self) -> None:
        """As the process does at its start: halts first, then the books."""
        store = self.keeping.store
        for halt in (*self.keeping.latch_file.halts, *await store.halts()):
            self.halter.take_over(halt)
        await skip_used(self.desk.latch, store)
        await self.trader.load()

    async def start(self) -> None:
        """Raises `VenueError` while the venue cannot be asked."""
        await self.trader.start(Start(took=timedelta(0), down_for=None, clean=True))


def a_life(
    outside: Outside,
    keeping: Keeping,
    *,
    number: int,
    limits: Limits,
    exits: ExitRules,
    style: EntryStyle = EntryStyle.MARKET,
    wishes: Sequence[Wish] = (),
    venue: Venue | None = None,
    timeouts: OrderTimeouts = QUICK,
) -> Living:
    """A desk that has not read its books yet; on the engine itself, unless a *venue* is given."""
    said: list[Event] = []
    announced: list[str] = []
    offered: list[str] = []
    numbers = itertools.count(1)

    def announce(event: Event) -> Sequence[Alert]:
        said.append(event)
        kind = type(event).__name__
        announced.append(f"{number}-{kind}-{next(numbers)}")
        alert = Alert(id=announced[-1], to="test:", level=10, kind=kind, at=event.at, body="{}")
        return (alert,)

    clock = outside.clock
    recorder = Recorder(
        store=keeping.store,
        bus=Bus(),
        clock=clock,
        announce=announce,
        offer=lambda alerts: offered.extend(alert.id for alert in alerts),
    )
    halter = Halter(
        latch=Latch(),
        recorder=recorder,
        latch_file=keeping.latch_file,
        clock=clock,
        modes={TRADER: Mode.LIVE},
    )
    venue = venue or EngineVenue(outside.exchange, trader=TRADER)
    strategy = ScriptedStrategy(*wishes)
    ids = itertools.count(number * IDS_OF_A_LIFE)
    shared = DeskParts(
        store=keeping.store,
        recorder=recorder,
        halter=halter,
        journal=keeping.journal,
        clock=clock,
        ids=OrderIds(keeping.tag, lambda size: f"{next(ids):0{size * 2}x}"),
        timeouts=timeouts,
    )
    own = TraderParts(
        settings=_settings(limits, exits, style),
        strategy=strategy,
        feed=outside.ticker,
        venue=venue,
    )
    desk = assemble_desk(shared, {TRADER: assemble(shared, own)}, end=lambda: None)
    return Living(
        outside=outside,
        keeping=keeping,
        venue=venue,
        trader=desk.traders[TRADER],
        desk=desk,
        halter=halter,
        recorder=recorder,
        strategy=strategy,
        said=said,
        announced=announced,
        offered=offered,
    )


def _settings(limits: Limits, exits: ExitRules, style: EntryStyle) -> TraderSettings:
    return TraderSettings(
        name=TRADER,
        mode=Mode.LIVE,
        symbols=SYMBOLS,
        timeframe=timedelta(minutes=1),
        capital=CAPITAL,
        limits=limits,
        exit_rules=exits,
        entries=EntryRules(style=style),
        zone=UTC,
        drawdown_alert=None,
        cycle_every=timedelta(minutes=1),
        replay_speed=None,
    )


def a_keeping(outside: Outside) -> Keeping:
    return Keeping(SlowStore(clock=outside.clock))
