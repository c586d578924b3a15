"""The desk in a terminal; or, without one, a line per event.

Nothing here makes the event loop wait.  A terminal belongs to a thread with a loop of its own
(prompt_toolkit reads, redraws and writes in it); without one a thread reads and a thread writes.
All are daemons and read from the descriptor itself, so none can hold up the end of the process.

An alert counts as told when it was written.  While the terminal or pipe is stalled `send` waits,
and once `ROOM` messages wait it raises `Stalled`: the outbox tries again later.  Answers beyond
that go to the log.  When nobody reads any more (a closed pipe, a lost terminal) everything goes to
the log and counts as told: it would otherwise wait for a reader who does not come back.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import errno
import logging
import os
import queue
import select
import signal
import sys
import termios
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from chatbot.frontends import OnMessage
from chatbot.render.plain import body, button, line, numbered, plain, title
from chatbot.supervise import within
from handlers.caller import Caller, Message
from handlers.reply import Choice, Level, Outcome, Reply
from trading.clocks import Clock

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History

log = logging.getLogger(__name__)

ROOM = 1_000
"""Messages that may wait for a stalled terminal or pipe."""
AT_ONCE = 32
"""Commands from a pipe that may be under way; a terminal has no such limit."""
LINGER = 0.5
"""Seconds that the last words get at the end."""

Words = Callable[[], Sequence[str]]
Streams = Callable[[], tuple[TextIO | None, TextIO | None]]
Fragment = tuple[str, str]
"""A style and a text."""


class Stalled(Exception):
    """The terminal or pipe takes nothing."""


class Console:
    """Frontend and speaker.  `commands`, `symbols` are asked from another thread as one types."""

    name = "console"

    def __init__(
        self,
        *,
        caller: Caller,
        desk_name: str,
        clock: Clock,
        commands: Words,
        symbols: Words,
        on_interrupt: Callable[[], object],
        history: Path | None = None,
        streams: Streams = lambda: (sys.stdin, sys.stdout),
        terminal: bool | None = None,
    ) -> None:
        """*terminal*: None looks for itself; *on_interrupt* is called for Ctrl-C at the prompt."""
        self._caller = caller
        self._desk_name = desk_name
        self._clock = clock
        self._commands = commands
        self._symbols = symbols
        self._on_interrupt = on_interrupt
        self._history = history
        self._streams = streams
        self._terminal = terminal
        self._face: _Face | None = None
        self._ready = asyncio.Event()
        self._choices: tuple[Choice, ...] = ()
        """Those of the last answer: what a number presses.  Alerts never change them."""
        self._answers: set[asyncio.Task[None]] = set()
        self._lost = 0

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled: the end of input is not the end."""
        face = self._make_face()
        loop = asyncio.get_running_loop()

        def hear(text: str) -> asyncio.Task[None]:
            task = loop.create_task(self._answer(face, text, on_message))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
            return task

        with _not_stopped_in_background():
            ended = face.start(hear)
            self._face = face
            self._ready.set()
            try:
                await ended
            finally:
                self._ready.clear()
                await self._finish(face)

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        """Print an alert; returns when it is written.  Raises `Stalled`."""
        await self._ready.wait()
        if self._face is not None:
            await asyncio.wrap_future(self._face.alert(reply, silent=silent))

    def _make_face(self) -> _Face:
        stdin, stdout = self._streams()
        terminal = self._terminal
        if terminal is None:
            terminal = _in_front_of_a_terminal(stdin, stdout)
        if not terminal:
            return _Lines(stdin, stdout, self._clock)
        descriptor = _descriptor(stdin)
        return _Prompt(
            self._desk_name,
            self._clock,
            terminal=descriptor if descriptor is not None and os.isatty(descriptor) else None,
            commands=self._commands,
            symbols=self._symbols,
            history=self._history,
            on_interrupt=self._on_interrupt,
        )

    async def _finish(self, face: _Face) -> None:
        """Let the last answers out, then leave the terminal as it was found."""
        with contextlib.suppress(TimeoutError):
            await within(self._clock, LINGER, self._last_words(face))
        for task in self._answers:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await within(self._clock, LINGER, face.stop())
        face.restore()

    async def _last_words(self, face: _Face) -> None:
        if self._answers:
            await asyncio.wait(self._answers)
        with contextlib.suppress(Exception):
            await asyncio.wrap_future(face.flush())

    async def _answer(self, face: _Face, text: str, on_message: OnMessage) -> None:
        text = text.strip()
        if not text:
            return
        if face.numbered and text.isdecimal():
            pressed = int(text)
            if not 0 < pressed <= len(self._choices):
                self._show(face, _no_button(pressed, len(self._choices)))
                return
            text = self._choices[pressed - 1].command
            self._print(lambda: face.echo(text))
        self._choices = ()
        try:
            reply = await on_message(Message(self._caller, text, self._clock.now()))
        except Exception:
            log.exception("the console has no answer")
            return
        self._choices = reply.choices
        self._show(face, reply)

    def _show(self, face: _Face, reply: Reply) -> None:
        self._print(lambda: face.answer(reply))

    def _print(self, say: Callable[[], object]) -> None:
        try:
            say()
        except Stalled:
            self._lost += 1
            log.warning("the console is stalled: %d answers were not shown", self._lost)


def _no_button(pressed: int, count: int) -> Reply:
    there_are = f"they are 1 to {count}" if count else "there are none"
    return Reply(
        title=f"✕ No button {pressed}, {there_are}",
        text="Nothing was sent.",
        outcome=Outcome.REFUSED,
    )


def _in_front_of_a_terminal(stdin: TextIO | None, stdout: TextIO | None) -> bool:
    """Both ends are a terminal, and it is ours: a job in the background must not touch it."""
    descriptor = _descriptor(stdin)
    if stdin is None or stdout is None or descriptor is None:
        return False
    if not (stdin.isatty() and stdout.isatty()):
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True  # nobody controls jobs on it


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None  # closed, or not a file


@contextlib.contextmanager
def _not_stopped_in_background() -> Iterator[None]:
    """A terminal stops background jobs that touch it, trading included; let it fail instead."""
    before = {}
    with contextlib.suppress(ValueError):  # not the main thread: not ours to say
        for number in (signal.SIGTTIN, signal.SIGTTOU):
            before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


# -- the two faces --------------------------------------------------------------------------------

Hear = Callable[[str], asyncio.Task[None]]
"""Called in the desk's loop with each line typed; the task ends when it is answered."""


class _Face(Protocol):
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
class _Slip:
    """Something to print."""

    words: Sequence[Fragment] = ()
    bell: bool = False
    done: Future[None] = field(default_factory=Future)

    @property
    def plain(self) -> str:
        return "".join(text for _, text in self.words)


_NOBODY_READS = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ECONNRESET}


def _printed(slip: _Slip, error: BaseException | None) -> bool:
    """Settle *slip*; False if nobody reads any more."""
    if error is None:
        slip.done.set_result(None)
        return True
    if isinstance(error, OSError) and error.errno in _NOBODY_READS:
        log.warning("nobody reads the console any more; the desk goes on, quietly")
        slip.done.set_result(None)
        return False
    slip.done.set_exception(error)
    return True


class _Lines:
    """Without a terminal: a line per event, answers whole, commands read line by line."""

    numbered = False

    def __init__(self, stdin: TextIO | None, stdout: TextIO | None, clock: Clock) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._clock = clock
        self._slips: queue.Queue[_Slip | None] = queue.Queue(ROOM)
        self._written: Future[None] = Future()
        self._room = threading.Semaphore(AT_ONCE)
        self._stopping = False

    def start(self, hear: Hear) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        self._written.set_running_or_notify_cancel()
        target = _copy(self._stdout)
        _thread("console: writes", lambda: self._write_all(target))
        source = _copy(self._stdin)
        if source is not None:
            _thread("console: reads", lambda: self._read_all(source, loop, hear))
        return loop.create_future()

    def alert(self, reply: Reply, *, silent: bool) -> Future[None]:
        return self._say(line(reply, at=self._clock.now()))

    def answer(self, reply: Reply) -> Future[None]:
        return self._say(plain(reply, now=self._clock.now()))

    def echo(self, text: str) -> Future[None]:
        return self._say(text)

    def flush(self) -> Future[None]:
        return self._put(_Slip())

    async def stop(self) -> None:
        self._stopping = True
        self._room.release()
        with contextlib.suppress(queue.Full):
            self._slips.put_nowait(None)
            await asyncio.wrap_future(self._written)

    def restore(self) -> None:
        pass

    def _say(self, text: str) -> Future[None]:
        return self._put(_Slip([("", text + "\n")]))

    def _put(self, slip: _Slip) -> Future[None]:
        try:
            self._slips.put_nowait(slip)
        except queue.Full:
            raise Stalled from None
        return slip.done

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
        while (slip := self._slips.get()) is not None:
            if slip.done.set_running_or_notify_cancel():
                data = slip.plain.encode(encoding, "replace")
                error = _write(target, data) if target is not None and somebody_reads else None
                somebody_reads = _printed(slip, error) and somebody_reads
        if target is not None:
            os.close(target)
        self._written.set_result(None)


def _copy(stream: TextIO | None) -> int | None:
    """A descriptor of our own: its number stays ours even if somebody closes the stream."""
    if stream is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        stream.flush()  # what was printed before comes first
    descriptor = _descriptor(stream)
    return None if descriptor is None else os.dup(descriptor)


def _thread(name: str, work: Callable[[], None]) -> None:
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


STYLE = {
    "title": "bold",
    "urgent": "bold ansiyellow",
    "critical": "bold ansired",
    "aside": "ansibrightblack",
}
"""Colours only repeat the words."""


class _Prompt:
    """In a terminal: a prompt, and everything else printed above it."""

    numbered = True

    def __init__(
        self,
        desk_name: str,
        clock: Clock,
        *,
        commands: Words,
        symbols: Words,
        history: Path | None,
        on_interrupt: Callable[[], object],
        terminal: int | None,
    ) -> None:
        self._desk_name = desk_name
        self._clock = clock
        self._commands = commands
        self._symbols = symbols
        self._history = history
        self._on_interrupt = on_interrupt
        self._terminal = terminal
        self._found = termios.tcgetattr(terminal) if terminal is not None else None
        self._home: asyncio.AbstractEventLoop | None = None
        """The desk's loop."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """The thread's."""
        self._life: asyncio.Task[None] | None = None
        self._slips: deque[_Slip] = deque()
        self._some = asyncio.Event()
        self._stopping = False
        self._ended: Future[None] = Future()

    # -- in the desk's loop

    def start(self, hear: Hear) -> asyncio.Future[None]:
        self._home = asyncio.get_running_loop()
        self._ended.set_running_or_notify_cancel()
        _thread("console", lambda: self._main(hear))
        return asyncio.wrap_future(self._ended)

    def alert(self, reply: Reply, *, silent: bool) -> Future[None]:
        now = self._clock.now()
        words = [("class:aside", f"{now:%H:%M:%S} "), *self._worded(reply)]
        if reply.choices:
            words.append(("", "  " + "   ".join(map(button, reply.choices)) + "\n"))
        return self._put(_Slip(words, bell=not silent))

    def answer(self, reply: Reply) -> Future[None]:
        words = self._worded(reply)
        if reply.choices:
            words.append(("", numbered(reply.choices) + "\n"))
        return self._put(_Slip(words))

    def echo(self, text: str) -> Future[None]:
        return self._put(_Slip([("class:aside", text + "\n")]))

    def flush(self) -> Future[None]:
        return self._put(_Slip())

    async def stop(self) -> None:
        self._stopping = True
        if self._life is not None:
            self._across(self._loop, self._life.cancel)
        with contextlib.suppress(Exception):
            await asyncio.wrap_future(self._ended)

    def restore(self) -> None:
        """The thread does it, unless it hangs in a write."""
        if not self._ended.done() and self._terminal is not None and self._found is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._found)

    def _worded(self, reply: Reply) -> list[Fragment]:
        lines = body(reply, now=self._clock.now())
        return [
            (_style(reply.level), title(reply) + "\n"),
            ("", "".join(f"{text}\n" for text in lines)),
        ]

    def _put(self, slip: _Slip) -> Future[None]:
        if self._ended.done() or len(self._slips) >= ROOM:
            raise Stalled
        self._slips.append(slip)
        self._across(self._loop, self._some.set)
        return slip.done

    # -- in the thread

    def _main(self, hear: Hear) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._live(hear))
        except asyncio.CancelledError:
            pass
        except BaseException as broken:  # noqa: BLE001  # raised where the desk waits for it
            error = broken
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
        while self._slips:
            slip = self._slips.popleft()
            if slip.done.set_running_or_notify_cancel():
                slip.done.set_exception(Stalled())

    async def _live(self, hear: Hear) -> None:
        from prompt_toolkit.patch_stdout import patch_stdout

        self._loop, self._life = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopping:
            return
        session = self._session()
        printing = asyncio.create_task(self._print_all(session))
        try:
            with patch_stdout(raw=True):  # logs too appear above the prompt
                await self._ask(session, hear)
            self._slips.append(_Slip([("class:aside", PROMPT_ENDED)]))
            self._some.set()
            await printing
        finally:
            printing.cancel()

    async def _ask(self, session: PromptSession[str], hear: Hear) -> None:
        """Prompt until the end of input, which ends only this."""
        while True:
            try:
                text = await session.prompt_async(
                    f"{self._desk_name}> ",
                    set_exception_handler=False,  # it would ask for ENTER after each mishap
                )
            except KeyboardInterrupt:
                if not session.default_buffer.text:  # else it only clears the line
                    self._across(self._home, self._on_interrupt)
            except (EOFError, OSError):
                return
            else:
                self._across(self._home, hear, text)

    async def _print_all(self, session: PromptSession[str]) -> None:
        somebody_reads = True
        while True:
            while self._slips:
                slip = self._slips.popleft()
                if slip.done.set_running_or_notify_cancel():
                    error = await self._print(session, slip) if somebody_reads else None
                    somebody_reads = _printed(slip, error) and somebody_reads
            self._some.clear()
            await self._some.wait()

    async def _print(self, session: PromptSession[str], slip: _Slip) -> BaseException | None:
        from prompt_toolkit.application import run_in_terminal
        from prompt_toolkit.formatted_text import FormattedText
        from prompt_toolkit.renderer import print_formatted_text
        from prompt_toolkit.styles import Style

        def write() -> None:
            style = Style.from_dict(STYLE)
            print_formatted_text(session.output, FormattedText(slip.words), style)
            if slip.bell:
                session.output.bell()
                session.output.flush()

        try:
            await run_in_terminal(write)
        except asyncio.CancelledError:
            slip.done.set_exception(Stalled())
            raise
        except Exception as error:  # noqa: BLE001  # raised where somebody waits for it
            return error
        return None

    def _session(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession

        return PromptSession(
            completer=_completer(self._commands, self._symbols),
            history=_remembered(self._history),
            reserve_space_for_menu=MENU_LINES,
        )

    @staticmethod
    def _across(
        loop: asyncio.AbstractEventLoop | None, call: Callable[..., object], *args: object
    ) -> None:
        """Call it in the other thread's loop, if that still runs."""
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(call, *args)


MENU_LINES = 5
"""Kept free below the prompt for what completes it."""
PROMPT_ENDED = "The prompt has ended; the desk goes on and Ctrl-C ends it.\n"


def _style(level: Level) -> str:
    return f"class:{level.name.lower()}" if level >= Level.URGENT else "class:title"


def _completer(commands: Words, symbols: Words) -> Completer:
    """Commands first in a line, symbols after one."""
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class Names(Completer):
        def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
            before = document.text_before_cursor.lstrip()
            word = before.split(" ")[-1]
            for name in symbols() if " " in before else commands():
                if word and name.lower().startswith(word.lower()):
                    yield Completion(name, start_position=-len(word))

    return Names()


def _remembered(path: Path | None) -> History:
    """Lines typed before.  A full disk costs the memory, not the prompt."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Remembered(FileHistory):
        def load_history_strings(self) -> list[str]:
            try:
                return list(super().load_history_strings())
            except OSError:
                log.warning("the console's history cannot be read from %s", path)
                return []

        def store_string(self, string: str) -> None:
            try:
                super().store_string(string)
            except OSError:
                log.warning("the console's history cannot be written to %s", path)

    if path is None:
        return InMemoryHistory()
    with contextlib.suppress(OSError):
        path.touch(mode=0o600)
    return Remembered(path)
