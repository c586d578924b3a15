"""Targets that rest at the exchange, through the real ccxt."""

from __future__ import annotations

import pytest

from tests.trading.venues.ccxt_world import BTC, CcxtWorld, D, a_world, until
from trading.errors import VenueRejected
from trading.execution.legs import Leg, compare
from trading.types import Held, Order, OrderRole, OrderStatus, OrderType, Side, Targets

PERPETUALS = pytest.mark.parametrize("market", ["swap", "hedge"])


async def bracketed(world: CcxtWorld) -> tuple[Order, Order]:
    """0.01 long with its stop and its target."""
    await world.place(world.order())
    stop, target = world.stop(), world.target()
    await world.place(stop)
    await world.place(target)
    return stop, target


@PERPETUALS
async def test_a_target_rests_beside_the_stop_as_what_it_is(market: str) -> None:
    async with a_world(market) as world:
        assert world.venue.targets is Targets.BESIDE
        stop, target = await bracketed(world)
        theirs = {algo.client_id: algo.wish for algo in world.engine.open_algos()}
        assert (theirs[stop.id].type, theirs[target.id].type) == (
            "STOP_MARKET",
            "TAKE_PROFIT_MARKET",
        )
        wish = theirs[target.id]
        assert (wish.side, wish.quantity, wish.stop_price) == ("SELL", D("0.01"), D(55_000))
        assert wish.working_type == theirs[stop.id].working_type == "MARK_PRICE"
        assert wish.reduce_only is (market == "swap")
        assert wish.position_side == ("LONG" if market == "hedge" else "BOTH")


@PERPETUALS
async def test_what_rests_is_told_as_the_legs_that_should(market: str) -> None:
    async with a_world(market) as world:
        ours = await bracketed(world)
        told = [report.order for report in await world.another_venue().open_orders()]
        orders = [order for order in told if order is not None]
        assert {order.id for order in orders} == {order.id for order in ours}
        assert {order.role for order in orders} == {OrderRole.PROTECT}
        wanted = [
            Leg(OrderType.STOP, D(45_000), D("0.01")),
            Leg(OrderType.TARGET, D(55_000), D("0.01")),
        ]
        assert not compare(orders, wanted, Side.SELL)


@PERPETUALS
async def test_a_target_that_is_reached_is_heard_with_its_fill(market: str) -> None:
    async with a_world(market) as world:
        _, target = await bracketed(world)
        world.engine.trade_through("BTCUSDT", 55_500)
        await until(lambda: any(r.status is OrderStatus.FILLED for r in world.told_of(target)))
        filled = world.fills_of(target)
        assert sum(filled.values()) == D("0.01")
        assert await world.venue.positions() == {}


@PERPETUALS
async def test_one_that_is_reached_already_is_refused(market: str) -> None:
    async with a_world(market) as world:
        await world.place(world.order())
        with pytest.raises(VenueRejected):
            await world.place(world.target("45000"))
        assert await world.venue.positions() == {BTC: Held(long=D("0.01"))}, "it did not sell"


@PERPETUALS
async def test_a_target_is_found_and_cancelled_where_it_is(market: str) -> None:
    async with a_world(market) as world:
        await world.place(world.order())
        target = world.target()
        await world.place(target)
        found = await world.another_venue().find(target)
        assert found is not None
        assert found.status is OrderStatus.OPEN
        assert (await world.venue.cancel(target)).status is OrderStatus.CANCELLED
        assert world.engine.open_algos() == []
