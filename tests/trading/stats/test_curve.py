"""Equity with no more points than a picture can show, and how a report comes by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.memory import MemoryStore
from tests import builders
from tests.builders import NOON
from tests.world import a_world
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.events import PeriodEnded
from trading.stats.curve import curve
from trading.stats.daybook import DayBook, EquityReading

DAY = date(2025, 10, 10)
MIDNIGHT = datetime(2025, 10, 10, tzinfo=UTC)


def a_book(*equity: float, every: timedelta = timedelta(minutes=1), zone: str = "UTC") -> DayBook:
    points = [
        builders.an_equity_point(at=MIDNIGHT + n * every, equity=Decimal(str(value)))
        for n, value in enumerate(equity)
    ]
    return DayBook.of([], points, ZoneInfo(zone))


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=1_300), st.integers(20, 500))
def test_however_few_points_the_extremes_stay(cents: list[int], most: int) -> None:
    values = [value / 100 for value in cents]
    peaks = [max(values[: n + 1]) for n in range(len(values))]
    deepest = min(value / peak - 1 for value, peak in zip(values, peaks, strict=True))

    found = curve(a_book(*values), first=None, last=DAY + timedelta(days=2), most=most)

    assert found is not None
    assert len(found.times) == len(found.equity) == len(found.drawdown) <= max(most, 20)
    assert list(found.times) == sorted(set(found.times))
    assert (found.equity[0], found.equity[-1]) == (values[0], values[-1])
    assert (min(found.equity), max(found.equity)) == (min(values), max(values))
    assert min(found.drawdown) == pytest.approx(deepest, abs=1e-6)


def test_a_period_begins_with_the_equity_it_began_with_however_old_that_reading_is() -> None:
    book = a_book(10_000, 9_900, 9_950, every=timedelta(hours=30))

    found = curve(book, first=DAY + timedelta(days=1), last=DAY + timedelta(days=2), most=100)

    assert found is not None
    assert found.equity == (10_000, 9_900, 9_950)
    assert found.times[0] == MIDNIGHT + timedelta(days=1)
    assert found.drawdown == (0.0, -0.01, -0.005)


def test_what_is_known_now_is_added_once_and_never_before_what_is_written() -> None:
    book = a_book(10_000, 10_100)
    now = EquityReading(MIDNIGHT + timedelta(minutes=5), Decimal(10_050))

    later = curve(book, first=DAY, last=DAY, most=100, latest=now)
    same = curve(book, first=DAY, last=DAY, most=100, latest=EquityReading(MIDNIGHT, Decimal(1)))

    assert later is not None
    assert later.equity == (10_000, 10_100, 10_050)
    assert same is not None
    assert same.equity == (10_000, 10_100)


def test_days_begin_where_the_desk_says_and_nothing_read_is_no_curve() -> None:
    berlin = a_book(1, 2, 3, every=timedelta(hours=10), zone="Europe/Berlin")

    found = curve(berlin, first=DAY, last=DAY, most=100)

    assert found is not None
    assert found.zone == "Europe/Berlin"
    assert found.equity == (1, 2, 3)  # 02:00, 12:00 and 22:00 there
    assert curve(a_book(), first=DAY, last=DAY, most=100) is None
    assert str(found) == "3 readings"


# -- the report of a day ------------------------------------------------------------------


class Forgetful(MemoryStore):
    """A history that cannot be read."""

    async def day_book(self, trader: str, zone: object) -> DayBook:
        raise StoreError("the disk is gone")


async def over_midnight(store: MemoryStore, clock: ManualClock) -> list[PeriodEnded]:
    world = a_world(*(100.0 + n % 7 for n in range(760)), store=store, clock=clock)
    async with world.running():
        clock.advance(725 * 60)
        await world.trader.cycle()
    return [event for event in world.said if isinstance(event, PeriodEnded)]


async def test_the_report_of_a_day_carries_its_curve() -> None:
    clock = ManualClock(NOON)

    day = next(e for e in await over_midnight(MemoryStore(clock=clock), clock) if e.kind == "day")

    assert day.curve is not None
    assert 1 < len(day.curve.times) <= 300
    assert day.curve.equity[-1] == float(day.equity)
    assert replace(day, curve=None) != day


async def test_a_report_comes_without_a_curve_when_history_cannot_be_read() -> None:
    clock = ManualClock(NOON)

    day = next(e for e in await over_midnight(Forgetful(clock=clock), clock) if e.kind == "day")

    assert day.curve is None
    assert day.equity == 10_000
