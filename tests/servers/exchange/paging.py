"""Pages of a list, with a cursor that says where the next begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.servers.exchange.refusals import Refusal, Why

T = TypeVar("T")


def page(found: Sequence[T], cursor: str, limit: int) -> tuple[list[T], str]:
    """The page that *cursor* (of an earlier answer, else empty) begins, and the next cursor."""
    start = _start(cursor)
    following = start + limit
    return list(found[start:following]), f"page{following}" if following < len(found) else ""


def _start(cursor: str) -> int:
    number = cursor.removeprefix("page")
    if cursor and not number.isdigit():
        raise Refusal(Why.MALFORMED, "cursor")
    return int(number or 0)


def between(found: Sequence[T], time: Callable[[T], int], start: int, end: int) -> list[T]:
    """Those from *start* to *end*, both included; 0 is no bound."""
    return [item for item in found if time(item) >= start and (not end or time(item) <= end)]
