"""The schema that migrations make is the one that the code believes in."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
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
