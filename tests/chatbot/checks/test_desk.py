"""`quarterdeck check`: each line of its table shows the bad value, and what to do about it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatbot.checks.desk import check
from chatbot.checks.finding import Finding, Verdict
from chatbot.folder.state import StateFolder
from storage import backup, latch
from storage.journal import FileJournal
from storage.migrate import HEAD, REVISIONS
from storage.store import SqlStore
from tests.chatbot.cli.test_say import quarterdeck
from tests.process.desk_process import COMMAND, SHIPPED, environment
from tests.process.machine import OBEYING_MODES, SmallDisk, can_mount
from trading.clocks import ManualClock
from trading.model.halt import EVERYONE, Halt, Verb
from trading.ports import Change

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PLENTY = {"least_free": 1, "little_free": 1}
"""This machine's disk has a byte: what a full one says has tests of its own."""
HALT = Halt(id="H7", scope=EVERYONE, verb=Verb.STOP, by="ben", why="the news", at=NOW)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Settings as shipped, and an empty state folder."""
    (tmp_path / "bot.toml").write_text(SHIPPED, encoding="utf-8")
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


async def with_history(desk: Path, *changes: Change) -> Path:
    path = desk / "state" / "history.db"
    store = await SqlStore.open(path, clock=ManualClock(NOW))
    for change in changes:
        await store.commit(change)
    await store.close()
    return path


async def with_latch(desk: Path) -> None:
    """As a desk without halts leaves it."""
    kept = latch.SlotLatch(latch.path_in(desk / "state"))
    await kept.write([], last_number=0)
    await kept.close()


def rewritten(desk: Path, old: str, new: str) -> None:
    assert old in SHIPPED
    (desk / "bot.toml").write_text(SHIPPED.replace(old, new), encoding="utf-8")


def look(desk: Path, **measures: int) -> list[Finding]:
    return check(desk / "bot.toml", {}, ManualClock(NOW), **{**PLENTY, **measures})


def line(desk: Path, what: str, **measures: int) -> Finding:
    """The line of that name; where it has several, the first."""
    found = look(desk, **measures)
    for finding in found:
        assert (finding.verdict is Verdict.OK) == (not finding.todo), finding
    return next(finding for finding in found if finding.what == what)


def is_fault(finding: Finding, *said: str) -> bool:
    assert finding.verdict is Verdict.FAULT, finding
    text = f"{finding.said} -> {finding.todo}"
    assert all(part in text for part in said), text
    return True


# -- all is well --------------------------------------------------------------------------


async def test_a_desk_that_could_start_has_no_fault(desk: Path) -> None:
    await with_history(desk, Change(notes=(("last_seen", NOW.isoformat()),)))
    await with_latch(desk)

    assert [f"{f.what}: {f.said}" for f in look(desk) if f.what != "disk"] == [
        "settings: bot.toml, 1 of 3 traders enabled",
        "state folder: no desk runs on it",
        "permissions: state folder and sockets",
        f"database: revision {HEAD}",
        "halts: none in force",
        "clock: 2026-11-21 12:00 UTC, UTC",
        "feed of majors: crash, 5 symbols, 600 bars of warm-up",
        "venue of majors: paper, paper, its book will be made",
        "order journal: 0 orders in it",
        "strategy of majors: ema_cross",
        "chats: console; quarterdeck say",
    ]
    assert {f.verdict for f in look(desk)} == {Verdict.OK}


async def test_it_looks_before_the_first_start_and_makes_nothing(desk: Path) -> None:
    (desk / "state").rmdir()

    assert {f.verdict for f in look(desk)} == {Verdict.OK}
    assert line(desk, "state folder").said == "state will be made at the first start"
    assert [path.name for path in desk.iterdir()] == ["bot.toml"]


async def test_looking_changes_nothing_that_is_kept(desk: Path) -> None:
    path = await with_history(desk, Change(halts=HALT.parts))
    before = path.read_bytes()

    look(desk)

    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["history.db"]


async def test_a_running_desk_is_named_and_left_alone(desk: Path) -> None:
    with StateFolder(desk / "state"):
        found = line(desk, "state folder")
    assert (found.verdict, found.said) == (Verdict.OK, f"a desk runs on it (pid {os.getpid()})")


@pytest.mark.slow
@pytest.mark.parametrize(("mistake", "code"), [("", 0), ("fast = 12", 1)])
async def test_the_exit_code_says_whether_there_is_a_fault(
    desk: Path, mistake: str, code: int
) -> None:
    if mistake:
        rewritten(desk, mistake, "fast = 999")

    ended = await quarterdeck("check", cwd=desk)

    assert (ended.code, ended.err) == (code, "")
    faults = [text for text in ended.out.splitlines() if "  fault  " in text]
    assert len(faults) == code
    assert all(" -> " in text for text in faults)


# -- settings -----------------------------------------------------------------------------


async def test_each_mistake_in_the_settings_has_a_line(desk: Path) -> None:
    rewritten(desk, "capital = 10000", "capital = -1\ncolour = 3")

    first, second = look(desk)

    line = SHIPPED[: SHIPPED.index("capital = 10000")].count("\n") + 1
    assert is_fault(first, f"bot.toml {line}", "capital = -1", "correct it")
    assert is_fault(second, f"bot.toml {line + 1}", "colour is not known")


async def test_settings_that_are_not_there(desk: Path) -> None:
    (desk / "bot.toml").unlink()
    (only,) = look(desk)
    assert is_fault(only, "bot.toml cannot be read")


# -- the folder and the disk --------------------------------------------------------------


@pytest.mark.slow
async def test_a_folder_that_takes_nothing(desk: Path) -> None:
    state = desk / "state"
    state.chmod(0o500)
    try:
        said = in_a_shell(desk)
    finally:
        state.chmod(0o700)
    assert f"state folder        fault  {state} is not writable -> chmod u+rwx {state}" in said


@pytest.mark.slow
async def test_a_file_in_it_that_takes_nothing(desk: Path) -> None:
    path = await with_history(desk)
    path.chmod(0o400)

    said = in_a_shell(desk)

    assert f"state folder        fault  {path} is not writable -> chmod u+rw {path}" in said


def in_a_shell(desk: Path) -> str:
    """As its owner sees it; root, who may do everything, without that right."""
    command = [*OBEYING_MODES, *COMMAND, "check"]
    done = subprocess.run(
        command, cwd=desk, env=environment(), capture_output=True, check=False, text=True
    )
    assert done.returncode == 1, done.stderr
    return done.stdout


async def test_a_folder_that_cannot_be_made(desk: Path) -> None:
    rewritten(desk, 'state_dir = "state"', 'state_dir = "bot.toml/state"')
    assert is_fault(line(desk, "state folder"), "cannot be made", "choose another [bot] state_dir")


async def test_a_file_in_the_place_of_the_folder(desk: Path) -> None:
    (desk / "state").rmdir()
    (desk / "state").touch()
    assert is_fault(line(desk, "state folder"), "is a file", "choose another [bot] state_dir")


@pytest.mark.skipif(not can_mount(), reason="this machine lets nobody mount")
async def test_a_disk_that_is_read_only(desk: Path) -> None:
    disk = SmallDisk(desk / "state", 1_000_000)
    try:
        disk.make_read_only()
        rewritten(desk, 'state_dir = "state"', f'state_dir = "{disk.path}"')
        assert is_fault(line(desk, "state folder"), "read-only", "mount it writable")
    finally:
        disk.close()


@pytest.mark.parametrize(
    ("name", "mode", "mend"),
    [
        ("state", 0o750, "chmod 700"),
        ("state", 0o701, "chmod 700"),
    ],
)
async def test_permissions_that_are_too_wide(desk: Path, name: str, mode: int, mend: str) -> None:
    (desk / name).chmod(mode)

    assert is_fault(line(desk, "permissions"), "is open to others", f"{mend} {desk / name}")


async def test_settings_that_others_may_write(desk: Path) -> None:
    (desk / "bot.toml").chmod(0o646)
    (found,) = look(desk)
    assert is_fault(found, "may be written by everybody", f"chmod o-w {desk / 'bot.toml'}")


async def test_a_link_among_the_files(desk: Path) -> None:
    (desk / "state" / "history.db").symlink_to("/dev/null")
    assert is_fault(line(desk, "state folder"), "history.db is a link", "put the file itself")


async def test_a_pipe_among_the_files(desk: Path) -> None:
    os.mkfifo(desk / "state" / "latch")
    assert is_fault(line(desk, "state folder"), "latch is a pipe or a device", "take it away")


async def test_a_variable_in_small_letters(desk: Path) -> None:
    found = check(desk / "bot.toml", {"quarterdeck__bot__name": "x"}, ManualClock(NOW), **PLENTY)
    assert "quarterdeck__bot__name is read as QUARTERDECK__BOT__NAME" in [f.said for f in found]


async def test_a_disk_with_little_room(desk: Path) -> None:
    """What is free on this machine is less than the most that a number can be."""
    few = line(desk, "disk", least_free=sys.maxsize)
    some = line(desk, "disk", little_free=sys.maxsize)

    assert is_fault(few, "GB free", "make room")
    assert (some.verdict, some.todo) == (Verdict.LOOK, "make room before long")


@pytest.mark.skipif(not can_mount(), reason="this machine lets nobody mount")
async def test_a_disk_that_is_small_indeed(desk: Path) -> None:
    disk = SmallDisk(desk / "state", 1_000_000)
    try:
        rewritten(desk, 'state_dir = "state"', f'state_dir = "{disk.path}"')
        usual = check(desk / "bot.toml", {}, ManualClock(NOW))
        assert is_fault(next(f for f in usual if f.what == "disk"), "1.0 MB free", "make room")
    finally:
        disk.close()


# -- the database -------------------------------------------------------------------------


async def test_a_damaged_database(desk: Path) -> None:
    path = await with_history(desk)
    path.write_bytes(b"coffee" * 10_000)
    assert is_fault(line(desk, "database"), "damaged", "a backup", "run --fresh")


async def test_a_database_that_is_damaged_inside(desk: Path) -> None:
    path = await with_history(desk)
    raw = bytearray(path.read_bytes())
    raw[-8192:] = bytes(range(256)) * 32
    path.write_bytes(raw)
    assert is_fault(line(desk, "database"), "damaged", "a backup", "run --fresh")


async def test_a_database_that_another_program_holds(desk: Path) -> None:
    path = await with_history(desk)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert is_fault(line(desk, "database"), "another program holds it", "fuser")
    assert line(desk, "database").verdict is Verdict.OK


async def test_a_database_of_a_newer_version(desk: Path) -> None:
    path = await with_history(desk)
    with closing(sqlite3.connect(path)) as history, history:
        history.execute("UPDATE alembic_version SET version_num = '9999'")
    assert is_fault(
        line(desk, "database"), "revision 9999 is newer", "the Quarterdeck that made it"
    )


async def test_a_database_of_an_older_version_is_worth_a_look(desk: Path) -> None:
    path = await with_history(desk)
    with closing(sqlite3.connect(path)) as history, history:
        history.execute("UPDATE alembic_version SET version_num = ?", [REVISIONS[0]])
    found = line(desk, "database")
    assert (found.verdict, found.todo) == (Verdict.LOOK, "the next start updates it")


async def test_a_database_of_somebody_else(desk: Path) -> None:
    with closing(sqlite3.connect(desk / "state" / "history.db")) as other, other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    assert is_fault(line(desk, "database"), "not of Quarterdeck's making", "move it")


async def test_a_copy_beside_what_a_killed_desk_left(desk: Path) -> None:
    path = await with_history(desk)
    backup.copy(path, desk / "copy.db")
    (desk / "copy.db").replace(path)
    path.with_name("history.db-wal").write_bytes(b"of the desk that was killed")
    assert is_fault(line(desk, "database"), "history.db-wal belongs to the history", "Move")


# -- halts and the clock ------------------------------------------------------------------


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(bytes(latch.SIZE))])
async def test_a_latch_file_that_is_gone(desk: Path, lose: Callable[[Path], object]) -> None:
    await with_latch(desk)
    await with_history(desk, Change(notes=(("last_seen", NOW.isoformat()),)))
    lose(latch.path_in(desk / "state"))
    assert is_fault(line(desk, "latch file"), "gone, or emptied", "the next start is halted")


async def test_a_damaged_latch_file(desk: Path) -> None:
    latch.path_in(desk / "state").write_bytes(b"coffee" * 10_000)
    assert is_fault(line(desk, "latch file"), "damaged", "the next start is halted", "/resume")


async def test_halts_in_force_are_no_fault_and_are_shown(desk: Path) -> None:
    await with_history(desk, Change(halts=HALT.parts))
    kept = latch.SlotLatch(latch.path_in(desk / "state"))
    await kept.write([replace(HALT, id="H9")], last_number=9)
    await kept.close()
    latch.request_stop(desk / "state", by="anna", why="", at=NOW)

    found = line(desk, "halts")

    assert found.verdict is Verdict.LOOK
    assert found.said == "3 in force: H7, H9, a stop asked for by anna"
    assert "/resume" in found.todo


async def test_a_clock_behind_the_last_run(desk: Path) -> None:
    seen = NOW + timedelta(hours=1)
    await with_history(desk, Change(notes=(("last_seen", seen.isoformat()),)))
    assert is_fault(line(desk, "clock"), "behind the last run, 2026-11-21 13:00 UTC", "set")


async def test_a_clock_that_was_never_set(desk: Path) -> None:
    early = check(desk / "bot.toml", {}, ManualClock(datetime(1970, 1, 1, tzinfo=UTC)))
    assert is_fault(next(f for f in early if f.what == "clock"), "says 1970-01-01", "set the")


# -- what trades --------------------------------------------------------------------------


async def test_a_symbol_that_the_feed_has_not_recorded(desk: Path) -> None:
    rewritten(desk, '"ADA/USDT"', '"LTC/USDT"')
    assert is_fault(line(desk, "feed of majors"), "LTC/USDT", "correct it")


async def test_a_paper_book_that_is_damaged(desk: Path) -> None:
    book = desk / "state" / "paper-majors.journal"
    await journal_of(book, {"steps": []}, {"steps": []})
    book.write_bytes(b"x" + book.read_bytes()[1:])
    assert is_fault(line(desk, "venue of majors"), "line 1", "put a copy of it", "run --fresh")


async def test_a_paper_book_that_is_something_else(desk: Path) -> None:
    await journal_of(desk / "state" / "paper-majors.journal", {"cooking": "soup"})
    assert is_fault(line(desk, "venue of majors"), "cannot be read")


async def test_a_torn_end_of_the_book_is_no_fault_and_stays(desk: Path) -> None:
    """The desk that runs may be writing it at this moment."""
    book = desk / "state" / "paper-majors.journal"
    await journal_of(book, {"steps": []})
    torn = book.read_bytes() + b"1234"
    book.write_bytes(torn)

    assert line(desk, "venue of majors").said == "paper, paper, 0 positions in its book"
    assert book.read_bytes() == torn


async def test_a_journal_of_orders_that_is_damaged(desk: Path) -> None:
    intents = desk / "state" / "intents.journal"
    await journal_of(intents, {"id": "1"}, {"id": "2"})
    intents.write_bytes(b"x" + intents.read_bytes()[1:])
    assert is_fault(line(desk, "order journal"), "line 1", "move it aside")


async def journal_of(path: Path, *records: Mapping[str, object]) -> None:
    journal = FileJournal(path)
    await journal.append(*records)
    await journal.close()


async def test_parameters_that_the_strategy_does_not_take(desk: Path) -> None:
    rewritten(desk, "fast = 12", "fast = 999")
    assert is_fault(line(desk, "strategy of majors"), "fast", "correct it")


# -- chats --------------------------------------------------------------------------------


async def test_no_chat_that_hears_alerts(desk: Path) -> None:
    rewritten(desk, "enabled = true        # the prompt", "enabled = false  # the prompt")
    found = line(desk, "chats")
    assert (found.verdict, found.todo) == (
        Verdict.LOOK,
        "enable [chat.console], or name chats in alerts",
    )
