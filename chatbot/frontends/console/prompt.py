"""In a terminal: a prompt that stays below what is printed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import termios
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.frontends.console.lines import in_thread
from chatbot.frontends.console.print_jobs import (
    ROOM,
    Fragment,
    Hear,
    PrintJob,
    Stalled,
    printed,
)
from chatbot.frontends.talk import Words
from chatbot.render.plain import body, button, numbered, title
from handlers.reply import Level, Reply
from trading.clocks import Clock

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History

log = logging.getLogger(__name__)

STYLE = {
    "title": "bold",
    "urgent": "bold ansiyellow",
    "critical": "bold ansired",
    "aside": "ansibrightblack",
}
"""Colours only repeat the words."""


class Prompt:
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
        self._jobs: deque[PrintJob] = deque()
        self._some = asyncio.Event()
        self._stopping = False
        self._ended: Future[None] = Future()

    # -- in the desk's loop

    def start(self, hear: Hear) -> asyncio.Future[None]:
        self._home = asyncio.get_running_loop()
        self._ended.set_running_or_notify_cancel()
        in_thread("console", lambda: self._main(hear))
        return asyncio.wrap_future(self._ended)

    def alert(self, reply: Reply, *, silent: bool) -> Future[None]:
        now = self._clock.now()
        words = [("class:aside", f"{now:%H:%M:%S} "), *self._worded(reply)]
        if reply.choices:
            words.append(("", "  " + "   ".join(map(button, reply.choices)) + "\n"))
        return self._put(PrintJob(words, bell=not silent))

    def answer(self, reply: Reply) -> Future[None]:
        words = self._worded(reply)
        if reply.choices:
            words.append(("", numbered(reply.choices) + "\n"))
        return self._put(PrintJob(words))

    def echo(self, text: str) -> Future[None]:
        return self._put(PrintJob([("class:aside", text + "\n")]))

    def flush(self) -> Future[None]:
        return self._put(PrintJob())

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

    def _put(self, job: PrintJob) -> Future[None]:
        if self._ended.done() or len(self._jobs) >= ROOM:
            raise Stalled
        self._jobs.append(job)
        self._across(self._loop, self._some.set)
        return job.done

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
        while self._jobs:
            job = self._jobs.popleft()
            if job.done.set_running_or_notify_cancel():
                job.done.set_exception(Stalled())

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
            self._jobs.append(PrintJob([("class:aside", PROMPT_ENDED)]))
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
            while self._jobs:
                job = self._jobs.popleft()
                if job.done.set_running_or_notify_cancel():
                    error = await self._print(session, job) if somebody_reads else None
                    somebody_reads = printed(job, error) and somebody_reads
            self._some.clear()
            await self._some.wait()

    async def _print(self, session: PromptSession[str], job: PrintJob) -> BaseException | None:
        from prompt_toolkit.application import run_in_terminal
        from prompt_toolkit.formatted_text import FormattedText
        from prompt_toolkit.renderer import print_formatted_text
        from prompt_toolkit.styles import Style

        def write() -> None:
            style = Style.from_dict(STYLE)
            print_formatted_text(session.output, FormattedText(job.words), style)
            if job.bell:
                session.output.bell()
                session.output.flush()

        try:
            await run_in_terminal(write)
        except asyncio.CancelledError:
            job.done.set_exception(Stalled())
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
