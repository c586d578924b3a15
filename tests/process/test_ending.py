"""How a desk ends, and what never ends it."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.process import books
from tests.process.conftest import NewDesk
from tests.process.desk_process import DeskProcess, quarterdeck
from tests.process.test_crashes import BUSY, FAST
from trading.types import OrderRole, OrderStatus

pytestmark = pytest.mark.slow  # each starts a desk or two


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_end_it_cancels_entries_and_notes_a_clean_exit(
    new_desk: NewDesk, number: signal.Signals
) -> None:
    desk = new_desk(BUSY.format(participation=0.0001)).start(QUARTERDECK__FEEDS__CRASH__SPEED=FAST)
    desk.until(lambda: "entr" in desk.say("/orders")["title"], "an entry rests")

    desk.signal(number)

    assert desk.wait() == 0
    left = await books.read(desk.state)
    assert left.clean_exit
    assert not [o for o in left.orders if o.role is OrderRole.ENTRY and not o.status.is_terminal]
    assert not [report for report in left.resting if _role(report.order) is OrderRole.ENTRY]
    assert left.alerts_of("DeskStopping") == 1
    assert not desk.socket.exists()
    assert any(o.status is OrderStatus.CANCELLED for o in left.orders)


async def test_ctrl_c_closes_nothing(new_desk: NewDesk) -> None:
    """Positions stay, each with its stop."""
    desk = new_desk().start(QUARTERDECK__FEEDS__CRASH__SPEED="360")
    desk.alerts("PositionOpened")  # a position

    desk.signal(signal.SIGINT)

    assert desk.wait() == 0
    left = await books.read(desk.state)
    exits = [order for order in left.orders if order.role is OrderRole.EXIT]
    assert not [order for order in exits if order.reason in {"hand", "flatten"}]
    assert books.faults(left) == []


def _role(order: object) -> OrderRole | None:
    return getattr(order, "role", None)


def test_signals_before_the_desk_is_ready_end_it_cleanly_too(calm: DeskProcess) -> None:
    calm.launch()
    calm.until(calm.socket.exists, "the socket is there")
    assert calm.terminate() == 0


async def test_a_second_signal_changes_nothing(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.signal(signal.SIGTERM)
    desk.signal(signal.SIGTERM)
    desk.signal(signal.SIGINT)
    assert desk.wait() == 0
    assert (await books.read(desk.state)).clean_exit


def test_the_time_limit_ends_it(calm: DeskProcess) -> None:
    calm.launch("--for", "0.5")
    assert calm.wait() == 0
    assert "Shutting down, by the time limit" in calm.out.read_text()


async def test_shutdown_asks_first_and_then_ends_it(calm: DeskProcess) -> None:
    desk = calm.start()
    assert desk.say("/shutdown")["outcome"] == "confirm"
    assert desk.do("/shutdown")["outcome"] == "done"
    assert desk.wait() == 0
    assert (await books.read(desk.state)).clean_exit


def test_how_it_ended_is_told_at_the_next_start(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.terminate()
    desk.start()
    desk.alerts("TraderStarted", count=2)  # the second start
    desk.restart()
    starts = desk.alerts("TraderStarted", count=3)
    first, second, third = (text.splitlines()[0] for text in starts)
    assert first.endswith("for the first time")
    assert "(killed)" not in second
    assert third.endswith("(killed)")


def test_the_end_of_input_is_not_the_end(calm: DeskProcess) -> None:
    process = calm.launch(stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"/version\n")
    process.stdin.close()
    calm.until(lambda: "Quarterdeck" in calm.out.read_text(), "its last line is answered")

    assert calm.start_is_over()["outcome"] == "done"
    assert calm.terminate() == 0


def test_a_broken_pipe_is_not_the_end(calm: DeskProcess) -> None:
    """As in `quarterdeck run | head -1`."""
    reader, writer = os.pipe()
    calm.launch(stdout=writer)
    os.close(writer)
    os.close(reader)

    assert calm.start_is_over()["outcome"] == "done"
    assert calm.say("/stop")["outcome"] == "done"
    calm.alerts("HaltEngaged")  # what nobody reads is remembered
    assert calm.terminate() == 0


def test_a_second_desk_on_the_same_folder_is_refused(calm: DeskProcess) -> None:
    desk = calm.start()

    for arguments in (["run"], ["run", "--fresh"]):
        ended = quarterdeck(*arguments, cwd=desk.folder)
        assert ended.code == 1
        assert f"Another desk (pid {desk.pid}) runs on {desk.state}" in ended.err
        assert "Traceback" not in ended.err

    assert desk.say("/status")["outcome"] == "done"
    assert not list(desk.folder.glob("state.*"))


def test_a_second_desk_is_refused_though_the_lock_file_was_removed(calm: DeskProcess) -> None:
    desk = calm.start()
    (desk.state / "lock").unlink()

    for arguments in (["run"], ["run", "--fresh"], ["scan", "--once"]):
        ended = quarterdeck(*arguments, cwd=desk.folder)
        assert ended.code == 1
        assert f"Another desk (pid {desk.pid}) runs on {desk.state}" in ended.err

    assert desk.say("/status")["outcome"] == "done"
    assert "Already" not in desk.say("/stop")["title"], "and it is still this one that obeys"
    ended = quarterdeck("stop", cwd=desk.folder)
    assert ended.code == 0


def test_say_and_its_exit_codes(calm: DeskProcess) -> None:
    desk = calm.start()
    codes = {
        text: quarterdeck("say", text, "--json", cwd=desk.folder).code
        for text in ("/status", "/positionz", "/shutdown")
    }
    assert codes == {"/status": 0, "/positionz": 1, "/shutdown": 4}
    desk.terminate()
    assert quarterdeck("say", "/status", cwd=desk.folder).code == 3


# -- run --fresh ----------------------------------------------------------------------------


async def test_a_fresh_start_sets_the_old_folder_aside_and_keeps_the_halt(
    calm: DeskProcess,
) -> None:
    desk = calm.start()
    desk.say("/stop the news")
    assert desk.terminate() == 0
    before = (await books.read(desk.state)).halts

    desk.start("--fresh")

    (aside,) = desk.folder.glob("state.20*")
    assert (aside / "history.db").exists()
    assert f"The old state is in {aside}." in desk.err.read_text()
    assert "■ Halted" in desk.say("/status")["title"]
    assert "the news" in desk.say("/halts")["text"]
    desk.kill()
    left = await books.read(desk.state)
    assert [halt.id for halt in left.halts] == [halt.id for halt in before]
    assert left.books.account is not None
    assert left.books.account.wallet == books.CAPITAL


def test_a_fresh_start_without_a_halt_trades(calm: DeskProcess) -> None:
    desk = calm.start()
    desk.kill()

    desk.start("--fresh")

    assert "Halted" not in desk.say("/status")["title"]
    desk.until(lambda: "for the first time" in desk.out.read_text(), "the start is told")


def test_whatever_the_umask_its_files_are_its_users_alone(calm: DeskProcess) -> None:
    calm.state.mkdir(mode=0o755)
    calm.under = ("sh", "-c", 'umask 000; exec "$@"', "sh")
    calm.start()
    assert calm.say("/backup")["outcome"] == "done"
    calm.say("/stop")
    calm.terminate()

    everything = [calm.state, *calm.state.rglob("*")]
    assert {path.name for path in everything} > {"history.db", "latch", "lock", "logs"}
    modes = {path.relative_to(calm.folder): path.stat().st_mode & 0o077 for path in everything}
    assert {path: f"{mode:o}" for path, mode in modes.items() if mode} == {}
    assert f"{calm.state} was open to others (mode 0755)" in calm.err.read_text()
