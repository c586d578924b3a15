"""Three kinds of time, each a dependency.

*Wall* time dates what people and processes did (audit, confirmations, outbox).  *Monotonic*
seconds measure waits.  *Market* time is what candles, cooldowns and risk days live by: the wall
clock of a live feed, the candles' own clock of a replay.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time, and the only way to wait."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    async def beat(self, seconds: float) -> None:
        """Wait for *seconds* at most, for whoever looks again and again.

        All who look as often wake at the same moment: a process at rest is woken once for them.
        """
        ...


class MarketClock(Protocol):
    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def beat(self, seconds: float) -> None:
        await asyncio.sleep(seconds - time.monotonic() % seconds)


class ReplayClock:
    """Market time of a replay: runs `speed` times as fast, from `start`, never past `end`.

    While the process is down it rests: a replay continues where its cursor was saved.
    """

    def __init__(self, clock: Clock, *, speed: float, start: datetime, end: datetime) -> None:
        self._clock = clock
        self._speed = speed
        self._start = start
        self._end = end
        self._since = clock.monotonic()

    def now(self) -> datetime:
        elapsed = (self._clock.monotonic() - self._since) * self._speed
        return min(self._start + timedelta(seconds=elapsed), self._end)


class ManualClock:
    """A clock that moves only when told to.  Used by tests and backtests."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._start = start
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        wake_at = self._now + timedelta(seconds=max(0.0, seconds))
        done = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (wake_at, next(self._order), done))
        await done

    async def beat(self, seconds: float) -> None:
        await self.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move on, waking in order every sleeper that is due."""
        until = self._now + timedelta(seconds=seconds)
        while self.wake_next(until):
            pass

    def wake_next(self, until: datetime) -> bool:
        """Jump to the earliest sleeper due by *until* and wake it, if there is one."""
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, done = heapq.heappop(self._sleepers)
            if not done.done():
                done.set_result(None)
                return True
        self._now = until
        return False
