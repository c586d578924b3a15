"""What the books do with what happened at the venue while nobody looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, NOON, a_stop_order, an_exit, an_order
from tests.fakes import MemoryLatch, Wish
from tests.world import World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.events import (
    BooksDiffered,
    ForeignOrderSeen,
    PositionClosed,
    Protected,
    TraderStarted,
    Unprotected,
)
from trading.model.halt import EVERYONE
from trading.types import ExitReason, Order, OrderRole, OrderStatus, OrderType, Side

D = Decimal
BY = "ben, Telegram"


@dataclass
class Files:
    """What is left of a desk that dies."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    book: MemoryJournal = field(default_factory=MemoryJournal)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    latch_file: MemoryLatch = field(default_factory=MemoryLatch)

    def __post_init__(self) -> None:
        self.store = MemoryStore(clock=self.clock)

    def a_desk(
        self,
        *closes: float,
        wishes: Sequence[Wish] = (),
        first_id: int = 1,
        commission: str = "0",
        **changes: Any,
    ) -> World:
        return a_world(
            *closes,
            **changes,
            wishes=wishes,
            store=self.store,
            book=self.book,
            journal=self.journal,
            latch_file=self.latch_file,
            clock=self.clock,
            first_id=first_id,
            commission=commission,
        )


async def the_venue_goes_on(files: Files, market: Sequence[float], *, minutes: int) -> None:
    """Nobody of ours lives; the market and the venue do."""
    alone = files.a_desk(*market)
    alone.feed.resume(files.clock.now())
    await alone.venue.open(lambda report: None)
    files.clock.advance(60 * minutes)
    await alone.venue.catch_up(alone.feed.now())


async def by_hand(world: World, order: Order) -> None:
    """Somebody trades on our account, past us."""
    await world.venue._venue.place(order, lambda: None)
    await settled()


def differences(world: World) -> list[tuple[Decimal, Decimal]]:
    told = [e for e in world.heard(BooksDiffered) if isinstance(e, BooksDiffered)]
    return [(e.ours, e.venue) for e in told]


async def test_a_fill_that_was_missed_is_booked_at_the_start_and_told() -> None:
    files, market = Files(), (100, 100, 90, 90)
    async with files.a_desk(*market).running() as world:
        await world.rest_an_entry("95")
    await the_venue_goes_on(files, market, minutes=2)

    async with files.a_desk(*market, first_id=100).running() as world:
        assert world.trader.ledger.positions[BTC].quantity == D(1)
        assert world.trader.block == ""
        (started,) = world.heard(TraderStarted)
        assert isinstance(started, TraderStarted)
        assert (started.missed_fills, started.positions) == (1, 1)


async def test_an_entry_that_filled_unheard_is_found_at_the_start() -> None:
    files = Files()
    async with files.a_desk().running() as world:
        order = world.trader.orders.prepare(
            symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(1)
        )
        world.venue.faults.place = ["drop"]
        await world.trader.orders.enter(order, world.desk.latch.permit("majors"))

    async with files.a_desk(first_id=100).running() as world:
        assert world.trader.ledger.positions[BTC].quantity == D(1)
        assert world.trader.block == ""
        found = await files.store.order(order.id)
        assert found is not None
        assert found.status is OrderStatus.FILLED


async def test_a_stop_that_filled_while_nobody_lived_is_booked_as_the_stop() -> None:
    files, market = Files(), (100, 100, 100, 94, 94, 94)
    async with files.a_desk(*market, wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        assert world.trader.protection.rests(BTC)
    await the_venue_goes_on(files, market, minutes=4)

    async with files.a_desk(*market, first_id=100).running() as world:
        assert world.trader.ledger.positions == {}
        (closed,) = world.heard(PositionClosed)
        assert isinstance(closed, PositionClosed)
        assert (closed.trade.reason, closed.trade.exit_price) == (ExitReason.STOP, D(95))
        assert world.trader.ledger.account.wallet == await world.venue.wallet()
        assert world.trader.block == ""


async def test_a_position_closed_elsewhere_is_booked_as_external() -> None:
    files = Files()
    async with files.a_desk(wishes=[wish(2)]).running() as world:
        await world.minutes(2)

        await by_hand(world, an_exit(id="theirs", quantity=D(6)))
        await world.trader.reconcile()
        await settled()

        assert world.trader.ledger.positions == {}
        assert differences(world) == [(D(6), D(0))]
        (closed,) = world.heard(PositionClosed)
        assert isinstance(closed, PositionClosed)
        assert closed.trade.reason is ExitReason.EXTERNAL
        assert world.trader.block == ""


async def test_a_part_closed_elsewhere_leaves_the_stop_for_the_rest() -> None:
    files = Files()
    async with files.a_desk(wishes=[wish(2)]).running() as world:
        await world.minutes(2)

        await by_hand(world, an_exit(id="theirs", quantity=D(2)))
        await world.trader.reconcile()
        await settled()

        assert world.trader.ledger.positions[BTC].quantity == D(4)
        (stop,) = world.trader.ledger.alive_of(OrderRole.PROTECT)
        assert stop.quantity == D(4)


async def test_an_increase_is_not_adopted_and_entries_wait_until_it_is_gone() -> None:
    files = Files()
    async with files.a_desk(wishes=[wish(2), wish(4)]).running() as world:
        await by_hand(world, an_order(id="theirs", quantity=D(2)))
        await world.trader.reconcile()
        assert world.trader.block == "BTC: 2 at the venue is not ours"
        assert world.trader.ledger.positions == {}

        await world.minutes(2)
        (refused,) = await files.store.decisions("majors", BTC, limit=9)
        assert (refused.approved, refused.reason) == (False, "BTC: 2 at the venue is not ours")

        await by_hand(world, an_exit(id="gone", quantity=D(2)))
        await world.trader.reconcile()
        await world.minutes(2)
        assert world.trader.ledger.positions[BTC].quantity == D(6)


async def test_a_strangers_order_is_told_once_and_left_alone() -> None:
    async with Files().a_desk().running() as world:
        theirs = an_order(id="theirs", type=OrderType.LIMIT, price=D(90))
        await by_hand(world, theirs)

        await world.trader.reconcile()
        await world.trader.reconcile()
        await world.desk.stop(EVERYONE, by=BY, why="")
        await settled()

        assert len(world.heard(ForeignOrderSeen)) == 1
        assert [r.order_id for r in await world.venue.open_orders()] == ["theirs"]


async def test_a_stray_entry_with_our_tag_is_cancelled_by_the_sweep_of_a_stop() -> None:
    async with Files().a_desk().running() as world:
        stray = an_order(id="qd-test-e-0badcafe", type=OrderType.LIMIT, price=D(90))
        await by_hand(world, stray)

        await world.desk.stop(EVERYONE, by=BY, why="")
        await settled()

        assert world.venue.cancelled == [stray.id]
        assert world.trader.ledger.orders[stray.id].status is OrderStatus.CANCELLED


async def test_a_stray_stop_with_our_tag_is_adopted() -> None:
    """It left before history had it, and then the process died."""
    files = Files()
    async with files.a_desk(wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", "refuse"]
        await world.minutes(2)
        assert not world.trader.protection.rests(BTC)
        ours = a_stop_order(id="qd-test-p-0badcafe", quantity=D(6), status=OrderStatus.INTENT)
        await by_hand(world, ours)

    async with files.a_desk(first_id=100).running() as world:
        assert world.trader.protection.rests(BTC)
        assert [r.order_id for r in await world.venue.open_orders()] == [ours.id]
        assert [o.id for o in (await files.store.books("majors")).orders] == [ours.id]


async def test_what_our_books_believe_ended_and_the_venue_still_has_is_cancelled() -> None:
    """Its room was given away: filled later, it would be more than risk has allowed."""
    async with a_world().running() as world:
        world.venue.faults.place = ["drop"]
        resting = await world.rest_an_entry()
        world.venue.faults.hide = {resting.id}
        await world.trader.orders.resolve(resting)
        assert world.trader.ledger.orders[resting.id].status is OrderStatus.ABSENT
        world.venue.faults.hide = set()

        assert await world.trader.reconcile()

        assert not await world.venue.open_orders()


async def test_a_wallet_that_differs_holds_entries_back() -> None:
    files = Files()
    async with files.a_desk(wishes=[wish(1)], commission="0.001").running() as world:
        await by_hand(world, an_order(id="theirs-1"))
        await by_hand(world, an_exit(id="theirs-2"))

        await world.trader.reconcile()

        assert world.trader.block == "the venue's wallet is 9999.80, ours 10000.00"
        await world.minutes(1)
        assert world.trader.ledger.positions == {}


async def test_a_venue_that_does_not_answer_changes_nothing() -> None:
    async with Files().a_desk(wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        world.venue.faults.down = True

        await world.trader.reconcile()

        assert world.trader.block == ""
        assert world.trader.ledger.positions[BTC].quantity == D(6)
        assert differences(world) == []


async def test_a_position_without_its_stop_gets_one_at_the_start() -> None:
    files = Files()
    async with files.a_desk(wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", "refuse"]
        await world.minutes(2)
        assert world.heard(Unprotected)

    async with files.a_desk(first_id=100).running() as world:
        assert world.trader.protection.rests(BTC)
        assert world.heard(Protected) == []  # this process has never said otherwise


async def test_a_death_before_history_has_caught_up_counts_nothing_twice() -> None:
    """The disk takes the exit again, and the entry's fill still waits for its next try."""
    files = Files()
    market = (100, 100, 98, 98)
    async with files.a_desk(*market, commission="0.001").running() as world:
        await world.rest_an_entry("99")
        files.store.refuse("the disk is full")
        await world.minutes(2)
        assert world.trader.ledger.positions[BTC].quantity == D(1)
        assert world.recorder.unsaved
        files.store.accept()
        await world.desk.flatten(EVERYONE, by=BY, why="")
        await settled()
        assert not await world.venue.positions()

    async with files.a_desk(*market, first_id=100, commission="0.001").running() as world:
        assert world.trader.ledger.positions == {}
        assert world.trader.ledger.account.wallet == await world.venue.wallet()
        assert world.trader.block == ""
