"""Rules that change under way, and stops as limits; the real ccxt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.servers.exchange.rules import LIMITS_ONLY
from tests.trading.venues.ccxt_world import BTC, ETH, D, a_world, allowed
from tests.waiting import until
from trading.errors import VenueMisfit, VenueRejected
from trading.types import OrderRole, OrderStatus, OrderType, Stops, Untraded

MARKETS = pytest.mark.parametrize("market", ["spot", "swap"])
MARKET = "BTCUSDT"


@MARKETS
async def test_rules_are_read_again_of_one_market_and_orders_go_by_them(market: str) -> None:
    async with a_world(market) as world:
        before = world.venue.rules(BTC)
        world.engine.change_rules(MARKET, lot=D("0.01"), least=D("0.01"), tick=D("0.5"))
        assert world.venue.rules(BTC) == before

        now = await world.venue.rules_now(BTC)

        assert now == world.venue.rules(BTC)
        told = now.shown
        assert (told.lot, told.min_quantity, told.tick) == (D("0.01"), D("0.01"), D("0.5"))
        await world.place(world.order(quantity=D("0.02")))
        await world.place(world.stop("45000.5", quantity=D("0.01")))
        with pytest.raises(VenueMisfit):
            await world.place(world.stop("45000.1"))


@MARKETS
async def test_a_market_that_is_halted_or_gone_is_told_so_and_others_are_not(market: str) -> None:
    async with a_world(market) as world:
        world.engine.halt(MARKET)
        told = await world.venue.rules_now(BTC)
        assert isinstance(told, Untraded)
        assert not isinstance(await world.venue.rules_now(ETH), Untraded)


async def test_on_spot_one_market_is_asked_for_alone() -> None:
    async with a_world("spot") as world:
        await world.venue.rules_now(BTC)
        asked = world.server.asked("GET", "*/exchangeInfo")
        assert asked[-1].params.get("symbol") == MARKET


async def test_what_does_not_fit_is_told_from_other_refusals() -> None:
    async with a_world("spot") as world:
        await world.place(world.order())
        world.engine.change_rules(MARKET, lot=D("0.1"), least=D("0.1"))
        with pytest.raises(VenueMisfit, match="LOT_SIZE"):
            await world.place(world.stop())
        with pytest.raises(VenueRejected) as refused:
            await world.place(world.stop(quantity=D(50)))
        assert not isinstance(refused.value, VenueMisfit)


@pytest.mark.parametrize(
    ("types", "stops"),
    [
        (("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"), Stops.MARKET),
        (("LIMIT", "MARKET", "STOP_LOSS_LIMIT"), Stops.LIMIT),
        (("LIMIT", "MARKET"), Stops.DESK),
    ],
)
async def test_a_symbol_tells_what_its_stops_can_be(types: tuple[str, ...], stops: Stops) -> None:
    async with a_world("spot") as world:
        world.engine.change_rules(MARKET, types=types)
        assert (await world.venue.rules_now(BTC)).shown.stops is stops


async def test_a_stop_limit_rests_is_known_again_and_tells_when_it_was_touched() -> None:
    async with a_world("spot") as world:
        world.engine.change_rules(MARKET, types=LIMITS_ONLY)
        await world.venue.rules_now(BTC)
        await world.place(world.order())
        stop = replace(world.stop("45000"), price=D(44_550))
        report = await world.place(stop)
        assert (report.status, report.triggered) == (OrderStatus.OPEN, False)
        (theirs,) = world.engine.open_orders()
        assert (theirs.wish.type, theirs.wish.price) == ("STOP_LOSS_LIMIT", D(44_550))
        (told,) = [r.order for r in await world.another_venue().open_orders()]
        assert told is not None
        assert (told.type, told.stop_price, told.price) == (OrderType.STOP, D(45_000), D(44_550))

        world.engine.trade_through(MARKET, 44_000)

        await until(lambda: any(r.triggered for r in world.told_of(stop)))
        found = await world.venue.find(stop)
        assert found is not None
        assert (found.status, found.triggered) == (OrderStatus.OPEN, True)
        ended = await world.venue.cancel(stop)
        assert ended.status is OrderStatus.CANCELLED


async def test_a_pair_of_limits_is_one_list() -> None:
    async with a_world("spot") as world:
        world.engine.change_rules(MARKET, types=LIMITS_ONLY)
        await world.venue.rules_now(BTC)
        await world.place(world.order())
        stop = replace(world.stop("45000"), price=D(44_550))
        target = replace(world.target("55000"), price=D(54_450))

        reports = await world.venue.place_pair(stop, target, allowed)

        assert {r.status for r in reports} == {OrderStatus.OPEN}
        kinds = sorted(
            (o.wish.type, o.wish.stop_price, o.wish.price) for o in world.engine.open_orders()
        )
        assert kinds == [
            ("STOP_LOSS_LIMIT", D(45_000), D(44_550)),
            ("TAKE_PROFIT_LIMIT", D(55_000), D(54_450)),
        ]
        told = [r.order for r in await world.another_venue().open_orders()]
        assert {o.role for o in told if o is not None} == {OrderRole.PROTECT}
