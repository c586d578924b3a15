"""A copy of the history: whole while others write, never over anything, known for what it is."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from storage import backup
from storage.store import SqlStore
from tests.contracts.builders import NOON
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.ports import Change

CLOCK = ManualClock(NOON)


@pytest.fixture
async def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    store = await SqlStore.open(path, clock=CLOCK)
    await store.commit(Change(notes=(("desk_tag", "ab12"),)))
    await store.close()
    return path


async def notes(path: Path, *names: str) -> list[str | None]:
    store = await SqlStore.open(path, clock=CLOCK)
    try:
        return [await store.note(name) for name in names]
    finally:
        await store.close()


async def test_a_copy_holds_the_history_and_says_that_it_is_one(
    history: Path, tmp_path: Path
) -> None:
    backup.copy(history, tmp_path / "copy.db")

    assert await notes(tmp_path / "copy.db", "desk_tag", backup.RESTORED) == ["ab12", "history.db"]
    assert await notes(history, backup.RESTORED) == [None], "the history itself is none"


async def test_it_is_one_file_for_its_owner_only(history: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept" / "copy.db"
    target.parent.mkdir()

    backup.copy(history, target)

    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_copy_made_in_the_midst_of_writing_is_whole(history: Path, tmp_path: Path) -> None:
    """Both notes of a pair are written in one transaction: a copy has both, or neither."""
    store = await SqlStore.open(history, clock=CLOCK)
    written = 0

    async def write() -> None:
        nonlocal written
        while True:
            written += 1
            pair = (("left", str(written)), ("right", str(written)))
            await store.commit(Change(notes=pair))

    writing = asyncio.create_task(write())
    copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
    for target in copies:
        before = written
        await asyncio.to_thread(backup.copy, history, target)
        while written <= before + 1:
            await asyncio.sleep(0)  # it goes on
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()

    found = [await notes(target, "left", "right") for target in copies]
    assert all(left == right for left, right in found)
    assert found == sorted(found, key=lambda pair: int(pair[0] or 0))


@pytest.mark.parametrize("kind", ["file", "folder", "link to nothing"])
async def test_nothing_is_overwritten(history: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "copy.db"
    match kind:
        case "file":
            target.write_text("precious")
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to(tmp_path / "nothing")
    before = sorted(path.name for path in tmp_path.iterdir())

    with pytest.raises(StoreError, match=r"copy\.db exists: nothing was copied"):
        backup.copy(history, target)

    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert kind != "file" or target.read_text() == "precious"


async def test_two_to_the_same_place_do_not_write_into_each_other(
    history: Path, tmp_path: Path
) -> None:
    with (tmp_path / "copy.db.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=r"Another backup to .* is under way"):
            backup.copy(history, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


async def test_what_a_kill_has_left_is_used_again(history: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db.part").write_bytes(b"half of it" * 10_000)

    backup.copy(history, tmp_path / "copy.db")

    assert await notes(tmp_path / "copy.db", "desk_tag") == ["ab12"]
    assert not (tmp_path / "copy.db.part").exists()


async def test_a_damaged_history_gives_no_copy(history: Path, tmp_path: Path) -> None:
    raw = bytearray(history.read_bytes())
    raw[-8192:] = bytes(range(256)) * 32
    history.write_bytes(raw)

    with pytest.raises(StoreError, match=r"The backup failed: .*"):
        backup.copy(history, tmp_path / "copy.db")

    assert not list(tmp_path.glob("copy.db*"))


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("nothing.db", "copy.db", "There is no history at .*nothing.db: nothing was copied"),
        ("history.db", "no/where.db", "The backup failed: .*no/where.db: No such file"),
        ("history.db", "history.db/copy.db", "The backup failed: .*: Not a directory"),
    ],
)
async def test_what_cannot_be_done_is_said(
    history: Path, tmp_path: Path, source: str, target: str, said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        backup.copy(tmp_path / source, tmp_path / target)


# -- a copy in the place of the history ---------------------------------------------------


async def test_what_a_killed_desk_left_is_not_written_into_a_copy(
    history: Path, tmp_path: Path
) -> None:
    """SQLite would take the old log of writes for the copy's own."""
    backup.copy(history, tmp_path / "copy.db")
    killed = sqlite3.connect(history)
    killed.execute("INSERT INTO notes VALUES ('since', 'the copy')")
    killed.commit()
    left = {name: (tmp_path / name).read_bytes() for name in ("history.db-wal", "history.db-shm")}
    killed.close()
    (tmp_path / "copy.db").replace(history)
    for name, raw in left.items():
        (tmp_path / name).write_bytes(raw)
    copied = history.read_bytes()

    with pytest.raises(StoreError, match=r"is a copy, and .*history\.db-wal belongs to"):
        await SqlStore.open(history, clock=CLOCK)

    assert history.read_bytes() == copied
    for name in left:
        (tmp_path / name).rename(tmp_path / f"old-{name}")
    assert await notes(history, "desk_tag", "since") == ["ab12", None]


async def test_a_history_that_was_killed_in_use_opens_as_ever(history: Path) -> None:
    with closing(sqlite3.connect(history)) as other:
        other.execute("INSERT INTO notes VALUES ('since', 'then')")
        other.commit()
        assert history.with_name("history.db-wal").stat().st_size > 0
        assert await notes(history, "since") == ["then"]
