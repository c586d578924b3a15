from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, after
from trading.clocks import ManualClock, ReplayClock, SystemClock


async def settled() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_systems_time_is_aware_and_its_seconds_never_run_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


async def test_the_system_clock_waits_in_the_loop() -> None:
    await SystemClock().sleep(0)


# -- by hand ----------------------------------------------------------------------------------


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(NOON)
    assert (clock.now(), clock.monotonic()) == (NOON, 0.0)
    clock.advance(90)
    assert (clock.now(), clock.monotonic()) == (after(seconds=90), 90.0)


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    clock, woken = ManualClock(NOON), list[str]()

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 30), ("early", 10), ("early too", 10)):
            group.create_task(sleep(name, seconds))
        await settled()
        clock.advance(10)
        await settled()
        assert woken == ["early", "early too"]
        clock.advance(20)
    assert woken == ["early", "early too", "late"]


async def test_nobody_wakes_before_their_time() -> None:
    clock = ManualClock(NOON)
    sleeper = asyncio.create_task(clock.sleep(10))
    await settled()
    clock.advance(9.9)
    await settled()
    assert not sleeper.done()
    clock.advance(0.1)
    await sleeper


async def test_the_clock_can_jump_from_sleeper_to_sleeper() -> None:
    clock = ManualClock(NOON)
    sleepers = [asyncio.create_task(clock.sleep(seconds)) for seconds in (60, 5)]
    await settled()
    assert clock.wake_next(after(minutes=2))
    assert clock.now() == after(seconds=5)
    assert clock.wake_next(after(minutes=2))
    assert clock.now() == after(seconds=60)
    assert not clock.wake_next(after(minutes=2))
    assert clock.now() == after(minutes=2)
    await asyncio.gather(*sleepers)


async def test_a_sleeper_that_was_cancelled_wakes_nobody() -> None:
    clock = ManualClock(NOON)
    sleepers = [asyncio.create_task(clock.sleep(seconds)) for seconds in (5, 6)]
    await settled()
    sleepers[0].cancel()
    await settled()
    assert clock.wake_next(after(minutes=1))
    await sleepers[1]
    assert clock.now() == after(seconds=6)


# -- replay -----------------------------------------------------------------------------------

END = after(hours=24)


def a_replay(speed: float = 60, start: datetime = NOON) -> tuple[ManualClock, ReplayClock]:
    """The wall stands years away from the replayed market."""
    wall = ManualClock(datetime(2031, 3, 1, tzinfo=UTC))
    return wall, ReplayClock(wall, speed=speed, start=start, end=END)


def test_market_time_runs_as_fast_as_the_replay() -> None:
    wall, market = a_replay()
    assert market.now() == NOON
    wall.advance(2)
    assert market.now() == after(minutes=2)


def test_market_time_ends_with_the_candles() -> None:
    wall, market = a_replay()
    wall.advance(3 * 24 * 60)
    assert market.now() == END


def test_a_replay_goes_on_where_its_cursor_was_saved() -> None:
    wall, _ = a_replay()
    wall.advance(100)
    again = ReplayClock(wall, speed=60, start=after(hours=3), end=END)
    assert again.now() == after(hours=3)
    wall.advance(1)
    assert again.now() == after(hours=3, minutes=1)


@given(
    steps=st.lists(st.floats(0, 600, allow_nan=False), max_size=20),
    speed=st.sampled_from([1.0, 60.0, 3600.0]),
)
def test_market_time_never_runs_back(steps: list[float], speed: float) -> None:
    wall, market = a_replay(speed)
    seen = [market.now()]
    for step in steps:
        wall.advance(step)
        seen.append(market.now())
    assert seen == sorted(seen)
    assert seen[-1] <= END


@pytest.mark.parametrize(
    "clock", [SystemClock(), ManualClock(NOON), a_replay()[1]], ids=lambda c: type(c).__name__
)
def test_every_clock_tells_aware_times(clock: SystemClock | ManualClock | ReplayClock) -> None:
    assert clock.now().utcoffset() is not None


@pytest.mark.real_time  # the system's clock does not skip
async def test_a_beat_ends_with_the_next_full_multiple_whenever_one_begins_to_wait() -> None:
    clock, seconds = SystemClock(), 0.01
    for late in (0.0, 0.003):
        await clock.sleep(late)
        began = clock.monotonic() // seconds
        await clock.beat(seconds)
        assert clock.monotonic() // seconds > began
