"""What waits to be printed in a terminal or a pipe, and who prints it."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from handlers.reply import Reply

log = logging.getLogger(__name__)

ROOM = 1_000
"""Messages that may wait for a stalled terminal or pipe."""
LINGER = 0.5
"""Seconds that the last words get at the end."""
Fragment = tuple[str, str]
"""A style and a text."""


class Stalled(Exception):
    """The terminal or pipe takes nothing."""


def descriptor_of(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None  # closed, or not a file


Hear = Callable[[str], asyncio.Task[None]]
"""Called in the desk's loop with each line typed; the task ends when it is answered."""


class Face(Protocol):
    """What is printed is done when the future is; each raises `Stalled` if there is no room."""

    numbered: bool
    """Choices are pressed by number."""

    def start(self, hear: Hear) -> asyncio.Future[None]:
        """The future fails if the face breaks; otherwise it never ends."""
        ...

    def alert(self, reply: Reply, *, silent: bool) -> Future[None]: ...
    def answer(self, reply: Reply) -> Future[None]: ...
    def echo(self, text: str) -> Future[None]: ...
    def flush(self) -> Future[None]:
        """Done when all before it is written."""
        ...

    async def stop(self) -> None: ...

    def restore(self) -> None:
        """After `stop`, whether it succeeded or not."""
        ...


@dataclass(frozen=True, slots=True)
class PrintJob:
    """Something to print."""

    words: Sequence[Fragment] = ()
    bell: bool = False
    done: Future[None] = field(default_factory=Future)

    @property
    def plain(self) -> str:
        return "".join(text for _, text in self.words)


_NOBODY_READS = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ECONNRESET}


def printed(job: PrintJob, error: BaseException | None) -> bool:
    """Settle *slip*; False if nobody reads any more."""
    if error is None:
        job.done.set_result(None)
        return True
    if isinstance(error, OSError) and error.errno in _NOBODY_READS:
        log.warning("nobody reads the console any more; the desk goes on, quietly")
        job.done.set_result(None)
        return False
    job.done.set_exception(error)
    return True
