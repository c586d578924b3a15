"""When cycles run.  APScheduler only says when; the saved cursor tells what a cycle handles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.triggers.interval import IntervalTrigger

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule:
    """Calls each job on its interval: never overlapping, missed runs made up for by one."""

    def __init__(self, *, misfire_grace: timedelta) -> None:
        """A run later than *misfire_grace* is left out; the next one catches up."""
        self._misfire_grace = misfire_grace
        self._under_way: set[asyncio.Future[object]] = set()
        self._triggers: dict[str, tuple[float, datetime | None]] = {}
        """By the job's name: its interval in seconds, and from when that is counted."""

    @cached_property
    def _scheduler(self) -> AsyncIOScheduler:
        """Loaded when the first cycle is due: whoever asks at the start is answered before."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        return AsyncIOScheduler(
            timezone="UTC",
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": round(self._misfire_grace.total_seconds()),
            },
        )

    def every(
        self,
        interval: timedelta,
        name: str,
        job: Callable[[], Awaitable[object]],
        *,
        after: timedelta | None = None,
    ) -> None:
        """*after*: so long after each full interval of UTC; without it counting begins now."""

        async def run() -> None:
            under_way = asyncio.ensure_future(job())
            self._under_way.add(under_way)
            try:
                await asyncio.wait([under_way])
            finally:
                self._under_way.discard(under_way)
            if not under_way.cancelled():  # cut by the end, which is nobody's fault
                under_way.result()

        begin = None if after is None else _EPOCH + after
        self._triggers[name] = (interval.total_seconds(), begin)
        self._scheduler.add_job(run, _trigger(*self._triggers[name]), id=name, name=name)

    def realign(self) -> None:
        """The wall clock was set, and APScheduler goes by it: count every interval from now.

        Set back by hours, nothing would be due for hours.
        """
        for name, trigger in self._triggers.items():
            self._scheduler.reschedule_job(name, trigger=_trigger(*trigger))

    def start(self) -> None:
        """Begin, in the running loop."""
        self._scheduler.start()

    async def stop(self, *, within: float) -> None:
        """No further runs; those under way have so many seconds to end, then are cancelled."""
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=within)
            for job in late:
                job.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._scheduler.shutdown(wait=False)


def _trigger(seconds: float, begin: datetime | None) -> IntervalTrigger:
    """Made here, as by its name it would be looked for in the files of every installed package."""
    from apscheduler.triggers.interval import IntervalTrigger

    return IntervalTrigger(seconds=seconds, start_date=begin, timezone=UTC)
