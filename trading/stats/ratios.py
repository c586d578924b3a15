"""Ratios and drawdown of a curve of equity.

The conventions, and the figures they are tested against, are those of empyrical (Quantopian).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np
from numpy.typing import NDArray

DAYS_A_YEAR = 365
"""Crypto never closes; 252 where only an exchange's days count."""
FEWEST_RETURNS = 10
"""Finished days below which a ratio would be chance."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure, or the word that stands for it where there is none."""

    value: float | None
    word: str = ""

    @classmethod
    def of(cls, value: float | None) -> Self:
        """None, as of nothing divided by nothing, is `none`; what is without bound `infinite`."""
        if value is None or math.isnan(value):
            return cls(None, "none")
        return cls(value) if math.isfinite(value) else cls(None, "infinite")


TOO_FEW = Ratio(None, "too few")


def volatility(returns: Sequence[float], days_a_year: float = DAYS_A_YEAR) -> float | None:
    """Standard deviation of a sample (n - 1) per year; None below two returns."""
    if len(returns) < 2:  # noqa: PLR2004  # one return deviates from nothing
        return None
    mean = _mean(returns)
    variance = math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return math.sqrt(variance * days_a_year)


def sharpe(returns: Sequence[float], days_a_year: float = DAYS_A_YEAR) -> float | None:
    """Mean over standard deviation, per year, with no riskless rate; daily shares in.

    Infinite if nothing deviates; None of nothing, and where there is neither gain nor deviation.
    """
    deviation = volatility(returns, days_a_year)
    return None if deviation is None else _over(_mean(returns) * days_a_year, deviation)


def sortino(returns: Sequence[float], days_a_year: float = DAYS_A_YEAR) -> float | None:
    """Mean over downside deviation from 0 (over all days: n, not the losing ones), per year.

    Infinite if no day lost; None below two returns, and where there is neither gain nor loss.
    """
    if len(returns) < 2:  # noqa: PLR2004  # as `volatility`
        return None
    downside = math.fsum(min(r, 0.0) ** 2 for r in returns) / len(returns)
    return _over(_mean(returns) * days_a_year, math.sqrt(downside * days_a_year))


def cagr(growth: float, days: float, days_a_year: float = DAYS_A_YEAR) -> float | None:
    """What *growth* (1.04 is +4 %) over *days* comes to in a year, as a share.

    None without a day; -1 once all is lost; infinite beyond what a float holds.
    """
    if days <= 0:
        return None
    if growth <= 0:
        return -1.0
    try:
        return math.expm1(math.log(growth) * days_a_year / days)
    except OverflowError:
        return math.inf


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _over(gain: float, risk: float) -> float | None:
    if risk:
        return gain / risk
    return math.copysign(math.inf, gain) if gain else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall of equity from a peak before it."""

    share: float
    """Of the peak, positive; 0 if equity never fell."""
    peak_at: datetime
    """When equity last was at the peak."""
    trough_at: datetime
    recovered_at: datetime | None
    """When it was back at the peak; None: it was not, up to the last reading."""
    lasted: timedelta
    """From the peak until then, or until the last reading."""


def drawdown(times: Floats, equity: Floats) -> Drawdown | None:
    """Return the deepest fall within a curve; *times* in seconds since 1970.  None of nothing."""
    if not len(equity):
        return None
    peaks = np.maximum.accumulate(equity)
    falls = np.where(peaks > 0, (peaks - equity) / np.where(peaks > 0, peaks, 1.0), 0.0)
    trough = int(np.argmax(falls))
    peak = trough - int(np.argmax(equity[trough::-1] >= peaks[trough]))
    after = np.flatnonzero(equity[trough:] >= peaks[trough])
    back = trough + int(after[0]) if len(after) else None
    ended = len(times) - 1 if back is None else back
    return Drawdown(
        share=float(falls[trough]),
        peak_at=_moment(times[peak]),
        trough_at=_moment(times[trough]),
        recovered_at=None if back is None else _moment(times[back]),
        lasted=_moment(times[ended]) - _moment(times[peak]),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def calmar(yearly: float | None, fall: Drawdown | None) -> float | None:
    return None if yearly is None or fall is None else _over(yearly, fall.share)
