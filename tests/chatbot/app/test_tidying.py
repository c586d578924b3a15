"""History is tidied once a day, however often the desk starts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chatbot.app.tidying import TIDIED_AT, Tidying, is_due
from chatbot.watch.metrics import Metrics
from storage.memory import MemoryStore
from tests.builders import NOON, a_word
from trading.clocks import ManualClock
from trading.ports import Change

DAY = timedelta(days=1)
LONG_AGO = NOON - 400 * DAY


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(clock=self.clock)
        self.metrics = Metrics()
        self.tidying = Tidying(store=self.store, clock=self.clock, metrics=self.metrics)

    async def look(self) -> bool:
        """Look, with something old to be found; return whether it went."""
        await self.store.commit(Change(audit=(a_word(id="old", at=LONG_AGO),)))
        await self.tidying.look()
        return await self.store.audited("old") is None


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_look_tidies_and_the_next_one_a_day_later(world: World) -> None:
    assert await world.look()
    assert not await world.look()
    world.clock.advance(DAY.total_seconds() - 1)
    assert not await world.look()
    world.clock.advance(1)
    assert await world.look()


async def test_what_fails_is_tried_again_at_the_next_look(world: World) -> None:
    world.store.refuse("the disk is full")
    await world.tidying.look()
    assert await world.store.note(TIDIED_AT) is None

    world.store.accept()
    assert await world.look()


async def test_the_size_is_told_at_each_look(world: World) -> None:
    await world.tidying.look()
    assert world.metrics.summary(NOON)["gauges"] == {"history_bytes": 0.0}


@pytest.mark.parametrize(
    ("tidied_at", "due"),
    [
        (None, True),
        ("", True),
        (NOON.isoformat(), False),
        ((NOON - DAY).isoformat(), True),
        ((NOON + 400 * DAY).isoformat(), True),
    ],
)
def test_a_clock_that_was_set_back_does_not_put_it_off(tidied_at: str | None, due: bool) -> None:
    assert is_due(tidied_at, NOON) is due
