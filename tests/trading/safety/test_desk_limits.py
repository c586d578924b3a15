"""Limits of the whole desk, on top of each trader's own."""

from __future__ import annotations

from decimal import Decimal

from tests.builders import BTC, ETH
from tests.world import World, a_world, wish
from trading.safety.desk_limits import DeskLimits
from trading.types import OrderRole

D = Decimal
ONE_POSITION = DeskLimits(max_positions=1)
FULL = "1 of 1 positions open on the whole desk"


async def refused(world: World) -> list[str]:
    decisions = [d for s in (BTC, ETH) for d in await world.store.decisions("majors", s, limit=9)]
    return [decision.reason for decision in decisions if not decision.approved]


async def test_two_wishes_of_one_bar_are_not_both_the_last_position() -> None:
    wishes = [wish(2), wish(2, symbol=ETH)]
    async with a_world(wishes=wishes, symbols=(BTC, ETH), desk_limits=ONE_POSITION).running() as (
        world
    ):
        await world.minutes(2)
        assert len(world.trader.ledger.positions) == 1
        assert await refused(world) == [FULL]


async def test_an_entry_that_rests_takes_its_place() -> None:
    wishes = [wish(3, symbol=ETH)]
    async with a_world(wishes=wishes, symbols=(BTC, ETH), desk_limits=ONE_POSITION).running() as (
        world
    ):
        await world.minutes(2)
        await world.rest_an_entry()
        await world.minutes(1)
        assert [o.symbol for o in world.trader.ledger.alive_of(OrderRole.ENTRY)] == [BTC]
        assert world.trader.ledger.positions == {}
        assert await refused(world) == [FULL]
