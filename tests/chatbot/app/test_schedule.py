"""When cycles run, also after somebody has set the wall clock that APScheduler goes by."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.app.schedule import Schedule
from tests.waiting import PATIENCE

GRACE = timedelta(minutes=1)


async def test_a_job_runs_on_its_interval() -> None:
    runs: list[int] = []
    twice = asyncio.Event()

    async def job() -> None:
        runs.append(1)
        if len(runs) == 2:
            twice.set()

    schedule = Schedule(misfire_grace=GRACE)
    schedule.every(timedelta(seconds=0.02), "often", job)
    schedule.start()
    await asyncio.wait_for(twice.wait(), PATIENCE)
    await schedule.stop(within=1)


async def test_what_the_end_cuts_short_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    begun, cut = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    schedule = Schedule(misfire_grace=GRACE)
    schedule.every(timedelta(seconds=0.02), "endless", job)
    schedule.start()
    await asyncio.wait_for(begun.wait(), PATIENCE)

    await schedule.stop(within=0.01)

    assert cut.is_set()
    await asyncio.sleep(0)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_after_the_clock_was_set_back_a_job_is_due_again_within_its_interval() -> None:
    ran = asyncio.Event()

    async def job() -> None:
        ran.set()

    schedule = Schedule(misfire_grace=GRACE)
    schedule.every(timedelta(seconds=0.05), "often", job)
    schedule.start()
    # As the library sees it when the clock is five hours behind: nothing is due for long.
    far = datetime.now(UTC) + timedelta(hours=5)
    schedule._scheduler.modify_job("often", next_run_time=far)
    ran.clear()

    schedule.realign()

    await asyncio.wait_for(ran.wait(), PATIENCE)
    await schedule.stop(within=1)


async def test_a_candle_is_read_a_moment_after_its_close_also_when_realigned() -> None:
    schedule = Schedule(misfire_grace=GRACE)
    minute, settles = timedelta(minutes=1), timedelta(seconds=1)

    async def job() -> None:
        return None

    schedule.every(minute, "live", job, after=settles)
    schedule.start()
    schedule.realign()

    due = schedule._scheduler.get_job("live").next_run_time
    assert (due.second, due.microsecond) == (1, 0)
    await schedule.stop(within=1)
