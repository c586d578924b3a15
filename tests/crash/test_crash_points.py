"""Whatever await the process dies at, the desk that starts on its files finds its books right."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from storage import latch as latch_file
from storage.store import SqlStore
from tests.builders import BTC, NOON
from tests.crash.photographs import (
    BOOK,
    FILES,
    HISTORY,
    INTENTS,
    LATCH,
    Camera,
    Disk,
    KnownJournal,
    KnownLatch,
    KnownStore,
    OneThread,
    Photograph,
    at_once,
    develop,
    tell,
)
from tests.world import QUICK, World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.events import Unprotected
from trading.execution.exit_rules import ExitRules, PartialRule
from trading.halt import EVERYONE, Latch, Stage, Verb
from trading.risk.limits import Limits
from trading.types import ONE, ZERO, OrderRole, OrderStatus, Position, Symbol

BY = "ben, Telegram"
PATIENT = replace(QUICK, answer=60.0, intent=60.0, stop=60.0, durable=60.0)
"""Nothing here is slow on purpose, so nothing may be given up because the machine is."""

LIMITS = Limits(max_position=Decimal("0.5"), symbol_rest=Limits().symbol_rest * 0)
EXITS = ExitRules(
    trail_r=ONE, partials=(PartialRule(share=Decimal("0.5"), at_r=ONE),), break_even=True
)
LITTLE_VOLUME = 40.0
"""Of which a bar gives us a tenth: an entry of six takes two bars."""


# -- the desk, alive and raised from the dead --------------------------------------------------


@dataclass
class Stage_:
    """One desk on one folder."""

    world: World
    disk: Disk
    camera: Camera


@dataclass(frozen=True)
class Story:
    """What the market does, what the strategy wants, and what people do about it."""

    closes: tuple[float, ...]
    tell: Callable[[World, Camera], Awaitable[None]]
    wishes: tuple[int, ...] = (2,)
    short: tuple[int, ...] = ()
    volume: float = 1e6
    least: int = 10
    """Different photographs there must be, or the test checks less than it says."""


async def a_desk(folder: Path, story: Story, clock: ManualClock, *, first_id: int = 1) -> Stage_:
    store = await KnownStore.open(folder / HISTORY, clock=clock)
    store.folder = folder
    disk = Disk(
        folder=folder,
        store=store,
        book=KnownJournal(folder / BOOK),
        intents=KnownJournal(folder / INTENTS),
        latch=KnownLatch(folder / LATCH),
    )
    world = a_world(
        *story.closes,
        wishes=[wish(minute) for minute in story.wishes],
        limits=LIMITS,
        exit_rules=EXITS,
        store=store,
        book=disk.book,
        journal=disk.intents,
        latch_file=disk.latch,
        volume=story.volume,
        patience=PATIENT,
        clock=clock,
        slippage="0.0005",
        commission="0.001",
        first_id=first_id,
    )
    return Stage_(world, disk, Camera(disk, clock.now))
