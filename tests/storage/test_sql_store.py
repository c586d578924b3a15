"""What only a database has to promise: durability, and plain words when it fails."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from storage.sqlite import connect_to
from storage.store import SqlStore
from tests.contracts.builders import NOON, a_decision, a_halt, a_word, an_alert, an_order
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.ports import Change, WritePriority

CLOCK = ManualClock(NOON)
TOO_LARGE = 2**70
"""No database takes such an integer."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    made = await SqlStore.open(path, clock=CLOCK, busy_timeout=0.01, retry_for=0.03)
    yield made
    await made.close()


def held_by_another(path: Path) -> sqlite3.Connection:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def limit_pages(store: SqlStore, pages: int) -> None:
    """The database may have that many more pages than now: a disk that fills up."""

    def limit() -> None:
        writer = store._writer._connection
        assert writer is not None
        count = writer.exec_driver_sql("PRAGMA page_count").scalar_one()
        writer.exec_driver_sql(f"PRAGMA max_page_count = {count + pages}")
        writer.rollback()

    await store._in_thread(limit)


async def test_what_was_committed_is_there_after_a_restart(store: SqlStore, path: Path) -> None:
    await store.commit(Change(orders=(an_order(),), halts=a_halt().parts))
    await store.close()

    again = await SqlStore.open(f"sqlite:///{path}", clock=CLOCK)
    assert await again.order("qd-1") == an_order()
    assert list(await again.halts()) == [a_halt()]
    await again.close()


async def test_every_connection_is_durable(store: SqlStore) -> None:
    def settings(connection: Connection) -> tuple[object, object]:
        ask = connection.exec_driver_sql
        return ask("PRAGMA synchronous").scalar(), ask("PRAGMA journal_mode").scalar()

    writer = store._writer._connection
    assert writer is not None
    assert await store._in_thread(settings, writer) == (2, "wal")
    assert await store._read(settings) == (2, "wal")


def test_a_database_that_cannot_be_durable_is_refused() -> None:
    in_memory = create_engine("sqlite://", poolclass=NullPool)
    connect_to(in_memory, busy_timeout=0.01, begin="BEGIN")

    with pytest.raises(StoreError, match="cannot be made durable"):
        in_memory.connect()


async def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"shopping list: bread, cheese " * 100)

    with pytest.raises(StoreError, match="not a database"):
        await SqlStore.open(path, clock=CLOCK)
    assert path.read_bytes().startswith(b"shopping list")


async def test_a_server_is_not_offered_yet() -> None:
    with pytest.raises(StoreError, match="postgresql is not built yet"):
        await SqlStore.open("postgresql+psycopg://desk@db/history", clock=CLOCK)


async def test_one_bad_writer_does_not_take_the_others_along(store: SqlStore) -> None:
    outcomes = await asyncio.gather(
        store.commit(Change(orders=(an_order("qd-1"),))),
        store.commit(Change(decisions=(a_decision(confidence=TOO_LARGE),))),
        store.commit(Change(orders=(an_order("qd-2"),))),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), StoreError, type(None)]
    assert {order.id for order in await store.orders("majors", limit=9)} == {"qd-1", "qd-2"}


async def test_a_change_is_written_whole_or_not_at_all(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="too large"):
        await store.commit(
            Change(orders=(an_order(),), decisions=(a_decision(confidence=TOO_LARGE),))
        )
    assert await store.order("qd-1") is None


async def test_a_full_disk_refuses_what_does_not_fit_and_takes_the_rest(store: SqlStore) -> None:
    await store.commit(Change(orders=(an_order("qd-0"),)))
    await limit_pages(store, 20)

    outcomes = await asyncio.gather(
        store.commit(Change(orders=(an_order("qd-1"),))),
        store.commit(Change(audit=(a_word(answer="x" * 1_000_000),))),
        store.commit(Change(halts=a_halt().parts), WritePriority.HALT),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), StoreError, type(None)]
    assert "the disk is full" in str(outcomes[1])
    assert len(await store.halts()) == 1

    await limit_pages(store, 10_000)
    await store.commit(Change(audit=(a_word(answer="x" * 1_000_000),)))
    assert await store.audited("tg-1") is not None


async def test_a_database_held_by_another_program_is_named_and_works_later(
    store: SqlStore, path: Path
) -> None:
    with closing(held_by_another(path)):
        with pytest.raises(StoreError, match="another program holds the database"):
            await store.commit(Change(orders=(an_order(),)))
        assert await store.order("qd-1") is None, "reading goes on meanwhile"

    await store.commit(Change(orders=(an_order(),)))
    assert await store.order("qd-1") == an_order()


async def test_a_lock_that_goes_away_in_time_is_waited_for(path: Path) -> None:
    store = await SqlStore.open(path, clock=CLOCK, busy_timeout=0.01, retry_for=60)
    other = held_by_another(path)
    commit = asyncio.ensure_future(store.commit(Change(orders=(an_order(),))))
    await asyncio.sleep(0)
    other.close()

    await commit
    assert await store.order("qd-1") == an_order()
    await store.close()


async def test_who_stops_waiting_does_not_stop_the_write(store: SqlStore, path: Path) -> None:
    commit = asyncio.ensure_future(store.commit(Change(orders=(an_order(),))))
    await asyncio.sleep(0)
    commit.cancel()
    await store.close()

    again = await SqlStore.open(path, clock=CLOCK)
    assert await again.order("qd-1") == an_order()
    await again.close()


async def test_who_stops_waiting_for_an_answer_leaves_no_connection_broken(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At a signal during the start: the pool would complain, with a traceback, on the terminal."""
    store = await SqlStore.open(f"sqlite:///{path}", clock=CLOCK)
    for turns in range(0, 400, 5):
        reading = asyncio.create_task(store.order("qd-1"))
        for _ in range(turns):
            await asyncio.sleep(0)
        while not reading.done():  # as an ending process does, which cancels all that is left
            reading.cancel()
            await asyncio.sleep(0)
    await store.close()

    assert caplog.records == []


async def test_closing_writes_what_still_waits(store: SqlStore, path: Path) -> None:
    commits = [
        asyncio.ensure_future(store.commit(Change(orders=(an_order(f"qd-{n}"),))))
        for n in range(999)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*commits)

    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (999,)


async def test_half_a_character_does_not_keep_a_halt_from_being_written(store: SqlStore) -> None:
    await store.commit(Change(halts=a_halt(why="crash \ud83d").parts), WritePriority.HALT)

    assert [halt.why for halt in await store.halts()] == ["crash ?"]


async def test_delivery_is_dated_by_the_clock(store: SqlStore, path: Path) -> None:
    await store.commit(Change(alerts=(an_alert("a-1"),)))
    await store.commit(Change(delivered=("a-1",)))

    with closing(sqlite3.connect(path)) as other:
        found = other.execute("SELECT delivered_at FROM alerts").fetchone()
    assert found == ("2021-05-19T12:00:00.000000+00:00",)


async def test_a_time_without_a_zone_is_a_mistake_of_the_caller(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        await store.commit(Change(orders=(an_order(created_at=NOON.replace(tzinfo=None)),)))
