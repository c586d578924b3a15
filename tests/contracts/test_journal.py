"""Every journal keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.journal import FileJournal
from storage.memory import MemoryJournal
from trading.ports import Journal


@pytest.fixture(params=["memory", "file"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    made: Journal
    made = MemoryJournal() if request.param == "memory" else FileJournal(tmp_path / "journal")
    yield made
    await made.close()


async def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert list(await journal.records()) == []


async def test_records_come_back_in_order(journal: Journal) -> None:
    await journal.append({"n": 1, "text": "größer\n"}, {"n": 2})
    await journal.append({"n": 3, "more": [1, None, {"a": True}]})

    assert list(await journal.records()) == [
        {"n": 1, "text": "größer\n"},
        {"n": 2},
        {"n": 3, "more": [1, None, {"a": True}]},
    ]


async def test_many_callers_at_once_lose_nothing(journal: Journal) -> None:
    await asyncio.gather(*(journal.append({"n": n}, {"n": n, "second": True}) for n in range(500)))

    records = list(await journal.records())
    assert records == [
        record for n in range(500) for record in ({"n": n}, {"n": n, "second": True})
    ]


async def test_rewriting_replaces_all_and_appending_goes_on(journal: Journal) -> None:
    await journal.append({"n": 1}, {"n": 2})
    await journal.rewrite([{"sum": 3}])
    await journal.append({"n": 4})

    assert list(await journal.records()) == [{"sum": 3}, {"n": 4}]


async def test_what_is_appended_while_a_rewrite_goes_on_stays(journal: Journal) -> None:
    await asyncio.gather(
        journal.append({"n": "before"}),
        journal.rewrite([{"sum": 1}]),
        journal.append({"n": "after"}),
    )

    assert list(await journal.records()) == [{"sum": 1}, {"n": "after"}]


async def test_a_record_is_kept_as_it_was_when_it_was_appended(journal: Journal) -> None:
    record = {"n": 1}
    await journal.append(record)
    record["n"] = 2

    assert list(await journal.records()) == [{"n": 1}]


async def test_what_is_done_is_dropped_and_what_comes_meanwhile_stays(journal: Journal) -> None:
    await journal.append({"n": 1}, {"n": 2}, {"n": 3})
    await asyncio.gather(
        journal.append({"n": 4}),
        journal.drop(lambda record: record["n"] in {1, 3, 5}),
        journal.append({"n": 5}),
    )

    assert list(await journal.records()) == [{"n": 2}, {"n": 4}, {"n": 5}]


async def test_dropping_all_leaves_an_empty_journal(journal: Journal) -> None:
    await journal.append({"n": 1})
    await journal.drop(lambda record: True)
    assert list(await journal.records()) == []

    await journal.append({"n": 2})
    assert list(await journal.records()) == [{"n": 2}]
