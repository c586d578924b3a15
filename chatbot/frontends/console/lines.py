"""Without a terminal: a line per event, answers whole, commands read line by line."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from typing import TextIO

from chatbot.frontends.console.print_jobs import (
    ROOM,
    Hear,
    PrintJob,
    Stalled,
    descriptor_of,
    printed,
)
from chatbot.render.plain import line, plain
from handlers.reply import Reply
from trading.clocks import Clock

AT_ONCE = 32
"""Commands from a pipe that may be under way; a terminal has no such limit."""


class Lines:
    """Without a terminal: a line per event, answers whole, commands read line by line."""

    numbered = False

    def __init__(self, stdin: TextIO | None, stdout: TextIO | None, clock: Clock) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._clock = clock
        self._jobs: queue.Queue[PrintJob | None] = queue.Queue(ROOM)
        self._written: Future[None] = Future()
        self._room = threading.Semaphore(AT_ONCE)
        self._stopping = False

    def start(self, hear: Hear) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        self._written.set_running_or_notify_cancel()
        target = _copy(self._stdout)
        in_thread("console: writes", lambda: self._write_all(target))
        source = _copy(self._stdin)
        if source is not None:
            in_thread("console: reads", lambda: self._read_all(source, loop, hear))
        return loop.create_future()

    def alert(self, reply: Reply, *, silent: bool) -> Future[None]:
        return self._say(line(reply, at=self._clock.now()))

    def answer(self, reply: Reply) -> Future[None]:
        return self._say(plain(reply, now=self._clock.now()))

    def echo(self, text: str) -> Future[None]:
        return self._say(text)

    def flush(self) -> Future[None]:
        return self._put(PrintJob())

    async def stop(self) -> None:
        self._stopping = True
        self._room.release()
        with contextlib.suppress(queue.Full):
            self._jobs.put_nowait(None)
            await asyncio.wrap_future(self._written)

    def restore(self) -> None:
        pass

    def _say(self, text: str) -> Future[None]:
        return self._put(PrintJob([("", text + "\n")]))

    def _put(self, job: PrintJob) -> Future[None]:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise Stalled from None
        return job.done

    def _read_all(self, source: int, loop: asyncio.AbstractEventLoop, hear: Hear) -> None:
        """In a thread: pass on each line until the input ends, so many unanswered ones at most."""

        def begin(text: str) -> None:
            hear(text).add_done_callback(lambda _: self._room.release())

        with os.fdopen(source, "rb", 0), contextlib.suppress(RuntimeError):  # the loop is closed
            for text in _lines_of(source):
                self._room.acquire()
                if self._stopping:
                    return
                loop.call_soon_threadsafe(begin, text)

    def _write_all(self, target: int | None) -> None:
        """In a thread, which may wait for the reader as long as it takes."""
        encoding = getattr(self._stdout, "encoding", None) or "utf-8"
        somebody_reads = target is not None
        while (job := self._jobs.get()) is not None:
            if job.done.set_running_or_notify_cancel():
                data = job.plain.encode(encoding, "replace")
                error = _write(target, data) if target is not None and somebody_reads else None
                somebody_reads = printed(job, error) and somebody_reads
        if target is not None:
            os.close(target)
        self._written.set_result(None)


def _copy(stream: TextIO | None) -> int | None:
    """A descriptor of our own: its number stays ours even if somebody closes the stream."""
    if stream is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        stream.flush()  # what was printed before comes first
    descriptor = descriptor_of(stream)
    return None if descriptor is None else os.dup(descriptor)


def in_thread(name: str, work: Callable[[], None]) -> None:
    """A daemon, in the caller's context: it may hang in a read or write when the process ends."""
    threading.Thread(name=name, target=copy_context().run, args=(work,), daemon=True).start()


def _write(target: int, data: bytes) -> OSError | None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except BlockingIOError:  # somebody who shares it made it so
            select.select([], [target], [])
        except OSError as error:
            return error
    return None


LONGEST_LINE = 4_096


def _lines_of(source: int) -> Iterator[str]:
    """From the descriptor: a thread that hangs in `sys.stdin` breaks the interpreter's exit."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while data := _read_some(source):
        *lines, rest = (rest + decoder.decode(data)).split("\n")
        yield from lines
        rest = rest[:LONGEST_LINE]
    if rest:
        yield rest


def _read_some(source: int) -> bytes:
    while True:
        try:
            return os.read(source, 65_536)
        except BlockingIOError:
            select.select([source], [], [])
        except OSError:
            return b""  # a directory, a lost terminal, one that is not ours: no more input
