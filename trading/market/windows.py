"""What remembers a fixed number of columns, to the last bit: fading averages, longer bars.

A backtest computes all columns at once, a live desk those of its window.  Both must see the same,
so nothing here depends on where an array begins: each value comes from the same columns by the
same steps.  Unlike in `trading.market.indicators`, which leaves missing bars out, what is missing
keeps its place in time and has no weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Panel
from trading.market.structure.panels import Columns, latest, refuse_lengths, shifted, taken

HALF = 0.5


def faded(panel: Panel, *, kept: float, columns: int, least: float = HALF) -> Panel:
    """Average of the last *columns* columns, each weighing *kept* times the one after it.

    With *kept* = 1 - 2 / (n + 1) it is an EMA of n that begins *columns* columns earlier, its
    weights made to add up to 1.  Missing values have no weight; where less than the share *least*
    of the whole weight is there, and where the newest value is missing, the result is NaN.

    Raises `ValueError` unless *columns* is at least 1 and *kept* lies between 0 and 1.
    """
    refuse_lengths(columns=columns)
    if not 0 < kept < 1:
        raise ValueError(f"kept is {kept}; it must lie between 0 and 1")
    held = np.isfinite(panel)
    complete = held.all(axis=1)
    weight = _fading_sum(np.ones((1, panel.shape[1])), kept, columns)
    weights = np.broadcast_to(weight, panel.shape)
    if not complete.all():
        weights = weights.copy()
        weights[~complete] = _fading_sum(held[~complete].astype(np.float64), kept, columns)
        panel = np.where(held, panel, 0.0)
    result = _fading_sum(panel, kept, columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        result /= weights
    whole = (1 - kept**columns) / (1 - kept)
    result[(weights < least * whole) | ~held] = np.nan
    return result


def ema(panel: Panel, length: int, *, columns: int) -> Panel:
    """`faded` as an EMA: a = 2 / (length + 1)."""
    refuse_lengths(length=length, least=2)
    return faded(panel, kept=1 - 2 / (length + 1), columns=columns)


def wilder(panel: Panel, length: int, *, columns: int) -> Panel:
    """`faded` as Wilder's average: a = 1 / length."""
    refuse_lengths(length=length, least=2)
    return faded(panel, kept=1 - 1 / length, columns=columns)


def longer_closes(
    closes: Panel, times: NDArray[np.int64], *, span: int
) -> tuple[Panel, NDArray[np.int64]]:
    """Closes of longer bars, and which of them each column knows.

    *times* [bars] are close times, *span* the length of a longer bar, both in milliseconds; longer
    bars end at multiples of *span*.  Returns their closes [symbols, longer bars], NaN where a
    symbol has no bar in one, and for each column the number of the last longer bar that had ended
    by its close; -1: none.
    """
    if times.size == 0:
        return np.empty((closes.shape[0], 0)), np.empty(0, dtype=np.int64)
    ends = -(-times // span)
    numbers = ends - ends[0]
    last = latest(np.isfinite(closes))
    begins = np.searchsorted(numbers, np.arange(numbers[-1] + 1), side="left")
    after = np.searchsorted(numbers, np.arange(numbers[-1] + 1), side="right")
    columns = np.where(after > begins, last[:, after - 1], -1)
    columns = np.where(columns >= begins, columns, -1)
    return taken(closes, columns), times // span - ends[0]


def recent(happened: NDArray[np.bool_], columns: int) -> Columns:
    """The last of the newest *columns* columns where it *happened*; -1: in none of them."""
    found = latest(happened)
    found[np.arange(found.shape[1]) - found >= columns] = -1
    return found


def _fading_sum(panel: Panel, kept: float, columns: int) -> Panel:
    """Sums over 1, 2, 4, ... columns are joined to the number wanted, the same steps everywhere."""
    whole, covered, part, size = np.zeros_like(panel), 0, panel, 1
    while covered < columns:
        if columns & size:
            whole = whole + kept**covered * shifted(part, covered, 0.0) if covered else part
            covered += size
        if covered < columns:
            part = part + kept**size * shifted(part, size, 0.0)
            size *= 2
    return whole if whole is not panel else panel.copy()
