"""Copying the history while it is in use, and knowing a copy for what it is."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trading.errors import StoreError

RESTORED = "is_backup"
"""The note in a copy: a desk that starts on it starts halted and compares its books cold."""
_MODE = slice(18, 20)
_NO_WAL = b"\1\1"
"""What the header of each copy has there; that of a history in use says 2, 2."""


def copy(source: Path, target: Path) -> None:
    """Copy the history at *source* to *target*, whole and consistent, by SQLite's own backup.

    Writers go on meanwhile.  *target* appears complete or not at all, and is never overwritten.
    Raises `StoreError`.
    """
    if not source.exists():
        raise StoreError(f"There is no history at {source}: nothing was copied")
    try:
        _refuse_existing(target)
        with _part_of(target) as part:
            with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(part)) as kept:
                live.backup(kept)
                _mark(kept, source.name)
                _check(kept)
            _put_in_place(part, target)
    except OSError as error:
        raise StoreError(f"The backup failed: {target}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise StoreError(f"The backup failed: {error}") from error


def rescue(live: sqlite3.Connection, target: Path, *, of: str) -> None:
    """Copy what the connection *live* has open, whose file may be gone, to *target*.

    *target* is replaced whole.  *of* is the file's name.  Raises `StoreError`.
    """
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _part_of(target) as part:
            with closing(sqlite3.connect(part)) as kept:
                live.backup(kept)
                _mark(kept, of)
                _check(kept)
            _sync(part)
            part.replace(target)
            _sync(target.parent)
    except OSError as error:
        raise StoreError(f"The rescue failed: {target}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise StoreError(f"The rescue failed: {error}") from error


def refuse_foreign_wal(path: Path) -> None:
    """Raise `StoreError` if what lies beside the history at *path* belongs to another file.

    A desk that was killed leaves `history.db-wal`; SQLite would write it into a copy that was put
    in the place of the history it belongs to, and ruin the copy.
    """
    wal = path.with_name(f"{path.name}-wal")
    try:
        with path.open("rb") as history:
            is_copy = history.read(_MODE.stop)[_MODE] == _NO_WAL
        if is_copy and wal.stat().st_size:
            raise StoreError(
                f"{path.name} is a copy, and {wal} belongs to the history that was there before."
                f" Move {wal.name} and {path.name}-shm away, then start again. Nothing was changed"
            )
    except FileNotFoundError:
        return


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise StoreError(f"{target} exists: nothing was copied, nothing is overwritten")


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """An empty file beside *target*, for us only, gone afterwards.

    It is locked, so that two at once do not write into each other's; one that a kill has left
    is used again.
    """
    part = target.with_name(f"{target.name}.part")
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"Another backup to {target} is under way") from None
        try:
            os.ftruncate(handle, 0)
            yield part
        finally:
            part.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _put_in_place(part: Path, target: Path) -> None:
    try:
        target.hardlink_to(part)  # unlike a move it fails if somebody has made one meanwhile
    except FileExistsError:
        _refuse_existing(target)
        raise
    except OSError:  # a stick that knows no links
        _refuse_existing(target)
        part.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mark(kept: sqlite3.Connection, source: str) -> None:
    kept.execute("PRAGMA journal_mode = DELETE")
    kept.execute(
        "INSERT INTO notes (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (RESTORED, source),
    )
    kept.commit()


def _check(kept: sqlite3.Connection) -> None:
    (verdict,) = kept.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged: {' '.join(verdict.split())}")
