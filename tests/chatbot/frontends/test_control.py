"""The control socket: what it understands, whom it trusts, and what cannot hurt it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatbot.folder.calling import address, ask
from chatbot.frontends.control import ControlSocket, StopSocket
from chatbot.frontends.control.face import BUSY, LONGEST_LINE, SEATS
from chatbot.ports import Frontend, OnMessage
from handlers.caller import Role
from handlers.message import Message
from handlers.reply import Outcome, Reply, to_json
from tests.process.machine import first_free_descriptor
from tests.waiting import PATIENCE
from trading.clocks import ManualClock, SystemClock
from trading.errors import Refused

NOW = datetime(2026, 11, 21, 1, 5, tzinfo=UTC)


class Desk:
    """Remembers what it was told and answers in kind."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.heard: list[Message] = []
        self.slow = asyncio.Event()
        self.busy = asyncio.Event()

    async def __call__(self, message: Message) -> Reply:
        self.heard.append(message)
        match message.text:
            case "/slow":
                self.busy.set()
                await self.slow.wait()
            case self.fails_at:
                return Reply("✕ Failed", outcome=Outcome.FAILED)
            case "/break":
                raise RuntimeError("a bug")
            case "/escape":
                return Reply("Heard \x1b[31mred\u202e")
            case "/half":
                return Reply("Half \ud83d")
            case "/flatten":
                return Reply("⚠ Close all?", outcome=Outcome.CONFIRM)
        return Reply(f"Heard {message.text}", text="Nothing was sent.")


def listening(
    path: Path, on_message: OnMessage, *, idle: float = 60.0
) -> AbstractAsyncContextManager[asyncio.Task[None]]:
    control = ControlSocket(path, render, ManualClock(NOW), idle=idle)
    return running(control, path, on_message)


def hearing_stops(
    path: Path, on_message: OnMessage
) -> AbstractAsyncContextManager[asyncio.Task[None]]:
    return running(StopSocket(path, render, ManualClock(NOW)), path, on_message)


def render(reply: Reply) -> str:
    return f"* {reply.title}"


@asynccontextmanager
async def running(
    face: Frontend, path: Path, on_message: OnMessage
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(face.run(on_message))
    while not (task.done() or takes_calls(path)):
        await SystemClock().sleep(0)  # one turn of the loop
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def takes_calls(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            with address(path) as name:
                probe.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


@asynccontextmanager
async def client(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with address(path) as name:
        reader, writer = await asyncio.open_unix_connection(name)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])


async def said(path: Path, line: bytes) -> dict[str, Any]:
    async with client(path) as (reader, writer):
        writer.write(line)
        answer: dict[str, Any] = json.loads(await reader.readline())
        return answer


def request(text: str, **more: object) -> bytes:
    return json.dumps({"v": 1, "text": text, **more}).encode() + b"\n"


async def test_a_line_is_a_message_of_the_owner_and_its_reply_a_line(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk):
        answer = await said(path, request("/status", id="7f3a"))
    (message,) = desk.heard
    user = f"local:{os.getuid()}"
    assert (message.caller.user, message.caller.chat, message.id) == (user, user, f"{user}:7f3a")
    assert (message.caller.role, message.caller.place) == (Role.OWNER, "terminal")
    assert (message.text, message.sent_at) == ("/status", NOW)
    assert answer == json.loads(to_json(Reply("Heard /status", text="Nothing was sent.")))


async def test_asked_plain_the_answer_has_the_terminal_text_too(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk()):
        assert (await said(path, request("/status", plain=True)))["plain"] == "* Heard /status"


async def test_one_connection_takes_several_lines_in_order(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk), client(path) as (reader, writer):
        writer.write(request("/one") + request("/two"))
        titles = [json.loads(await reader.readline())["title"] for _ in range(2)]
    assert titles == ["Heard /one", "Heard /two"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"/status\n", "is not JSON"),
        (b"\xff\xfe\n", "is not JSON"),
        (b"[" * 60_000 + b"\n", "is not JSON"),
        (b"[]\n", 'an object with "v": 1'),
        (b'{"v": 2, "text": "/status"}\n', 'an object with "v": 1'),
        (b'{"v": 1}\n', '"text" must be'),
        (b'{"v": 1, "text": "/status", "id": 7}\n', '"id" is text'),
        (b'{"v": 1, "text": "' + b"x" * LONGEST_LINE + b'"}\n', "longer than 64 KiB"),
    ],
)
async def test_what_is_not_understood_is_refused_and_the_desk_goes_on(
    tmp_path: Path, line: bytes, why: str
) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk):
        answer = await said(path, line)
        assert answer["outcome"] == "refused"
        assert why in answer["title"]
        assert answer["text"] == "Nothing was done."
        assert desk.heard == []
        assert (await said(path, request("/status")))["outcome"] == "done"


async def test_a_client_that_hangs_up_midway_is_not_obeyed(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk):
        async with client(path) as (_, writer):
            writer.write(request("/stop").rstrip(b"\n"))
        await said(path, request("/status"))
    assert [message.text for message in desk.heard] == ["/status"]


async def test_a_client_that_does_not_wait_for_its_answer_hurts_nobody(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk):
        async with client(path) as (_, writer):
            writer.write(request("/slow"))
            await desk.busy.wait()
        desk.slow.set()
        assert (await said(path, request("/status")))["outcome"] == "done"


async def test_a_silent_client_is_hung_up_on(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk(), idle=0.01), client(path) as (reader, _):
        assert await reader.read() == b""


async def test_silent_clients_do_not_keep_others_waiting(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk()), client(path), client(path):
        assert (await said(path, request("/status")))["outcome"] == "done"


async def test_a_slow_answer_does_not_delay_a_stop(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk), client(path) as (_, writer):
        writer.write(request("/slow"))
        await desk.busy.wait()
        assert (await said(path, request("/stop")))["title"] == "Heard /stop"
        desk.slow.set()


async def test_an_answer_under_way_is_given_before_the_socket_goes(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk) as task, client(path) as (reader, writer):
        writer.write(request("/slow"))
        await desk.busy.wait()
        task.cancel()
        desk.slow.set()
        assert json.loads(await reader.readline())["title"] == "Heard /slow"
    assert not path.exists()


async def test_what_breaks_is_told_with_a_reference(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk()):
        answer = await said(path, request("/break"))
    assert answer["outcome"] == "failed"
    assert answer["reference"] in answer["title"]
    assert "a bug" not in json.dumps(answer)


async def test_only_the_user_may_open_it(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    before = os.umask(0)
    try:
        async with listening(path, Desk()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_a_stranger_is_refused_even_through_an_open_door() -> None:
    desk = Desk()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "control.sock")
        async with listening(path, desk):
            Path(folder).chmod(0o755)
            path.chmod(0o666)
            script = (
                "import os, socket, sys; os.seteuid(65534); s = socket.socket(socket.AF_UNIX); "
                "s.connect(sys.argv[1]); print(s.recv(4096).decode())"
            )
            stranger = await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, str(path), stdout=subprocess.PIPE
            )
            out, _ = await stranger.communicate()
    assert "belongs to another user" in json.loads(out)["title"]
    assert desk.heard == []


async def test_a_dead_process_s_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with listening(path, Desk()):
        assert (await said(path, request("/status")))["outcome"] == "done"


async def test_a_living_process_s_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk()):
        with pytest.raises(Refused, match="Another process listens"):
            await ControlSocket(path, str, ManualClock(NOW)).run(Desk())
        assert (await said(path, request("/status")))["outcome"] == "done"


async def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(Refused, match="in the way"):
        await ControlSocket(path, str, ManualClock(NOW)).run(Desk())
    assert path.read_text() == "precious"


async def test_a_folder_may_lie_deeper_than_an_address_is_long(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 5)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    async with listening(path, Desk()):
        answer = await asyncio.to_thread(ask, path, "/status", timeout=PATIENCE)
        assert answer["title"] == "Heard /status"
    assert not path.exists()


# -- whatever bytes ------------------------------------------------------------------------


async def test_halves_of_characters_are_made_whole_on_their_way_in(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk):
        answer = await said(path, b'{"v": 1, "text": "/say b\\udcf6se\\u0000", "id": "\\ud83d"}\n')
    assert answer["title"] == "Heard /say b\ufffdse"
    assert desk.heard[0].id.endswith(":\ufffd")


async def test_an_answer_that_cannot_be_sent_is_told_as_broken(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk()):
        assert (await said(path, request("/half")))["outcome"] == "failed"


# -- a crowd ---------------------------------------------------------------------------------


@asynccontextmanager
async def crowd(path: Path, size: int) -> AsyncIterator[list[socket.socket]]:
    """Connections that say nothing; as many as the queue takes at once, then the rest."""
    loop = asyncio.get_running_loop()
    callers: list[socket.socket] = []
    try:
        for _ in range(size):
            caller = socket.socket(socket.AF_UNIX)
            caller.setblocking(False)
            callers.append(caller)
            await loop.sock_connect(caller, str(path))
        yield callers
    finally:
        for caller in callers:
            caller.close()


@pytest.mark.parametrize("size", [SEATS - 1, SEATS, SEATS + 1, 2 * SEATS])
async def test_among_clients_who_say_nothing_another_is_answered(tmp_path: Path, size: int) -> None:
    path = tmp_path / "control.sock"
    async with listening(path, Desk()), crowd(path, size):
        assert (await said(path, request("/status")))["outcome"] == "done"
        assert (await said(path, request("/stop")))["title"] == "Heard /stop"


async def test_a_stop_waits_for_no_turn(tmp_path: Path) -> None:
    """More wait for slow answers than are answered at a time; the last are told so."""
    desk, path = Desk(), tmp_path / "control.sock"
    async with listening(path, desk), crowd(path, BUSY) as callers:
        for caller in callers:
            caller.sendall(request("/slow"))
        while (answer := await said(path, request("/status")))["outcome"] == "done":
            pass  # they are being read
        assert "128 others are being answered" in answer["title"]
        assert (await said(path, request("/stop")))["title"] == "Heard /stop"
        desk.slow.set()


@pytest.mark.parametrize("size", [1, 100, 400])
async def test_nobody_holds_the_stop_socket(tmp_path: Path, size: int) -> None:
    desk, path = Desk(), tmp_path / "stop.sock"
    async with hearing_stops(path, desk), crowd(path, size):
        answer = await asyncio.to_thread(ask, path, "/stop all", timeout=PATIENCE)
    assert answer["title"] == "Heard /stop all"


async def test_the_stop_socket_hears_stops_only_and_one_line(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "stop.sock"
    async with hearing_stops(path, desk):
        refused = await said(path, request("/resume"))
        assert (refused["outcome"], "Only a stop" in refused["title"]) == ("refused", True)
        assert "not JSON" in (await said(path, b"stop\n"))["title"]
        async with client(path) as (reader, writer):
            writer.write(request("/stop") * 2)
            assert len((await reader.read()).splitlines()) == 1, "and then it is over"
    assert [message.text for message in desk.heard] == ["/stop"]


async def test_who_does_not_speak_at_once_is_hung_up_on_by_the_stop_socket(tmp_path: Path) -> None:
    path = tmp_path / "stop.sock"
    async with hearing_stops(path, Desk()), client(path) as (reader, _):
        assert await reader.read() == b""


@pytest.mark.parametrize("number", [1, 3])
async def test_without_descriptors_callers_are_let_in_by_the_spare_one(
    tmp_path: Path, number: int
) -> None:
    path, loop = tmp_path / "stop.sock", asyncio.get_running_loop()
    callers = [socket.socket(socket.AF_UNIX) for _ in range(number)]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with hearing_stops(path, Desk()):
        await said(path, request("/stop"))  # what is loaded with the first is loaded
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free_descriptor(os.getpid()), before[1]))
        try:
            for caller in callers:
                caller.setblocking(False)
                await loop.sock_connect(caller, str(path))
                await loop.sock_sendall(caller, request("/stop"))
            answers = [json.loads(await loop.sock_recv(caller, 4_096)) for caller in callers]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for caller in callers:
        caller.close()
    assert [answer["title"] for answer in answers] == ["Heard /stop"] * number
