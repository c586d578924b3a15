"""The deflated Sharpe ratio, against the numerical example of its paper.

Bailey and López de Prado (2014), "A numerical example": 1,250 daily returns with a Sharpe ratio of
2.5 a year (of 250 days), skew -3 and kurtosis 10; tries whose yearly Sharpe ratios have a variance
of 1/2.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from trading.optimize.luck import Moments, deflated_sharpe, expected_best, probabilistic_sharpe

DAILY_VARIANCE = 0.5 / 250
PUBLISHED = Moments(count=1250, sharpe=2.5 / math.sqrt(250), skew=-3.0, kurtosis=10.0)
NORMAL = Moments(count=1250, sharpe=2.5 / math.sqrt(250))


def test_the_published_best_of_a_hundred_lucky_tries() -> None:
    assert expected_best(100, DAILY_VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("found", "tries", "published"),
    [(PUBLISHED, 100, 0.9004), (PUBLISHED, 46, 0.9505), (NORMAL, 88, 0.9505)],
)
def test_the_published_probabilities(found: Moments, tries: int, published: float) -> None:
    beyond = expected_best(tries, DAILY_VARIANCE)
    assert probabilistic_sharpe(found, beyond) == pytest.approx(published, abs=5e-5)


def test_the_luckiest_of_many_worthless_tries_reaches_what_is_expected() -> None:
    dice = np.random.default_rng(5)
    best = dice.normal(0, 0.03, (20_000, 60)).max(axis=1).mean()
    assert expected_best(60, 0.03**2) == pytest.approx(best, rel=0.02)


def test_the_more_tries_the_more_doubt() -> None:
    sharpes = np.random.default_rng(1).normal(0, 0.05, 400).tolist()
    best = Moments(count=500, sharpe=0.15)
    found = [deflated_sharpe(best, sharpes[:many]) for many in (5, 50, 400)]
    assert None not in found
    assert found == sorted(found, reverse=True)  # type: ignore[type-var]  # none is None


def test_a_single_try_is_deflated_by_nothing() -> None:
    best = Moments(count=100, sharpe=0.1)
    assert deflated_sharpe(best, [0.1]) == NormalDist().cdf(
        0.1 * math.sqrt(99 / (1 + 0.5 * 0.1**2))
    )


def test_without_returns_there_is_no_probability() -> None:
    assert deflated_sharpe(Moments.of([]), [0.0, 0.1]) is None


def test_moments_are_those_of_the_returns() -> None:
    found = Moments.of([0.01, 0.01, 0.01, -0.01])
    assert found.count == 4
    assert found.sharpe == pytest.approx(0.005 / 0.01)
    assert found.skew == pytest.approx(-1.1547, abs=1e-4)
    assert found.kurtosis == pytest.approx(2.3333, abs=1e-4)


def test_who_does_nothing_has_no_sharpe_ratio() -> None:
    assert Moments.of([0.0] * 20).sharpe == 0.0
