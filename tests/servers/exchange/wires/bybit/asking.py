"""What many of Bybit's private paths ask for alike: category, symbol, times, pages."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.figures import DAY
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.wires.base import Ask, Said
from tests.servers.exchange.wires.bybit.rendering import category
from tests.servers.exchange.wires.bybit.words import malformed

Json = Any


def check_category(engine: Any, ask: Ask) -> None:
    """A venue has one that is answered for."""
    if ask.required("category") != category(engine):
        raise malformed("category")


def symbol_of(engine: Any, ask: Ask) -> str:
    check_category(engine, ask)
    symbol = ask.required("symbol")
    if symbol not in engine.listed:
        raise Refusal(Why.UNKNOWN_SYMBOL, symbol)
    return symbol


def span(engine: Any, ask: Ask) -> tuple[int, int]:
    """At most seven days; the last seven without either end."""
    start, end = ask.integer("startTime"), ask.integer("endTime")
    if start and end and end - start > 7 * DAY:
        text = "The time range between startTime and endTime cannot exceed 7 days."
        raise Said(10001, text, 200)
    if start:
        return start, end or start + 7 * DAY
    return (end or engine.now) - 7 * DAY, end


def limit(ask: Ask, usual: int, most: int) -> int:
    """What is asked for beyond the most is cut without a word [?: it may be refused]."""
    return max(1, min(ask.integer("limit", usual), most))


def listed(engine: Any, lines: list[Json], cursor: str) -> Json:
    return {"list": lines, "nextPageCursor": cursor, "category": category(engine)}
