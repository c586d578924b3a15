"""Whatever await the process dies at, the desk that starts on its files has its books right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders import BTC, NOON
from tests.crash import checks
from tests.crash.desks import Living, Story, a_desk, let_go, quiet, running, seconds
from tests.crash.photographs import (
    HISTORY,
    Camera,
    OneThread,
    Photograph,
    at_once,
    develop,
    tell,
)
from tests.world import World, settled, wish
from trading.halt import EVERYONE
from trading.types import ONE, Side

pytestmark = pytest.mark.slow

BY = "ben, Telegram"


@pytest.fixture
def loop() -> Iterator[OneThread]:
    made = OneThread()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of this version without anything in it."""
    folder = tmp_path_factory.mktemp("empty")
    loop = OneThread()

    async def make() -> None:
        living = await a_desk(folder, ENTER, at=NOON)
        await living.disk.close()

    loop.run_until_complete(make())
    loop.close()
    return folder / HISTORY


# -- stories -----------------------------------------------------------------------------------


async def enter(world: World, camera: Camera) -> None:
    """In two parts, because the market is thin; the stop grows with it."""
    await world.minutes(4)


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
    await world.trader.close(BTC, share=Decimal("0.5"), by=BY)
    await settled()
    await world.trader.close(BTC, share=ONE, by=BY)
    await settled()


async def stopped_out(world: World, camera: Camera) -> None:
    await world.minutes(4)


async def flatten(world: World, camera: Camera) -> None:
    await world.minutes(2)
    await world.rest_an_entry("90")
    halting = await world.desk.flatten(EVERYONE, by=BY, why="")
    if halting.durable:
        camera.told.add(halting.halt.id)
    await seconds(world, 3)


async def carry_on(world: World, camera: Camera) -> None:
    """A partial exit, break-even, trailing, a reversal of the signal."""
    await world.minutes(6)


STEADY = (100.0,) * 12
ENTER = Story(STEADY, (wish(2),), enter, least=20, volume=40)
STORIES = {
    "enter": ENTER,
    "cancel": Story(STEADY, (), rest_and_stop, least=20),
    "hand exit": Story(STEADY, (wish(2),), close_by_hand, least=20),
    "stop exit": Story((100, 100, 100, 99, 94, *STEADY), (wish(2),), stopped_out, least=20),
    "flatten": Story(STEADY, (wish(2),), flatten, least=20, volume=80),
    "plan": Story(
        (100, 100, 100, 103, 106, 108, 107, *(104,) * 8),
        (wish(2), wish(6, side=Side.SELL, stop=109.0)),
        carry_on,
        least=20,
    ),
}


# -- telling, dying, coming back ---------------------------------------------------------------


def told(story: Story, living: Living, loop: OneThread) -> list[Photograph]:
    async def whole() -> None:
        async with living.world.running() as world:
            await quiet(world)
            await story.tell(world, living.camera)
            await quiet(world)

    tell(whole(), living.camera, loop)
    at_once(let_go(living), loop)
    return living.camera.taken


def remains_of(photographs: list[Photograph]) -> Iterator[tuple[Photograph, dict[str, bytes]]]:
    """Each different state of the disk once."""
    seen: set[frozenset[tuple[str, bytes]]] = set()
    for photograph in photographs:
        for files in photograph.remains():
            key = frozenset(files.items())
            if key not in seen:
                seen.add(key)
                yield photograph, files


async def come_back(folder: Path, photograph: Photograph, story: Story) -> None:
    living = await a_desk(folder, story, at=photograph.at, first_id=1_000_000)
    async with running(living) as world:
        await quiet(world)
        await checks.assert_books_are_right(living)
        await seconds(world, 2)
        await checks.assert_halts_are_kept(living, photograph.told)
        await world.minutes(2)
        await quiet(world)
        await checks.assert_books_are_right(living)
        checks.assert_entered_once(living, at_most=len(story.wishes))


@pytest.mark.parametrize("name", STORIES)
def test_after_a_crash_at_any_await_the_books_are_right(
    name: str, tmp_path: Path, empty: Path, loop: OneThread
) -> None:
    story = STORIES[name]
    alive = tmp_path / "alive"
    alive.mkdir()
    shutil.copy(empty, alive / HISTORY)
    living = at_once(a_desk(alive, story, at=NOON), loop)
    photographs = told(story, living, loop)

    count = 0
    for count, (photograph, files) in enumerate(remains_of(photographs), start=1):
        folder = develop(files, tmp_path / f"crash-{count}")
        at_once(come_back(folder, photograph, story), loop)
    print(f"{name}: {living.camera.awaits} awaits, {len(photographs)} photographs, {count} crashes")
    assert len(photographs) >= story.least
