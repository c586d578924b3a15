"""The sums of a long history: read in pieces, and never anew."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from storage.store import SqlStore
from tests.contracts.builders import BTC, ETH, NOON, a_point, a_trade, after
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.ports import Change
from trading.stats import DayBook

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
