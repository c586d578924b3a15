"""Figures as people read them in a reason: `58.10 %`, `48 s`, `14:20`."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

_MINUTE = timedelta(minutes=1)


def percent(share: Decimal) -> str:
    return f"{share * 100:.2f} %"


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def plain(number: Decimal) -> str:
    """As it is, without exponent."""
    return f"{number:f}"


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
