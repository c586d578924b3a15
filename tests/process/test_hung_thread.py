"""A thread of the running process hangs for ever: what does not need it goes on, and it is told.

A pipe that nobody fills lies where a journal is to be begun: whoever reads it never comes back, as
on a network disk that has gone away.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.chatbot.test_side_by_side import TWO
from tests.process.conftest import NewDesk
from tests.process.desk_process import DeskProcess
from tests.process.test_machine_faults import UNWRITTEN, Troubled, calm
from tests.process.test_two_traders import SPEED, start

pytestmark = pytest.mark.slow  # each starts a desk or two

__all__ = ["calm"]  # a fixture


def hangs_in(desk: DeskProcess, pipe: Path) -> bool:
    """Whether a thread of it has opened *pipe*: it reads there until the end of the process."""
    held = (fd.readlink() for fd in Path(f"/proc/{desk.pid}/fd").iterdir() if fd.is_symlink())
    return pipe in held


def test_a_hung_paper_book_holds_up_its_trader_only_and_a_stop_works(new_desk: NewDesk) -> None:
    desk = start(new_desk(TWO, **{SPEED: "0.001"}))
    pipe = desk.state / "paper-minors.journal"
    os.mkfifo(pipe)

    bought = desk.do("/buy XRP 400")

    assert hangs_in(desk, pipe)
    assert bought["title"].startswith("? Unknown: XRP buy")
    assert "Not resent" in bought["text"]
    assert desk.do("/buy BTC 400")["outcome"] == "done", "the other one trades on"
    assert "XRP buy" in str(desk.say("/orders trader=minors"))
    assert "venue silent" in desk.say("/status trader=minors")["title"]
    desk.alerts("VenueLost")  # the silence is told
    stopped = desk.say("/stop")
    assert stopped["outcome"] == "done"
    desk.halt_is_saved()
    assert "Halted" in desk.say("/status trader=minors")["title"]
    assert desk.say("/positions trader=majors")["table"]

    desk.kill()
    pipe.unlink()
    start(desk)

    assert all("Halted" in desk.say(f"/status trader={n}")["title"] for n in ("majors", "minors"))
    assert not desk.say("/positions trader=minors")["table"], "it never arrived"
    assert "differ" not in "".join(desk.alerts("TraderStarted"))


def test_a_hung_fallback_journal_holds_up_no_exit(calm: Troubled) -> None:
    """History is held by another program, and what stands in for it hangs."""
    desk = calm
    desk.may_complain += [UNWRITTEN]
    desk.start()
    assert desk.do("/buy BTC 400")["outcome"] == "done"
    pipe = desk.state / "intents.journal"
    os.mkfifo(pipe)

    with closing(sqlite3.connect(desk.state / "history.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        closed = desk.do("/close BTC")
        assert closed["title"].startswith("✓ Sold"), closed
        desk.until(lambda: hangs_in(desk, pipe), "the journal hangs")
        assert not desk.say("/positions")["table"]
        stopped = desk.say("/stop")
        assert stopped["outcome"] == "done"
        desk.halt_is_saved()  # the latch file has it
        other.execute("ROLLBACK")

    desk.until(
        lambda: desk.alerts_so_far("ReductionUnsaved") or desk.alerts_so_far("ReductionLate"),
        "it is told",
    )
    assert "Halted" in desk.say("/status")["title"]
    desk.kill()
