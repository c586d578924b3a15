"""What is forgotten, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage import retention
from storage.retention import hour_of, superfluous
from storage.store import SqlStore
from tests.contracts.builders import (
    NOON,
    a_decision,
    a_halt,
    a_point,
    a_word,
    after,
    an_account,
    an_order,
)
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.ports import Change, WritePriority

DAY = timedelta(days=1)
LONG_AGO = NOON - 400 * DAY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    made = await SqlStore.open(path, clock=ManualClock(NOON), busy_timeout=0.01, retry_for=0.03)
    yield made
    await made.close()


@pytest.mark.parametrize(("minute", "ends"), [(0, 0), (1, 60), (59, 60), (60, 60), (61, 120)])
def test_a_bar_that_closes_at_the_full_hour_belongs_to_the_hour_that_ends(
    minute: int, ends: int
) -> None:
    assert hour_of(after(minute)) == after(ends)


def test_the_last_point_of_each_hour_stays() -> None:
    times = [after(minute) for minute in (1, 30, 60, 61, 119, 180)]
    assert superfluous(times) == [after(1), after(30), after(61)]


async def test_many_pages_are_thinned_to_one_point_an_hour(store: SqlStore) -> None:
    minutes = 40 * 60
    old = tuple(a_point(at=LONG_AGO + timedelta(minutes=n)) for n in range(1, minutes + 1))
    await store.commit(Change(equity=old, accounts=(an_account(cursor=NOON),)))

    tidied = await store.tidy(NOON)
    assert tidied.removed == {"equity": minutes - 40}
    kept = [point.at for point in await store.equity("majors", since=LONG_AGO)]
    assert kept == [LONG_AGO + timedelta(hours=n) for n in range(1, 41)]
    assert (await store.tidy(NOON)).removed == {}


async def test_more_than_a_step_of_everything_goes(store: SqlStore) -> None:
    many = range(3 * retention._ROWS)
    refused = a_decision(bar=LONG_AGO, order_id="", approved=False)
    await store.commit(
        Change(
            accounts=(an_account(cursor=NOON),),
            decisions=tuple(replace(refused, id=f"d-{n}") for n in many),
            audit=tuple(a_word(f"w-{n}", LONG_AGO) for n in many),
        )
    )

    tidied = await store.tidy(NOON)
    assert tidied.removed == {"decisions": len(many), "words": len(many)}


async def test_a_halt_goes_in_between(store: SqlStore) -> None:
    words = tuple(a_word(f"w-{n}", LONG_AGO) for n in range(8 * retention._ROWS))
    await store.commit(Change(audit=words))
    order: list[str] = []

    async def tidy() -> None:
        await store.tidy(NOON)
        order.append("tidied")

    async def halt() -> None:
        await store.commit(Change(halts=a_halt().parts), WritePriority.HALT)
        order.append("halted")

    tidying = asyncio.create_task(tidy())
    await asyncio.sleep(0)
    await asyncio.gather(tidying, halt())
    assert order == ["halted", "tidied"]


async def test_the_disk_gets_back_what_is_not_soon_needed(store: SqlStore, path: Path) -> None:
    words = tuple(a_word(f"w-{n}", LONG_AGO, answer="x" * 2_000) for n in range(2_000))
    await store.commit(Change(audit=words, orders=(an_order(),)))
    before = store.size()

    tidied = await store.tidy(NOON)
    assert tidied.size == store.size()
    assert path.stat().st_size < before / 4
    assert await store.order("qd-1") == an_order()


async def test_a_file_made_without_this_keeps_its_pages_and_is_tidied_all_the_same(
    path: Path,
) -> None:
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE something (x)")
        old.execute("DROP TABLE something")
    store = await SqlStore.open(path, clock=ManualClock(NOON))
    words = tuple(a_word(f"w-{n}", LONG_AGO, answer="x" * 2_000) for n in range(500))
    await store.commit(Change(audit=words))

    assert (await store.tidy(NOON)).removed == {"words": 500}
    await store.close()


async def test_a_database_that_is_held_is_tidied_later(store: SqlStore, path: Path) -> None:
    await store.commit(Change(audit=(a_word("w", LONG_AGO),)))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds the database"):
            await store.tidy(NOON)

    assert (await store.tidy(NOON)).removed == {"words": 1}


async def test_a_closed_history_is_not_tidied(store: SqlStore) -> None:
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.tidy(NOON)
