"""What kind of market it is, by a leading coin's last seven days of hourly closes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles
from trading.market.indicators import volatility
from trading.market.structure.panels import Mask, Packing, shifted
from trading.market.windows import longer_closes

HOUR = 3_600_000
DAYS = 7
HOURS = 24 * DAYS
_MISSING = 12
"""Hours that may be missing of the seven days."""
REACH = HOURS + _MISSING + 2
"""Hours that a regime can depend on, and the one that is not over yet."""
_YEAR = math.sqrt(365 * 24)

CRASH_TREND, CRASH_VOLATILITY = -0.10, 1.00
BULL_TREND, BULL_VOLATILITY = 0.10, 0.60
BEAR_TREND = -0.05


class Regime(StrEnum):
    UNKNOWN = "unknown"
    CRASH = "crash"
    BEAR = "bear"
    CHOP = "chop"
    BULL = "bull"


KINDS = tuple(Regime)
MULTIPLIERS: Mapping[Regime, float] = {
    Regime.BULL: 1.2,
    Regime.CHOP: 0.8,
    Regime.BEAR: 0.5,
    Regime.CRASH: 0.0,
    Regime.UNKNOWN: 0.0,
}
"""Times the usual size.  What cannot be read is not traded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeReading:
    regime: Regime
    trend: float
    """Change over seven days: 0.05 is 5 %; NaN: unknown."""
    volatility: float
    """Of hourly logarithmic returns, for a year: 0.6 is 60 %."""

    def __str__(self) -> str:
        if self.regime is Regime.UNKNOWN:
            return "unknown"
        return f"{self.regime}: {self.trend:+.1%} in {DAYS} days, volatility {self.volatility:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeReadings:
    """Arrays [bars]; each says what is known at that bar's close."""

    kind: NDArray[np.int8]
    """Number of the regime in `KINDS`."""
    trend: NDArray[np.float64]
    volatility: NDArray[np.float64]

    def at(self, column: int) -> RegimeReading:
        return RegimeReading(
            regime=KINDS[self.kind[column]],
            trend=float(self.trend[column]),
            volatility=float(self.volatility[column]),
        )

    @property
    def names(self) -> list[str]:
        return [str(KINDS[kind]) for kind in self.kind.tolist()]

    def chosen(self, values: Mapping[Regime, float]) -> NDArray[np.float64]:
        """The value of each bar's regime."""
        return np.array([values[regime] for regime in KINDS])[self.kind]


def regimes(candles: Candles, *, leader: str = "BTC") -> RegimeReadings:
    """Read the regime at each bar from the row of the *leader*; unknown where there is none.

    Only hours that are over count.  At most 12 of the seven days' hours may be missing.
    """
    rows = [row for row, symbol in enumerate(candles.symbols) if symbol.base == leader]
    if not rows or not candles.bars:
        nothing = np.full(candles.bars, np.nan)
        return RegimeReadings(
            kind=np.zeros(candles.bars, dtype=np.int8), trend=nothing, volatility=nothing
        )
    closes, known = longer_closes(candles.close[rows[:1]], candles.times, span=HOUR)
    packing = Packing.of(closes)
    packed = packing.pack(closes)
    numbers = packing.pack(np.arange(closes.shape[1], dtype=np.float64)[np.newaxis])
    with np.errstate(invalid="ignore"):
        whole = numbers - shifted(numbers, HOURS) <= HOURS + _MISSING
        trend = np.where(whole, packed / shifted(packed, HOURS) - 1, np.nan)
    year = np.where(whole, packing.pack(volatility(closes, HOURS)) * _YEAR, np.nan)
    trend, year = (_then(packing.unpack(each)[0], known) for each in (trend, year))
    return RegimeReadings(kind=_kinds(trend, year), trend=trend, volatility=year)


def _then(hourly: NDArray[np.float64], known: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each bar knows: the last hour that was over."""
    return np.where(known < 0, np.nan, hourly[np.maximum(known, 0)])


def _kinds(trend: NDArray[np.float64], year: NDArray[np.float64]) -> NDArray[np.int8]:
    cases: list[tuple[Regime, Mask]] = [
        (Regime.UNKNOWN, np.isnan(trend) | np.isnan(year)),
        (Regime.CRASH, (trend < CRASH_TREND) | (year > CRASH_VOLATILITY)),
        (Regime.BULL, (trend >= BULL_TREND) & (year < BULL_VOLATILITY)),
        (Regime.BEAR, trend <= BEAR_TREND),
    ]
    found = np.select(
        [where for _, where in cases],
        [KINDS.index(regime) for regime, _ in cases],
        default=KINDS.index(Regime.CHOP),
    )
    return found.astype(np.int8)
