"""The SQLite file: opened so that a commit is on the disk, and written by one thread.

Everything here blocks; `SqlStore` calls it from the writer's own thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from storage import migrate
from storage.backup import refuse_foreign_wal, rescue
from storage.identity import Identity, identity_of
from storage.statements import Rows, Statements, readable
from trading.errors import StoreError

Value = TypeVar("Value")

_FULL = 2
_LONGEST_WAL = 16 * 2**20
"""Bytes; a crowd may make it longer, and then it is cut."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_REASONS = (
    ("SQLITE_FULL", "the disk is full"),
    ("SQLITE_BUSY", "another program holds the database"),
    ("SQLITE_LOCKED", "another program holds the database"),
    ("SQLITE_READONLY", "the database is read-only"),
    ("SQLITE_CANTOPEN", "the database cannot be opened"),
    ("SQLITE_IOERR", "the disk failed"),
    ("SQLITE_CORRUPT", "the database is damaged"),
    ("SQLITE_NOTADB", "the file is not a database"),
    ("SQLITE_TOOBIG", "a value is too large"),
)


def url_of(path: Path, driver: str) -> URL:
    """Taken apart, so that a folder may have any name."""
    return URL.create(driver, database=str(path))


def url_to_read(path: Path, driver: str) -> URL:
    """The same for whoever must not make the file where it is missing."""
    query = {"mode": "rw", "uri": "true"}
    return URL.create(driver, database=path.absolute().as_uri(), query=query)


def connect_to(engine: Engine, *, busy_timeout: float, begin: str) -> None:
    """Have every connection of *engine* durable, impatient and explicit about transactions.

    The driver's own transactions begin only at the first write; ours begin with *begin*, so that
    reads see one snapshot and a writer knows at once that it may write.
    """

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            _set_up(cursor, busy_timeout)
        finally:
            cursor.close()

    @event.listens_for(engine, "begin")
    def explicit(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _set_up(cursor: Any, busy_timeout: float) -> None:
    cursor.execute(f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}")
    mode = _pragma(cursor, "journal_mode = WAL")
    cursor.execute(f"PRAGMA journal_size_limit = {_LONGEST_WAL}")
    cursor.execute("PRAGMA synchronous = FULL")
    if mode != "wal" or _pragma(cursor, "synchronous") != _FULL:
        raise StoreError("history cannot be made durable: SQLite refuses WAL or synchronous=FULL")


def _pragma(cursor: Any, text: str) -> Any:
    cursor.execute(f"PRAGMA {text}")
    return cursor.fetchone()[0]


def refuse_another(engine: Engine, gone: Callable[[], str]) -> None:
    """Have *engine* open no file that took the place of the one we write."""

    @event.listens_for(engine, "connect")
    def check(connection: Any, record: object) -> None:
        if found := gone():
            connection.close()
            raise StoreError(f"history could not be read: {found}")


def _lay_out(path: Path) -> None:
    """Have a new file able to give pages back: it must be said before anything is in it."""
    if path.exists() and path.stat().st_size:
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")


class SqliteWriter:
    """The only connection that writes.  All methods belong to one thread."""

    def __init__(self, path: Path, *, busy_timeout: float, attempts: int) -> None:
        self._path = path
        self._attempts = attempts
        self._engine = create_engine(url_of(path, "sqlite"), poolclass=NullPool)
        self._statements = Statements(self._engine.dialect)
        self._connection: Connection | None = None
        self._identity = Identity({})
        self._damage = ""
        connect_to(self._engine, busy_timeout=busy_timeout, begin="BEGIN IMMEDIATE")

    def open(self) -> None:
        """Bring the file to this version's schema.  Raises `StoreError`."""
        try:
            refuse_foreign_wal(self._path)
            migrate.refuse_newer(self._path)
            _lay_out(self._path)
            self._connection = self._engine.connect()
            migrate.bring_up(self._connection)
            self._identity = identity_of(self._path)
        except StoreError:
            self.close()
            raise
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(f"history {self._path}: {reason(error)}{_advice(error)}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def write(self, group: Sequence[Rows]) -> list[StoreError | None]:
        """Write *group* in one transaction; tell for each of its members how it went.

        In a file that is not at its path any more nothing is durable: it is written all the same,
        for `rescue`, and told as not written.
        """
        gone = self.gone()
        told = self._write(group)
        if gone or (gone := self.gone()):
            return [StoreError(f"history could not be written: {gone}")] * len(group)
        return told

    def gone(self) -> str:
        """What has become of the file that is open; empty if it is at its path, and whole."""
        return self._identity.gone() or self._damage

    @property
    def is_damaged(self) -> bool:
        """Something was found in the file that SQLite did not write."""
        return bool(self._damage)

    def notice(self, error: BaseException) -> None:
        """Take note if *error*, met by whoever asked the file, tells that it is damaged.

        From then on nothing in it counts as durable, until a start has looked at all of it.
        """
        if _name(error).startswith(_DAMAGED):
            self._damage = f"{self._path.name} was damaged while the desk runs"

    def rescue(self, target: Path) -> None:
        """Copy what is open to *target*, over an earlier rescue.  Raises `StoreError`."""
        live: Any = self._opened().connection.driver_connection
        rescue(live, target, of=self._path.name)

    def _write(self, group: Sequence[Rows]) -> list[StoreError | None]:
        """As `write`.

        When the whole fails, each is written by itself, so that only the bad one suffers; unless
        the database is held by somebody else, when each would only wait as long again.
        """
        error = self._try(group)
        if error is None:
            return [None] * len(group)
        if _is_transient(error):
            return [_told(error) for _ in group]
        return [self._alone(item) for item in group]

    def ask(self, step: Callable[[Connection], Value]) -> Value:
        """Take one short step, of no urgency, in a transaction of its own.  Raises `StoreError`."""
        connection = self._opened()
        try:
            with connection.begin():
                return step(connection)
        except (SQLAlchemyError, sqlite3.Error) as error:
            self.notice(error)
            raise _told(error) from error

    def checkpoint(self) -> None:
        """Take what is in the log over into the file, as far as readers allow."""
        connection: Any = self._opened().connection.driver_connection
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _opened(self) -> Connection:
        if self._connection is None:
            raise StoreError("history is closed")
        return self._connection

    def _alone(self, item: Rows) -> StoreError | None:
        error = self._try([item])
        if isinstance(error, UnicodeEncodeError):
            # Half a character, cut off by some chat: no reason to forget a stop.
            error = self._try([readable(item)])
        return None if error is None else _told(error)

    def _try(self, group: Sequence[Rows]) -> Exception | None:
        error: Exception | None = None
        for _ in range(self._attempts):
            error = self._once(group)
            if error is None or not _is_transient(error):
                break
        return error

    def _once(self, group: Sequence[Rows]) -> Exception | None:
        try:
            connection = self._opened()
            with connection.begin():
                self._statements.write(connection, group)
        except StoreError as error:
            return error
        except (SQLAlchemyError, sqlite3.Error, ValueError, OverflowError, TypeError) as error:
            self.notice(error)
            return error
        return None


def reason(error: BaseException) -> str:
    """What went wrong, for a person."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = _name(error)
    said = next((text for prefix, text in _REASONS if name.startswith(prefix)), None)
    return f"{cause}" if said is None else f"{said} ({cause})"


def _advice(error: BaseException) -> str:
    """What to do about a history that cannot be opened."""
    if _name(error).startswith(_DAMAGED):
        return (
            ". Nothing was changed. Put a backup in its place, or begin anew, which keeps this one"
            " aside: quarterdeck run --fresh"
        )
    return ""


def _told(error: Exception) -> StoreError:
    told = StoreError(f"history could not be written: {reason(error)}")
    told.__cause__ = error
    return told


def _is_transient(error: Exception) -> bool:
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _name(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlite_errorname", "")
