"""How often a trader may enter: so many at one bar, in an hour, in a day, and a gap between two.

Hours and days are any 60 minutes and any 24 hours that end now, not those of a clock: two bursts
around midnight are one burst.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from trading.common import words
from trading.risk.limits import Limits
from trading.risk.snapshot import RiskSnapshot
from trading.types import Position, Trade

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def objection(book: RiskSnapshot, limits: Limits, now: datetime) -> str:
    """What the pace has against one more entry at *now*, as a clause; empty if nothing."""
    return _this_cycle(book, limits) or _spacing(book, limits, now) or full(book, limits, now)


def full(book: RiskSnapshot, limits: Limits, now: datetime) -> str:
    """Whether the hour or the day has taken all the entries it may, as a clause."""
    times = book.entered_at
    return _count(times, limits.entries_per_hour, HOUR, "the last hour", now) or _count(
        times, limits.entries_per_day, DAY, "24 hours", now
    )


def entered(times: Iterable[datetime], now: datetime) -> tuple[datetime, ...]:
    """Those of *times* that can still matter at *now*, oldest first."""
    return tuple(sorted(time for time in times if now - time < DAY))


def entered_in(held: Position | Trade) -> datetime:
    """The bar in which it was entered, where that is known: what the pace is counted by."""
    return held.paced_from or held.opened_at


def _this_cycle(book: RiskSnapshot, limits: Limits) -> str:
    most = limits.entries_per_cycle
    if most is None or book.entered_now < most:
        return ""
    return f"{_entries(book.entered_now)} in this cycle, as many as are allowed"


def _spacing(book: RiskSnapshot, limits: Limits, now: datetime) -> str:
    if limits.entry_spacing is None or not book.entered_at:
        return ""
    free = max(book.entered_at) + limits.entry_spacing
    if now >= free:
        return ""
    apart = words.span(limits.entry_spacing)
    return f"entries are at least {apart} apart: none before {words.minute(free)}"


def _count(
    times: tuple[datetime, ...], most: int | None, within: timedelta, name: str, now: datetime
) -> str:
    if most is None or len(times) < most:
        return ""
    recent = sorted(time for time in times if now - time < within)
    if len(recent) < most:
        return ""
    free = recent[-most] + within
    return f"{_entries(len(recent))} in {name} of {most} allowed: none before {words.minute(free)}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
