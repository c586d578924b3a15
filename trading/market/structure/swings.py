"""Swings: the highs and lows where a market turned, each known only once it is confirmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.market.candles import Candles, Panel
from trading.market.structure.panels import (
    Columns,
    Flags,
    Mask,
    PricePanels,
    latest,
    refuse_lengths,
    shifted,
    taken,
    window_max,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swings:
    """Arrays of shape [symbols, bars]; each column says what is known at its close."""

    turn: Flags
    """1: the bar `length` bars ago is now confirmed as a swing high; -1: as a low; 0: neither."""
    price: Panel
    """The high or low of the bar that `turn` speaks of; NaN where it is 0."""
    high: Panel
    """The swing high in force; NaN before the first.  Until a low is confirmed after it, a higher
    swing takes its place and a lower one does not."""
    low: Panel
    high_column: Columns
    """The bar that made `high`; -1 before the first."""
    low_column: Columns
    high_known: Columns
    """The column in which `high` was confirmed; -1 before the first."""
    low_known: Columns


def swings(candles: Candles, *, length: int = 5) -> Swings:
    """Confirm a high that is the highest of *length* bars up to it and *length* bars after it.

    So it is known *length* bars later, and the first possible in column 2 *length* - 1.  Equal
    highs all count; a bar that is both highest and lowest counts as a high.  Raises `ValueError`
    for a length below 1.
    """
    refuse_lengths(length=length)
    packing, bars = PricePanels.packed(candles)
    highs, high = _confirmed(bars.high, length)
    lows, low = _confirmed(-bars.low, length)
    lows &= ~highs
    turn = highs.astype(np.int8) - lows.astype(np.int8)
    in_force = _leading(turn, np.where(highs, high, low))
    high_known, low_known = latest(in_force & highs), latest(in_force & lows)
    return Swings(
        turn=packing.unpack(turn, 0),
        price=packing.unpack(np.where(highs, high, np.where(lows, -low, np.nan))),
        high=packing.unpack(taken(high, high_known)),
        low=packing.unpack(-taken(low, low_known)),
        high_column=packing.unpack_columns(np.where(high_known < 0, -1, high_known - length)),
        low_column=packing.unpack_columns(np.where(low_known < 0, -1, low_known - length)),
        high_known=packing.unpack_columns(high_known),
        low_known=packing.unpack_columns(low_known),
    )


def _confirmed(high: Panel, length: int) -> tuple[Mask, Panel]:
    """Where a swing high is confirmed, and the high that it would be."""
    middle = shifted(high, length)
    return np.asarray(middle == window_max(high, 2 * length)), middle


def _leading(turn: Flags, size: Panel) -> Mask:
    """Which turns go beyond all before them in their run of equal turns.  *size*: more is further.

    All turns of the panel in one line, each run ranked above the one before it, so that a single
    running maximum serves them all.
    """
    leading: Mask = turn != 0
    rows, columns = np.nonzero(leading)
    if rows.size == 0:
        return leading
    sign = turn[rows, columns]
    begins = np.concatenate(([True], (np.diff(rows) != 0) | (np.diff(sign) != 0)))
    _, rank = np.unique(size[rows, columns], return_inverse=True)
    height = np.cumsum(begins) * (rows.size + 1) + rank
    highest = np.maximum.accumulate(height)
    leading[rows[1:], columns[1:]] = height[1:] > highest[:-1]
    return leading
