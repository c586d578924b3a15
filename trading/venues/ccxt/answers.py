"""What an error of ccxt means: did something happen, is it worth trying again, and in which words.

Source of the codes: Binance's error code pages (developers.binance.com); they stand in `quirks`.
"""

from __future__ import annotations

import json
import re

from trading.common.text import one_line
from trading.errors import VenueRejected
from trading.venues.ccxt.quirks import Quirks

SAID_LIMIT = 160

_CODE = re.compile(r'"code"\s*:\s*"?(-?\d+)')
_MESSAGE = re.compile(r'"msg"\s*:\s*"((?:[^"\\]|\\.)*)"')
_PLAIN = {
    "RequestTimeout": "no answer in time",
    "ExchangeNotAvailable": "the exchange does not answer",
    "NetworkError": "the connection broke",
    "OnMaintenance": "the exchange is under maintenance",
}
"""For errors that have no words of the venue, by ccxt's class."""


class NotFound(VenueRejected):
    """The venue knows no such order (now)."""


def code_of(error: Exception) -> str:
    """The venue's own, as in `-1021`; empty if it gave none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def said(error: Exception, quirks: Quirks) -> str:
    """The venue's words, explained where they explain nothing; never the request.

    An address may hold a key, and a page of HTML helps nobody.
    """
    explained = quirks.explained.get(code_of(error))
    if explained:
        return explained
    text = str(error)
    message = _MESSAGE.search(text)
    if message:
        text = _unescaped(message[1])
    elif "://" in text or "<" in text:
        text = ""
    words = one_line(text.removeprefix(quirks.exchange))[:SAID_LIMIT]
    hint = next((hint for mark, hint in quirks.hints.items() if mark in words), "")
    return f"{words} ({hint})" if hint else words or _plainly(error)


def _unescaped(text: str) -> str:
    """What stands between the quotes of a JSON text; as it is if it is none."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def is_not_found(error: Exception) -> bool:
    return _is(error, "OrderNotFound")


def is_turned_away(error: Exception, quirks: Quirks) -> bool:
    """Too many requests, a wrong clock, shutting down: refused before anything was done."""
    if code_of(error) in quirks.turned_away:
        return True
    return _is(error, "RateLimitExceeded", "DDoSProtection", "InvalidNonce")


def is_clear_no(error: Exception, quirks: Quirks) -> bool:
    """The venue understood, and did nothing.

    Without a code of the venue's, and where ccxt cannot name it, it is no such thing.
    """
    code = code_of(error)
    if code:
        return code not in quirks.unclear
    return _is(error, "ExchangeError") and type(error).__name__ != "ExchangeError"


def _plainly(error: Exception) -> str:
    names = [each.__name__ for each in type(error).__mro__]
    return next((_PLAIN[name] for name in names if name in _PLAIN), names[0])


def _is(error: Exception, *names: str) -> bool:
    return any(each.__name__ in names for each in type(error).__mro__)
