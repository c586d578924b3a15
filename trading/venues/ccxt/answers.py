"""What an error of ccxt means: did something happen, is it worth trying again, and in which words.

Where an exchange tells code and words, and what its codes mean, stands in its `Row`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any

from trading.common.text import one_line
from trading.errors import VenueRejected
from trading.venues.ccxt.row import Row

SAID_LIMIT = 160
SERVER_FAILED = 500
"""HTTP statuses from here on."""

_PLAIN = {
    "RequestTimeout": "no answer in time",
    "ExchangeNotAvailable": "the exchange does not answer",
    "NetworkError": "the connection broke",
    "OnMaintenance": "the exchange is under maintenance",
}
"""For errors that have no words of the venue, by ccxt's class."""


class NotFound(VenueRejected):
    """The venue knows no such order (now)."""


class Meaning(Enum):
    NOT_FOUND = "it knows no such order"
    TURNED_AWAY = "refused before anything was done, whatever was asked: it may be asked again"
    REFUSED = "understood, and nothing was done"
    UNCLEAR = "something may have been done"


def told(text: str, row: Row) -> tuple[str, str]:
    """Code and words in what an exchange answered, each empty where it gives none."""
    begin = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if begin < 0:
        return "", ""
    try:
        answer, _ = json.JSONDecoder(strict=False).raw_decode(text[begin:])
    except ValueError:
        return _picked(text, row.code_at, row.fine), _picked(text, row.message_at, row.fine)
    return _first(answer, row.code_at, row.fine), _first(answer, row.message_at, row.fine)


def _first(answer: Any, places: Sequence[str], fine: frozenset[str]) -> str:
    values = (_at(answer, place.split(".")) for place in places)
    return next((v for v in values if v and v not in fine), "")


def _at(answer: Any, path: Sequence[str]) -> str:
    for name in path:
        if isinstance(answer, dict):
            answer = answer.get(name)
        elif isinstance(answer, list) and name.isdecimal() and int(name) < len(answer):
            answer = answer[int(name)]
        else:
            return ""
    return "" if answer is None or isinstance(answer, dict | list) else str(answer)


def _picked(text: str, places: Sequence[str], fine: frozenset[str]) -> str:
    """Out of what is no JSON as a whole, garbled or cut off."""
    names = (place.split(".")[-1] for place in places)
    for name in (name for name in names if not name.isdecimal()):
        found = re.search(rf'"{re.escape(name)}"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+))', text)
        value = found and (found[2] or _unescaped(found[1] or ""))
        if value and value not in fine:
            return value
    return ""


def _unescaped(text: str) -> str:
    """What stands between the quotes of a JSON text; as it is if it is none."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def said(error: Exception, row: Row, code: str, message: str) -> str:
    """The venue's words, explained where they explain nothing; never the request.

    An address may hold a key, and a page of HTML helps nobody.
    """
    if code in row.explained:
        return row.explained[code]
    text = message or str(error)
    if not message and ("://" in text or "<" in text):
        text = ""
    words = one_line(text.removeprefix(row.exchange))[:SAID_LIMIT]
    hint = next((hint for mark, hint in row.hints.items() if mark in words), "")
    return f"{words} ({hint})" if hint else words or _plainly(error)


def meaning(error: Exception, row: Row, code: str, status: int) -> Meaning:
    """What left no clear answer stays unclear whatever its code: a timeout has codes, too.

    *status*: HTTP's; one of 500 or more is no answer of who would know, unless it turned away.
    """
    if code in row.turned_away:
        return Meaning.TURNED_AWAY
    if code in row.unclear or status >= SERVER_FAILED:
        return Meaning.UNCLEAR
    if code in row.not_found or is_a(error, "OrderNotFound"):
        return Meaning.NOT_FOUND
    if is_a(error, "RateLimitExceeded", "DDoSProtection", "InvalidNonce"):
        return Meaning.TURNED_AWAY
    if is_a(error, "NetworkError", "OperationFailed") or not is_a(error, "ExchangeError"):
        return Meaning.UNCLEAR
    named = type(error).__name__ != "ExchangeError"
    return Meaning.REFUSED if code or named else Meaning.UNCLEAR


def is_a(error: Exception, *names: str) -> bool:
    """By the names of ccxt's classes: it is imported late, and not as a whole."""
    return any(each.__name__ in names for each in type(error).__mro__)


def _plainly(error: Exception) -> str:
    names = [each.__name__ for each in type(error).__mro__]
    return next((_PLAIN[name] for name in names if name in _PLAIN), names[0])
