"""How likely it is that the best of many tries is no more than the luckiest.

Bailey and López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting and Non-Normality", Journal of Portfolio Management 40(5), 2014.  Sharpe ratios here are
those of single days, not of a year: mean over standard deviation of daily returns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""
SURE = 0.95
"""A deflated Sharpe ratio from which on the best is probably more than luck."""
_FEWEST = 2
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What is known of a series of daily returns (shares: 0.01 is 1 %)."""

    count: int
    sharpe: float
    """Of a day; 0 where nothing deviates."""
    skew: float = 0.0
    """Third standardised moment."""
    kurtosis: float = 3.0
    """Fourth standardised moment, not the excess: 3 for normal returns."""

    @classmethod
    def of(cls, returns: Sequence[float]) -> Self:
        values = np.asarray(returns, dtype=np.float64)
        if len(values) < _FEWEST or not values.std():
            return cls(count=len(values), sharpe=0.0)
        apart = (values - values.mean()) / values.std()
        return cls(
            count=len(values),
            sharpe=float(values.mean() / values.std(ddof=1)),
            skew=float((apart**3).mean()),
            kurtosis=float((apart**4).mean()),
        )


def expected_best(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of *trials* reaches by luck, where none is worth any.

    SR0 = sqrt(V) ((1 - g) Z[1 - 1/N] + g Z[1 - 1/(N e)]), with V the *variance* of the trials'
    Sharpe ratios, N their number, g Euler's constant and Z the inverse of the normal distribution.
    In the unit of the ratios; 0 for fewer than two trials.
    """
    if trials < _FEWEST:
        return 0.0
    first = _NORMAL.inv_cdf(1 - 1 / trials)
    second = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * first + EULER * second)


def probabilistic_sharpe(found: Moments, beyond: float) -> float | None:
    """Return the probability, 0..1, that the true Sharpe ratio lies above *beyond*.

    PSR = Phi[(SR - SR*) sqrt(T - 1) / sqrt(1 - s SR + (k - 1)/4 SR^2)], with T returns of skew s
    and kurtosis k.  None of fewer than two returns, and where the formula has no root.
    """
    if found.count < _FEWEST:
        return None
    spread = 1 - found.skew * found.sharpe + (found.kurtosis - 1) / 4 * found.sharpe**2
    if spread <= 0:
        return None
    return _NORMAL.cdf((found.sharpe - beyond) * math.sqrt((found.count - 1) / spread))


def deflated_sharpe(best: Moments, sharpes: Sequence[float]) -> float | None:
    """Return the probability, 0..1, that the *best* of tries with these *sharpes* is not luck.

    It is the probabilistic Sharpe ratio beyond what the best of as many would reach by luck.  Tries
    that resemble each other count as if they did not, so it errs on the side of doubt.
    """
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) >= _FEWEST else 0.0
    return probabilistic_sharpe(best, expected_best(len(sharpes), variance))
