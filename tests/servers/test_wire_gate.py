"""What is Gate's own, through the real ccxt.pro: `t-` ids, whole contracts, stops that end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro
import pytest

from tests.servers.exchange import Wish
from tests.servers.shapes import differences
from tests.servers.wired import ID, Wired, wired
from tests.waiting import until
from trading.clocks import ManualClock, SystemClock

Json = Any
D = Decimal
FOLDER = Path(__file__).parent / "exchange" / "wires" / "gate"
SAMPLES = json.loads((FOLDER / "samples.json").read_text("utf-8"))
BTC = "BTC_USDT"
ABSENT = {
    "etf_net_value", "etf_pre_net_value", "etf_pre_timestamp", "etf_leverage",  # of a fund's token
    "finish_time", "finish_as",  # the examples have ended
    "id",  # of a book, when it is asked for
    "close_order",  # what a position was before
}  # fmt: skip
LOOSE = {"user", "fee", "point_fee", "create_time_ms", "time_ms", "update_id", "refr"}
"""Numbers here and text there, in the examples themselves."""
SELL = {"size": "-1000", "price": "0", "tif": "ioc"}


@pytest.fixture
async def spot() -> AsyncIterator[Wired]:
    async with wired("gate", "spot") as world:
        yield world


@pytest.fixture
async def swap() -> AsyncIterator[Wired]:
    async with wired("gate", "swap") as world:
        yield world


def like(name: str, ours: Json) -> None:
    assert differences(SAMPLES[name], ours, ABSENT) == [], name


async def placed(
    world: Wired, side: str, coins: str, price: float | None = None, **params: Any
) -> str:
    kind = "market" if price is None else "limit"
    amount = world.amount(coins)
    order = await world.exchange.create_order(world.symbol, kind, side, amount, price, params)
    return str(order["id"])


# --- shapes --------------------------------------------------------------------------------------


async def test_spot_is_told_like_the_real_one(spot: Wired) -> None:
    ask, of = spot.exchange, {"currency_pair": BTC}
    like("GET spot/currency_pairs", await ask.publicSpotGetCurrencyPairs())
    like("GET spot/tickers", await ask.publicSpotGetTickers(of))
    like("GET spot/order_book", await ask.publicSpotGetOrderBook(of))
    request = of | {"type": "limit", "side": "buy", "amount": "0.02", "price": "40000"}
    like("POST spot/orders", await ask.privateSpotPostOrders(request))
    like("GET spot/open_orders", await ask.privateSpotGetOpenOrders())
    await placed(spot, "sell", "0.1")
    like("GET spot/my_trades", await ask.privateSpotGetMyTrades(of))
    like("GET spot/candlesticks", await ask.publicSpotGetCandlesticks(of))
    like("GET spot/accounts", await ask.privateSpotGetAccounts())
    spot.engine.deposit("USDT", 5)
    like("GET spot/account_book", await ask.privateSpotGetAccountBook())
    stop = await ask.create_order(spot.symbol, "market", "sell", 0.1, 1, {"stopLossPrice": 45_000})
    assert set(stop["info"]) == {"id"}
    like("GET spot/price_orders", await ask.privateSpotGetPriceOrders({"status": "open"}))


async def test_perpetuals_are_told_like_the_real_ones(swap: Wired) -> None:
    ask, of = swap.exchange, {"settle": "usdt", "contract": BTC}
    contracts = await ask.publicFuturesGetSettleContracts(of)
    assert differences(SAMPLES["GET futures/contracts"], contracts, ABSENT) == []
    like("GET futures/tickers", await ask.publicFuturesGetSettleTickers(of))
    told = differences(
        SAMPLES["POST futures/orders"], await ask.privateFuturesPostSettleOrders(of | SELL), ABSENT
    )
    assert {line.split(" is ")[0] for line in told} <= {".size", ".left"}  # text, as it was asked
    await ask.create_order(swap.symbol, "market", "buy", 10, None, {"stopLossPrice": 55_000})
    stops = await ask.privateFuturesGetSettlePriceOrders(of | {"status": "open"})
    told = differences(SAMPLES["GET futures/price_orders"], stops, ABSENT)
    assert {line.split(" is ")[0] for line in told} <= {"[].initial.size"}
    fills = await ask.privateFuturesGetSettleMyTradesTimerange(of)
    told = differences(SAMPLES["GET futures/my_trades_timerange"], fills, ABSENT)
    assert {line.split(" is ")[0] for line in told} <= {"[].size"}
    positions = await ask.privateFuturesGetSettlePositions(of)
    told = differences(SAMPLES["GET futures/positions"], positions, ABSENT)
    assert {line.split(" is ")[0] for line in told} <= {"[].size"}
    like("GET futures/candlesticks", await ask.publicFuturesGetSettleCandlesticks(of))
    like("GET futures/accounts", await ask.privateFuturesGetSettleAccounts(of))
    like("GET futures/account_book", await ask.privateFuturesGetSettleAccountBook(of))


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_events_have_the_real_ones_keys(market: str) -> None:
    async with wired("gate", market) as world:
        heard: dict[str, Json] = {}

        def hear(told: Any) -> None:
            for event in world.venue.wire.user_events(told):
                heard[event["channel"]] = event

        world.engine.listen(hear)
        await placed(world, "sell", "0.1")
        await placed(world, "buy", "0.1", 55_100, stopLossPrice=55_000)
        for channel, event in heard.items():
            if f"stream {channel}" in SAMPLES:
                sample = SAMPLES[f"stream {channel}"]["result"]
                lacking = differences(sample, event["result"], ABSENT | LOOSE)
                assert [line for line in lacking if line.endswith("lacks")] == [], channel
        side = "spot" if market == "spot" else "futures"
        kinds = {"orders", "usertrades", "balances"}
        kinds |= {"priceorders"} if market == "spot" else {"positions", "autoorders"}
        assert set(heard) == {f"{side}.{kind}" for kind in kinds}


# --- ids, fills, contracts -----------------------------------------------------------------------


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_our_id_begins_with_t_and_is_known_while_the_order_is_open(market: str) -> None:
    async with wired("gate", market) as world:
        order = await placed(world, "buy", "0.02", 40_000, clientOrderId="qd-1")
        asked = {"clientOrderId": "qd-1"}
        found = await world.exchange.fetch_order(None, world.symbol, asked)
        assert (found["id"], found["clientOrderId"]) == (order, "t-qd-1")
        with pytest.raises(ccxt.OrderNotFound):  # ccxt sends it there without what it begins with
            await world.exchange.cancel_order("qd-1", world.symbol)
        gone = await world.exchange.cancel_order("t-qd-1", world.symbol)
        assert (gone["status"], world.engine.open_orders()) == ("canceled", [])
        with pytest.raises(ccxt.OrderNotFound):
            await world.exchange.fetch_order(None, world.symbol, asked)
        assert (await world.exchange.fetch_order(order, world.symbol))["status"] == "canceled"


async def test_an_id_that_begins_otherwise_is_refused(spot: Wired) -> None:
    with pytest.raises(ccxt.BadRequest, match="text"):
        await placed(spot, "buy", "0.02", 40_000, text="test")
    assert spot.engine.orders == {}


async def test_fills_of_an_order_are_asked_for_by_its_name_for_it(spot: Wired) -> None:
    """`orderId` is no parameter: it is ignored, and all fills are told."""
    first, second = await placed(spot, "sell", "0.1"), await placed(spot, "sell", "0.1")
    everything = await spot.exchange.fetch_my_trades(spot.symbol, params={"orderId": first})
    assert {fill["order"] for fill in everything} == {first, second}
    [fill] = await spot.exchange.fetch_my_trades(spot.symbol, params={"order_id": first})
    assert fill["order"] == first


async def test_perpetuals_are_whole_contracts_with_a_sign(swap: Wired) -> None:
    await placed(swap, "sell", "0.1")
    assert swap.engine.position(ID).amount == D("-0.1")
    [position] = await swap.exchange.fetch_positions([swap.symbol])
    assert (position["contracts"], position["side"]) == (1_000, "short")
    with pytest.raises(ccxt.BadRequest, match="size"):
        await swap.exchange.privateFuturesPostSettleOrders(
            {"settle": "usdt", "contract": BTC} | SELL | {"size": "0.5"}
        )


async def test_a_market_buy_of_spot_is_of_quote(spot: Wired) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="price"):
        await placed(spot, "buy", "0.1")
    await spot.exchange.create_market_buy_order_with_cost(spot.symbol, 100)
    assert spot.engine.trades[-1].quote == pytest.approx(D(100), abs=1)
    bought = await spot.exchange.create_order(
        spot.symbol, "limit", "buy", 0.01, 50_100, {"timeInForce": "IOC"}
    )
    assert (bought["filled"], bought["status"]) == (0.01, "closed")


async def test_a_leg_of_dual_mode_follows_from_sign_and_reduce_only(swap: Wired) -> None:
    await swap.exchange.privateFuturesPostSettleDualMode({"settle": "usdt", "dual_mode": True})
    await placed(swap, "buy", "0.1")
    await placed(swap, "sell", "0.1")
    legs = [swap.engine.position(ID, side).amount for side in ("LONG", "SHORT")]
    assert legs == [D("0.1"), D("-0.1")]
    await placed(swap, "sell", "0.1", reduceOnly=True)
    assert swap.engine.position(ID, "LONG").amount == 0


# --- stops ---------------------------------------------------------------------------------------


async def test_a_stop_of_perpetuals_becomes_another_order(swap: Wired) -> None:
    await placed(swap, "buy", "0.1")
    stop = await placed(
        swap, "sell", "0.1", stopLossPrice=45_000, reduceOnly=True, clientOrderId="t-stop"
    )
    [found] = await swap.exchange.fetch_open_orders(swap.symbol, params={"trigger": True})
    assert (found["id"], found["clientOrderId"]) == (stop, "t-stop")
    assert await swap.exchange.fetch_open_orders(swap.symbol) == []
    swap.engine.trade_through(ID, 44_990)
    ended = await swap.exchange.fetch_order(stop, swap.symbol, {"trigger": True})
    assert (ended["status"], ended["info"]["finish_as"]) == ("closed", "succeeded")
    order = await swap.exchange.fetch_order(str(ended["info"]["trade_id"]), swap.symbol)
    assert (order["filled"], order["info"]["text"]) == (1_000, f"ao-{stop}")
    with pytest.raises(ccxt.OrderNotFound):
        await swap.exchange.fetch_order("t-stop", swap.symbol, {"trigger": True})


async def test_a_stop_whose_text_does_not_begin_so_has_none(swap: Wired) -> None:
    """ccxt leaves our id as it is there."""
    await placed(swap, "buy", "0.1")
    await placed(swap, "sell", "0.1", stopLossPrice=45_000, clientOrderId="qd-stop")
    [found] = await swap.exchange.fetch_open_orders(swap.symbol, params={"trigger": True})
    assert found["clientOrderId"] == "api"


async def test_a_stop_without_anything_to_reduce_fails(swap: Wired) -> None:
    stop = await placed(swap, "sell", "0.1", stopLossPrice=45_000, reduceOnly=True)
    swap.engine.trade_through(ID, 44_990)
    ended = await swap.exchange.fetch_order(stop, swap.symbol, {"trigger": True})
    assert (ended["info"]["finish_as"], ended["status"]) == ("failed", "canceled")


async def test_a_trigger_on_the_wrong_side_is_refused(swap: Wired) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="AUTO_TRIGGER_PRICE_LESS_LAST"):
        await placed(swap, "sell", "0.1", stopLossPrice=55_000)
    with pytest.raises(ccxt.InvalidOrder, match="AUTO_TRIGGER_PRICE_GREATE_LAST"):
        await placed(swap, "sell", "0.1", takeProfitPrice=45_000)


async def test_a_stop_of_spot_ends_after_a_day_unless_it_says_otherwise() -> None:
    clock = ManualClock(SystemClock().now())
    async with wired("gate", "spot", clock=clock) as world:
        ask, symbol = world.exchange, world.symbol
        day = await ask.create_order(
            symbol, "limit", "sell", 0.1, 44_000, {"stopLossPrice": 45_000}
        )
        two = {"stopLossPrice": 45_000, "expiration": 172_800}
        longer = await ask.create_order(symbol, "limit", "sell", 0.1, 44_000, two)
        clock.advance(86_401)
        ask.options["timeDifference"] = -86_401_000
        left = await ask.fetch_open_orders(symbol, params={"trigger": True})
        assert [order["id"] for order in left] == [longer["id"]]
        ended = await ask.fetch_order(day["id"], symbol, {"trigger": True})
        assert (ended["info"]["status"], ended["status"]) == ("expired", "canceled")


# --- pages, limits, refusals, streams ------------------------------------------------------------


async def test_pages_hold_a_hundred_unless_more_is_asked_for(swap: Wired) -> None:
    for _ in range(120):
        swap.engine.place(Wish(symbol=ID, side="BUY", type="MARKET", quantity=D("0.0001")))
    assert len(await swap.exchange.fetch_my_trades(swap.symbol)) == 100
    assert len(await swap.exchange.fetch_my_trades(swap.symbol, limit=1000)) == 120
    rest = await swap.exchange.fetch_my_trades(swap.symbol, params={"offset": 100})
    assert len(rest) == 20


async def test_each_path_has_a_limit_of_its_own_told_in_headers(spot: Wired) -> None:
    spot.venue.wire.per = 600_000

    async def burst() -> None:
        for _ in range(401):
            await spot.exchange.privateSpotGetAccounts()

    with pytest.raises(ccxt.RateLimitExceeded, match="TOO_MANY_REQUESTS"):
        await burst()
    headers = spot.exchange.last_response_headers
    assert headers["X-Gate-RateLimit-Requests-Remain"] == "0"
    await spot.exchange.fetch_open_orders(spot.symbol)


async def test_a_wrong_clock_and_an_order_whose_time_is_over_are_refused(spot: Wired) -> None:
    spot.exchange.options["timeDifference"] = 120_000
    with pytest.raises(ccxt.AuthenticationError, match="REQUEST_EXPIRED"):
        await placed(spot, "buy", "0.02", 40_000)
    spot.exchange.options["timeDifference"] = 0
    spot.exchange.headers = {"X-Gate-Exptime": str(spot.engine.now - 1)}
    with pytest.raises(ccxt.AuthenticationError, match="REQUEST_EXPIRED"):
        await placed(spot, "buy", "0.02", 40_000)
    assert spot.engine.orders == {}


async def test_post_only_that_would_take_is_refused(spot: Wired, swap: Wired) -> None:
    for world in (spot, swap):
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await placed(world, "buy", "0.02", 50_010, postOnly=True)


async def test_stops_have_a_stream_of_their_own(swap: Wired) -> None:
    watch = swap.exchange.watch_orders(swap.symbol, params={"trigger": True})
    watching = await swap.listening(watch, "autoorders")
    stop = await placed(swap, "sell", "0.1", stopLossPrice=45_000)
    [told] = await swap.told(watching)
    assert (told["id"], told["status"]) == (stop, "open")


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_market_streams_tell_tickers_bars_and_books(market: str) -> None:
    async with wired("gate", market) as world:
        await world.told(world.exchange.watch_order_book(world.symbol))
        world.engine.set_book(ID, bids=[(49_980, 4)], asks=[(50_020, 3)])
        await world.book(49_980, 50_020)
        ticker = await world.told(world.exchange.watch_ticker(world.symbol))
        assert (ticker["bid"], ticker["ask"]) == (49_980, 50_020)
        world.engine.others_trade(ID, 50_000, 1)
        [bar] = await world.told(world.exchange.watch_ohlcv(world.symbol, "1m"))
        assert bar[4] == 50_000


async def test_fills_and_money_are_streamed(swap: Wired) -> None:
    watching = await swap.listening(swap.exchange.watch_my_trades(swap.symbol), "usertrades")
    order = await placed(swap, "sell", "0.1")
    [fill] = await swap.told(watching)
    assert (fill["order"], fill["amount"], fill["price"]) == (order, 1_000, 49_990)
    watching = await swap.listening(swap.exchange.watch_balance(), "balances")
    await placed(swap, "sell", "0.1")
    assert (await swap.told(watching))["USDT"]["total"] < 10_000


async def test_a_subscription_with_a_bad_signature_is_refused(spot: Wired) -> None:
    spot.exchange.secret = "wrong"
    with pytest.raises(ccxt.ExchangeError, match="invalid key"):
        await spot.told(spot.exchange.watch_orders(spot.symbol))


async def test_a_ping_is_answered(spot: Wired) -> None:
    url = f"{spot.venue.ws_url}/api.gateio.ws/ws/v4/"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json({"time": 1, "channel": "spot.ping"})
        assert (await spot.told(socket.receive_json()))["channel"] == "spot.pong"
    await until(lambda: spot.venue.connections == [])
