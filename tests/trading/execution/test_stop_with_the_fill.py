"""A fill, the stop that it asks for and what people are told are one change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from handlers import alerts
from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, NOON, a_fill, a_plan
from tests.waiting import until
from tests.world import QUICK, World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.events import PositionOpened, Protected, Unprotected
from trading.ports import Change, WritePriority
from trading.types import Order, OrderReport, OrderRole, OrderStatus, Side

D = Decimal
IMPATIENT = replace(QUICK, intent=0.01)


class RememberingStore(MemoryStore):
    """Remembers each change, and takes none with a fill while its gate is shut."""

    def __init__(self) -> None:
        super().__init__(clock=ManualClock(NOON))
        self.changes: list[Change] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        self.changes.append(change)
        if change.fills:
            await self.gate.wait()
        await super().commit(change, priority)

    def with_fills(self) -> Iterator[Change]:
        return (change for change in self.changes if change.fills)


def stops(orders: tuple[Order, ...]) -> list[tuple[OrderStatus, Decimal]]:
    return [(o.status, o.quantity) for o in orders if o.role is OrderRole.PROTECT]


def placed_stops(world: World) -> list[Decimal]:
    return [o.quantity for o in world.venue.placed if o.role is OrderRole.PROTECT]


async def an_entry(world: World) -> Order:
    """Of six, below the market: nothing of it is filled."""
    order = world.trader.orders.prepare(
        symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(6), price=D(99), plan=a_plan()
    )
    return await world.trader.orders.enter(order, world.desk.latch.permit("majors"))


def told(order: Order, quantity: str, *, number: int) -> OrderReport:
    """What the venue's stream tells of a fill, before anybody asks."""
    fill = a_fill(
        id=f"f{number}", order_id=order.id, side=order.side, quantity=D(quantity), price=D(99)
    )
    return OrderReport(order_id=order.id, status=OrderStatus.OPEN, fills=(fill,))


async def test_the_stop_of_a_fill_is_written_and_told_with_it() -> None:
    store = RememberingStore()
    async with a_world(wishes=[wish(2)], store=store).running() as world:
        await world.minutes(2)

        (change,) = store.with_fills()
        assert [f.quantity for f in change.fills] == [D(6)]
        assert stops(change.orders) == [(OrderStatus.INTENT, D(6))]
        (opened,) = world.heard(PositionOpened)
        reply = alerts.describe(opened)
        assert reply is not None
        assert "Stop 95.0, being placed, risks 30.00." in reply.text
        assert placed_stops(world) == [D(6)], "sent once"
        assert world.trader.protection.confirmed(BTC)
        assert not world.heard(Unprotected)
        assert not world.heard(Protected)


async def test_a_stop_leaves_after_a_moment_though_history_has_not_taken_its_fill() -> None:
    store = RememberingStore()
    journal = MemoryJournal()
    async with a_world(
        wishes=[wish(2)], store=store, journal=journal, timeouts=IMPATIENT
    ).running() as world:
        await world.minutes(1)
        store.gate.clear()
        world.clock.advance(60)
        cycle = asyncio.create_task(world.trader.cycle())
        await until(lambda: placed_stops(world))

        (stop,) = world.trader.ledger.alive_of(OrderRole.PROTECT, BTC)
        await settled()
        assert [record["id"] for record in await journal.records()] == [stop.id]
        store.gate.set()
        await cycle
        assert placed_stops(world) == [D(6)]


async def test_a_cycle_that_breaks_off_takes_neither_the_fill_nor_its_stop_with_it() -> None:
    store = RememberingStore()
    journal = MemoryJournal()
    async with a_world(
        wishes=[wish(2)], store=store, journal=journal, timeouts=IMPATIENT
    ).running() as world:
        await world.minutes(1)
        store.gate.clear()
        world.clock.advance(60)
        cycle = asyncio.create_task(world.trader.cycle())
        await until(lambda: any(store.with_fills()))
        cycle.cancel()
        await asyncio.gather(cycle, return_exceptions=True)

        await until(lambda: placed_stops(world))
        assert await journal.records(), "nobody here knows that history will have it"
        assert await store.fills("majors") == ()
        store.gate.set()
        await world.recorder.settle()
        assert [f.quantity for f in await store.fills("majors")] == [D(6)]
        assert placed_stops(world) == [D(6)]
        assert world.recorder.unsaved == 0


async def test_a_stop_that_the_next_fill_makes_stale_never_leaves_and_is_ended_in_that_change() -> (
    None
):
    store = RememberingStore()
    async with a_world(store=store).running() as world:
        entry = await an_entry(world)
        world.trader.orders.outcomes.hear(told(entry, "4", number=1))
        world.trader.orders.outcomes.hear(told(entry, "2", number=2))
        await settled()

        first, second = store.with_fills()
        assert stops(first.orders) == [(OrderStatus.INTENT, D(4))]
        assert stops(second.orders) == [(OrderStatus.NOT_SENT, D(4)), (OrderStatus.INTENT, D(6))]
        known = tuple(world.trader.ledger.orders.values())
        # This venue has none of these fills, and refuses what was sent.
        assert stops(known)[:2] == [(OrderStatus.NOT_SENT, D(4)), (OrderStatus.REJECTED, D(6))]


async def test_a_stop_that_has_not_left_is_taken_back_when_nothing_is_open_any_more() -> None:
    store = RememberingStore()
    async with a_world(store=store).running() as world:
        entry = await an_entry(world)
        world.trader.orders.outcomes.hear(told(entry, "6", number=1))
        exit_order = world.trader.orders.prepare(
            symbol=BTC, side=entry.side.opposite, role=OrderRole.EXIT, quantity=D(6), reason="hand"
        )
        world.trader.orders.outcomes.hear(told(exit_order, "6", number=2))
        await settled()

        assert not world.trader.ledger.positions
        assert not world.trader.ledger.alive_of(OrderRole.PROTECT)
        assert placed_stops(world) == []


async def test_a_stop_that_waits_for_its_turn_is_not_taken_for_lost_however_long_it_takes() -> None:
    async with a_world(store=RememberingStore()).running() as world:
        entry = await an_entry(world)
        world.trader.orders.outcomes.hear(told(entry, "6", number=1))
        async with world.trader.protection.held(BTC):
            world.clock.advance(60)
            assert not world.trader.orders.in_doubt()
            await settled()
        await settled()

        known = tuple(world.trader.ledger.orders.values())
        # Sent: this venue has no such position, and refuses it.
        assert stops(known)[:1] == [(OrderStatus.REJECTED, D(6))]
