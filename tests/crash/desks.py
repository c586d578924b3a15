"""A desk on a state folder: everything durable is real, and knows what it promised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from storage import latch as latch_file
from tests.builders import skip_used
from tests.crash.photographs import (
    BOOK,
    HISTORY,
    INTENTS,
    LATCH,
    WAL,
    Camera,
    Disk,
    KnownJournal,
    KnownLatch,
    KnownStore,
)
from tests.fakes import Wish
from tests.world import QUICK, World, a_world, settled
from trading.clocks import ManualClock
from trading.model.exit_rules import ExitRules, PartialRule
from trading.risk.limits import Limits
from trading.types import ONE

PATIENT = replace(QUICK, answer=60.0, intent=60.0, stop=60.0, durable=60.0)
"""Nothing here is slow on purpose, so nothing may be given up because the machine is."""

LIMITS = Limits(max_position=Decimal("0.5"), symbol_rest=timedelta(0))
EXITS = ExitRules(
    trail_r=ONE, partials=(PartialRule(share=Decimal("0.5"), at_r=ONE),), break_even=True
)


@dataclass(frozen=True)
class Story:
    """What the market does, what the strategy wants, and what people do about it."""

    closes: tuple[float, ...]
    wishes: tuple[Wish, ...]
    tell: Callable[[World, Camera], Awaitable[None]]
    least: int
    """So many different photographs at least, or the test checks less than it says."""
    volume: float = 1e6
    cash: bool = False
    """The account sells only what it holds, and stops lock it."""


@dataclass
class Living:
    story: Story
    world: World
    disk: Disk
    camera: Camera


async def a_desk(folder: Path, story: Story, *, at: datetime, first_id: int = 1) -> Living:
    """A desk on *folder*, its halts taken over, not yet started."""
    clock = ManualClock(at)
    store = await KnownStore.open(folder / HISTORY, clock=clock)
    store.watch(folder / WAL)
    disk = Disk(
        folder=folder,
        store=store,
        book=KnownJournal(folder / BOOK),
        intents=KnownJournal(folder / INTENTS),
        latch=KnownLatch(folder / LATCH),
    )
    world = a_world(
        *story.closes,
        wishes=story.wishes,
        limits=LIMITS,
        exit_rules=EXITS,
        store=store,
        book=disk.book,
        journal=disk.intents,
        latch_file=disk.latch,
        volume=story.volume,
        timeouts=PATIENT,
        clock=clock,
        slippage="0.0005",
        commission="0.001",
        first_id=first_id,
        cash=story.cash,
    )
    await _take_over_halts(world, disk)
    return Living(story, world, disk, Camera(disk, clock.now))


async def _take_over_halts(world: World, disk: Disk) -> None:
    """As the process does at its start: halted if either place says so, or cannot be read."""
    kept = latch_file.read(disk.folder / LATCH)
    assert not kept.damaged
    for halt in (*kept.halts, *await disk.store.halts()):
        world.halter.take_over(halt)
    world.desk.latch.numbers.skip(kept.last_number)
    await skip_used(world.desk.latch, disk.store)


@asynccontextmanager
async def running(living: Living) -> AsyncIterator[World]:
    """Started, with its tasks; everything is let go of at the end."""
    try:
        async with living.world.running() as world:
            yield world
        await living.world.halter.settle()
    finally:
        await living.disk.close()


async def seconds(world: World, count: int) -> None:
    """Let what waits for the clock go on."""
    for _ in range(count):
        world.clock.advance(1)
        await settled()


async def quiet(world: World) -> None:
    """Let everything that is under way come to its end."""
    await settled()
    await world.recorder.settle()
    await world.halter.settle()
    await settled()


async def let_go(living: Living) -> None:
    """End what a story left behind.  Only once nothing of it is looked at any more."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await living.disk.close()
