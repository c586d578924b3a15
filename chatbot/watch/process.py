"""Watches over the process itself: is it quick, is its clock right, does it live."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo

from chatbot.watch.metrics import Metrics
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.events import ClockJumped, LoopLagged, StillAlive

LAG_EVERY = 1.0
"""Seconds between two looks at how long the event loop was busy."""
LAG_TOLD = 1.0
"""Seconds without an answer that people hear of."""
JUMP_TOLD = 5.0
"""Seconds by which the wall clock must have been set."""
AGAIN_AFTER = 600.0
"""Seconds until the same trouble is told again; what came meanwhile is told with it."""
MINUTE = 60.0
LONGEST_DAY = timedelta(hours=25)
"""When clocks are put back in autumn."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Seldom:
    """Lets something pass at most once every so many seconds."""

    def __init__(self, clock: Clock, seconds: float = AGAIN_AFTER) -> None:
        self._clock = clock
        self._seconds = seconds
        self._passed: float | None = None

    def may(self) -> bool:
        now = self._clock.monotonic()
        if self._passed is not None and now - self._passed < self._seconds:
            return False
        self._passed = now
        return True


class LagWatch:
    """Tells when the event loop was busy for so long that everybody else had to wait."""

    def __init__(
        self, *, busy: Callable[[], float], clock: Clock, recorder: Recorder, metrics: Metrics
    ) -> None:
        """*busy*: seconds of the longest turn since it was last asked (`Turns`)."""
        self._busy = busy
        self._clock = clock
        self._recorder = recorder
        self._metrics = metrics
        self._seldom = Seldom(clock)
        self._untold = 0.0
        self._recent: deque[tuple[float, float]] = deque(maxlen=round(MINUTE / LAG_EVERY))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.beat(LAG_EVERY)
            await self._note(self._busy(), self._clock.monotonic())

    async def _note(self, lag: float, now: float) -> None:
        self._recent.append((now, lag))
        self._metrics.time("loop_lag", lag)
        if lag > LAG_TOLD:
            self._untold = max(self._untold, lag)
        if self._untold and self._seldom.may():
            seconds, self._untold = self._untold, 0.0
            await self._recorder.say(LoopLagged(at=self._clock.now(), seconds=seconds))

    def worst(self) -> float:
        """The longest of the last minute, in seconds."""
        since = self._clock.monotonic() - MINUTE
        return max((lag for at, lag in self._recent if at >= since), default=0.0)


class ClockWatch:
    """Compares the wall clock with the one that nobody can set."""

    def __init__(
        self,
        *,
        clock: Clock,
        recorder: Recorder,
        every: float = 1.0,
        on_jump: Callable[[], None] = lambda: None,
    ) -> None:
        """*on_jump* hears of every jump, told or not."""
        self._clock = clock
        self._recorder = recorder
        self._every = every
        self._on_jump = on_jump
        self._seldom = Seldom(clock)
        self._offset = self._measured()
        self._untold = timedelta()

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            await self._clock.beat(self._every)
            await self.look()

    async def look(self) -> None:
        offset = self._measured()
        step, self._offset = offset - self._offset, offset
        if abs(step.total_seconds()) > JUMP_TOLD:  # less is how clocks are kept right
            self._untold += step
            self._on_jump()
        if abs(self._untold.total_seconds()) > JUMP_TOLD and self._seldom.may():
            by, self._untold = self._untold, timedelta()
            await self._recorder.say(ClockJumped(at=self._clock.now(), by=by))

    def _measured(self) -> timedelta:
        return self._clock.now() - EPOCH - timedelta(seconds=self._clock.monotonic())


class Heartbeat:
    """Says once a day that all is well, so that silence means something."""

    def __init__(
        self, *, at: time | None, zone: tzinfo, clock: Clock, recorder: Recorder, metrics: Metrics
    ) -> None:
        """*at*: the time of the day in *zone*; None: never."""
        self._at = at
        self._zone = zone
        self._clock = clock
        self._recorder = recorder
        self._metrics = metrics
        self._since = clock.now()
        self._scans = self._errors = 0
        self._due = self.next_after(self._since)

    def use(self, at: time | None) -> None:
        """Beat at another time of the day from now on."""
        self._at = at
        self._due = self.next_after(self._clock.now())

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            left = MINUTE if self._due is None else (self._due - self._clock.now()).total_seconds()
            if left > 0:
                # In steps: the wall clock may be set meanwhile, and so may the time to beat.
                await self._clock.sleep(min(left, MINUTE))
            await self.look()

    async def look(self) -> None:
        """Beat if it is time."""
        now = self._clock.now()
        if self._due is None or self._due - now > LONGEST_DAY:
            self._due = self.next_after(now)
        if self._due is None or now < self._due:
            return
        self._due = next_at = self.next_after(now) or now
        scans, errors = self._counted()
        event = StillAlive(
            at=now,
            since=now - self._since,
            scans=scans - self._scans,
            errors=errors - self._errors,
            next_at=next_at,
        )
        self._since, self._scans, self._errors = now, scans, errors
        await self._recorder.say(event)

    def next_after(self, now: datetime) -> datetime | None:
        """The first moment after *now* at which that time of the day comes."""
        if self._at is None:
            return None
        here = now.astimezone(self._zone)
        due = datetime.combine(here.date(), self._at, self._zone)
        if due <= here:
            due = datetime.combine(here.date() + timedelta(days=1), self._at, self._zone)
        return due.astimezone(UTC)

    def _counted(self) -> tuple[int, int]:
        """Scans and errors since the process began."""
        return self._metrics.times("scan"), round(sum(map(self._metrics.total, ERRORS)))


ERRORS = ("cycle_errors", "api_errors", "history_errors", "crashes")


class ProcessRate:
    """How much a figure grew over the last minutes."""

    def __init__(self, figure: Callable[[], float], clock: Clock, *, seconds: float = 300) -> None:
        self._figure = figure
        self._clock = clock
        self._seconds = seconds
        self._seen: deque[tuple[float, float]] = deque([(clock.monotonic(), figure())])

    def grown(self) -> float:
        """By how much, since the oldest look of the span; each call is a look."""
        now = self._clock.monotonic()
        self._seen.append((now, self._figure()))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._seconds:  # noqa: PLR2004  # the last before the span, and one in it
            self._seen.popleft()
        return self._seen[-1][1] - self._seen[0][1]

    def per_second(self) -> float:
        grown = self.grown()
        return grown / max(1.0, self._seen[-1][0] - self._seen[0][0])
