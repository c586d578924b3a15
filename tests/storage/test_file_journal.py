"""What a file can suffer, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.journal import FileJournal
from trading.errors import StoreError

TORN = (
    b"0badc0de",
    b'0badc0de {"n":3}\n',
    b"\0" * 64,
    b'1234 {"n"\nnot the crc\n{"n":3}',
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[FileJournal]:
    made = FileJournal(path)
    yield made
    await made.close()


async def written(path: Path, *numbers: int) -> bytes:
    journal = FileJournal(path)
    await journal.append(*({"n": n} for n in numbers))
    await journal.close()
    return path.read_bytes()


async def test_records_outlive_the_process(path: Path, journal: FileJournal) -> None:
    await written(path, 1, 2)

    assert list(await journal.records()) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("tail", TORN)
async def test_a_torn_tail_is_left_out_and_cut_before_the_next_append(
    path: Path, journal: FileJournal, tail: bytes
) -> None:
    whole = await written(path, 1, 2)
    path.write_bytes(whole + tail)

    assert list(await journal.records()) == [{"n": 1}, {"n": 2}]
    await journal.append({"n": 3})
    assert path.read_bytes().startswith(whole)
    assert list(await journal.records()) == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_cut_anywhere_in_the_last_record_the_others_are_there(path: Path) -> None:
    whole = await written(path, 1, 2, 3)
    two = len(whole) // 3 * 2
    for end in range(two, len(whole)):
        path.write_bytes(whole[:end])
        journal = FileJournal(path)
        assert list(await journal.records()) == [{"n": 1}, {"n": 2}]
        await journal.close()


async def test_damage_in_the_middle_is_never_passed_over(path: Path, journal: FileJournal) -> None:
    whole = await written(path, 1, 2, 3)
    path.write_bytes(whole.replace(b'{"n":2}', b'{"n":7}'))
    damaged = path.read_bytes()

    with pytest.raises(StoreError, match="corrupt: line 2"):
        await journal.records()
    with pytest.raises(StoreError, match="corrupt: line 2"):
        await journal.append({"n": 4})
    assert path.read_bytes() == damaged


async def test_a_disk_that_refuses_is_told_and_tried_again(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "not yet" / "journal")
    with pytest.raises(StoreError, match="No such file"):
        await journal.append({"n": 1})

    (tmp_path / "not yet").mkdir()
    await journal.append({"n": 2})
    assert list(await journal.records()) == [{"n": 2}]
    await journal.close()


async def test_a_rewrite_leaves_no_other_file(path: Path, journal: FileJournal) -> None:
    await journal.append({"n": 1})
    await journal.rewrite([])

    assert list(await journal.records()) == []
    assert list(path.parent.iterdir()) == [path]


async def test_who_stops_waiting_does_not_stop_the_write(path: Path) -> None:
    journal = FileJournal(path)
    append = asyncio.create_task(journal.append({"n": 1}))
    await asyncio.sleep(0)
    append.cancel()
    await journal.close()

    assert path.read_bytes().endswith(b' {"n":1}\n')


async def test_what_is_no_json_is_a_mistake_of_the_caller_and_harms_nobody(
    journal: FileJournal,
) -> None:
    with pytest.raises(TypeError):
        await journal.append({"n": object()})
    await journal.append({"n": 1})

    assert list(await journal.records()) == [{"n": 1}]


async def test_a_closed_journal_says_so(path: Path) -> None:
    journal = FileJournal(path)
    await journal.close()
    await journal.close()

    with pytest.raises(StoreError, match="closed"):
        await journal.append({"n": 1})
