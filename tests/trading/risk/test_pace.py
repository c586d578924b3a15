"""How often a trader may enter: each bound, from both sides."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, after
from tests.trading.risk.test_gate import a_book, a_proposal, approved, refusal
from trading.risk.limits import Limits
from trading.risk.pace import entered, objection

SPACED = Limits(entry_spacing=timedelta(seconds=90))
HOURLY = Limits(entries_per_hour=5)
DAILY = Limits(entries_per_day=120)
CYCLE = Limits(entries_per_cycle=3)


def ago(**span: float) -> datetime:
    return NOON - timedelta(**span)


def every(gap: timedelta, count: int) -> tuple[datetime, ...]:
    """So many entries, the last one a gap before NOON."""
    return tuple(NOON - gap * n for n in range(count, 0, -1))


@pytest.mark.parametrize("limits", [SPACED, HOURLY, DAILY, CYCLE])
def test_whoever_has_not_entered_may(limits: Limits) -> None:
    assert objection(a_book(), limits, NOON) == ""


def test_without_limits_nothing_is_too_fast() -> None:
    book = a_book(entered_at=(NOON,) * 500, entered_now=500)
    assert objection(book, Limits(), NOON) == ""


def test_entries_are_ninety_seconds_apart() -> None:
    said = "entries are at least 90 s apart: none before 12:01"
    assert objection(a_book(entered_at=(ago(seconds=89),)), SPACED, NOON) == said
    assert objection(a_book(entered_at=(ago(seconds=90),)), SPACED, NOON) == ""


def test_the_newest_entry_counts_for_the_gap_in_whatever_order() -> None:
    book = a_book(entered_at=(ago(seconds=30), ago(hours=3)))
    assert objection(book, SPACED, NOON) == "entries are at least 90 s apart: none before 12:01"


def test_two_at_the_same_bar_are_not_apart() -> None:
    assert objection(a_book(entered_at=(NOON,)), SPACED, NOON).endswith("none before 12:02")


def test_the_sixth_within_an_hour_waits_until_the_first_is_an_hour_old() -> None:
    five = every(timedelta(minutes=10), 5)  # 11:10, 11:20, ..., 11:50
    said = "5 entries in the last hour of 5 allowed: none before 12:10"
    assert objection(a_book(entered_at=five), HOURLY, NOON) == said
    assert objection(a_book(entered_at=five[1:]), HOURLY, NOON) == ""
    assert objection(a_book(entered_at=five), HOURLY, after(minutes=9)) != ""
    assert objection(a_book(entered_at=five), HOURLY, after(minutes=10)) == ""


def test_more_than_allowed_wait_for_as_many_to_grow_old() -> None:
    """As when a limit was lowered, or somebody bought by hand."""
    seven = every(timedelta(minutes=5), 7)  # 11:25, 11:30, ..., 11:55
    said = "7 entries in the last hour of 5 allowed: none before 12:35"
    assert objection(a_book(entered_at=seven), HOURLY, NOON) == said


def test_the_hundred_and_twenty_first_within_a_day_waits() -> None:
    many = every(timedelta(minutes=10), 120)  # the first 20 hours ago, at 16:00
    said = "120 entries in 24 hours of 120 allowed: none before 16:00"
    assert objection(a_book(entered_at=many), DAILY, NOON) == said
    assert objection(a_book(entered_at=many[1:]), DAILY, NOON) == ""
    assert objection(a_book(entered_at=many), DAILY, after(hours=4)) == ""


def test_a_cycle_takes_so_many_and_no_more() -> None:
    said = "3 entries in this cycle, as many as are allowed"
    assert objection(a_book(entered_now=3), CYCLE, NOON) == said
    assert objection(a_book(entered_now=2), CYCLE, NOON) == ""
    one = Limits(entries_per_cycle=1)
    assert objection(a_book(entered_now=1), one, NOON).startswith("1 entry in this cycle")


@pytest.mark.parametrize(
    ("limits", "book"),
    [
        (SPACED, {"entered_at": (NOON,)}),
        (HOURLY, {"entered_at": (NOON,) * 5}),
        (DAILY, {"entered_at": (NOON,) * 120}),
        (CYCLE, {"entered_now": 3}),
    ],
)
def test_the_gate_refuses_what_comes_too_fast(
    limits: Limits, book: dict[str, tuple[datetime, ...]]
) -> None:
    told = objection(a_book(**book), limits, NOON)
    assert refusal(a_proposal(), a_book(**book), limits) == told != ""
    assert approved(a_proposal(), a_book(), limits).quantity > Decimal(0)


@given(
    st.lists(st.integers(0, 3 * 86_400), max_size=60),
    st.integers(1, 8),
    st.integers(0, 3 * 86_400),
)
def test_never_more_than_allowed_within_any_hour(wishes: list[int], most: int, first: int) -> None:
    """Whoever enters whenever nothing objects keeps to the limit in every window."""
    limits, made = Limits(entries_per_hour=most), list[datetime]()
    for seconds in sorted(wishes):
        now = NOON + timedelta(seconds=first + seconds)
        if not objection(a_book(entered_at=entered(made, now)), limits, now):
            made.append(now)
    for begin in made:
        within = [m for m in made if begin <= m < begin + timedelta(hours=1)]
        assert len(within) <= most


def test_what_is_a_day_old_is_forgotten() -> None:
    times = (ago(hours=1), ago(hours=24), ago(hours=23, minutes=59))
    assert entered(times, NOON) == (ago(hours=23, minutes=59), ago(hours=1))
