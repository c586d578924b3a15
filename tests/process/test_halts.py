"""A halt outlives the process, whatever becomes of it and of its files."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import latch
from tests.process import books
from tests.process.conftest import NewDesk
from tests.process.desk_process import DeskProcess, confirmation, quarterdeck
from tests.process.machine import first_free_descriptor, limited
from tests.process.test_three_traders import NAMES, THREE
from trading.model.halt import EVERYONE, Halt, Verb

pytestmark = pytest.mark.slow  # each starts a desk or two


def is_halted(desk: DeskProcess, by: str) -> bool:
    status, halts = desk.say("/status"), desk.say("/halts")
    return "■ Halted" in status["title"] and by in halts["text"]


def tells_at_its_start(desk: DeskProcess, halt: str) -> None:
    """What the line `Started ...` says below its title."""

    def told() -> bool:
        return any(f"Halted: {halt} " in text for text in desk.alerts_so_far("TraderStarted")[-1:])

    desk.until(told, "the start tells of the halt")


def forget_the_history(desk: DeskProcess) -> None:
    for file in desk.state.glob("history.db*"):
        file.unlink()


def forget_the_row(desk: DeskProcess) -> None:
    with closing(sqlite3.connect(desk.state / "history.db")) as history, history:
        history.execute("DELETE FROM halts")


def forget_the_latch_file(desk: DeskProcess) -> None:
    latch.path_in(desk.state).unlink()


def forget_nothing(desk: DeskProcess) -> None:
    pass


@pytest.mark.parametrize(
    "lose", [forget_nothing, forget_the_history, forget_the_row, forget_the_latch_file]
)
def test_stopped_killed_and_started_again_it_is_still_halted(
    calm: DeskProcess, lose: Callable[[DeskProcess], None]
) -> None:
    desk = calm.start()
    answer = desk.say("/stop the news")
    assert (answer["outcome"], answer["level"]) == ("done", "critical")
    # One place is enough for this answer; here either may be lost, so both must have it.
    desk.until(lambda: latch.read(latch.path_in(desk.state)).halts, "the latch file has it")
    desk.alerts("HaltEngaged")  # the history has it
    desk.kill()
    lose(desk)

    desk.start()

    assert is_halted(desk, "the news")
    tells_at_its_start(desk, "H1")
    assert desk.say("/stop")["title"].startswith("■ Already stopped")


def test_a_stop_of_all_holds_a_trader_that_was_added_or_renamed_since(
    calm: DeskProcess,
) -> None:
    desk = calm.start()
    desk.say("/stop the news")
    desk.until(lambda: latch.read(latch.path_in(desk.state)).halts, "the latch file has it")
    desk.until(lambda: desk.alerts("HaltEngaged"), "the history has it")
    desk.kill()
    settings = desk.folder / "bot.toml"
    renamed = settings.read_text("utf-8").replace("[traders.majors", "[traders.renamed")
    settings.write_text(renamed, "utf-8")

    desk.start()

    assert is_halted(desk, "the news")
    assert desk.do("/resume H1")["outcome"] == "done"
    assert "■ Halted" not in desk.say("/status")["title"]


def test_a_brake_on_traders_that_are_stopped_one_by_one_holds_who_comes_later_too(
    new_desk: NewDesk,
) -> None:
    desk = new_desk(**{"QUARTERDECK__FEEDS__CRASH__SPEED": "0.001", **THREE}).start()
    for name in NAMES:
        assert desk.say(f"/stop trader={name}")["outcome"] == "done"
    desk.kill()
    assert quarterdeck("stop", "--reason", "smells odd", cwd=desk.folder).code == 0

    desk.start()

    halts = desk.say("/halts")
    assert halts["title"].startswith("■ 4 halts")
    assert "H4 stop of all" in halts["text"]


def test_a_pause_of_all_is_no_stop_that_may_have_been_forgotten(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.say("/pause")
    desk.until(lambda: desk.alerts("HaltEngaged"), "the history has it")
    desk.kill()
    latch.path_in(desk.state).write_bytes(b"coffee" * 10_000)

    desk.start()

    assert is_halted(desk, "the latch file cannot be read")


def test_a_latch_file_that_cannot_be_read_starts_halted(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.kill()
    path = latch.path_in(desk.state)
    path.write_bytes(b"coffee" * 10_000)

    desk.start()

    assert is_halted(desk, "the latch file cannot be read")


def empty_the_latch_file(desk: DeskProcess) -> None:
    latch.path_in(desk.state).write_bytes(bytes(latch.SIZE))


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (forget_the_latch_file, "the latch file is gone or was emptied"),
        (empty_the_latch_file, "the latch file is gone or was emptied"),
        (forget_the_history, "the history is gone"),
    ],
)
def test_a_start_without_half_of_what_the_last_one_left_is_halted(
    calm: DeskProcess, lose: Callable[[DeskProcess], None], why: str
) -> None:
    desk = calm.start()
    assert "Halted" not in desk.say("/status")["title"], "a first start is not"
    desk.kill()
    lose(desk)

    desk.start()

    assert is_halted(desk, why)
    assert desk.do("/resume")["outcome"] == "done"
    desk.restart()
    assert "Halted" not in desk.say("/status")["title"], "it is asked about once"
    desk.terminate()
    lose(desk)
    desk.start("--fresh")
    assert "Halted" not in desk.say("/status")["title"], "a fresh start is a first one"


def test_a_latch_file_removed_while_it_runs_is_made_anew(calm: DeskProcess) -> None:
    desk = calm.start()
    latch.path_in(desk.state).unlink()
    desk.until(latch.path_in(desk.state).exists, "it is there again")

    assert desk.say("/stop the news")["outcome"] == "done"
    desk.until(lambda: latch.read(latch.path_in(desk.state)).halts, "and has the halt")


def test_a_lifted_halt_stays_lifted(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.say("/stop")
    assert desk.do("/resume")["outcome"] == "done"

    desk.restart()

    assert "Halted" not in desk.say("/status")["title"]
    assert desk.say("/stop")["outcome"] == "done"
    assert "H2 stop" in desk.say("/halts")["text"], "no number is used twice"


# -- quarterdeck stop -----------------------------------------------------------------------


def test_the_brake_reaches_a_desk_that_lives(calm: DeskProcess) -> None:
    desk = calm.start()

    ended = quarterdeck("stop", "--reason", "smells odd", cwd=desk.folder)

    assert ended.code == 0
    assert "■ Stopped" in ended.out or "■ Already stopped" in ended.out, (
        "the file may be read first"
    )
    assert is_halted(desk, "smells odd")
    desk.until(lambda: latch.read(latch.path_in(desk.state)).request is None, "it is taken over")
    assert desk.say("/halts")["title"].startswith("■ 1 halt"), "taken over as one halt, not two"


def test_the_brake_holds_a_desk_that_is_dead(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.kill()

    ended = quarterdeck("stop", "--reason", "smells odd", cwd=desk.folder)

    assert ended.code == 0
    assert "the next start is halted" in ended.out
    desk.start()
    assert is_halted(desk, "smells odd")
    tells_at_its_start(desk, "H1")


def test_a_reason_of_any_bytes_is_kept_and_every_answer_comes(calm: DeskProcess) -> None:
    desk = calm.start()

    ended = quarterdeck("stop", "--reason", os.fsdecode(b"b\xf6se"), cwd=desk.folder)

    assert (ended.code, ended.err) == (0, "")
    assert is_halted(desk, "b\ufffdse")
    assert desk.do("/resume")["outcome"] == "done"


async def test_halts_that_an_earlier_version_kept_are_told_and_lifted(calm: DeskProcess) -> None:
    """Half characters in its latch file: each answer with the halt in it hung up."""
    calm.start()
    calm.terminate()
    kept = latch.SlotLatch(latch.path_in(calm.state))
    at = datetime(2026, 11, 21, 1, 5, tzinfo=UTC)
    halt = Halt(id="H7", scope=EVERYONE, verb=Verb.STOP, by="x", why="b\udcf6se", at=at)
    await kept.write([halt], last_number=7)
    await kept.close()
    latch.request_stop(calm.state, by="an\udcf6", why="\ud83d", at=at)

    desk = calm.start()

    assert is_halted(desk, "b\ufffdse")
    assert desk.do("/resume")["outcome"] == "done"


async def test_the_brake_is_latched_for_a_desk_that_hangs(calm: DeskProcess) -> None:
    """It may still trade when it wakes, so the exit code says: not confirmed."""
    desk = calm.start()
    desk.signal(signal.SIGSTOP)

    ended = quarterdeck("stop", "--reason", "hangs", "--timeout", "0.2", cwd=desk.folder)

    assert ended.code == 1
    assert "the next start is halted" in ended.out
    assert f"(pid {desk.pid}) runs and does not answer" in ended.out
    assert latch.read(latch.path_in(desk.state)).request is not None
    desk.signal(signal.SIGCONT)
    desk.until(lambda: is_halted(desk, "hangs"), "the request is taken over")
    desk.until(lambda: latch.read(latch.path_in(desk.state)).request is None, "and cleared")
    desk.kill()
    assert len((await books.read(desk.state)).halts) == 1


def test_a_hung_desk_killed_by_the_brake_starts_halted(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.signal(signal.SIGSTOP)

    ended = quarterdeck("stop", "--kill", "--timeout", "0.2", cwd=desk.folder)

    assert ended.code == 0
    assert desk.wait() == -signal.SIGKILL
    desk.start()
    assert is_halted(desk, "quarterdeck stop")


# -- among a crowd --------------------------------------------------------------------------


def crowd(stack: ExitStack, path: Path, size: int, *, line: bytes = b"") -> None:
    """Clients that keep their connections, as many as the desk's queue takes in a moment."""
    for _ in range(size):
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(1)
        with suppress(OSError):  # it hangs up on those who keep their seat
            client.connect(str(path))
            if line:
                client.sendall(line)


@pytest.mark.parametrize("line", [b"", b"{", b'{"v": 1, "text": "/status"}\n'])
def test_among_two_thousand_clients_a_stop_is_heard(calm: DeskProcess, line: bytes) -> None:
    desk = calm.start()
    with ExitStack() as stack:
        crowd(stack, desk.socket, 2_000, line=line)
        crowd(stack, desk.state / "stop.sock", 200, line=line)

        raw = desk.say("/stop by hand")
        ended = quarterdeck("stop", cwd=desk.folder)

    assert raw["outcome"] == "done"
    assert (ended.code, ended.err) == (0, "")
    assert "■ Already stopped" in ended.out
    assert is_halted(desk, "by hand")


def test_without_a_descriptor_left_a_stop_is_heard(calm: DeskProcess) -> None:
    desk = calm.start()
    assert desk.say("/status")["outcome"] == "done"
    desk.until_loaded()
    with limited(desk.pid, resource.RLIMIT_NOFILE, first_free_descriptor(desk.pid)):
        ended = quarterdeck("stop", "--reason", "crowded", cwd=desk.folder)

    assert ended.code == 0
    assert is_halted(desk, "crowded")


def test_a_desk_that_hears_nobody_looks_at_its_latch_file(calm: DeskProcess) -> None:
    desk = calm.start()
    (desk.state / "stop.sock").unlink()

    ended = quarterdeck("stop", "--kill", "--timeout", "10", cwd=desk.folder)

    assert ended.code == 0
    assert f"Halted: the desk (pid {desk.pid}) has taken the stop over" in ended.out
    assert is_halted(desk, "quarterdeck stop")


def test_nor_needs_it_a_descriptor_to_take_a_stop_over_from_there(calm: DeskProcess) -> None:
    desk = calm.start()
    assert desk.say("/status")["outcome"] == "done"
    (desk.state / "stop.sock").unlink()
    desk.until_loaded()
    with limited(desk.pid, resource.RLIMIT_NOFILE, first_free_descriptor(desk.pid)):
        ended = quarterdeck("stop", "--timeout", "10", cwd=desk.folder)

    assert ended.code == 0
    assert f"Halted: the desk (pid {desk.pid}) has taken the stop over" in ended.out


# -- two at once, and second looks ----------------------------------------------------------


async def test_two_stops_at_once_are_one_halt_and_two_true_answers(calm: DeskProcess) -> None:
    desk = calm.start()
    with ThreadPoolExecutor(2) as people:
        said = [
            people.submit(quarterdeck, "say", f"/stop by {name}", cwd=desk.folder)
            for name in ("anna", "ben")
        ]
    first, second = sorted((done.result() for done in said), key=lambda ended: ended.out)

    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("■ Already stopped")
    assert second.out.startswith("■ Stopped")
    desk.kill()
    assert len((await books.read(desk.state)).halts) == 1


def test_a_confirmation_holds_where_it_was_asked_once_and_not_over_a_restart(
    calm: DeskProcess,
) -> None:
    desk = calm.start()
    desk.say("/stop")
    asked, other = desk.say("/resume"), desk.say("/resume")
    assert asked["outcome"] == "confirm"

    assert desk.say("/confirm ZZZZ")["outcome"] == "refused"
    assert desk.say(confirmation(asked))["outcome"] == "done"
    assert desk.say(confirmation(asked))["outcome"] == "refused"
    desk.say("/stop")
    desk.restart()
    refused = desk.say(confirmation(other))
    assert (refused["outcome"], "No question has the code" in refused["title"]) == ("refused", True)
    assert "Halted" in desk.say("/status")["title"]


def test_a_question_of_the_terminal_is_not_answered_from_the_console(calm: DeskProcess) -> None:
    """Both are the same person here; the place differs."""
    process = calm.launch(stdin=subprocess.PIPE)
    calm.start_is_over()
    calm.say("/stop")
    code = confirmation(calm.say("/resume"))

    assert process.stdin is not None
    process.stdin.write(f"{code}\n".encode())
    process.stdin.flush()

    calm.until(lambda: "Only where it was asked: terminal" in calm.out.read_text(), "the answer")
    assert "Halted" in calm.say("/status")["title"]
