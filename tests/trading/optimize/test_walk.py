"""Choosing in sample and measuring out of it, and saying when that is worth nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.trading.optimize.worlds import OWN, measured, of_hours, went
from trading.optimize.folds import WalkFold, Windows, folds
from trading.optimize.luck import SURE
from trading.optimize.measure import Measure, Measured, Metric
from trading.optimize.spaces import Dimension, Space, Value, space
from trading.optimize.study import Studies
from trading.optimize.walk import Plan, Walk, WalkReport

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=700)
X = Dimension(name="x", kind=int, low=0, high=4)
Daily = Callable[[int, datetime], list[float]]


def a_plan(**changes: object) -> Plan:
    plan = Plan(
        name="test",
        space=Space(dimensions=(X,)),
        own={"x": 0},
        folds=folds(BEGIN, END, count=4, windows=Windows.ROLLING, zone=UTC),
        metric=Metric.SHARPE,
        trials=15,
        seed=1,
    )
    return replace(plan, **changes)  # type: ignore[arg-type]  # replace checks the names


def walked(daily: Daily, plan: Plan | None = None) -> WalkReport:
    """Walk where settings go as *daily* says: returns of x, from a moment on."""

    def measure(values: Mapping[str, Value], begin: datetime, end: datetime) -> Measured | None:
        return measured(went(begin, end, daily(int(values.get("x", 0)), begin)))

    walk = Walk(plan or a_plan(), measure, Studies())
    walk.search(lambda fold, many, best: None)
    report = walk.report()
    assert report is not None
    return report


def lasting(x: int, begin: datetime) -> list[float]:
    """3 is truly better than the others, at all times."""
    noise = np.random.default_rng(3).normal(0, 0.01, 700)
    return [float(each) for each in noise + (0.004 if x == 3 else 0.0001 * x)]


def lucky(x: int, begin: datetime) -> list[float]:
    """None is better than another; each window draws anew."""
    dice = np.random.default_rng([x, int(begin.timestamp())])
    return [float(each) for each in dice.normal(0, 0.01, 700)]


def test_what_lasts_is_found_in_every_fold_and_nothing_speaks_against_it() -> None:
    report = walked(lasting)
    assert [each.values for each in report.folds] == [{"x": 3}] * 4
    assert all(each.deflated is not None and each.deflated > SURE for each in report.folds)
    assert report.doubts() == []
    assert report.wandered(X) == 0.0
    assert report.chosen.growth > report.shipped.growth


def test_luck_is_called_luck() -> None:
    report = walked(lucky)
    assert all(each.deflated is not None and each.deflated < SURE for each in report.folds)
    assert report.doubts()[0].startswith("The best is likely luck in 4 of 4 folds: ")


def test_what_only_worked_in_sample_is_seen_out_of_it() -> None:
    cuts = {fold.cut for fold in a_plan().folds}

    def fades(x: int, begin: datetime) -> list[float]:
        shift = -0.008 if begin in cuts else 0.0
        return [each + shift for each in lasting(x, begin)]

    doubts = walked(fades, a_plan(folds=a_plan().folds[:1])).doubts()
    assert doubts[0].startswith("It does not last: a Sharpe ratio of ")
    assert "Out of sample it lost money" in doubts
    assert "Out of sample it made less than holding" in doubts


def test_values_that_wander_are_named() -> None:
    starts = [fold.begin for fold in a_plan().folds]

    def wanders(x: int, begin: datetime) -> list[float]:
        best = 4 * (starts.index(begin) % 2) if begin in starts else -1
        return lasting(3 if x == best else 1, begin)

    report = walked(wanders, a_plan(trials=20))
    assert [each.values["x"] for each in report.folds] == [0, 4, 0, 4]
    assert "No value of x stands out: it moved over half of its range" in report.doubts()


def test_the_settings_of_the_trader_are_among_those_that_are_tried() -> None:
    tried: list[Value] = []

    def measure(values: Mapping[str, Value], begin: datetime, end: datetime) -> Measured:
        tried.append(values["x"])
        return measured(went(begin, end, lasting(1, begin)))

    Walk(a_plan(own={"x": 4}, trials=1), measure, Studies()).search(lambda *told: None)
    assert tried == [4] * 4


def test_what_is_fixed_is_the_same_in_every_try_and_not_in_the_settings_as_they_are() -> None:
    asked: list[Mapping[str, Value]] = []

    def measure(values: Mapping[str, Value], begin: datetime, end: datetime) -> Measured:
        asked.append(values)
        return measured(went(begin, end, lasting(1, begin)))

    plan = a_plan(space=Space(dimensions=(X,), fixed={"y": 3}), trials=2)
    walk = Walk(plan, measure, Studies())
    walk.search(lambda *told: None)
    assert all(values["y"] == 3 for values in asked)
    walk.report()
    assert {} in asked


def test_a_seed_tries_the_same_again() -> None:
    def tried(seed: int) -> list[Value]:
        found: list[Value] = []

        def measure(values: Mapping[str, Value], begin: datetime, end: datetime) -> Measured:
            found.append(values["x"])
            return measured(went(begin, end, lasting(int(values["x"]), begin)))

        plan = a_plan(seed=seed, folds=a_plan().folds[:1])
        Walk(plan, measure, Studies()).search(lambda *told: None)
        return found

    assert tried(1) == tried(1)
    assert tried(1) != tried(2)


def test_a_fold_in_which_nothing_fits_together_is_told() -> None:
    walk = Walk(a_plan(), lambda values, begin, end: None, Studies())
    with pytest.raises(ValueError, match="No settings of fold 1 agree with each other"):
        walk.search(lambda *told: None)


def test_whoever_stops_early_is_told_of_the_folds_that_were_tried() -> None:
    def stops(fold: WalkFold, many: int, best: float | None) -> None:
        if fold.number == 3:
            raise KeyboardInterrupt

    walk = Walk(
        a_plan(),
        lambda values, begin, end: measured(went(begin, end, lasting(1, begin))),
        Studies(),
    )
    with pytest.raises(KeyboardInterrupt):
        walk.search(stops)
    report = walk.report()
    assert report is not None
    assert [each.fold.number for each in report.folds] == [1, 2, 3]


@pytest.mark.slow
def test_on_real_hours_the_report_is_that_of_the_backtests() -> None:
    plan = a_plan(
        space=space("ema_cross", ["slow=40:60:4"]),
        own=OWN,
        folds=folds(
            datetime(2025, 8, 30, tzinfo=UTC), datetime(2025, 10, 15, tzinfo=UTC),
            count=2, windows=Windows.ANCHORED, zone=UTC,
        ),
        trials=4,
    )  # fmt: skip
    measure = Measure(of_hours)
    walk = Walk(plan, measure, Studies())
    walk.search(lambda *told: None)
    report = walk.report()
    assert report is not None
    for each in report.folds:
        alone = Measure(of_hours)(each.values, each.fold.cut, each.fold.end)
        assert alone is not None
        np.testing.assert_array_equal(alone.traded.equity, each.chosen.outside.traded.equity)
        inside = each.chosen.inside.traded.score(Metric.SHARPE)
        assert inside >= each.shipped.inside.traded.score(Metric.SHARPE)
