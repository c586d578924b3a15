"""What only OKX does, through the real ccxt, at its wire."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.servers.exchange import ApiKey, Garble, Refuse
from tests.trading.venues.ccxt_world import BTC, CcxtWorld, a_world
from tests.waiting import until
from trading.errors import VenueError, VenueRejected, VenueUncertain
from trading.types import Held, MovementKind, OrderStatus, OrderType
from trading.venues.ccxt.answers import Meaning
from trading.venues.ccxt.row import Can, Market
from trading.venues.exchanges import exchange

D = Decimal
ID = "BTCUSDT"
BOTH = pytest.mark.parametrize("market", ["spot", "swap"])


def asked_of(world: CcxtWorld, path: str) -> list[dict[str, Any]]:
    """What was asked for there, lists of orders taken apart."""
    found: list[dict[str, Any]] = []
    for request in world.server.requests:
        if request.path.endswith(path):
            batch = request.params.get("batch")
            told = json.loads(batch) if isinstance(batch, str) else batch
            found += told or [dict(request.params)]
    return found


# -- the account --------------------------------------------------------------------------------


async def test_a_simple_account_has_no_perpetuals_and_is_refused_before_anything_is_sent() -> None:
    async with a_world("swap", at="okx", opens=False) as world:
        world.server.wire.trading.level = "1"
        with pytest.raises(VenueRejected, match="simple one, which has no perpetuals"):
            await world.venue.open(world.heard.append)
        assert not world.server.asked(path="place")


async def test_a_simple_account_trades_on_spot_with_cash() -> None:
    async with a_world("spot", at="okx") as world:
        await world.place(world.order())
        (asked,) = asked_of(world, "trade/batch-orders")
        assert (asked["tdMode"], asked["tgtCcy"], D(asked["sz"])) == ("cash", "base_ccy", D("0.01"))


@pytest.mark.parametrize("mode", ["cross", "isolated"])
async def test_each_order_names_the_margin_mode_of_what_is_held(mode: str) -> None:
    async with a_world("swap", at="okx", opens=False) as world:
        held_in(world, mode)
        await world.venue.open(world.heard.append)
        await world.place(world.order())
        await world.place(world.stop())
        named = asked_of(world, "trade/batch-orders") + asked_of(world, "trade/order-algo")
        assert {asked["tdMode"] for asked in named} == {mode}


async def test_positions_in_both_margin_modes_are_refused() -> None:
    async with a_world("swap", at="okx", opens=False) as world:
        held_in(world, "cross", "isolated")
        with pytest.raises(VenueRejected, match="cross and in isolated margin"):
            await world.venue.open(world.heard.append)


def held_in(world: CcxtWorld, *modes: str) -> None:
    """The wire's engine knows cross margin alone: what it tells at opening is put in its place."""
    held = [{"instId": "BTC-USDT-SWAP", "mgnMode": mode, "pos": "1"} for mode in modes]
    told = json.dumps({"code": "0", "msg": "", "data": held})
    world.faults.on("GET", "positions", Garble(200, told))


async def test_what_a_key_may_do_is_told() -> None:
    key = ApiKey(key="test-key", secret="test-secret", withdrawals=True)
    async with a_world("spot", at="okx", opens=False) as world:
        world.server.wire.site.keys[key.key] = key
        told = await world.venue.examine()
        assert [line for line in told if "withdraw" in line]
        assert not [line for line in told if "trade" in line]


async def test_a_wrong_passphrase_is_told_as_that() -> None:
    key = ApiKey(key="test-key", secret="test-secret", passphrase="another")
    async with a_world("spot", at="okx", opens=False, access={"key": key}) as world:
        with pytest.raises(VenueError, match="passphrase"):
            await world.venue.open(world.heard.append)


# -- contracts ----------------------------------------------------------------------------------


async def test_coins_are_contracts_on_the_wire_and_coins_again() -> None:
    async with a_world("swap", at="okx") as world:
        order = world.order(quantity=D("0.03"))
        await world.place(order)
        (asked,) = asked_of(world, "trade/batch-orders")
        assert D(asked["sz"]) == 3
        found = await world.venue.find(order)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.FILLED, D("0.03"))
        assert sum(fill.quantity for fill in found.fills) == D("0.03")
        assert await world.venue.positions() == {BTC: Held(long=D("0.03"))}
        assert world.engine.position(ID).amount == D("0.03")
        stop = world.stop(quantity=D("0.03"))
        await world.place(stop)
        (waiting,) = await world.venue.open_orders()
        assert waiting.order is not None
        assert (waiting.order_id, waiting.order.quantity) == (stop.id, D("0.03"))


async def test_what_was_paid_is_a_cost_on_the_stream_too() -> None:
    """ccxt turns the sign of OKX's fees in answers, and not on the stream."""
    async with a_world("swap", at="okx") as world:
        order = world.limit("49000")
        await world.place(order)
        world.engine.trade_through(ID, 48_000)
        await until(partial(world.fills_of, order))
        heard = [fill for report in world.told_of(order) for fill in report.fills]
        assert {fill.fee for fill in heard} == {D(49_000) * D("0.01") * world.engine.maker_fee}


# -- stops, and what they become ----------------------------------------------------------------


@pytest.mark.parametrize(("kind", "leg"), [(OrderType.STOP, "sl"), (OrderType.TARGET, "tp")])
async def test_what_waits_for_a_price_is_found_by_its_own_id(kind: OrderType, leg: str) -> None:
    async with a_world("swap", at="okx") as world:
        order = world.stop() if kind is OrderType.STOP else world.target()
        await world.place(world.order())
        await world.place(order)
        (asked,) = asked_of(world, "trade/order-algo")
        wire_id = exchange("okx", Market.SWAP).encode(order.id)
        assert (asked["algoClOrdId"], asked["ordType"]) == (wire_id, "conditional")
        assert (asked[f"{leg}TriggerPxType"], asked[f"{leg}OrdPx"]) == ("mark", "-1")
        (told,) = [each.order for each in await world.venue.open_orders()]
        assert told is not None
        assert (told.id, told.type, told.stop_price) == (order.id, kind, order.stop_price)


async def test_what_a_stop_becomes_is_its_own_order_and_is_told_as_the_stops() -> None:
    """ccxt calls it by the stop's id, which no fill names."""
    async with a_world("swap", at="okx") as world:
        await world.place(world.order())
        stop = world.stop()
        placed = await world.place(stop)
        world.engine.trade_through(ID, 44_990)
        for venue in (world.venue, world.another_venue()):
            found = await venue.find(stop)
            assert found is not None
            assert (found.status, found.venue_id) == (OrderStatus.FILLED, placed.venue_id)
            assert [fill.quantity for fill in found.fills] == [D("0.01")]
        await until(partial(world.fills_of, stop))
        told = await world.another_venue().ours_since(BTC, stop.created_at - timedelta(minutes=1))
        assert [report.order_id for report in told].count(stop.id) == 1


async def test_an_answer_without_an_order_is_no_order() -> None:
    """ccxt makes one of it that would count as open."""
    async with a_world("swap", at="okx") as world:
        stop = world.stop()
        nothing = Garble(200, '{"code":"0","msg":"","data":[]}')
        world.faults.on("GET", "find", nothing, times=None)
        assert await world.venue.find(stop) is None


async def test_a_stop_that_came_to_nothing_says_so() -> None:
    async with a_world("swap", at="okx") as world:
        await world.place(world.order())
        stop = world.stop()
        await world.place(stop)
        await world.place(world.order(side=stop.side))
        world.engine.trade_through(ID, 44_990)
        found = await world.venue.find(stop)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.CANCELLED, D(0))
        assert "refused the order (code 51169)" in found.note


async def test_spot_has_no_stops_and_says_who_keeps_them() -> None:
    row = exchange("okx", Market.SPOT).row
    assert row.lacking(Can.STOPS).endswith("the desk keeps them itself.")
    async with a_world("spot", at="okx") as world:
        await world.place(world.order())
        with pytest.raises(VenueRejected, match="can rest"):
            await world.place(world.stop())


# -- lists, streams, money ----------------------------------------------------------------------


async def test_lists_are_read_past_their_first_page() -> None:
    async with a_world("swap", at="okx") as world:
        orders = [world.limit(str(40_000 - n), quantity=D("0.001")) for n in range(120)]
        for order in orders:
            world.put_by_hand(order)
        told = {each.order_id for each in await world.venue.open_orders()}
        assert told == {order.id for order in orders}
        assert any("after" in asked for asked in asked_of(world, "trade/orders-pending"))


async def test_streams_are_of_one_market_alone() -> None:
    """Of another's orders, of the same account, ccxt would stumble: it has not listed them."""
    async with a_world("spot", at="okx") as world:
        connections = world.server.wire.site.connections
        kinds = {
            arg.get("instType")
            for connection in connections
            for arg in connection.names.values()
            if str(arg["channel"]).startswith("orders")
        }
        assert kinds == {"SPOT"}


async def test_funding_is_a_movement_and_fills_are_none() -> None:
    async with a_world("swap", at="okx") as world:
        begun = world.clock.now()
        await world.place(world.order())
        await until(world.engine.positions)
        world.engine.pay_funding(ID, D("0.0001"))
        (paid,) = await world.venue.movements(begun)
        assert (paid.kind, paid.symbol) == (MovementKind.FUNDING, BTC)
        assert paid.amount < 0


async def test_the_wallet_is_without_what_is_open() -> None:
    async with a_world("swap", at="okx") as world:
        await world.place(world.order())
        before = await world.venue.wallet()
        world.engine.trade_through(ID, 60_000)
        assert world.engine.profit() > 0
        assert await world.venue.wallet() == before == world.engine.wallet


async def test_days_begin_at_midnight_utc() -> None:
    async with a_world("spot", at="okx") as world:
        okx, day = world.connection.exchange, 86_400_000
        begin = world.connection.now() // day * day
        world.engine.trade_through(ID, 50_000)
        (bar,) = await okx.candles(world.connection, "BTC/USDT", "1d", begin, 1)
        assert bar[0] == begin
        assert {asked["bar"] for asked in asked_of(world, "market/candles")} == {"1Dutc"}


async def test_old_bars_are_asked_for_in_pages_that_begin_where_they_should() -> None:
    async with a_world("spot", at="okx") as world:
        minute = 60_000
        now = world.connection.now() // minute * minute
        begin = now - 3_000 * minute
        world.server.klines[ID, "1m"] = [
            [begin + n * minute, "1", "2", "1", "2", "1", 0, "1", 1, "1", "1", "0"]
            for n in range(3_000)
        ]
        okx = world.connection.exchange
        bars = await okx.candles(world.connection, "BTC/USDT", "1m", begin, 250)
        assert [bar[0] for bar in bars] == [begin + n * minute for n in range(250)]


# -- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("50001", Meaning.UNCLEAR),
        ("50004", Meaning.UNCLEAR),
        ("50005", Meaning.UNCLEAR),
        ("50013", Meaning.UNCLEAR),
        ("50026", Meaning.UNCLEAR),
        ("50011", Meaning.TURNED_AWAY),
        ("50061", Meaning.TURNED_AWAY),
        ("50102", Meaning.TURNED_AWAY),
        ("51603", Meaning.NOT_FOUND),
        ("51008", Meaning.REFUSED),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["code", "sCode"])
def test_codes_mean_what_they_mean_wherever_they_stand(
    code: str, means: Meaning, inside: bool
) -> None:
    """Of a list the outer code tells only that all of it failed."""
    item = {"clOrdId": "", "ordId": "", "sCode": code, "sMsg": "words"}
    told = {"code": "1", "data": [item], "msg": "All operations failed"}
    told = told if inside else {"code": code, "data": [], "msg": "words"}
    error, okx = ccxt.ExchangeError(f"okx {json.dumps(told)}"), exchange("okx", Market.SWAP)
    assert okx.meaning(error, 200) is means
    assert okx.code_of(error) == code


async def test_an_answer_that_leaves_it_open_is_a_doubt() -> None:
    async with a_world("swap", at="okx") as world:
        world.faults.on("POST", "place", Refuse(200, "50026", "System error."))
        with pytest.raises(VenueUncertain):
            await world.place(world.order())


async def test_a_refused_order_says_the_exchanges_own_words() -> None:
    async with a_world("swap", at="okx") as world:
        with pytest.raises(VenueRejected, match="SL trigger price cannot be higher"):
            await world.place(world.stop("55000"))


def test_a_path_rests_for_a_moment_and_orders_alone_where_only_they_are_too_many() -> None:
    okx = exchange("okx", Market.SWAP)
    often = okx.ban(429, {}, '{"code":"50011","msg":"Too Many Requests","data":[]}')
    orders = okx.ban(200, {}, '{"code":"50061","msg":"Too many orders","data":[]}')
    banned = okx.ban(403, {}, "Forbidden")
    assert often is not None
    assert orders is not None
    assert banned is not None
    assert (often.seconds, often.only_orders) == (2, False)
    assert (orders.seconds, orders.only_orders) == (2, True)
    assert (banned.seconds, banned.only_orders) == (60, False)


@BOTH
def test_our_ids_lose_their_hyphens_alone(market: str) -> None:
    okx = exchange("okx", Market(market))
    assert okx.encode("qd-1f3a-e-9c0d2e4f6a8b1c3d") == "qd1f3ae9c0d2e4f6a8b1c3d"
    assert okx.decode("qd1f3ae9c0d2e4f6a8b1c3d") == "qd-1f3a-e-9c0d2e4f6a8b1c3d"
    assert not okx.row.accepts_id(okx.encode("qd-1f3a-e-short"))


@BOTH
async def test_an_order_is_found_whatever_became_of_it(market: str) -> None:
    async with a_world(market, at="okx") as world:
        gone, filled, rests = world.limit("41000"), world.limit("42000"), world.limit("39000")
        for order in (gone, filled, rests):
            await world.place(order)
        await world.venue.cancel(gone)
        world.engine.trade_through(ID, 41_500)
        again = world.another_venue()
        found = [await again.find(order) for order in (gone, filled, rests)]
        assert [each and each.status for each in found] == [
            OrderStatus.CANCELLED,
            OrderStatus.FILLED,
            OrderStatus.OPEN,
        ]
        told = await again.ours_since(BTC, gone.created_at - timedelta(minutes=1))
        assert {report.order_id for report in told} == {gone.id, filled.id, rests.id}
        assert await again.find(replace(world.limit(), created_at=gone.created_at)) is None
