"""An append-only file of records, each durable when `append` returns.

One line per record: the CRC32 of the text in hexadecimal, a space, the record as JSON.  Callers
that come while the disk is busy share the next write.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from trading.errors import StoreError

Record = Mapping[str, object]
Value = TypeVar("Value")

_encode_json = json.JSONEncoder(separators=(",", ":")).encode
_CRC_DIGITS = 8


class FileJournal:
    """The `Journal` in one file.  All of its I/O happens in one thread of its own, in order."""

    def __init__(self, path: Path) -> None:
        self._file = _JournalFile(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._work: deque[_Batch | _Errand] = deque()
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, *records: Record) -> None:
        """Write *records* in order.  Raises `StoreError`; TypeError if they are not JSON."""
        data = _lines(records)
        batch = self._work[-1] if self._work else None
        if not isinstance(batch, _Batch):
            batch = _Batch()
            self._enlist(batch)
        await batch.join(data)

    async def records(self) -> Sequence[Record]:
        """All whole records, oldest first.  Raises `StoreError` if one in the middle is corrupt."""
        return await self._errand(self._file.records)

    async def rewrite(self, records: Sequence[Record]) -> None:
        """Replace what was appended before this call; what is appended after it stays."""
        data = _lines(records)
        await self._errand(lambda: self._file.replace(data))

    async def drop(self, is_done: Callable[[Record], bool]) -> None:
        """Leave out the records that *is_done*, in its turn between the appends."""
        await self._errand(lambda: self._file.drop(is_done))

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        if self._closed:
            return
        last = _Errand(self._file.close)
        self._enlist(last)
        self._closed = True
        await last.done
        self._thread.shutdown(wait=False)

    async def _errand(self, call: Callable[[], Value]) -> Value:
        found: list[Value] = []
        errand = _Errand(lambda: found.append(call()))
        self._enlist(errand)
        await errand.done
        return found[0]

    def _enlist(self, work: _Batch | _Errand) -> None:
        if self._closed:
            raise StoreError("the journal is closed")
        self._work.append(work)
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._work:
                work = self._work.popleft()
                call = work.ready(self._file)
                try:
                    await loop.run_in_executor(self._thread, call)
                except Exception as error:  # noqa: BLE001  # the waiters must hear of it
                    work.finish(error)
                else:
                    work.finish(None)
        finally:
            self._running = None


def read(path: Path) -> Sequence[Record]:
    """All whole records of the journal at *path*, without touching it.  Raises `StoreError`.

    It blocks, and may be used beside the desk whose journal it is.
    """
    try:
        return _JournalFile(path).records()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error


class _Batch:
    """Records of several callers on their way to one write."""

    def __init__(self) -> None:
        self._data: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []

    def join(self, data: bytes) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._data.append(data)
        self._waiting.append(done)
        return done

    def ready(self, file: _JournalFile) -> Callable[[], None]:
        data = b"".join(self._data)
        return lambda: file.append(data)

    def finish(self, error: Exception | None) -> None:
        for done in self._waiting:
            _settle(done, error)


class _Errand:
    """Something else that must be done in its turn."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._call = call

    def ready(self, file: _JournalFile) -> Callable[[], None]:
        return self._call

    def finish(self, error: Exception | None) -> None:
        _settle(self.done, error)


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return  # whoever waited was cancelled; the work is done all the same
    if error is None:
        done.set_result(None)
    elif isinstance(error, StoreError):
        done.set_exception(error)
    else:
        failed = StoreError(f"the journal could not be used: {error}")
        failed.__cause__ = error
        done.set_exception(failed)


class _JournalFile:
    """The blocking half: belongs to the journal's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._end = 0
        """Where the last durable record ends; whatever follows is cut before the next append."""
        self._clean = False

    def append(self, data: bytes) -> None:
        fd = self._open()
        if not self._clean:
            os.ftruncate(fd, self._end)
        self._clean = False
        _write_all(fd, data, self._end)
        os.fdatasync(fd)
        self._end += len(data)
        self._clean = True

    def records(self) -> Sequence[Record]:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        if self._fd is not None:
            raw = raw[: self._end]  # what follows was refused
        return _parse(raw, self._path)[0]

    def replace(self, data: bytes) -> None:
        """After a crash either the old or the new file is there, whole."""
        self.close()
        beside = self._path.with_name(self._path.name + ".new")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, data, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        beside.replace(self._path)
        _sync_folder(self._path.parent)

    def drop(self, is_done: Callable[[Record], bool]) -> None:
        found = self.records()
        kept = [record for record in found if not is_done(record)]
        if len(kept) < len(found):
            self.replace(_lines(kept))

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        if self._fd is None:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _, self._end = _parse(self._path.read_bytes(), self._path)
                _sync_folder(self._path.parent)
            except BaseException:
                os.close(fd)
                raise
            self._fd, self._clean = fd, False
        return self._fd


def _lines(records: Sequence[Record]) -> bytes:
    return b"".join(map(_line, records))


def _line(record: Record) -> bytes:
    text = _encode_json(record).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _parse(raw: bytes, path: Path) -> tuple[list[Record], int]:
    """Return the whole records and where the last of them ends; a torn tail is left out."""
    *lines, _unfinished = raw.split(b"\n")
    records: list[Record] = []
    end = bad = 0
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record is None:
            bad = bad or number
        elif bad:
            raise StoreError(f"{path} is corrupt: line {bad}, and whole ones follow; it needs eyes")
        else:
            records.append(record)
            end += len(line) + 1
    return records, end


def _record(line: bytes) -> Record | None:
    crc, text = line[:_CRC_DIGITS], line[_CRC_DIGITS + 1 :]
    if crc != b"%08x" % zlib.crc32(text):
        return None
    record: Record = json.loads(text)
    return record


def _write_all(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
