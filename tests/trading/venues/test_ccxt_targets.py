"""Targets that rest at the exchange, beside the stop or in one list with it; the real ccxt."""

from __future__ import annotations

import pytest

from tests.servers.exchange import Close
from tests.trading.venues.ccxt_world import BTC, CcxtWorld, D, a_world, allowed
from tests.waiting import until
from trading.errors import Halted, VenueRejected, VenueUncertain
from trading.model.legs import Leg, compare
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
            Leg(OrderType.STOP, D(45_000), D("0.01"), D("0.01")),
            Leg(OrderType.TARGET, D(55_000), D("0.01"), D("0.01")),
        ]
        assert not compare(orders, wanted, Side.SELL, rules=world.venue.rules(BTC).shown)


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


# -- in one list, on spot -------------------------------------------------------------------------

OCO = "/api/v3/orderList/oco"


async def paired(world: CcxtWorld) -> tuple[Order, Order]:
    """Coins of the operator's own are sold: what matters here is the list."""
    stop, target = world.stop(), world.target()
    reports = await world.venue.place_pair(stop, target, allowed)
    assert [report.order_id for report in reports] == [stop.id, target.id]
    assert {report.status for report in reports} == {OrderStatus.OPEN}
    return stop, target


async def test_a_pair_rests_as_one_list_of_two_that_are_market_orders_then() -> None:
    async with a_world("spot") as world:
        assert world.venue.targets is Targets.PAIRED
        stop, target = await paired(world)
        theirs = {order.client_id: order for order in world.engine.open_orders()}
        assert (theirs[stop.id].wish.type, theirs[stop.id].wish.stop_price) == (
            "STOP_LOSS",
            D(45_000),
        )
        assert (theirs[target.id].wish.type, theirs[target.id].wish.stop_price) == (
            "TAKE_PROFIT",
            D(55_000),
        )
        assert len({order.list_id for order in theirs.values()}) == 1
        assert world.engine.locked("BTC") == D("0.01"), "the coins are locked once"


async def test_what_rests_in_a_list_is_told_as_the_legs_that_should() -> None:
    async with a_world("spot") as world:
        ours = await paired(world)
        told = [report.order for report in await world.another_venue().open_orders()]
        orders = [order for order in told if order is not None]
        assert {order.id for order in orders} == {order.id for order in ours}
        wanted = [
            Leg(OrderType.STOP, D(45_000), D("0.01"), D("0.01")),
            Leg(OrderType.TARGET, D(55_000), D("0.01"), D("0.01")),
        ]
        assert not compare(orders, wanted, Side.SELL, rules=world.venue.rules(BTC).shown)


@pytest.mark.parametrize("price", [44_000, 56_000])
async def test_when_one_of_a_pair_fills_the_other_is_told_to_have_ended(price: int) -> None:
    async with a_world("spot") as world:
        stop, target = await paired(world)
        filled, other = (stop, target) if price < 50_000 else (target, stop)
        world.engine.trade_through("BTCUSDT", price)
        await until(lambda: any(r.status is OrderStatus.FILLED for r in world.told_of(filled)))
        await until(lambda: any(r.status.is_terminal for r in world.told_of(other)))
        assert sum(world.fills_of(filled).values()) == D("0.01")
        assert world.fills_of(other) == {}
        assert world.engine.open_orders() == []


async def test_to_cancel_one_of_a_pair_ends_both_and_to_cancel_the_other_then_says_so() -> None:
    async with a_world("spot") as world:
        stop, target = await paired(world)
        assert (await world.venue.cancel(stop)).status is OrderStatus.CANCELLED
        assert world.engine.open_orders() == []
        assert (await world.venue.cancel(target)).status is OrderStatus.CANCELLED


async def test_a_pair_around_no_price_is_refused_as_a_whole() -> None:
    async with a_world("spot") as world:
        with pytest.raises(VenueRejected):
            await world.venue.place_pair(world.stop(), world.target("49000"), allowed)
        assert world.engine.open_orders() == []


async def test_a_pair_whose_answer_is_lost_is_found_leg_by_leg() -> None:
    async with a_world("spot") as world:
        world.faults.on("POST", OCO, Close(done=True))
        stop, target = world.stop(), world.target()
        with pytest.raises(VenueUncertain):
            await world.venue.place_pair(stop, target, allowed)
        for order in (stop, target):
            found = await world.venue.find(order)
            assert found is not None
            assert found.status is OrderStatus.OPEN
        assert world.asked("POST", OCO) == 1


async def test_a_withdrawn_permit_keeps_a_pair_here() -> None:
    def withdrawn() -> None:
        raise Halted

    async with a_world("spot") as world:
        with pytest.raises(Halted):
            await world.venue.place_pair(world.stop(), world.target(), withdrawn)
        assert world.asked("POST", OCO) == 0
