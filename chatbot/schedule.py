"""When cycles run.  APScheduler only says when; the saved cursor tells what a cycle handles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler


class Schedule:
    """Calls each job on its interval: never overlapping, missed runs made up for by one."""

    def __init__(self, *, misfire_grace: timedelta) -> None:
        """A run later than *misfire_grace* is left out; the next one catches up."""
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": round(misfire_grace.total_seconds()),
            },
        )

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        self._scheduler.add_job(
            job, "interval", seconds=interval.total_seconds(), id=name, name=name
        )

    def start(self) -> None:
        """Begin, in the running loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """No further runs; one under way goes on."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
