"""The schema that migrations make is the one that the code believes in."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from storage import schema
from storage.migrate import HEAD, MIGRATIONS, REVISIONS, bring_up
from storage.statements import KINDS
from storage.store import SqlStore
from tests.contracts.builders import NOON, an_order
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.model.halt import EVERYONE, Reached, Stage, Verb
from trading.ports import Change

CLOCK = ManualClock(NOON)
SQLITE = sqlite_dialect()
UNREAD = ("alembic", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql")


def shape(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(
            connection.execute(
                "SELECT name, sql FROM sqlite_master"
                " WHERE sql IS NOT NULL AND name <> 'alembic_version'"
            )
        )


async def made_by_migrations(path: Path) -> Path:
    await (await SqlStore.open(path, clock=CLOCK)).close()
    return path


def test_the_known_revisions_are_those_of_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)

    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_current_head() == HEAD


async def test_migrating_makes_the_schema_of_the_code(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'code.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()

    assert shape(await made_by_migrations(tmp_path / "migrated.db")) == shape(tmp_path / "code.db")


async def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = await made_by_migrations(tmp_path / "history.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="written by a newer Quarterdeck"):
        await SqlStore.open(path, clock=CLOCK)
    assert path.read_bytes() == before


async def test_a_migration_that_cannot_finish_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE words (whatever TEXT)")

    with pytest.raises(StoreError, match="words already exists"):
        await SqlStore.open(path, clock=CLOCK)
    assert {name for name, _ in shape(path)} == {"words"}


@pytest.mark.slow
def test_alembic_stays_unread_when_there_is_nothing_to_migrate(tmp_path: Path) -> None:
    start = (
        "import asyncio, sys\n"
        "from storage.store import SqlStore\n"
        "from trading.clocks import SystemClock\n"
        "async def start():\n"
        "    await (await SqlStore.open(sys.argv[1], clock=SystemClock())).close()\n"
        "asyncio.run(start())\n"
        f"print([m for m in {UNREAD} if m in sys.modules])\n"
    )
    command = [sys.executable, "-c", start, str(tmp_path / "history.db")]
    first, second = (subprocess.check_output(command, text=True) for _ in range(2))

    assert "alembic" in first
    assert second.strip() == "[]"


async def test_a_state_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "100% mine? #1"
    folder.mkdir()
    path = await made_by_migrations(folder / "history.db")

    store = await SqlStore.open(path, clock=CLOCK)
    await store.commit(Change(orders=(an_order(),)))
    assert await store.order("qd-1") == an_order()
    await store.close()
    assert [found.name for found in folder.iterdir()] == ["history.db"]


def test_postgresql_would_understand_the_same_schema_and_statements() -> None:
    # Its parameters by place, as the driver takes them in a text of our own.
    dialect = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
    for table in schema.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            made = str(CreateIndex(index).compile(dialect=dialect))
            assert "CREATE INDEX" in made
            assert ("WHERE" in made) is ("WHERE" in str(CreateIndex(index).compile(dialect=SQLITE)))
    for kind in KINDS:
        sql = kind.sql(dialect, 2)
        assert sql.count("%s") == 2 * len(kind.columns)
        assert "ON CONFLICT" in sql
        assert "RETURNING" not in sql


def test_accounts_of_before_have_nothing_beside_them(tmp_path: Path) -> None:
    """A difference that was there stays one: only a first comparison measures it."""
    path = tmp_path / "history.db"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.exec_driver_sql(
            "INSERT INTO accounts VALUES ('majors', '100', '98.5', '101', '2026-01-05', '100',"
            " '2026-01-05', '100', '2026-01-05T12:00:00.000000+00:00', 7)"
        )
    with engine.connect() as connection:
        bring_up(connection)
        rows = connection.execute(schema.accounts.select()).mappings().all()
    engine.dispose()

    (kept,) = rows
    assert (kept["wallet"], kept["cursor"], kept["version"]) == (
        "98.5", "2026-01-05T12:00:00.000000+00:00", 7
    )  # fmt: skip
    assert (kept["offset"], kept["equal_at"]) == ("0", None)


# -- halts that an earlier version kept -------------------------------------------------------


STAGES = [
    ["majors", "entries blocked", "2026-01-05T12:00:00+00:00", ""],
    ["minors", "entries blocked", "2026-01-05T12:00:00+00:00", ""],
    ["majors", "saved", "2026-01-05T12:00:01+00:00", ""],
    ["minors", "cancels confirmed", "2026-01-05T12:00:02+00:00", "2/2"],
]


def kept_by_revision_4(path: Path, *halts: tuple[object, ...]) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    engine.dispose()
    with closing(sqlite3.connect(path)) as kept, kept:
        marks = ", ".join("?" * 12)
        kept.executemany(f"INSERT INTO halts VALUES ({marks})", halts)  # marks


async def test_a_halt_of_an_earlier_version_becomes_one_for_each_trader(tmp_path: Path) -> None:
    at, path = "2026-01-05T12:00:00.000000+00:00", tmp_path / "history.db"
    desk_wide = ("H7", 7, "all", 2, "ben", "news", at, "", json.dumps(STAGES), None, "", 9)
    of_one = ("H8", 8, "majors", 1, "anna", "", at, "day", json.dumps(STAGES[:1]), None, "", 2)
    lifted = ("H6", 6, "all", 2, "ben", "", at, "", "[]", at, "anna", 3)
    kept_by_revision_4(path, desk_wide, of_one, lifted)

    store = await SqlStore.open(path, clock=CLOCK)
    wide, own = await store.halts()
    (numbers, *_) = [block for block in await store.halt_numbers("desk", after=0) if block]
    await store.close()

    assert (wide.id, wide.scope, wide.verb, wide.why) == ("H7", EVERYONE, Verb.STOP, "news")
    assert {part.trader for part in wide.parts} == {EVERYONE, "majors", "minors"}
    assert [r.stage for r in wide.stages_of("majors")] == [Stage.ENTRIES_BLOCKED, Stage.SAVED]
    assert wide.stages_of("minors")[-1].note == "2/2"
    assert (own.id, own.scope, own.guard) == ("H8", "majors", "day")
    assert numbers.start == 9


async def test_what_a_migrated_halt_reaches_next_is_kept(tmp_path: Path) -> None:
    at, path = "2026-01-05T12:00:00.000000+00:00", tmp_path / "history.db"
    desk_wide = ("H7", 7, "all", 2, "ben", "news", at, "", json.dumps(STAGES), None, "", 90)
    kept_by_revision_4(path, desk_wide)

    store = await SqlStore.open(path, clock=CLOCK)
    (halt,) = await store.halts()
    flat = replace(halt, stages=(*halt.stages, ("majors", Reached(stage=Stage.FLAT, at=NOON))))
    await store.commit(Change(halts=(flat.part("majors"),)))
    (found,) = await store.halts()
    await store.commit(Change(halts=replace(found, lifted_at=NOON, lifted_by="anna").parts))
    left = await store.halts()
    await store.close()

    assert found.is_flat("majors")
    assert list(left) == []


# -- numbers of halts, by processes that share a history --------------------------------------

RESERVING = """
import asyncio, sys
from datetime import UTC, datetime
from storage.store import SqlStore
from trading.clocks import ManualClock

async def main():
    clock = ManualClock(datetime(2026, 1, 5, tzinfo=UTC))
    store = await SqlStore.open(sys.argv[1], clock=clock, busy_timeout=60)
    print("ready", flush=True)
    sys.stdin.readline()
    after = 0
    for _ in range(20):
        blocks = await store.halt_numbers(sys.argv[2], after=after)
        after = max(number for block in blocks for number in block)
        print(*(f"{block.start}-{block.stop}" for block in blocks if block), flush=True)
    await store.close()

asyncio.run(main())
"""


async def test_processes_that_reserve_at_once_never_share_a_number(tmp_path: Path) -> None:
    path = await made_by_migrations(tmp_path / "history.db")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RESERVING, str(path), owner],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for owner in ("a", "b", "c")
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    told = [process.communicate("go\n")[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    numbers = [n for text in told for block in text.split() for n in _numbers(block)]
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) >= 60 * 100


def _numbers(block: str) -> range:
    first, _, end = block.partition("-")
    return range(int(first), int(end))
