"""The history that a benchmark makes up has the shape of today's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bench import history
from storage.store import SqlStore
from tests.builders import NOON
from trading.clocks import SystemClock


async def test_a_made_up_history_fills_every_column_of_its_tables(tmp_path: Path) -> None:
    await (await SqlStore.open(tmp_path / "history.db", clock=SystemClock())).close()
    with closing(sqlite3.connect(tmp_path / "history.db")) as database:
        for table, rows in history._history(NOON).items():
            history._write(database, table, [next(iter(rows))])
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
