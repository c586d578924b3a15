"""Equity over a while, with no more points than a picture can show.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from trading.stats.daybook import DayBook, EquityReading
from trading.stats.ratios import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Readings in order; the three have one length.  Figures are floats: to be looked at."""

    times: tuple[datetime, ...]
    equity: tuple[float, ...]
    """In quote currency."""
    drawdown: tuple[float, ...]
    """Fall from the highest so far within the curve, as a share <= 0."""
    zone: str
    """Where its days begin at 00:00, as in `Europe/Berlin`."""

    def __str__(self) -> str:
        return f"{len(self.times)} readings"


def curve(
    book: DayBook, *, first: date | None, last: date, most: int, latest: EquityReading | None = None
) -> Curve | None:
    """From *first* (None: the beginning) to *last*, both included, in at most *most* points.

    It begins with the equity that the period began with.  *latest*: what is known now, perhaps not
    written yet.  Highest, lowest, deepest fall, first and last are always among the points.  None
    where there is no reading.
    """
    times, equity = _readings(book, first, last)
    if latest is not None and (not len(times) or latest.at.timestamp() > times[-1]):
        times = np.append(times, latest.at.timestamp())
        equity = np.append(equity, float(latest.equity))
    if not len(times):
        return None
    falls = falls_of(equity)
    kept = _kept(equity, falls, most)
    return Curve(
        times=tuple(datetime.fromtimestamp(at, UTC) for at in times[kept].tolist()),
        equity=tuple(equity[kept].round(2).tolist()),
        drawdown=tuple(falls[kept].round(6).tolist()),
        zone=str(book.zone),
    )


def falls_of(equity: Floats) -> Floats:
    """For each reading its fall from the highest so far, as a share <= 0."""
    peaks = np.maximum.accumulate(equity)
    falls: Floats = np.where(peaks > 0, equity / np.where(peaks > 0, peaks, 1.0) - 1, 0.0)
    return falls


def _readings(book: DayBook, first: date | None, last: date) -> tuple[Floats, Floats]:
    until = int(np.searchsorted(book.times, _begin(book, last + timedelta(days=1)), side="right"))
    if first is None:
        return book.times[:until], book.equity[:until]
    begun = _begin(book, first)
    since = max(0, int(np.searchsorted(book.times, begun, side="right")) - 1)
    times = np.maximum(book.times[since:until], begun)
    return times, book.equity[since:until]


def _begin(book: DayBook, day: date) -> float:
    return datetime.combine(day, time(), book.zone).timestamp()


def _kept(equity: Floats, falls: Floats, most: int) -> NDArray[np.intp]:
    """Which points stay: the lowest and the highest of each part, in order."""
    count = len(equity)
    if count <= most:
        return np.arange(count)
    always = [0, count - 1, int(falls.argmin()), int(equity.argmax()), int(equity.argmin())]
    parts = np.array_split(np.arange(count), max(1, (most - len(always)) // 2))
    ends = [int(part[pick(equity[part])]) for part in parts for pick in (np.argmin, np.argmax)]
    return np.unique(np.array(always + ends))
