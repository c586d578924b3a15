"""What history does not take waits in its order; what it never takes holds back nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.store import SqlStore
from tests.builders import NOON, an_order
from trading.accounts.recorder import POISONED, Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.events import Event, FactRefused, HistoryFailed, HistoryRecovered
from trading.ports import Alert, Change, WritePriority

pytestmark = pytest.mark.real_time  # its history answers from a thread

TOO_LARGE = 2**70
"""No database takes it as a number."""


class Desk:
    """A recorder on a real database; `said` are the events that were announced."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.said: list[Event] = []
        self.store = store
        self.clock = clock

        def announce(event: Event) -> list[Alert]:
            self.said.append(event)
            return []

        self.recorder = Recorder(
            store=store, bus=Bus(), clock=clock, announce=announce, offer=lambda alerts: None
        )

    async def keep(self, name: str, version: int = 1) -> bool:
        order = an_order(id=name, version=version)
        return await self.recorder.keep(Change(orders=(order,)), WritePriority.FILL)

    async def has(self, name: str) -> bool:
        return await self.store.order(name) is not None

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.said if type(event) is kind]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = ManualClock(NOON)
    store = await SqlStore.open(tmp_path / "history.db", clock=clock)
    yield Desk(store, clock)
    await store.close()


async def test_a_change_that_is_never_taken_waits_alone(desk: Desk) -> None:
    assert not await desk.keep("bad", TOO_LARGE)
    assert not await desk.keep("good"), "it may rest on what was before"

    for _ in range(POISONED):
        await desk.recorder.retry()

    assert await desk.has("good")
    assert not await desk.has("bad")
    assert desk.recorder.unsaved == 1, "it stays announced"
    (refused,) = desk.heard(FactRefused)
    assert isinstance(refused, FactRefused)
    assert refused.what == "1 order"
    assert [e.left for e in desk.said if isinstance(e, HistoryRecovered)] == [1]
    await desk.recorder.record(Change(orders=(an_order(id="entry"),)), WritePriority.ENTRY)
    assert await desk.has("entry"), "entries are taken again"


async def test_it_is_told_once_however_often_it_is_tried(desk: Desk) -> None:
    await desk.keep("bad", TOO_LARGE)
    for _ in range(10):
        await desk.recorder.retry()
        desk.clock.advance(61)

    assert len(desk.heard(FactRefused)) == 1
    assert len(desk.heard(HistoryFailed)) == 1


async def test_two_that_are_never_taken_wait_beside_each_other(desk: Desk) -> None:
    for name, version in (("bad", TOO_LARGE), ("good", 1), ("worse", TOO_LARGE), ("last", 1)):
        await desk.keep(name, version)
    for _ in range(2 * POISONED):
        await desk.recorder.retry()

    assert await desk.has("good")
    assert await desk.has("last")
    assert desk.recorder.unsaved == 2
    assert len(desk.heard(FactRefused)) == 2


async def test_while_nothing_is_taken_nothing_is_set_aside(tmp_path: Path) -> None:
    """An outage is no fault of the change that met it first; all come back in their order."""
    clock = ManualClock(NOON)
    store = await SqlStore.open(tmp_path / "history.db", clock=clock)
    desk = Desk(store, clock)
    await store.close()
    await desk.keep("first")
    await desk.keep("second")
    for _ in range(3 * POISONED):
        await desk.recorder.retry()

    assert desk.recorder.unsaved == 2
    assert desk.heard(FactRefused) == []
    with pytest.raises(StoreError):
        await desk.recorder.record(Change(), WritePriority.ENTRY)


async def test_whoever_stops_waiting_for_a_fact_stops_nothing(desk: Desk) -> None:
    for name, version in (("qd-fine", 1), ("qd-never", TOO_LARGE)):
        order = an_order(id=name, version=version)
        keeping = desk.recorder.keep_soon(Change(orders=(order,)), WritePriority.FILL)
        keeping.cancel()
    await desk.recorder.settle()

    assert await desk.has("qd-fine")
    assert not await desk.has("qd-never")
    assert desk.recorder.unsaved == 1, "it is tried again"


async def test_what_history_refuses_at_once_is_held_as_well(desk: Desk) -> None:
    await desk.store.close()
    keeping = desk.recorder.keep_soon(Change(orders=(an_order(id="qd-1"),)), WritePriority.FILL)

    assert await keeping is False
    assert desk.recorder.unsaved == 1
    assert desk.heard(HistoryFailed)
