"""Strangers are told once, never answered; nothing but a number is kept of them."""

from __future__ import annotations

import asyncio
import json

import pytest

from chatbot.delivery.unauthorized import REMEMBERED, Unauthorized
from storage.memory import MemoryStore
from tests.builders import NOON
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.events import Event, StrangerSeen
from trading.ports import Alert


class FakeNotes:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.broken = False

    async def note(self, name: str) -> str | None:
        if self.broken:
            raise StoreError("disk full")
        return self.kept.get(name)

    async def keep(self, name: str, value: str) -> None:
        if self.broken:
            raise StoreError("disk full")
        self.kept[name] = value


class World:
    """What is told of strangers, over restarts."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.notes = FakeNotes()
        self.said: list[Event] = []
        self.restart()

    def restart(self) -> None:
        def announce(event: Event) -> list[Alert]:
            self.said.append(event)
            return []

        recorder = Recorder(
            store=MemoryStore(clock=self.clock),
            bus=Bus(),
            clock=self.clock,
            announce=announce,
            offer=lambda alerts: None,
        )
        self.foreign_orders = Unauthorized(recorder=recorder, notes=self.notes, clock=self.clock)

    @property
    def told(self) -> list[str]:
        return [event.who for event in self.said if isinstance(event, StrangerSeen)]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_stranger_is_told_once(world: World) -> None:
    for _ in range(3):
        await world.foreign_orders.seen("Telegram", "99817")

    assert world.said == [StrangerSeen(at=NOON, who="99817", where="Telegram")]


async def test_many_words_at_once_are_told_once(world: World) -> None:
    await asyncio.gather(*(world.foreign_orders.seen("Telegram", "99817") for _ in range(20)))

    assert world.told == ["99817"]


async def test_a_stranger_is_remembered_over_a_restart(world: World) -> None:
    await world.foreign_orders.seen("Telegram", "99817")
    world.restart()
    await world.foreign_orders.seen("Telegram", "99817")
    await world.foreign_orders.seen("Discord", "99817")

    assert world.told == ["99817", "99817"]
    assert world.notes.kept == {"strangers": '["Telegram:99817", "Discord:99817"]'}


async def test_a_crowd_is_ten_alerts_and_log_lines(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 26):
        await world.foreign_orders.seen("Telegram", str(number))

    assert world.told == [str(number) for number in range(1, 11)]
    assert caplog.text.count("another stranger tried") == 15
    world.clock.advance(3_600)
    await world.foreign_orders.seen("Telegram", "25")
    await world.foreign_orders.seen("Telegram", "26")
    assert world.told[10:] == ["26"]


async def test_no_more_than_a_thousand_are_remembered(world: World) -> None:
    older = [f"Telegram:{number}" for number in range(1, REMEMBERED + 1)]
    world.notes.kept["strangers"] = json.dumps(older)

    await world.foreign_orders.seen("Telegram", "5000")

    kept = json.loads(world.notes.kept["strangers"])
    assert (len(kept), kept[0], kept[-1]) == (REMEMBERED, "Telegram:2", "Telegram:5000")


async def test_a_history_that_fails_neither_repeats_nor_forgets(world: World) -> None:
    world.notes.kept["strangers"] = '["Telegram:1"]'
    world.notes.broken = True
    for _ in range(2):
        await world.foreign_orders.seen("Telegram", "99817")
    world.notes.broken = False
    await world.foreign_orders.seen("Telegram", "2")

    assert world.told == ["99817", "2"]
    assert set(json.loads(world.notes.kept["strangers"])) == {
        "Telegram:1",
        "Telegram:99817",
        "Telegram:2",
    }


@pytest.mark.parametrize("name", ["", "@eve", "buy now", "9" * 40, "12\n34"])
async def test_names_and_words_are_never_told(world: World, name: str) -> None:
    await world.foreign_orders.seen("Telegram", name)

    assert world.said == []
    assert world.notes.kept == {}
