from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import after
from trading.risk.drawdown import (
    Guard,
    LossReading,
    day_begin,
    day_end,
    day_of,
    drawdown,
    floor,
    loss_share,
    week_of,
)
from trading.types import ZERO

D = Decimal
PAST, INSIDE = D("0.031"), D("0.029")


def at(seconds: float, value: Decimal | None = PAST, *, stale: bool = False) -> LossReading:
    return LossReading(value, after(seconds=seconds), stale)


def breached(*readings: LossReading) -> bool:
    guard, answer = Guard(kind="day", limit=D("0.03")), False
    for reading in readings:
        guard, answer = guard.observe(reading)
    return answer


def test_three_readings_in_a_row_past_the_limit_are_a_breach() -> None:
    assert not breached(at(0), at(1))
    assert breached(at(0), at(1), at(2))


def test_reaching_the_limit_is_enough() -> None:
    assert breached(*(at(second, D("0.03")) for second in range(3)))


def test_one_reading_inside_the_limit_starts_afresh() -> None:
    assert not breached(at(0), at(1), at(2, INSIDE), at(3), at(4))
    assert breached(at(0), at(1), at(2, INSIDE), at(3), at(4), at(5))


UNREADABLE = [None, D("NaN"), D("Infinity"), D("-Infinity")]


@pytest.mark.parametrize("value", UNREADABLE, ids=str)
def test_an_unreadable_value_neither_counts_nor_starts_afresh(value: Decimal | None) -> None:
    assert not breached(at(0), at(1), at(2, value))
    assert breached(at(0), at(1), at(2, value), at(3))


def test_a_stale_reading_neither_counts_nor_starts_afresh() -> None:
    assert not breached(at(0), at(1), at(2, stale=True))
    assert breached(at(0), at(1), at(2, INSIDE, stale=True), at(3))


def test_the_same_prices_read_again_are_one_reading() -> None:
    assert not breached(at(0), at(0), at(0), at(1), at(1))
    assert breached(at(0), at(1), at(1, INSIDE), at(2))


def test_an_older_reading_that_comes_late_changes_nothing() -> None:
    assert not breached(at(0), at(9, INSIDE), at(1), at(2), at(3))


def test_readings_nearer_than_a_second_are_one() -> None:
    assert not breached(at(0), at(0.4), at(0.8), at(1.2))
    assert breached(at(0), at(0.4), at(1), at(1.5), at(2))


def test_a_breach_lasts_until_a_reading_is_inside_again() -> None:
    three = (at(0), at(1), at(2))
    assert breached(*three, at(3), at(4, None))
    assert not breached(*three, at(3, INSIDE))


@pytest.mark.parametrize("limit", ["0", "-0.1", "NaN"])
def test_a_guard_without_a_limit_is_not_made(limit: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        Guard(kind="day", limit=D(limit))


VALUES = st.sampled_from([PAST, INSIDE, None, D("NaN")])


@given(st.lists(st.tuples(st.integers(0, 40), VALUES, st.booleans()), max_size=40))
def test_no_breach_without_three_good_readings_a_second_apart(
    told: list[tuple[int, Decimal | None, bool]],
) -> None:
    guard = Guard(kind="day", limit=D("0.03"))
    for quarter, value, stale in told:
        reading = at(quarter / 4, value, stale=stale)
        guard, answer = guard.observe(reading)
        if not answer:
            continue
        first, second, third = guard.readings
        assert (second.at - first.at).total_seconds() >= 1
        assert (third.at - second.at).total_seconds() >= 1
        assert all(r.value == PAST and not r.stale for r in guard.readings)


# -- figures ----------------------------------------------------------------------------------


def test_drawdown_is_the_share_of_the_peak_that_is_lost() -> None:
    assert drawdown(D(9_000), D(10_000)) == D("0.1")
    assert drawdown(D(11_000), D(10_000)) == ZERO


def test_a_loss_is_positive_and_a_gain_negative() -> None:
    assert loss_share(D(9_700), D(10_000)) == D("0.03")
    assert loss_share(D(10_100), D(10_000)) == D("-0.01")


@pytest.mark.parametrize(
    ("equity", "start"), [(None, D(1)), (D("NaN"), D(1)), (D(1), ZERO), (D(1), D("NaN"))], ids=str
)
def test_what_cannot_be_known_is_none(equity: Decimal | None, start: Decimal) -> None:
    assert drawdown(equity, start) is None
    assert loss_share(equity, start) is None


def test_the_floor_is_the_equity_at_which_the_guard_halts() -> None:
    halts_at = floor(D(10_000), D("0.1"))
    assert halts_at == D(9_000)
    assert drawdown(halts_at, D(10_000)) == D("0.1")


# -- risk days --------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_risk_day_begins_at_midnight_of_the_desks_zone() -> None:
    assert day_of(datetime(2026, 1, 5, 22, 59, tzinfo=UTC), BERLIN) == date(2026, 1, 5)
    assert day_of(datetime(2026, 1, 5, 23, 0, tzinfo=UTC), BERLIN) == date(2026, 1, 6)
    assert day_of(datetime(2026, 7, 5, 22, 0, tzinfo=UTC), BERLIN) == date(2026, 7, 6)


def test_a_risk_week_begins_on_its_monday() -> None:
    assert week_of(datetime(2026, 1, 11, 22, 59, tzinfo=UTC), BERLIN) == date(2026, 1, 5)
    assert week_of(datetime(2026, 1, 11, 23, 0, tzinfo=UTC), BERLIN) == date(2026, 1, 12)


def test_a_time_without_a_zone_belongs_to_no_day() -> None:
    with pytest.raises(ValueError, match="zone"):
        day_of(datetime(2026, 1, 5), BERLIN)  # noqa: DTZ001  # that is the point


def test_a_day_with_a_change_of_clocks_is_as_long_as_it_is() -> None:
    noon = datetime(2025, 10, 26, 12, tzinfo=UTC)

    assert day_begin(noon, BERLIN) == datetime(2025, 10, 25, 22, tzinfo=UTC)
    assert (day_end(noon, BERLIN) - day_begin(noon, BERLIN)).total_seconds() == 25 * 3600
