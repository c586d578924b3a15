"""Loss guards: how far equity has fallen, and when that is certain enough to act on.

A guard may only tighten.  One wrong tick must not flatten an account, so a breach takes three
readings in a row that are distinct, fresh, finite and at least a second apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from trading.common.frozen import fast_frozen, replace
from trading.types import ONE, ZERO

READINGS = 3
APART = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LossReading:
    """A share lost (0.03 is 3 %), and when the market made the prices it rests on."""

    value: Decimal | None
    """None: it could not be computed."""
    at: datetime
    stale: bool = False
    """A price in it is too old to be believed."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Watches one limit.  After a rebase, or a new day or week, begin with a fresh one."""

    kind: str
    """`day`, `week` or `drawdown`."""
    limit: Decimal
    """Share of the baseline, positive.  Reaching it is a breach."""
    readings: tuple[LossReading, ...] = ()
    """Those past the limit that count so far, oldest first; at most three."""
    seen_at: datetime | None = None
    """The newest reading that was taken note of, past the limit or not."""

    def __post_init__(self) -> None:
        if not self.limit.is_finite() or self.limit <= ZERO:
            raise ValueError(f"a guard needs a limit above 0, not {self.limit}")

    @property
    def breached(self) -> bool:
        return len(self.readings) >= READINGS

    def observe(self, reading: LossReading) -> tuple[Guard, bool]:
        """Return the guard after *reading*, and whether its limit is breached.

        A reading inside the limit starts the count afresh.  One that is unknown, stale, or not
        newer than the last one neither counts nor starts afresh.
        """
        guard = self._after(reading)
        return guard, guard.breached

    def _after(self, reading: LossReading) -> Guard:
        if reading.value is None or not reading.value.is_finite() or reading.stale:
            return self
        if self.seen_at is not None and reading.at <= self.seen_at:
            return self
        if reading.value < self.limit:
            return replace(self, readings=(), seen_at=reading.at)
        if self.readings and reading.at - self.readings[-1].at < APART:
            return replace(self, seen_at=reading.at)
        return replace(self, readings=(*self.readings, reading)[-READINGS:], seen_at=reading.at)


def drawdown(equity: Decimal | None, peak: Decimal) -> Decimal | None:
    """Share of *peak* that is lost, 0 above it; None if it cannot be known."""
    lost = loss_share(equity, peak)
    return None if lost is None else max(ZERO, lost)


def loss_share(equity: Decimal | None, start: Decimal) -> Decimal | None:
    """Share of *start* that is lost, negative for a gain; None if it cannot be known."""
    if equity is None or not equity.is_finite() or not start.is_finite() or start <= ZERO:
        return None
    return (start - equity) / start


def floor(peak: Decimal, limit: Decimal) -> Decimal:
    """The equity at which a guard with this *limit* halts."""
    return peak * (ONE - limit)


def day_of(at: datetime, zone: tzinfo) -> date:
    """The risk day that *at* belongs to; days start at 00:00 in *zone*."""
    if at.tzinfo is None:
        raise ValueError("a time without its zone belongs to no day")
    return at.astimezone(zone).date()


def day_begin(at: datetime, zone: tzinfo) -> datetime:
    """When the risk day of *at* began: 00:00 in *zone*."""
    return datetime.combine(day_of(at, zone), time(), zone).astimezone(at.tzinfo)


def day_end(at: datetime, zone: tzinfo) -> datetime:
    """When the risk day of *at* is over: the next 00:00 in *zone*."""
    tomorrow = day_of(at, zone) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(at.tzinfo)


def week_of(at: datetime, zone: tzinfo) -> date:
    """The Monday of the risk week that *at* belongs to."""
    day = day_of(at, zone)
    return day - timedelta(days=day.weekday())
