"""What has just happened to a price: five triggers, signed, each with its strength.

A trigger is above 0 for a rise and below 0 for a fall; its size is the strength, up to 1; 0 is
none.  A bar that is missing within the day before leaves all triggers that look at it at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.market.structure.panels import Mask, shifted, window_max, window_min, window_sum
from trading.strategies.rules.regime import Regime, RegimeReadings

PRICE_MOVE, VOLUME_SPIKE, BREAKOUT, REVERSAL, MOMENTUM = NAMES = (
    "price move",
    "volume spike",
    "breakout",
    "reversal",
    "momentum",
)
QUARTER: Mapping[Regime, float] = {
    Regime.BULL: 0.035, Regime.CHOP: 0.012, Regime.BEAR: 0.03,
    Regime.CRASH: 0.03, Regime.UNKNOWN: 0.035,
}  # fmt: skip
"""Move of the price in 15 minutes, by regime."""
HOURLY: Mapping[Regime, float] = {
    Regime.BULL: 0.07, Regime.CHOP: 0.025, Regime.BEAR: 0.07,
    Regime.CRASH: 0.07, Regime.UNKNOWN: 0.07,
}  # fmt: skip
"""The same in 60 minutes."""
SPIKE = 1.8
"""Times the mean volume of the 24 hours before."""
BREAK = 0.995
"""Of the highest high of the 24 hours before."""
NEAR_LOW, BOUNCE = 1.10, 1.05
"""Of the lowest low of the last 24 hours: at most, and above."""
TREND = 0.02
"""Change over 24 hours."""

_FULL = 2.0
"""A move and a spike are as strong as can be at twice their threshold, half as strong at it."""
_FULL_BREAK = 0.01
_FULL_TREND = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """Panels of shape [symbols, bars]."""

    strengths: NDArray[np.float64]
    """[triggers, symbols, bars], in the order of `NAMES`; signed."""
    hour: Panel
    """Signed change of the price in 60 minutes; NaN: unknown."""
    day: Panel
    """The same in 24 hours."""
    volume: Panel
    """Times the mean of the 24 hours before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _BarCounts:
    """How many bars a time is."""

    bar_minutes: int

    def bars(self, minutes: int) -> int:
        return minutes // self.bar_minutes


def triggers(candles: Candles, readings: RegimeReadings, *, bar_minutes: int) -> Triggers:
    """Find what each bar triggers.  *bar_minutes* is the bars' length, a divisor of 60.

    Where columns are missing from the time axis itself nothing that spans the hole is found.
    """
    clock = _BarCounts(bar_minutes=bar_minutes)
    close, a_day = candles.close, clock.bars(24 * 60)
    hour, day = _moves(candles, clock, 60), _moves(candles, clock, 24 * 60)
    mean = shifted(window_sum(candles.volume, a_day), 1) / a_day
    with np.errstate(invalid="ignore", divide="ignore"):
        volume = np.where(mean > 0, candles.volume / mean, np.nan)
    whole = _unbroken(candles.times, a_day, bar_minutes)
    rising = close > shifted(close, 1)
    found = [
        _price_move(hour, _moves(candles, clock, 15), readings),
        _spike(candles, volume) * whole,
        _breakout(candles, rising, a_day) * whole,
        _reversal(candles, rising, a_day) * whole,
        _momentum(day),
    ]
    return Triggers(strengths=np.array(found), hour=hour, day=day, volume=volume)


def _moves(candles: Candles, clock: _BarCounts, minutes: int) -> Panel:
    """Signed share; NaN where it cannot be told, and in bars longer than that."""
    bars = clock.bars(minutes)
    if bars * clock.bar_minutes != minutes:
        return np.full(candles.close.shape, np.nan)
    whole = _unbroken(candles.times, bars, clock.bar_minutes)
    return np.where(whole, candles.close / shifted(candles.close, bars) - 1, np.nan)


def _unbroken(times: NDArray[np.int64], bars: int, bar_minutes: int) -> Mask:
    """[bars]: whether *bars* columns earlier is just so long ago."""
    found = np.zeros(times.size, dtype=np.bool_)
    found[bars:] = times[bars:] - times[: max(0, times.size - bars)] == bars * bar_minutes * 60_000
    return found


def _price_move(hour: Panel, quarter: Panel, readings: RegimeReadings) -> Panel:
    """The larger of the two moves, each against its threshold; none where they contradict."""
    hours = np.nan_to_num(hour / readings.chosen(HOURLY))
    quarters = np.nan_to_num(quarter / readings.chosen(QUARTER))
    larger = np.where(np.abs(quarters) > np.abs(hours), quarters, hours)
    against = (hours * quarters < 0) & (np.minimum(np.abs(hours), np.abs(quarters)) >= 1)
    return np.where(against, 0.0, _strong(larger))


def _spike(candles: Candles, volume: Panel) -> Panel:
    """It has the direction of its bar; volume alone has none."""
    direction = np.nan_to_num(np.sign(candles.close - candles.open))
    return direction * _strong(np.nan_to_num(volume) / SPIKE)


def _breakout(candles: Candles, rising: Mask, a_day: int) -> Panel:
    """Half as strong as can be at the high itself, in full 1 % above it."""
    over = candles.close / shifted(window_max(candles.high, a_day), 1)
    strength = np.clip(0.5 + 0.5 * (over - 1) / _FULL_BREAK, 0, 1)
    return np.where((over >= BREAK) & rising, strength, 0.0)


def _reversal(candles: Candles, rising: Mask, a_day: int) -> Panel:
    """The low was made within the last 12 hours: further back, it may be a fall since a rise."""
    low = window_min(candles.low, a_day)
    fresh = window_min(candles.low, max(1, a_day // 2)) == low
    over = candles.close / low
    near = (over > BOUNCE) & (over <= NEAR_LOW)
    return np.where(near & rising & fresh, np.clip((over - 1) / (NEAR_LOW - 1), 0, 1), 0.0)


def _momentum(day: Panel) -> Panel:
    day = np.nan_to_num(day)
    return np.where(np.abs(day) >= TREND, np.clip(day / _FULL_TREND, -1, 1), 0.0)


def _strong(times: Panel) -> Panel:
    """From so many times the threshold to a strength."""
    return np.where(np.abs(times) >= 1, np.clip(times / _FULL, -1, 1), 0.0)
