"""The life of an order, as the venue and the disk behave and misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, ETH, NOON, a_fill, a_report
from tests.waiting import until
from tests.world import QUICK, World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.errors import StoreError, VenueUncertain
from trading.events import (
    Event,
    OrderRefused,
    OrderResolved,
    OrderUnknown,
    PositionClosed,
    PositionOpened,
    PositionReduced,
    ReductionLate,
    ReductionUnsaved,
)
from trading.execution.intents import TOLD_EVERY
from trading.ports import Change, WritePriority
from trading.risk.limits import Limits
from trading.types import (
    ONE,
    ZERO,
    Decision,
    ExitReason,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
)

D = Decimal
HASTY = replace(QUICK, answer=0.01, intent=0.01, unsaved=0.02)
SLOW_DISK = replace(HASTY, answer=QUICK.answer)
BY = "ben, Telegram"


class SlowStore(MemoryStore):
    """Takes nothing until its gate is open."""

    def __init__(self) -> None:
        super().__init__(clock=ManualClock(NOON))
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        await super().commit(change, priority)


async def enter(world: World) -> Order:
    """One BTC at market."""
    order = world.trader.orders.prepare(
        symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(1)
    )
    return await world.trader.orders.enter(order, world.desk.latch.permit("majors"))


async def reduce_by_hand(world: World, quantity: str = "1") -> Order:
    order = world.trader.orders.prepare(
        symbol=BTC,
        side=Side.SELL,
        role=OrderRole.EXIT,
        quantity=D(quantity),
        reason=ExitReason.HAND.value,
        by=BY,
    )
    return await world.trader.orders.reduce(order)


# -- entries -----------------------------------------------------------------------------------


async def test_an_entry_is_written_down_before_it_leaves() -> None:
    store = SlowStore()
    async with a_world(store=store).running() as world:
        await settled()
        store.gate.clear()
        entering = asyncio.create_task(enter(world))
        await settled()
        assert world.venue.placed == []

        store.gate.set()

        assert (await entering).status is OrderStatus.FILLED
        assert len(world.venue.placed) == 1


async def test_an_entry_is_withheld_when_history_does_not_take_it() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        store.refuse("the disk is full")

        order = await enter(world)

        assert (order.status, order.note) == (
            OrderStatus.NOT_SENT,
            "not written down: the disk is full",
        )
        assert world.venue.placed == []
        assert world.trader.valuer.exposure() == ZERO


async def test_a_halt_while_the_intent_is_written_withholds_the_entry() -> None:
    store = SlowStore()
    async with a_world(store=store).running() as world:
        await settled()
        store.gate.clear()
        entering = asyncio.create_task(enter(world))
        await settled()

        pausing = asyncio.create_task(world.desk.pause("all", by=BY, why=""))
        await settled()
        store.gate.set()

        assert ((await entering).status, (await entering).note) == (OrderStatus.NOT_SENT, "halted")
        assert (await pausing).durable
        assert world.venue.placed == []


async def the_decision(world: World) -> Decision:
    """Of the wish that was approved; its order is in history with it."""
    (order,) = await world.store.orders("majors", limit=9)
    (decision,) = await world.store.decisions("majors", BTC, limit=9)
    assert (decision.approved, decision.order_id) == (True, order.id)
    return decision


async def test_an_entry_that_a_halt_caught_before_it_was_written_keeps_its_decision() -> None:
    """The refusals of its bar are written first: a halt that comes then must not lose the answer.

    Killed after that, the next process would not know that the wish was answered.
    """
    store, limits = SlowStore(), Limits(max_position=D("0.5"), max_positions=1)
    wishes = [wish(2, confidence=70.0), wish(2, symbol=ETH)]
    world = a_world(store=store, wishes=wishes, symbols=(BTC, ETH), limits=limits)
    async with world.running():
        await world.minutes(1)
        world.clock.advance(60)
        store.gate.clear()
        cycle = asyncio.create_task(world.trader.cycle())
        await settled()
        assert store.waiting == 1, "the refusal of ETH"
        pausing = asyncio.create_task(world.desk.pause("all", by=BY, why=""))
        await settled()
        store.gate.set()
        await asyncio.gather(cycle, pausing)
        await settled()
        (order,) = await store.orders("majors", limit=9)
        assert (order.status, order.note) == (OrderStatus.NOT_SENT, "halted")
        assert world.venue.placed == []
        await the_decision(world)


async def test_an_entry_that_history_did_not_take_is_written_later_with_its_decision() -> None:
    store = MemoryStore(clock=ManualClock(NOON))
    async with a_world(store=store, wishes=[wish(2)]).running() as world:
        await world.minutes(1)
        store.refuse("the disk is full")
        await world.minutes(1)
        store.accept()
        await world.recorder.retry()
        await the_decision(world)


async def test_a_refused_entry_is_told_and_frees_what_it_reserved() -> None:
    async with a_world().running() as world:
        world.venue.faults.place = ["refuse"]

        order = await enter(world)

        assert (order.status, order.note) == (OrderStatus.REJECTED, "Post-only would match.")
        (refused,) = world.heard(OrderRefused)
        assert isinstance(refused, OrderRefused)
        assert (refused.said, refused.open_quantity) == ("Post-only would match.", ZERO)
        assert world.trader.valuer.exposure() == ZERO


async def test_what_never_left_is_not_sent_again_by_itself() -> None:
    async with a_world().running() as world:
        world.venue.faults.place = ["unavailable"]

        order = await enter(world)
        await world.minutes(2)

        assert (order.status, order.note) == (OrderStatus.NOT_SENT, "connection refused")
        assert world.venue.placed == []


# -- no answer ---------------------------------------------------------------------------------


async def test_an_entry_without_an_answer_is_found_and_booked_once() -> None:
    async with a_world().running() as world:
        world.venue.faults.place = ["drop"]

        order = await enter(world)
        assert order.status is OrderStatus.UNKNOWN
        assert world.trader.valuer.exposure() == D(100)
        assert len(world.heard(OrderUnknown)) == 1
        await world.trader.upkeep()
        await world.trader.upkeep()

        assert world.trader.ledger.orders[order.id].status is OrderStatus.FILLED
        assert world.trader.ledger.positions[BTC].quantity == D(1)
        assert len(world.venue.placed) == 1
        (resolved,) = world.heard(OrderResolved)
        assert isinstance(resolved, OrderResolved)
        assert resolved.outcome is OrderStatus.FILLED
        assert len(world.heard(PositionOpened)) == 1


async def test_an_answer_that_never_comes_is_given_up_and_asked_about() -> None:
    async with a_world(timeouts=HASTY).running() as world:
        world.venue.faults.place = ["hang"]

        order = await enter(world)
        assert order.status is OrderStatus.UNKNOWN
        await world.trader.upkeep()

        assert world.trader.ledger.orders[order.id].status is OrderStatus.FILLED
        assert [o.role for o in world.venue.placed].count(OrderRole.ENTRY) == 1


async def test_an_unknown_entry_blocks_its_symbol() -> None:
    async with a_world(wishes=[wish(1)]).running() as world:
        world.venue.faults.place = ["lost"]
        order = await enter(world)
        world.venue.window = 3_600.0

        await world.minutes(1)

        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert (decision.approved, decision.reason) == (False, "BTC has an order under way")
        assert world.trader.ledger.orders[order.id].status is OrderStatus.UNKNOWN


async def test_a_lost_entry_is_absent_only_once_it_can_no_longer_arrive() -> None:
    async with a_world().running() as world:
        world.venue.window = 30.0
        world.venue.faults.place = ["lost"]
        order = await enter(world)

        await world.trader.upkeep()
        assert world.trader.ledger.orders[order.id].status is OrderStatus.UNKNOWN
        world.clock.advance(31)
        await settled()
        await world.trader.upkeep()

        ended = world.trader.ledger.orders[order.id]
        assert (ended.status, ended.note) == (OrderStatus.ABSENT, "the venue never had it")
        assert world.trader.valuer.exposure() == ZERO
        assert len(world.venue.placed) == 1


async def test_an_order_hidden_for_a_while_is_not_taken_for_lost() -> None:
    async with a_world().running() as world:
        world.venue.window = 30.0
        world.venue.faults.place = ["drop"]
        order = await enter(world)
        world.venue.faults.hide = {order.id}
        await world.trader.upkeep()

        world.venue.faults.hide = set()
        await world.trader.upkeep()

        assert world.trader.ledger.orders[order.id].status is OrderStatus.FILLED


async def test_what_is_told_unasked_comes_before_the_answer_and_counts() -> None:
    async with a_world().running() as world:
        world.venue.gate.clear()
        entering = asyncio.create_task(enter(world))
        await settled()
        (order,) = world.trader.ledger.alive.values()

        told = a_fill(id="v-1", order_id=order.id)
        world.trader.orders.outcomes.hear(a_report(order_id=order.id, fills=(told,)))
        assert world.trader.ledger.positions[BTC].quantity == D(1)
        world.venue.faults.place = ["unavailable"]
        world.venue.gate.set()

        assert (await entering).status is OrderStatus.FILLED
        assert world.trader.ledger.positions[BTC].quantity == D(1)


async def test_an_answer_about_another_order_is_no_answer() -> None:
    async with a_world().running() as world:
        orders = world.trader.orders
        with pytest.raises(VenueUncertain, match="another order"):
            await orders.outcomes.absorb(a_report(order_id="qd-test-e-theirs"))


async def test_an_order_on_its_way_out_is_not_taken_for_lost_by_a_comparison() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        world.venue.gate.clear()
        closing = asyncio.create_task(reduce_by_hand(world))
        await settled()

        await world.trader.reconcile()
        world.venue.gate.set()

        assert (await closing).status is OrderStatus.FILLED
        assert not [o for o in world.trader.ledger.orders.values() if o.status.value == "absent"]


# -- reductions --------------------------------------------------------------------------------


async def test_an_exit_does_not_leave_for_what_was_closed_meanwhile() -> None:
    """On a cash account it would sell the operator's own coins."""
    async with a_world().running() as world:
        await enter(world)
        await settled()
        world.venue.gate.clear()
        closing = asyncio.create_task(reduce_by_hand(world))
        await until(lambda: world.venue.waiting)
        position = world.trader.ledger.positions[BTC]
        elsewhere = world.trader.orders.prepare(
            symbol=BTC, side=Side.SELL, role=OrderRole.EXIT, quantity=position.quantity,
            reason=ExitReason.EXTERNAL.value,
        )  # fmt: skip
        fill = a_fill(id="x", order_id=elsewhere.id, side=Side.SELL, quantity=position.quantity)
        world.trader.orders.outcomes.hear(a_report(order_id=elsewhere.id, fills=(fill,)))
        world.venue.gate.set()
        ended = await closing

        assert ended.status is OrderStatus.NOT_SENT
        assert ended.note == "that much is not open any more"
        assert OrderRole.EXIT not in [order.role for order in world.venue.placed]


class FailingJournal(MemoryJournal):
    """Takes nothing: at once, or after a first failure only, or by hanging."""

    def __init__(self, *, failures: int = 1_000, hangs: bool = False) -> None:
        super().__init__()
        self.failures = failures
        self.hangs = hangs

    async def append(self, *records_: Mapping[str, object]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.failures -= 1
        if self.failures >= 0:
            raise StoreError("the disk is full")
        await super().append(*records_)


async def closed_on_a_slow_disk(world: World, store: SlowStore) -> Order:
    """A position of one BTC, closed while history takes nothing; its gate stays shut."""
    await enter(world)
    await settled()
    store.gate.clear()
    return await reduce_by_hand(world)


async def until_heard(world: World, *kinds: type[Event]) -> None:
    await until(lambda: any(world.heard(kind) for kind in kinds), f"{kinds}")


async def test_what_a_slow_disk_saves_late_is_a_notice_once_an_hour() -> None:
    store = SlowStore()
    async with a_world(store=store, timeouts=SLOW_DISK).running() as world:
        for closes, told in ((1, 1), (2, 1), (3, 1)):
            closing = asyncio.create_task(closed_on_a_slow_disk(world, store))
            await until(lambda: OrderRole.EXIT in [o.role for o in world.venue.placed[-1:]])
            store.gate.set()
            await closing
            await settled()
            assert closes >= told == len(world.heard(ReductionLate))
            world.venue.placed.clear()
        world.clock.advance(TOLD_EVERY)
        closing = asyncio.create_task(closed_on_a_slow_disk(world, store))
        await until(lambda: len(world.heard(ReductionLate)) > 1)
        store.gate.set()
        await closing

        last = world.heard(ReductionLate)[-1]
        assert isinstance(last, ReductionLate)
        assert last.others == 2
        assert not world.heard(ReductionUnsaved)


@pytest.mark.parametrize(
    "journal",
    [FailingJournal(), FailingJournal(hangs=True)],
    ids=["it fails", "it hangs"],
)
async def test_what_neither_history_nor_the_journal_takes_is_critical(
    journal: FailingJournal,
) -> None:
    store = SlowStore()
    async with a_world(store=store, journal=journal, timeouts=SLOW_DISK).running() as world:
        closing = asyncio.create_task(closed_on_a_slow_disk(world, store))
        await until_heard(world, ReductionUnsaved, ReductionLate)
        assert not world.heard(ReductionLate)
        store.gate.set()
        assert (await closing).status is OrderStatus.FILLED


async def test_a_journal_that_takes_it_at_the_second_try_is_enough() -> None:
    store = SlowStore()
    journal = FailingJournal(failures=1)
    async with a_world(store=store, journal=journal, timeouts=SLOW_DISK).running() as world:
        closing = asyncio.create_task(closed_on_a_slow_disk(world, store))
        await until_heard(world, ReductionUnsaved, ReductionLate)
        assert not world.heard(ReductionUnsaved)
        assert len(await journal.records()) == 1
        store.gate.set()
        await closing


async def test_an_exit_does_not_wait_for_a_disk_that_hangs_and_that_is_told() -> None:
    store, journal = SlowStore(), MemoryJournal()
    async with a_world(store=store, journal=journal, timeouts=SLOW_DISK).running() as world:
        await enter(world)
        await settled()
        store.gate.clear()

        closing = asyncio.create_task(reduce_by_hand(world))
        await until(lambda: OrderRole.EXIT in [o.role for o in world.venue.placed])
        assert not closing.done()
        await until_heard(world, ReductionLate)
        while BTC in world.trader.ledger.positions:
            await asyncio.sleep(0)

        (late,) = world.heard(ReductionLate)
        assert isinstance(late, ReductionLate)
        assert [r["id"] for r in await journal.records()] == [late.order.id]
        store.gate.set()
        assert (await closing).status is OrderStatus.FILLED

        await settled()
        await world.trader.reconcile()
        assert await journal.records() == (), "a note is kept until history has the order"


class BrokenStore(MemoryStore):
    """It raises what nobody expects, until it is mended."""

    broken = False

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        if self.broken:
            raise RuntimeError("an error of ours")
        await super().commit(change, priority)


async def test_an_exit_leaves_and_is_kept_whatever_breaks_in_history() -> None:
    store = BrokenStore(clock=ManualClock(NOON))
    async with a_world(store=store).running() as world:
        await enter(world)
        store.broken = True

        order = await reduce_by_hand(world)

        assert order.status is OrderStatus.FILLED
        assert BTC not in world.trader.ledger.positions
        assert world.recorder.unsaved > 0
        await until_heard(world, ReductionLate)  # the journal has it
        store.broken = False
        await world.recorder.retry()
        assert world.recorder.unsaved == 0
        (trade,) = await store.trades("majors", limit=9)
        assert trade.reason is ExitReason.HAND


async def test_what_was_taken_for_lost_before_it_left_does_not_leave() -> None:
    async with a_world().running() as world:
        orders = world.trader.orders
        order = orders.prepare(symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(1))
        permit = world.desk.latch.permit("majors")
        world.clock.advance(600)
        assert (await orders.resolve(order)).status is OrderStatus.ABSENT

        ended = await orders.enter(order, permit)

        assert ended.status is OrderStatus.ABSENT
        assert world.venue.placed == []


async def test_a_reduction_that_only_the_journal_knows_is_found_after_a_crash() -> None:
    store, book, journal = MemoryStore(clock=ManualClock(NOON)), MemoryJournal(), MemoryJournal()
    clock = ManualClock(NOON)
    async with a_world(
        store=store, book=book, journal=journal, clock=clock, commission="0.001"
    ).running() as world:
        await enter(world)
        store.refuse("the disk is full")
        await reduce_by_hand(world)
        assert BTC not in world.trader.ledger.positions

    store.accept()
    again = a_world(
        store=store, book=book, journal=journal, clock=clock, commission="0.001", first_id=100
    )
    async with again.running() as world:
        assert world.trader.ledger.positions == {}
        assert world.trader.ledger.account.wallet == await world.venue.wallet()
        assert world.trader.block == ""
        (trade,) = await store.trades("majors", limit=9)
        assert await journal.records() == (), "history has it now"
        assert (trade.reason, trade.by) == (ExitReason.HAND, BY)


async def test_a_reduction_noted_while_history_is_asked_about_others_stays_noted() -> None:
    store, journal = MemoryStore(clock=ManualClock(NOON)), MemoryJournal()
    async with a_world(store=store, journal=journal, timeouts=QUICK).running() as world:
        await enter(world)
        store.refuse("the disk is full")
        noted = [await reduce_by_hand(world, "0.1"), await reduce_by_hand(world, "0.1")]
        await settled()
        assert len(await journal.records()) == 2

        async def is_known(order_id: str) -> bool:
            if len(noted) == 2:
                noted.append(await reduce_by_hand(world, "0.1"))
                await settled()
            return True

        await world.trader.orders.intents.forget_noted(is_known)

        assert [record["id"] for record in await journal.records()] == [noted[-1].id]
        store.accept()


async def test_a_cancel_of_what_was_filled_first_says_so() -> None:
    async with a_world(100, 100, 90, 90).running() as world:
        resting = await world.rest_an_entry("95")
        await world.minutes(1)
        world.clock.advance(60)
        await world.venue.catch_up(world.feed.now())
        await settled()

        ended = await world.trader.orders.cancel(resting)

        assert (ended.status, ended.filled) == (OrderStatus.FILLED, D(1))
        assert world.trader.ledger.positions[BTC].quantity == D(1)


async def test_a_cancel_of_what_the_venue_never_had_finds_it_absent() -> None:
    async with a_world().running() as world:
        world.venue.faults.place = ["lost"]
        order = await world.rest_an_entry()

        ended = await world.trader.orders.cancel(order)

        assert ended.status is OrderStatus.ABSENT


async def test_fills_that_come_together_are_told_once_and_booked_all() -> None:
    """An exit in two parts that is heard of in one report: closed, not reduced and closed."""
    async with a_world().running() as world:
        await enter(world)
        order = world.trader.orders.prepare(
            symbol=BTC, side=Side.SELL, role=OrderRole.EXIT, quantity=D(1),
            reason=ExitReason.HAND.value,
        )  # fmt: skip
        parts = tuple(
            a_fill(id=f"v-{n}", order_id=order.id, side=Side.SELL, quantity=D("0.5"))
            for n in range(2)
        )

        world.trader.orders.outcomes.hear(a_report(order_id=order.id, fills=parts))
        await world.recorder.settle()

        assert len(world.heard(PositionClosed)) == 1
        assert world.heard(PositionReduced) == []
        assert {"v-0", "v-1"} <= {fill.id for fill in await world.store.fills("majors")}


async def test_a_refused_reduction_is_not_tried_again_in_the_same_breath() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", "refuse", "refuse", "refuse"]

        await world.minutes(2)

        assert world.venue.faults.place != []
        assert not world.trader.protection.rests(BTC)


async def test_ids_carry_the_desk_and_the_role() -> None:
    async with a_world().running() as world:
        ids = world.trader.orders.ids
        made = {role: ids.new(role) for role in OrderRole}

        assert {ids.role(order_id) for order_id in made.values()} == set(OrderRole)
        assert all(ids.is_ours(order_id) for order_id in made.values())
        assert not ids.is_ours("qd-other-e-01")


async def test_a_limit_a_stop_and_neither_make_three_types_of_orders() -> None:
    async with a_world().running() as world:
        prepare = world.trader.orders.prepare
        common = {"symbol": BTC, "side": Side.SELL, "quantity": ONE}
        kinds = [
            prepare(**common, role=OrderRole.ENTRY, price=D(101)),  # type: ignore[arg-type]  # of mixed values
            prepare(**common, role=OrderRole.PROTECT, stop_price=D(95)),  # type: ignore[arg-type]  # as above
            prepare(**common, role=OrderRole.EXIT),  # type: ignore[arg-type]  # as above
        ]

        assert [o.type for o in kinds] == [OrderType.LIMIT, OrderType.STOP, OrderType.MARKET]
        assert [o.reduce_only for o in kinds] == [False, True, True]
