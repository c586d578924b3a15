"""How many messages are too many: quiet alerts fold, urgent ones that repeat are held back.

In quiet hours the quiet ones wait, and the urgent make no sound.  Critical alerts do none of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo

from handlers.format import clock_time
from handlers.reply import Level, Reply
from trading.ports import Alert

WINDOW = timedelta(seconds=10)
BURST = 5
"""So many quiet alerts within the window become one message."""


def next_burst(
    waiting: Iterable[datetime], told: Iterable[datetime], now: datetime
) -> tuple[int, float]:
    """How many of the quiet alerts *waiting* to tell now, as one; or 0, and seconds until then.

    All times are those of the alerts, oldest first.  Four in ten seconds are told at once, one by
    one; what follows waits until those ten seconds are over and is told together.  What has
    gathered already (chat down, many at once) is told together without waiting.
    """
    waiting = iter(waiting)
    first = next(waiting)
    size = 1 + sum(1 for _ in itertools.takewhile(lambda at: at < first + WINDOW, waiting))
    recent = [at for at in told if first - WINDOW < at <= first]
    if len(recent) < BURST - 1:
        return (size if size >= BURST else 1), 0.0
    hold = min(min(recent) + WINDOW - now, WINDOW).total_seconds()
    return (0, hold) if hold > 0 else (size, 0.0)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From *begin* to *end* in *zone*, over midnight if need be."""

    begin: time
    end: time
    zone: tzinfo = UTC

    def left(self, now: datetime) -> float:
        """Seconds until they are over; 0 outside of them."""
        here = now.astimezone(self.zone)
        if not self._hold(here.time()):
            return 0.0
        over = datetime.combine(here.date(), self.end, self.zone)
        if here.time() >= self.end:
            over = datetime.combine(here.date() + timedelta(days=1), self.end, self.zone)
        # By way of UTC: the clocks may change in the night.
        return max(1.0, (over.astimezone(UTC) - now.astimezone(UTC)).total_seconds())

    def _hold(self, here: time) -> bool:
        if self.begin < self.end:
            return self.begin <= here < self.end
        return here >= self.begin or here < self.end

    def __str__(self) -> str:
        """As in `23:00-07:00`."""
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


TENTH = 10
HOUR = timedelta(hours=1)
REMEMBERED = 256
"""Urgent texts; beyond that, old ones are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """An urgent text that comes again and again."""

    first: datetime
    told: datetime
    last: datetime
    count: int = 1
    to_tell: bool = True
    """Whether the last of them is told."""

    @classmethod
    def of_one(cls, at: datetime) -> Repeats:
        return cls(first=at, told=at, last=at)

    def again(self, at: datetime) -> Repeats:
        """Count one more.  Told are the first, each tenth, and one an hour."""
        if at - self.last >= HOUR:
            return Repeats.of_one(at)
        count = self.count + 1
        tell = count % TENTH == 0 or at - self.told >= HOUR
        return Repeats(
            first=self.first, told=at if tell else self.told, last=at, count=count, to_tell=tell
        )


class Throttle:
    """Which urgent alerts one chat hears.

    A repeat has the same kind and title as one before, and nothing else was said in between: what
    comes after `Feed back` or a halt is news again.
    """

    def __init__(self) -> None:
        self._repeats: dict[tuple[str, str], Repeats] = {}

    def admit(self, alert: Alert, reply: Reply) -> Reply | None:
        """The reply to send, with its count if it is a repeat; or None."""
        if alert.level in {Level.NOTICE, Level.CRITICAL}:
            self._repeats.clear()
        if alert.level != Level.URGENT:
            return reply
        key = (alert.kind, _without_reference(reply))
        self._forget(alert.at)
        before = self._repeats.get(key)
        repeats = before.again(alert.at) if before else Repeats.of_one(alert.at)
        self._repeats[key] = repeats
        if not repeats.to_tell:
            return None
        if repeats.count == 1:
            return reply
        counted = f"{repeats.count} times since {clock_time(repeats.first)} UTC."
        return replace(reply, text="\n".join(filter(None, (reply.text, counted))))

    def _forget(self, now: datetime) -> None:
        """Titles with figures in them are many: forget those that are news again anyway."""
        if len(self._repeats) >= REMEMBERED:
            self._repeats = {
                key: each for key, each in self._repeats.items() if now - each.last < HOUR
            }


def _without_reference(reply: Reply) -> str:
    """The same fault is a repeat, although each time another place in the log tells of it."""
    return reply.title.replace(reply.reference, "") if reply.reference else reply.title
