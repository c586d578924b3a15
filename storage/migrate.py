"""Bring a database to the schema of this version, and never touch one from a later version.

Alembic takes 0.7 s to import, so it is only asked when there is something to do; that there is
nothing to do is known by comparing two strings.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from trading.errors import StoreError

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Oldest first, the same as in `migrations/versions`; a test compares."""
HEAD = REVISIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"


def refuse_newer(path: Path) -> None:
    """Raise `StoreError` if the file at *path* was written by a version that we do not know.

    It is looked at before anything is set up, because even switching to WAL would change it.
    """
    if not path.exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        if table.fetchone() is None:
            return
        for (revision,) in connection.execute("SELECT version_num FROM alembic_version"):
            if revision not in REVISIONS:
                raise StoreError(
                    f"{path} was written by a newer Quarterdeck (revision {revision}; this one"
                    f" knows up to {HEAD}); install that version again, or restore a backup"
                )


def bring_up(connection: Connection) -> None:
    """Run what is missing, in one transaction: after a crash all of it is there, or nothing."""
    with connection.begin():
        if _revision(connection) != HEAD:
            _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
