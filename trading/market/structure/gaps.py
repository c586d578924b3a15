"""Fair value gaps: three bars, the middle one so strong that its neighbours do not overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.market.candles import Candles, Panel
from trading.market.structure.panels import Flags, Mask, PricePanels, shifted
from trading.market.structure.zones import Formed, StandingZones, zones_above, zones_below


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Arrays of shape [symbols, bars]; each column says what is known at its close."""

    formed: Flags
    """1: this bar is the third of a gap upwards; -1: downwards; 0: neither."""
    top: Panel
    """Of the gap formed here; NaN where none is."""
    bottom: Panel
    below: StandingZones
    """Gaps upwards that no later low has reached: they are mitigated at the first touch."""
    above: StandingZones
    """Gaps downwards that no later high has reached."""


def gaps(candles: Candles) -> Gaps:
    """Find gaps: this bar's low above the high two bars ago, and a rising bar between.

    Downwards, the mirror image.  The gap reaches from that high to this low.
    """
    packing, bars = PricePanels.packed(candles)
    found = _found(bars)
    up, down = found.sign > 0, found.sign < 0
    return Gaps(
        formed=packing.unpack(found.sign, 0),
        top=packing.unpack(found.top),
        bottom=packing.unpack(found.bottom),
        below=zones_below(packing, bars.low, up, found.top, found.bottom),
        above=zones_above(packing, bars.high, down, found.top, found.bottom),
    )


def formed_gaps(candles: Candles) -> Formed:
    """Where `gaps` begin: half the work, for those who do not ask which of them stand."""
    packing, bars = PricePanels.packed(candles)
    found = _found(bars)
    return Formed(
        sign=packing.unpack(found.sign, 0),
        top=packing.unpack(found.top),
        bottom=packing.unpack(found.bottom),
    )


def _found(bars: PricePanels) -> Formed:
    """Packed panels."""
    up, down = _formed(bars), _formed(bars.mirrored())
    return Formed(
        sign=up.astype(np.int8) - down.astype(np.int8),
        top=np.where(up, bars.low, np.where(down, shifted(bars.low, 2), np.nan)),
        bottom=np.where(up, shifted(bars.high, 2), np.where(down, bars.high, np.nan)),
    )


def _formed(bars: PricePanels) -> Mask:
    rising = bars.close > bars.open
    return np.asarray((shifted(bars.high, 2) < bars.low) & shifted(rising, 1, missing=0))
