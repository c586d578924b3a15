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
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from chatbot.frontends.console.lines import Lines
from chatbot.frontends.console.print_jobs import LINGER, Face, Stalled, descriptor_of
from chatbot.frontends.console.prompt import Prompt
from chatbot.frontends.talk import SOON, Words
from chatbot.ports import OnMessage
from handlers.caller import Caller
from handlers.message import Message
from handlers.reply import Choice, Outcome, Reply
from handlers.texts.phrases import WAIT, clipped
from trading.clocks import Clock
from trading.common.tasks import Tasks, within

log = logging.getLogger(__name__)

Streams = Callable[[], tuple[TextIO | None, TextIO | None]]


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
        self._face: Face | None = None
        self._ready = asyncio.Event()
        self._choices: tuple[Choice, ...] = ()
        """Those of the last answer: what a number presses.  Alerts never change them."""
        self._answers = Tasks()
        self._lost = 0

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled: the end of input is not the end."""
        face = self._make_face()

        def hear(text: str) -> asyncio.Task[None]:
            return self._answers.start(self._answer(face, text, on_message))

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

    def _make_face(self) -> Face:
        stdin, stdout = self._streams()
        terminal = self._terminal
        if terminal is None:
            terminal = _in_front_of_a_terminal(stdin, stdout)
        if not terminal:
            return Lines(stdin, stdout, self._clock)
        descriptor = descriptor_of(stdin)
        return Prompt(
            self._desk_name,
            self._clock,
            terminal=descriptor if descriptor is not None and os.isatty(descriptor) else None,
            commands=self._commands,
            symbols=self._symbols,
            history=self._history,
            on_interrupt=self._on_interrupt,
        )

    async def _finish(self, face: Face) -> None:
        """Let the last answers out, then leave the terminal as it was found."""
        with contextlib.suppress(TimeoutError):
            await within(self._clock, LINGER, self._last_words(face))
        for task in self._answers:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await within(self._clock, LINGER, face.stop())
        face.restore()

    async def _last_words(self, face: Face) -> None:
        if self._answers:
            await asyncio.wait(self._answers)
        with contextlib.suppress(Exception):
            await asyncio.wrap_future(face.flush())

    async def _answer(self, face: Face, text: str, on_message: OnMessage) -> None:
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
        answer = asyncio.ensure_future(on_message(Message(self._caller, text, self._clock.now())))
        try:
            with contextlib.suppress(TimeoutError):
                await within(self._clock, SOON, asyncio.shield(answer))
            if not answer.done():
                self._show(face, Reply(f"{WAIT} {clipped(text, 30)}"))
            reply = await answer
        except Exception:
            log.exception("the console has no answer")
            return
        finally:
            answer.cancel()
        self._choices = reply.choices
        self._show(face, reply)

    def _show(self, face: Face, reply: Reply) -> None:
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
    descriptor = descriptor_of(stdin)
    if stdin is None or stdout is None or descriptor is None:
        return False
    if not (stdin.isatty() and stdout.isatty()):
        return False
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True  # nobody controls jobs on it


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
