"""A backtest promises what the paper desk does, to the cent: both are run on the same real crashes.

The desk is a real one: history in SQLite, journals in files, the strategy asked at every bar with
the window that it asks for, and its own tasks running beside the cycles.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.settings import load
from chatbot.wiring.trading import exit_rules_of
from storage.journal import FileJournal
from storage.latch import SlotLatch
from storage.store import SqlStore
from tests.trading.backtest.worlds import trader_settings
from tests.trading.strategies.recorded import majors
from tests.world import settled
from trading.accounts.recorder import Recorder
from trading.accounts.round_trips import exit_reason
from trading.assembly import DeskParts, TraderParts, assemble
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.feed import moment
from trading.backtest.result import Result
from trading.backtest.rules import rules_for
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.cycle.opening import Start
from trading.execution.order_ids import OrderIds
from trading.execution.timeouts import OrderTimeouts
from trading.market.candles import Candles
from trading.market.recording import Recording, crash_of_may_2021, recording
from trading.market.recordings import HOURS
from trading.market.tables import read_candles
from trading.model.exit_rules import ExitRules, PartialRule
from trading.model.halt import Latch
from trading.risk.limits import EntryRules, Limits
from trading.safety.halting import Halter
from trading.strategies import strategy
from trading.strategies.base import Strategy
from trading.types import Costs, ExitReason, Fill, MarketRules, Order, OrderRole, Symbol, Trade
from trading.venues.paper.venue import PaperVenue
from trading.venues.replay import ReplayFeed

pytestmark = pytest.mark.real_time  # its history answers from a thread

CRASHES = Path(__file__).parents[1] / "data" / "crashes"
BUSY = Limits(
    max_positions=5,
    risk_per_trade=Decimal("0.005"),
    max_exposure=Decimal(2),
    max_daily_loss=Decimal("0.04"),
    symbol_rest=timedelta(0),
    loss_streak=6,
    max_price_age=timedelta(hours=3),
)
ENTRIES = EntryRules(max_age=timedelta(minutes=50))
"""No whole number of bars: at such an instant either of two tasks may come first."""
TRIES = 2_000
PATIENT = OrderTimeouts(answer=60.0, intent=60.0, stop=60.0, durable=60.0)
EVERYTHING = ExitRules(
    trail_r=Decimal(2),
    partials=(PartialRule(share=Decimal("0.5"), at_r=Decimal(1)),),
    break_even=True,
)
NEAR = replace(EVERYTHING, trail_r=Decimal("0.5"))
BRIEF = replace(EVERYTHING, time_limit=timedelta(minutes=7))
MINUTE, QUARTER, HOUR = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)


@dataclass(frozen=True)
class Desk:
    """What the paper desk's history holds at the end."""

    orders: list[Order]
    fills: list[Fill]
    trades: list[Trade]
    equity: dict[float, Decimal]


class Playing:
    """A paper desk whose books are files in *folder*."""

    def __init__(self, test: Backtest, folder: Path, store: SqlStore, clock: ManualClock) -> None:
        self.clock = clock
        self._test = test
        self._journals = [FileJournal(folder / name) for name in ("intents", "paper")]
        self._latch_file = SlotLatch(folder / "latch")
        self.recorder = Recorder(
            store=store, bus=Bus(), clock=clock, announce=lambda event: (),
            offer=lambda alerts: None,
        )  # fmt: skip
        halter = Halter(
            latch=Latch(), recorder=self.recorder, latch_file=self._latch_file, clock=clock,
            modes={test.trader.name: test.trader.mode},
        )  # fmt: skip
        start = clock.now()
        feed = ReplayFeed(
            name="recorded", clock=clock, symbols=test.candles.symbols, rules=test.rules,
            recording=lambda: Recording(candles=test.candles, start=start),
        )  # fmt: skip
        venue = PaperVenue(
            name="paper", feed=feed, journal=self._journals[1], capital=test.trader.capital,
            rules=test.rules, costs=test.costs,
        )  # fmt: skip
        numbers = itertools.count(1)
        shared = DeskParts(
            store=store, recorder=self.recorder, halter=halter, journal=self._journals[0],
            clock=clock, timeouts=PATIENT,
            ids=OrderIds("back", lambda size: f"{next(numbers):0{size * 2}x}"),
        )  # fmt: skip
        own = TraderParts(settings=test.trader, strategy=test.strategy, feed=feed, venue=venue)
        self.trader = assemble(shared, own).trader

    async def bar(self, seconds: float) -> None:
        """Let time pass until the next bar closes, then handle it."""
        self.clock.advance(seconds - 1)
        for _ in range(TRIES):  # what goes on between two bars goes on in threads as well
            await settled(5)
            if not self._overdue():
                break
            await asyncio.sleep(0.001)
        self.clock.advance(1)
        await self.trader.cycle()
        await self.recorder.settle()
        await settled(5)

    def _overdue(self) -> bool:
        oldest = self.clock.now() - ENTRIES.max_age
        entries = self.trader.ledger.alive_of(OrderRole.ENTRY)
        return any(order.created_at <= oldest for order in entries)

    async def close(self) -> None:
        for journal in self._journals:
            await journal.close()
        await self._latch_file.close()


async def paper_desk(test: Backtest, folder: Path, *, first: int) -> Desk:
    """Replay *test* bar by bar, its tasks running beside the cycles."""
    times = [moment(int(time)) for time in test.candles.times[first:]]
    clock = ManualClock(times[0])
    store = await SqlStore.open(folder / "history.db", clock=clock)
    playing = Playing(test, folder, store, clock)
    await playing.trader.load()
    await playing.trader.start(Start(took=timedelta(0), down_for=None, clean=True))
    working = asyncio.ensure_future(playing.trader.run())
    try:
        for before, now in itertools.pairwise(times):
            await playing.bar((now - before).total_seconds())
        name = test.trader.name
        points = await store.equity(name, since=times[0])
        return Desk(
            orders=list(await store.orders(name, limit=100_000)),
            fills=list(await store.fills(name)),
            trades=list(await store.trades(name, limit=100_000)),
            equity={point.at.timestamp(): point.equity for point in points},
        )
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await playing.close()
        await store.close()


def assert_same(result: Result, desk: Desk) -> None:
    assert result.trades, "a crash without a trade shows nothing"
    assert _fills(result.fills) == _fills(desk.fills)
    assert _trades(result.trades) == _trades(desk.trades)
    assert _orders(result.sent) == _orders(desk.orders)
    told = dict(zip(result.times.tolist(), result.equity.tolist(), strict=True))
    half_a_cent = Decimal("0.005")
    differ = {
        at: (equity, told[at])
        for at, equity in desk.equity.items()
        if abs(equity - Decimal(repr(told[at]))) >= half_a_cent
    }
    assert not differ
    assert len(desk.equity) >= len(told) - 1


def _fills(fills: Iterable[Fill]) -> Counter[tuple[object, ...]]:
    """Without ids: tasks that run side by side draw their random numbers in no certain order."""
    return Counter((f.symbol, f.side, f.quantity, f.price, f.fee, f.at) for f in fills)


def _orders(orders: Iterable[Order]) -> Counter[tuple[object, ...]]:
    """Without stops that were replaced before anything touched them: how often depends on which of
    two fills of one instant is heard first."""
    return Counter(
        (o.symbol, o.side, o.role, o.type, o.quantity, o.price, o.stop_price, o.filled, o.status)
        for o in orders
        if o.role is not OrderRole.PROTECT or o.filled
    )


def _trades(trades: Iterable[Trade]) -> Counter[tuple[object, ...]]:
    return Counter((t.symbol, t.opened_at, t.closed_at, t.profit, t.reason) for t in trades)


def _backtest(
    candles: Candles,
    *,
    uses: Strategy,
    step: timedelta,
    exits: ExitRules,
    rules: Mapping[Symbol, MarketRules] | None = None,
    costs: Costs | None = None,
) -> Backtest:
    return Backtest(
        trader=replace(
            trader_settings(candles.symbols, limits=BUSY, exits=exits, step=step), entries=ENTRIES
        ),
        strategy=uses,
        candles=candles,
        rules=rules or rules_for(candles),
        costs=costs or Costs(),
    )


def shipped(
    system: str, candles: Candles, parameters: Mapping[str, object], *, step: timedelta
) -> Backtest:
    """As `bot.toml` sets that trader up: limits, exits, entries, universe; on longer bars."""
    section = load(Path(__file__).parents[2] / "bot.toml", {}).traders[system]
    test = _backtest(
        candles, uses=strategy(section.strategy, parameters), step=step,
        exits=exit_rules_of(section),
    )  # fmt: skip
    settings = replace(
        test.trader, limits=section.limits.build(), entries=section.entries.build(),
        universe=section.plan,
    )  # fmt: skip
    return replace(test, trader=settings)


def ema() -> Strategy:
    return strategy("ema_cross", {"fast": 3, "slow": 8})


async def compare(test: Backtest, folder: Path) -> None:
    first = min(test.strategy.warmup, test.candles.bars - 1)
    desk = await paper_desk(test, folder, first=first)
    result = await asyncio.to_thread(run, test)
    assert_same(result, desk)


SYSTEMS: Mapping[str, Mapping[str, object]] = {"smc": {"trend": 50}, "rules": {}}
"""Of the longer trend 50 bars: warm after 300 hours, where the 804 of 200 are not in the slices."""
THREE_CRASHES: Mapping[str, Callable[[], Candles]] = {
    "May 2021": lambda: read_candles(CRASHES / "majors_2021_05_1h.parquet"),
    "FTX": lambda: read_candles(CRASHES / "majors_2022_11_1h.parquet"),
    "10 October 2025": lambda: majors().upto(1370).last(440),
}


def systems() -> dict[str, Backtest]:
    """Both as shipped, in all three."""
    return {
        f"{system}, {crash}": shipped(system, candles(), parameters, step=HOUR)
        for system, parameters in SYSTEMS.items()
        for crash, candles in THREE_CRASHES.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("crash", THREE_CRASHES)
@pytest.mark.parametrize("system", SYSTEMS)
async def test_both_systems_as_shipped_in_three_crashes(
    system: str, crash: str, tmp_path: Path
) -> None:
    await compare(systems()[f"{system}, {crash}"], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
async def test_both_systems_in_a_universe_that_moves(system: str, tmp_path: Path) -> None:
    """Fourteen markets, some of which are just good enough, and then are not."""
    candles = recording(HOURS).candles
    test = shipped(system, candles, SYSTEMS[system], step=timedelta(hours=1))
    await compare(test, tmp_path)

    free = replace(test, trader=replace(test.trader, universe=None))
    kept_out = {
        kind: count for kind, count in run(test).refused.items() if "outside the universe" in kind
    }
    assert sum(kept_out.values()) > 0
    assert not any("universe" in kind for kind in run(free).refused)


def may_by_minute(exits: ExitRules) -> Backtest:
    candles = crash_of_may_2021().candles.upto(680).last(260)
    return _backtest(candles, uses=ema(), step=MINUTE, exits=exits)


def scanner_in_may() -> Backtest:
    scanner = strategy("smc", {"threshold": 55})
    candles = crash_of_may_2021().candles
    return _backtest(candles, uses=scanner, step=MINUTE, exits=ExitRules())


def october(exits: ExitRules, *, costs: Costs | None = None, bars: int | None = None) -> Backtest:
    candles = read_candles(CRASHES / "crash_2025_10_10_15m.parquet")
    candles = candles.upto(bars or candles.bars)
    return _backtest(candles, uses=ema(), step=QUARTER, exits=exits, costs=costs)


def ftx() -> Backtest:
    candles = read_candles(CRASHES / "ftx_2022_11_1h.csv")
    return _backtest(candles, uses=ema(), step=HOUR, exits=EVERYTHING)


def until_a_guard_halts(test: Backtest) -> Backtest:
    limits = replace(BUSY, risk_per_trade=Decimal("0.02"), max_daily_loss=Decimal("0.002"))
    return replace(test, trader=replace(test.trader, limits=limits))


THIN = replace(Costs(), participation=Decimal("0.00001"))
SLICES: Mapping[str, Callable[[], Backtest]] = {
    "May 2021 by the minute": lambda: may_by_minute(ExitRules()),
    "the same with every exit": lambda: may_by_minute(EVERYTHING),
    "the same with a near trailing stop": lambda: may_by_minute(NEAR),
    "the same with little time": lambda: may_by_minute(BRIEF),
    "the same until a guard halts": lambda: until_a_guard_halts(may_by_minute(EVERYTHING)),
    "the scanner in May 2021": scanner_in_may,
    "the collapse of FTX by the hour": ftx,
    "the liquidations of October 2025": lambda: october(ExitRules()),
    "orders too large for a bar": lambda: october(EVERYTHING, costs=THIN, bars=160),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLICES)
async def test_a_slice_of_a_crash(name: str, tmp_path: Path) -> None:
    await compare(SLICES[name](), tmp_path)


EXITS = {
    (OrderRole.PROTECT, ExitReason.STOP), (OrderRole.PROTECT, ExitReason.TRAIL),
    (OrderRole.PROTECT, ExitReason.TARGET),
    (OrderRole.EXIT, ExitReason.TARGET),  # in part
    (OrderRole.EXIT, ExitReason.TIME),
    (OrderRole.EXIT, ExitReason.SIGNAL),
}  # fmt: skip
"""All by which a trader leaves of its own accord."""


def test_every_kind_of_exit_and_of_halt_occurs_in_what_is_compared() -> None:
    """Else the tests above would agree on what they never saw."""
    tests = [*(make() for make in SLICES.values()), *systems().values()]
    results = [run(test) for test in tests]
    orders = [o for r in results for o in r.sent if o.filled and o.role is not OrderRole.ENTRY]
    assert {(o.role, exit_reason(o)) for o in orders} == EXITS
    assert {h.guard for r in results for h in r.halts} == {"day"}
    assert any(is_partial(trade, r.sent) for r in results for trade in r.trades)
    refused = {reason for r in results for reason in r.refused}
    for limit in ("rests until", "positions open", "apart", "after its stop", "losses in a row"):
        assert any(limit in reason for reason in refused), limit


def is_partial(trade: Trade, sent: Iterable[Order]) -> bool:
    """Whether *trade* was left in parts."""
    exits = [o for o in sent if o.symbol == trade.symbol and o.role is OrderRole.EXIT and o.filled]
    within = [o for o in exits if trade.opened_at < o.created_at <= trade.closed_at]
    return len(within) > 1 and all(o.filled < trade.quantity for o in within)


MAY, FTX, OCTOBER = (
    "crypto/binance_spot_1m_2021-04-20_2021-05-20.parquet",
    "crypto/binance_spot_universe_1h_FTX_2022-11-03_2022-11-14.parquet",
    "crypto/binance_usdtm_universe_15m_crash_2025-10-10.parquet",
)
STEPS = {MAY: MINUTE, FTX: HOUR, OCTOBER: QUARTER}
whole_files = pytest.mark.skipif(
    "QUARTERDECK_DATA" not in os.environ, reason="QUARTERDECK_DATA is not set"
)


def whole(name: str) -> Candles:
    return read_candles(Path(os.environ["QUARTERDECK_DATA"]) / name)


@pytest.mark.soak
@whole_files
@pytest.mark.parametrize("name", STEPS)
async def test_whole_files_of_real_data(name: str, tmp_path: Path) -> None:
    test = _backtest(whole(name), uses=ema(), step=STEPS[name], exits=EVERYTHING)
    await compare(test, tmp_path)


@pytest.mark.soak
@whole_files
@pytest.mark.parametrize(
    ("system", "parameters", "name"),
    [("smc", {}, MAY), ("rules", {"bar_minutes": 1}, MAY)],
)  # the others are shorter than what the systems look back on, or a crash from there on: no trades
async def test_both_systems_on_whole_files(
    system: str, parameters: Mapping[str, object], name: str, tmp_path: Path
) -> None:
    test = shipped(system, whole(name), parameters, step=STEPS[name])
    await compare(test, tmp_path)
