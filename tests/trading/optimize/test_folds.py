"""Nothing that is measured out of sample was seen by the choice before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.optimize.folds import Windows, folds

BEGIN = datetime(2025, 1, 1, 5, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@given(
    days=st.integers(60, 2_000),
    count=st.integers(1, 8),
    windows=st.sampled_from(Windows),
    zone=st.sampled_from([UTC, BERLIN]),
)
def test_windows_out_of_sample_follow_each_other_and_their_own_sample(
    days: int, count: int, windows: Windows, zone: ZoneInfo
) -> None:
    end = BEGIN + timedelta(days=days)
    found = folds(BEGIN, end, count=count, windows=windows, zone=zone)
    assert len(found) == count
    assert all(fold.begin < fold.cut < fold.end for fold in found)
    assert all(before.end == after.cut for before, after in pairwise(found))
    assert found[0].begin >= BEGIN
    assert found[-1].end <= end
    for fold in found:
        for at in (fold.begin, fold.cut, fold.end):
            assert (at.hour, at.minute) == (0, 0)
            assert at.tzinfo is zone


def test_an_anchored_window_grows_and_a_rolling_one_keeps_its_length() -> None:
    end = BEGIN + timedelta(days=701)
    grows = folds(BEGIN, end, count=4, windows=Windows.ANCHORED, zone=UTC)
    rolls = folds(BEGIN, end, count=4, windows=Windows.ROLLING, zone=UTC)
    assert len({fold.begin for fold in grows}) == 1
    assert [(fold.cut - fold.begin).days for fold in grows] == [300, 400, 500, 600]
    assert [(fold.cut - fold.begin).days for fold in rolls] == [300] * 4
    assert [fold.cut for fold in grows] == [fold.cut for fold in rolls]


def test_a_span_that_is_too_short_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"^9 whole days are too few for 2 folds: each needs 10"):
        folds(BEGIN, BEGIN + timedelta(days=10), count=2, windows=Windows.ROLLING, zone=UTC)
