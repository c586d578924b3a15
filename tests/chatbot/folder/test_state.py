"""The state folder: one desk each, a fresh start that forgets no halt."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatbot.folder import state
from chatbot.folder.state import StateFolder, locate
from storage import latch
from trading.errors import Refused

NIGHT = datetime(2026, 11, 21, 1, 5, tzinfo=UTC)
HOLDER = """
import sys, signal
from pathlib import Path
from chatbot.folder.state import StateFolder
StateFolder(Path(sys.argv[1])).hold()
print("held", flush=True)
signal.pause()
"""


@contextmanager
def another_desk(path: Path) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_the_folder_is_made_for_its_user_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    with StateFolder(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert (path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_desk_is_told_who_runs(tmp_path: Path) -> None:
    with (
        another_desk(tmp_path) as pid,
        pytest.raises(Refused, match=rf"Another desk \(pid {pid}\) runs on .*Nothing was started"),
    ):
        StateFolder(tmp_path).hold()


def test_a_desk_whose_lock_file_was_removed_still_holds_its_folder(tmp_path: Path) -> None:
    with another_desk(tmp_path) as pid:
        (tmp_path / "lock").unlink()
        with pytest.raises(Refused, match=r"Another desk \(pid unknown\) runs on"):
            StateFolder(tmp_path).hold()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "stop.sock"))
            listener.listen()
            with pytest.raises(Refused, match=rf"Another desk \(pid {os.getpid()}\) runs on"):
                StateFolder(tmp_path).hold()
            assert StateFolder(tmp_path).holder() == os.getpid(), "of who listens"
        assert pid != os.getpid()


@pytest.mark.parametrize("backlog", [0, 5])
@pytest.mark.parametrize("name", ["control.sock", "stop.sock"])
def test_a_folder_that_is_listened_on_is_refused_whatever_its_locks(
    tmp_path: Path, name: str, backlog: int
) -> None:
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as callers:
        listener.bind(str(tmp_path / name))
        listener.listen(backlog)
        for _ in range(backlog == 0):  # its queue is full
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.connect(str(tmp_path / name))
        with pytest.raises(Refused, match=r"Another desk \(pid .*\) listens on .*Nothing was"):
            StateFolder(tmp_path).hold()
    with StateFolder(tmp_path):
        pass


def test_who_asks_for_the_holder_keeps_nobody_from_starting(tmp_path: Path) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            StateFolder(tmp_path).holder()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with StateFolder(tmp_path):
                pass
    finally:
        done.set()
        asking.join()


def a_file(path: Path, mode: int = 0o644) -> Path:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text("kept")
    path.chmod(mode)
    return path


def test_a_folder_that_was_open_is_closed_and_said(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    path.chmod(0o755)
    files = [a_file(path / name) for name in ("history.db", "latch", "logs/quarterdeck.jsonl")]
    files.append(a_file(path / "paper-majors.journal", 0o666))

    with StateFolder(path) as folder:
        assert len(folder.notices) == 2
        assert folder.notices[0].startswith(f"{path} was open to others (mode 0755)")
        assert "history.db (mode 0644) and 4 more could be opened by others" in folder.notices[1]
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE((path / "logs").stat().st_mode) == 0o700
    with StateFolder(path) as folder:
        assert folder.notices == ()


@pytest.mark.parametrize(
    "name",
    [
        *("history.db", "history.db-wal", "latch", "lock", "control.sock", "intents.journal"),
        *("paper-majors.journal", "console_history", "logs", "logs/quarterdeck.jsonl"),
    ],
)
def test_a_link_among_its_files_is_refused_and_nothing_is_touched(
    tmp_path: Path, name: str
) -> None:
    path, target = tmp_path / "state", a_file(tmp_path / "elsewhere", 0o644)
    (path / name).parent.mkdir(parents=True, mode=0o700)
    (path / name).symlink_to(target)
    with pytest.raises(Refused, match=rf"{name} is a link, .*Nothing was started"):
        StateFolder(path).hold()
    assert target.read_text() == "kept"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert {p.name for p in path.iterdir()} <= {name.partition("/")[0], "lock"}


@pytest.mark.parametrize("name", ["history.db", "intents.journal", "lock", "latch"])
def test_a_file_with_a_second_name_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    file = a_file(path / name, 0o600)
    (tmp_path / "elsewhere").hardlink_to(file)
    with pytest.raises(Refused, match=f"{name} is a link, or has a second name"):
        StateFolder(path).hold()


@pytest.mark.parametrize(
    "name",
    [
        *("history.db", "history.db-wal", "latch", "lock", "control.sock", "intents.journal"),
        *("paper-majors.journal", "set-aside", "metrics.json", "logs/quarterdeck.jsonl"),
    ],
)
def test_a_pipe_among_its_files_is_refused_and_nobody_waits_for_it(
    tmp_path: Path, name: str
) -> None:
    pipe = tmp_path / "state" / name
    pipe.parent.mkdir(parents=True, mode=0o700)
    os.mkfifo(pipe, 0o600)
    folder = StateFolder(tmp_path / "state")
    with pytest.raises(Refused, match=rf"{name} is a pipe or a device.*Nothing was started"):
        folder.hold()
    assert folder.holder() is None


def test_a_folder_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    with StateFolder(tmp_path / "state"):
        assert (tmp_path / "disk" / "lock").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    with pytest.raises(Refused, match=r"belongs to another user, \w+: .*Nothing was started"):
        StateFolder(path).hold()
    assert not list(path.iterdir())


def test_a_fresh_start_that_died_behind_its_moves_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateFolder(path) as folder:
        latch.request_stop(path, by="anna", why="lunch", at=NIGHT)
        aside = folder.set_aside(NIGHT)
        assert aside is not None
        (aside / "latch").hardlink_to(path / "latch")  # as if it had not been taken away yet
    with StateFolder(path):
        assert not (aside / "latch").exists()
        assert (path / "latch").stat().st_nlink == 1


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    with another_desk(tmp_path) as pid:
        assert StateFolder(tmp_path).holder() == pid
    assert StateFolder(tmp_path).holder() is None
    with StateFolder(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be used: a part of the path is a file"):
        StateFolder(tmp_path / "file" / "state").hold()


def test_a_fresh_start_keeps_the_place_and_the_halts(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateFolder(path) as folder:
        (path / "quarterdeck.db").write_text("history")
        latch.request_stop(path, by="anna", why="lunch", at=NIGHT)
        aside = folder.set_aside(NIGHT)
        assert aside == tmp_path / "state.2026-11-21T0105"
        assert (aside / "quarterdeck.db").read_text() == "history"
        assert {entry.name for entry in path.iterdir()} == {"lock", "latch", "set-aside"}
        request = latch.read_request(path / latch.NAME)
        assert request is not None
        assert request.why == "lunch"
        assert not (aside / latch.NAME).exists()
        assert folder.not_taken_over == (aside,)
        folder.halts_taken_over()
        assert not folder.not_taken_over


def test_the_latch_keeps_its_name() -> None:
    assert state.LATCH == latch.NAME


def test_the_new_folder_is_held_too(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateFolder(path) as folder:
        (path / "quarterdeck.db").write_text("history")
        folder.set_aside(NIGHT)
        with pytest.raises(Refused, match="Another desk"):
            StateFolder(path).hold()
        (path / "lock").unlink()
        with pytest.raises(Refused, match="Another desk"):
            StateFolder(path).hold()
    with StateFolder(path):
        pass


def test_fresh_starts_of_one_minute_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateFolder(path) as folder:
        for number in range(3):
            (path / "quarterdeck.db").write_text(str(number))
            folder.set_aside(NIGHT)
        names = [f.name for f in folder.not_taken_over]
    assert names == [f"state.2026-11-21T0105{end}" for end in ("", "-2", "-3")]
    assert [(tmp_path / name / "quarterdeck.db").read_text() for name in names] == ["0", "1", "2"]


def test_there_is_nothing_to_set_aside_at_the_first_start(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "state") as folder:
        assert folder.set_aside(NIGHT) is None


def test_a_fresh_start_that_died_between_its_moves_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateFolder(path) as folder:
        latch.request_stop(path, by="anna", why="lunch", at=NIGHT)
        folder.set_aside(NIGHT)
    path.rename(tmp_path / "state.next")  # as if the second move had not been made
    with StateFolder(path) as folder:
        assert latch.read_request(path / latch.NAME) is not None
        assert [f.name for f in folder.not_taken_over] == ["state.2026-11-21T0105"]


def test_a_fresh_start_that_died_before_its_moves_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state"
    (tmp_path / "state.next").mkdir()
    with StateFolder(path) as folder:
        (path / "quarterdeck.db").write_text("history")
        assert folder.set_aside(NIGHT) is not None
    assert not (tmp_path / "state.next").exists()


@pytest.mark.parametrize(
    "text",
    [
        '[bot]\nstate_dir = "here"',
        '[bot]\nstate_dir = "here" # broken elsewhere\n[traders',
    ],
)
def test_the_folder_is_found_beside_its_settings_broken_or_not(tmp_path: Path, text: str) -> None:
    config = tmp_path / "bot.toml"
    config.write_text(text)
    assert locate(config, {}) == tmp_path / "here"
    assert locate(config, {"QUARTERDECK__BOT__STATE_DIR": "there"}) == tmp_path / "there"
    assert locate(config, {"QUARTERDECK__BOT__STATE_DIR": "/srv/desk"}) == Path("/srv/desk")


def test_without_settings_there_is_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Name it with --config, or the state folder with --state"):
        locate(tmp_path / "bot.toml", {})
