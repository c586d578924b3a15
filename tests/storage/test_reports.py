"""The sums of a long history: read in pieces, and never anew."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.store import SqlStore
from storage.sums import NOTE, Kept, loaded
from tests.contracts.builders import BTC, ETH, NOON, a_point, a_trade, after
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.ports import Change
from trading.stats.daybook import DayBook, EquityReading, floats_of
from trading.stats.tally import RoundTrip
from trading.types import Trade

MANY = 5_000
"""More than are read at a time."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    made = await SqlStore.open(path, clock=ManualClock(NOON))
    yield made
    await made.close()


async def test_a_long_history_is_summed_to_the_last_digit(store: SqlStore) -> None:
    trades = tuple(
        a_trade(
            f"t-{n}",
            symbol=BTC if n % 3 else ETH,
            closed_at=after(20 * n),
            profit=Decimal(n % 7 - 3).scaleb(-18) + n,
        )
        for n in range(MANY)
    )
    points = tuple(a_point(after(20 * n), equity=Decimal(10_000 + n % 50)) for n in range(MANY))
    await store.commit(Change(trades=trades, equity=points))

    book, whole = await store.day_book("majors", UTC), DayBook.of(trades, points, UTC)

    assert (book.trades, book.closes, book.opening) == (whole.trades, whole.closes, whole.opening)
    assert (book.times.tolist(), book.equity.tolist()) == (
        whole.times.tolist(),
        whole.equity.tolist(),
    )


async def test_what_was_summed_is_not_read_again(store: SqlStore, path: Path) -> None:
    await store.commit(Change(trades=(a_trade("t-1"),), equity=(a_point(NOON),)))
    await store.day_book("majors", UTC)
    await store.commit(Change(trades=(a_trade("t-2"),), equity=(a_point(after(1)),)))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE trades SET profit = '999' WHERE id = 't-1'")
        other.execute("DELETE FROM equity WHERE at < ?", (after(1).isoformat(),))
        other.commit()

    book = await store.day_book("majors", UTC)

    assert book.trades[NOON.date()].whole.profit == 2 * a_trade().profit
    assert len(book.times) == 2


async def test_thinned_equity_ends_the_days_as_before(store: SqlStore, path: Path) -> None:
    points = [a_point(after(30 * n), equity=Decimal(10_000 + n)) for n in range(200)]
    await store.commit(Change(equity=tuple(points)))
    full = await store.day_book("majors", UTC)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM equity WHERE at LIKE '%:30:00.000000+00:00'")
        other.commit()
    again = await SqlStore.open(path, clock=ManualClock(NOON))

    thinned = await again.day_book("majors", UTC)
    await again.close()

    assert len(thinned.times) == len(full.times) / 2
    ended = {day: equity for day, equity in full.closes.items() if day < max(full.closes)}
    assert {day: thinned.closes[day] for day in ended} == ended


# -- sums that are kept ----------------------------------------------------------------------


def many(first: int, count: int, trader: str = "majors") -> tuple[Trade, ...]:
    return tuple(
        a_trade(
            f"t-{n}",
            trader=trader,
            symbol=BTC if n % 3 else ETH,
            closed_at=after(7 * n),
            profit=Decimal(n * 7919 % 2001 - 1000).scaleb(-(n % 20)),
        )
        for n in range(first, first + count)
    )


async def summed(path: Path, zone: tzinfo = UTC, trader: str = "majors") -> DayBook:
    """What a new start makes of it."""
    store = await SqlStore.open(path, clock=ManualClock(NOON))
    book = await store.day_book(trader, zone)
    await store.close()
    return book


async def kept_in(path: Path) -> str | None:
    store = await SqlStore.open(path, clock=ManualClock(NOON))
    note = await store.note(NOTE)
    await store.close()
    return note


def same(book: DayBook, trades: Sequence[Trade], zone: tzinfo = UTC) -> bool:
    whole = DayBook.of(trades, (), zone)
    return (book.trades, book.all_time) == (whole.trades, whole.all_time)


async def test_the_next_start_goes_on_from_the_sums_and_they_equal_the_trades(
    store: SqlStore, path: Path
) -> None:
    early, later, others = many(0, MANY), many(MANY, 50), many(0, 30, "minors")
    await store.commit(Change(trades=early + others))
    assert same(await store.day_book("majors", UTC), early)
    await store.close()
    assert await kept_in(path) is not None

    again = await SqlStore.open(path, clock=ManualClock(NOON))
    await again.commit(Change(trades=later))
    book = await again.day_book("majors", UTC)
    await again.close()

    assert same(book, early + later)
    assert same(await summed(path, trader="minors"), others)
    with closing(sqlite3.connect(path)) as other:  # were they read, they would be counted
        other.execute("UPDATE trades SET profit = '999' WHERE id = 't-1'")
        other.commit()
    assert same(await summed(path), early + later)


@pytest.mark.parametrize("note", ["", "{}", "[1, 2]", '["UTC", "x", ["a"], {}]', "coffee"])
async def test_a_note_that_is_no_sums_is_summed_anew(
    store: SqlStore, path: Path, note: str
) -> None:
    await store.commit(Change(trades=many(0, 20), notes=((NOTE, note),)))
    await store.close()

    assert same(await summed(path), many(0, 20))


async def test_sums_of_another_history_or_zone_are_not_taken(store: SqlStore, path: Path) -> None:
    await store.commit(Change(trades=many(0, MANY)))
    await store.day_book("majors", UTC)
    await store.close()
    berlin = ZoneInfo("Europe/Berlin")
    assert same(await summed(path, berlin), many(0, MANY), berlin)

    with closing(sqlite3.connect(path)) as other:  # as after a backup from before, traded on
        other.execute("UPDATE trades SET id = 'x-' || id, profit = '1'")
        other.commit()

    assert (await summed(path)).all_time.whole.profit == MANY


async def test_a_short_history_keeps_no_sums(store: SqlStore, path: Path) -> None:
    await store.commit(Change(trades=many(0, 20)))
    await store.day_book("majors", UTC)
    await store.close()

    assert await kept_in(path) is None


@given(
    st.sets(st.integers(0, 20 * 24 * 60), min_size=1),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"]),
)
def test_readings_as_texts_make_the_book_that_readings_make(minutes: set[int], zone: str) -> None:
    """Through midnights, and the nights in March in which clocks are changed."""
    first = datetime(2021, 3, 10, 12, tzinfo=UTC)
    at = [first + timedelta(minutes=n) for n in sorted(minutes)]
    readings = [EquityReading(moment, Decimal(n).scaleb(-3)) for n, moment in enumerate(at)]
    begin = DayBook(zone=ZoneInfo(zone))
    texts = [r.at.strftime("%Y-%m-%dT%H:%M:%S.%f") for r in readings]

    book = begin.read_on(*floats_of(texts, [str(r.equity) for r in readings]), readings.__getitem__)

    whole = begin.after((), readings)
    assert (book.closes, book.opening) == (whole.closes, whole.opening)
    assert (book.times.tolist(), book.equity.tolist()) == (
        whole.times.tolist(),
        whole.equity.tolist(),
    )


@given(st.lists(st.decimals(-1000, 1000, places=12), max_size=40), st.integers(0, 40))
def test_sums_that_went_through_a_note_go_on_to_the_last_digit(
    profits: list[Decimal], split: int
) -> None:
    trips = [
        RoundTrip(after(n * 97), str(BTC if n % 2 else ETH), "stop", profit, Decimal("0.1"))
        for n, profit in enumerate(profits)
    ]
    whole = DayBook(zone=UTC).after(trips, ())
    part = DayBook(zone=UTC).after(trips[:split], ())
    kept = Kept(zone="UTC", seq=split, last=("majors", "t", "x"), books={"majors": part})

    taken = loaded(kept.dumped(), UTC)

    assert taken is not None
    assert (taken.seq, taken.last) == (kept.seq, kept.last)
    book = taken.books["majors"].after(trips[split:], ())
    assert (book.trades, book.all_time) == (whole.trades, whole.all_time)


async def test_a_number_that_is_none_is_told_and_spoils_nothing(
    store: SqlStore, path: Path
) -> None:
    await store.commit(Change(trades=(a_trade("t-1"), a_trade("t-2"))))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE trades SET profit = 'much' WHERE id = 't-2'")
        other.commit()
        with pytest.raises(StoreError, match="history could not be read"):
            await store.day_book("majors", UTC)
        other.execute("UPDATE trades SET profit = '1' WHERE id = 't-2'")
        other.commit()

    book = await store.day_book("majors", UTC)

    assert book.trades[NOON.date()].whole.trades == 2


async def test_a_store_that_is_closed_sums_nothing(store: SqlStore) -> None:
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.day_book("majors", UTC)


async def test_closing_waits_for_sums_under_way(store: SqlStore) -> None:
    points = tuple(a_point(NOON + timedelta(minutes=n)) for n in range(MANY))
    await store.commit(Change(equity=points))
    reading = asyncio.ensure_future(store.day_book("majors", UTC))
    await asyncio.sleep(0)

    await store.close()

    assert len((await reading).times) == MANY
