"""Photographs of the disk: what a crash would leave behind at each await of a story.

A crash takes memory and leaves files.  So a story is told once, in a loop that is stopped after
each round of steps, when every task stands at an await, and the state folder is photographed.  A
photograph is exactly what a process that is killed there leaves; each becomes the folder of a new
desk.  Nothing of the dead one is closed, cancelled or given a chance to tidy up before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from storage.journal import FileJournal
from storage.latch import SlotLatch
from storage.store import SqlStore
from trading.model.halt import Halt
from trading.ports import Change, WritePriority

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

HISTORY, WAL, BOOK, INTENTS, LATCH = (
    *("history.db", "history.db-wal"),
    *("paper.journal", "intents.journal", "latch"),
)
FILES = (HISTORY, WAL, BOOK, INTENTS, LATCH)
WAL_HEADER, FRAME = 32, 24 + 4096


class OneThread(asyncio.SelectorEventLoop):
    """A loop that does at once what other loops leave to threads, so that each run is the same.

    The answer arrives a round later: in between the disk has what nobody knows of yet.
    """

    def run_in_executor(  # the same, without the thread
        self, executor: object, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            self.call_soon(_fail, done, error)
        else:
            self.call_soon(_succeed, done, result)
        return done


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


# -- the files, and how much of them somebody was told is durable ------------------------------


class KnownStore(SqlStore):
    """Remembers how long the WAL was when a commit was last answered."""

    wal: Path
    known = 0

    def watch(self, wal: Path) -> None:
        self.wal = wal
        self.known = _size(wal)

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        await super().commit(change, priority)
        self.known = _size(self.wal)


class KnownJournal(FileJournal):
    """Remembers how long the file was when an append was last answered."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.known = _size(path)

    async def append(self, *records: Mapping[str, object]) -> None:
        await super().append(*records)
        self.known = _size(self.path)


class KnownLatch(SlotLatch):
    """Remembers what the file held when a write was last answered."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.known = _bytes(path)

    async def write(self, halts: Sequence[Halt], *, last_number: int) -> None:
        await super().write(halts, last_number=last_number)
        self.known = _bytes(self.path)


@dataclass
class Disk:
    """A state folder in use."""

    folder: Path
    store: KnownStore
    book: KnownJournal
    intents: KnownJournal
    latch: KnownLatch

    async def close(self) -> None:
        await self.book.close()
        await self.intents.close()
        await self.latch.close()
        await self.store.close()


# -- photographs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photograph:
    """The files at one await."""

    at: datetime
    files: Mapping[str, bytes]
    known: Mapping[str, bytes]
    """The part that somebody was told is durable; the rest may be lost, or torn."""
    told: frozenset[str]
    """Halts that people were told are durable."""

    def remains(self) -> Iterator[dict[str, bytes]]:
        """What a crash may leave: all, only what is known, one file's news without the others',
        and a WAL that was being written."""
        yield dict(self.files)
        yield dict(self.known)
        yield {**self.files, WAL: self.known[WAL]}
        yield {**self.known, WAL: self.files[WAL]}
        for end in _frames(len(self.known[WAL]), len(self.files[WAL])):
            yield {**self.files, WAL: self.files[WAL][:end]}


def _frames(known: int, written: int) -> list[int]:
    """The first and the last boundary of frames inside what was being written."""
    ends = [end for end in range(WAL_HEADER, written, FRAME) if known < end]
    return sorted({*ends[:1], *ends[-1:]})


@dataclass
class Camera:
    disk: Disk
    now: Callable[[], datetime]
    told: set[str] = field(default_factory=set)
    taken: list[Photograph] = field(default_factory=list)
    awaits: int = 0

    def take(self) -> None:
        """Take one, unless nothing has changed since the last."""
        self.awaits += 1
        disk = self.disk
        files = {name: _bytes(disk.folder / name) for name in FILES}
        known = {
            HISTORY: files[HISTORY],
            WAL: files[WAL][: disk.store.known],
            BOOK: files[BOOK][: disk.book.known],
            INTENTS: files[INTENTS][: disk.intents.known],
            LATCH: disk.latch.known,
        }
        photograph = Photograph(self.now(), files, known, frozenset(self.told))
        if not self.taken or self.taken[-1] != photograph:
            self.taken.append(photograph)


def develop(remains: Mapping[str, bytes], folder: Path) -> Path:
    """Make a state folder of what remained."""
    folder.mkdir(parents=True)
    for name, content in remains.items():
        if content:
            (folder / name).write_bytes(content)
    return folder


def tell(story: Coroutine[Any, Any, None], camera: Camera, loop: OneThread) -> None:
    """Drive *story* and all that it starts, one round at a time, a photograph after each."""
    task = loop.create_task(story)
    while not task.done():
        loop.call_soon(loop.stop)
        loop.run_forever()
        camera.take()
    task.result()


def at_once(work: Awaitable[T], loop: OneThread) -> T:
    return loop.run_until_complete(work)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
