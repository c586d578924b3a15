"""What is OKX's own, through the real ccxt.pro: contracts, stops apart, sCode, pages, streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro
import pytest

from tests.servers.exchange import OVERLOADED, UNKNOWN_OUTCOME, ApiKey, Refuse, Wish, aim
from tests.servers.shapes import differences
from tests.servers.wired import ID, Wired, wired
from tests.waiting import until
from trading.clocks import ManualClock, SystemClock

Json = Any
D = Decimal
FOLDER = Path(__file__).parent / "exchange" / "wires" / "okx"
SAMPLES = json.loads((FOLDER / "samples.json").read_text("utf-8"))
STOPS = {"ordType": "conditional"}
BTC = {"spot": "BTC-USDT", "swap": "BTC-USDT-SWAP"}
MINUTE = 60_000


@pytest.fixture
async def spot() -> AsyncIterator[Wired]:
    async with wired("okx", "spot") as world:
        yield world


@pytest.fixture
async def swap() -> AsyncIterator[Wired]:
    async with wired("okx", "swap") as world:
        yield world


def like(name: str, ours: Json, *absent: str) -> None:
    assert differences(SAMPLES[name], ours, absent) == [], name


async def placed(
    world: Wired, side: str, coins: str, price: float | None = None, **params: Any
) -> str:
    kind = "market" if price is None else "limit"
    amount = world.amount(coins)
    order = await world.exchange.create_order(world.symbol, kind, side, amount, price, params)
    return str(order["id"])


async def stopped(world: Wired, name: str = "qdstop", price: float = 45_000) -> str:
    """A stop loss of a tenth of a bitcoin that is held."""
    await placed(world, "buy", "0.1")
    return await placed(
        world, "sell", "0.1", stopLossPrice=price, reduceOnly=True, algoClOrdId=name
    )


# --- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_rest_answers_are_like_the_real_ones(market: str) -> None:
    async with wired("okx", market) as world:
        ask, kind = world.exchange, market.upper()
        of = {"instId": BTC[market], "instType": kind}
        like("GET public/instruments", await ask.publicGetPublicInstruments(of))
        like("GET public/time", await ask.publicGetPublicTime())
        like("GET market/ticker", await ask.publicGetMarketTicker(of))
        like("GET market/books", await ask.publicGetMarketBooks(of))
        mode = "cash" if market == "spot" else "cross"
        request = {"side": "buy", "sz": "1", "tdMode": mode} | of
        limit = request | {"ordType": "limit", "px": "40000", "sz": "0.01"}
        like("POST trade/order", await ask.privatePostTradeOrder(limit))
        like("GET trade/orders-pending", await ask.privateGetTradeOrdersPending(of))
        order = (await ask.privateGetTradeOrdersPending(of))["data"][0]["ordId"]
        like("GET trade/order", await ask.privateGetTradeOrder(of | {"ordId": order}))
        like(
            "POST trade/cancel-order", await ask.privatePostTradeCancelOrder(of | {"ordId": order})
        )
        await until(lambda: not world.engine.open_orders())
        selling = request | {"side": "sell", "ordType": "market", "sz": "0.01"}
        like("POST trade/batch-orders", await ask.privatePostTradeBatchOrders([selling]))
        like("GET trade/orders-history", await ask.privateGetTradeOrdersHistory(of))
        like("GET trade/fills-history", await ask.privateGetTradeFillsHistory(of))
        like("GET market/candles", await ask.publicGetMarketCandles(of))
        like("GET market/trades", await ask.publicGetMarketTrades(of))
        like("GET account/balance", await ask.privateGetAccountBalance())
        like("GET account/config", await ask.privateGetAccountConfig())
        like("GET account/trade-fee", await ask.privateGetAccountTradeFee(of))
        after = await ask.privatePostTradeCancelAllAfter({"timeOut": 0})
        like("POST trade/cancel-all-after", after)


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_stops_are_told_like_the_real_ones(market: str) -> None:
    async with wired("okx", market) as world:
        ask, of = world.exchange, {"instId": BTC[market]}
        mode = "cash" if market == "spot" else "cross"
        stop = of | {"tdMode": mode, "side": "sell", "ordType": "conditional", "sz": "0.1"}
        stop |= {"slTriggerPx": "45000", "slOrdPx": "-1"}
        answer = await ask.privatePostTradeOrderAlgo(stop)
        like("POST trade/order-algo", answer)
        pending = await ask.privateGetTradeOrdersAlgoPending(STOPS)
        like("GET trade/orders-algo-pending", pending)
        one = {"algoId": answer["data"][0]["algoId"]}
        like("GET trade/order-algo", await ask.privateGetTradeOrderAlgo(one))
        like("POST trade/cancel-algos", await ask.privatePostTradeCancelAlgos([of | one]))
        await until(lambda: not world.engine.open_orders())
        ended = await ask.privateGetTradeOrdersAlgoHistory(STOPS | {"state": "canceled"})
        like("GET trade/orders-algo-history", ended)


async def test_what_only_perpetuals_have_is_told_like_the_real_ones(swap: Wired) -> None:
    ask, of = swap.exchange, {"instId": BTC["swap"], "instType": "SWAP"}
    await placed(swap, "sell", "0.1")
    like("GET account/positions", await ask.privateGetAccountPositions(of))
    like("GET account/bills", await ask.privateGetAccountBills())
    leverage = await ask.privateGetAccountLeverageInfo(of | {"mgnMode": "cross"})
    like("GET account/leverage-info", leverage)
    like("GET public/mark-price", await ask.publicGetPublicMarkPrice(of))
    like("GET public/funding-rate", await ask.publicGetPublicFundingRate(of))


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_events_are_like_the_real_ones(market: str) -> None:
    async with wired("okx", market) as world:
        heard: dict[str, Json] = {}

        def hear(told: Any) -> None:
            for event in world.venue.wire.user_events(told):
                heard[event["channel"]] = event

        world.engine.listen(hear)
        await placed(world, "buy", "0.1")
        params = {"triggerPrice": 45_000} if market == "spot" else {"stopLossPrice": 45_000}
        await placed(world, "sell", "0.1", **params)
        for channel, event in heard.items():
            assert differences(SAMPLES[f"stream {channel}"]["data"], event["data"], ()) == []
        positions = {"positions"} if market == "swap" else set()
        assert set(heard) == {"orders", "orders-algo", "account"} | positions


# --- contracts and ids ---------------------------------------------------------------------------


async def test_perpetuals_are_counted_in_contracts(swap: Wired) -> None:
    await swap.exchange.create_order(swap.symbol, "market", "buy", 1)
    [position] = await swap.exchange.fetch_positions()
    assert (position["contracts"], swap.engine.position(ID).amount) == (1, D("0.01"))
    [fill] = await swap.exchange.fetch_my_trades(swap.symbol)
    assert (fill["amount"], fill["cost"]) == (1, pytest.approx(500.1))
    book = await swap.exchange.fetch_order_book(swap.symbol, 5)
    assert book["bids"][0][1] == 500


async def test_an_order_is_found_by_our_id_which_has_letters_and_digits_only(swap: Wired) -> None:
    await placed(swap, "buy", "0.02", 40_000, clientOrderId="qd1")
    found = await swap.exchange.fetch_order(None, swap.symbol, {"clientOrderId": "qd1"})
    assert (found["clientOrderId"], found["status"]) == ("qd1", "open")
    with pytest.raises(ccxt.BadRequest, match="clOrdId"):
        await placed(swap, "buy", "0.02", 40_000, clientOrderId="qd-1")
    with pytest.raises(ccxt.InvalidOrder, match="51016"):
        await placed(swap, "buy", "0.02", 40_000, clientOrderId="qd1")
    await swap.exchange.cancel_order(None, swap.symbol, {"clientOrderId": "qd1"})
    await until(lambda: not swap.engine.open_orders())
    found = await swap.exchange.fetch_order(None, swap.symbol, {"clientOrderId": "qd1"})
    assert found["status"] == "canceled"


async def test_an_unfilled_order_is_forgotten_after_two_hours() -> None:

    clock = ManualClock(SystemClock().now())
    async with wired("okx", "swap", clock=clock) as world:
        order = await placed(world, "buy", "0.02", 40_000)
        await world.exchange.cancel_order(order, world.symbol)
        await until(lambda: not world.engine.open_orders())
        clock.advance(7_201)
        world.exchange.options["timeDifference"] = -7_201_000
        with pytest.raises(ccxt.OrderNotFound, match="51603"):
            await world.exchange.fetch_order(order, world.symbol)


async def test_fills_of_an_order_are_asked_for_by_its_name_for_it(swap: Wired) -> None:
    """`orderId` is no parameter there: it is ignored, and all fills are told."""
    first, second = await placed(swap, "buy", "0.1"), await placed(swap, "sell", "0.1")
    everything = await swap.exchange.fetch_my_trades(swap.symbol, params={"orderId": first})
    assert {fill["order"] for fill in everything} == {first, second}
    [fill] = await swap.exchange.fetch_order_trades(first, swap.symbol)
    assert fill["order"] == first


# --- stops ---------------------------------------------------------------------------------------


async def test_stops_are_listed_under_their_kind_only(swap: Wired) -> None:
    stop = await stopped(swap)
    assert await swap.exchange.fetch_open_orders(swap.symbol) == []
    assert await swap.exchange.fetch_open_orders(swap.symbol, params={"trigger": True}) == []
    [found] = await swap.exchange.fetch_open_orders(swap.symbol, params=STOPS)
    assert (found["id"], found["stopLossPrice"], found["reduceOnly"]) == (stop, 45_000, True)
    with pytest.raises(ccxt.BadRequest, match="ordType"):
        await swap.exchange.privateGetTradeOrdersAlgoPending({"instId": BTC["swap"]})


async def test_a_stop_is_found_by_the_id_that_is_made_for_stops(swap: Wired) -> None:
    stop = await stopped(swap)
    asked = {"clientOrderId": "qdstop", "trigger": True}
    assert (await swap.exchange.fetch_order(None, swap.symbol, asked))["id"] == stop
    await placed(swap, "sell", "0.1", stopLossPrice=44_000, clientOrderId="qdother")
    asked = {"clientOrderId": "qdother", "trigger": True}
    with pytest.raises(ccxt.OrderNotFound):
        await swap.exchange.fetch_order(None, swap.symbol, asked)


async def test_what_a_stop_becomes_is_another_order(swap: Wired) -> None:
    stop = await stopped(swap)
    swap.engine.trade_through(ID, 44_990)
    asked = {"clientOrderId": "qdstop", "trigger": True}
    ended = await swap.exchange.fetch_order(None, swap.symbol, asked)
    assert (ended["id"], ended["status"], ended["info"]["state"]) == (stop, "closed", "effective")
    child = ended["info"]["ordId"]
    assert ended["info"]["ordIdList"] == [child]
    order = await swap.exchange.fetch_order(child, swap.symbol)
    assert (order["status"], order["filled"]) == ("closed", 10)
    assert (order["info"]["algoClOrdId"], order["clientOrderId"]) == ("qdstop", None)
    [fill] = await swap.exchange.fetch_order_trades(child, swap.symbol)
    assert fill["side"] == "sell"
    with pytest.raises(ccxt.OrderNotFound):
        await swap.exchange.fetch_order(None, swap.symbol, {"clientOrderId": "qdstop"})


async def test_a_stop_without_anything_to_reduce_fails_when_it_triggers(swap: Wired) -> None:
    await stopped(swap)
    await placed(swap, "sell", "0.1")
    swap.engine.trade_through(ID, 44_990)
    asked = {"clientOrderId": "qdstop", "trigger": True}
    ended = await swap.exchange.fetch_order(None, swap.symbol, asked)
    assert (ended["info"]["state"], ended["info"]["failCode"]) == ("order_failed", "51169")
    assert swap.engine.position(ID).amount == 0


async def test_a_trigger_on_the_wrong_side_is_refused(swap: Wired) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="51280"):
        await stopped(swap, price=55_000)
    with pytest.raises(ccxt.InvalidOrder, match="51279"):
        await placed(swap, "sell", "0.1", takeProfitPrice=45_000)


async def test_a_stop_loss_of_ccxt_is_a_margin_order_on_spot(spot: Wired) -> None:
    """It sends `tdMode` cross, which a simple account does not have; a trigger order is cash."""
    with pytest.raises(ccxt.AccountNotEnabled, match="51010"):
        await placed(spot, "sell", "0.1", stopLossPrice=45_000)
    trigger = await placed(spot, "sell", "0.1", triggerPrice=45_000)
    [found] = await spot.exchange.fetch_open_orders(spot.symbol, params={"trigger": True})
    assert found["id"] == trigger
    spot.engine.trade_through(ID, 44_990)
    [fill] = await spot.exchange.fetch_my_trades(spot.symbol)
    assert (fill["side"], fill["amount"]) == ("sell", 0.1)
    assert fill["order"] != trigger


async def test_a_trade_is_one_bill_with_its_fee_and_funding_another(swap: Wired) -> None:
    await placed(swap, "buy", "0.1")
    await placed(swap, "sell", "0.1")
    swap.engine.set_position(ID, "0.1", 50_000)
    swap.engine.pay_funding(ID, "0.0001")
    told = (await swap.exchange.privateGetAccountBills())["data"]
    assert [bill["type"] for bill in told] == ["8", "2", "2"]
    for bill in told:
        assert D(bill["balChg"]) == D(bill["pnl"]) + D(bill["fee"])
    changed = sum(D(bill["balChg"]) for bill in told)
    assert swap.engine.wallet == 10_000 + changed
    page = (await swap.exchange.privateGetAccountBills({"after": told[0]["billId"]}))["data"]
    assert page == told[1:]


async def test_a_simple_account_has_no_perpetuals(swap: Wired) -> None:
    swap.venue.wire.trading.level = "1"
    with pytest.raises(ccxt.AccountNotEnabled, match="51010"):
        await placed(swap, "buy", "0.1")


# --- what it reads, and how it says no -----------------------------------------------------------


async def test_a_market_buy_of_spot_is_of_quote_unless_it_says_otherwise(spot: Wired) -> None:
    request = {"instId": BTC["spot"], "tdMode": "cash", "side": "buy", "ordType": "market"}
    await spot.exchange.privatePostTradeOrder(request | {"sz": "100"})
    assert spot.engine.trades[-1].quote == pytest.approx(D(100), abs=1)
    await placed(spot, "buy", "0.01")
    assert spot.engine.trades[-1].quantity == D("0.01")


async def test_positions_have_sides_in_hedge_mode_only(swap: Wired) -> None:
    with pytest.raises(ccxt.BadRequest, match="posSide"):
        await placed(swap, "buy", "0.1", hedged=True)
    await swap.exchange.set_position_mode(True)
    with pytest.raises(ccxt.BadRequest, match="posSide"):
        await placed(swap, "buy", "0.1")
    with pytest.raises(ccxt.BadRequest, match="posSide"):
        await placed(swap, "buy", "0.1", positionSide="LONG")
    await placed(swap, "buy", "0.1", hedged=True)
    await placed(swap, "sell", "0.1", hedged=True, reduceOnly=True)
    assert swap.engine.position(ID, "LONG").amount == 0
    assert (await swap.exchange.fetch_position_mode())["hedged"] is True


async def test_a_refusal_stands_in_the_item_of_a_list(swap: Wired) -> None:
    good = {"instId": BTC["swap"], "tdMode": "cross", "side": "buy", "ordType": "market"}
    both = [good | {"sz": "1"}, good | {"sz": "0.001"}]
    answer = await swap.exchange.privatePostTradeBatchOrders(both)
    assert (answer["code"], [item["sCode"] for item in answer["data"]]) == ("2", ["0", "51121"])
    with pytest.raises(ccxt.InvalidOrder, match="All operations failed"):
        await swap.exchange.privatePostTradeBatchOrders(both[1:])


async def test_post_only_that_would_take_is_answered_and_cancelled(swap: Wired) -> None:
    order = await placed(swap, "buy", "0.1", 50_010, postOnly=True)
    gone = await swap.exchange.fetch_order(order, swap.symbol)
    assert (gone["status"], gone["filled"], gone["info"]["cancelSource"]) == ("canceled", 0, "31")


async def test_a_time_out_and_a_busy_system_have_codes_of_their_own(swap: Wired) -> None:
    swap.venue.faults.on("*", "place", UNKNOWN_OUTCOME)
    with pytest.raises(ccxt.RequestTimeout, match="50004"):
        await placed(swap, "buy", "0.1")
    swap.venue.faults.on("*", "place", OVERLOADED)
    with pytest.raises(ccxt.ExchangeNotAvailable, match="50013"):
        await placed(swap, "buy", "0.1")
    swap.venue.faults.on("*", "place", Refuse(200, "50026", "System error. Try again later."))
    with pytest.raises(ccxt.ExchangeNotAvailable, match="All operations failed"):
        await placed(swap, "buy", "0.1")


async def test_the_passphrase_the_clock_and_the_environment_are_looked_at(swap: Wired) -> None:
    wrong = ApiKey(key="test-key", secret="test-secret", passphrase="wrong")
    other = aim(ccxt.pro.okx(), swap.venue, wrong)
    with pytest.raises(ccxt.AuthenticationError, match="50105"):
        await other.fetch_balance()
    await other.close()
    swap.venue.wire.simulated = True
    with pytest.raises(ccxt.AuthenticationError, match="50101"):
        await swap.exchange.fetch_balance()
    swap.exchange.headers = {"x-simulated-trading": "1"}
    await swap.exchange.fetch_balance()
    swap.exchange.options["timeDifference"] = 60_000
    with pytest.raises(ccxt.InvalidNonce, match="50102"):
        await swap.exchange.fetch_balance()


async def test_an_order_whose_time_is_over_is_not_taken(swap: Wired) -> None:
    swap.exchange.headers = {"expTime": str(swap.engine.now - 1)}
    with pytest.raises(ccxt.ExchangeError, match="50036"):
        await placed(swap, "buy", "0.1")
    swap.exchange.headers = {"expTime": str(swap.engine.now + MINUTE)}
    await placed(swap, "buy", "0.1")


async def test_each_path_has_a_limit_of_its_own(swap: Wired) -> None:
    swap.venue.wire.per = MINUTE

    async def burst() -> None:
        for _ in range(12):
            await swap.exchange.privateGetAccountConfig()

    with pytest.raises(ccxt.RateLimitExceeded, match="50011"):
        await burst()
    await swap.exchange.fetch_open_orders(swap.symbol)


# --- pages and bars ------------------------------------------------------------------------------


async def test_pages_hold_a_hundred_and_go_on_from_an_id(swap: Wired) -> None:
    for _ in range(120):
        swap.engine.place(Wish(symbol=ID, side="BUY", type="MARKET", quantity=D("0.0001")))
    page = await swap.exchange.fetch_my_trades(swap.symbol, limit=1000)
    assert len(page) == 100
    oldest = min(int(fill["id"]) for fill in page)
    rest = await swap.exchange.fetch_my_trades(swap.symbol, params={"after": oldest})
    assert len({fill["id"] for fill in [*page, *rest]}) == 120


async def test_long_bars_open_in_hong_kong_unless_they_are_asked_for_otherwise(
    spot: Wired,
) -> None:
    """ccxt asks so over REST, and not in its stream."""
    day = 1_772_323_200_000  # midnight
    spot.venue.klines[ID, "1d"] = [[day, "1", "2", "0.5", "1.5", "10", day + 1, "15"]]
    [bar] = await spot.exchange.fetch_ohlcv(spot.symbol, "1d")
    assert bar[0] == day
    [bar] = await spot.told(spot.exchange.watch_ohlcv(spot.symbol, "1d"))
    assert bar[0] == day - 8 * 60 * MINUTE


async def test_older_bars_are_told_elsewhere_a_hundred_at_a_time(spot: Wired) -> None:
    first = spot.engine.now // MINUTE * MINUTE - 2_000 * MINUTE
    spot.venue.klines[ID, "1m"] = [
        [first + n * MINUTE, "1", "1", "1", "1", "1", 0, "1"] for n in range(2_000)
    ]
    recent = await spot.exchange.publicGetMarketCandles({"instId": BTC["spot"], "limit": 300})
    assert len(recent["data"]) == 300
    older = await spot.exchange.publicGetMarketCandles(
        {"instId": BTC["spot"], "after": first + 500 * MINUTE}
    )
    assert older["data"] == []
    told = await spot.exchange.publicGetMarketHistoryCandles(
        {"instId": BTC["spot"], "after": first + 500 * MINUTE, "limit": 300}
    )
    assert [told["data"][0][0], len(told["data"])] == [str(first + 499 * MINUTE), 100]


# --- streams -------------------------------------------------------------------------------------


async def test_stops_have_a_stream_of_their_own(swap: Wired) -> None:
    await placed(swap, "buy", "0.1")
    watch = swap.exchange.watch_orders(swap.symbol, params={"trigger": True})
    watching = await swap.listening(watch, "orders-algo")
    stop = await placed(swap, "sell", "0.1", stopLossPrice=45_000)
    assert [(told["id"], told["status"]) for told in await swap.told(watching)] == [(stop, "open")]
    assert all("orders-algo" not in name or connection.path.endswith("business")
               for connection in swap.venue.connections for name in connection.names)  # fmt: skip


async def test_fills_positions_and_money_are_streamed(swap: Wired) -> None:
    watching = await swap.listening(swap.exchange.watch_my_trades(swap.symbol), "orders")
    order = await placed(swap, "sell", "0.1")
    [fill] = await swap.told(watching)
    assert (fill["order"], fill["amount"], fill["price"]) == (order, 10, 49_990)
    assert fill["fee"]["cost"] < 0  # ccxt turns it over REST, and leaves it as it is in the stream
    assert (await swap.told(swap.exchange.watch_balance()))["USDT"]["total"] < 10_000
    [position] = await swap.told(swap.exchange.watch_positions([swap.symbol]))
    assert (position["side"], position["contracts"]) == ("short", 10)


async def test_market_streams_tell_tickers_and_books(swap: Wired) -> None:
    await swap.told(swap.exchange.watch_order_book(swap.symbol))
    await swap.book(49_990, 50_010)
    swap.engine.set_book(ID, bids=[(49_980, 4)], asks=[(50_020, 3)])
    book = await swap.book(49_980, 50_020)
    assert [level[:2] for level in (*book["bids"], *book["asks"])] == [[49_980, 400], [50_020, 300]]
    ticker = await swap.told(swap.exchange.watch_ticker(swap.symbol))
    assert (ticker["bid"], ticker["ask"]) == (49_980, 50_020)


async def test_a_ping_is_plain_text(swap: Wired) -> None:
    url = f"{swap.venue.ws_url}/ws.okx.com:8443/ws/v5/public"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_str("ping")
        assert await swap.told(socket.receive_str()) == "pong"


async def test_a_stream_with_a_bad_key_is_refused(swap: Wired) -> None:
    swap.exchange.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="60007"):
        await swap.told(swap.exchange.watch_orders())
