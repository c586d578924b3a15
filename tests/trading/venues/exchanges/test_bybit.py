"""What only Bybit does, through the real ccxt, at its wire."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial

import ccxt.async_support as ccxt
import pytest

from tests.servers.exchange import ApiKey, Wish
from tests.trading.venues.ccxt_world import BTC, a_world
from tests.waiting import until
from trading.errors import VenueRejected
from trading.types import MovementKind, Order, OrderStatus, OrderType
from trading.venues.ccxt.answers import Meaning
from trading.venues.ccxt.row import Can, Market
from trading.venues.exchanges import exchange

D = Decimal
BOTH = pytest.mark.parametrize("market", ["spot", "swap"])


# -- the account --------------------------------------------------------------------------------


async def test_a_classic_account_is_refused_before_anything_is_sent() -> None:
    async with a_world("spot", at="bybit", opens=False) as world:
        world.server.wire.account.margin_status = 1
        with pytest.raises(VenueRejected, match="classic one: upgrade it"):
            await world.venue.open(world.heard.append)
        assert not world.server.asked(path="place")


async def test_positions_by_side_are_refused_where_they_are_seen() -> None:
    async with a_world("swap", at="bybit", opens=False) as world:
        world.engine.set_hedge(hedge=True)
        world.engine.place(
            Wish(
                symbol="BTCUSDT", side="BUY", type="MARKET", quantity=D("0.01"),
                position_side="LONG",
            )
        )  # fmt: skip
        with pytest.raises(VenueRejected, match="hedge mode"):
            await world.venue.open(world.heard.append)


async def test_an_order_where_positions_are_by_side_is_refused_not_guessed() -> None:
    """Without a position nothing tells the mode: the order names the one that it means."""
    async with a_world("swap", at="bybit") as world:
        world.engine.set_hedge(hedge=True)
        with pytest.raises(VenueRejected, match="set it to one-way"):
            await world.place(world.order())
        assert world.engine.orders == {}


async def test_what_a_key_may_do_is_told() -> None:
    key = ApiKey(key="test-key", secret="test-secret", withdrawals=True)
    async with a_world("spot", at="bybit", opens=False) as world:
        world.server.wire.site.keys[key.key] = key
        told = await world.venue.examine()
        assert [line for line in told if "withdraw" in line]
        assert not [line for line in told if "trade" in line]


# -- orders -------------------------------------------------------------------------------------


@BOTH
async def test_a_cancel_names_our_id_and_nothing_else(market: str) -> None:
    async with a_world(market, at="bybit") as world:
        order = world.limit()
        await world.place(order)
        assert (await world.venue.cancel(order)).status is OrderStatus.CANCELLED
        (asked,) = world.server.asked(path="cancel")
        assert asked.params["orderLinkId"] == order.id
        assert "orderId" not in asked.params


async def test_a_buy_at_market_on_spot_is_of_coins_not_of_money() -> None:
    async with a_world("spot", at="bybit") as world:
        await world.place(world.order(quantity=D("0.02")))
        (asked,) = world.server.asked(path="place")
        assert (asked.params["marketUnit"], D(str(asked.params["qty"]))) == ("baseCoin", D("0.02"))


async def test_a_fee_in_the_coin_that_was_bought_is_booked_as_coins() -> None:
    async with a_world("spot", at="bybit") as world:
        order = world.order(quantity=D("0.02"))
        await world.place(order)
        found = await world.venue.find(order)
        assert found is not None
        assert sum(fill.coins for fill in found.fills) == D("0.02") * world.engine.taker_fee
        assert sum(fill.quantity + fill.coins for fill in found.fills) == D("0.02")


@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.TARGET])
@pytest.mark.parametrize("short", [False, True])
async def test_stops_and_targets_are_told_apart_by_where_they_wait(
    kind: OrderType, short: bool
) -> None:
    """Bybit calls both alike."""
    async with a_world("swap", at="bybit") as world:
        opening = world.order()
        order = world.stop() if kind is OrderType.STOP else world.target()
        if short:
            opening, order = _turned(opening), _turned(order)
            rises = kind is OrderType.STOP
            order = replace(order, stop_price=D(55_000) if rises else D(45_000))
        await world.place(opening)
        await world.place(order)
        (told,) = [each.order for each in await world.venue.open_orders()]
        assert told is not None
        assert (told.id, told.type, told.stop_price) == (order.id, kind, order.stop_price)
        (_, asked) = world.server.asked(path="place")
        assert asked.params["triggerBy"] == "MarkPrice"
        assert asked.params["reduceOnly"] in (True, "true")


def _turned(order: Order) -> Order:
    return replace(order, side=order.side.opposite)


async def test_spot_has_no_stops_and_says_who_keeps_them() -> None:
    row = exchange("bybit", Market.SPOT).row
    assert row.lacking(Can.STOPS).endswith("the desk keeps them itself.")
    async with a_world("spot", at="bybit") as world:
        await world.place(world.order())
        with pytest.raises(VenueRejected, match="can rest"):
            await world.place(world.stop())


# -- lists and streams --------------------------------------------------------------------------


async def test_lists_are_read_past_their_first_page() -> None:
    async with a_world("swap", at="bybit") as world:
        orders = [world.limit(str(40_000 - n), quantity=D("0.001")) for n in range(60)]
        for order in orders:
            world.put_by_hand(order)
        assert {each.order_id for each in await world.venue.open_orders()} == {
            order.id for order in orders
        }
        assert any("cursor" in asked.params for asked in world.server.asked(path="open"))


async def test_what_fills_right_after_opening_is_heard() -> None:
    """ccxt waits for the stream before the exchange has said that it has begun."""
    for _ in range(5):
        async with a_world("swap", at="bybit") as world:
            order = world.limit("49000")
            await world.place(order)
            world.engine.trade_through("BTCUSDT", 48_000)
            await until(partial(world.fills_of, order))


@BOTH
async def test_an_order_is_found_whatever_became_of_it(market: str) -> None:
    async with a_world(market, at="bybit") as world:
        gone, filled, rests = world.limit("41000"), world.limit("42000"), world.limit("39000")
        for order in (gone, filled, rests):
            await world.place(order)
        await world.venue.cancel(gone)
        world.engine.trade_through("BTCUSDT", 41_500)
        again = world.another_venue()
        found = [await again.find(order) for order in (gone, filled, rests)]
        assert [each and each.status for each in found] == [
            OrderStatus.CANCELLED,
            OrderStatus.FILLED,
            OrderStatus.OPEN,
        ]
        assert await again.find(world.limit()) is None


async def test_funding_is_a_movement_and_fills_are_none() -> None:
    async with a_world("swap", at="bybit") as world:
        begun = world.clock.now()
        await world.place(world.order())
        await until(world.engine.positions)
        world.engine.pay_funding("BTCUSDT", D("0.0001"))
        (paid,) = await world.venue.movements(begun)
        assert (paid.kind, paid.symbol) == (MovementKind.FUNDING, BTC)
        assert paid.amount < 0


# -- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("10000", Meaning.UNCLEAR),
        ("10016", Meaning.UNCLEAR),
        ("170007", Meaning.UNCLEAR),
        ("10006", Meaning.TURNED_AWAY),
        ("10002", Meaning.TURNED_AWAY),
        ("110001", Meaning.NOT_FOUND),
        ("110007", Meaning.REFUSED),
    ],
)
def test_codes_mean_what_they_mean(code: str, means: Meaning) -> None:
    error = ccxt.ExchangeError(f'bybit {{"retCode":{code},"retMsg":"words"}}')
    assert exchange("bybit", Market.SWAP).meaning(error, 200) is means


def test_only_one_path_rests_for_a_second_and_an_address_for_minutes() -> None:
    bybit = exchange("bybit", Market.SWAP)
    often = bybit.ban(200, {}, '{"retCode":10006,"retMsg":"Too many visits."}')
    banned = bybit.ban(403, {}, "access too frequent")
    assert often is not None
    assert banned is not None
    assert (often.seconds, banned.seconds) == (1, 600)
