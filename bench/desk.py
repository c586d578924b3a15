"""A desk of the product's own parts, on real files, over a market that is made up.

As `chatbot.wiring.build` builds it, with two differences: the market moves when the benchmark says
so, and alerts are delivered to somebody who does not write them anywhere.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np

from chatbot.app.backtests import ProcessBacktests
from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from chatbot.unique import unique_hex
from chatbot.watch.memory import settle
from handlers import alerts, load_commands
from handlers.caller import Caller, Role
from handlers.confirmations import Confirmations
from handlers.context import Services
from handlers.dispatch import Dispatcher
from handlers.message import Message
from handlers.reply import Reply
from storage.journal import FileJournal
from storage.latch import SlotLatch
from storage.store import SqlStore
from trading.accounts.recorder import Recorder
from trading.assembly import DeskParts, TraderParts, assemble, assemble_desk
from trading.bus import Bus
from trading.clocks import Clock, ManualClock, SystemClock
from trading.context.settings import TraderSettings
from trading.cycle.opening import Start
from trading.desk import Desk
from trading.execution.order_ids import OrderIds
from trading.market.candles import Candles
from trading.market.recording import Recording
from trading.model.exit_rules import ExitRules
from trading.model.halt import Latch
from trading.ports import Feed, Journal, Venue
from trading.risk.limits import Limits
from trading.safety.halting import Halter
from trading.strategies.base import Signals, Strategy
from trading.trader import Trader
from trading.types import MarketRules, Mode, Symbol
from trading.venues.paper.venue import PaperVenue
from trading.venues.replay import ReplayFeed

TRADER = "majors"
CAPITAL = Decimal(10_000_000)
PRICE, STOP = 100.0, 95.0
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = MarketRules(tick=Decimal("0.01"), lot=Decimal("0.001"), min_notional=Decimal(5))
OWNER = Caller(user="local:0", name="bench", role=Role.OWNER, place="terminal", chat="bench")
BARS = 8


class AllAtOnce:
    """Wishes every symbol long at one bar: as many signals in one cycle as there are symbols."""

    name = "all_at_once"
    warmup = 0

    def __init__(self, bar: datetime | None) -> None:
        self._time = None if bar is None else int(bar.timestamp() * 1000)

    def signals(self, candles: Candles) -> Signals:
        shape = candles.close.shape
        wanted = candles.times == self._time
        stops = np.full(shape, np.nan)
        stops[:, wanted] = STOP
        return Signals(
            score=np.where(wanted, 60.0, np.zeros(shape)),
            stop=stops,
            target=np.full(shape, np.nan),
        )

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return "EMA 12 crossed above 48"


class Nowhere:
    """Hears alerts, and keeps none."""

    name = "nowhere"

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        return


class NoChats:
    """All that commands here ask of the administration."""

    @staticmethod
    def chats() -> dict[str, str]:
        """What is wrong with each chat platform."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is traded, and by which trader."""

    market: ManualClock
    """By which the feed goes."""
    feed: Feed
    rules: Mapping[Symbol, MarketRules]
    strategy: Strategy
    settings: TraderSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchDesk:
    """What a benchmark needs at hand."""

    market: ManualClock
    clock: Clock
    store: SqlStore
    recorder: Recorder
    trader: Trader
    desk: Desk
    dispatcher: Dispatcher

    async def minute(self) -> None:
        """Let a bar close, and handle it."""
        self.market.advance(self.trader.settings.timeframe.total_seconds())
        await self.trader.cycle()

    async def say(self, text: str) -> Reply:
        return await self.dispatcher.handle(Message(OWNER, text, self.clock.now()))


@asynccontextmanager
async def a_desk(
    folder: Path,
    *,
    symbols: int,
    wishes: bool = True,
    bars: int = BARS,
    venue: Callable[..., Venue] = PaperVenue,
    store: type[SqlStore] = SqlStore,
) -> AsyncIterator[BenchDesk]:
    """A desk in *folder*, started, with its tasks alive; its market lasts for *bars* minutes.

    *venue* makes where its orders go, from what a `PaperVenue` is made of.
    With *wishes* the first bar brings a signal for each of its *symbols*, none before or after.
    """
    world = _made_up(symbols, wishes=wishes, bars=bars)
    async with a_desk_in(world, folder, venue=venue, store=store) as built:
        yield built


@asynccontextmanager
async def a_desk_in(
    world: World,
    folder: Path,
    *,
    venue: Callable[..., Venue] = PaperVenue,
    store: type[SqlStore] = SqlStore,
) -> AsyncIterator[BenchDesk]:
    """The same in another *world*."""
    clock = SystemClock()
    history = await store.open(folder / "history.db", clock=clock)
    journals = [FileJournal(folder / name) for name in ("intents.journal", "paper.journal")]
    latch_file = SlotLatch(folder / "latch")
    try:
        built, outbox, bus = _build(world, clock, history, journals, latch_file, venue)
        await built.trader.load()
        await built.trader.start(Start(took=timedelta(0), down_for=None, clean=True))
        work = (bus.run, outbox.run, built.recorder.run, built.trader.run)
        tasks = [asyncio.ensure_future(run()) for run in work]
        settle()  # as the process does before the first cycle of a trader
        try:
            yield built
        finally:
            gc.unfreeze()  # there may be another desk in this process
            await built.dispatcher.settle()
            await built.recorder.settle()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for journal in journals:
            await journal.close()
        await latch_file.close()
        await history.close()


def _made_up(symbols: int, *, wishes: bool, bars: int) -> World:
    market = ManualClock(NOON)
    names = tuple(Symbol(f"S{number:03}", "USDT") for number in range(symbols))
    rules = dict.fromkeys(names, RULES)
    feed: Feed = ReplayFeed(
        name="flat", clock=market, symbols=names, recording=lambda: _flat(names, bars), rules=rules
    )
    return World(
        market=market, feed=feed, rules=rules, settings=_settings(names),
        strategy=AllAtOnce(NOON + MINUTE if wishes else None),
    )  # fmt: skip


def _build(
    world: World,
    clock: Clock,
    store: SqlStore,
    journals: Sequence[Journal],
    latch_file: SlotLatch,
    venue: Callable[..., Venue],
) -> tuple[BenchDesk, Outbox, Bus]:
    outbox = Outbox(
        store=store,
        speakers={"nowhere": Nowhere()},
        subscribers=(Subscriber(key="nowhere:", speaker="nowhere", chat=""),),
        clock=clock,
        describe=alerts.describe,
        fold=alerts.fold,
    )
    bus = Bus()
    bus.subscribe(outbox.heard)
    recorder = Recorder(
        store=store, bus=bus, clock=clock, announce=outbox.announce, offer=outbox.offer
    )
    halter = Halter(
        latch=Latch(), recorder=recorder, latch_file=latch_file, clock=clock,
        modes={TRADER: Mode.PAPER},
    )  # fmt: skip
    shared = DeskParts(
        store=store, recorder=recorder, halter=halter, journal=journals[0], clock=clock,
        ids=OrderIds("b3c4", unique_hex), offload=asyncio.to_thread,
    )  # fmt: skip
    own = TraderParts(
        settings=world.settings,
        strategy=world.strategy,
        feed=world.feed,
        venue=venue(
            name="paper", feed=world.feed, journal=journals[1],
            capital=world.settings.capital, rules=world.rules,
        ),
    )  # fmt: skip
    desk = assemble_desk(shared, {TRADER: assemble(shared, own)}, end=lambda: None)
    services = Services(
        name="bench", version="0", desk=desk, store=store, clock=clock,
        commands=load_commands(), confirmations=Confirmations(clock=clock),
        administration=cast("Any", NoChats()),
        backtests=ProcessBacktests(),
        notices=cast("Any", None),  # no command here uses them
    )  # fmt: skip
    built = BenchDesk(
        market=world.market, clock=clock, store=store, recorder=recorder,
        trader=desk.traders[TRADER], desk=desk,
        dispatcher=Dispatcher(services),
    )  # fmt: skip
    return built, outbox, bus


def _settings(symbols: tuple[Symbol, ...]) -> TraderSettings:
    """Limits that let every signal through, each of them looked at."""
    return TraderSettings(
        name=TRADER,
        mode=Mode.PAPER,
        symbols=symbols,
        timeframe=MINUTE,
        capital=CAPITAL,
        limits=Limits(
            max_positions=len(symbols),
            risk_per_trade=Decimal("0.00001"),
            max_position=Decimal(1),
            max_exposure=Decimal(10),
        ),
        exit_rules=ExitRules(),
        zone=UTC,
        drawdown_alert=Decimal("0.005"),
        cycle_every=MINUTE,
        replay_speed=1.0,
    )


def _flat(symbols: tuple[Symbol, ...], bars: int) -> Recording:
    """Bars of one minute that move by a tick, so that no stop is touched; deep enough to fill."""
    prices = np.full((len(symbols), bars), PRICE)
    prices[:, 1::2] += 0.01
    return Recording(
        candles=Candles(
            symbols=symbols,
            times=np.arange(bars, dtype=np.int64) * 60_000 + int(NOON.timestamp() * 1000),
            open=prices, high=prices, low=prices, close=prices,
            volume=np.full_like(prices, 1e6),
        ),
        start=NOON,
    )  # fmt: skip
