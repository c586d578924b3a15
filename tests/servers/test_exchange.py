"""The real ccxt, REST and streams, trades at the test venue as it does at Binance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ccxt.pro
import pytest

from tests.servers.exchange import (
    BANNED,
    DROP_REPLY,
    MAINTENANCE,
    NO_FUTURES,
    OVERLOADED,
    READER,
    TOO_MANY,
    UNKNOWN_OUTCOME,
    ApiKey,
    Close,
    ExchangeServer,
    Garble,
    Hold,
    Swallow,
    aim,
)
from tests.waiting import until
from trading.clocks import ManualClock

SPOT = "BTC/USDT"
SWAP = "BTC/USDT:USDT"
ID = "BTCUSDT"
MINE = {"clientOrderId": "qd-1"}

Connect = Callable[..., Any]


@pytest.fixture
async def spot() -> AsyncIterator[ExchangeServer]:
    async with ExchangeServer(market="spot") as venue:
        venue.engine.set_book(ID, bids=[(49_990, 1)], asks=[(50_010, 1)])
        yield venue


@pytest.fixture
async def swap() -> AsyncIterator[ExchangeServer]:
    async with ExchangeServer(market="swap") as venue:
        venue.engine.set_book(ID, bids=[(49_990, 10)], asks=[(50_010, 10)])
        yield venue


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes ccxt exchanges that are aimed at a venue, and closes them."""
    made: list[Any] = []

    def new(venue: ExchangeServer, key: ApiKey | None = None, **options: Any) -> Any:
        kind = ccxt.pro.binance if venue.market == "spot" else ccxt.pro.binanceusdm
        exchange = kind({"options": options})
        made.append(aim(exchange, venue, key) if key else aim(exchange, venue))
        return made[-1]

    yield new
    for exchange in made:
        await exchange.close()


def has_user_stream(venue: ExchangeServer) -> Callable[[], bool]:
    return lambda: any(connection.is_user for connection in venue.connections)


async def listening(venue: ExchangeServer, watch: Awaitable[Any]) -> asyncio.Task[Any]:
    """Begin to *watch*, and come back when the venue pushes to it."""
    task = asyncio.ensure_future(watch)
    await until(has_user_stream(venue))
    return task


# --- spot, REST ----------------------------------------------------------------------------------


async def test_spot_market_data_is_what_the_engine_has(
    spot: ExchangeServer, connect: Connect
) -> None:
    spot.engine.trade_through(ID, 50_000)
    exchange = connect(spot)
    markets = await exchange.load_markets()
    ticker = await exchange.fetch_ticker(SPOT)
    book = await exchange.fetch_order_book(SPOT)
    best = (await exchange.fetch_bids_asks([SPOT]))[SPOT]
    bars = await exchange.fetch_ohlcv(SPOT, "1m")
    assert markets[SPOT]["limits"]["cost"]["min"] == 5
    assert markets[SPOT]["precision"]["amount"] == 0.00001
    assert markets[SPOT]["precision"]["price"] == 0.01
    assert (ticker["last"], ticker["bid"], ticker["ask"]) == (50_000, 49_990, 50_010)
    assert (book["bids"], book["asks"]) == ([[49_990, 1]], [[50_010, 1]])
    assert (best["bid"], best["askVolume"]) == (49_990, 1)
    assert bars[-1][4] == 50_000


async def test_a_halted_symbol_is_inactive_and_refuses(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    await exchange.load_markets()
    spot.engine.halt(ID)
    with pytest.raises(ccxt.MarketClosed):
        await exchange.create_order(SPOT, "market", "buy", 0.1)
    assert (await exchange.load_markets(reload=True))[SPOT]["active"] is False


async def test_a_spot_order_lives_and_dies(spot: ExchangeServer, connect: Connect) -> None:
    exchange = connect(spot)
    placed = await exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000, MINE)
    assert (placed["status"], placed["clientOrderId"]) == ("open", "qd-1")
    assert (await exchange.fetch_balance())["USDT"] == {"free": 5100, "used": 4900, "total": 10_000}
    assert [order["id"] for order in await exchange.fetch_open_orders(SPOT)] == [placed["id"]]
    spot.engine.trade_through(ID, 49_000, quantity="0.04")
    found = await exchange.fetch_order(None, SPOT, MINE)
    assert (found["filled"], found["remaining"]) == (0.04, 0.06)
    gone = await exchange.cancel_order(placed["id"], SPOT)
    assert (gone["status"], gone["filled"]) == ("canceled", 0.04)
    trades = await exchange.fetch_my_trades(SPOT)
    assert [(t["price"], t["amount"], t["takerOrMaker"]) for t in trades] == [
        (49_000, 0.04, "maker")
    ]
    assert trades[0]["fee"] == {"cost": 0.00004, "currency": "BTC"}
    assert [order["id"] for order in await exchange.fetch_orders(SPOT)] == [placed["id"]]


async def test_a_market_order_tells_its_fills(spot: ExchangeServer, connect: Connect) -> None:
    order = await connect(spot).create_order(SPOT, "market", "sell", 0.5)
    assert (order["status"], order["average"], order["cost"]) == ("closed", 49_990, 24_995)
    assert [trade["amount"] for trade in order["trades"]] == [0.5]


async def test_a_spot_stop_and_an_oco(spot: ExchangeServer, connect: Connect) -> None:
    exchange = connect(spot)
    stop = await exchange.create_order(SPOT, "market", "sell", 0.1, None, {"stopLossPrice": 49_500})
    assert stop["type"] == "market"
    both = await exchange.privatePostOrderListOco(
        {
            "symbol": ID,
            "side": "SELL",
            "quantity": "0.1",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": "52000",
            "belowType": "STOP_LOSS",
            "belowStopPrice": "49000",
        }
    )
    assert len(await exchange.fetch_open_orders(SPOT)) == 3
    spot.engine.trade_through(ID, 49_400)
    assert (await exchange.fetch_order(stop["id"], SPOT))["status"] == "closed"
    await exchange.privateDeleteOrderList({"symbol": ID, "orderListId": both["orderListId"]})
    assert await exchange.fetch_open_orders(SPOT) == []


async def test_money_that_comes_and_goes_is_listed(spot: ExchangeServer, connect: Connect) -> None:
    spot.engine.deposit("USDT", 50)
    spot.engine.withdraw("USDT", 20)
    exchange = connect(spot)
    assert [d["amount"] for d in await exchange.fetch_deposits("USDT")] == [50]
    assert [w["amount"] for w in await exchange.fetch_withdrawals("USDT")] == [20]


# --- perpetuals, REST ----------------------------------------------------------------------------


async def test_a_position_as_ccxt_sees_it(swap: ExchangeServer, connect: Connect) -> None:
    exchange = connect(swap)
    await exchange.set_leverage(10, SWAP)
    order = await exchange.create_order(SWAP, "market", "buy", 0.1, None, MINE)
    assert (order["status"], order["average"], order["filled"]) == ("closed", 50_010, 0.1)
    swap.engine.set_mark(ID, 50_110)
    [position] = await exchange.fetch_positions()
    assert (position["side"], position["contracts"], position["hedged"]) == ("long", 0.1, False)
    assert (position["entryPrice"], position["unrealizedPnl"]) == (50_010, 10)
    assert (await exchange.fetch_positions(params={"useV2": True}))[0]["leverage"] == 10
    balance = await exchange.fetch_balance()
    assert balance["USDT"]["total"] == pytest.approx(10_000 + 10 - 50_010 * 0.1 * 0.0005)
    [trade] = await exchange.fetch_my_trades(SWAP)
    assert (trade["takerOrMaker"], trade["fee"]["currency"]) == ("taker", "USDT")


async def test_hedge_mode_takes_both_sides(swap: ExchangeServer, connect: Connect) -> None:
    exchange = connect(swap)
    await exchange.load_markets()
    await exchange.set_position_mode(True, SWAP)
    assert (await exchange.fetch_position_mode(SWAP))["hedged"] is True
    await exchange.create_order(SWAP, "market", "buy", 0.1, None, {"hedged": True})
    await exchange.create_order(SWAP, "market", "sell", 0.2, None, {"hedged": True})
    closing = {"hedged": True, "reduceOnly": True}
    await exchange.create_order(SWAP, "market", "sell", 0.1, None, closing)
    [position] = await exchange.fetch_positions()
    assert (position["side"], position["contracts"]) == ("short", 0.2)


async def test_conditional_orders_live_on_their_own_paths(
    swap: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(swap)
    await exchange.create_order(SWAP, "market", "buy", 0.1)
    stop = {"stopLossPrice": 49_000, "reduceOnly": True, **MINE}
    algo = await exchange.create_order(SWAP, "market", "sell", 0.1, None, stop)
    trailing = {"trailingPercent": 1, "reduceOnly": True}
    await exchange.create_order(SWAP, "market", "sell", 0.1, None, trailing)
    assert await exchange.fetch_open_orders(SWAP) == []
    found = await exchange.fetch_open_orders(SWAP, params={"trigger": True})
    assert [order["triggerPrice"] for order in found] == [49_000, None]
    with pytest.raises(ccxt.OrderNotFound):
        await exchange.fetch_order(algo["id"], SWAP)
    await exchange.cancel_order(found[1]["id"], SWAP, {"trigger": True})
    swap.engine.trade_through(ID, 48_900)
    done = await exchange.fetch_order(algo["id"], SWAP, {"trigger": True})
    child = await exchange.fetch_order(done["info"]["actualOrderId"], SWAP)
    assert (done["info"]["algoStatus"], child["status"]) == ("FINISHED", "closed")
    assert await exchange.fetch_positions() == []


async def test_the_old_path_refuses_conditional_orders(
    swap: ExchangeServer, connect: Connect
) -> None:
    request = {"symbol": ID, "side": "SELL", "type": "STOP_MARKET", "stopPrice": 1, "quantity": 1}
    with pytest.raises(ccxt.InvalidOrder, match="-4120"):
        await connect(swap).fapiPrivatePostOrder(request)


async def test_income_and_liquidations_are_told(swap: ExchangeServer, connect: Connect) -> None:
    exchange = connect(swap)
    await exchange.create_order(SWAP, "market", "buy", 0.1)
    swap.engine.set_mark(ID, 50_000)
    swap.engine.pay_funding(ID, "0.0001")
    swap.engine.deleverage(ID, "0.04")
    swap.engine.liquidate(ID)
    kinds = [row["incomeType"] for row in await exchange.fapiPrivateGetIncome({"symbol": ID})]
    assert kinds.count("FUNDING_FEE") == 1
    [funding] = await exchange.fetch_funding_history(SWAP)
    assert funding["amount"] == -0.5
    forced = await exchange.fapiPrivateGetForceOrders({"symbol": ID})
    assert [order["clientOrderId"].split("-")[0] for order in forced] == [
        "adl_autoclose",
        "autoclose",
    ]


async def test_a_batch_succeeds_and_fails_one_by_one(
    swap: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(swap)
    wanted = [
        {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 0.1, "price": price}
        for price in (49_000, 40, 48_000)
    ]
    placed = await exchange.create_orders(wanted)
    assert sorted(order["status"] for order in placed) == ["open", "open", "rejected"]
    await exchange.cancel_orders([order["id"] for order in placed if order["id"]], SWAP)
    assert await exchange.fetch_open_orders(SWAP) == []


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "error", "text"),
    [
        (("limit", "buy", 0.3, 49_000), ccxt.InsufficientFunds, "insufficient balance"),
        (("limit", "buy", 0.00001, 49_000), ccxt.BadRequest, "NOTIONAL"),
        (("limit", "sell", 0.1, 260_000), ccxt.InvalidOrder, "PERCENT_PRICE_BY_SIDE"),
        (("limit", "buy", 10_000, 1), ccxt.InvalidOrder, "LOT_SIZE"),
    ],
)
async def test_spot_errors_have_ccxts_classes(
    spot: ExchangeServer, connect: Connect, order: tuple[Any, ...], error: type, text: str
) -> None:
    with pytest.raises(error, match=text):
        await connect(spot).create_order(SPOT, *order)


async def test_orders_that_are_not_there_are_not_found(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        await exchange.fetch_order("1", SPOT)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await exchange.cancel_order("1", SPOT)


@pytest.mark.parametrize(
    ("price", "params", "error", "code"),
    [
        (49_000, {"reduceOnly": True}, ccxt.InvalidOrder, "-2022"),
        (51_000, {"postOnly": True}, ccxt.OrderNotFillable, "-5022"),
        (51_000, {"stopLossPrice": 49_000}, ccxt.OrderImmediatelyFillable, "-2021"),
        (49_000, {"positionSide": "LONG"}, ccxt.OperationRejected, "-4061"),
    ],
)
async def test_perpetual_errors_have_ccxts_classes(
    swap: ExchangeServer, connect: Connect, price: int, params: Any, error: type, code: str
) -> None:
    with pytest.raises(error, match=code):
        await connect(swap).create_order(SWAP, "limit", "buy", 0.1, price, params)


async def test_a_duplicate_client_id_is_refused_while_its_order_is_open(
    swap: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(swap)
    await exchange.create_order(SWAP, "limit", "buy", 0.1, 49_000, MINE)
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        await exchange.create_order(SWAP, "limit", "buy", 0.1, 49_000, MINE)


async def test_signatures_are_verified(spot: ExchangeServer, connect: Connect) -> None:
    exchange = connect(spot, ApiKey(key="test-key", secret="guessed"))
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await exchange.fetch_balance()


async def test_keys_may_do_only_what_they_may(
    spot: ExchangeServer, swap: ExchangeServer, connect: Connect
) -> None:
    reader = connect(spot, READER)
    assert (await reader.fetch_balance())["USDT"]["free"] == 10_000
    told = await reader.sapiGetAccountApiRestrictions()
    assert (told["enableReading"], told["enableSpotAndMarginTrading"]) == (True, False)
    for exchange, symbol in ((reader, SPOT), (connect(swap, NO_FUTURES), SWAP)):
        with pytest.raises((ccxt.AuthenticationError, ccxt.DDoSProtection), match="-2015"):
            await exchange.create_order(symbol, "limit", "buy", 0.1, 49_000)


@pytest.mark.parametrize("seconds", [60, -60])
async def test_a_wrong_clock_is_refused_until_it_is_adjusted(
    connect: Connect, seconds: int
) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(seconds=seconds))
    async with ExchangeServer(market="spot", clock=clock) as venue:
        exchange = connect(venue)
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            await exchange.fetch_balance()
        await exchange.load_time_difference()
        assert (await exchange.fetch_balance())["USDT"]["free"] == 10_000


async def test_used_weight_is_told_and_limits_are_kept(connect: Connect) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with ExchangeServer(market="swap", clock=clock) as venue:
        exchange = connect(venue)
        await exchange.load_markets()
        venue.wire.quota.use(2_394, now=venue.engine.now)
        await exchange.fetch_order_book(SWAP)
        assert exchange.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "2400"
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            await exchange.fetch_order_book(SWAP)
        clock.advance(60)
        await exchange.fetch_order_book(SWAP)
        assert exchange.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "5"


async def test_who_goes_on_after_429_is_banned(connect: Connect) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with ExchangeServer(market="spot", clock=clock) as venue:
        exchange = connect(venue)
        await exchange.load_markets()
        venue.wire.quota.use(6_000, now=venue.engine.now)
        for _ in range(10):
            with pytest.raises(ccxt.DDoSProtection, match="429"):
                await exchange.fetch_ticker(SPOT)
        assert exchange.last_response_headers["Retry-After"] == "60"
        with pytest.raises(ccxt.DDoSProtection, match="418"):
            await exchange.fetch_ticker(SPOT)
        clock.advance(119)
        with pytest.raises(ccxt.DDoSProtection, match="418"):
            await exchange.fetch_ticker(SPOT)
        clock.advance(2)
        assert (await exchange.fetch_ticker(SPOT))["last"] == 50_000


# --- streams -------------------------------------------------------------------------------------


async def test_spot_orders_trades_and_balances_are_pushed(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    watching = await listening(spot, exchange.watch_orders())
    trades = asyncio.ensure_future(exchange.watch_my_trades())
    balances = asyncio.ensure_future(exchange.watch_balance())
    await until(lambda: len(exchange.clients) == 1)
    placed = await exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000, MINE)
    assert [order["clientOrderId"] for order in await watching] == ["qd-1"]
    assert (await balances)["USDT"]["used"] == 4_900
    watching = asyncio.ensure_future(exchange.watch_orders())
    await asyncio.sleep(0)
    spot.engine.trade_through(ID, 49_000)
    assert [(t["order"], t["amount"]) for t in await trades] == [(placed["id"], 0.1)]
    assert (await watching)[-1]["status"] == "closed"


async def test_perpetual_orders_positions_and_stops_are_pushed(
    swap: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(swap, watchPositions={"fetchPositionsSnapshot": False})
    watching = await listening(swap, exchange.watch_orders())
    positions = asyncio.ensure_future(exchange.watch_positions())
    await until(lambda: "linear" in (exchange.positions or {}))
    await exchange.create_order(SWAP, "market", "buy", 0.1)
    assert [(p["side"], p["contracts"]) for p in await positions] == [("long", 0.1)]
    await watching
    stop = {"stopLossPrice": 49_000, "reduceOnly": True}
    algo = await exchange.create_order(SWAP, "market", "sell", 0.1, None, stop)
    swap.engine.trade_through(ID, 48_900)
    await until(lambda: any(order["info"].get("X") == "FINISHED" for order in exchange.orders))
    pushed = {order["id"]: order for order in exchange.orders}
    child = pushed[pushed[algo["id"]]["info"]["ai"]]
    assert (child["status"], child["filled"]) == ("closed", 0.1)


async def test_tickers_books_and_marks_are_pushed(
    swap: ExchangeServer, spot: ExchangeServer, connect: Connect
) -> None:
    for venue, symbol in ((spot, SPOT), (swap, SWAP)):
        exchange = connect(venue)
        assert (await exchange.watch_ticker(symbol))["last"] == 50_000
        assert (await exchange.watch_bids_asks([symbol]))[symbol]["bid"] == 49_990
        assert (await exchange.watch_order_book(symbol))["bids"][0][0] == 49_990
        book = asyncio.ensure_future(exchange.watch_order_book(symbol))
        await asyncio.sleep(0)
        venue.engine.trade_through(ID, 50_100)
        assert (await book)["bids"] == [[50_090, 1 if venue is spot else 10]]
        assert (await exchange.watch_ohlcv(symbol))[-1][4] == 50_100
    assert (await exchange.watch_mark_price(SWAP))["markPrice"] == 50_100


async def test_pushed_events_can_be_lost_doubled_and_late(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    seen: list[str] = []

    async def follow() -> None:
        while True:
            await exchange.watch_orders()
            seen.append(exchange.orders[-1]["clientOrderId"])

    following = await listening(spot, follow())
    spot.faults.on_event("executionReport", "drop")
    held = spot.faults.on_event("executionReport", "hold")
    spot.faults.on_event("executionReport", "duplicate")
    for name in ("lost", "late", "doubled"):
        order = {"clientOrderId": name}
        await exchange.create_order(SPOT, "limit", "buy", 0.01, 49_000, order)
    await until(lambda: "doubled" in seen)
    spot.faults.release(held)
    await until(lambda: "late" in seen)
    following.cancel()
    assert "lost" not in seen
    assert seen.index("doubled") < seen.index("late")


async def test_subscribing_to_the_account_can_be_refused(
    spot: ExchangeServer, connect: Connect
) -> None:
    spot.faults.on("WS-API", "userDataStream.*", OVERLOADED)
    # ccxt 4.5.90 trips over the refusal, and this instance would wait for ever the next time.
    with pytest.raises((ccxt.ExchangeError, KeyError)):
        await connect(spot).watch_orders()
    watching = await listening(spot, connect(spot).watch_orders())
    watching.cancel()


async def test_a_stream_can_be_refused(spot: ExchangeServer, connect: Connect) -> None:
    exchange = connect(spot)
    spot.faults.on("WS", "*", OVERLOADED)
    with pytest.raises(ccxt.NetworkError):
        await exchange.watch_ticker(SPOT)
    assert (await exchange.watch_ticker(SPOT))["bid"] is None  # a mini ticker has none
    assert [request.path for request in spot.asked("WS")] == ["/ws/0", "/ws/0"]


async def test_a_listen_key_expires(swap: ExchangeServer, connect: Connect) -> None:
    exchange = connect(swap)
    watching = await listening(swap, exchange.watch_orders())
    swap.wire.streams.expire_listen_keys()
    await exchange.create_order(SWAP, "limit", "buy", 0.1, 49_000)
    with pytest.raises(ccxt.BaseError, match="-1125"):
        await exchange.fapiPrivatePutListenKey()
    assert not watching.done()
    watching.cancel()


async def test_a_cut_stream_is_noticed_and_can_be_taken_up_again(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    watching = await listening(spot, exchange.watch_orders())
    assert spot.disconnect(users=True, markets=False) == 1
    with pytest.raises(ccxt.NetworkError):
        await watching
    watching = await listening(spot, exchange.watch_orders())
    await exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000, MINE)
    assert [order["clientOrderId"] for order in await watching] == ["qd-1"]


# --- faults --------------------------------------------------------------------------------------


FATES = {
    "answer lost": (DROP_REPLY, ccxt.NetworkError, True),
    "cut off before": (Close(), ccxt.NetworkError, False),
    "never answered": (Swallow(), ccxt.RequestTimeout, False),
    "never answered, done": (Swallow(done=True), ccxt.RequestTimeout, True),
    "a proxy's page": (Garble(), ccxt.ExchangeNotAvailable, False),
    "429": (TOO_MANY, ccxt.DDoSProtection, False),
    "418": (BANNED, ccxt.DDoSProtection, False),
    "status unknown": (UNKNOWN_OUTCOME, ccxt.RequestTimeout, False),
    "overloaded": (OVERLOADED, ccxt.BaseError, False),
}


@pytest.mark.parametrize(("act", "error", "accepted"), FATES.values(), ids=FATES.keys())
async def test_what_can_happen_to_an_order(
    spot: ExchangeServer, connect: Connect, act: Any, error: type[Exception], accepted: bool
) -> None:
    exchange = connect(spot)
    await exchange.load_markets()
    if isinstance(act, Swallow):
        exchange.timeout = 200
    fault = spot.faults.on("POST", "*/order", act, where={"side": "BUY"})
    with pytest.raises(error):
        await exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000, MINE)
    exchange.timeout = 10_000
    found = await exchange.fetch_open_orders(SPOT)
    assert [order["clientOrderId"] for order in found] == (["qd-1"] if accepted else [])
    assert fault.acted == 1
    assert (await exchange.create_order(SPOT, "limit", "buy", 0.01, 49_000))["status"] == "open"


async def test_a_request_can_be_held_until_the_test_lets_it_go(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    fault = spot.faults.on("POST", "*/order", Hold())
    order = asyncio.ensure_future(exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000))
    await until(lambda: fault.acted)
    assert spot.engine.open_orders() == []
    fault.release()
    assert (await order)["status"] == "open"


@pytest.mark.parametrize(("market", "days", "code"), [("spot", 1, "-1127"), ("swap", 7, "-4165")])
async def test_orders_and_trades_are_listed_for_a_day_or_a_week_at_a_time(
    spot: ExchangeServer,
    swap: ExchangeServer,
    connect: Connect,
    market: str,
    days: int,
    code: str,
) -> None:
    venue, symbol = {"spot": (spot, SPOT), "swap": (swap, SWAP)}[market]
    exchange = connect(venue)
    placed = await exchange.create_order(symbol, "market", "buy", 0.01)
    now, day = venue.engine.now, 86_400_000
    listings: list[tuple[Any, dict[str, Any]]] = [
        (exchange.fetch_orders, {}),
        (exchange.fetch_my_trades, {}),
    ]
    if market == "swap":
        listings.append((exchange.fetch_orders, {"trigger": True}))
    for fetch, more in listings:
        span = {"until": now + 60_000, **more}
        inside = await fetch(symbol, now + 120_000 - days * day, 1000, span)
        assert [o.get("order", o["id"]) for o in inside] == [placed["id"]] * (not more)
        with pytest.raises(ccxt.pro.ExchangeError, match=code):
            await fetch(symbol, now - days * day - 120_000, 1000, span)
    if market == "swap":
        assert await exchange.fetch_my_trades(symbol, now - 8 * day) == [], "a week from there"


async def test_only_the_third_of_them_fails(swap: ExchangeServer, connect: Connect) -> None:
    exchange = connect(swap)
    # Twice, because aiohttp asks again by itself when a kept connection ends (never a POST).
    swap.faults.on("DELETE", "*/order", Close(), after=2, times=2)
    placed = [await exchange.create_order(SWAP, "limit", "buy", 0.01, 49_000 - n) for n in range(4)]
    outcomes = []
    for order in placed:
        try:
            outcomes.append((await exchange.cancel_order(order["id"], SWAP))["status"])
        except ccxt.NetworkError:
            outcomes.append("lost")
    assert outcomes == ["canceled", "canceled", "lost", "canceled"]


async def test_an_order_can_be_there_and_not_be_found(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    await exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000, MINE)
    spot.faults.hide("qd-*", queries=2)
    with pytest.raises(ccxt.OrderNotFound):
        await exchange.fetch_order(None, SPOT, MINE)
    assert await exchange.fetch_open_orders(SPOT) == []
    assert (await exchange.fetch_order(None, SPOT, MINE))["status"] == "open"


async def test_an_order_can_be_hidden_for_a_while(connect: Connect) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with ExchangeServer(market="spot", clock=clock) as venue:
        exchange = connect(venue)
        await exchange.create_order(SPOT, "market", "buy", 0.1, None, MINE)
        venue.faults.hide(seconds=2)
        assert await exchange.fetch_my_trades(SPOT) == []
        clock.advance(2)
        assert len(await exchange.fetch_my_trades(SPOT)) == 1


async def test_maintenance_and_outage_end(spot: ExchangeServer, connect: Connect) -> None:
    exchange = connect(spot)
    await exchange.load_markets()
    spot.faults.maintenance = MAINTENANCE
    with pytest.raises(ccxt.BaseError, match="-1016"):
        await exchange.fetch_balance()
    spot.faults.clear()
    await spot.stop_listening()
    with pytest.raises(ccxt.NetworkError):
        await exchange.fetch_balance()
    await spot.start_listening()
    assert (await exchange.fetch_balance())["USDT"]["free"] == 10_000


async def test_every_request_is_recorded_with_the_moment_it_came(
    spot: ExchangeServer, connect: Connect
) -> None:
    exchange = connect(spot)
    await exchange.create_order(SPOT, "limit", "buy", 0.1, 49_000, MINE)
    latch = time.monotonic_ns()
    await exchange.cancel_order(None, SPOT, MINE)
    assert [r.method for r in spot.asked(since=latch)] == ["DELETE"]
    assert not any(request.is_new_order for request in spot.asked(since=latch))
    [order] = spot.asked("POST", "*/order", newClientOrderId="qd-1")
    assert (order.arrived < latch, order.is_new_order, order.params["side"]) == (True, True, "BUY")
