"""Looking at a history without opening it for use: what `quarterdeck check` tells of it.

Everything here blocks, changes nothing that is kept, and may be used beside the desk that writes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from storage.backup import refuse_foreign_wal
from storage.migrate import HEAD, REVISIONS
from trading.errors import StoreError

_MADE = "alembic_version"
_KEPT = (
    *(f"(SELECT MAX(seq) FROM {table})" for table in ("orders", "fills", "trades")),  # noqa: S608  # ours
    "(SELECT MAX(number) FROM halts)",
)


class HistoryCondition(Enum):
    GOOD = auto()
    EMPTY = auto()
    OLDER = auto()
    NEWER = auto()
    FOREIGN = auto()
    """A database, and not one of ours."""
    MIXED = auto()
    """What lies beside it belongs to another file."""
    HELD = auto()
    DAMAGED = auto()
    UNREADABLE = auto()


@dataclass(frozen=True, slots=True)
class Examined:
    condition: HistoryCondition
    said: str = ""
    """The revision, or what SQLite says."""


def examine(path: Path) -> Examined:
    """Read all of the history at *path*, and take the lock of whoever writes for an instant."""
    try:
        refuse_foreign_wal(path)
        with closing(_reading(path)) as history:
            found = _revision(history)
            (verdict,) = history.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            return Examined(HistoryCondition.DAMAGED, verdict)
        if found.condition in (HistoryCondition.GOOD, HistoryCondition.OLDER):
            _take_its_lock(path)
    except StoreError as error:
        return Examined(HistoryCondition.MIXED, str(error))
    except sqlite3.Error as error:
        return _failed(error)
    return found


def halts_in_force(path: Path) -> set[str]:
    """Their ids; none where the history cannot be asked."""
    rows = _asked(path, "SELECT DISTINCT id FROM halts WHERE lifted_at IS NULL")
    return {str(name) for (name,) in rows}


def last_seen(path: Path) -> datetime | None:
    """When a desk last noted that it lives."""
    rows = _asked(path, "SELECT value FROM notes WHERE name = 'last_seen'")
    return next((datetime.fromisoformat(value) for (value,) in rows), None)


def has_less(path: Path, *, than: Path) -> bool:
    """Whether the history at *path* misses some of what was traded or halted as *than* knows it.

    So does one that is missing, empty or damaged.  One that cannot be asked now is not judged.
    """
    try:
        return any(a < b for a, b in zip(_reach(path), _reach(than), strict=True))
    except sqlite3.Error:
        return False


def _reach(path: Path) -> list[int]:
    """How far it goes, by numbers that only grow and rows that are kept for ever."""
    if not path.exists():
        return [0] * len(_KEPT)
    try:
        with closing(_reading(path)) as history:
            found = history.execute(f"SELECT {', '.join(_KEPT)}").fetchone()  # ours
    except sqlite3.Error as error:
        if _failed(error).condition is HistoryCondition.DAMAGED or "no such table" in str(error):
            return [0] * len(_KEPT)
        raise
    return [int(number or 0) for number in found]


def alerts_wait_since(path: Path) -> dict[str, datetime]:
    """By chat, when the oldest alert came that has not reached it; none where nothing waits."""
    query = 'SELECT "to", MIN(at) FROM alerts WHERE delivered_at IS NULL GROUP BY "to"'
    return {
        chat: datetime.fromisoformat(at).replace(tzinfo=UTC) for chat, at in _asked(path, query)
    }


def _asked(path: Path, query: str) -> list[tuple[str, ...]]:
    if not path.exists():
        return []
    try:
        with closing(_reading(path)) as history:
            return history.execute(query).fetchall()
    except sqlite3.Error:
        return []


def _reading(path: Path) -> sqlite3.Connection:
    """Only read, and leave nothing behind: without a log of writes nobody else is there."""
    alone = not path.with_name(f"{path.name}-wal").exists()
    how = "immutable=1" if alone else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=1)


def _take_its_lock(path: Path) -> None:
    """And give it back: readers would not notice that it is held.  Raises `sqlite3.Error`."""
    where = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(where, uri=True, timeout=1, isolation_level=None)) as history:
        history.execute("BEGIN IMMEDIATE")
        history.execute("ROLLBACK")


def _failed(error: sqlite3.Error) -> Examined:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Examined(HistoryCondition.HELD)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Examined(HistoryCondition.DAMAGED, str(error))
    return Examined(HistoryCondition.UNREADABLE, str(error))


def _revision(history: sqlite3.Connection) -> Examined:
    tables = {name for (name,) in history.execute("SELECT name FROM sqlite_master")}
    rows = history.execute("SELECT version_num FROM alembic_version") if _MADE in tables else ()
    found = next((str(revision) for (revision,) in rows), "")
    if not found:
        return Examined(HistoryCondition.FOREIGN if tables else HistoryCondition.EMPTY)
    if found == HEAD:
        return Examined(HistoryCondition.GOOD, found)
    return Examined(HistoryCondition.OLDER if found in REVISIONS else HistoryCondition.NEWER, found)
