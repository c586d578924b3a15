"""Liquidity: the extremes where stops gather, and the bars that fetch them and turn back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.market.candles import Candles, Panel
from trading.market.structure.panels import (
    Flags,
    PricePanels,
    refuse_lengths,
    shifted,
    window_max,
    window_min,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """Arrays of shape [symbols, bars]; each column says what is known at its close."""

    high: Panel
    """The highest high of the bars before this one; NaN while they are too few."""
    low: Panel
    sweep: Flags
    """1: this bar went below `low` and closed above it again; -1: above `high` and closed below;
    0: neither, or both."""


def liquidity(candles: Candles, *, length: int = 50) -> Liquidity:
    """Extremes of the *length* bars before each bar, and their sweeps.

    From column *length*.  Raises `ValueError` for a length below 1.
    """
    refuse_lengths(length=length)
    packing, bars = PricePanels.packed(candles)
    high, low = (
        shifted(window_max(bars.high, length), 1),
        shifted(window_min(bars.low, length), 1),
    )
    up = (bars.low < low) & (bars.close > low)
    down = (bars.high > high) & (bars.close < high)
    return Liquidity(
        high=packing.unpack(high),
        low=packing.unpack(low),
        sweep=packing.unpack(up.astype(np.int8) - down.astype(np.int8), 0),
    )
