"""A whole cycle over a market of hundreds of symbols: from candles to decisions that are recorded.

On the path of the product: `Trader.cycle`, risk, history in SQLite, the paper venue.  Two kinds:

* *from cached candles*: the bars are in memory, and the cycle computes everything from them;
* *one new candle*: first each symbol's newest bar comes from the exchange into the live feed's
  cache.  The exchange answers from memory: what the network takes is not counted.

With `QUARTERDECK_DATA` the market is 539 Binance perpetuals by the hour, February and March 2026;
without it, one of that shape is made up.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar, cast

from bench.analysis import LISTED_LATE, made_up
from bench.desk import TRADER, World, a_desk_in
from bench.figures import Figure, median
from bench.process import resident
from chatbot.watch.memory import give_back
from trading.backtest.rules import rules_for
from trading.clocks import ManualClock, SystemClock
from trading.context.settings import TraderSettings
from trading.market.candle_cache import CandleCache
from trading.market.candles import Candles
from trading.market.recording import Recording
from trading.market.tables import read_candles
from trading.market.universe import Tier, Universe, UniversePlan
from trading.model.exit_rules import ExitRules
from trading.ports import Feed
from trading.risk.limits import EntryRules, Limits
from trading.strategies import strategy
from trading.strategies.base import Strategy
from trading.types import Mode, Symbol
from trading.venues.ccxt.asking import UNASKED
from trading.venues.ccxt.breaker import Breaker
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.live_feed import LiveFeed
from trading.venues.ccxt.markets import Markets
from trading.venues.ccxt.row import Market
from trading.venues.ccxt.weights import Urgency
from trading.venues.exchanges import exchange
from trading.venues.replay import ReplayFeed

T = TypeVar("T")

FILE = "crypto/binance_usdtm_universe_1h_2026-02-24_2026-03-19.parquet"
MANY = 648
SYMBOLS, BARS = 539, 552
"""As in the file."""
HOUR = timedelta(hours=1)
CYCLES, WARM_UP = 15, 3
SPARE_BARS = 50  # as the live feed of a desk keeps
CACHED_GOAL, NEW_GOAL = 0.5, 0.15
STRATEGIES: Mapping[str, Mapping[str, object]] = {
    "smc": {},
    "rules": {},
    "ema_cross": {"fast": 12, "slow": 48},
}


PLAN = UniversePlan(
    empty=Universe(
        tiers=(Tier(number=1, name="liquid", min_volume=Decimal(5_000_000)),), cycles=1, most=648
    ),
    listed=(),
    every=HOUR,
    max_age=3 * HOUR,
)
"""A survey in each cycle."""


def measure() -> list[Figure]:
    figures = [_in_a_universe()]
    for name in STRATEGIES:
        for kind, feed_of, goal in (
            ("cycle from cached candles", _cached, CACHED_GOAL),
            ("cycle with one new candle", _live, NEW_GOAL),
        ):
            seconds, decisions = asyncio.run(_cycles(name, feed_of))
            figures.append(
                Figure(
                    name=f"{kind}, {name}, {_which()}", value=seconds, unit="s", goal=goal,
                    headline=name == "smc",
                    note=f"{decisions:.0f} decisions in each",
                )
            )  # fmt: skip
    return figures


def _in_a_universe() -> Figure:
    seconds, decisions = asyncio.run(_cycles("smc", _cached, PLAN))
    return Figure(
        name=f"cycle from cached candles, smc in a universe surveyed each cycle, {_which()}",
        value=seconds, unit="s", goal=CACHED_GOAL, note=f"{decisions:.0f} decisions in each",
    )  # fmt: skip


async def _cycles(
    name: str,
    feed_of: Callable[[ManualClock, Strategy], Feed],
    universe: UniversePlan | None = None,
) -> tuple[float, float]:
    """Seconds of a cycle, and its decisions."""
    candles = _market()
    market = ManualClock(_moment(candles, -1 - CYCLES - WARM_UP))
    chosen = strategy(name, STRATEGIES[name])
    world = World(
        market=market,
        feed=feed_of(market, chosen),
        rules=rules_for(candles),
        strategy=chosen,
        settings=replace(settings_of(candles.symbols), universe=universe),
    )
    seconds, decisions = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        async with a_desk_in(world, Path(folder)) as desk:
            for _ in range(WARM_UP + CYCLES):
                began = perf_counter()
                await desk.minute()
                seconds.append(perf_counter() - began)
                cycle = desk.trader.cycles.last
                decisions.append(0 if cycle is None else cycle.decisions)
    return median(seconds[WARM_UP:]), median(decisions[WARM_UP:])


def _cached(market: ManualClock, chosen: Strategy) -> Feed:
    """All bars are in memory from the beginning."""
    candles, start = _market(), market.now()
    return ReplayFeed(
        name="recorded", clock=market, symbols=candles.symbols, rules=rules_for(candles),
        recording=lambda: Recording(candles=candles, start=start),
    )  # fmt: skip


def _live(market: ManualClock, chosen: Strategy) -> Feed:
    """Its bars up to now are read before the first cycle that counts."""
    candles = _market()
    connection = cast("Connection", InMemory(candles))
    return LiveFeed(
        name="prices", connection=connection, symbols=candles.symbols, timeframe=HOUR,
        bars=chosen.warmup + SPARE_BARS, clock=market,
    )  # fmt: skip


class InMemory:
    """Stands for a connection to an exchange that answers at once, and whose prices rest."""

    def __init__(self, candles: Candles) -> None:
        self.exchange = exchange("binance", Market.SWAP)
        self.row = self.exchange.row
        self.account = UNASKED
        self.candles = CandleCache(clock=SystemClock())
        self.breaker = Breaker(clock=SystemClock())
        self.ccxt = self
        self.markets = Markets(
            exchange=self.exchange,
            clock=SystemClock(),
            ccxt=lambda: None,  # all are traded
            load=asyncio.Event().wait,
        )
        self.tickers: Mapping[str, Any] = {}
        opens = (candles.times - HOUR // timedelta(milliseconds=1)).tolist()
        panels = (candles.open, candles.high, candles.low, candles.close, candles.volume)
        self._bars = {
            self.row.market_of(symbol): [
                [time, *bar]
                for time, *bar in zip(
                    opens, *(panel[row].tolist() for panel in panels), strict=True
                )
                if bar[3] == bar[3]  # it has none that is NaN
            ]
            for row, symbol in enumerate(candles.symbols)
        }

    async def open(self, user: object) -> None: ...

    def counted(self, market: str, row: Sequence[float]) -> list[float]:
        return [*row[1:6]]

    async def close(self, user: object) -> None: ...

    def now(self) -> int:
        return int(SystemClock().now().timestamp() * 1000)

    async def ask(
        self,
        request: Callable[..., Awaitable[T]],
        *arguments: Any,
        about: str = "orders",
        urgency: Urgency | None = None,
    ) -> T:
        return await request(*arguments)

    async def fetch_ohlcv(
        self, market: str, timeframe: str, since: int, limit: int
    ) -> Sequence[Sequence[float]]:
        bars = self._bars[market]
        begin = bisect_left(bars, since, key=itemgetter(0))
        return bars[begin : begin + limit]

    async def watch_tickers(self, markets: Sequence[str]) -> None:
        await asyncio.Event().wait()


def settings_of(symbols: tuple[Symbol, ...]) -> TraderSettings:
    """Those of the scanner that ships: three positions, each a third of the capital."""
    return TraderSettings(
        name=TRADER, mode=Mode.PAPER, symbols=symbols, timeframe=HOUR, capital=Decimal(10_000),
        limits=Limits(max_positions=3, max_position=Decimal("0.3333"), max_exposure=Decimal(1)),
        entries=EntryRules(), exit_rules=ExitRules(), zone=UTC,
        drawdown_alert=Decimal("0.05"), cycle_every=HOUR, replay_speed=1.0,
    )  # fmt: skip


@cache
def _market() -> Candles:
    data = os.environ.get("QUARTERDECK_DATA")
    if data:
        return read_candles(Path(data) / FILE)
    candles = made_up(SYMBOLS, BARS, late=LISTED_LATE)
    leader = Symbol("BTC", "USDT")  # the rules desk reads from it what kind of market it is
    return replace(candles, symbols=(*candles.symbols[:-1], leader))


def _which() -> str:
    what = "real" if "QUARTERDECK_DATA" in os.environ else "made-up"
    return f"{len(_market().symbols)} {what} symbols x {_market().bars}"


def _moment(candles: Candles, column: int) -> datetime:
    return datetime.fromtimestamp(int(candles.times[column]) / 1000, tz=UTC)


# -- in the child ---------------------------------------------------------------------------------


async def desk_on_a_recording(bars: int) -> float:
    """Run some cycles over so many candles of all symbols; return the memory in MB (10**6 bytes).

    The longer trend is one that so many are enough for.
    """
    chosen = strategy("smc", {"trend": min(200, (bars - WARM_UP) // 4 - 1)})
    candles = made_up(MANY, bars)
    market = ManualClock(_moment(candles, -1 - WARM_UP))
    start = market.now()
    rules = rules_for(candles)
    feed = ReplayFeed(
        name="recorded", clock=market, symbols=candles.symbols, rules=rules,
        recording=lambda: Recording(candles=candles, start=start),
    )  # fmt: skip
    settings = replace(settings_of(candles.symbols), universe=PLAN)
    world = World(market=market, feed=feed, rules=rules, strategy=chosen, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        async with a_desk_in(world, Path(folder)) as desk:
            for _ in range(WARM_UP):
                await desk.minute()
            give_back()
            return resident("self")


if __name__ == "__main__":
    import chatbot.wiring.build  # noqa: F401  # all that a desk loads

    print(asyncio.run(desk_on_a_recording(int(sys.argv[1]))))
