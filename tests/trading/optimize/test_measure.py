"""A window is measured as the backtest itself would, and what it is worth is finite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.trading.optimize.worlds import OWN, of_hours, went
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.feed import moment
from trading.market.candles import Candles
from trading.optimize.measure import BEYOND, Course, Measure, Metric
from trading.optimize.spaces import Value
from trading.stats.ratios import TOO_FEW
from trading.strategies import strategy
from trading.strategies.base import Signals

BEGIN = datetime(2025, 9, 5, tzinfo=UTC)
END = datetime(2025, 9, 20, tzinfo=UTC)


def test_a_window_is_traded_as_a_backtest_of_all_candles_trades_it() -> None:
    whole = run(replace(of_hours({}), begin=BEGIN, end=END))
    found = Measure(of_hours)(OWN, BEGIN, END)
    assert found is not None
    assert len(whole.trades) > 5
    assert found.traded.trips == Course.of(whole).trips
    np.testing.assert_array_equal(found.traded.times, whole.times)
    np.testing.assert_array_equal(found.traded.equity, whole.equity)
    np.testing.assert_array_equal(found.held.equity, whole.holding)
    assert found.traded.stats == whole.stats


class AnswerHooks:
    """Remembers the first and the last bar that it was shown."""

    name, warmup = "watching", 10

    def __init__(self) -> None:
        self.seen: list[datetime] = []

    def signals(self, candles: Candles) -> Signals:
        self.seen += [moment(int(candles.times[0])), moment(int(candles.times[-1]))]
        return strategy("ema_cross", OWN).signals(candles)

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return ""


def test_no_bar_is_shown_but_the_window_and_its_warm_up() -> None:
    watching = AnswerHooks()
    measure = Measure(lambda values: replace(of_hours({}), strategy=watching))
    assert measure({}, BEGIN, END) is not None
    assert watching.seen == [BEGIN - timedelta(hours=10), END]


def test_the_same_settings_are_measured_once() -> None:
    made: list[Mapping[str, Value]] = []

    def make(values: Mapping[str, Value]) -> Backtest:
        made.append(values)
        return of_hours(values)

    measure = Measure(make)
    first = measure({"fast": 5}, BEGIN, END)
    assert measure({"fast": 5}, BEGIN, END) is first
    assert measure({"fast": 6}, BEGIN, END) is not first
    assert len(made) == 2


def test_settings_that_contradict_each_other_measure_nothing() -> None:
    assert Measure(of_hours)({"fast": 50, "slow": 40}, BEGIN, END) is None


def test_windows_join_to_one_account_that_keeps_what_it_has() -> None:
    first = went(BEGIN, END, [0.01])
    second = went(END, END + timedelta(days=10), [-0.02], trades=3)
    both = Course.joined([first, second])
    assert both.growth == pytest.approx(1.01**15 * 0.98**10 - 1)
    assert both.daily == pytest.approx([0.01] * 15 + [-0.02] * 10)
    assert len(both.times) == 26
    assert len(both.trips) == 23
    assert both.stats.drawdown is not None
    assert both.stats.drawdown.share == pytest.approx(1 - 0.98**10)


@pytest.mark.parametrize("metric", Metric)
def test_who_does_nothing_is_worth_nothing(metric: Metric) -> None:
    assert went(BEGIN, END, [0.0], trades=0).score(metric) == 0.0


@pytest.mark.parametrize("metric", Metric)
def test_a_gain_on_a_handful_of_trades_counts_as_none_and_a_loss_as_one(metric: Metric) -> None:
    assert went(BEGIN, END, [0.01, -0.005], trades=3).score(metric) == 0.0
    assert went(BEGIN, END, [0.005, -0.01], trades=3).score(metric) < 0.0


def test_what_never_lost_is_worth_much_and_not_infinitely() -> None:
    always = went(BEGIN, END, [0.01, 0.02])
    assert always.score(Metric.SORTINO) == BEYOND
    assert always.score(Metric.CALMAR) == BEYOND
    assert went(BEGIN, END, [-0.01]).score(Metric.SHARPE) == -BEYOND


def test_scores_are_the_figures_of_stats() -> None:
    course = went(BEGIN, END, [0.01, -0.005, 0.002])
    assert course.score(Metric.SHARPE) == course.stats.sharpe.value
    assert course.score(Metric.GROWTH) == course.growth


def test_too_few_days_have_no_ratio() -> None:
    short = went(BEGIN, BEGIN + timedelta(days=5), [0.01, -0.005])
    assert short.stats.sharpe == TOO_FEW
    assert short.score(Metric.SHARPE) == 0.0
