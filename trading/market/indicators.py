"""Indicators over panels: arrays of shape [symbols, bars], oldest bar first, float64.

Two conventions hold throughout.

* **Missing bars are left out.**  A column that is NaN (in any of the inputs) is skipped: its own
  result is NaN, and the bars on its two sides count as neighbours.
* **Warm-up is NaN.**  The docstrings count columns from 0: "from column n" means that a row without
  missing bars has its first value there.

What looks back on a fixed window (`volatility`, `rolling_*`) depends on that window to the last
bit.  What is recursive (`ema`, `rsi`, `atr`) remembers where it began; the `*_warmup` functions say
after how many bars that no longer matters.

What is recursive is computed by TA-Lib, row by row; the rest by NumPy over the whole panel.
Lengths are in bars.  Every function raises `ValueError` for a length that makes no sense.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trading.common.precedence import PRECEDENCE
from trading.market.candles import Candles, Panel
from trading.market.structure.panels import (
    Packing,
    refuse_lengths,
    window_max,
    window_min,
    window_squares,
)

Row = NDArray[np.float64]
_LEFT = 1e-6


# -- recursive averages ---------------------------------------------------------------------------


def ema(panel: Panel, length: int) -> Panel:
    """Exponential average: a = 2 / (length + 1), begun with the mean of the first *length* values.

    From column length - 1.
    """
    import talib

    refuse_lengths(length=length)
    return _by_rows(lambda row: talib.EMA(row, length), panel)


def rsi(close: Panel, length: int = 14) -> Panel:
    """Relative strength index (Wilder 1978), 0 to 100, begun with plain means.  From column length.

    Where nothing has moved it is 50: neither side was stronger.  (TA-Lib says 0, which reads as
    "sold out".)
    """
    import talib

    refuse_lengths(length=length, least=2)

    def strength(row: Row) -> Row:
        return np.asarray(talib.RSI(row, length))

    def told_apart(row: Row) -> Row:
        values = strength(row)
        moved = np.concatenate(([0], np.cumsum(np.diff(row) != 0)))
        still = np.zeros(row.size, dtype=np.bool_)
        still[length:] = moved[length:] == moved[:-length]
        values[(values == 0) & still] = 50.0
        return values

    values = _by_rows(strength, close)
    doubtful = np.flatnonzero((values == 0).any(axis=1))  # few: looking at all rows takes long
    values[doubtful] = _by_rows(told_apart, close[doubtful])
    return values


def true_range(candles: Candles) -> Panel:
    """max(high, close before) - min(low, close before).  From column 1."""
    import talib

    return _by_rows(talib.TRANGE, candles.high, candles.low, candles.close)


def atr(candles: Candles, length: int = 14) -> Panel:
    """Average true range (Wilder 1978), begun with a plain mean.  From column length."""
    import talib

    refuse_lengths(length=length)
    return _by_rows(
        lambda high, low, close: talib.ATR(high, low, close, length),
        candles.high, candles.low, candles.close,
    )  # fmt: skip


# -- windows --------------------------------------------------------------------------------------


def rolling_max(panel: Panel, length: int) -> Panel:
    return _without_gaps(window_max, panel, length)


def rolling_min(panel: Panel, length: int) -> Panel:
    return _without_gaps(window_min, panel, length)


def rolling_std(panel: Panel, length: int, *, sample: bool = False) -> Panel:
    """Standard deviation of the last *length* values, of the population unless *sample*.

    From column length - 1.  Where nothing moves it is exactly 0.
    """
    refuse_lengths(length=length, least=2)
    squares = _without_gaps(window_squares, panel, length)
    return np.sqrt(squares / (length - 1 if sample else length))


def volatility(close: Panel, length: int) -> Panel:
    """Sample standard deviation of the last *length* logarithmic returns, per bar.

    From column length.  A year's is this times the root of the bars in a year.  Prices that are
    not above 0 count as missing.
    """
    close = np.where(close > 0, close, np.nan)
    packing = Packing.of(close)
    logarithms = np.log(packing.pack(close))
    returns = np.full(close.shape, np.nan)
    returns[:, 1:] = np.diff(logarithms, axis=1)
    return packing.unpack(rolling_std(returns, length, sample=True))


# -- how long a beginning is remembered -----------------------------------------------------------


def ema_warmup(length: int, *, left: float = _LEFT) -> int:
    """Bars until at most the share *left* of an `ema` is owed to where it began."""
    return length + _bars_until(left, 1 - 2 / (length + 1))


def wilder_warmup(length: int, *, left: float = _LEFT) -> int:
    """The same for `atr`, and for the averages within `rsi`."""
    return length + 1 + _bars_until(left, 1 - 1 / length)


def _bars_until(left: float, kept: float) -> int:
    if not 0 < left < 1:
        raise ValueError(f"left is {left}; it must lie between 0 and 1")
    return math.ceil(math.log(left) / math.log(kept)) if kept > 0 else 0


# -- tools ----------------------------------------------------------------------------------------


def _by_rows(function: Callable[..., Row], *panels: Panel) -> Panel:
    """Apply *function* to the bars that each row has."""
    panels = tuple(np.ascontiguousarray(panel, dtype=np.float64) for panel in panels)
    held = np.logical_and.reduce([np.isfinite(panel) for panel in panels])
    complete = held.all(axis=1)
    result = np.full(panels[0].shape, np.nan)
    for row in np.flatnonzero(held.any(axis=1)):
        PRECEDENCE.give_way()
        if complete[row]:
            result[row] = function(*(panel[row] for panel in panels))
        else:
            columns = np.flatnonzero(held[row])
            result[row, columns] = function(*(panel[row, columns] for panel in panels))
    return result


def _without_gaps(window: Callable[[Panel, int], Panel], panel: Panel, length: int) -> Panel:
    refuse_lengths(length=length)
    packing = Packing.of(panel)
    return packing.unpack(window(packing.pack(panel), length))
