"""A desk of the product's own parts on real files, over a made-up market, as fast as it goes."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np

from chatbot.app.backtests import ProcessBacktests
from chatbot.delivery.notices import DeskNotices
from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from handlers import alerts, load_commands
from handlers.confirmations import Confirmations
from handlers.context import Services
from handlers.dispatch import Dispatcher
from handlers.message import Message
from handlers.reply import Reply
from storage.journal import FileJournal
from storage.latch import SlotLatch
from storage.retention import Retention
from storage.store import SqlStore
from tests.builders import a_caller
from tests.fakes import same_rules
from tests.world import settled
from trading.accounts.recorder import Recorder
from trading.assembly import DeskParts, TraderParts, assemble, assemble_desk
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.context.settings import TraderSettings
from trading.cycle.opening import Start
from trading.desk import Desk
from trading.events import Event
from trading.execution.order_ids import OrderIds
from trading.execution.timeouts import OrderTimeouts
from trading.market.candles import Candles
from trading.market.recording import Recording
from trading.model.exit_rules import ExitRules, PartialRule
from trading.model.halt import Latch
from trading.ports import Alert
from trading.risk.limits import Limits
from trading.safety.halting import Halter
from trading.strategies import strategy
from trading.trader import Trader
from trading.types import ONE, Costs, Mode, Symbol
from trading.venues.paper.venue import PaperVenue
from trading.venues.replay import ReplayFeed

TRADER = "majors"
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SYMBOLS = tuple(Symbol(base, "USDT") for base in ("BTC", "ETH", "XRP", "ADA", "DOGE"))
WARM_UP = 200
CAPITAL = Decimal(100_000)
KEEP = Retention(detail=3 * DAY, alerts=DAY, words=DAY)
"""Shorter than the product's own, so that a month shows what it does."""
TRIES, PAUSE = 6_000, 0.01
"""How often, and after how many seconds again, the disk's threads are looked at: a bound."""

PATIENT = OrderTimeouts(answer=60.0, intent=60.0, stop=60.0, durable=60.0)
"""The disk may be slow; nothing is given up for it."""


class Listener:
    """A chat that hears everything, and remembers how much."""

    name = "listener"

    def __init__(self) -> None:
        self.heard = 0

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        self.heard += 1


@dataclass(frozen=True, slots=True)
class Figures:
    """What the process weighs at one moment, everything under way having ended."""

    objects: int
    """That Python's collector knows."""
    rss: int
    """Bytes."""
    handles: int
    tasks: int
    size: int
    """Bytes of history."""
    rows: dict[str, int]


@dataclass
class Soaked:
    folder: Path
    clock: ManualClock
    store: SqlStore
    venue: PaperVenue
    recorder: Recorder
    outbox: Outbox
    trader: Trader
    desk: Desk
    dispatcher: Dispatcher
    announced: Counter[str]
    """How many alerts were made, by kind."""
    forgotten: Counter[str] = field(default_factory=Counter)
    """How many rows were tidied away, by table."""

    async def a_day(self) -> Figures:
        """Trade for a day, talk now and then, then tidy up."""
        for minute in range(24 * 60):
            self.clock.advance(MINUTE.total_seconds())
            await self.trader.cycle()
            await settled(5)
            if minute % 60 == 0:
                await self.trader.reconcile()
                await self._say("/status")
                await self._say("/stats")
        for halt in self.desk.latch.active:
            await self.desk.resume([halt.id], by="soak", rebase=bool(halt.guard))
        await self._quiet()
        tidied = await self.store.tidy(self.clock.now(), keep=KEEP)
        self.forgotten.update(tidied.removed)
        return await self._weigh()

    async def _say(self, text: str) -> None:
        await self.dispatcher.handle(Message(a_caller(), text, self.clock.now()))

    async def _quiet(self) -> None:
        """Let everything that is under way end, and the last alert arrive."""
        for _ in range(TRIES):
            await self.recorder.settle()
            await self.dispatcher.settle()
            if not self.outbox.waiting() and not await self.store.waiting_alerts(limit=1):
                return
            self.clock.advance(1)
            await asyncio.sleep(PAUSE)
        raise AssertionError(f"{self.outbox.waiting()} alerts do not arrive")

    async def _weigh(self) -> Figures:
        await settled()
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rows = {name: await self._count(name) for name in ("orders", "fills", "trades", "alerts")}
        return Figures(
            objects=len(gc.get_objects()),
            rss=pages * os.sysconf("SC_PAGE_SIZE"),
            handles=len(list(Path("/proc/self/fd").iterdir())),
            tasks=len(asyncio.all_tasks()),
            size=self.store.size(),
            rows=rows | {name: await self._count(name) for name in ("equity", "words")},
        )

    async def _count(self, table: str) -> int:
        ask = f"SELECT count(*) FROM {table}"
        return int(await self.store._read(lambda c: c.exec_driver_sql(ask).scalar_one()))


@asynccontextmanager
async def a_desk(folder: Path, *, days: int) -> AsyncIterator[Soaked]:
    """A desk in *folder*, trading, with a market of so many days before it."""
    clock = ManualClock(BEGIN)
    store = await SqlStore.open(folder / "history.db", clock=clock)
    journals = [FileJournal(folder / name) for name in ("intents.journal", "paper.journal")]
    latch_file = SlotLatch(folder / "latch")
    soaked, work = _build(folder, clock, store, journals, latch_file, days)
    try:
        await soaked.trader.load()
        await soaked.trader.start(Start(took=timedelta(0), down_for=None, clean=True))
        tasks = [asyncio.ensure_future(run()) for run in (*work, soaked.trader.run)]
        yield soaked
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for journal in journals:
            await journal.close()
        await latch_file.close()
        await store.close()


def _build(
    folder: Path,
    clock: ManualClock,
    store: SqlStore,
    journals: Sequence[FileJournal],
    latch_file: SlotLatch,
    days: int,
) -> tuple[Soaked, Sequence[Callable[[], Coroutine[Any, Any, None]]]]:
    announced: Counter[str] = Counter()
    outbox = Outbox(
        store=store,
        speakers={"listener": Listener()},
        subscribers=(Subscriber(key="listener:", speaker="listener", chat=""),),
        clock=clock,
        describe=alerts.describe,
        fold=alerts.fold,
    )

    def announce(event: Event) -> Sequence[Alert]:
        made = outbox.announce(event)
        announced.update(alert.kind for alert in made)
        return made

    bus = Bus()
    bus.subscribe(outbox.heard)
    recorder = Recorder(store=store, bus=bus, clock=clock, announce=announce, offer=outbox.offer)
    notices = DeskNotices(
        store=store,
        clock=clock,
        outbox=outbox,
        recorder=recorder,
        price=lambda name, symbol: trader.valuer.quote(symbol),
        escalate_after=timedelta(minutes=10),
    )
    outbox.follow(notices)
    bus.subscribe(notices.heard)
    halter = Halter(
        latch=Latch(), recorder=recorder, latch_file=latch_file, clock=clock,
        modes={TRADER: Mode.PAPER},
    )  # fmt: skip
    rules = same_rules(SYMBOLS)
    feed = ReplayFeed(
        name="made up", clock=clock, symbols=SYMBOLS, recording=lambda: a_walk(days), rules=rules
    )
    venue = PaperVenue(
        name="paper", feed=feed, journal=journals[1], capital=CAPITAL, rules=rules,
        costs=Costs(slippage=Decimal("0.0001"), commission=Decimal("0.0001")),
    )  # fmt: skip
    numbers = itertools.count(1)
    shared = DeskParts(
        store=store, recorder=recorder, halter=halter, journal=journals[0], clock=clock,
        ids=OrderIds("50a4", lambda size: f"{next(numbers):0{size * 2}x}"), timeouts=PATIENT,
    )  # fmt: skip
    own = TraderParts(
        settings=_settings(),
        strategy=strategy("ema_cross", {"fast": 3, "slow": 8, "atr": 14}),
        feed=feed,
        venue=venue,
    )
    desk = assemble_desk(shared, {TRADER: assemble(shared, own)}, end=lambda: None)
    trader = desk.traders[TRADER]
    services = Services(
        name="soak", version="0", desk=desk, store=store, clock=clock, commands=load_commands(),
        confirmations=Confirmations(clock=clock), notices=notices,
        administration=cast("Any", None),  # no command here uses it
        backtests=ProcessBacktests(),
    )  # fmt: skip
    soaked = Soaked(
        folder=folder, clock=clock, store=store, venue=venue, recorder=recorder, outbox=outbox,
        trader=trader, desk=desk, dispatcher=Dispatcher(services), announced=announced,
    )  # fmt: skip
    return soaked, (bus.run, outbox.run, recorder.run, notices.run)


def _settings() -> TraderSettings:
    """Nearly every wish becomes a trade."""
    return TraderSettings(
        name=TRADER,
        mode=Mode.PAPER,
        symbols=SYMBOLS,
        timeframe=MINUTE,
        capital=CAPITAL,
        limits=Limits(
            max_positions=5,
            risk_per_trade=Decimal("0.0005"),
            max_exposure=Decimal(2),
            loss_streak=100,
            symbol_rest=timedelta(0),
            max_daily_loss=Decimal("0.02"),
        ),
        exit_rules=ExitRules(
            trail_r=ONE, partials=(PartialRule(share=Decimal("0.5"), at_r=ONE),), break_even=True
        ),
        zone=UTC,
        drawdown_alert=Decimal("0.005"),
        cycle_every=MINUTE,
        replay_speed=1.0,
    )


def a_walk(days: int) -> Recording:
    """A random walk of each symbol, the same each time, one bar a minute."""
    bars = WARM_UP + days * 24 * 60
    dice = np.random.default_rng(20_260_105)
    steps = dice.normal(0.0, 0.0008, size=(len(SYMBOLS), bars))
    close = np.round(100.0 * np.exp(np.cumsum(steps, axis=1)), 2)
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    first = int((BEGIN - (WARM_UP - 1) * MINUTE).timestamp() * 1000)
    return Recording(
        candles=Candles(
            symbols=SYMBOLS,
            times=np.arange(bars, dtype=np.int64) * 60_000 + first,
            open=opened,
            high=np.maximum(opened, close) + 0.02,
            low=np.minimum(opened, close) - 0.02,
            close=close,
            volume=np.full_like(close, 1e6),
        ),
        start=BEGIN,
    )
