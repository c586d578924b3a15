"""Breaks of market structure: closes beyond the swing in force (BOS, CHoCH)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.market.candles import Candles, Panel
from trading.market.structure.panels import (
    Columns,
    Flags,
    Mask,
    Packing,
    PricePanels,
    latest,
    taken,
)
from trading.market.structure.swings import Swings


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """Arrays of shape [symbols, bars]; each column says what is known at its close."""

    bos: Flags
    """Break of structure: 1 up, -1 down.  The market went on: between the swing and its break it
    did not pass the opposite swing that lay before (or there was none)."""
    choch: Flags
    """Change of character: 1 up, -1 down.  It had passed it, and turned: a lower low came before
    the break upwards, a higher high before the break downwards."""
    level: Panel
    """The price of the swing that is broken here; NaN where nothing is."""
    column: Columns
    """The bar that had made that swing; -1 where nothing is broken."""
    trend: Flags
    """The direction of the latest break so far; 0 before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BreakSide:
    """One direction, as it looks from below: packed panels."""

    bars: PricePanels
    level: Panel
    made: Columns
    known: Columns
    behind: Panel
    """The opposite swing in force."""


def breaks(candles: Candles, swings: Swings, *, distance: float = 0.0) -> Breaks:
    """Find the first close beyond each of these candles' *swings* in force, by over *distance*.

    *distance* is a share of the swing's price (0.003: 0.3 %).  A swing is broken once.  Raises
    `ValueError` for a distance below 0.
    """
    if not distance >= 0:
        raise ValueError(f"distance is {distance}; it must not be below 0")
    packing, bars = PricePanels.packed(candles)
    upper, lower = _upper(packing, bars, swings), _lower(packing, bars, swings)
    up, down = _broken(upper, distance), _broken(lower, distance)
    # Never both: for a low in force to lie above a high in force, closes must have broken the high.
    sign = up.astype(np.int8) - down.astype(np.int8)
    turned = _turned(upper, up) | _turned(lower, down)
    zero = np.int8(0)
    return Breaks(
        bos=packing.unpack(np.where(turned, zero, sign), 0),
        choch=packing.unpack(np.where(turned, sign, zero), 0),
        level=packing.unpack(np.where(up, upper.level, np.where(down, -lower.level, np.nan))),
        column=packing.unpack_columns(np.where(up, upper.made, np.where(down, lower.made, -1))),
        trend=packing.unpack(taken(sign, latest(sign != 0), 0), 0),
    )


def _upper(packing: Packing, bars: PricePanels, swings: Swings) -> _BreakSide:
    return _BreakSide(
        bars=bars,
        level=packing.pack(swings.high),
        made=packing.pack_columns(swings.high_column),
        known=packing.pack_columns(swings.high_known),
        behind=packing.pack(swings.low),
    )


def _lower(packing: Packing, bars: PricePanels, swings: Swings) -> _BreakSide:
    return _BreakSide(
        bars=bars.mirrored(),
        level=-packing.pack(swings.low),
        made=packing.pack_columns(swings.low_column),
        known=packing.pack_columns(swings.low_known),
        behind=-packing.pack(swings.high),
    )


def _broken(side: _BreakSide, distance: float) -> Mask:
    """Where a close lies beyond the level for the first time since that was known."""
    beyond = side.bars.close > side.level + distance * np.abs(side.level)
    times = np.cumsum(beyond, axis=1, dtype=np.int32)
    before = taken(times - beyond, side.known, 0)
    return np.asarray(beyond & (times - before == 1))


def _turned(side: _BreakSide, broken: Mask) -> Mask:
    """Which of the breaks come after a low, since the swing, below the low that lay before it."""
    turned = np.zeros_like(broken)
    rows, columns = np.nonzero(broken)
    if rows.size:
        width = broken.shape[1]
        spans = np.empty(2 * rows.size, dtype=np.intp)  # (made, column], as places in one long row
        spans[::2] = rows * width + side.made[rows, columns] + 1
        spans[1::2] = rows * width + columns + 1
        lows = np.append(side.bars.low, np.inf)  # the last span may end where the panel does
        lowest = np.minimum.reduceat(lows, spans)[::2]
        turned[rows, columns] = lowest < side.behind[rows, side.known[rows, columns]]
    return turned
