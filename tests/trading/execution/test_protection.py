"""The stop at the venue: there, of the right size, alone, and said when it is not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from tests.builders import BTC, ETH
from tests.world import World, a_world, settled, wish
from trading.events import CycleFailed, PositionClosed, Protected, StopMoved, Unprotected
from trading.model.exit_rules import ExitRules, PartialRule
from trading.risk.limits import Limits
from trading.types import ONE, ExitReason, Held, Order, OrderRole, OrderStatus, OrderType

D = Decimal
BY = "ben, Telegram"
THIN = 40.0
"""Volume of a bar, of which a tenth is ours: an entry of six takes two bars."""


async def stops(world: World) -> list[Order]:
    resting = [report.order for report in await world.venue.open_orders()]
    return [o for o in resting if o is not None and o.role is OrderRole.PROTECT]


async def the_stop(world: World) -> tuple[Decimal | None, Decimal]:
    (stop,) = await stops(world)
    return stop.stop_price, stop.quantity


def reasons(world: World) -> list[str]:
    return [e.reason for e in world.heard(Unprotected) if isinstance(e, Unprotected)]


async def test_the_stop_is_there_with_the_first_fill_and_grows_with_the_next() -> None:
    async with a_world(wishes=[wish(2)], volume=THIN).running() as world:
        await world.minutes(2)
        assert world.trader.ledger.positions[BTC].quantity == D(4)
        assert await the_stop(world) == (D(95), D(4))

        await world.minutes(1)

        assert world.trader.ledger.positions[BTC].quantity == D(6)
        assert await the_stop(world) == (D(95), D(6))


async def test_it_shrinks_with_every_exit_and_goes_with_the_last() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(2)

        await world.manual.close(BTC, share=D("0.5"), by=BY)
        assert await the_stop(world) == (D(95), D(3))
        await world.manual.close(BTC, share=ONE, by=BY)

        assert await stops(world) == []


async def test_it_is_never_for_more_than_is_open_and_never_one_of_two() -> None:
    """Looked at each time an order leaves."""
    world = a_world(
        *(100, 100, 100, 103, 106, 109, 107, 105, 104, 104),
        wishes=[wish(2)],
        volume=THIN,
        exit_rules=ExitRules(
            trail_r=ONE, partials=(PartialRule(share=D("0.5"), at_r=ONE),), break_even=True
        ),
    )
    beyond: list[Order] = []

    def look(order: Order) -> None:
        alive = world.trader.ledger.alive_of(OrderRole.PROTECT, BTC)
        held = world.trader.ledger.positions.get(BTC)
        covered = abs(held.quantity) if held else D(0)
        if order.role is OrderRole.PROTECT and (len(alive) > 1 or order.quantity > covered):
            beyond.append(order)

    world.venue.watch_leaving = look
    async with world.running():
        for _ in range(8):
            await world.minutes(1)
            resting = await stops(world)
            held = (await world.venue.positions()).get(BTC, Held())
            assert sum(s.remaining for s in resting) <= held.long

    assert beyond == []
    assert len([o for o in world.venue.placed if o.role is OrderRole.PROTECT]) > 3


async def test_trailing_moves_it_and_says_so() -> None:
    async with a_world(
        100, 100, 100, 104, 103, wishes=[wish(2)], exit_rules=ExitRules(trail_r=ONE)
    ).running() as world:
        await world.minutes(4)

        assert await the_stop(world) == (D(99), D(6))
        moved = [e for e in world.heard(StopMoved) if isinstance(e, StopMoved)]
        assert (moved[-1].old, moved[-1].new, moved[-1].on_venue) == (D(95), D(99), True)


async def test_a_partial_exit_moves_it_to_the_entry() -> None:
    rules = ExitRules(partials=(PartialRule(share=D("0.5"), at_r=ONE),), break_even=True)
    async with a_world(100, 100, 100, 106, wishes=[wish(2)], exit_rules=rules).running() as world:
        await world.minutes(3)

        assert await the_stop(world) == (D(100), D(3))


async def test_a_refused_stop_is_told_once_and_tried_again() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", *["refuse"] * 3]
        await world.minutes(2)
        assert await stops(world) == []

        for _ in range(4):
            await world.trader.upkeep()

        assert reasons(world) == ["Post-only would match."]
        (again,) = world.heard(Protected)
        assert isinstance(again, Protected)
        assert (again.quantity, again.stop) == (D(6), D(95))
        assert await the_stop(world) == (D(95), D(6))


async def test_a_stop_that_cannot_rest_is_kept_by_the_desk() -> None:
    async with a_world(100, 100, 100, 99, 94, wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", *["refuse"] * 20]
        await world.minutes(3)
        assert await stops(world) == []

        world.venue.faults.place = []
        await world.minutes(1)

        (closed,) = world.heard(PositionClosed)
        assert isinstance(closed, PositionClosed)
        assert (closed.trade.reason, closed.trade.exit_price) == (ExitReason.STOP, D(94))
        assert not await world.venue.positions()


async def test_a_price_beyond_the_stop_closes_at_once_instead_of_resting_one() -> None:
    """The stop could not be placed, and the market did not wait."""
    async with a_world(100, 100, 100, 94, 94, wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", *["unavailable"] * 3]
        await world.minutes(2)
        assert world.heard(Unprotected)

        world.venue.faults.place = []
        world.clock.advance(60)
        await world.trader.upkeep()

        assert BTC not in world.trader.ledger.positions
        assert await stops(world) == []


async def test_a_line_that_is_down_is_told_as_unprotected_and_mended() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        world.venue.faults.cancel = ["unavailable"]

        await world.manual.close(BTC, share=D("0.5"), by=BY)
        assert reasons(world) == ["the venue does not answer: connection refused"]
        await world.trader.upkeep()

        assert len(world.heard(Protected)) == 1
        assert await the_stop(world) == (D(95), D(3))


async def test_a_stop_without_an_answer_is_not_joined_by_a_second() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        world.venue.faults.place = ["", "drop"]
        await world.minutes(2)

        await world.trader.upkeep()
        await world.trader.upkeep()

        assert await the_stop(world) == (D(95), D(6))
        assert world.trader.protection.rests(BTC)


async def test_the_plans_of_others_go_on_when_one_position_is_closed_meanwhile() -> None:
    """By hand, while the cycle waits for the exit of the position before it."""
    wishes = [wish(2, symbol=symbol) for symbol in (BTC, ETH)]
    limits, brief = Limits(max_positions=2), ExitRules(time_limit=timedelta(minutes=1))
    async with a_world(
        *[100] * 5, wishes=wishes, symbols=(BTC, ETH), limits=limits, exit_rules=brief
    ).running() as world:
        await world.minutes(2)
        assert set(world.trader.ledger.positions) == {BTC, ETH}
        world.venue.gate.clear()
        world.clock.advance(60)
        cycle = asyncio.create_task(world.trader.cycle())
        await settled()
        closing = asyncio.create_task(world.manual.close(ETH, share=ONE, by=BY))
        await settled()

        world.venue.gate.set()
        await asyncio.gather(cycle, closing)

        assert world.heard(CycleFailed) == []
        assert world.trader.ledger.positions == {}
        assert not await world.venue.positions()


async def test_closes_that_come_together_never_sell_more_than_is_open() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        world.venue.gate.clear()
        closes = [
            asyncio.create_task(world.manual.close(BTC, share=D(share), by=BY))
            for share in ("0.5", "1", "0.1")
        ]
        await settled()
        world.venue.gate.set()
        await asyncio.gather(*closes, return_exceptions=True)

        exits = [o for o in world.venue.placed if o.role is OrderRole.EXIT]
        assert sum(o.quantity for o in exits) == D(6)
        assert world.trader.ledger.positions == {}


async def test_a_position_that_nobody_planned_is_said_to_be_unprotected() -> None:
    async with a_world(100, 100, 90).running() as world:
        await world.rest_an_entry("95")

        await world.minutes(3)

        assert reasons(world) == ["it has no stop price"]
        assert await stops(world) == []


async def test_a_stop_without_an_answer_is_not_told_as_resting() -> None:
    """It may rest: a second one must not join it, and the desk watches its price meanwhile."""
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(1)
        world.venue.faults.place = ["", "hang"]
        world.clock.advance(60)
        cycling = asyncio.create_task(world.trader.cycle())
        await settled()

        (stop,) = world.trader.ledger.alive_of(OrderRole.PROTECT)
        assert stop.status is not OrderStatus.OPEN
        (held,) = world.view().holdings
        assert not held.stop_on_venue
        assert len(await stops(world)) == 1
        await cycling


async def test_while_a_thin_market_buys_what_is_closed_no_target_rests_for_more_than_is_left() -> (
    None
):
    """The venue took no stop, and its price is crossed: the target is made smaller all the same."""
    closes = (100, 100, 100, 100, 94, 94)
    async with a_world(*closes, wishes=[wish(2, target=110.0)], volume=THIN).running() as world:
        world.venue.faults.refused = {OrderType.STOP}
        await world.minutes(3)
        assert await the_target(world) == D(6)
        assert not world.trader.protection.rests(BTC)
        await world.minutes(1)
        assert world.trader.ledger.positions[BTC].quantity == D(2)
        assert await the_target(world) in (D(0), D(2))


async def the_target(world: World) -> Decimal:
    return sum((o.remaining for o in await stops(world) if o.type is OrderType.TARGET), D(0))
