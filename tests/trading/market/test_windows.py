from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.market import indicators
from trading.market.candles import Panel
from trading.market.recording import crash_of_may_2021
from trading.market.windows import ema, faded, longer_closes, recent, wilder

CRASH = crash_of_may_2021().candles
HOUR = 3_600_000

rows = st.lists(st.one_of(st.floats(1, 1e6), st.just(float("nan"))), min_size=1, max_size=80).map(
    lambda values: np.array([values])
)


def plain(panel: Panel, kept: float, columns: int, column: int) -> float:
    """The definition, one place at a time."""
    past = panel[0, max(0, column + 1 - columns) : column + 1][::-1]
    weights = kept ** np.arange(past.size) * np.isfinite(past)
    whole = sum(kept**k for k in range(columns))
    if np.isnan(past[0]) or weights.sum() < whole / 2:
        return float("nan")
    return float(np.nansum(weights * np.nan_to_num(past)) / weights.sum())


@given(rows, st.floats(0.5, 0.99), st.integers(1, 40))
def test_a_faded_average_is_what_its_definition_says(
    panel: Panel, kept: float, columns: int
) -> None:
    expected = [[plain(panel, kept, columns, n) for n in range(panel.shape[1])]]
    np.testing.assert_allclose(faded(panel, kept=kept, columns=columns), expected, rtol=1e-9)


@given(rows, st.integers(1, 30), st.data())
def test_nothing_before_its_columns_matters_not_even_the_last_bit(
    panel: Panel, columns: int, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, max(0, panel.shape[1] - columns)))
    whole, part = (faded(each, kept=0.9, columns=columns) for each in (panel, panel[:, begin:]))
    counted = slice(begin + columns - 1, None)
    np.testing.assert_array_equal(part[:, columns - 1 :], whole[:, counted])


@pytest.mark.parametrize("length", [9, 26])
def test_four_lengths_are_as_good_as_an_ema_that_never_forgets(length: int) -> None:
    windowed, endless = (
        ema(CRASH.close, length, columns=4 * length),
        indicators.ema(CRASH.close, length),
    )
    late = slice(10 * length, None)
    np.testing.assert_allclose(windowed[:, late], endless[:, late], rtol=2e-4)


def test_wilders_average_fades_more_slowly() -> None:
    ranges = indicators.true_range(CRASH)
    windowed, endless = wilder(ranges, 14, columns=112), indicators.atr(CRASH, 14)
    np.testing.assert_allclose(windowed[:, 300:], endless[:, 300:], rtol=5e-3)


def test_a_longer_bar_is_known_only_once_it_has_ended() -> None:
    times = HOUR * np.arange(3, 11)  # closes of 03:00 to 10:00
    closes, known = longer_closes(np.arange(3.0, 11)[np.newaxis], times, span=4 * HOUR)
    assert closes.tolist() == [[4.0, 8.0, 10.0]]  # 10:00 is as far as the third has come
    assert known.tolist() == [-1, 0, 0, 0, 0, 1, 1, 1]


def test_a_longer_bar_ends_with_the_last_bar_that_a_symbol_has() -> None:
    panel = np.array([[1.0, 2.0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 9.0]])
    closes, _ = longer_closes(panel, HOUR * np.arange(1, 10), span=4 * HOUR)
    np.testing.assert_array_equal(closes, [[2.0, np.nan, 9.0]])


def test_longer_bars_without_any_column_are_missing() -> None:
    times = HOUR * np.array([4, 13])
    closes, known = longer_closes(np.array([[1.0, 2.0]]), times, span=4 * HOUR)
    np.testing.assert_array_equal(closes, [[1.0, np.nan, np.nan, 2.0]])
    assert known.tolist() == [0, 2]


def test_of_nothing_there_are_no_longer_bars() -> None:
    closes, known = longer_closes(np.empty((2, 0)), np.empty(0, dtype=np.int64), span=HOUR)
    assert closes.shape == (2, 0)
    assert known.size == 0


def test_what_is_recent_is_forgotten() -> None:
    happened = np.array([[False, True, False, False, False]])
    assert recent(happened, 3).tolist() == [[-1, 1, 1, 1, -1]]


@pytest.mark.parametrize("wrong", [{"kept": 1.0, "columns": 3}, {"kept": 0.5, "columns": 0}])
def test_lengths_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"kept|columns"):
        faded(np.ones((1, 3)), **wrong)  # type: ignore[arg-type]  # that is the point
