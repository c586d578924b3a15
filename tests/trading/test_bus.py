from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.builders import NOON, after
from trading.bus import Bus
from trading.events import Event

FIRST, SECOND = Event(at=NOON), Event(at=after(seconds=1))


class Ear:
    """A listener that remembers; it fails, or waits, where it is told to."""

    def __init__(self, *, until: int = 1, fails: bool = False, waits: bool = False) -> None:
        self.heard: list[Event] = []
        self.all_heard = asyncio.Event()
        self.gate = asyncio.Event()
        self._until = until
        self._fails = fails
        if not waits:
            self.gate.set()

    async def __call__(self, event: Event) -> None:
        self.heard.append(event)
        if len(self.heard) >= self._until:
            self.all_heard.set()
        await self.gate.wait()
        if self._fails:
            raise RuntimeError("this ear hurts")


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator[None]:
    task = asyncio.create_task(bus.run())
    yield
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_everyone_hears_everything_in_order() -> None:
    bus, ears = Bus(), [Ear(until=2), Ear(until=2)]
    for ear in ears:
        bus.subscribe(ear)
    async with running(bus):
        bus.publish(FIRST)
        bus.publish(SECOND)
        for ear in ears:
            await ear.all_heard.wait()
    assert [ear.heard for ear in ears] == [[FIRST, SECOND], [FIRST, SECOND]]


async def test_a_listener_that_fails_hears_the_next_event_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus, touchy = Bus(), Ear(until=2, fails=True)
    bus.subscribe(touchy)
    async with running(bus):
        bus.publish(FIRST)
        bus.publish(SECOND)
        await touchy.all_heard.wait()
    assert touchy.heard == [FIRST, SECOND]
    assert "a listener failed on Event" in caplog.text
    assert "this ear hurts" in caplog.text


async def test_a_listener_that_fails_takes_nobody_along() -> None:
    bus, touchy, sound = Bus(), Ear(fails=True), Ear(until=2)
    bus.subscribe(touchy)
    bus.subscribe(sound)
    async with running(bus):
        bus.publish(FIRST)
        bus.publish(SECOND)
        await sound.all_heard.wait()
    assert sound.heard == [FIRST, SECOND]


async def test_a_slow_listener_delays_neither_the_publisher_nor_the_others() -> None:
    bus, slow, quick = Bus(), Ear(waits=True), Ear(until=2)
    bus.subscribe(slow)
    bus.subscribe(quick)
    async with running(bus):
        bus.publish(FIRST)
        await slow.all_heard.wait()
        bus.publish(SECOND)
        await quick.all_heard.wait()
        assert slow.heard == [FIRST]
        slow.gate.set()
        slow.all_heard.clear()
        await slow.all_heard.wait()
    assert slow.heard == [FIRST, SECOND]


async def test_what_is_published_before_it_runs_is_heard_then() -> None:
    bus, ear = Bus(), Ear()
    bus.subscribe(ear)
    bus.publish(FIRST)
    async with running(bus):
        await ear.all_heard.wait()
    assert ear.heard == [FIRST]


def test_publishing_to_nobody_is_no_error() -> None:
    Bus().publish(FIRST)
