"""The desk in a terminal, and without one.

Nothing is simulated but the desk behind it: pipes are pipes, and one terminal is a real one.
"""

from __future__ import annotations

import asyncio
import io
import os
import pty
import termios
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import Input, PipeInput, create_input, create_pipe_input
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.plain_text import PlainTextOutput

from chatbot.frontends.console.face import Console
from chatbot.frontends.console.print_jobs import LINGER, ROOM, Stalled
from chatbot.frontends.console.prompt import _completer
from handlers.caller import Caller, Role
from handlers.message import Message
from handlers.reply import Choice, Level, Reply
from trading.clocks import ManualClock

NOW = datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)
ANNA = Caller("local:1000", "anna", Role.OWNER, "console", "console")
OPENED = Reply(title="Opened SOL long 1.80 at 203.52 (paper)", text="Stop 187.20 risks 29.38.")
LOST = Reply(
    title="⚠ Feed lost 30 s ago (paper)",
    choices=(Choice("Status", "/status"), Choice("Stop", "/stop")),
    level=Level.URGENT,
)
STATUS = Reply(
    title="Trading (paper), nothing needs you",
    choices=(
        Choice("Positions", "/positions"),
        Choice("Pause", "/pause"),
        Choice("Stop", "/stop"),
    ),
)


class Desk:
    """Answers what it was taught, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.messages: list[Message] = []
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.hang: set[str] = set()
        self.released = asyncio.Event()
        self.interrupted = asyncio.Event()

    async def on_message(self, message: Message) -> Reply:
        self.asked.append(message.text)
        self.messages.append(message)
        self.heard.put_nowait(message.text)
        if message.text in self.hang:
            await self.released.wait()
        if message.text == "/broken":
            raise RuntimeError("no answer")
        return STATUS if message.text == "/status" else Reply(title=f"Did {message.text}")


@dataclass
class World:
    desk: Desk = field(default_factory=Desk)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    stack: ExitStack = field(default_factory=ExitStack)
    transports: list[asyncio.BaseTransport] = field(default_factory=list)

    def console(
        self,
        stdin: TextIO | None,
        stdout: TextIO | None,
        *,
        terminal: bool | None = None,
        history: Path | None = None,
    ) -> Console:
        return Console(
            caller=ANNA,
            desk_name="harbour",
            clock=self.clock,
            commands=lambda: ["/positions", "/position", "/status"],
            symbols=lambda: ["BTC", "SOL"],
            on_interrupt=self.desk.interrupted.set,
            history=history,
            streams=lambda: (stdin, stdout),
            terminal=terminal,
        )

    async def reader(self, source: io.FileIO) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), source
        )
        self.transports.append(transport)
        return reader

    @asynccontextmanager
    async def running(
        self, console: Console, at: tuple[Input, Output] | None = None
    ) -> AsyncIterator[asyncio.Task[None]]:
        with create_app_session(*at) if at else nullcontext():
            task = asyncio.create_task(console.run(self.desk.on_message))
        try:
            yield task
        finally:
            self.desk.released.set()
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    with world.stack:
        yield world
        for transport in world.transports:
            transport.close()
        await asyncio.sleep(0)


class Pipe:
    """A pipe to or from the desk."""

    def __init__(self, world: World) -> None:
        self.world = world
        read, write = os.pipe()
        self.source = world.stack.enter_context(os.fdopen(read, encoding="utf-8"))
        self.sink = world.stack.enter_context(os.fdopen(write, "w", encoding="utf-8"))
        world.stack.callback(self._close)

    def _close(self) -> None:
        with suppress(OSError):
            self.sink.close()

    def type(self, text: str) -> None:
        self.sink.write(text)
        self.sink.flush()

    async def reader(self) -> asyncio.StreamReader:
        return await self.world.reader(os.fdopen(os.dup(self.source.fileno()), "rb", 0))


async def a_line(reader: asyncio.StreamReader) -> str:
    return (await reader.readline()).decode().removesuffix("\n")


# -- without a terminal ---------------------------------------------------------------------------


async def test_without_a_terminal_an_alert_is_a_line(world: World) -> None:
    out = Pipe(world)
    reader = await out.reader()
    console = world.console(None, out.sink)
    async with world.running(console):
        await console.send("", OPENED, silent=True)
        await console.send("", LOST, silent=False)

        assert await a_line(reader) == "20:41:09 INFO Opened SOL long 1.80 at 203.52 (paper)"
        assert await a_line(reader) == "20:41:09 URGENT ⚠ Feed lost 30 s ago (paper)"


async def test_commands_come_line_by_line_and_answers_are_whole(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    reader = await out.reader()
    console = world.console(typed.source, out.sink)
    async with world.running(console):
        typed.type("\n  /status \n/pau")
        shown = [await a_line(reader) for _ in range(4)]
        typed.type("se\n")

        assert shown == [
            "Trading (paper), nothing needs you",
            "  Positions: /positions",
            "  Pause: /pause",
            "  Stop: /stop",
        ]
        assert await a_line(reader) == "Did /pause"
    assert world.desk.messages[0] == Message(ANNA, "/status", NOW)


async def test_the_end_of_input_does_not_end_the_desk(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    reader = await out.reader()
    console = world.console(typed.source, out.sink)
    async with world.running(console) as task:
        typed.type("/stop")  # without an end of line
        typed.sink.close()
        assert await a_line(reader) == "Did /stop"
        await console.send("", OPENED, silent=True)

        assert not task.done()


@pytest.mark.parametrize("stdin", [None, "closed", "/dev/null", "/", __file__])
async def test_any_input_will_do(world: World, stdin: str | None) -> None:
    out = Pipe(world)
    source: TextIO | None = None
    if stdin == "closed":
        source = io.StringIO()
        source.close()
    elif stdin is not None:
        source = os.fdopen(os.open(stdin, os.O_RDONLY), closefd=True) if stdin != "/" else None
    world.stack.callback(lambda: source and source.close())
    console = world.console(source, out.sink)
    async with world.running(console) as task:
        await console.send("", OPENED, silent=True)
        if stdin == __file__:
            assert (await world.desk.heard.get()).startswith('"""')
        assert not task.done()


async def test_a_slow_command_does_not_delay_a_stop(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    reader = await out.reader()
    world.desk.hang.add("/chart BTC")
    async with world.running(world.console(typed.source, out.sink)):
        typed.type("/chart BTC\n/stop\n")

        assert await a_line(reader) == "Did /stop"


async def test_a_slow_answer_is_said_to_be_on_its_way(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    reader = await out.reader()
    world.desk.hang.add("/chart BTC")
    async with world.running(world.console(typed.source, out.sink)):
        typed.type("/chart BTC\n")
        await world.desk.heard.get()
        world.clock.advance(1)

        assert await a_line(reader) == "… /chart BTC"
        world.desk.released.set()
        assert await a_line(reader) == "Did /chart BTC"


async def test_an_answer_that_breaks_does_not_end_the_console(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    reader = await out.reader()
    async with world.running(world.console(typed.source, out.sink)):
        typed.type("/broken\n")
        await world.desk.heard.get()
        typed.type("/stop\n")

        assert await a_line(reader) == "Did /stop"


async def test_when_nobody_reads_any_more_the_desk_goes_on_quietly(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    out.source.close()
    console = world.console(typed.source, out.sink)
    async with world.running(console) as task:
        await console.send("", OPENED, silent=True)
        await console.send("", LOST, silent=False)
        typed.type("/stop\n")

        assert await world.desk.heard.get() == "/stop"
        assert not task.done()


async def test_without_any_output_alerts_count_as_told(world: World) -> None:
    console = world.console(None, None)
    async with world.running(console):
        await console.send("", OPENED, silent=True)


async def test_a_stalled_pipe_holds_nobody_up_and_says_so_to_the_outbox(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    typed, out = Pipe(world), Pipe(world)
    console = world.console(typed.source, out.sink)
    long = Reply(title="x" * 200_000)
    async with world.running(console):
        stuck = asyncio.create_task(console.send("", long, silent=True))
        waiting = [asyncio.create_task(console.send("", OPENED, silent=True)) for _ in range(ROOM)]
        while not any(task.done() for task in waiting):
            waiting.append(asyncio.create_task(console.send("", OPENED, silent=True)))
            await asyncio.sleep(0)
        refused = next(task for task in waiting if task.done())
        with pytest.raises(Stalled):
            await refused
        typed.type("/stop\n")
        assert await world.desk.heard.get() == "/stop"

        reader = await out.reader()  # somebody reads again
        reading = asyncio.create_task(reader.read())
        await stuck
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        reading.cancel()
    assert {type(outcome) for outcome in outcomes} == {type(None), Stalled}
    assert "1 answers were not shown" in caplog.text


async def test_what_was_given_up_is_not_printed_later(world: World) -> None:
    out = Pipe(world)
    console = world.console(None, out.sink)
    async with world.running(console):
        stuck = asyncio.create_task(console.send("", Reply(title="x" * 200_000), silent=True))
        given_up = asyncio.create_task(console.send("", LOST, silent=False))
        for _ in range(3):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        reader = await out.reader()
        last = asyncio.create_task(console.send("", OPENED, silent=True))
        text = b""
        while not text.endswith(b"(paper)\n"):
            text += await reader.read(65_536)
        await asyncio.gather(stuck, last)

    assert b"Feed lost" not in text


async def test_an_alert_that_comes_before_the_console_waits_for_it(world: World) -> None:
    out = Pipe(world)
    console = world.console(None, out.sink)
    early = asyncio.create_task(console.send("", OPENED, silent=True))
    await asyncio.sleep(0)
    assert not early.done()
    async with world.running(console):
        await early


async def test_the_last_answers_still_come_out(world: World) -> None:
    typed, out = Pipe(world), Pipe(world)
    reader = await out.reader()
    async with world.running(world.console(typed.source, out.sink)):
        typed.type("/shutdown\n")
        await world.desk.heard.get()

    assert await a_line(reader) == "Did /shutdown"


async def test_the_end_does_not_wait_for_a_command_that_hangs(world: World) -> None:
    typed = Pipe(world)
    world.desk.hang.add("/chart BTC")
    task = asyncio.create_task(world.console(typed.source, None).run(world.desk.on_message))
    typed.type("/chart BTC\n")
    await world.desk.heard.get()

    task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    while not task.done():
        world.clock.advance(LINGER)
        await asyncio.sleep(0)


async def test_what_a_narrow_encoding_lacks_is_replaced(world: World) -> None:
    out = Pipe(world)
    reader = await out.reader()
    narrow = os.fdopen(os.dup(out.sink.fileno()), "w", encoding="ascii")
    world.stack.callback(narrow.close)
    console = world.console(None, narrow)
    async with world.running(console):
        await console.send("", LOST, silent=False)

    assert await a_line(reader) == "20:41:09 URGENT ? Feed lost 30 s ago (paper)"


# -- at a prompt ----------------------------------------------------------------------------------


class Screen(io.StringIO):
    """Where the terminal's text ends up; tells when a text has come."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        self._loop.call_soon_threadsafe(self._changed.set)
        return written

    async def shows(self, text: str) -> None:
        while text not in self.getvalue():
            self._changed.clear()
            await self._changed.wait()


class Prompt:
    """A console at a prompt, typed at through a pipe."""

    def __init__(self, world: World, history: Path | None = None) -> None:
        self.desk = world.desk
        self.screen = Screen()
        self.keys: PipeInput = world.stack.enter_context(create_pipe_input())
        self.world = world
        self.console = world.console(None, None, terminal=True, history=history)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        at = (self.keys, PlainTextOutput(self.screen))
        async with self.world.running(self.console, at) as task:
            yield task

    async def enter(self, text: str) -> str:
        """Type a line; return what the desk heard."""
        self.keys.send_text(text + "\r")
        return await self.desk.heard.get()


async def test_an_answer_has_its_buttons_on_one_numbered_line(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running():
        assert await prompt.enter("/status") == "/status"
        await prompt.screen.shows("Trading (paper), nothing needs you")
        await prompt.screen.shows("1 Positions  2 Pause  3 Stop")


async def test_a_number_presses_the_button_of_the_last_answer(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running():
        await prompt.enter("/status")
        await prompt.screen.shows("3 Stop")
        assert await prompt.enter("3") == "/stop"
        await prompt.screen.shows("Did /stop")


async def test_an_alert_does_not_change_what_a_number_presses(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running():
        await prompt.enter("/status")
        await prompt.screen.shows("3 Stop")
        await prompt.console.send("", LOST, silent=False)

        assert "20:41:09 ⚠ Feed lost 30 s ago (paper)" in prompt.screen.getvalue()
        assert "  Status: /status   Stop: /stop" in prompt.screen.getvalue()
        assert await prompt.enter("1") == "/positions"


@pytest.mark.parametrize(("number", "said"), [("4", "1 to 3"), ("0", "1 to 3"), ("2", "none")])
async def test_a_number_without_a_button_sends_nothing(
    world: World, number: str, said: str
) -> None:
    prompt = Prompt(world)
    async with prompt.running():
        if said != "none":
            await prompt.enter("/status")
            await prompt.screen.shows("3 Stop")
        prompt.keys.send_text(f"{number}\r")
        await prompt.screen.shows("Nothing was sent.")
        await prompt.screen.shows(said)

    assert number not in world.desk.asked


async def test_a_button_is_pressed_once(world: World) -> None:
    prompt = Prompt(world)
    world.desk.hang.add("/stop")
    async with prompt.running():
        await prompt.enter("/status")
        await prompt.screen.shows("3 Stop")
        await prompt.enter("3")
        prompt.keys.send_text("3\r")
        await prompt.screen.shows("✕ No button 3, there are none")

    assert world.desk.asked == ["/status", "/stop"]


async def test_ctrl_c_at_an_empty_prompt_asks_the_desk_to_end(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running() as task:
        prompt.keys.send_text("\x03")
        await world.desk.interrupted.wait()
        assert not task.done()
        assert await prompt.enter("/status") == "/status"


async def test_ctrl_c_after_a_word_only_clears_it(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running():
        prompt.keys.send_text("/flatten\x03")
        assert await prompt.enter("/status") == "/status"

    assert not world.desk.interrupted.is_set()


async def test_ctrl_d_ends_the_prompt_and_not_the_desk(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running() as task:
        prompt.keys.send_text("\x04")
        await prompt.screen.shows("the desk goes on")
        await prompt.console.send("", OPENED, silent=True)

        assert "Opened SOL long 1.80 at 203.52 (paper)" in prompt.screen.getvalue()
        assert not task.done()


async def test_lines_are_remembered_for_the_next_time(world: World, tmp_path: Path) -> None:
    history = tmp_path / "history"
    prompt = Prompt(world, history)
    async with prompt.running():
        await prompt.enter("/positions")
    assert history.stat().st_mode & 0o777 == 0o600

    again = Prompt(world, history)
    async with again.running():
        assert await again.enter("\x1b[A") == "/positions"


async def test_a_history_that_cannot_be_written_costs_nothing_else(
    world: World, tmp_path: Path
) -> None:
    prompt = Prompt(world, tmp_path)  # a folder
    async with prompt.running():
        assert await prompt.enter("/status") == "/status"
        assert await prompt.enter("/stop") == "/stop"


async def test_what_others_print_appears_above_the_prompt(world: World) -> None:
    prompt = Prompt(world)
    async with prompt.running():
        await prompt.enter("/status")
        print("a line of the log")  # noqa: T201  # as a logging handler does
        await prompt.screen.shows("a line of the log")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("/pos", ["/positions", "/position"]),
        ("/POSITION", ["/positions", "/position"]),
        ("/position b", ["BTC"]),
        ("/position ", []),
        ("", []),
        ("BT", []),
    ],
)
def test_commands_are_completed_first_and_symbols_after(typed: str, offered: list[str]) -> None:
    completer = _completer(lambda: ["/positions", "/position", "/stop"], lambda: ["BTC", "SOL"])
    found = completer.get_completions(Document(typed), CompleteEvent())
    assert [completion.text for completion in found] == offered


# -- a real terminal ------------------------------------------------------------------------------


class Tty:
    """A real terminal; `ours` is where a person sits."""

    def __init__(self, world: World) -> None:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self.ours = world.stack.enter_context(os.fdopen(ours, "r+b", 0))
        self.stdin = world.stack.enter_context(os.fdopen(theirs, encoding="utf-8"))
        self.stdout = world.stack.enter_context(os.fdopen(os.dup(theirs), "w", encoding="utf-8"))
        self.at = (create_input(self.stdin), create_output(self.stdout))

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self.stdin.fileno())


@pytest.fixture
def tty(world: World, monkeypatch: pytest.MonkeyPatch) -> Tty:
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")  # nobody at the other end answers
    monkeypatch.setenv("TERM", "xterm-256color")
    return Tty(world)


async def test_a_real_terminal(world: World, tty: Tty) -> None:
    found = tty.modes
    reader = await world.reader(tty.ours)
    async with world.running(world.console(tty.stdin, tty.stdout), tty.at):
        await reader.readuntil(b"harbour>")
        assert tty.modes != found
        os.write(tty.ours.fileno(), b"/status\r")
        await reader.readuntil(b"3 Stop")
        await reader.readuntil(b"harbour>")
        os.write(tty.ours.fileno(), b"3\r")
        await reader.readuntil(b"Did /stop")

    assert tty.modes == found
    assert world.desk.asked == ["/status", "/stop"]


async def test_a_terminal_that_stalls_holds_up_neither_the_desk_nor_its_end(
    world: World, tty: Tty
) -> None:
    found = tty.modes
    reader = await world.reader(tty.ours)
    [transport] = world.transports
    assert isinstance(transport, asyncio.ReadTransport)
    console = world.console(tty.stdin, tty.stdout)
    with create_app_session(*tty.at):
        task = asyncio.create_task(console.run(world.desk.on_message))
    await reader.readuntil(b"harbour>")
    transport.pause_reading()
    stuck = asyncio.create_task(console.send("", Reply(title="x" * 100_000), silent=True))
    await asyncio.sleep(0)

    task.cancel()
    while not task.done():
        world.clock.advance(LINGER)
        await asyncio.sleep(0)
    assert not stuck.done()
    assert tty.modes == found

    transport.resume_reading()
    reading = asyncio.create_task(reader.read())
    await asyncio.wait([stuck])
    stuck.exception()  # told, or given up: both are right
    reading.cancel()
    await asyncio.gather(task, reading, return_exceptions=True)
