"""Windows that are walked forward: settings are chosen in one, and measured in the one after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from trading.risk.drawdown import day_of
from trading.stats.ratios import FEWEST_RETURNS

INSIDE = 3
"""The first window in sample is so many times as long as those out of sample."""
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


class Windows(StrEnum):
    """How the window in sample goes on."""

    ANCHORED = "anchored"
    """It always begins with the span, and grows."""
    ROLLING = "rolling"
    """It keeps its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkFold:
    """Bars that close after *begin*, up to *cut*, are in sample; those up to *end* out of it."""

    number: int
    """From 1 on."""
    begin: datetime
    cut: datetime
    end: datetime


def folds(
    begin: datetime, end: datetime, *, count: int, windows: Windows, zone: tzinfo
) -> tuple[WalkFold, ...]:
    """Cut the days from *begin* to *end* into *count* folds, in whole days of *zone*.

    Raises `ValueError`, a sentence, where a window in sample would be too short for any ratio.
    """
    first = day_of(begin - _INSTANT, zone) + _DAY
    days = (day_of(end, zone) - first).days
    unit = days / (INSIDE + count)
    if int(INSIDE * unit) < FEWEST_RETURNS or int(unit) < 1:
        raise ValueError(
            f"{max(days, 0)} whole days are too few for {count} folds: each needs "
            f"{FEWEST_RETURNS} days in sample. Take more data, or fewer --folds"
        )
    cuts = [first + timedelta(days=round(number * unit)) for number in range(INSIDE + count + 1)]
    at = [_midnight(day, zone) for day in cuts]
    return tuple(
        WalkFold(
            number=number + 1,
            begin=at[0 if windows is Windows.ANCHORED else number],
            cut=at[number + INSIDE],
            end=at[number + INSIDE + 1],
        )
        for number in range(count)
    )


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)
