"""The latch file: halts survive torn writes, full disks and a desk that hangs."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.latch import (
    SIZE,
    SLOT,
    LatchContents,
    SlotLatch,
    StopRequest,
    path_in,
    read,
    read_request,
    request_stop,
)
from tests.contracts.builders import NOON, a_halt, after
from trading.errors import StoreError
from trading.model.halt import EVERYONE, Reached, Stage, Verb

SLOT_A, SLOT_B, SLOT_C = 0, SLOT, 2 * SLOT
ASKED = StopRequest(by="local:1000", why="it hangs", at=NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return path_in(tmp_path)


@pytest.fixture
async def latch(path: Path) -> AsyncIterator[SlotLatch]:
    made = SlotLatch(path)
    yield made
    await made.close()


def damage(path: Path, offset: int) -> None:
    """Change one byte within the text of a slot."""
    with path.open("r+b") as file:
        file.seek(offset + 40)
        byte = file.read(1)
        file.seek(offset + 40)
        file.write(bytes([byte[0] ^ 0xFF]))


def ask(state_dir: Path) -> None:
    request_stop(state_dir, by=ASKED.by, why=ASKED.why, at=ASKED.at)


def test_a_missing_file_says_nothing(path: Path) -> None:
    assert read(path) == LatchContents()


async def test_halts_come_back_with_their_stages(path: Path, latch: SlotLatch) -> None:
    halts = (a_halt(3), a_halt(7, scope="majors", verb=Verb.PAUSE, lifted_at=after(1)))
    await latch.write(halts, last_number=9)

    assert read(path) == LatchContents(halts=halts, last_number=9)


async def test_the_latest_write_is_read_after_restarts_too(path: Path) -> None:
    for number in range(1, 6):
        latch = SlotLatch(path)
        await latch.write([a_halt(number)], last_number=number)
        await latch.close()
        assert read(path).halts == (a_halt(number),)


async def test_what_an_earlier_version_wrote_is_read_clean(
    path: Path, latch: SlotLatch, tmp_path: Path
) -> None:
    """It kept half characters, which no answer could be made of."""
    reached = Reached(stage=Stage.SAVED, at=NOON, note="\ud83d")
    halt = a_halt(1, why="b\udcf6se\0", by="\u202eanna", stages=(("majors", reached),))
    await latch.write([halt], last_number=1)
    request_stop(tmp_path, by="b\udcf6", why="\x1b[2J", at=NOON)

    found = read(path)

    assert (found.halts[0].why, found.halts[0].by) == ("b\ufffdse", "anna")
    assert found.halts[0].stages[0][1].note == "\ufffd"
    assert found.request == StopRequest(by="b\ufffd", why="[2J", at=NOON)


async def test_lifting_all_leaves_the_number(path: Path, latch: SlotLatch) -> None:
    await latch.write([a_halt(4)], last_number=4)
    await latch.write([], last_number=4)

    assert read(path) == LatchContents(last_number=4)


async def test_a_torn_write_leaves_the_one_before_and_is_noticed(
    path: Path, latch: SlotLatch
) -> None:
    await latch.write([a_halt(1)], last_number=1)
    await latch.write([a_halt(2)], last_number=2)
    damage(path, SLOT_B)

    found = read(path)
    assert found.halts == (a_halt(1),)
    assert found.damaged


async def test_the_damaged_slot_is_the_next_to_be_written(path: Path) -> None:
    first = SlotLatch(path)
    await first.write([a_halt(1)], last_number=1)
    await first.write([a_halt(2)], last_number=2)
    await first.close()
    damage(path, SLOT_B)

    second = SlotLatch(path)
    await second.write([a_halt(3)], last_number=3)
    await second.close()
    assert read(path) == LatchContents(halts=(a_halt(3),), last_number=3)


def blank(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(SLOT))


@pytest.mark.parametrize("offset", [SLOT_A, SLOT_B])
@pytest.mark.parametrize("writes", [1, 2, 3, 6])
async def test_a_slot_that_was_emptied_is_damage(
    path: Path, latch: SlotLatch, writes: int, offset: int
) -> None:
    """It may be the newer one, with the halt in it."""
    for number in range(writes):
        await latch.write([a_halt(1)] if number else [], last_number=1)
    blank(path, offset)
    assert read(path).damaged


async def test_whether_a_desk_has_written_is_known(path: Path, latch: SlotLatch) -> None:
    assert not read(path).began
    ask(path.parent)
    assert not read(path).began, "a stop from outside is no desk"
    await latch.write([], last_number=0)
    assert read(path).began
    assert not read(path).damaged, "a first start has written once"
    blank(path, SLOT_A)
    blank(path, SLOT_B)
    assert not read(path).began


async def test_a_file_that_was_taken_away_is_made_anew(path: Path, latch: SlotLatch) -> None:
    await latch.write([], last_number=0)
    assert await latch.request() is None
    path.unlink()
    with pytest.raises(FileNotFoundError):
        await latch.request()

    await latch.write([a_halt(1)], last_number=1)
    ask(path.parent)

    assert read(path).halts == (a_halt(1),)
    assert await latch.request() == ASKED


@pytest.mark.parametrize("content", [b"garbage", b"QDL1", b"\xff" * SIZE])
def test_what_cannot_be_read_counts_as_damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    assert read(path) == LatchContents(damaged=True)


def test_a_file_that_was_made_and_not_written_is_empty(path: Path) -> None:
    for size in (0, SIZE):
        path.write_bytes(bytes(size))
        assert read(path) == LatchContents()


async def test_writing_never_grows_shrinks_or_replaces_the_file(
    path: Path, latch: SlotLatch
) -> None:
    await latch.write([], last_number=0)
    before = path.stat()
    for number in range(1, 60):
        await latch.write([a_halt(n) for n in range(number)], last_number=number)
    ask(path.parent)
    await latch.clear_request(ASKED)

    after_all = path.stat()
    assert before.st_size == SIZE
    assert before.st_blocks * 512 >= SIZE, "the room is taken before the disk is full"
    assert (after_all.st_size, after_all.st_blocks, after_all.st_ino) == (
        (before.st_size, before.st_blocks, before.st_ino)
    )


async def test_what_does_not_fit_loses_its_stages_first(path: Path, latch: SlotLatch) -> None:
    halts = [a_halt(n) for n in range(1, 61)]
    await latch.write(halts, last_number=60)

    assert read(path).halts == tuple(replace(halt, stages=()) for halt in halts)


async def test_then_its_words(path: Path, latch: SlotLatch) -> None:
    await latch.write([a_halt(1, why="\u20ac" * SLOT)], last_number=1)

    (found,) = read(path).halts
    assert (found.verb, found.scope, found.id) == (Verb.FLATTEN, EVERYONE, "H1")
    assert found.why == "\u20ac" * 80


async def test_and_at_last_the_milder_halts_of_each_trader(path: Path, latch: SlotLatch) -> None:
    halts = [
        a_halt(n, scope=f"t{n % 20}", verb=Verb.FLATTEN if n < 20 else Verb.PAUSE)
        for n in range(500)
    ]
    await latch.write(halts, last_number=500)

    found = read(path)
    assert {h.scope for h in found.halts} == {f"t{n}" for n in range(20)}
    assert {h.verb for h in found.halts} == {Verb.FLATTEN}
    assert found.last_number == 500


async def test_with_more_traders_than_room_everyone_is_halted(path: Path, latch: SlotLatch) -> None:
    await latch.write([a_halt(n, scope=f"trader {n}") for n in range(500)], last_number=500)

    (found,) = read(path).halts
    assert (found.scope, found.verb) == (EVERYONE, Verb.FLATTEN)


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    latch = SlotLatch(tmp_path / "missing" / "latch")
    with pytest.raises(StoreError, match="No such file"):
        await latch.write([a_halt()], last_number=1)

    (tmp_path / "missing").mkdir()
    await latch.write([a_halt()], last_number=1)
    assert read(tmp_path / "missing" / "latch").halts == (a_halt(),)
    await latch.close()


async def test_a_stop_from_outside_reaches_the_desk_beside_its_halts(
    path: Path, latch: SlotLatch
) -> None:
    await latch.write([a_halt(1)], last_number=1)
    ask(path.parent)
    await latch.write([a_halt(1), a_halt(2)], last_number=2)

    assert read(path) == LatchContents(halts=(a_halt(1), a_halt(2)), last_number=2, request=ASKED)
    assert read_request(path) == ASKED


def test_a_stop_can_be_asked_for_before_the_desk_ever_ran(tmp_path: Path) -> None:
    path = request_stop(tmp_path / "state", by=ASKED.by, why=ASKED.why, at=ASKED.at)

    assert path == path_in(tmp_path / "state")
    assert path.stat().st_size == SIZE
    assert path.stat().st_mode & 0o777 == 0o600
    assert read(path) == LatchContents(request=ASKED)


async def test_an_adopted_stop_is_cleared_and_a_later_one_stays(
    path: Path, latch: SlotLatch
) -> None:
    ask(path.parent)
    request_stop(path.parent, by="eve", why="again", at=after(1))
    await latch.clear_request(ASKED)
    assert read_request(path) == StopRequest(by="eve", why="again", at=after(1))

    await latch.clear_request(read_request(path))
    assert read(path) == LatchContents()


async def test_a_damaged_request_halts_until_it_is_cleared(path: Path, latch: SlotLatch) -> None:
    ask(path.parent)
    damage(path, SLOT_C)
    assert read(path) == LatchContents(damaged=True)

    await latch.clear_request(None)
    assert read(path) == LatchContents()


def test_a_long_reason_is_cut_and_the_stop_still_asked_for(path: Path) -> None:
    request_stop(path.parent, by="ben", why="\U0001f4a5" * SLOT, at=NOON)

    found = read_request(path)
    assert found is not None
    assert (found.by, found.why[:3]) == ("ben", "\U0001f4a5" * 3)


def test_a_desk_frozen_with_the_lock_does_not_stop_a_stop(path: Path) -> None:
    ask(path.parent)
    frozen = os.open(path, os.O_RDWR)
    fcntl.flock(frozen, fcntl.LOCK_EX)
    request_stop(path.parent, by="eve", why="now", at=after(1))
    os.close(frozen)

    assert read_request(path) == StopRequest(by="eve", why="now", at=after(1))


async def test_what_a_link_leads_to_is_neither_written_nor_believed(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "settings", path_in(tmp_path)
    elsewhere.write_bytes(b"kept" * SIZE)
    path.symlink_to(elsewhere)
    latch = SlotLatch(path)

    with pytest.raises(StoreError, match="it is a link"):
        request_stop(tmp_path, by="anna", why="", at=NOON)
    with pytest.raises(StoreError, match="it is a link"):
        await latch.write([a_halt()], last_number=1)
    with pytest.raises(StoreError, match="it is a link"):
        await latch.clear_request(None)
    assert read(path).damaged
    assert elsewhere.read_bytes() == b"kept" * SIZE
    await latch.close()


async def test_a_link_that_took_the_place_of_the_file_is_not_written_either(
    path: Path, latch: SlotLatch
) -> None:
    await latch.write([a_halt()], last_number=1)
    elsewhere = path.rename(path.with_name("elsewhere"))
    before = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="it is a link"):
        await latch.write([], last_number=2)
    with pytest.raises(FileNotFoundError):
        await latch.request()
    assert elsewhere.read_bytes() == before


def test_nobody_waits_for_a_pipe_in_its_place(tmp_path: Path) -> None:
    os.mkfifo(path_in(tmp_path))
    with pytest.raises(StoreError, match="it is no file"):
        request_stop(tmp_path, by="anna", why="", at=NOON)
    assert read(path_in(tmp_path)).damaged


async def test_the_desk_clears_what_it_adopted_and_leaves_the_lock_to_others(
    path: Path, latch: SlotLatch
) -> None:
    await latch.write([], last_number=0)
    for minutes in (0, 1):
        request_stop(path.parent, by="anna", why="", at=after(minutes=minutes))
        request = await latch.request()
        request_stop(path.parent, by="ben", why="", at=after(minutes=minutes))
        await latch.clear_request(request)
        assert await latch.request() != request, "a later one stays"
    await latch.clear_request(await latch.request())
    assert await latch.request() is None
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_it_starts_without_anything_heavy() -> None:
    heavy = ("asyncio", "numpy", "sqlalchemy", "concurrent.futures")
    script = f"import sys, storage.latch; print([m for m in {heavy} if m in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
