"""Figures as people read them in a reason: `58.10 %`, `48 s`, `14:20`."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal

_MINUTE = timedelta(minutes=1)


def percent(share: Decimal) -> str:
    return f"{share * 100:.2f} %"


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def plain(number: Decimal) -> str:
    """As it is, without exponent."""
    return f"{number:f}"


def short(amount: Decimal) -> str:
    """Three digits, rounded down: `3.1 M`, `25 k`; what is below a limit never looks like it."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if amount >= size:
            return f"{_digits(amount / size)} {unit}"
    return _digits(amount)


def _digits(number: Decimal) -> str:
    step = Decimal(1).scaleb(min(0, number.adjusted() - 2)) if number else Decimal(1)
    return f"{number.quantize(step, ROUND_DOWN).normalize():f}"


def bps(number: Decimal) -> str:
    """To a tenth, rounded up: what is above a limit never looks like it."""
    return f"{number.quantize(Decimal('0.1'), ROUND_UP).normalize():f}"


def span(time: timedelta) -> str:
    """One unit, rounded down: 48 s, 71 min, 5 h."""
    seconds = int(time.total_seconds())
    if seconds < 120:  # noqa: PLR2004  # two minutes are told in seconds, two hours in minutes
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004  # as above


def until(at: datetime, now: datetime) -> str:
    """The `minute`, with its date where that is a day away: 14:20, or 7 Jan 14:20."""
    return minute(at) if at - now < timedelta(days=1) else f"{at.day} {at:%b} {minute(at)}"


def minute(at: datetime) -> str:
    """The first whole minute at which *at* has come: who waits until then waits long enough."""
    past = timedelta(seconds=at.second, microseconds=at.microsecond)
    return f"{at + (_MINUTE - past) if past else at:%H:%M}"
