"""The machine fails under a desk: it says so, overwrites nothing, guards, and still stops."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatbot.folder.calling import NoAnswer, NobodyThere, address
from storage import latch
from storage.migrate import HEAD
from tests.process import books
from tests.process.desk_process import SHIPPED, Answer, DeskProcess, quarterdeck
from tests.process.machine import (
    OBEYING_MODES,
    SmallDisk,
    can_mount,
    first_free_descriptor,
    limited,
)
from tests.process.test_crashes import BUSY, FAST, STILL

pytestmark = pytest.mark.slow  # each starts a desk or two

PARTICIPATION = 0.1


class Troubled(DeskProcess):
    """A desk on a machine with faults: what it may complain of is named beforehand."""

    def __init__(self, folder: Path, settings: str, **environ: str) -> None:
        super().__init__(folder, settings, **environ)
        self.may_complain: list[str] = []

    def unexpected(self) -> list[str]:
        allowed = [re.compile(pattern) for pattern in self.may_complain]
        return [c for c in self.complaints() if not any(p.search(c) for p in allowed)]

    def begin(self, speed: str) -> Troubled:
        self.start(QUARTERDECK__FEEDS__CRASH__SPEED=speed)
        return self

    def hold_something(self) -> None:
        """Trade until a position is open, and go on where the market all but stands still."""
        self.begin(STILL)
        while not self.say("/positions")["table"]:
            self.kill()
            self.begin(FAST)
            self.until(lambda: self.say("/positions")["table"], "a position")
            self.kill()
            self.begin(STILL)  # which may have found it closed

    @property
    def history(self) -> Path:
        return self.state / "history.db"

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.history}?mode=ro", uri=True)) as history:
            return history.execute(query).fetchall()

    def said(self) -> list[str]:
        """All that people said, as the audit has it."""
        return [str(said) for (said,) in self.ask("SELECT said FROM words ORDER BY seq")]

    def is_halted(self) -> bool:
        return "■ Halted" in self.say("/status")["title"]

    def tells(self, text: str) -> bool:
        """On the console, as alerts come."""
        return text in self.out.read_text(encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Troubled]:
    """A desk that trades a lot when the market moves."""
    desk = Troubled(tmp_path, BUSY.format(participation=PARTICIPATION))
    yield desk
    desk.kill()
    assert desk.unexpected() == []


@pytest.fixture
def calm(tmp_path: Path) -> Iterator[Troubled]:
    """A desk as shipped whose market stands all but still."""
    desk = Troubled(tmp_path, SHIPPED, QUARTERDECK__FEEDS__CRASH__SPEED=STILL)
    yield desk
    desk.kill()
    assert desk.unexpected() == []


def text_of(answer: Answer) -> str:
    return f"{answer['title']}\n{answer['text']}"


UNWRITTEN = "history does not take writes|history could not be written|not audited"
"""What the log says of a history that cannot be written."""


# -- the database is held by another program ----------------------------------------------


@contextmanager
def held(history: Path) -> Iterator[None]:
    """Another program writes, and does not end."""
    with closing(sqlite3.connect(history, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def test_a_held_database_is_told_and_what_waited_is_written(calm: Troubled) -> None:
    calm.may_complain += [UNWRITTEN]
    calm.start()
    with held(calm.history):
        stopped = calm.say("/stop it is held")
        calm.until(lambda: calm.tells("History is not being saved"), "the alert")
        assert "another program holds the database" in calm.err.read_text()

        assert stopped["outcome"] == "done"
        calm.until(lambda: latch.read(latch.path_in(calm.state)).halts, "the latch file has it")
        assert calm.is_halted()
        assert calm.ask("SELECT 1 FROM halts") == [], "history has not"

    calm.alerts("HistoryRecovered")  # what waited is written, and told
    calm.say("/status")
    calm.until(lambda: "/stop it is held" in calm.said(), "the word is written")
    calm.alerts("HaltEngaged")  # and so is the alert
    calm.kill()
    left = await books.read(calm.state)
    assert [halt.why for halt in left.halts] == ["it is held"]
    assert books.faults(left) == []


async def test_positions_are_guarded_and_closed_while_the_database_is_held(
    desk: Troubled,
) -> None:
    desk.may_complain += [UNWRITTEN]
    desk.begin(FAST)
    desk.until(lambda: desk.say("/positions")["table"], "a position")
    with held(desk.history):
        assert desk.say("/stop")["outcome"] == "done"
        desk.until(
            lambda: not desk.say("/positions")["table"], "its stop, target or time closes it"
        )
    desk.alerts("PositionClosed")  # what waited is written
    desk.kill()

    desk.begin(STILL)  # compares its books
    desk.kill()
    assert books.faults(await books.read(desk.state)) == []


# -- the disk is full ---------------------------------------------------------------------


@pytest.fixture
def on_small_disk(desk: Troubled) -> Iterator[SmallDisk]:
    if not can_mount():
        pytest.skip("this machine lets nobody mount; the limit on file sizes stands for it")
    disk = SmallDisk(desk.state, 8_000_000)
    desk.state = disk.path
    desk.under = disk.under
    yield disk
    desk.kill()
    disk.close()


async def test_on_a_full_disk_it_says_so_stops_and_catches_up(
    desk: Troubled, on_small_disk: SmallDisk
) -> None:
    desk.may_complain += [UNWRITTEN]
    desk.hold_something()
    held_before = desk.say("/positions")["table"]
    on_small_disk.fill()

    stopped = desk.say("/stop the disk")

    assert stopped["outcome"] == "done"
    desk.halt_is_saved()  # the latch file needs no room
    desk.until(lambda: desk.tells("History is not being saved"), "the alert")
    assert "the disk is full" in desk.err.read_text()
    assert desk.is_halted()
    assert desk.say("/positions")["table"]["rows"] == held_before["rows"], "and still there"
    assert "No backup was made" in text_of(desk.say("/backup"))

    on_small_disk.clear()
    desk.until(
        lambda: "History saves again" in json.dumps(desk.say("/alerts last 20")),
        "what waited is written",
    )
    desk.kill()
    assert books.faults(await left_on(on_small_disk, desk)) == []


async def test_on_a_full_disk_a_kill_loses_no_halt(
    desk: Troubled, on_small_disk: SmallDisk
) -> None:
    desk.may_complain += [UNWRITTEN]
    desk.begin(STILL)
    on_small_disk.fill()
    desk.say("/stop the disk")
    desk.kill()
    on_small_disk.clear()

    desk.begin(STILL)

    assert desk.is_halted()
    assert "the disk" in desk.say("/halts")["text"]


async def test_a_desk_ends_on_a_full_disk_when_asked(
    desk: Troubled, on_small_disk: SmallDisk
) -> None:
    desk.may_complain += [UNWRITTEN]
    desk.begin(STILL)
    on_small_disk.fill()
    desk.say("/stop")

    assert desk.terminate() == 0


def test_a_start_on_a_full_disk_is_refused_in_a_sentence(
    desk: Troubled, on_small_disk: SmallDisk
) -> None:
    on_small_disk.fill()
    desk.launch()

    assert desk.wait() == 1
    said = desk.err.read_text()
    assert "full" in said or "No space" in said
    assert "Traceback" not in said


def test_a_start_on_a_read_only_disk_is_refused_in_a_sentence(
    desk: Troubled, on_small_disk: SmallDisk
) -> None:
    on_small_disk.make_read_only()
    desk.launch()

    assert desk.wait() == 1
    assert "cannot be used: the disk is read-only. Nothing was started" in desk.err.read_text()


async def left_on(disk: SmallDisk, desk: Troubled) -> books.Left:
    """Its state, copied to where there is room."""
    copy = desk.folder / "left"
    shutil.copytree(disk.path, copy, ignore=shutil.ignore_patterns("*.sock"))
    return await books.read(copy)


# -- no file can be written at all --------------------------------------------------------


async def test_when_nothing_can_be_written_a_stop_holds_and_says_not_yet_durable(
    calm: Troubled,
) -> None:
    """As on a disk that the kernel has made read-only: each write fails, the latch file's too."""
    # Its console is a file here, too: an alert that is told just now cannot be written either.
    calm.may_complain += [UNWRITTEN, "latch file does not take the halt", "[Ff]ile too large"]
    calm.start()
    with limited(calm.pid, resource.RLIMIT_FSIZE, 0):
        stopped = calm.say("/stop nothing goes")
        assert "NOT YET DURABLE" in text_of(stopped)
        assert calm.is_halted()
        assert not latch.read(latch.path_in(calm.state)).halts

    calm.until(lambda: latch.read(latch.path_in(calm.state)).halts, "the latch file has it")
    calm.alerts("HaltEngaged")  # history has it
    calm.alerts("HistoryRecovered")  # and says so
    calm.restart()
    assert calm.is_halted()
    assert "nothing goes" in calm.say("/halts")["text"]


def test_a_desk_that_can_write_nothing_ends_when_asked_and_says_what_is_lost(
    calm: Troubled,
) -> None:
    heard = calm.folder / "heard"
    calm.under = ("bash", "-c", 'exec "$@" 2> >(exec cat > heard)', "bash")
    calm.start()
    with limited(calm.pid, resource.RLIMIT_FSIZE, 0):
        calm.say("/stop")
        calm.signal(signal.SIGTERM)
        assert calm.wait() == 0

    assert "H1 could be saved nowhere: the next start is NOT halted" in heard.read_text()
    assert "changes could not be saved; the next start asks the venue" in heard.read_text()


# -- the history is taken away -------------------------------------------------------------


def test_a_history_deleted_while_it_runs_is_told_rescued_and_blocks_entries(
    calm: Troubled,
) -> None:
    calm.may_complain += [UNWRITTEN, "the history is lost"]
    calm.start()
    calm.history.unlink()

    calm.until(lambda: calm.tells("CRITICAL ⚠ History lost; all of it is in"), "the alert")
    (copy,) = calm.state.glob("history-rescued-*.db")
    assert calm.tells(copy.name)
    assert "not saved yet" in text_of(calm.say("/status"))
    assert not calm.is_halted(), "entries are blocked, nothing else"
    assert calm.do("/buy BTC 100")["outcome"] in {"refused", "failed"}
    assert "No backup was made" in text_of(calm.say("/backup"))
    checked = quarterdeck("check", cwd=calm.folder)
    assert (checked.code, f"what it held is in {copy.name}" in checked.out) == (1, True)
    assert calm.say("/stop it is gone")["outcome"] == "done"
    assert calm.terminate() == 0
    assert f"all of it is in {copy}" in calm.err.read_text()

    refused = quarterdeck("run", cwd=calm.folder).err
    way_back = re.search(r"Put that in its place: (.*), or begin anew", refused)
    assert way_back, refused
    subprocess.run(["sh", "-c", way_back[1]], check=True)
    calm.start()
    assert calm.is_halted()
    halts = calm.say("/halts")["text"]
    assert "it is gone" in halts, "what waited is in the copy"
    assert "restored from a backup" in halts


# -- the folder takes nothing any more ----------------------------------------------------


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """As after `chmod -R a-w`."""
    everything = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in everything if not path.is_socket()}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


async def test_a_folder_made_read_only_stops_no_stop(calm: Troubled) -> None:
    calm.may_complain += [UNWRITTEN]
    calm.under = OBEYING_MODES
    calm.start()
    with closed(calm.state):
        refused = calm.say("/backup")
        assert (refused["outcome"], refused["title"]) == ("refused", "✕ /backup was refused")
        assert "Permission denied" in refused["text"]
        stopped = calm.say("/stop the folder")
        assert stopped["outcome"] == "done"
        calm.halt_is_saved()
        calm.kill()

        calm.launch()
        assert calm.wait() == 1
        assert "cannot be used: permission denied. Nothing was started" in calm.err.read_text()

    calm.start()
    assert calm.is_halted()


# -- what lies there cannot be used -------------------------------------------------------


def starts_not(desk: Troubled, *sentences: str) -> None:
    """It refuses in plain words, and leaves the history as it is."""
    before = desk.history.read_bytes()
    ended = quarterdeck("run", cwd=desk.folder)
    assert ended.code == 1
    assert all(sentence in ended.err for sentence in sentences), ended.err
    assert "Traceback" not in ended.err
    assert desk.history.read_bytes() == before


def test_a_damaged_history_is_refused_kept_and_a_fresh_start_is_halted(calm: Troubled) -> None:
    calm.start()
    calm.terminate()
    calm.history.write_bytes(b"coffee" * 10_000)

    starts_not(calm, "is not a database", "Put a backup in its place", "quarterdeck run --fresh")

    calm.start("--fresh")
    assert calm.is_halted()
    assert "the old history cannot be read" in calm.say("/halts")["text"]
    (aside,) = calm.folder.glob("state.20*")
    assert (aside / "history.db").read_bytes() == b"coffee" * 10_000
    calm.do("/resume")
    calm.restart()
    assert not calm.is_halted(), "it is asked about once"


def test_a_history_of_a_newer_version_is_refused_and_kept(calm: Troubled) -> None:
    calm.start()
    calm.terminate()
    with closing(sqlite3.connect(calm.history)) as history, history:
        history.execute("UPDATE alembic_version SET version_num = '9999'")
    starts_not(calm, "written by a newer Quarterdeck", "install that version again")


def test_a_damaged_paper_book_is_told_once_and_kept_until_it_is_mended(desk: Troubled) -> None:
    desk.hold_something()
    desk.kill()
    book = desk.state / "paper-majors.journal"
    book.write_bytes(b"coffee\n" + book.read_bytes())
    before = book.read_bytes()

    desk.launch()
    desk.until(lambda: "Not started" in spoken(desk, "/status"), "it says so")
    assert "is corrupt: line 1" in spoken(desk, "/status"), "and why"
    desk.alerts("StartDelayed")  # and tells it
    stopped = desk.say("/stop the book")
    assert stopped["outcome"] == "done"
    assert "whether an entry rests is not known" in stopped["text"]
    assert book.read_bytes() == before, "it is left as it is"

    book.write_bytes(before.removeprefix(b"coffee\n"))
    desk.alerts("TraderStarted", "Halted: H")  # it starts
    assert "is corrupt" not in spoken(desk, "/status")
    assert desk.is_halted()
    assert desk.say("/positions")["table"], "with what it held"
    assert len(desk.alerts("StartDelayed")) == 1, "told once, however often it was tried"


def spoken(desk: DeskProcess, text: str) -> str:
    with suppress(NobodyThere, NoAnswer):
        return text_of(desk.say(text))
    return ""


# -- killed while the tables are made -----------------------------------------------------


def test_killed_while_migrating_it_starts_as_if_nothing_had_been(calm: Troubled) -> None:
    calm.launch()
    calm.until(lambda: is_held(calm.history), "the tables are being made")
    calm.kill()

    with closing(sqlite3.connect(calm.history)) as history:
        assert history.execute("SELECT name FROM sqlite_master").fetchall() == []
    calm.start()
    assert calm.ask("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert "Not halted." in calm.alerts("TraderStarted")[0], "it is told"


def is_held(history: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{history}?mode=rw", uri=True, timeout=0)) as probe:
            probe.isolation_level = None
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    return False


# -- file descriptors and the log ---------------------------------------------------------


@contextmanager
def a_line_to(desk: DeskProcess) -> Iterator[Callable[[str], Answer]]:
    """A connection that stays open."""
    with socket.socket(socket.AF_UNIX) as connection, address(desk.socket) as name:
        connection.settimeout(60)
        connection.connect(name)
        lines = connection.makefile("rb")

        def say(text: str) -> Answer:
            connection.sendall(json.dumps({"v": 1, "text": text}).encode() + b"\n")
            return dict(json.loads(lines.readline()))

        yield say


async def test_without_file_descriptors_a_stop_on_an_open_line_still_works(
    calm: Troubled,
) -> None:
    calm.may_complain += [UNWRITTEN, "Too many open"]
    calm.start()
    calm.until_loaded()
    with a_line_to(calm) as say:
        say("/status")
        most = first_free_descriptor(calm.pid)
        with limited(calm.pid, resource.RLIMIT_NOFILE, most):
            assert calm.say("/status")["outcome"] == "done", "let in by the spare one"
            stopped = say("/stop no descriptors")
            assert stopped["outcome"] == "done"
            calm.until(lambda: "Not saved yet" not in say("/halts")["text"], "it is saved")
            assert "■ Halted" in say("/status")["title"]
            assert "No backup was made" in text_of(say("/backup"))

    calm.restart()
    assert calm.is_halted()


def test_a_log_folder_that_is_gone_stops_nothing_and_is_made_anew(calm: Troubled) -> None:
    calm.start()
    logs = calm.state / "logs"
    calm.until((logs / "quarterdeck.jsonl").exists, "the log is begun")
    shutil.rmtree(logs)

    assert calm.say("/stop")["outcome"] == "done"
    calm.signal(signal.SIGTERM)
    assert calm.wait() == 0

    assert "was taken away; a new one is begun" in calm.err.read_text()
    assert (logs / "quarterdeck.jsonl").read_text()


# -- the clock ----------------------------------------------------------------------------


def test_a_clock_set_back_while_down_is_told_at_the_start(calm: Troubled) -> None:
    calm.start()
    calm.terminate()
    ahead = datetime.now(UTC) + timedelta(hours=5)
    with closing(sqlite3.connect(calm.history)) as history, history:
        history.execute("UPDATE notes SET value = ? WHERE name = 'last_seen'", [ahead.isoformat()])
    assert "behind the last run" in quarterdeck("check", cwd=calm.folder).out

    calm.start()

    (told,) = calm.alerts("ClockJumped")
    assert "jumped" in told
    assert "back" in told
    assert calm.say("/stop")["outcome"] == "done"


# -- backups ------------------------------------------------------------------------------


async def test_a_backup_of_a_desk_that_writes_is_whole_and_nothing_is_overwritten(
    desk: Troubled,
) -> None:
    desk.begin(FAST)
    desk.until(lambda: desk.say("/trades")["table"], "a trade")

    made = quarterdeck("backup", "copy.db", cwd=desk.folder)
    again = quarterdeck("backup", "copy.db", cwd=desk.folder)
    asked = desk.say("/backup")

    assert (made.code, made.out.startswith("Backed up to copy.db")) == (0, True)
    assert again.code == 1
    assert "copy.db exists: nothing was copied, nothing is overwritten" in again.err
    name = asked["title"].rpartition(" ")[2]
    assert asked["outcome"] == "done"
    for path in (desk.folder / "copy.db", desk.state / name):
        with closing(sqlite3.connect(path)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert copy.execute("SELECT count(*) FROM fills").fetchone()[0] > 0
    assert desk.say("/status")["outcome"] == "done"


async def test_a_desk_on_a_backup_starts_halted_and_takes_over_what_it_did_since(
    desk: Troubled,
) -> None:
    desk.begin(STILL)
    assert quarterdeck("backup", "copy.db", cwd=desk.folder).code == 0
    desk.kill()
    desk.hold_something()  # that the copy does not know
    desk.do("/stop")
    desk.kill()
    venue_before = (await books.read(desk.state)).venue_positions

    (desk.folder / "copy.db").replace(desk.history)
    starts_not(desk, "is a copy", "history.db-wal", "Move")
    for file in desk.state.glob("history.db-*"):
        file.rename(desk.folder / file.name)
    latch.path_in(desk.state).unlink()
    desk.begin(STILL)

    assert desk.is_halted()
    assert "restored from a backup" in desk.say("/halts")["text"]
    desk.alerts("TraderStarted", "Halted: H")  # said at once
    assert desk.do("/resume")["outcome"] == "done"
    assert "not ours" not in desk.say("/status")["plain"]
    assert desk.tells("CRITICAL ⚠ Found at the venue")
    assert not desk.tells("Books differ")
    desk.kill()
    left = await books.read(desk.state)
    assert left.venue_positions == venue_before, "untouched"
    assert left.venue_positions == {p.symbol: p.quantity for p, _ in left.books.positions}
    assert all(plan.stop is not None for _, plan in left.books.positions)


async def test_a_desk_on_a_backup_that_agrees_goes_on_after_resume(calm: Troubled) -> None:
    calm.start()
    assert quarterdeck("backup", "copy.db", cwd=calm.folder).code == 0
    assert calm.terminate() == 0
    (calm.folder / "copy.db").replace(calm.history)

    calm.start()

    assert calm.is_halted()
    assert calm.do("/resume")["outcome"] == "done"
    assert not calm.is_halted()
    calm.restart()
    assert not calm.is_halted(), "a person has looked; it is not asked again"


# -- /reload ------------------------------------------------------------------------------


def test_reload_takes_limits_refuses_mistakes_and_says_what_needs_a_restart(
    calm: Troubled,
) -> None:
    calm.start()

    def reload(*pairs: tuple[str, str]) -> Answer:
        text = SHIPPED
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        (calm.folder / "bot.toml").write_text(text, encoding="utf-8")
        return calm.do("/reload")

    def limit() -> Answer:
        table: Answer = calm.say("/limits")["table"]
        return table

    changed = reload(("max_positions = 3 ", "max_positions = 2 "))
    assert changed["outcome"] == "done"
    assert "traders.majors.limits.max_positions 3 to 2" in changed["text"]
    taken = limit()
    assert ["positions", "0", "2"] in taken["rows"]

    mistaken = reload(
        ("max_positions = 3 ", "max_positions = 1 "), ("loss_streak = 3 ", "loss_streak = 0 ")
    )
    assert mistaken["outcome"] == "refused"
    assert "loss_streak = 0" in mistaken["text"]
    assert limit() == taken

    late = reload(
        ("max_positions = 3 ", "max_positions = 1 "), ("capital = 10000", "capital = 9000")
    )
    assert late["outcome"] == "refused"
    assert "traders.majors.capital 10000 to 9000: only at the next start" in late["text"]
    assert limit() == taken
    assert len(calm.alerts("SettingsReloaded")) == 1
    assert len(calm.alerts("SettingsRefused", count=2)) == 2
