"""Lists are read to their end, whatever their pages hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import VenueUnavailable
from trading.venues.ccxt.paging import by_cursor, by_offset, in_windows
from trading.venues.ccxt.row import PageCut

NOW = 1_000
Entries = Sequence[dict[str, Any]]

times = st.lists(st.integers(0, NOW), max_size=60, unique=True)
entries = times.map(lambda at: [{"id": f"{t}", "timestamp": t} for t in sorted(at)])


class Listing:
    """Tells what happened between two moments, cut to a page."""

    def __init__(self, entries: Entries, page: int, cut: PageCut) -> None:
        self._entries = entries
        self._page = page
        self._cut = cut

    async def tell(self, begin: int, end: int) -> list[Any]:
        there = [e for e in self._entries if begin <= e["timestamp"] <= end]
        newest = self._cut is PageCut.NEWEST_FIRST
        return there[-self._page :] if newest else there[: self._page]


@given(
    entries=entries,
    page=st.integers(2, 20),
    window=st.integers(1, 400),
    cut=st.sampled_from(PageCut),
)
def test_all_are_told_once_whatever_a_page_really_holds(
    entries: Entries, page: int, window: int, cut: PageCut
) -> None:
    """It is believed to hold a hundred, and holds as few as two."""
    for believed in (cut, PageCut.EITHER):
        told = asyncio.run(
            in_windows(
                Listing(entries, page, cut).tell, since=0, now=NOW, page=100, cut=believed,
                window=timedelta(milliseconds=window),
            )
        )  # fmt: skip
        assert told == list(entries)


async def test_more_at_one_moment_than_a_page_holds_is_no_end() -> None:
    crowd = [{"id": f"{n}", "timestamp": 500} for n in range(30)]
    with pytest.raises(VenueUnavailable, match="more happened at one moment"):
        await in_windows(
            Listing(crowd, 10, PageCut.OLDEST_FIRST).tell, since=0, now=NOW, page=10,
            window=timedelta(seconds=1),
        )  # fmt: skip


@given(entries=entries, page=st.integers(1, 20))
def test_by_cursor_all_are_told(entries: Entries, page: int) -> None:
    async def fetch(cursor: str) -> tuple[list[Any], str]:
        begin = int(cursor or 0)
        end = begin + page
        return list(entries[begin:end]), str(end)  # it has a next one for ever

    assert asyncio.run(by_cursor(fetch)) == list(entries)


async def test_a_cursor_that_leads_in_circles_is_an_end() -> None:
    async def fetch(cursor: str) -> tuple[list[Any], str]:
        return [{"id": "1", "timestamp": 1}], "again"

    assert len(await by_cursor(fetch)) == 1


@given(entries=entries, page=st.integers(1, 20))
def test_by_offset_all_are_told(entries: Entries, page: int) -> None:
    async def fetch(offset: int) -> list[Any]:
        return list(entries[offset : offset + page])

    assert asyncio.run(by_offset(fetch)) == list(entries)
