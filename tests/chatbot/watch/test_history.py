"""A history whose file is taken away: noticed, told, rescued, and no entry leaves."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatbot.folder.history import history
from chatbot.watch.history import AGAIN_EVERY, HistoryWatch
from storage import backup
from tests.builders import NOON, an_order
from tests.trading.accounts.test_recorder import Desk
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.events import HistoryFailed, HistoryLost, HistoryRecovered
from trading.ports import Change, WritePriority


class Watched(Desk):
    def __init__(self, folder: Path, desk: Desk) -> None:
        super().__init__(desk.store, desk.clock)
        self.folder = folder
        self.watch = HistoryWatch(
            store=desk.store, recorder=self.recorder, folder=folder, clock=desk.clock
        )

    @property
    def path(self) -> Path:
        return self.folder / "history.db"

    def rescued(self) -> list[Path]:
        return sorted(self.folder.glob("history-rescued-*.db"))

    async def record(self, name: str) -> None:
        """As before an entry leaves."""
        await self.recorder.record(Change(orders=(an_order(id=name),)), WritePriority.ENTRY)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Watched]:
    clock, folder = ManualClock(NOON), tmp_path / "state"
    folder.mkdir()
    async with history(folder, clock) as store:
        yield Watched(folder, Desk(store, clock))


def orders_in(copy: Path) -> set[str]:
    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert found.execute("SELECT value FROM notes WHERE name = ?", [backup.RESTORED]).fetchone()
        return {name for (name,) in found.execute("SELECT id FROM orders")}


def deleted(path: Path) -> None:
    path.unlink()


def log_deleted(path: Path) -> None:
    path.with_name("history.db-wal").unlink()


def index_deleted(path: Path) -> None:
    path.with_name("history.db-shm").unlink()


def all_deleted(path: Path) -> None:
    for file in path.parent.glob("history.db*"):
        file.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replaced(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


LOSSES = [
    *(deleted, log_deleted, index_deleted, all_deleted, moved, replaced),
    *(folder_deleted, folder_moved),
]


@pytest.mark.parametrize("lose", LOSSES)
async def test_it_is_noticed_told_and_rescued_and_no_entry_is_written(
    desk: Watched, lose: Callable[[Path], None]
) -> None:
    await desk.keep("before")
    lose(desk.path)

    await desk.watch.look()

    (told,) = desk.heard(HistoryLost)
    assert isinstance(told, HistoryLost)
    assert "while the desk runs" in told.why
    assert [told.rescued] == [path.name for path in desk.rescued()]
    assert orders_in(desk.rescued()[0]) == {"before"}
    with pytest.raises(StoreError):
        await desk.record("entry")
    assert not await desk.keep("a fill")
    await desk.watch.look()
    assert len(desk.heard(HistoryLost)) == len(desk.heard(HistoryFailed)) == 1, "told once"
    assert await desk.watch.last_copy() == told.rescued
    assert orders_in(desk.rescued()[0]) == {"before", "a fill"}, "what waited is in it"


@pytest.mark.parametrize("lose", LOSSES)
async def test_an_entry_is_not_written_into_a_lost_file_even_before_the_next_look(
    desk: Watched, lose: Callable[[Path], None]
) -> None:
    lose(desk.path)
    with pytest.raises(
        StoreError, match=r"history could not be written: history\.db.* while the desk runs"
    ):
        await desk.record("entry")


async def test_the_copy_follows_while_it_stays_lost(desk: Watched) -> None:
    deleted(desk.path)
    await desk.watch.look()
    await desk.keep("later")
    desk.clock.advance(AGAIN_EVERY)
    await desk.watch.look()
    (copy,) = desk.rescued()
    assert orders_in(copy) == {"later"}


async def test_put_back_it_has_everything_and_entries_leave_again(desk: Watched) -> None:
    moved(desk.path)
    await desk.watch.look()
    await desk.keep("meanwhile")
    desk.path.with_name("elsewhere.db").rename(desk.path)

    await desk.recorder.retry()
    await desk.watch.look()

    assert desk.heard(HistoryRecovered)
    assert desk.recorder.unsaved == 0
    await desk.record("entry")
    assert await desk.has("meanwhile")
    assert await desk.watch.last_copy() == "", "nothing is lost"


async def test_nobody_reads_from_what_took_its_place(desk: Watched) -> None:
    replaced(desk.path)
    with pytest.raises(StoreError, match="db was replaced"):
        await desk.store.order("any")
    all_deleted(desk.path)
    with pytest.raises(StoreError, match="history could not be read"):
        await desk.store.order("any")
    assert not desk.path.exists(), "nor makes an empty one"


async def test_no_history_is_begun_beside_the_copy_of_a_lost_one(desk: Watched) -> None:
    await desk.keep("before")
    all_deleted(desk.path)
    await desk.watch.look()
    await desk.store.close()
    (copy,) = desk.rescued()

    with pytest.raises(StoreError, match=rf"what it held is in {copy.name}. Put that in its place"):
        async with history(desk.folder, desk.clock):
            pass

    copy.rename(desk.path)
    async with history(desk.folder, desk.clock) as again:
        assert await again.order("before") is not None
        assert await again.note(backup.RESTORED), "and starts halted"


@pytest.mark.parametrize("left", ["nothing", "an empty one", "an older one", "a damaged one"])
async def test_nor_is_one_gone_on_with_that_has_less_than_the_copy(
    desk: Watched, left: str
) -> None:
    await desk.keep("before")
    older = desk.folder / "older"
    backup.copy(desk.path, older)
    await desk.keep("last")
    log_deleted(desk.path)
    await desk.watch.look()
    await desk.store.close()
    (copy,) = desk.rescued()
    desk.path.unlink()
    if left == "an older one":
        older.rename(desk.path)
    elif left != "nothing":
        desk.path.write_bytes(b"" if left == "an empty one" else b"none" * 1024)

    told = "is gone; what" if left == "nothing" else "lacks what was written last; all of"
    with pytest.raises(StoreError, match=rf"{told} it .*in {copy.name}. Put that in its place"):
        async with history(desk.folder, desk.clock):
            pass

    copy.replace(desk.path)
    async with history(desk.folder, desk.clock) as again:
        assert await again.order("last") is not None


async def test_a_copy_that_is_no_longer_needed_is_in_nobodys_way(desk: Watched) -> None:
    await desk.keep("before")
    moved(desk.path)
    await desk.watch.look()
    desk.path.with_name("elsewhere.db").rename(desk.path)
    await desk.recorder.retry()
    await desk.keep("after")
    await desk.store.close()
    assert desk.rescued()

    async with history(desk.folder, desk.clock) as again:
        assert await again.order("after") is not None


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"none" * 3072)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("damage", [overwritten, emptied])
async def test_one_that_is_damaged_where_it_is_is_lost_too(
    desk: Watched, damage: Callable[[Path], None]
) -> None:
    await desk.keep("before")
    await desk.store.close()
    async with history(desk.folder, desk.clock) as store:
        desk = Watched(desk.folder, Desk(store, desk.clock))
        damage(desk.path)
        with pytest.raises(StoreError):
            await desk.store.order("before")
        await desk.keep("a fill")  # whoever reads or writes next finds it

        await desk.watch.look()

        (told,) = desk.heard(HistoryLost)
        assert isinstance(told, HistoryLost)
        assert (told.why, told.rescued) == ("history.db was damaged while the desk runs", "")
        assert told.is_damaged
        with pytest.raises(StoreError):
            await desk.record("entry")
        assert not await desk.keep("another"), "it waits in memory"


async def test_without_room_for_a_copy_it_says_so(desk: Watched) -> None:
    deleted(desk.path)
    desk.watch = HistoryWatch(
        store=desk.store, recorder=desk.recorder, folder=Path("/proc/none"), clock=desk.clock
    )
    await desk.watch.look()
    (told,) = desk.heard(HistoryLost)
    assert isinstance(told, HistoryLost)
    assert told.rescued == ""
