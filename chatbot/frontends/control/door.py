"""Lets callers of a unix socket in: so many at a time, and never one who only keeps a seat.

A newcomer always gets in.  When every seat is taken, whoever has waited longest without a word
is hung up on; and when the process has no descriptor left, a spare one lets the next in.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chatbot.folder.calling import address, is_served
from trading.errors import Refused

BACKLOG = 4_096
"""Callers who may wait to be let in; the kernel may allow fewer."""
OUT_OF_DESCRIPTORS = 0.05
"""Seconds until the next try when nobody can be let in."""
FAREWELL = 0.5
"""Seconds that answers under way have when the desk ends."""


@dataclass(eq=False, slots=True)
class Guest:
    """One caller who was let in."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_answered: bool = False
    """What it said is being answered: it is not hung up on."""

    @property
    def connection(self) -> socket.socket:
        found: socket.socket = self.writer.get_extra_info("socket")
        return found

    async def line(self, *, within: float) -> bytes:
        """Its next line.  Raises `TimeoutError`, `asyncio.LimitOverrunError`, or if it is gone."""
        async with asyncio.timeout(within):
            return await self.reader.readuntil(b"\n")

    async def tell(self, line: bytes, *, within: float) -> None:
        """Raises `TimeoutError` if it does not listen."""
        self.writer.write(line)
        async with asyncio.timeout(within):
            await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.transport.abort()


Serve = Callable[[Guest], Awaitable[None]]


class Door:
    """The seats behind one listening socket."""

    def __init__(self, *, seats: int, longest_line: int) -> None:
        self._seats = seats
        self._longest_line = longest_line
        self._guests: dict[Guest, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()
        """Set when a guest leaves, or has been answered."""
        self._spare = _Spare()

    @contextmanager
    def answering(self, guest: Guest) -> Iterator[int]:
        """*guest* keeps its seat meanwhile; yields how many are answered, it among them."""
        guest.is_answered = True
        try:
            yield self._answered()
        finally:
            guest.is_answered = False
            self._guests[guest] = self._guests.pop(guest)  # it waits from now on
            self._moved.set()

    def _answered(self) -> int:
        return sum(guest.is_answered for guest in self._guests)

    async def keep(self, path: Path, serve: Serve) -> None:
        """Listen on *path* and have *serve* talk with each caller, until cancelled.

        Answers under way are still given then.  Raises `Refused` when another process listens
        there, `OSError` when it cannot be opened.
        """
        with listening(path) as listener, self._spare:
            try:
                while True:
                    await self._make_room()
                    await self._let_in(listener, serve)
            finally:
                listener.close()
                await self._part()

    async def _let_in(self, listener: socket.socket, serve: Serve) -> None:
        await _somebody_at(listener)
        try:
            connection, _ = listener.accept()
        except OSError:  # no descriptor is left, or the caller has gone
            if not self._spare.give():
                self._hang_up_on_the_idlest()
                await asyncio.sleep(OUT_OF_DESCRIPTORS)  # the machine's time, as descriptors are
            return
        reader, writer = await asyncio.open_unix_connection(
            sock=connection, limit=self._longest_line
        )
        guest = Guest(reader, writer)
        self._guests[guest] = asyncio.create_task(self._seat(guest, serve))
        await asyncio.sleep(0)  # its turn first: what it has said is read before the next comes

    async def _seat(self, guest: Guest, serve: Serve) -> None:
        try:
            await serve(guest)
        except TimeoutError:
            guest.hang_up()  # it neither speaks nor listens
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it went away; what it asked for is done
        finally:
            guest.writer.close()
            with suppress(OSError):
                await guest.writer.wait_closed()
            del self._guests[guest]
            self._spare.take()
            self._moved.set()

    async def _make_room(self) -> None:
        while len(self._guests) >= self._seats:
            self._moved.clear()
            self._hang_up_on_the_idlest()
            await self._moved.wait()

    def _hang_up_on_the_idlest(self) -> None:
        idlest = next((guest for guest in self._guests if not guest.is_answered), None)
        if idlest is not None:
            idlest.hang_up()

    async def _part(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                while self._answered():
                    self._moved.clear()
                    await self._moved.wait()
        for guest in self._guests:
            guest.writer.close()
        if self._guests:
            await asyncio.wait(self._guests.values(), timeout=FAREWELL)


async def _somebody_at(listener: socket.socket) -> None:
    """Asked to accept, a kernel without descriptors says so even where nobody waits."""
    loop = asyncio.get_running_loop()
    called = asyncio.Event()
    loop.add_reader(listener, called.set)
    try:
        await called.wait()
    finally:
        loop.remove_reader(listener)


class _Spare:
    """A descriptor that is given up for a caller when the process has none left."""

    def __init__(self) -> None:
        self._handle: int | None = None

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.give()

    def take(self) -> None:
        if self._handle is None:
            with suppress(OSError):
                self._handle = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def give(self) -> bool:
        if self._handle is None:
            return False
        os.close(self._handle)
        self._handle = None
        return True


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket at *path*, never open to others, not even for the instant of its making."""
    _clear(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.setblocking(False)
        with address(path) as name:
            mask = os.umask(0o177)
            try:
                listener.bind(name)
            finally:
                os.umask(mask)
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove what a dead process left; refuse to remove anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Refused(f"{path} is in the way: it is no socket of ours")
    if is_served(path):
        raise Refused(f"Another process listens on {path}")
    path.unlink(missing_ok=True)
