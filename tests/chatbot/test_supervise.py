"""A chat platform may fail as it likes: it is started again, and trading never hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from chatbot.supervise import keep_running
from tests.waiting import PATIENCE
from trading.clocks import ManualClock
from trading.common.tasks import EndedEarly, within


class Platform:
    """Fails when told to; remembers when it was started."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.starts: list[float] = []
        self.started = asyncio.Event()
        self.ends: asyncio.Queue[BaseException | None] = asyncio.Queue()
        self.closed = False

    async def run(self) -> None:
        self.starts.append(self._clock.monotonic())
        self.started.set()
        try:
            end = await self.ends.get()
        finally:
            self.closed = True
        if end:
            raise end


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2025, 10, 10, tzinfo=UTC))
        self.platform = Platform(self.clock)
        self.failures: list[tuple[str, Exception]] = []
        self.told = asyncio.Event()

    def on_failure(self, name: str, error: Exception) -> None:
        self.failures.append((name, error))
        self.told.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(
            keep_running("telegram", self.platform.run, self.clock, self.on_failure)
        )
        await self.platform.started.wait()
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def fail(self, error: BaseException | None, *, after: float = 0.0) -> float:
        """End the platform's run; return how long it then took to be started again."""
        self.clock.advance(after)
        self.told.clear()
        self.platform.started.clear()
        self.platform.ends.put_nowait(error)
        failed = self.clock.monotonic()
        while not self.platform.started.is_set():
            self.clock.advance(0.5 if self.told.is_set() else 0.0)
            for _ in range(5):  # it is told, it rests, it is started: a turn each
                await asyncio.sleep(0)
        return self.clock.monotonic() - failed


async def test_a_crash_is_followed_by_a_start_and_each_wait_is_longer() -> None:
    world = World()
    async with world.running():
        waits = [await world.fail(RuntimeError("down")) for _ in range(11)]

    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-2:] == [300, 300]
    assert len(world.failures) == 11
    assert all(name == "telegram" for name, _ in world.failures)


async def test_waits_begin_anew_after_it_has_lasted() -> None:
    world = World()
    async with world.running():
        early = [await world.fail(RuntimeError("down")) for _ in range(4)]
        late = await world.fail(RuntimeError("down"), after=301)

    assert early == [1, 2, 4, 8]
    assert late == 1


@pytest.mark.parametrize("end", [None, asyncio.CancelledError()], ids=["returns", "cancels itself"])
async def test_an_end_nobody_asked_for_is_a_failure(end: BaseException | None) -> None:
    world = World()
    async with world.running():
        assert await world.fail(end) == 1

    assert isinstance(world.failures[0][1], EndedEarly)


async def test_cancelling_ends_it_cleanly() -> None:
    world = World()
    async with world.running() as task:
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert world.platform.closed
        assert world.failures == []


@pytest.mark.parametrize("fails", [True, False])
async def test_what_fails_or_returns_as_it_is_cancelled_is_not_started_again(fails: bool) -> None:
    """A task group forgets that it was cancelled when one of its tasks fails at that moment."""
    clock, started = ManualClock(datetime(2025, 10, 10, tzinfo=UTC)), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if fails:
                raise RuntimeError("in the midst of it") from None

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())

    task = asyncio.create_task(keep_running("x", run, clock))
    await started.wait()
    task.cancel()
    await asyncio.wait([task], timeout=PATIENCE)

    assert task.cancelled()


async def test_a_listener_that_fails_changes_nothing() -> None:
    world = World()

    def broken(name: str, error: Exception) -> None:
        world.on_failure(name, error)
        raise ValueError("the listener is broken too")

    task = asyncio.create_task(keep_running("x", world.platform.run, world.clock, broken))
    await world.platform.started.wait()
    assert await world.fail(RuntimeError("down")) == 1
    task.cancel()
    await asyncio.wait([task])


async def test_waiting_within_a_time_ends_with_the_work_or_the_time() -> None:
    clock = ManualClock(datetime(2025, 10, 10, tzinfo=UTC))
    event = asyncio.Event()
    waiting = asyncio.create_task(within(clock, 5, event.wait()))
    await asyncio.sleep(0)
    event.set()
    await waiting

    late = asyncio.create_task(within(clock, 5, asyncio.Event().wait()))
    while not late.done():
        clock.advance(1)
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await late
