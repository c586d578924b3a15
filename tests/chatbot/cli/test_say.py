"""`quarterdeck say` and `quarterdeck stop`, run as an operator runs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatbot.folder.state import StateFolder
from storage import latch
from tests.chatbot.frontends.test_control import Desk, hearing_stops, listening
from trading.clocks import SystemClock
from trading.model.halt import EVERYONE, Halt, Verb

HANGS = """
import signal, socket, sys
from pathlib import Path
from chatbot.folder.state import StateFolder
folder = StateFolder(Path(sys.argv[1]))
folder.hold()
listener = socket.socket(socket.AF_UNIX)
listener.bind(str(folder.socket))
listener.listen()
print("hangs", flush=True)
signal.pause()
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def quarterdeck(*arguments: str | Path, cwd: Path | None = None, **environ: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chatbot", *map(str, arguments)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environ},  # noqa: PTH109  # the checkout
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


@contextmanager
def hung_desk(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, str(folder)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"hangs\n"
        try:
            yield process
        finally:
            process.kill()


async def test_say_prints_the_terminal_text(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path / "control.sock", desk):
        ended = await quarterdeck("say", "/status", "--state", tmp_path)
    assert ended == Ended(0, "* Heard /status\n", "")
    assert desk.heard[0].id.startswith(f"local:{os.getuid()}:")


async def test_say_json_prints_the_reply_and_nothing_else(tmp_path: Path) -> None:
    async with listening(tmp_path / "control.sock", Desk()):
        ended = await quarterdeck("say", "/status", "--json", "--state", tmp_path)
    assert set(json.loads(ended.out)) == {
        *("v", "outcome", "title", "text", "table"),
        *("choices", "level", "as_of", "reference", "chart"),
    }


async def test_words_need_no_quotes(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path / "control.sock", desk):
        await quarterdeck("say", "--state", tmp_path, "/close", "BTC", "50%")
    assert desk.heard[0].text == "/close BTC 50%"


@pytest.mark.parametrize(("text", "code"), [("/status", 0), ("/break", 1), ("/flatten", 4)])
async def test_the_exit_code_is_the_outcome(tmp_path: Path, text: str, code: int) -> None:
    async with listening(tmp_path / "control.sock", Desk()):
        assert (await quarterdeck("say", text, "--state", tmp_path)).code == code


@pytest.mark.parametrize("arguments", [["say"], ["say", "/status", "--jsn"], ["stop", "now"]])
async def test_wrong_usage_is_two(arguments: list[str]) -> None:
    ended = await quarterdeck(*arguments)
    assert ended.code == 2
    assert "usage: quarterdeck" in ended.err


async def test_say_finds_the_folder_by_the_settings_here(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text('[bot]\nstate_dir = "here"\n')
    (tmp_path / "here").mkdir()
    async with listening(tmp_path / "here" / "control.sock", Desk()):
        assert (await quarterdeck("say", "/status", cwd=tmp_path)).code == 0
        elsewhere = await quarterdeck(
            "say", "/status", cwd=tmp_path, QUARTERDECK__BOT__STATE_DIR="there"
        )
    assert elsewhere.code == 3


async def test_nobody_there_says_what_that_means(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    ended = await quarterdeck("say", "/status", "--state", tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(f"Nobody there: no desk answers on {tmp_path}.\nPositions and")
    assert "Start it: quarterdeck run" in ended.err


async def test_without_settings_say_asks_for_them(tmp_path: Path) -> None:
    ended = await quarterdeck("say", "/status", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("bot.toml cannot be read: there is no such file. Name it with")


async def test_a_desk_that_does_not_answer_is_not_waited_for_long(tmp_path: Path) -> None:
    with hung_desk(tmp_path):
        ended = await quarterdeck("say", "/status", "--state", tmp_path, "--timeout", "0.1")
    assert ended.code == 1
    assert "It did not answer within 0.1 s; what was said may still be done." in ended.err


async def test_say_and_stop_load_nothing_heavy() -> None:
    script = (
        "import sys; import chatbot.__main__, chatbot.cli.say, chatbot.cli.brake, storage.latch; "
        "import trading.clocks; "
        "print([m for m in ('typer', 'pydantic', 'structlog', 'numpy', 'sqlalchemy') "
        "if m in sys.modules])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out == b"[]\n"


async def test_stop_latches_first_and_tells_the_desk(tmp_path: Path) -> None:
    desk = Desk()
    async with hearing_stops(tmp_path / "stop.sock", desk):
        ended = await quarterdeck("stop", "--reason", "smells\nodd", "--state", tmp_path)
    assert ended == Ended(0, "* Heard /stop all smells odd\n", "")
    request = latch.read_request(tmp_path / latch.NAME)
    assert request is not None
    assert request.why == "smells odd"
    assert request.by.endswith(", terminal")


async def test_a_reason_of_any_bytes_stops(tmp_path: Path) -> None:
    desk = Desk()
    async with hearing_stops(tmp_path / "stop.sock", desk):
        reason = os.fsdecode(b"b\xf6se \x1b[2J \xe2\x80\xae")
        ended = await quarterdeck("stop", "--reason", reason, "--state", tmp_path)
    assert ended == Ended(0, "* Heard /stop all b\ufffdse [2J\n", "")
    request = latch.read_request(tmp_path / latch.NAME)
    assert request is not None
    assert request.why == "b\ufffdse [2J"


async def test_say_takes_any_bytes_and_tells_the_terminal_nothing_but_words(
    tmp_path: Path,
) -> None:
    desk = Desk()
    async with listening(tmp_path / "control.sock", desk):
        await quarterdeck("say", "/close", os.fsdecode(b"b\xf6se"), "--state", tmp_path)
        told = await quarterdeck("say", "/escape", "--state", tmp_path)
        as_json = await quarterdeck("say", "/escape", "--json", "--state", tmp_path)
    assert desk.heard[0].text == "/close b\ufffdse"
    assert told == Ended(0, "* Heard [31mred\n", "")
    assert json.loads(as_json.out)["title"] == "Heard [31mred"
    assert as_json.out.isascii()


async def test_a_folder_of_any_name_is_spoken_to(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"st\xe4te")
    folder.mkdir()
    async with listening(folder / "control.sock", Desk()):
        assert (await quarterdeck("say", "/status", "--state", folder)).code == 0
    ended = await quarterdeck("stop", "--state", folder)
    assert (ended.code, ended.err) == (0, "")
    assert "is latched in" in ended.out


async def test_a_reason_without_end_is_cut_and_stops(tmp_path: Path) -> None:
    desk = Desk()
    async with hearing_stops(tmp_path / "stop.sock", desk):
        ended = await quarterdeck("stop", "--reason", "x" * 100_000, "--state", tmp_path)
    assert ended.code == 0
    assert len(desk.heard[0].text) < 1_000


async def test_a_stop_that_failed_at_the_desk_is_no_stop(tmp_path: Path) -> None:
    async with hearing_stops(tmp_path / "stop.sock", Desk(fails_at="/stop all")):
        ended = await quarterdeck("stop", "--state", tmp_path)
    assert ended.code == 1
    assert "does not confirm it. It said: * ✕ Failed" in ended.out


async def test_a_request_that_the_desk_took_over_is_a_halt_and_nobody_is_killed(
    tmp_path: Path,
) -> None:
    """It hears nobody, and looks at its latch file all the same."""
    at = datetime(2026, 11, 21, 1, 5, tzinfo=UTC)
    halt = Halt(id="H1", scope=EVERYONE, verb=Verb.STOP, by="anna", why="odd", at=at)
    path = tmp_path / latch.NAME
    with hung_desk(tmp_path) as hung:
        stopping = asyncio.create_task(
            quarterdeck("stop", "--kill", "--state", tmp_path, "--timeout", "30")
        )
        while (request := latch.read_request(path)) is None:
            await SystemClock().sleep(0)
        desk = latch.SlotLatch(path)
        await desk.write([halt], last_number=1)
        await desk.clear_request(request)
        socket_of_stops(tmp_path)
        ended = await stopping
        await desk.close()
        assert hung.poll() is None
    assert ended.code == 0
    assert f"Halted: the desk (pid {hung.pid}) has taken the stop over" in ended.out


def socket_of_stops(folder: Path) -> None:
    """One that hangs up on whoever calls."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "stop.sock"))
        listener.listen()
        listener.settimeout(30)
        listener.accept()[0].close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("word", ["say", "stop"])
async def test_nothing_is_said_to_another_users_process(word: str) -> None:
    script = (
        "import os, socket, sys; os.seteuid(65534); s = socket.socket(socket.AF_UNIX); "
        "s.bind(sys.argv[1]); s.listen(); print('listens', flush=True); s.settimeout(60); "
        "print(s.accept()[0].recv(4096))"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)  # somebody else may have made it first
        path = Path(folder, "control.sock" if word == "say" else "stop.sock")
        impostor = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(path), stdout=subprocess.PIPE
        )
        assert impostor.stdout is not None
        assert await impostor.stdout.readline() == b"listens\n"
        ended = await quarterdeck(word, *["/resume"][: word == "say"], "--state", folder)
        heard = await impostor.stdout.read()
        await impostor.wait()
    assert ended.code == 1
    assert "is served by another user" in ended.out + ended.err
    assert "Nothing was said to it" in ended.out + ended.err
    assert heard == b"b''\n"


async def test_stop_with_nobody_there_halts_the_next_start(tmp_path: Path) -> None:
    ended = await quarterdeck("stop", "--state", tmp_path)
    assert ended.code == 0
    assert "the next start is halted" in ended.out
    assert "no desk runs on this folder" in ended.out
    assert latch.read_request(tmp_path / latch.NAME) is not None


async def test_stop_does_not_make_up_a_folder(tmp_path: Path) -> None:
    ended = await quarterdeck("stop", "--state", tmp_path / "typo")
    assert ended.code == 3
    assert "nothing was latched" in ended.err
    assert not (tmp_path / "typo").exists()


async def test_stop_names_the_command_that_ends_a_hung_desk(tmp_path: Path) -> None:
    with hung_desk(tmp_path) as desk:
        ended = await quarterdeck("stop", "--state", tmp_path, "--timeout", "0.1")
        assert desk.poll() is None
    assert ended.code == 1
    assert "the next start is halted" in ended.out
    assert f"(pid {desk.pid}) runs and does not answer" in ended.out
    assert f"may still trade. To end it: kill -KILL {desk.pid}" in ended.out


async def test_stop_kill_ends_a_hung_desk(tmp_path: Path) -> None:
    with hung_desk(tmp_path) as desk:
        os.kill(desk.pid, signal.SIGSTOP)  # as hung as it gets
        ended = await quarterdeck("stop", "--kill", "--state", tmp_path, "--timeout", "0.1")
        assert desk.wait() == -signal.SIGKILL
    assert ended.code == 0
    assert f"Process {desk.pid} was killed" in ended.out
    assert StateFolder(tmp_path).holder() is None


@pytest.mark.parametrize(("said", "killed"), [(b"y\n", True), (b"\n", False)])
async def test_on_a_terminal_stop_asks_before_it_kills(
    tmp_path: Path, said: bytes, *, killed: bool
) -> None:
    ours, theirs = os.openpty()
    with hung_desk(tmp_path) as desk:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chatbot", "stop"),
            *("--state", str(tmp_path), "--timeout", "0.1"),
            stdin=theirs,
            stdout=theirs,
        )
        os.close(theirs)
        os.write(ours, said)  # the terminal keeps it until it is asked for
        code = await process.wait()
        assert (desk.poll() is not None) is killed
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert f"Kill process {desk.pid}? Positions and protective stops stay. [y/N]" in shown
    assert code == (0 if killed else 1)


async def test_a_desk_without_a_socket_yet_is_seen_by_its_lock(tmp_path: Path) -> None:
    with StateFolder(tmp_path):
        ended = await quarterdeck("stop", "--state", tmp_path)
    assert ended.code == 1
    assert f"(pid {os.getpid()}) runs and does not answer" in ended.out
