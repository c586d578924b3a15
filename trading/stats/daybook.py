"""The days of a trader: what was closed in each, and its equity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from trading.risk.drawdown import day_end, day_of
from trading.stats.ratios import Floats
from trading.stats.tally import Breakdown, RoundTrip
from trading.types import EquityPoint, Trade

_INSTANT = timedelta(microseconds=1)


class EquityReading(NamedTuple):
    """Equity at a moment of market time."""

    at: datetime
    equity: Decimal


def _no_floats() -> Floats:
    return np.empty(0)


def floats_of(instants: Sequence[str], equity: Sequence[str]) -> tuple[Floats, Floats]:
    """Times in seconds since 1970, and equity: to the last bit what `EquityReading`s would make.

    *instants* in UTC, as in `2021-05-19T12:00:00.000000`, without their zone.
    """
    times = np.array(instants, dtype="datetime64[us]").astype(np.int64) / 1e6
    return times, np.array([float(text) for text in equity])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayBook:
    """All that one trader closed and was worth, summed by day: small, however long it traded."""

    zone: tzinfo
    """Where the days begin at 00:00."""
    trades: Mapping[date, Breakdown] = field(default_factory=dict)
    """Days without a trade are missing."""
    all_time: Breakdown = field(default_factory=Breakdown)
    """All of them together, so that nothing is added up when somebody asks for that."""
    closes: Mapping[date, Decimal] = field(default_factory=dict)
    """The last equity read in each day, oldest first; days without a reading are missing."""
    opening: EquityReading | None = None
    """The first reading of all."""
    times: Floats = field(default_factory=_no_floats)
    """Of all readings, in seconds since 1970, oldest first."""
    equity: Floats = field(default_factory=_no_floats)
    """For the drawdown, which is a ratio; money is taken from `closes`."""

    @classmethod
    def of(cls, trades: Iterable[Trade], points: Iterable[EquityPoint], zone: tzinfo) -> DayBook:
        readings = sorted((EquityReading(p.at, p.equity) for p in points), key=lambda r: r.at)
        return cls(zone=zone).after([RoundTrip.of(t) for t in trades], readings)

    def after(self, trips: Sequence[RoundTrip], readings: Sequence[EquityReading]) -> DayBook:
        """Return the book with more in it; *readings* are later than its own, oldest first."""
        times = np.array([r.at.timestamp() for r in readings])
        equity = np.array([float(r.equity) for r in readings])
        new = self._by_day(trips)
        return DayBook(
            zone=self.zone,
            trades={**self.trades, **self._with(new)},
            all_time=Breakdown.total((self.all_time, *new.values())),
            closes={**self.closes, **self._closed_by(readings)},
            opening=self.opening or (readings[0] if readings else None),
            times=np.concatenate((self.times, times)),
            equity=np.concatenate((self.equity, equity)),
        )

    def read_on(
        self, times: Floats, equity: Floats, exact: Callable[[int], EquityReading]
    ) -> DayBook:
        """As `after` with these readings, for very many of them.

        *times* in seconds since 1970, later than its own, oldest first; *exact* returns one
        reading by its place: only those that end a day are asked for.
        """
        if not len(times):
            return self
        closes: dict[date, Decimal] = {}
        at = 0
        while at < len(times):
            moment = exact(at).at - _INSTANT
            until = day_end(moment, self.zone).timestamp()
            at = int(np.searchsorted(times, until, side="right"))
            closes[day_of(moment, self.zone)] = exact(at - 1).equity
        return replace(
            self,
            closes={**self.closes, **closes},
            opening=self.opening or exact(0),
            times=np.concatenate((self.times, times)),
            equity=np.concatenate((self.equity, equity)),
        )

    def _by_day(self, trips: Iterable[RoundTrip]) -> dict[date, Breakdown]:
        days: dict[date, list[RoundTrip]] = {}
        until, those = None, list[RoundTrip]()
        since = datetime.max.replace(tzinfo=UTC)
        for trip in trips:
            at = trip.closed_at
            if until is None or not since <= at < until:  # mostly the same day as the one before
                day = day_of(at, self.zone)
                since, until = start_of(day, self.zone), day_end(at, self.zone)
                those = days.setdefault(day, [])
            those.append(trip)
        return {day: Breakdown.of(those) for day, those in days.items()}

    def _with(self, new: Mapping[date, Breakdown]) -> dict[date, Breakdown]:
        return {
            day: Breakdown.total((self.trades[day], more)) if day in self.trades else more
            for day, more in new.items()
        }

    def _closed_by(self, readings: Iterable[EquityReading]) -> dict[date, Decimal]:
        closes: dict[date, Decimal] = {}
        day, until = date.min, None
        for at, equity in readings:
            if until is None or at > until:
                day = day_of(at - _INSTANT, self.zone)
                until = day_end(at - _INSTANT, self.zone)
            closes[day] = equity
        return closes

    def traded(self, first: date | None, last: date) -> Breakdown:
        """What was closed from *first* (None: the beginning) to *last*, both included."""
        if first is None and max(self.trades, default=last) <= last:
            return self.all_time
        days = (d for d in self.trades if (first is None or first <= d) and d <= last)
        return Breakdown.total(self.trades[day] for day in days)

    def close_before(self, day: date) -> Decimal | None:
        """Equity when *day* began; None if nothing was read before."""
        earlier = [d for d in self.closes if d < day]
        return self.closes[earlier[-1]] if earlier else None

    def close_within(self, first: date, last: date) -> Decimal | None:
        """The last equity read from *first* to *last*; None if nothing was."""
        within = [d for d in self.closes if first <= d <= last]
        return self.closes[within[-1]] if within else None

    def start_of(self, first: date | None, last: date) -> Decimal | None:
        """Equity as a period begins, or as the desk does within it; None if it is unknown."""
        before = None if first is None else self.close_before(first)
        if before is not None or self.opening is None:
            return before
        return self.opening.equity if next(iter(self.closes)) <= last else None

    @property
    def first_day(self) -> date | None:
        """The day of the first reading or trade; None while there is neither."""
        return min((*self.closes, *self.trades), default=None)


def start_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
