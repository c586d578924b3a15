"""Order blocks: the last candle against a move, before the move began."""

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
    window_min,
    window_sum,
)
from trading.market.structure.zones import Formed, StandingZones, zones_above, zones_below


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Arrays of shape [symbols, bars]; each column says what is known at its close."""

    formed: Flags
    """1: a block below the price is confirmed here; -1: one above; 0: neither."""
    top: Panel
    """The high of the candle that is the block confirmed here; NaN where none is."""
    bottom: Panel
    """Its low."""
    below: StandingZones
    """Blocks below the price that have not been touched since."""
    above: StandingZones


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockRule:
    strength: float
    average: int
    reach: int
    hold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    formed: Mask
    top: Panel
    bottom: Panel


def blocks(
    candles: Candles,
    *,
    strength: float = 1.2,
    average: int = 20,
    reach: int = 10,
    hold: int = 5,
) -> Blocks:
    """Find the last candle of the opposite colour before a strong body, untouched for *hold* bars.

    A body is strong from *strength* times the average body of the *average* bars before it.  The
    candle lies at most *reach* bars before it, and only the first strong body after a candle makes
    it a block.  A block below is touched by a low at or below its top, one above by a high at or
    above its bottom.  It is confirmed, if it is untouched, *hold* bars after the strong body: so
    the first possible in column *average* + *hold*.  What lies more than *average* + *reach* +
    *hold* bars back makes no difference to what is confirmed, only to what stands.

    Raises `ValueError` for lengths below 1 and a strength not above 0.
    """
    rule = _rule(strength=strength, average=average, reach=reach, hold=hold)
    packing, bars = PricePanels.packed(candles)
    found = _formed(bars, rule)
    up, down = found.sign > 0, found.sign < 0
    return Blocks(
        formed=packing.unpack(found.sign, 0),
        top=packing.unpack(found.top),
        bottom=packing.unpack(found.bottom),
        below=zones_below(packing, bars.low, up, found.top, found.bottom),
        above=zones_above(packing, bars.high, down, found.top, found.bottom),
    )


def formed_blocks(
    candles: Candles,
    *,
    strength: float = 1.2,
    average: int = 20,
    reach: int = 10,
    hold: int = 5,
) -> Formed:
    """Where `blocks` are confirmed: for those who do not ask which of them stand."""
    rule = _rule(strength=strength, average=average, reach=reach, hold=hold)
    packing, bars = PricePanels.packed(candles)
    found = _formed(bars, rule)
    return Formed(
        sign=packing.unpack(found.sign, 0),
        top=packing.unpack(found.top),
        bottom=packing.unpack(found.bottom),
    )


def _rule(*, strength: float, average: int, reach: int, hold: int) -> _BlockRule:
    refuse_lengths(average=average, reach=reach, hold=hold)
    if not strength > 0:
        raise ValueError(f"strength is {strength}; it must be above 0")
    return _BlockRule(strength=strength, average=average, reach=reach, hold=hold)


def _formed(bars: PricePanels, rule: _BlockRule) -> Formed:
    """Packed panels."""
    up, down = _found(bars, rule), _found(bars.mirrored(), rule)
    # The two of one bar would come from one strong body, which has but one colour.
    return Formed(
        sign=up.formed.astype(np.int8) - down.formed.astype(np.int8),
        top=np.where(up.formed, up.top, np.where(down.formed, -down.bottom, np.nan)),
        bottom=np.where(up.formed, up.bottom, np.where(down.formed, -down.top, np.nan)),
    )


def _found(bars: PricePanels, rule: _BlockRule) -> _Found:
    candle = _last_before(bars.close < bars.open)
    strong = _strong(bars, rule) & (candle >= 0)
    strong &= np.arange(strong.shape[1]) - candle <= rule.reach
    first = strong & _first_since(candle, strong)
    top, bottom = taken(bars.high, candle), taken(bars.low, candle)
    top, bottom = shifted(top, rule.hold), shifted(bottom, rule.hold)
    untouched = window_min(bars.low, rule.hold) > top
    return _Found(formed=shifted(first, rule.hold, missing=0) & untouched, top=top, bottom=bottom)


def _last_before(happened: Mask) -> Columns:
    return shifted(latest(happened), 1, missing=-1)


def _strong(bars: PricePanels, rule: _BlockRule) -> Mask:
    body = np.abs(bars.close - bars.open)
    before = shifted(window_sum(body, rule.average), 1) / rule.average
    return np.asarray((bars.close > bars.open) & (body >= rule.strength * before))


def _first_since(candle: Columns, strong: Mask) -> Mask:
    times = np.cumsum(strong, axis=1, dtype=np.int32)
    return np.asarray(times - taken(times, candle, 0) == 1)
