"""The analysis of a scan: every symbol's candles, from arrays in memory to arrays in memory.

The market is made up: random walks of 648 symbols, of which some were listed late or lack bars.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from bench.figures import Figure, median
from trading.market.candles import Candles
from trading.market.indicators import atr, ema, rsi
from trading.market.structure.blocks import blocks
from trading.market.structure.breaks import breaks
from trading.market.structure.gaps import gaps
from trading.market.structure.liquidity import liquidity
from trading.market.structure.swings import swings
from trading.types import Symbol

SYMBOLS, BARS = 648, 200
LONG_SYMBOLS, LONG_BARS = 10, 100_000
LISTED_LATE, WITH_HOLES = 20, 8
"""Of the 648: whose first half is missing, and who lack a bar here and there."""
ROUNDS = 7
SMC_GOAL, SET_GOAL = 0.3, 0.1
SWING = 5


def measure() -> list[Figure]:
    scan = made_up(SYMBOLS, BARS, late=LISTED_LATE, holes=WITH_HOLES)
    history = made_up(LONG_SYMBOLS, LONG_BARS)
    size, long = f"{SYMBOLS} x {BARS}", f"{LONG_SYMBOLS} x {LONG_BARS:,}"
    return [
        Figure(
            name=f"SMC, {size}",
            value=_typical(lambda: structure(scan), ROUNDS),
            unit="s",
            goal=SMC_GOAL,
            headline=True,
        ),
        Figure(
            name=f"EMA twice, RSI, ATR, {size}",
            value=_typical(lambda: indicators(scan), ROUNDS),
            unit="s",
            goal=SET_GOAL,
            headline=True,
        ),
        Figure(name=f"SMC, {long}", value=_typical(lambda: structure(history), 3), unit="s"),
        Figure(
            name=f"EMA twice, RSI, ATR, {long}",
            value=_typical(lambda: indicators(history), 3),
            unit="s",
        ),
    ]


def structure(candles: Candles) -> None:
    breaks(candles, swings(candles, length=SWING), distance=0.003)
    blocks(candles)
    gaps(candles)
    liquidity(candles)


def indicators(candles: Candles) -> None:
    ema(candles.close, 9)
    ema(candles.close, 21)
    rsi(candles.close)
    atr(candles)


def _typical(work: Callable[[], None], rounds: int) -> float:
    work()  # to warm up
    return median([_seconds(work) for _ in range(rounds)])


def _seconds(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def made_up(symbols: int, bars: int, *, late: int = 0, holes: int = 0) -> Candles:
    """Random walks by the hour; *late* of the symbols lack the first half, *holes* a bar here and
    there."""
    chance = np.random.default_rng(648)
    closes = 100 * np.exp(np.cumsum(chance.normal(0, 0.01, (symbols, bars)), axis=1))
    opens = np.concatenate((closes[:, :1], closes[:, :-1]), axis=1)
    opens *= np.exp(chance.normal(0, 0.001, opens.shape))
    wicks = np.exp(np.abs(chance.normal(0, 0.004, (2, *opens.shape))))
    prices = {
        "open": opens,
        "high": np.maximum(opens, closes) * wicks[0],
        "low": np.minimum(opens, closes) / wicks[1],
        "close": closes,
        "volume": chance.lognormal(8, 1, opens.shape),
    }
    for panel in prices.values():
        panel[:late, : bars // 2] = np.nan
        panel[late : late + holes, 7::31] = np.nan
    return Candles(
        symbols=tuple(Symbol(f"S{number:03}", "USDT") for number in range(symbols)),
        times=3_600_000 * np.arange(1, bars + 1, dtype=np.int64),
        **prices,
    )
