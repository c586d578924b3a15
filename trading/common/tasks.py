"""Work that goes on beside other work, and how long anybody waits for it.

Time is the injected clock's, as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from trading.clocks import Clock

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, None]]
"""Goes on until it is cancelled."""


class EndedEarly(Exception):
    """It came to an end that nobody asked for."""


class Tasks(set[asyncio.Task[Any]]):
    """Work under way, kept from the garbage; what is done leaves."""

    def start(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.add(task)
        task.add_done_callback(self.discard)
        return task


async def together(*works: Work) -> None:
    """Run all of them, until cancelled; when one fails the others end, and it is raised."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of *work*, in at most *seconds*; else cancel it and raise `TimeoutError`.

    Does not wait for the cancelled work to end: it may be what hangs.
    """
    task = asyncio.ensure_future(work)
    try:
        if not await ended_within(clock, seconds, task):
            raise TimeoutError
        if task.cancelled():
            raise EndedEarly("it cancelled itself")
        return task.result()
    finally:
        task.cancel()
        task.add_done_callback(look_at)


async def turns(most: int, until: Callable[[], bool] = lambda: False) -> None:
    """Let all else that is ready go first, for so many turns of the loop; less if *until* is true.

    No clock is asked: who is about to be done in a few turns is waited for without a timer.
    """
    for _ in range(most):
        if until():
            return
        await asyncio.sleep(0)


async def ended_within(clock: Clock, seconds: float, task: asyncio.Future[Any]) -> bool:
    """Wait for *task*, at most so long; whether it has ended.  If not, it goes on."""
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return task.done()


async def set_within(clock: Clock, seconds: float, *events: asyncio.Event) -> bool:
    """Wait until one of *events* is set, at most so long; whether one is."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({*waits, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in (*waits, timer):
            wait.cancel()
    return any(event.is_set() for event in events)


def look_at(task: asyncio.Future[Any]) -> None:
    """So that nobody complains later of how it ended."""
    if not task.cancelled():
        task.exception()
