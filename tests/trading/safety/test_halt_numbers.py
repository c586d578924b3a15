"""Engaging takes its number from memory, and what reserves more of them never holds it up."""

from __future__ import annotations

from storage.memory import MemoryStore
from tests.builders import NOON
from tests.fakes import MemoryLatch
from tests.world import World, a_world
from trading.clocks import ManualClock
from trading.model.halt import EVERYONE, Halt, Latch, Verb
from trading.model.halt_numbers import BLOCK, HaltNumbers
from trading.safety.halting import Halter
from trading.types import Mode


def a_halter(world: World, store: MemoryStore) -> Halter:
    return Halter(
        latch=Latch(numbers=HaltNumbers(tag="KQZ")),
        recorder=world.recorder,
        latch_file=MemoryLatch(),
        clock=world.clock,
        modes={"majors": Mode.PAPER},
        reserve=lambda after: store.halt_numbers("desk", after=after),
    )


def engage(halter: Halter) -> Halt:
    return halter.engage(scope=EVERYONE, verb=Verb.STOP, by="ben, Telegram", why="")


async def test_the_first_halt_has_a_number_and_so_has_every_other() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        halter = a_halter(world, store)
        await halter.reserve_numbers()

        for number in range(1, 3 * BLOCK):
            assert engage(halter).id == f"H{number}"
            await halter.settle()


async def test_while_history_is_away_letters_name_a_halt_and_numbers_once_it_is_back() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        halter = a_halter(world, store)
        store.refuse("the disk is full")
        await halter.reserve_numbers()

        first = engage(halter)
        assert first.id == "HKQZ-1"
        assert await halter.durable(first, within=5), "the latch file has it"

        store.accept()
        engage(halter)  # and with it, more are asked for
        await halter.settle()
        assert engage(halter).id == "H1"
