"""The latch file keeps halts when the database cannot, and carries a stop to a desk that hangs.

One preallocated file of three slots, overwritten in place and never grown, shortened or renamed,
so that a full disk does not matter.  Slots A and B are the desk's and take turns: a write that is
torn leaves the one before it.  Slot C is a stop asked for from outside: written by `quarterdeck
stop`, which needs nothing but this module, and cleared by the desk that has adopted it.

Each slot: magic, number, length and CRC32 of the text, then the text, JSON.  All zeros is empty.
Standard library only, and nothing heavy: a stop must start fast.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from storage.halt_json import halt_from_json, halt_to_json
from trading.common.text import clean
from trading.errors import StoreError
from trading.model.halt import EVERYONE, Halt

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Value = TypeVar("Value")

NAME = "latch"
SLOT = 16 * 1024
SIZE = 3 * SLOT
_A, _B, _C = 0, 1, 2
_HEADER = struct.Struct(">4sQLL")
_MAGIC = b"QDL1"
ROOM = SLOT - _HEADER.size
"""Bytes of JSON that a slot takes."""
_LOCK_TRIES, _LOCK_PAUSE = 20, 0.05
"""Tries, and seconds between them, for the lock on slot C."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """A stop for the whole desk, asked for from outside."""

    by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchContents:
    halts: tuple[Halt, ...] = ()
    last_number: int = 0
    request: StopRequest | None = None
    damaged: bool = False
    """Something is there that cannot be read.  What it said is unknown: start halted."""
    began: bool = field(default=False, compare=False)
    """A desk has written here, if only that nothing is halted."""


@dataclass(frozen=True, slots=True)
class _Slot:
    number: int = 0
    data: dict[str, Any] | None = None
    damaged: bool = False


def path_in(state_dir: Path) -> Path:
    return state_dir / NAME


# -- what the desk does ---------------------------------------------------------------------


class SlotLatch:
    """The `LatchFile` of a desk.  Its writes go through one thread of its own, in order."""

    def __init__(self, path: Path) -> None:
        # Only a desk has threads; a command line that stops one starts without asyncio.
        from concurrent.futures import ThreadPoolExecutor

        self._path = path
        self._thread: ThreadPoolExecutor = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="latch"
        )
        self._fd: int | None = None
        self._slots = {_A: 0, _B: 0}
        """The number that each slot holds; 0 when it is empty or damaged."""

    async def write(self, halts: Sequence[Halt], *, last_number: int) -> None:
        """Overwrite the older slot and sync.  Raises `StoreError`.

        Whoever stops waiting does not stop the write.
        """
        kept = tuple(halts)
        await self._in_thread(lambda: self._write(kept, last_number))

    async def request(self) -> StopRequest | None:
        """The stop that was asked for from outside and not adopted yet.

        Read from the file that is open, which takes no descriptor.  Raises `FileNotFoundError`
        when that is not the file at its path any more.
        """
        return await self._in_thread(self._request)

    async def clear_request(self, adopted: StopRequest | None) -> None:
        """Empty slot C if it still holds *adopted* (None: if what it holds cannot be read).

        A request made since then stays.  Takes no descriptor, as `request`.  Raises `StoreError`.
        """
        await self._in_thread(lambda: self._clear_request(adopted))

    async def close(self) -> None:
        """Let go of the file, after what was still to be written."""
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, call: Callable[[], Value]) -> Value:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _write(self, halts: Sequence[Halt], last_number: int) -> None:
        try:
            fd, text = self._open(), _fitting(halts, last_number)
            if not any(self._slots.values()):
                self._put(fd, _B, text)  # from the first on both say something, or one was emptied
            self._put(fd, min(self._slots, key=lambda name: self._slots[name]), text)
        except OSError as error:
            raise StoreError(f"the latch file {self._path}: {error.strerror}") from error

    def _put(self, fd: int, slot: int, text: bytes) -> None:
        number = max(self._slots.values()) + 1
        _put(fd, slot, number, text)
        self._slots[slot] = number

    def _request(self) -> StopRequest | None:
        if self._fd is None or not self._is_there(self._fd):
            raise FileNotFoundError(self._path)
        return _read(self._fd).request

    def _clear_request(self, adopted: StopRequest | None) -> None:
        try:
            fd = self._open()
            _lock(fd)
            try:
                _clear(fd, adopted)
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
        except OSError as error:
            raise StoreError(f"the latch file {self._path}: {error.strerror}") from error

    def _is_there(self, fd: int) -> bool:
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(fd))
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        """The file at its path: nobody would read the one that was removed."""
        if self._fd is not None and not self._is_there(self._fd):
            self._close()
        if self._fd is None:
            fd = _open(self._path)
            self._slots = {name: _get(fd, name).number for name in self._slots}
            self._fd = fd
        return self._fd

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read(path: Path) -> LatchContents:
    """What the file says; a missing file says nothing.  Never raises for what it finds."""
    try:
        fd = _own(path, os.O_RDONLY)
    except FileNotFoundError:
        return LatchContents()
    except OSError:
        return LatchContents(damaged=True)
    try:
        return _read(fd)
    finally:
        os.close(fd)


def _read(fd: int) -> LatchContents:
    try:
        return _contents(*(_get(fd, slot) for slot in (_A, _B, _C)))
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return LatchContents(damaged=True, began=True)


def _contents(first: _Slot, second: _Slot, asked: _Slot) -> LatchContents:
    newest = max(first, second, key=lambda slot: slot.number).data or {}
    request = asked.data
    began = first != _Slot() or second != _Slot()
    blanked = began and _Slot() in (first, second)  # the other one has held something, too
    return LatchContents(
        halts=tuple(map(halt_from_json, newest.get("halts", ()))),
        last_number=int(newest.get("last_number", 0)),
        request=None if request is None else _request_of(request),
        damaged=blanked or any(slot.damaged for slot in (first, second, asked)),
        began=began,
    )


def read_request(path: Path) -> StopRequest | None:
    """The stop that was asked for from outside and not adopted yet."""
    return read(path).request


def _clear(fd: int, adopted: StopRequest | None) -> None:
    found = _get(fd, _C)
    if found.data is None or _request_of(found.data) == adopted:
        _write_all(fd, bytes(SLOT), _C * SLOT)


# -- what the command line does -------------------------------------------------------------


def request_stop(state_dir: Path, *, by: str, why: str, at: datetime) -> Path:
    """Ask for a stop of the whole desk, durably, whether a desk runs or not.

    Makes the file if it is missing.  Raises `StoreError`.
    """
    path = path_in(state_dir)
    request = {"by": by, "why": why, "at": at.isoformat()}
    text = _encode(request)
    if len(text) > ROOM:
        # Six bytes is the most that one character takes.
        room = ROOM // 6 // 3
        text = _encode(request | {"by": by[:room], "why": why[:room]})
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        with _locked(path) as fd:
            _put(fd, _C, _get(fd, _C).number + 1, text)
    except OSError as error:
        raise StoreError(f"the latch file {path}: {error.strerror}") from error
    return path


def _request_of(data: dict[str, Any]) -> StopRequest:
    return StopRequest(
        by=clean(str(data["by"])),
        why=clean(str(data["why"])),
        at=datetime.fromisoformat(data["at"]),
    )


# -- slots ----------------------------------------------------------------------------------


def _get(fd: int, slot: int) -> _Slot:
    raw = os.pread(fd, SLOT, slot * SLOT)
    if not raw.strip(b"\0"):
        return _Slot()
    if len(raw) < _HEADER.size:
        return _Slot(damaged=True)
    magic, number, length, crc = _HEADER.unpack_from(raw)
    text = raw[_HEADER.size : _HEADER.size + length]
    if magic != _MAGIC or crc != _crc(number, length, text):
        return _Slot(damaged=True)
    return _Slot(number, json.loads(text))


def _put(fd: int, slot: int, number: int, text: bytes) -> None:
    header = _HEADER.pack(_MAGIC, number, len(text), _crc(number, len(text), text))
    _write_all(fd, header + text, slot * SLOT)


def _crc(number: int, length: int, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(b"%d %d" % (number, length)))


def _write_all(fd: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written
    os.fdatasync(fd)


def _open(path: Path) -> int:
    """Open the file, at its full size: the disk may be full when it is needed."""
    fd = _own(path, os.O_RDWR | os.O_CREAT)
    try:
        if os.fstat(fd).st_size < SIZE:
            os.posix_fallocate(fd, 0, SIZE)
            os.fsync(fd)
            _sync_folder(path.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _own(path: Path, how: int) -> int:
    """Open *path* if it is a file, and no other that a link leads to; never wait for a pipe."""
    try:
        fd = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link") from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no file")
    return fd


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    fd = _open(path)
    try:
        _lock(fd)
        yield fd
    finally:
        os.close(fd)  # and with it the lock


def _lock(fd: int) -> None:
    """Keep others from slot C; but not for ever, as a desk may be frozen while it holds it."""
    pause = threading.Event()
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(_LOCK_PAUSE)
        else:
            return


# -- fitting halts into a slot --------------------------------------------------------------


def _encode(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode("ascii")


def _fitting(halts: Sequence[Halt], last_number: int) -> bytes:
    """The most that fits of what must not be forgotten: that we are halted, and how strictly."""
    for kept in _briefer(halts):
        text = _encode({"halts": [halt_to_json(h) for h in kept], "last_number": last_number})
        if len(text) <= ROOM:
            break
    return text


def _briefer(halts: Sequence[Halt]) -> Iterator[Sequence[Halt]]:
    yield halts
    bare = [replace(h, stages=()) for h in halts]
    yield bare
    for room in (80, 20, 0):
        yield [_shortened(h, room) for h in bare]
    by_verb = sorted(bare, key=lambda h: h.verb)
    strictest = {(h.scope, h.later): _shortened(h, 20) for h in by_verb}
    yield list(strictest.values())
    last = _shortened(max(bare, key=lambda h: h.verb), 20)
    yield [replace(last, scope=EVERYONE, later=False)]


def _shortened(halt: Halt, room: int) -> Halt:
    return replace(halt, by=halt.by[:room], why=halt.why[:room], lifted_by=halt.lifted_by[:room])
