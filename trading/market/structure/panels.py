"""Panels [symbols, bars] with gaps, and windows over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel

Flags = NDArray[np.int8]
Mask = NDArray[np.bool_]
Columns = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

_LONGEST = 100_000  # TA-Lib's own limit


# -- gaps -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Which columns of each row are held, and rows without their gaps.

    What is missing moves behind what is held.  The order of bars stays, and so does causality.
    """

    held: Mask
    rows: NDArray[np.intp]
    """The rows with gaps; most have none."""
    order: NDArray[np.intp]
    """[rows with gaps, bars]: the column that each packed column comes from."""

    @staticmethod
    def of(*panels: Panel) -> Packing:
        """Held is what is finite in all *panels*."""
        held = np.isfinite(panels[0])
        for panel in panels[1:]:
            held &= np.isfinite(panel)
        rows = np.flatnonzero(~held.all(axis=1))
        return Packing(held=held, rows=rows, order=np.argsort(~held[rows], axis=1, kind="stable"))

    def pack(self, panel: Panel) -> Panel:
        """*panel* without its gaps; NaN at the end of the rows that had some."""
        if not self.rows.size:
            return panel
        gaps = np.where(self.held[self.rows], panel[self.rows], np.nan)
        result = panel.copy()
        result[self.rows] = np.take_along_axis(gaps, self.order, axis=1)
        return result

    def unpack(self, packed: NDArray[Scalar], missing: float = np.nan) -> NDArray[Scalar]:
        """Undo `pack`: each value in its own column, and *missing* in the gaps."""
        if not self.rows.size:
            return packed
        gaps = np.empty_like(packed[self.rows])
        np.put_along_axis(gaps, self.order, packed[self.rows], axis=1)
        gaps[~self.held[self.rows]] = cast("Any", missing)
        result = packed.copy()
        result[self.rows] = gaps
        return result

    def pack_columns(self, columns: Columns) -> Columns:
        """The packed column numbers for *columns* [symbols, bars], themselves packed; -1 stays."""
        if not self.rows.size:
            return columns
        result = columns.copy()
        places = np.cumsum(self.held[self.rows], axis=1) - 1
        result[self.rows] = taken(places, np.take_along_axis(columns[self.rows], self.order, 1), -1)
        return result

    def unpack_columns(self, packed: Columns) -> Columns:
        """Undo `pack_columns`; -1 in the gaps."""
        if not self.rows.size:
            return packed
        result = packed.copy()
        result[self.rows] = taken(self.order.astype(np.int64), packed[self.rows], -1)
        return self.unpack(result, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePanels:
    """Prices of shape [symbols, bars] without gaps; NaN only behind the last bar of a row."""

    open: Panel
    high: Panel
    low: Panel
    close: Panel

    @staticmethod
    def packed(candles: Candles) -> tuple[Packing, PricePanels]:
        prices = (candles.open, candles.high, candles.low, candles.close)
        packing = Packing.of(*prices)
        opens, highs, lows, closes = map(packing.pack, prices)
        return packing, PricePanels(open=opens, high=highs, low=lows, close=closes)

    def mirrored(self) -> PricePanels:
        """The same market upside down: what is known of highs is so known of lows."""
        return PricePanels(open=-self.open, high=-self.low, low=-self.high, close=-self.close)


# -- windows --------------------------------------------------------------------------------------


def window_sum(packed: Panel, length: int) -> Panel:
    """Sum of the last *length* columns; NaN before column *length* - 1."""
    return _windows((packed,), length, lambda old, _, new, __: (old[0] + new[0],))[0]


def window_max(packed: Panel, length: int) -> Panel:
    return _windows((packed,), length, lambda old, _, new, __: (np.maximum(old[0], new[0]),))[0]


def window_min(packed: Panel, length: int) -> Panel:
    return _windows((packed,), length, lambda old, _, new, __: (np.minimum(old[0], new[0]),))[0]


def window_squares(packed: Panel, length: int) -> Panel:
    """Sum of the squared deviations from their mean.

    Windows are merged pairwise (Chan, Golub and LeVeque 1979): small deviations of large values
    keep their digits, and what does not move deviates by exactly 0.
    """
    return _windows((packed, np.zeros_like(packed)), length, _merge_moments)[1]


def shifted(panel: NDArray[Scalar], columns: int, missing: float = np.nan) -> NDArray[Scalar]:
    """What stood *columns* earlier; *missing* where there was nothing yet."""
    result = np.empty_like(panel)
    result[:, :columns] = cast("Any", missing)
    result[:, columns:] = panel[:, : max(0, panel.shape[1] - columns)]
    return result


def latest(happened: Mask) -> Columns:
    """For each column, the last one at or before it where it *happened*; -1 if none."""
    numbers = np.where(happened, np.arange(happened.shape[1], dtype=np.int64), -1)
    return np.maximum.accumulate(numbers, axis=1, out=numbers)


def taken(panel: NDArray[Scalar], columns: Columns, missing: float = np.nan) -> NDArray[Scalar]:
    """*panel* at *columns*, row by row; *missing* where the column is -1."""
    begins = panel.shape[1] * np.arange(panel.shape[0])[:, np.newaxis]
    places = np.maximum(columns, 0)
    places += begins
    found: NDArray[Scalar] = panel.ravel().take(places)
    found[columns < 0] = cast("Any", missing)
    return found


def refuse_lengths(*, least: int = 1, **lengths: int) -> None:
    """Raise `ValueError` unless all *lengths* are whole numbers of bars, at least *least*."""
    for what, bars in lengths.items():
        if not isinstance(bars, int) or isinstance(bars, bool) or not least <= bars <= _LONGEST:
            raise ValueError(f"{what} is {bars!r}; it must be a whole number from {least}")


Parts = tuple[Panel, ...]
Merge = Callable[[Parts, int, Parts, int], Parts]


def _windows(parts: Parts, length: int, merge: Merge) -> Parts:
    """What *merge* makes of each window of *length* columns; NaN before the first.

    Windows of 1, 2, 4, ... columns are merged to the length: so many steps as it has binary digits,
    and the same ones in each column, whatever lies outside its window.
    """
    if length > parts[0].shape[1]:
        return tuple(np.full(part.shape, np.nan) for part in parts)
    whole, covered, size = parts, 0, 1
    while covered < length:
        if length & size:
            newer = tuple(part[:, covered:] for part in parts)
            whole = _joined(whole, covered, newer, size, merge) if covered else parts
            covered += size
        if covered < length:
            newer = tuple(part[:, size:] for part in parts)
            parts = _joined(parts, size, newer, size, merge)
            size *= 2
    return tuple(_padded(part, length - 1) for part in whole)


def _padded(panel: Panel, columns: int) -> Panel:
    result = np.empty((panel.shape[0], panel.shape[1] + columns))
    result[:, :columns] = np.nan
    result[:, columns:] = panel
    return result


def _joined(older: Parts, held: int, newer: Parts, size: int, merge: Merge) -> Parts:
    """Windows of *held* columns with those of *size* columns that follow them."""
    count = newer[0].shape[1]
    return merge(tuple(part[:, :count] for part in older), held, newer, size)


def _merge_moments(old: Parts, held: int, new: Parts, size: int) -> Parts:
    """Merge (mean, sum of squared deviations) of two windows."""
    apart = new[0] - old[0]
    mean = old[0] + apart * (size / (held + size))
    return mean, old[1] + new[1] + apart * apart * (held * size / (held + size))
