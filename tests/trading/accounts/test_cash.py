"""A cash account: nothing is marked reduce-only, and a resting stop locks what it would sell."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from tests.builders import BTC, some_rules
from tests.world import World, a_world, settled, wish
from trading.events import (
    BooksDiffered,
    DustLeft,
    ForeignHoldingSeen,
    HaltAdvanced,
    PositionClosed,
    ProtectionPaused,
    Unprotected,
)
from trading.model.halt import Stage
from trading.types import (
    ONE,
    ExitReason,
    Fill,
    Held,
    OrderReport,
    OrderRole,
    OrderStatus,
    Side,
)

D = Decimal
BY = "ben, Telegram"


def a_cash_desk(*closes: float, **changes: Any) -> World:
    return a_world(*closes, **{"wishes": [wish(2)], "cash": True, **changes})


def stop_of(world: World) -> tuple[Decimal | None, Decimal]:
    (stop,) = world.trader.ledger.alive_of(OrderRole.PROTECT)
    return stop.stop_price, stop.remaining


async def bought(world: World, quantity: str = "1", less: str = "0") -> None:
    """Long through the books: *less* of it went as a fee in coins."""
    await world.minutes(1)
    order = world.trader.orders.prepare(
        symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(quantity),
        plan=world.trader.settings.exit_rules.plan(
            a_long(), quantity=D(quantity), rules=world.trader.steps(BTC), at=world.clock.now()
        ),
    )  # fmt: skip
    if not D(less):
        await world.trader.orders.enter(order, world.desk.latch.permit("majors"))
        await world.trader.protection.settle()
        return
    fill = Fill(
        id="base-fee", order_id=order.id, trader="majors", symbol=BTC, side=Side.BUY,
        quantity=D(quantity) - D(less), price=D(100), fee=D(less) * 100, at=world.clock.now(),
    )  # fmt: skip
    world.trader.orders.outcomes.hear(
        OrderReport(order_id=order.id, status=OrderStatus.FILLED, filled=D(quantity), fills=(fill,))
    )
    stranger = world.trader.orders.prepare(
        symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(quantity)
    )
    await world.venue._venue.place(stranger, lambda: None)
    world.trader.ledger.update(stranger.changed(status=OrderStatus.NOT_SENT))
    world.venue.strange[BTC] = Held(long=-D(less))
    await world.trader.protection.settle()


def a_long() -> Any:
    from tests.builders import a_signal

    return a_signal(target=None)


async def test_a_close_cancels_the_stop_first_and_sells_all() -> None:
    async with a_cash_desk().running() as world:
        await world.minutes(2)
        held = world.trader.ledger.positions[BTC].quantity
        assert stop_of(world) == (D(95), held)

        closed = await world.manual.close(BTC, share=ONE, by=BY)

        assert closed.quantity == held
        assert world.trader.ledger.positions == {}
        assert await world.venue.positions() == {}
        assert not any(order.reduce_only for order in world.venue.placed)
        assert [o.status for o in world.trader.ledger.alive.values()] == []
        assert world.heard(ProtectionPaused) == [], "it took no time"


async def test_what_is_left_after_a_part_is_protected_again() -> None:
    async with a_cash_desk().running() as world:
        await world.minutes(2)
        held = world.trader.ledger.positions[BTC].quantity
        await world.manual.close(BTC, share=D("0.5"), by=BY)
        left = world.trader.ledger.positions[BTC].quantity
        assert left == held - world.trader.steps(BTC).quantity(held / 2)
        assert stop_of(world) == (D(95), left)


async def test_the_operators_own_coins_are_seen_once_and_never_sold() -> None:
    async with a_cash_desk().running() as world:
        world.venue.strange[BTC] = Held(long=D(7))
        await world.minutes(2)
        for _ in range(3):
            await world.trader.reconcile()
        assert world.trader.block == ""
        (seen,) = (e for e in world.said if isinstance(e, ForeignHoldingSeen))
        assert seen.quantity == D(7)
        assert world.heard(BooksDiffered) == []

        held = world.trader.ledger.positions[BTC].quantity
        await world.desk.flatten("all", by=BY, why="")
        sold = [o.quantity for o in world.venue.placed if o.role is OrderRole.EXIT]
        assert sold == [held]


async def test_never_more_is_sold_than_lies_there() -> None:
    async with a_cash_desk().running() as world:
        await world.minutes(2)
        held = world.trader.ledger.positions[BTC].quantity
        world.venue.strange[BTC] = Held(long=-held / 4)
        await world.manual.close(BTC, share=ONE, by=BY)
        (sale,) = (o for o in world.venue.placed if o.role is OrderRole.EXIT)
        assert sale.quantity == world.trader.steps(BTC).quantity(held * 3 / 4)


async def test_a_stop_that_filled_while_it_was_cancelled_is_not_sold_again() -> None:
    async with a_cash_desk(100, 100, 100, 94).running() as world:
        await world.minutes(2)
        world.clock.advance(60)
        await world.venue._venue.catch_up(world.feed.now())  # it fills there, and we have not heard
        await world.desk.flatten("all", by=BY, why="")
        assert [o for o in world.venue.placed if o.role is OrderRole.EXIT] == []
        (closed,) = (e for e in world.said if isinstance(e, PositionClosed))
        assert closed.trade.reason is ExitReason.STOP


async def test_no_short_is_opened() -> None:
    shorts = [wish(2, side=Side.SELL, stop=105.0)]
    async with a_cash_desk(wishes=shorts).running() as world:
        await world.minutes(2)
        assert world.venue.placed == []
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.reason == ("no shorts on a cash account: only BTC that is held can be sold")


async def test_a_fee_in_coins_leaves_a_fraction_and_the_stop_covers_whole_lots() -> None:
    async with a_cash_desk(wishes=[]).running() as world:
        await bought(world, "1", less="0.0004")
        assert world.trader.ledger.positions[BTC].quantity == D("0.9996")
        assert stop_of(world) == (D(95), D("0.999"))
        assert world.trader.protection.rests(BTC), "that counts as protected"
        assert world.heard(Unprotected) == []
        await world.trader.reconcile()
        assert world.trader.block == ""


async def test_dust_is_booked_out_and_flat_says_so() -> None:
    async with a_cash_desk(wishes=[]).running() as world:
        await bought(world, "1", less="0.0004")
        equity = world.view().equity

        halting = await world.desk.flatten("all", by=BY, why="")
        await settled()

        assert halting.flat
        assert world.trader.ledger.positions == {}
        (left,) = (e for e in world.said if isinstance(e, DustLeft))
        assert (left.quantity, left.worth) == (D("0.0006"), D("0.06"))
        (flat,) = (
            e for e in world.said
            if isinstance(e, HaltAdvanced) and e.reached.stage is Stage.FLAT_EXCEPT_DUST
        )  # fmt: skip
        assert flat.reached.note == "0.0006 BTC"
        assert world.view().equity == equity, "it was worth what it was booked at"
        await world.trader.reconcile()
        assert world.trader.block == "", "the coins lie beside our money now"
        sent = len(world.venue.placed)
        await world.trader.upkeep()
        assert len(world.venue.placed) == sent, "and nothing is tried again"


async def test_a_stop_leaves_dust_too() -> None:
    async with a_cash_desk(100, 100, 94, 94, wishes=[]).running() as world:
        await bought(world, "1", less="0.0004")
        await world.minutes(1)
        await settled()
        assert world.trader.ledger.positions == {}
        (closed,) = (e for e in world.said if isinstance(e, PositionClosed))
        assert closed.trade.reason is ExitReason.STOP
        assert len(world.heard(DustLeft)) == 1


async def test_a_whole_position_that_became_too_small_to_sell_is_dust() -> None:
    closes = (100, 100, *[60] * 9)
    desk = a_cash_desk(*closes, wishes=[], rules=some_rules(min_notional=D(80)))
    async with desk.running() as world:
        await bought(world)
        (stop,) = world.trader.ledger.alive_of(OrderRole.PROTECT)
        await world.trader.orders.cancel(stop)
        world.clock.advance(60)
        halting = await world.desk.flatten("all", by=BY, why="")
        assert halting.flat
        assert len(world.heard(DustLeft)) == 1


async def test_what_an_exit_leaves_below_the_least_sale_is_dust_and_not_tried_again() -> None:
    async with a_cash_desk(wishes=[], rules=some_rules(min_notional=D(30))).running() as world:
        await bought(world)
        await world.manual.close(BTC, share=D("0.75"), by=BY)
        await settled()
        assert world.trader.ledger.positions == {}
        (left,) = (e for e in world.said if isinstance(e, DustLeft))
        assert left.worth == 25
        sent = len(world.venue.placed)
        await world.trader.upkeep()
        await world.trader.reconcile()
        assert len(world.venue.placed) == sent
        assert world.trader.block == ""


async def test_a_stop_that_was_gone_for_long_is_told() -> None:
    async with a_cash_desk().running() as world:
        await world.minutes(2)
        world.venue.gate.clear()
        closing = asyncio.create_task(world.manual.close(BTC, share=D("0.5"), by=BY))
        await settled()
        assert world.trader.ledger.alive_of(OrderRole.PROTECT) == []
        world.clock.advance(3)
        world.venue.gate.set()
        await closing
        (paused,) = (e for e in world.said if isinstance(e, ProtectionPaused))
        assert paused.lasted.total_seconds() == 3


async def test_nothing_is_sold_while_the_stop_may_still_rest() -> None:
    async with a_cash_desk().running() as world:
        await world.minutes(2)
        world.venue.faults.cancel = ["unavailable"] * 3
        await world.desk.flatten("all", by=BY, why="")
        for _ in range(20):
            world.clock.advance(1)
            await settled()
        assert world.trader.ledger.positions == {}
        sold = sum(
            o.filled for o in world.trader.ledger.orders.values() if o.role is OrderRole.EXIT
        )
        assert sold == sum(
            o.filled for o in world.trader.ledger.orders.values() if o.role is OrderRole.ENTRY
        )


async def test_large_closes_go_in_slices_and_so_do_their_stops() -> None:
    for cash in (False, True):
        desk = a_world(wishes=[wish(2)], cash=cash, rules=some_rules(max_quantity=D("2.5")))
        async with desk.running() as world:
            await world.trader.reconcile()
            limit = await world.rest_an_entry("100", "6")
            await world.trader.protection.settle()
            assert limit.id
            stops = world.trader.ledger.alive_of(OrderRole.PROTECT)
            assert stops == [], "it has no stop price"
            plan = world.trader.ledger.plans[BTC]
            await world.trader.exits.move_stop(BTC, D(95), by=BY)
            assert plan.stop is None
            stops = world.trader.ledger.alive_of(OrderRole.PROTECT)
            assert sorted(o.quantity for o in stops) == [D(1), D("2.5"), D("2.5")]
            assert world.trader.protection.rests(BTC)

            closed = await world.manual.close(BTC, share=ONE, by=BY)

            assert closed.quantity == D(6)
            sold = [o.quantity for o in world.venue.placed if o.role is OrderRole.EXIT]
            assert sorted(sold) == [D(1), D("2.5"), D("2.5")]
            assert await world.venue.positions() == {}
