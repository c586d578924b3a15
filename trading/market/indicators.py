"""Indicators over panels: arrays of shape [symbols, bars], oldest bar first, float64.

Two conventions hold throughout.

* **Missing bars are left out.**  A column that is NaN (in any of the inputs) is skipped: its own
  result is NaN, and the bars on its two sides count as neighbours.
* **Warm-up is NaN.**  The docstrings count columns from 0: "from column n" means that a row without
  missing bars has its first value there.

What looks back on a fixed window (`sma`, `bollinger`, `volatility`, `rolling_*`) depends on that
window to the last bit.  What is recursive (`ema`, `rsi`, `atr`, `macd`, `adx`) remembers where it
began; the `*_warmup` functions say after how many bars that no longer matters.

What is recursive is computed by TA-Lib, row by row; the rest by NumPy over the whole panel.
Lengths are in bars.  Every function raises `ValueError` for a length that makes no sense.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

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
    window_sum,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Macd:
    """Panels of shape [symbols, bars], in units of price."""

    line: Panel
    signal: Panel
    histogram: Panel


def macd(close: Panel, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """EMA *fast* - EMA *slow*, its EMA *signal*, and their difference (Appel).

    The line from column slow - 1, the others from column slow + signal - 2.  Both averages begin at
    the row's first bar, as `ema` does; TA-Lib's MACD begins the fast one later.
    """
    refuse_lengths(fast=fast, slow=slow, signal=signal)
    if fast >= slow:
        raise ValueError(f"fast is {fast} and slow is {slow}; fast must be the smaller one")
    line = ema(close, fast) - ema(close, slow)
    average = ema(line, signal)
    return Macd(line=line, signal=average, histogram=line - average)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adx:
    """Panels of shape [symbols, bars], 0 to 100."""

    adx: Panel
    plus: Panel
    minus: Panel


def adx(candles: Candles, length: int = 14) -> Adx:
    """Average directional index and the two directional indicators (Wilder 1978), as in TA-Lib.

    The indicators from column length, the index from column 2 length - 1.  TA-Lib begins the sums
    with one bar less than Wilder's sheet; `adx_warmup` bars later the two agree.
    """
    import talib

    refuse_lengths(length=length, least=2)

    def by_rows(function: Callable[..., Row]) -> Panel:
        return _by_rows(
            lambda high, low, close: function(high, low, close, length),
            candles.high, candles.low, candles.close,
        )  # fmt: skip

    return Adx(adx=by_rows(talib.ADX), plus=by_rows(talib.PLUS_DI), minus=by_rows(talib.MINUS_DI))


# -- windows --------------------------------------------------------------------------------------


def sma(panel: Panel, length: int) -> Panel:
    """Plain average of the last *length* values.  From column length - 1."""
    return rolling_sum(panel, length) / length


def rolling_sum(panel: Panel, length: int) -> Panel:
    """Sum of the last *length* values.  From column length - 1."""
    return _without_gaps(window_sum, panel, length)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Panels of shape [symbols, bars], in units of price."""

    middle: Panel
    upper: Panel
    lower: Panel


def bollinger(close: Panel, length: int = 20, width: float = 2.0) -> Bands:
    """`sma` and *width* standard deviations (of the population) around it.

    From column length - 1.
    """
    middle, spread = sma(close, length), width * rolling_std(close, length)
    return Bands(middle=middle, upper=middle + spread, lower=middle - spread)


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


# -- volume and trend -----------------------------------------------------------------------------


def vwap(candles: Candles, *, sessions: NDArray[np.int64] | None = None) -> Panel:
    """Average of (high + low + close) / 3, weighted by volume, since the session began.

    *sessions* [bars] numbers the session of each column (for days in UTC: `times // 86_400_000`);
    where the number changes the average begins anew.  Without it the first column is the only
    beginning.  NaN until something has been traded.
    """
    price = (candles.high + candles.low + candles.close) / 3
    held = np.isfinite(price) & np.isfinite(candles.volume)
    volume = np.where(held, candles.volume, 0.0)
    money = np.where(held, price, 0.0) * volume
    result = np.full(price.shape, np.nan)
    changes = np.array([], dtype=np.intp) if sessions is None else np.flatnonzero(np.diff(sessions))
    bounds = [0, *(changes + 1).tolist(), price.shape[1]]
    for begin, end in itertools.pairwise(bounds):
        columns = slice(begin, end)
        traded = np.cumsum(volume[:, columns], axis=1)
        np.divide(
            np.cumsum(money[:, columns], axis=1), traded,
            out=result[:, columns], where=held[:, columns] & (traded > 0),
        )  # fmt: skip
    return result


def rolling_vwap(candles: Candles, length: int) -> Panel:
    """As `vwap`, over the last *length* bars.  From column length - 1."""
    price = (candles.high + candles.low + candles.close) / 3
    volume = np.where(np.isfinite(price), candles.volume, np.nan)
    traded = rolling_sum(volume, length)
    money = rolling_sum(price * volume, length)
    result = np.full(price.shape, np.nan)
    np.divide(money, traded, out=result, where=traded > 0)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Supertrend:
    """Panels of shape [symbols, bars]."""

    line: Panel
    """The stop that trails the price, in units of price."""
    direction: NDArray[np.int8]
    """1: rising, the line lies below the price; -1: falling; 0: not known yet."""


def supertrend(candles: Candles, length: int = 10, width: float = 3.0) -> Supertrend:
    """Bands of *width* `atr` around the bars' middles that only tighten (Seban).

    From column length.  The direction turns where a close reaches the line.  How long the first
    direction is remembered has no bound: it lasts until the first turn.
    """
    packing = Packing.of(candles.high, candles.low, candles.close)
    middle = packing.pack((candles.high + candles.low) / 2)
    spread = width * packing.pack(atr(candles, length))
    line, direction = _trail(packing.pack(candles.close), middle, middle + spread, middle - spread)
    return Supertrend(line=packing.unpack(line), direction=packing.unpack(direction, 0))


def _trail(
    close: Panel, middle: Panel, ceiling: Panel, floor: Panel
) -> tuple[Panel, NDArray[np.int8]]:
    """Bar by bar, all symbols at once: what a band was decides what it may become."""
    line = np.full(close.shape, np.nan)
    direction = np.zeros(close.shape, dtype=np.int8)
    upper = lower = np.full(close.shape[0], np.nan)
    rising = np.zeros(close.shape[0], dtype=np.bool_)
    for column in range(close.shape[1]):
        PRECEDENCE.give_way()
        price, high, low = close[:, column], ceiling[:, column], floor[:, column]
        before = close[:, max(0, column - 1)]
        first = np.isnan(upper)
        rising = np.where(first, price >= middle[:, column], rising)
        upper = np.where(first | (high < upper) | (before > upper), high, upper)
        lower = np.where(first | (low > lower) | (before < lower), low, lower)
        rising = price > np.where(rising, lower, upper)
        line[:, column] = np.where(rising, lower, upper)
        direction[:, column] = np.where(np.isnan(high), 0, np.where(rising, 1, -1))
    line[direction == 0] = np.nan
    return line, direction


# -- how long a beginning is remembered -----------------------------------------------------------


def ema_warmup(length: int, *, left: float = _LEFT) -> int:
    """Bars until at most the share *left* of an `ema` is owed to where it began."""
    return length + _bars_until(left, 1 - 2 / (length + 1))


def wilder_warmup(length: int, *, left: float = _LEFT) -> int:
    """The same for `atr`, and for the averages within `rsi`."""
    return length + 1 + _bars_until(left, 1 - 1 / length)


def macd_warmup(slow: int = 26, signal: int = 9, *, left: float = _LEFT) -> int:
    return ema_warmup(slow, left=left) + ema_warmup(signal, left=left)


def adx_warmup(length: int = 14, *, left: float = _LEFT) -> int:
    """An average of what is itself made of averages: it takes both their warm-ups."""
    return 2 * wilder_warmup(length, left=left)


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
