"""What is Bybit's own, through the real ccxt.pro: ids, stops, pages, limits, streams."""

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
from tests.servers.exchange.wires.bybit.wire import BY_ADDRESS
from tests.servers.shapes import differences
from tests.servers.wired import ID, Wired, wired
from tests.waiting import until

Json = Any
D = Decimal
FOLDER = Path(__file__).parent / "exchange" / "wires" / "bybit"
SAMPLES = json.loads((FOLDER / "samples.json").read_text("utf-8"))
ABSENT = {
    "stopLoss", "takeProfit",
    "createAt",  # of a batch: when each was made
    "mmrSysUpdateTime",  # the example's name for what is mmrSysUpdatedTime elsewhere
    "avgPrice",  # entryPrice in the stream
    "bid1Price", "bid1Size", "ask1Price", "ask1Size",  # the stream of spot has none
}  # fmt: skip

LIMIT = {"symbol": ID, "side": "Buy", "orderType": "Limit", "qty": "0.02", "price": "40000"}


@pytest.fixture
async def spot() -> AsyncIterator[Wired]:
    async with wired("bybit", "spot") as world:
        yield world


@pytest.fixture
async def swap() -> AsyncIterator[Wired]:
    async with wired("bybit", "swap") as world:
        yield world


def like(name: str, ours: Json) -> None:
    assert differences(SAMPLES[name], ours, ABSENT) == [], name


async def placed(
    world: Wired, side: str, coins: float, price: float | None = None, **params: Any
) -> str:
    kind = "market" if price is None else "limit"
    order = await world.exchange.create_order(world.symbol, kind, side, coins, price, params)
    return str(order["id"])


async def named(world: Wired, link: str, path: str = "Realtime") -> list[Json]:
    """What the exchange finds under one of our ids."""
    ask = getattr(world.exchange, f"privateGetV5Order{path}")
    category = "spot" if world.venue.market == "spot" else "linear"
    answer = await ask({"category": category, "symbol": ID, "orderLinkId": link})
    found: list[Json] = answer["result"]["list"]
    return found


# --- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_rest_answers_are_like_the_real_ones(market: str) -> None:
    async with wired("bybit", market) as world:
        kind, ask = ("spot" if market == "spot" else "linear"), world.exchange
        of = {"category": kind, "symbol": ID}
        like(f"GET tickers {kind}", await ask.publicGetV5MarketTickers(of))
        like(f"GET instruments-info {kind}", await ask.publicGetV5MarketInstrumentsInfo(of))
        resting = await placed(world, "buy", 0.02, 40_000)
        like("GET order/realtime", await ask.privateGetV5OrderRealtime(of))
        order = {**of, "orderId": resting}
        cancelled = await ask.privatePostV5OrderCancel(order)
        like("POST order/cancel", cancelled)
        request = {"side": "Buy", "orderType": "Market", "qty": "0.1", "marketUnit": "baseCoin"}
        like("POST order/create", await ask.privatePostV5OrderCreate(of | request))
        like("GET order/history", await ask.privateGetV5OrderHistory(of))
        like("GET execution/list", await ask.privateGetV5ExecutionList(of))
        like("GET kline", await ask.publicGetV5MarketKline({**of, "interval": "60"}))
        like("GET orderbook", await ask.publicGetV5MarketOrderbook(of))
        like("GET recent-trade", await ask.publicGetV5MarketRecentTrade(of))
        unified = {"accountType": "UNIFIED"}
        like("GET wallet-balance", await ask.privateGetV5AccountWalletBalance(unified))
        like("GET fee-rate", await ask.privateGetV5AccountFeeRate(of))
        like("GET account/info", await ask.privateGetV5AccountInfo())
        like("GET query-api", await ask.privateGetV5UserQueryApi())
        if market == "swap":
            like("GET position/list", await ask.privateGetV5PositionList(of))
            like("GET transaction-log", await ask.privateGetV5AccountTransactionLog())
        batch = [request | {"symbol": ID}]
        many = await ask.privatePostV5OrderCreateBatch({"category": kind, "request": batch})
        like("POST order/create-batch", many)
        like("POST order/cancel-all", await ask.privatePostV5OrderCancelAll(of))


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_events_are_like_the_real_ones(market: str) -> None:
    async with wired("bybit", market) as world:
        heard: dict[str, Json] = {}

        def hear(told: Any) -> None:
            for event in world.venue.wire.user_events(told):
                heard[event["topic"]] = event

        world.engine.listen(hear)
        await placed(world, "sell", 0.1)
        for topic, event in heard.items():
            like(f"stream {topic}", json.loads(json.dumps(event)))
        assert set(heard) == {"order", "execution", "wallet"} | (
            {"position"} if market == "swap" else set()
        )


# --- our ids -------------------------------------------------------------------------------------


async def test_an_order_is_found_by_our_id_whatever_became_of_it(swap: Wired) -> None:
    order = await placed(swap, "buy", 0.02, 40_000, clientOrderId="qd-1")
    assert [found["orderStatus"] for found in await named(swap, "qd-1")] == ["New"]
    swap.engine.trade_through(ID, 39_990, quantity="0.005")
    assert (await named(swap, "qd-1"))[0]["orderStatus"] == "PartiallyFilled"
    with pytest.raises(ccxt.BadRequest):  # ccxt sends a clientOrderId that Bybit does not read
        await swap.exchange.cancel_order(None, swap.symbol, {"clientOrderId": "qd-1"})
    await swap.exchange.cancel_order(None, swap.symbol, {"orderLinkId": "qd-1"})
    await until(lambda: not swap.engine.open_orders())
    [ended] = await named(swap, "qd-1")
    assert (ended["orderStatus"], ended["cumExecQty"]) == ("Cancelled", "0.005")
    assert [found["orderId"] for found in await named(swap, "qd-1", "History")] == [order]
    with pytest.raises(ccxt.InvalidOrder, match="110072"):
        await placed(swap, "buy", 0.02, 40_000, clientOrderId="qd-1")


async def test_ended_orders_are_known_for_a_time_only(swap: Wired) -> None:
    await placed(swap, "buy", 0.02, 40_000, clientOrderId="unfilled")
    await swap.exchange.cancel_order(None, swap.symbol, {"orderLinkId": "unfilled"})
    await until(lambda: not swap.engine.open_orders())
    for _ in range(500):
        swap.engine.cancel(ID, order_id=swap.engine.place(_limit()).id)
    assert await named(swap, "unfilled") == []
    assert len(await named(swap, "unfilled", "History")) == 1


def _limit() -> Wish:
    return Wish(symbol=ID, side="BUY", type="LIMIT", quantity=D("0.01"), price=D(40_000))


async def test_partly_filled_and_cancelled_is_told_as_closed_on_spot(spot: Wired) -> None:
    order = await placed(spot, "sell", 0.02, 60_000)
    spot.engine.trade_through(ID, 60_010, quantity="0.005")
    await spot.exchange.cancel_order(order, spot.symbol)
    await until(lambda: not spot.engine.open_orders())
    ended = await spot.exchange.fetch_order(order, spot.symbol, {"acknowledged": True})
    assert ended["info"]["orderStatus"] == "PartiallyFilledCanceled"
    assert (ended["status"], ended["filled"], ended["amount"]) == ("closed", 0.005, 0.02)


async def test_a_cancel_is_acknowledged_before_it_is_done(swap: Wired) -> None:
    order = await placed(swap, "buy", 0.02, 40_000)
    swap.venue.later.hold()
    await swap.exchange.cancel_order(order, swap.symbol)
    assert len(swap.engine.open_orders()) == 1
    swap.engine.trade_through(ID, 39_990)
    swap.venue.later.release()
    filled = await swap.exchange.fetch_order(order, swap.symbol, {"acknowledged": True})
    assert filled["status"] == "closed"
    assert filled["filled"] == 0.02


# --- stops ---------------------------------------------------------------------------------------


async def test_a_stop_keeps_its_id_when_it_triggers(swap: Wired) -> None:
    await placed(swap, "buy", 0.1)
    stop = await placed(swap, "sell", 0.1, stopLossPrice=45_000, clientOrderId="qd-stop")
    [resting] = await swap.exchange.fetch_open_orders(swap.symbol)
    assert (resting["id"], resting["triggerPrice"], resting["reduceOnly"]) == (stop, 45_000, True)
    assert (await named(swap, "qd-stop"))[0]["orderStatus"] == "Untriggered"
    swap.engine.trade_through(ID, 44_990)
    [ended] = await named(swap, "qd-stop")
    assert (ended["orderId"], ended["orderStatus"]) == (stop, "Filled")
    [fill] = (await swap.exchange.fetch_my_trades(swap.symbol, params={"orderId": stop}))[-1:]
    assert (fill["order"], fill["side"]) == (stop, "sell")
    assert swap.engine.position(ID).amount == 0


async def test_a_stop_that_is_cancelled_before_its_price_is_deactivated(swap: Wired) -> None:
    stop = await placed(swap, "sell", 0.1, stopLossPrice=45_000, clientOrderId="qd-stop")
    await swap.exchange.cancel_order(stop, swap.symbol)
    await until(lambda: not swap.engine.open_algos())
    assert (await named(swap, "qd-stop"))[0]["orderStatus"] == "Deactivated"


async def test_a_trigger_on_the_wrong_side_is_refused(swap: Wired) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="expect Falling"):
        await placed(swap, "sell", 0.1, stopLossPrice=55_000)
    with pytest.raises(ccxt.InvalidOrder, match="expect Rising"):
        await placed(swap, "sell", 0.1, takeProfitPrice=45_000)


async def test_stops_of_spot_are_found_and_cancelled_under_their_own_filter(spot: Wired) -> None:
    stop = await placed(spot, "sell", 0.1, stopLossPrice=45_000)
    found = await spot.exchange.fetch_open_orders(spot.symbol, params={"trigger": True})
    assert found == []  # the filter is StopOrder, this one is a tpslOrder
    [found] = await spot.exchange.fetch_open_orders(spot.symbol)
    assert found["id"] == stop
    with pytest.raises(ccxt.OrderNotFound):
        await spot.exchange.cancel_order(stop, spot.symbol)
    await spot.exchange.cancel_order(stop, spot.symbol, {"orderFilter": "tpslOrder"})
    await until(lambda: not spot.engine.open_orders())


async def test_spot_does_not_read_a_trigger_without_its_filter(spot: Wired) -> None:
    request = {"category": "spot", "symbol": ID, "side": "Sell", "orderType": "Market"}
    await spot.exchange.privatePostV5OrderCreate(request | {"qty": "0.1", "triggerPrice": "45000"})
    assert [trade.side for trade in spot.engine.trades] == ["SELL"]


# --- what it reads -------------------------------------------------------------------------------


async def test_a_market_buy_of_spot_is_of_quote_unless_it_says_otherwise(spot: Wired) -> None:
    request = {"category": "spot", "symbol": ID, "side": "Buy", "orderType": "Market"}
    await spot.exchange.privatePostV5OrderCreate(request | {"qty": "100"})
    assert spot.engine.trades[-1].quote == pytest.approx(100, abs=1)
    await placed(spot, "buy", 0.01)
    assert spot.engine.trades[-1].quantity == spot.engine.rules[ID].lot * 10_000


async def test_post_only_that_would_take_is_answered_and_cancelled(swap: Wired) -> None:
    order = await placed(swap, "buy", 0.1, 50_010, postOnly=True)
    gone = await swap.exchange.fetch_order(order, swap.symbol, {"acknowledged": True})
    assert (gone["status"], gone["filled"]) == ("canceled", 0)
    assert gone["info"]["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"


async def test_without_reduce_only_the_other_leg_of_a_hedge_is_opened() -> None:
    async with wired("bybit", "swap") as world:
        world.engine.set_hedge(True)
        await placed(world, "buy", 0.1, hedged=True)
        await placed(world, "sell", 0.1, hedged=True)
        legs = await world.exchange.fetch_positions([world.symbol])
        assert [(leg["side"], leg["contracts"]) for leg in legs] == [("long", 0.1), ("short", 0.1)]
        await placed(world, "sell", 0.1, hedged=True, reduceOnly=True)
        [leg] = await world.exchange.fetch_positions()
        assert leg["side"] == "short"
        with pytest.raises(ccxt.BadRequest, match="position mode"):
            await placed(world, "buy", 0.1)


async def test_pages_are_the_exchanges_own(swap: Wired) -> None:
    """A page has 50 orders or 100 fills at most, whatever is asked for; a cursor leads on."""
    for _ in range(120):
        swap.engine.place(_market(swap))
    one = await swap.exchange.fetch_my_trades(swap.symbol, limit=1000)
    assert len(one) == 100
    of = {"category": "linear", "symbol": ID, "limit": 100}
    page = (await swap.exchange.privateGetV5ExecutionList(of))["result"]
    of["cursor"] = page["nextPageCursor"]
    rest = (await swap.exchange.privateGetV5ExecutionList(of))["result"]
    assert len({trade["execId"] for trade in [*page["list"], *rest["list"]]}) == 120
    assert rest["nextPageCursor"] == ""
    history = await swap.exchange.fetch_closed_orders(swap.symbol, limit=1000)
    assert len(history) == 50


def _market(world: Wired) -> Wish:
    return Wish(symbol=ID, side="BUY", type="MARKET", quantity=world.engine.rules[ID].least)


async def test_fills_may_be_asked_for_by_order(swap: Wired) -> None:
    first, second = await placed(swap, "buy", 0.1), await placed(swap, "sell", 0.1)
    for order in (first, second):
        fills = await swap.exchange.fetch_my_trades(swap.symbol, params={"orderId": order})
        assert [fill["order"] for fill in fills] == [order]


async def test_funding_stands_among_the_fills_unless_trades_are_asked_for(swap: Wired) -> None:
    order = await placed(swap, "buy", 0.1)
    swap.engine.pay_funding(ID, "0.0001")
    of = {"category": "linear", "symbol": ID}
    told = (await swap.exchange.privateGetV5ExecutionList(of))["result"]["list"]
    assert [line["execType"] for line in told] == ["Funding", "Trade"]
    assert D(told[0]["execFee"]) > 0
    one = (await swap.exchange.privateGetV5ExecutionList(of | {"orderId": order}))["result"]["list"]
    assert [line["execType"] for line in one] == ["Trade"]
    assert len(await swap.exchange.fetch_my_trades(swap.symbol)) == 1


async def test_the_log_has_one_line_a_trade_with_its_fee(swap: Wired) -> None:
    await placed(swap, "buy", 0.1)
    await placed(swap, "sell", 0.1)
    swap.engine.transfer(50)
    log = (await swap.exchange.privateGetV5AccountTransactionLog())["result"]["list"]
    assert [line["type"] for line in log] == ["TRANSFER_IN", "TRADE", "TRADE"]
    for line in log:
        assert D(line["change"]) == D(line["cashFlow"]) - D(line["fee"])
    assert swap.engine.wallet == 10_000 + sum(D(line["change"]) for line in log)


# --- limits --------------------------------------------------------------------------------------


async def test_each_path_has_a_limit_of_its_own_told_in_headers(swap: Wired) -> None:
    """In whole windows: so two bursts of eleven reach it wherever one begins."""
    swap.venue.wire.per = 60_000

    async def burst() -> None:
        for _ in range(22):
            await placed(swap, "buy", 0.02, 40_000)

    with pytest.raises(ccxt.RateLimitExceeded):
        await burst()
    headers = swap.exchange.last_response_headers
    assert (headers["X-Bapi-Limit"], headers["X-Bapi-Limit-Status"]) == ("10", "0")
    assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) > 0
    await swap.exchange.fetch_open_orders(swap.symbol)


async def test_a_list_counts_as_many_as_it_names(swap: Wired) -> None:
    swap.venue.wire.per = 60_000

    async def many() -> None:
        for _ in range(4):
            await swap.exchange.privatePostV5OrderCreateBatch(_many([LIMIT] * 6))

    with pytest.raises(ccxt.RateLimitExceeded):
        await many()


async def test_a_list_names_so_many_at_most(swap: Wired) -> None:
    swap.venue.wire.limited = False
    await swap.exchange.privatePostV5OrderCreateBatch(_many([LIMIT] * 20))
    with pytest.raises(ccxt.BadRequest, match="request"):
        await swap.exchange.privatePostV5OrderCreateBatch(_many([LIMIT] * 21))
    assert len(swap.engine.open_orders()) == 20


def _many(orders: list[Json]) -> Json:
    return {"category": "linear", "request": orders}


async def test_too_many_requests_of_an_address_are_a_ban(swap: Wired) -> None:
    async def much() -> None:
        for _ in range(2):
            swap.venue.wire.counter.add("address", BY_ADDRESS, 600, swap.engine.now)
            await swap.exchange.fetch_time()

    with pytest.raises(ccxt.RateLimitExceeded, match="403"):
        await much()
    with pytest.raises(ccxt.RateLimitExceeded, match="access too frequent"):
        await swap.exchange.fetch_time()


async def test_a_wrong_clock_is_refused(swap: Wired) -> None:
    swap.exchange.options["timeDifference"] = 60_000
    with pytest.raises(ccxt.InvalidNonce, match="10002"):
        await placed(swap, "buy", 0.02, 40_000)
    await swap.exchange.load_time_difference()
    await placed(swap, "buy", 0.02, 40_000)


# --- streams -------------------------------------------------------------------------------------


async def test_market_streams_tell_tickers_bars_and_books(swap: Wired) -> None:
    await swap.told(swap.exchange.watch_order_book(swap.symbol))
    await swap.book(49_990, 50_010)
    swap.engine.set_book(ID, bids=[(49_980, 4)], asks=[(50_020, 3)])
    book = await swap.book(49_980, 50_020)
    assert (book["bids"], book["asks"]) == ([[49_980, 4]], [[50_020, 3]])
    ticker = await swap.told(swap.exchange.watch_ticker(swap.symbol))
    assert (ticker["bid"], ticker["ask"]) == (49_980, 50_020)
    swap.engine.others_trade(ID, 50_000, 1)
    [bar] = await swap.told(swap.exchange.watch_ohlcv(swap.symbol, "1m"))
    assert bar[4] == 50_000


async def test_positions_and_money_are_streamed(swap: Wired) -> None:
    watching = await swap.listening(swap.exchange.watch_balance(), "wallet")
    await placed(swap, "sell", 0.1)
    assert (await swap.told(watching))["USDT"]["total"] < 10_000
    swap.exchange.options["watchPositions"]["awaitPositionsSnapshot"] = False
    watching = await swap.listening(swap.exchange.watch_positions([swap.symbol]), "position")
    await placed(swap, "sell", 0.1)
    [position] = await swap.told(watching)
    assert (position["side"], position["contracts"]) == ("short", 0.2)


@pytest.mark.parametrize(
    ("path", "told"), [("public/linear", {"ret_msg": "pong"}), ("private", {"op": "pong"})]
)
async def test_a_ping_is_answered_as_each_stream_does(swap: Wired, path: str, told: Json) -> None:
    url = f"{swap.venue.ws_url}/stream.bybit.com/v5/{path}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json({"op": "ping", "req_id": "7"})
        answer = await swap.told(socket.receive_json())
    assert answer | told | {"req_id": "7"} == answer


async def test_a_stream_with_a_bad_key_is_refused(swap: Wired) -> None:
    swap.exchange.secret = "wrong"
    swap.exchange.options |= {"enableUnifiedMargin": False, "enableUnifiedAccount": True}
    with pytest.raises(ccxt.BaseError):
        await swap.told(swap.exchange.watch_orders())
