"""Lists read to their end, whatever a page holds: an end is where an answer brings nothing new.

What a page holds is believed of nobody.  A list that is cut off would look like one that tells
all, and a fill that is not told would be lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from trading.errors import VenueUnavailable
from trading.venues.ccxt.row import PageCut
from trading.venues.ccxt.values import millis_of

Fetch = Callable[[int, int], Awaitable[list[Any]]]
"""Entries of the time from one moment to another, both in milliseconds and both included."""
MOST_ANSWERS = 500
"""Of one question; more is taken for an answer that goes in circles."""


def by_id(entry: Any) -> str:
    return str(entry["id"])


async def in_windows(
    fetch: Fetch,
    *,
    since: int,
    now: int,
    window: timedelta,
    page: int,
    cut: PageCut = PageCut.EITHER,
    key: Callable[[Any], str] = by_id,
) -> list[Any]:
    """All entries from *since* to *now*, in milliseconds, once each by their *key*.

    *window*: the longest span of one request; *page*: the most entries of one answer, by which it
    is noticed that more happened in one millisecond than can be listed: raises `VenueUnavailable`.
    """
    found: dict[str, Any] = {}
    width = millis_of(window)
    for begin in range(since, now + 1, width):
        spans = [(begin, begin + width - 1)]
        while spans:
            low, high = spans.pop()
            entries = await fetch(low, high)
            new = {key(each): each for each in entries if key(each) not in found}
            if not new:
                if len(entries) >= page:
                    raise VenueUnavailable("more happened at one moment than is listed at a time")
                continue
            found |= new
            times = [int(each["timestamp"]) for each in entries]
            if cut is not PageCut.NEWEST_FIRST and max(times) <= high:
                spans.append((max(times), high))
            if cut is not PageCut.OLDEST_FIRST and min(times) >= low:
                spans.append((low, min(times)))
    return sorted(found.values(), key=lambda entry: int(entry["timestamp"]))


async def by_cursor(
    fetch: Callable[[str], Awaitable[tuple[list[Any], str]]],
    *,
    key: Callable[[Any], str] = by_id,
) -> list[Any]:
    """All entries: *fetch* takes the last answer's cursor, empty at first, and returns entries with
    the next cursor; empty, or one that brings nothing new, is the end."""
    found: dict[str, Any] = {}
    cursor = ""
    for _ in range(MOST_ANSWERS):
        entries, cursor = await fetch(cursor)
        new = {key(each): each for each in entries if key(each) not in found}
        found |= new
        if not cursor or not new:
            return list(found.values())
    raise VenueUnavailable(f"a list did not end within {MOST_ANSWERS} answers")


async def by_offset(
    fetch: Callable[[int], Awaitable[list[Any]]], *, key: Callable[[Any], str] = by_id
) -> list[Any]:
    """All entries: *fetch* takes how many to pass over.  What is new at the front meanwhile only
    makes some come twice."""
    found: dict[str, Any] = {}
    for _ in range(MOST_ANSWERS):
        entries = await fetch(len(found))
        new = {key(each): each for each in entries if key(each) not in found}
        found |= new
        if not new:
            return list(found.values())
    raise VenueUnavailable(f"a list did not end within {MOST_ANSWERS} answers")
