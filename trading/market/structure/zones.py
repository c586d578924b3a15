"""Price ranges that stand from the bar that forms them until a later bar touches them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Panel
from trading.market.structure.panels import Columns, Flags, Mask, Packing, latest, taken

_AT_ONCE = 2**17  # elements of the table of minima: 1 MB, which stays near the processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Formed:
    """Zones where they begin, without what becomes of them; arrays of shape [symbols, bars]."""

    sign: Flags
    """1: a zone below the price is formed here; -1: one above; 0: neither."""
    top: Panel
    """Of the zone formed here; NaN where none is."""
    bottom: Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingZones:
    """The zones on one side of the price; arrays of shape [symbols, bars], as of each close.

    The newest is also the nearest.  A bar that touches a zone ends it: what was touched in column
    t is what stood in column t - 1.
    """

    top: Panel
    """Of the newest zone that stands; NaN: none does."""
    bottom: Panel
    count: NDArray[np.int32]
    """How many stand."""
    touched: NDArray[np.int32]
    """How many ended in this column."""


def zones_below(
    packing: Packing, low: Panel, formed: Mask, top: Panel, bottom: Panel
) -> StandingZones:
    """What stands of the zones *formed* below the price, until *low* reaches their *top*.

    Packed panels in, panels with their gaps out.  No low since the zone began may have reached its
    top before it is formed here: so newer zones lie above older ones, and they end in reverse order
    of their beginning, as on a stack.
    """
    rows, columns = np.nonzero(formed)
    ends = _first_touch(low, rows, columns, top[rows, columns])
    touched = _counted(formed.shape, rows, ends)
    count = np.cumsum(formed.astype(np.int32) - touched, axis=1, dtype=np.int32)
    newest = _top_of_stack(formed, touched > 0, count)
    return StandingZones(
        top=packing.unpack(taken(top, newest)),
        bottom=packing.unpack(taken(bottom, newest)),
        count=packing.unpack(count, 0),
        touched=packing.unpack(touched, 0),
    )


def zones_above(
    packing: Packing, high: Panel, formed: Mask, top: Panel, bottom: Panel
) -> StandingZones:
    """`zones_below`, upside down: until *high* reaches their *bottom*."""
    found = zones_below(packing, -high, formed, -bottom, -top)
    return StandingZones(
        top=-found.bottom, bottom=-found.top, count=found.count, touched=found.touched
    )


def _counted(shape: tuple[int, ...], rows: NDArray[np.intp], columns: Columns) -> NDArray[np.int32]:
    inside = columns < shape[1]
    places = rows[inside] * shape[1] + columns[inside]
    return np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int32)


def _top_of_stack(formed: Mask, ended: Mask, depth: NDArray[np.int32]) -> Columns:
    """The column that formed the newest zone standing; -1: none.

    It is the last one that was put on the stack when that was as high as it is now.
    """
    bars = formed.shape[1]
    changed = formed | ended
    heights = int(depth.max(initial=0)) + 1

    def places(where: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], Columns]:
        rows, columns = np.nonzero(where)
        return rows, columns, (rows * heights + depth[rows, columns]) * bars + columns

    _, columns, laid = places(formed)
    order = np.argsort(laid)
    rows, at, wanted = places(changed & (depth > 0))
    newest = np.full(formed.shape, -1, dtype=np.int64)
    newest[rows, at] = columns[order[np.searchsorted(laid[order], wanted, side="right") - 1]]
    return taken(newest, latest(changed), -1)


def _first_touch(
    low: Panel, rows: NDArray[np.intp], columns: NDArray[np.intp], level: NDArray[np.float64]
) -> Columns:
    """The first later column whose low is at or below *level*; `bars` if there is none."""
    width = low.shape[1] + 1
    doublings = width.bit_length()
    at_once = max(1, _AT_ONCE // (doublings * width))
    table = np.empty((doublings, min(at_once, low.shape[0]), width))
    found = np.empty(rows.size, dtype=np.int64)
    for first in range(0, low.shape[0], at_once):
        begin, end = np.searchsorted(rows, (first, first + at_once))
        part = slice(begin, end)
        _fill_with_minima(table, low[first : first + at_once])
        found[part] = _skipped(table, rows[part] - first, columns[part] + 1, level[part])
    return found


def _fill_with_minima(table: NDArray[np.float64], low: Panel) -> None:
    """The lowest of the 1, 2, 4, ... columns that begin at each; nothing lies beyond the end."""
    table = table[:, : low.shape[0]]
    table[0, :, -1] = np.inf
    np.copyto(table[0, :, :-1], low)
    table[0][np.isnan(table[0])] = np.inf
    for narrow, wide, power in zip(table, table[1:], range(len(table)), strict=False):
        within = table.shape[2] - 2**power
        np.minimum(narrow[:, :within], narrow[:, 2**power :], out=wide[:, :within])
        wide[:, within:] = narrow[:, within:]


def _skipped(
    table: NDArray[np.float64], rows: NDArray[np.intp], columns: NDArray[np.intp], level: Panel
) -> Columns:
    """Skip blocks of columns that stay above *level*, the widest first."""
    width = table.shape[2]
    places = rows * width
    at = columns.astype(np.int64)
    for power in reversed(range(len(table))):
        above = table[power].ravel().take(places + at) > level
        at = np.minimum(at + (above << power), width - 1)
    return at
