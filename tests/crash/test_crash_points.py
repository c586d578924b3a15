"""Whatever await the process dies at, the desk that starts on its files has its books right."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.builders import BTC, NOON
from tests.crash import checks
from tests.crash.desks import Living, Story, a_desk, let_go, quiet, running, seconds
from tests.crash.photographs import (
    FILES,
    HISTORY,
    Camera,
    OneThread,
    Photograph,
    at_once,
    develop,
    tell,
)
from tests.world import World, settled, wish
from trading.model.halt import EVERYONE
from trading.types import ONE, Side

pytestmark = pytest.mark.slow

BY = "ben, Telegram"
SECOND_LIFE, THIRD_LIFE = 1_000_000, 2_000_000
"""Where the order ids of a desk that has come back begin: real ones are random."""


@pytest.fixture
def loop() -> Iterator[OneThread]:
    made = OneThread()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: nobody pulls a plug here, so nothing need reach a disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of this version without anything in it."""
    folder = tmp_path_factory.mktemp("empty")
    loop = OneThread()

    async def make() -> None:
        living = await a_desk(folder, ENTER, at=NOON)
        await living.disk.close()

    loop.run_until_complete(make())
    loop.close()
    return (folder / HISTORY).read_bytes()


# -- stories -----------------------------------------------------------------------------------


async def enter(world: World, camera: Camera) -> None:
    """In two parts, because the market is thin; the stop grows with it."""
    await world.minutes(4)


async def enter_and_leave_at_once(world: World, camera: Camera) -> None:
    """By hand, while the cycle that entered is not over: its signal is still there afterwards."""
    await world.minutes(1)
    world.clock.advance(60)
    cycle = asyncio.create_task(world.trader.cycle())
    while BTC not in world.trader.ledger.positions:
        await asyncio.sleep(0)
    await world.manual.close(BTC, share=ONE, by=BY)
    await cycle


async def pause(world: World, camera: Camera) -> None:
    halting = await world.desk.pause(EVERYONE, by=BY, why="")
    if halting.durable:
        camera.told.add(halting.halt.id)
    await world.minutes(3)


async def rest_and_stop(world: World, camera: Camera) -> None:
    await world.minutes(1)
    await world.rest_an_entry("90")
    await world.rest_an_entry("91")
    halting = await world.desk.stop(EVERYONE, by=BY, why="")
    if halting.durable:
        camera.told.add(halting.halt.id)
    await world.minutes(1)


async def close_by_hand(world: World, camera: Camera) -> None:
    await world.minutes(2)
    await world.manual.close(BTC, share=Decimal("0.5"), by=BY)
    await settled()
    await world.manual.close(BTC, share=ONE, by=BY)
    await settled()


async def stopped_out(world: World, camera: Camera) -> None:
    await world.minutes(4)


async def flatten(world: World, camera: Camera) -> None:
    """The market is thin: it takes another bar to be flat."""
    await world.minutes(2)
    await world.rest_an_entry("90")
    flattening = asyncio.create_task(world.desk.flatten(EVERYONE, by=BY, why=""))
    await seconds(world, 3)
    await world.minutes(2)
    if (await flattening).durable:
        camera.told.update(halt.id for halt in world.desk.latch.active)


async def carry_on(world: World, camera: Camera) -> None:
    """A partial exit, break-even, trailing, a reversal of the signal."""
    await world.minutes(6)


async def nothing_else(world: World, camera: Camera) -> None:
    """Only to start, and compare the books."""


STEADY = (100.0,) * 12
ENTER = Story(STEADY, (wish(2),), enter, least=20, volume=40)
STORIES = {
    "enter": ENTER,
    "leave": Story(STEADY, (wish(2),), enter_and_leave_at_once, least=20),
    "pause": Story(STEADY, (wish(2),), pause, least=10),
    "cancel": Story(STEADY, (), rest_and_stop, least=20),
    "hand exit": Story(STEADY, (wish(2),), close_by_hand, least=20),
    "stop exit": Story((100, 100, 100, 99, 94, *STEADY), (wish(2),), stopped_out, least=20),
    "flatten": Story(STEADY, (wish(2),), flatten, least=20, volume=80),
    "plan": Story(
        (100, 100, 100, 103, 106, 108, 107, *(104,) * 8),
        (wish(2), wish(6, side=Side.SELL, stop=109.0)),
        carry_on,
        least=40,
    ),
    "hand exit, cash": Story(STEADY, (wish(2),), close_by_hand, least=20, cash=True),
    "flatten, cash": Story(STEADY, (wish(2),), flatten, least=20, volume=80, cash=True),
}


# -- telling, dying, coming back ---------------------------------------------------------------


def told(living: Living, loop: OneThread) -> list[Photograph]:
    async def whole() -> None:
        async with living.world.running() as world:
            await quiet(world)
            await living.story.tell(world, living.camera)
            await quiet(world)

    tell(whole(), living.camera, loop)
    at_once(let_go(living), loop)
    return living.camera.taken


def remains_of(photographs: list[Photograph]) -> Iterator[Photograph]:
    """Each different state of the disk, and of what people know, once."""
    seen: set[object] = set()
    for photograph in photographs:
        for files in photograph.remains():
            key = (photograph.told, *(files[name] for name in FILES))
            if key not in seen:
                seen.add(key)
                yield replace(photograph, files=files)


async def come_back(folder: Path, photograph: Photograph, story: Story) -> None:
    living = await a_desk(folder, story, at=photograph.at, first_id=THIRD_LIFE)
    async with running(living) as world:
        await quiet(world)
        await checks.assert_books_are_right(living)
        await seconds(world, 2)
        checks.assert_halts_are_kept(living, photograph.told)
        await world.minutes(2)
        await quiet(world)
        await checks.assert_books_are_right(living)
        await checks.assert_halts_are_carried_out(world)
        checks.assert_entered_once(living, at_most=len(story.wishes))


def crash_everywhere(
    photographs: list[Photograph], story: Story, folder: Path, loop: OneThread
) -> int:
    """Start a desk on everything that a crash may have left.  Returns how often it crashed."""
    number = 0
    for number, left in enumerate(remains_of(photographs), start=1):
        at_once(come_back(develop(left.files, folder / f"{number}"), left, story), loop)
    return number


@pytest.mark.parametrize("name", STORIES)
def test_after_a_crash_at_any_await_the_books_are_right(
    name: str, place: Path, empty: bytes, loop: OneThread
) -> None:
    story = STORIES[name]
    living = at_once(a_desk(develop({HISTORY: empty}, place / "alive"), story, at=NOON), loop)

    photographs = told(living, loop)
    crashes = crash_everywhere(photographs, story, place, loop)

    print(f"{name}: {len(photographs)} of {living.camera.awaits} awaits differ, {crashes} crashes")  # noqa: T201  # shown with -s: how much was looked at
    assert len(photographs) >= story.least
    assert crashes >= len(photographs) // 2


@pytest.mark.parametrize("name", ["enter", "flatten"])
def test_a_crash_while_the_books_are_compared_changes_nothing(
    name: str, place: Path, empty: bytes, loop: OneThread
) -> None:
    """Die, come back, die at any await of coming back, and come back again."""
    story = STORIES[name]
    first = at_once(a_desk(develop({HISTORY: empty}, place / "alive"), story, at=NOON), loop)
    before = [p for p in remains_of(told(first, loop)) if checks.is_in_doubt(p)]
    awaits = crashes = 0
    for number, left in enumerate(before[:: max(1, len(before) // 3)]):
        again = place / f"second-{number}"
        folder = develop(left.files, again / "alive")
        coming = replace(story, tell=nothing_else)
        second = at_once(a_desk(folder, coming, at=left.at, first_id=SECOND_LIFE), loop)
        second.camera.told |= left.told
        crashes += crash_everywhere(told(second, loop), story, again, loop)
        awaits += second.camera.awaits

    print(f"{name}: {len(before)} in doubt, {awaits} awaits, {crashes} second crashes")  # noqa: T201  # as above
    assert crashes >= 10


@pytest.mark.parametrize("name", ["enter", "stop exit", "hand exit, cash"])
def test_no_crash_leaves_a_fill_without_the_stop_that_it_asks_for(
    name: str, place: Path, empty: bytes, loop: OneThread
) -> None:
    story = STORIES[name]
    living = at_once(a_desk(develop({HISTORY: empty}, place / "alive"), story, at=NOON), loop)

    held = 0
    for number, left in enumerate(remains_of(told(living, loop))):
        folder = develop(left.files, place / f"{number}")
        with closing(sqlite3.connect(folder / HISTORY)) as history:
            (fills,) = history.execute("SELECT count(*) FROM fills").fetchone()
            (stops,) = history.execute(
                "SELECT count(*) FROM orders WHERE role = 'protect' AND type = 'stop'"
            ).fetchone()
        held += bool(fills)
        assert stops or not fills
    assert held
