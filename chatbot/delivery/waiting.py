"""What waits for one chat, in which order it goes there, and how that chat is doing."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chatbot.delivery.bursts import BURST, QuietHours, Throttle, next_burst
from chatbot.ports import Speaker
from handlers.format import clock_time
from handlers.reply import Level, Reply, load
from trading.ports import Alert

log = logging.getLogger(__name__)


GATHERED = 10
"""So many urgent alerts that wait at once become one message; fewer keep their own."""


HELD = timedelta(minutes=1)
"""No alert is held back so long to fold it: what is older could not be told."""


class Throttled(Exception):
    """The platform says: not before *retry_after* seconds.  Raised by a speaker."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"again in {retry_after:g} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    key: str
    """As in `telegram:111`, `console:`; alerts wait under it."""
    speaker: str
    chat: str
    """The platform's own id of the chat."""
    at_least: Level = Level.INFO
    owner: bool = True
    """An owner reads here: hears of critical alerts that nobody acknowledged."""
    on_call: bool = False
    """Hears of nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How patient the outbox is; seconds."""

    first_delay: float = 1.0
    """After a failure; doubled after each further one."""
    longest_delay: float = 60.0
    longest: float = 30.0
    """A message that takes longer counts as failed, and may arrive twice."""
    back_after: float = 60.0
    """A chat that failed for longer hears first that it is back."""
    poll: float = 5.0
    """The store is looked at this often even if nobody wakes the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one platform does, for status pages."""

    waiting: int
    last_success: datetime | None
    failing_since: datetime | None
    """None: the last message went through, or none was sent yet."""
    problem: str
    """The error's kind, never its words: they may hold a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """How long a chat was away, and what waited for it."""

    away: timedelta
    waited: int
    critical: int
    """Of those; they go first, each by itself."""


@dataclass(frozen=True, slots=True)
class QueuedAlert:
    alert: Alert
    reply: Reply


class Chat:
    """What one chat still has to hear, and how it fares."""

    def __init__(
        self, subscriber: Subscriber, speaker: Speaker, quiet_hours: QuietHours | None
    ) -> None:
        self.subscriber = subscriber
        self.speaker = speaker
        self.quiet_hours = quiet_hours
        self.at_least = subscriber.at_least
        self.muted: frozenset[str] = frozenset()
        """Kinds that are not told here, unless critical."""
        self.stir = asyncio.Event()
        """Something arrived."""
        self.alarm = asyncio.Event()
        """Something critical arrived: worth a try although the chat is failing."""
        self.last_success: datetime | None = None
        self.failing_since: datetime | None = None
        self.problem = ""
        self.absence: Absence | None = None
        """It is back, and has heard the critical alerts; that it was away is still to be told."""
        self._throttle = Throttle()
        self._critical: deque[QueuedAlert] = deque()
        self._urgent: deque[QueuedAlert] = deque()
        self._quiet: deque[QueuedAlert] = deque()
        self._told: deque[datetime] = deque(maxlen=BURST - 1)
        """When the last quiet alerts that were told had happened."""

    @property
    def waiting(self) -> int:
        return len(self._critical) + len(self._urgent) + len(self._quiet)

    def hopeful(self, now: datetime) -> bool:
        """Something waits, and is likely to arrive soon."""
        quiet = 0 if self.quiet_for(now) else len(self._quiet)
        waits = len(self._critical) + len(self._urgent) + quiet
        return waits > 0 and self.failing_since is None

    def quiet_for(self, now: datetime) -> float:
        """Seconds until the quiet hours are over; 0 outside of them."""
        return self.quiet_hours.left(now) if self.quiet_hours else 0.0

    def wants(self, kind: str, level: Level) -> bool:
        if self.subscriber.on_call:
            return False
        return level >= self.at_least and (level >= Level.CRITICAL or kind not in self.muted)

    @property
    def critical(self) -> int:
        return len(self._critical)

    def take(self, alert: Alert) -> bool:
        """Queue *alert*; False if it only repeats what was said."""
        reply = self._throttle.admit(alert, reply_of(alert))
        if reply is None:
            return False
        self._queue(alert.level).append(QueuedAlert(alert, reply))
        self.stir.set()
        if alert.level >= Level.CRITICAL:
            self.alarm.set()
        return True

    def next(self, now: datetime, *, hurry: bool) -> tuple[Sequence[QueuedAlert], float | None]:
        """What to say now, as one message; or nothing, and for how many seconds."""
        if self._critical:
            return [self._critical[0]], None
        urgent = self._next_urgent()
        quiet_for = self.quiet_for(now)
        if quiet_for or not self._quiet:
            return urgent, (quiet_for or None) if self._quiet and not urgent else None
        if urgent and urgent[0].alert.at <= self._quiet[0].alert.at:
            return urgent, None
        night = self._of_the_night()
        if night > 1:
            return list(itertools.islice(self._quiet, night)), None
        size, hold = next_burst((p.alert.at for p in self._quiet), self._told, now)
        if size or hurry:
            return list(itertools.islice(self._quiet, size or None)), None
        return urgent, None if urgent else hold

    def _next_urgent(self) -> list[QueuedAlert]:
        """One by one; what has gathered because the chat is slow, as one."""
        gathered = len(self._urgent) >= GATHERED
        return list(itertools.islice(self._urgent, None if gathered else 1))

    def _of_the_night(self) -> int:
        """How many of those in front came in quiet hours, and are told as one."""
        came = (self.quiet_for(queued.alert.at) > 0 for queued in self._quiet)
        return sum(1 for _ in itertools.takewhile(bool, came))

    def rest(self, now: datetime) -> list[QueuedAlert]:
        """All but the critical ones that may be told now, oldest first."""
        quiet = () if self.quiet_for(now) else self._quiet
        return sorted((*self._urgent, *quiet), key=lambda queued: queued.alert.at)

    def done(self, alerts: Sequence[QueuedAlert], now: datetime) -> None:
        for queued in alerts:
            queue = self._queue(queued.alert.level)
            queue.remove(queued)
            if queue is self._quiet:
                self._told.append(queued.alert.at)
        self.last_success, self.failing_since, self.problem = now, None, ""

    def was_away(self, now: datetime, *, at_least: float) -> Absence | None:
        """The absence to tell of, if it is over now and lasted so many seconds."""
        away = self.down_for(now)
        if self.absence is not None or away.total_seconds() <= at_least:
            return self.absence
        return Absence(away=away, waited=self.waiting, critical=self.critical)

    def failed(self, error: Exception, now: datetime) -> None:
        if self.failing_since is None:
            self.failing_since = self._since(now)
            log.warning("%s does not take alerts", self.subscriber.key, exc_info=error)
        self.problem = type(error).__name__

    def _since(self, now: datetime) -> datetime:
        """Since when it takes nothing: what waits from before a restart tells that it did not."""
        if self.last_success is not None:
            return now
        quiet = (queued for queued in self._quiet if not self.quiet_for(queued.alert.at))
        waits = (*self._critical, *self._urgent, *quiet)
        oldest = min((queued.alert.at for queued in waits), default=now)
        return oldest if now - oldest > HELD else now

    def down_for(self, now: datetime) -> timedelta:
        return now - self.failing_since if self.failing_since else timedelta()

    def _queue(self, level: int) -> deque[QueuedAlert]:
        if level >= Level.CRITICAL:
            return self._critical
        return self._urgent if level >= Level.URGENT else self._quiet


def reply_of(alert: Alert) -> Reply:
    """The reply as it was written; an older or newer version's may not be readable."""
    try:
        return load(alert.body)
    except Exception:
        log.exception("alert %s cannot be read", alert.id)
        return Reply(
            title=f"⚠ {alert.kind} at {clock_time(alert.at)} UTC: its message cannot be read",
            level=Level.CRITICAL if alert.level >= Level.CRITICAL else Level.URGENT,
        )
