"""What only Kraken does, through the real ccxt, at its wire."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.servers.exchange import DROP_REPLY, ApiKey
from tests.trading.venues.ccxt_world import BTC, ETH, CcxtWorld, a_world
from tests.waiting import until
from trading.errors import VenueRejected, VenueUnavailable, VenueUncertain
from trading.types import MovementKind, Order, OrderStatus
from trading.venues.ccxt.answers import Meaning
from trading.venues.ccxt.row import Can, Market
from trading.venues.exchanges import exchange
from trading.venues.exchanges.kraken import Kraken

D = Decimal
HERE: dict[str, Any] = {"at": "kraken"}


# -- the key ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "window", "told"),
    [
        (ApiKey(key="k", secret="s", withdrawals=True), 10_000, ["may withdraw"]),
        (ApiKey(key="k", secret="s"), 0, ["no nonce window"]),
        (ApiKey(key="k", secret="s", spot=False), 10_000, ["may not trade", "may not cancel"]),
        (ApiKey(key="k", secret="s"), 10_000, []),
    ],
)
async def test_the_check_tells_what_is_wrong_with_the_key(
    key: ApiKey, window: int, told: list[str]
) -> None:
    async with a_world("spot", **HERE, opens=False, access={"key": key}) as world:
        world.server.wire.site.keys[key.key] = key
        world.server.wire.nonce_window = window
        await world.connection.open(world)
        lines = await world.venue.examine()
        await world.connection.close(world)
        assert len(lines) == len(told)
        assert all(part in line for part, line in zip(told, lines, strict=True))


async def test_that_the_key_is_for_one_desk_is_told() -> None:
    async with a_world("spot", **HERE) as world:
        assert "for this desk alone" in world.connection.account.facts["key"]


async def test_a_nonce_that_is_behind_turns_an_order_away_and_says_why() -> None:
    async with a_world("spot", **HERE) as world:
        world.server.wire.nonce_window = 0
        world.server.wire.nonces["test-key"] = 10**15
        with pytest.raises(VenueUnavailable, match="another program uses this key") as refused:
            await world.place(world.limit())
        assert not isinstance(refused.value, VenueUncertain)
        assert world.engine.orders == {}


# -- what leaves --------------------------------------------------------------------------------


async def test_an_order_carries_a_short_id_a_deadline_and_fees_in_the_quote() -> None:
    async with a_world("spot", **HERE) as world:
        orders = (world.limit(), world.limit(post_only=True), world.order(), world.stop())
        for order in orders:
            await world.place(order)
        asked = [request.params for request in world.server.asked(path="place")]
        assert [a["ordertype"] for a in asked] == ["limit", "limit", "market", "stop-loss"]
        assert [a["oflags"] for a in asked] == ["fciq", "fciq,post", "fciq", "fciq"]
        for order, params in zip(orders, asked, strict=True):
            wire_id = params["cl_ord_id"]
            assert len(wire_id) == 17
            assert world.connection.exchange.decode(wire_id) == order.id
            assert params["deadline"].endswith("Z")


class WaitsForATrigger(Kraken):
    """As ccxt's other exchanges are told a stop."""

    def trigger_params(self, order: Order) -> dict[str, Any]:
        return {"triggerPrice": str(order.stop_price)}


async def test_a_stop_in_a_field_that_is_not_read_never_leaves() -> None:
    """It would be a market order."""
    async with a_world("spot", **HERE, access={"made": WaitsForATrigger}) as world:
        with pytest.raises(VenueRejected):
            await world.place(world.stop())
        assert world.engine.orders == {}


async def test_an_order_that_comes_too_late_is_turned_away() -> None:
    """As when it waited on its way: the clock of the venue is past its deadline."""
    async with a_world("spot", **HERE) as world:
        world.connection.ccxt.options["timeDifference"] = 60_000
        with pytest.raises(VenueUnavailable, match="too late"):
            await world.place(world.limit())
        assert world.engine.orders == {}
        await world.place(world.limit())  # the clock was set by the venue's


async def test_a_fee_is_money_bought_or_sold() -> None:
    async with a_world("spot", **HERE) as world:
        order = world.order(quantity=D("0.02"))
        await world.place(order)
        found = await world.venue.find(order)
        assert found is not None
        assert sum(fill.quantity for fill in found.fills) == D("0.02")
        worth = sum(fill.price * fill.quantity for fill in found.fills)
        assert sum(fill.fee for fill in found.fills) == worth * world.engine.taker_fee


async def test_a_cancel_names_our_id_and_nothing_else() -> None:
    async with a_world("spot", **HERE) as world:
        order = world.limit()
        await world.place(order)
        assert (await world.venue.cancel(order)).status is OrderStatus.CANCELLED
        (asked,) = world.server.asked(path="cancel")
        assert world.connection.exchange.decode(asked.params["cl_ord_id"]) == order.id
        assert "txid" not in asked.params


# -- what is found again ------------------------------------------------------------------------


async def test_an_order_is_found_by_our_id_whatever_became_of_it() -> None:
    async with a_world("spot", **HERE) as world:
        gone, filled, rests = world.limit("41000"), world.limit("42000"), world.limit("39000")
        touched = world.stop("41900", quantity=D("0.005"))
        for order in (gone, filled, rests, touched):
            await world.place(order)
        await world.venue.cancel(gone)
        world.engine.trade_through("BTCUSDT", 41_500)
        again = world.another_venue()
        found = [await again.find(order) for order in (gone, filled, rests, touched)]
        assert [each and each.status for each in found] == [
            OrderStatus.CANCELLED,
            OrderStatus.FILLED,
            OrderStatus.OPEN,
            OrderStatus.FILLED,
        ]
        assert found[3] is not None
        assert found[3].triggered
        assert await again.find(world.limit()) is None


async def test_everybodys_fills_are_booked_as_nobodys_but_their_own() -> None:
    async with a_world("spot", **HERE) as world:
        first, second = world.order(), world.order(quantity=D("0.02"))
        for order in (first, second):
            await world.place(order)
        for order in (first, second):
            found = await world.venue.find(order)
            assert found is not None
            assert sum(fill.quantity for fill in found.fills) == order.quantity


async def test_lists_are_read_past_their_first_page() -> None:
    async with a_world("spot", **HERE) as world:
        begun = world.clock.now() - timedelta(seconds=1)
        orders = [world.limit("50020", quantity=D("0.001")) for _ in range(60)]
        for order in orders:
            world.put_by_hand(order)
        told = await world.venue.ours_since(BTC, begun)
        assert {each.order_id for each in told} == {order.id for order in orders}
        assert all(each.status is OrderStatus.FILLED and each.fills for each in told)
        assert await world.venue.ours_since(ETH, begun) == []


async def test_open_orders_of_all_symbols_are_one_question() -> None:
    async with a_world("spot", **HERE) as world:
        orders = world.limit(), world.limit(symbol=ETH)
        for order in orders:
            await world.place(order)
        before = world.asked("POST", "open")
        told = await world.venue.open_orders()
        assert {each.order_id for each in told} == {order.id for order in orders}
        assert world.asked("POST", "open") == before + 1


async def test_an_answer_that_is_lost_is_in_doubt_and_is_found() -> None:
    async with a_world("spot", **HERE) as world:
        order = world.limit()
        world.faults.on("*", "place", DROP_REPLY)
        with pytest.raises(VenueUncertain):
            await world.place(order)
        found = await world.venue.find(order)
        assert found is not None
        assert found.status is OrderStatus.OPEN


async def test_a_pair_that_is_not_listed_any_more_keeps_its_name() -> None:
    async with a_world("spot", **HERE) as world:
        order = world.limit()
        await world.place(order)
        world.connection.ccxt.options["marketsByAltname"].pop("XBTUSDT")
        world.connection.ccxt.markets_by_id.pop("XBTUSDT")
        (told,) = await world.connection.exchange.open_orders(world.connection, None)
        assert told["symbol"] == world.connection.exchange.market_id(BTC) == "XBTUSDT"


async def test_prices_take_little_of_what_the_account_may_ask() -> None:
    """Kraken counts them apart."""
    async with a_world("spot", **HERE) as world:
        api, budget = world.connection.ccxt, world.connection.budget
        spent = []
        for ask in (api.fetch_order_book, api.fetch_ohlcv, api.fetch_ticker, api.fetch_open_orders):
            before = budget.used
            await world.connection.ask(ask, "BTC/USDT")
            spent.append(round((budget.used - before) * 60, 2))
        assert spent == [0.25, 0.25, 0.25, 3]


# -- streams ------------------------------------------------------------------------------------


async def test_a_part_that_filled_before_a_cancel_is_not_lost_in_the_stream() -> None:
    async with a_world("spot", **HERE) as world:
        order = world.limit(quantity=D("0.02"))
        await world.place(order)
        world.engine.trade_through("BTCUSDT", 39_990, quantity="0.005")
        await until(lambda: world.fills_of(order))
        world.engine.cancel("BTCUSDT", client_id=world.connection.exchange.encode(order.id))
        await until(lambda: _ended(world, order))
        (last,) = _ended(world, order)
        assert (last.status, last.filled) == (OrderStatus.CANCELLED, D("0.005"))
        assert sum(world.fills_of(order).values()) == D("0.005")


def _ended(world: CcxtWorld, order: Order) -> list[Any]:
    return [each for each in world.told_of(order) if each.status is OrderStatus.CANCELLED]


def test_a_subscription_that_is_refused_ends_the_stream() -> None:
    kraken = exchange("kraken", Market.SPOT)
    refused = {"method": "subscribe", "success": False, "error": "ESession:Invalid session"}
    assert kraken.last_word(refused) == "ESession:Invalid session"
    assert kraken.last_word({"method": "subscribe", "success": True}) == ""
    assert kraken.last_word({"channel": "executions", "type": "snapshot", "data": []}) == ""


# -- money and words ----------------------------------------------------------------------------


async def test_what_came_and_went_is_a_movement_and_fills_are_none() -> None:
    async with a_world("spot", **HERE) as world:
        begun = world.clock.now() - timedelta(seconds=1)
        await world.place(world.order())
        world.engine.deposit("USDT", 100)
        world.engine.withdraw("USDT", 30)
        world.engine.deposit("BTC", 1)
        told = await world.venue.movements(begun)
        assert sorted(each.amount for each in told) == [-30, 100]
        assert {each.kind for each in told} == {MovementKind.TRANSFER}


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("EService:Timeout", Meaning.UNCLEAR),
        ("EService:Unavailable", Meaning.UNCLEAR),
        ("EService:Busy", Meaning.UNCLEAR),
        ("EGeneral:Internal error:42", Meaning.UNCLEAR),
        ("EAPI:Invalid nonce", Meaning.TURNED_AWAY),
        ("EAPI:Rate limit exceeded", Meaning.TURNED_AWAY),
        ("EOrder:Rate limit exceeded", Meaning.TURNED_AWAY),
        ("EService: Throttled: 1700000000", Meaning.TURNED_AWAY),
        ("EService:Deadline elapsed", Meaning.TURNED_AWAY),
        ("EOrder:Unknown order", Meaning.NOT_FOUND),
        ("EOrder:Insufficient funds", Meaning.REFUSED),
        ("EGeneral:Invalid arguments:volume minimum not met", Meaning.REFUSED),
    ],
)
def test_errors_mean_what_they_mean(text: str, means: Meaning) -> None:
    error = ccxt.ExchangeError(f'kraken {{"error":["{text}"]}}')
    assert exchange("kraken", Market.SPOT).meaning(error, 200) is means


def test_a_lockout_is_a_quarter_of_an_hour() -> None:
    kraken = exchange("kraken", Market.SPOT)
    banned = kraken.ban(200, {}, '{"error":["EGeneral:Temporary lockout"]}')
    often = kraken.ban(429, {}, "")
    assert banned is not None
    assert often is not None
    assert (banned.seconds, often.seconds) == (900, 10)
    assert kraken.ban(200, {}, '{"error":["EAPI:Rate limit exceeded"]}') is None


def test_perpetuals_are_refused_in_a_sentence() -> None:
    row = exchange("kraken", Market.SWAP).row
    assert "not offered yet" in row.lacking(Can.ENTRIES)
    assert row.lacking(Can.PRICES) == row.lacking(Can.ENTRIES)
