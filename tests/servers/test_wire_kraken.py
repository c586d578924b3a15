"""What is Kraken's own, through the real ccxt.pro: ids, stops, pages, counters, nonces, streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest

from tests.servers.exchange import OWNER, Wish, aim
from tests.servers.shapes import differences
from tests.servers.wired import ID, Wired, wired
from tests.waiting import until

Json = Any
D = Decimal
FOLDER = Path(__file__).parent / "exchange" / "wires" / "kraken"
SAMPLES = json.loads((FOLDER / "samples.json").read_text("utf-8"))
ABSENT = {
    "trigger",  # of the example's limit orders: it has the keys of a stop
    "iban", "ip_allowlist",
    "trades",  # only where it is asked for
}  # fmt: skip
INNER = {
    "OpenOrders": "open",
    "ClosedOrders": "closed",
    "TradesHistory": "trades",
    "Ledgers": "ledger",
}
BY_NAME = {
    "QueryOrders", "QueryTrades", "AssetPairs", "Assets", "Ticker", "Depth", "OHLC", "Trades",
    "Balance",
}  # fmt: skip
"""What is told under the names of pairs, orders or assets, which are others in the examples."""


@pytest.fixture
async def spot() -> AsyncIterator[Wired]:
    async with wired("kraken", "spot") as world:
        yield world


def like(name: str, ours: Json) -> None:
    assert differences(unnamed(name, SAMPLES[name]), unnamed(name, ours), ABSENT) == [], name


def unnamed(name: str, answer: Json) -> Json:
    """With lists in place of what stands under names."""
    result = dict(answer["result"])
    if name in BY_NAME:
        return {**answer, "result": [value for key, value in result.items() if key != "last"]}
    if name in INNER:
        return {**answer, "result": {**result, INNER[name]: list(result[INNER[name]].values())}}
    if name == "TradeVolume":
        lists = {kind: list(result[kind].values()) for kind in ("fees", "fees_maker")}
        return {**answer, "result": {**result, **lists}}
    return answer


async def placed(
    world: Wired, side: str, coins: float, price: float | None = None, **params: Any
) -> str:
    kind = "market" if price is None else "limit"
    order = await world.exchange.create_order(world.symbol, kind, side, coins, price, params)
    return str(order["id"])


async def one(world: Wired, order: str) -> Json:
    return await world.exchange.fetch_order(order, world.symbol)


# --- shapes --------------------------------------------------------------------------------------


async def test_rest_answers_are_like_the_real_ones(spot: Wired) -> None:
    ask, engine = spot.exchange, spot.engine
    engine.others_trade(ID, 50_000, 2)
    of = {"pair": "XBTUSDT"}
    like("AssetPairs", await ask.publicGetAssetPairs())
    like("Assets", await ask.publicGetAssets())
    like("Ticker", await ask.publicGetTicker(of))
    like("Depth", await ask.publicGetDepth(of))
    like("OHLC", await ask.publicGetOHLC(of))
    like("Trades", await ask.publicGetTrades(of))
    like("SystemStatus", await ask.publicGetSystemStatus())
    order = {**of, "type": "buy", "ordertype": "limit", "price": "40000", "volume": "0.02"}
    added = await ask.privatePostAddOrder(order)
    like("AddOrder", added)
    like("OpenOrders", await ask.privatePostOpenOrders())
    like("CancelOrder", await ask.privatePostCancelOrder({"txid": added["result"]["txid"][0]}))
    like("ClosedOrders", await ask.privatePostClosedOrders())
    sold = await placed(spot, "sell", 0.1)
    queried = await ask.privatePostQueryOrders({"txid": sold, "trades": "true"})
    like("QueryOrders", queried)
    like("TradesHistory", await ask.privatePostTradesHistory())
    [fill] = queried["result"][sold]["trades"]
    like("QueryTrades", await ask.privatePostQueryTrades({"txid": fill}))
    like("Balance", await ask.privatePostBalance())
    like("Ledgers", await ask.privatePostLedgers())
    like("TradeVolume", await ask.privatePostTradeVolume(of))
    like("GetApiKeyInfo", await ask.privatePostGetApiKeyInfo())
    like("CancelAll", await ask.privatePostCancelAll())


# --- our ids -------------------------------------------------------------------------------------


async def test_an_order_is_found_by_our_id_on_one_list_or_the_other(spot: Wired) -> None:
    order = await placed(spot, "buy", 0.02, 40_000, clientOrderId="qd-1")
    named = {"clientOrderId": "qd-1"}
    [resting] = await spot.exchange.fetch_open_orders(spot.symbol, params=named)
    assert (resting["id"], resting["clientOrderId"], resting["status"]) == (order, "qd-1", "open")
    with pytest.raises(ccxt.ExchangeError, match="Duplicate"):
        await placed(spot, "buy", 0.02, 40_000, clientOrderId="qd-1")
    await spot.exchange.cancel_order(None, spot.symbol, named)
    assert await spot.exchange.fetch_open_orders(spot.symbol, params=named) == []
    [ended] = await spot.exchange.fetch_closed_orders(spot.symbol, params=named)
    assert (ended["id"], ended["status"]) == (order, "canceled")
    again = await placed(spot, "buy", 0.02, 40_000, clientOrderId="qd-1")
    assert again != order, "only open orders keep theirs"


async def test_ccxt_asks_for_one_order_by_what_is_no_id_there(spot: Wired) -> None:
    await placed(spot, "buy", 0.02, 40_000, clientOrderId="qd-1")
    with pytest.raises(ccxt.BaseError):
        await spot.exchange.fetch_order("qd-1", spot.symbol, {"clientOrderId": "qd-1"})


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("x" * 18, True),
        ("x" * 19, False),
        ("qd-1f3a-e-0123456789abcdef", False),
        ("6d1b345e-2821-40e2-ad83-4ecb18a06876", True),
        ("6d1b345e282140e2ad834ecb18a06876", True),
    ],
)
async def test_a_client_id_is_short_or_a_uuid(spot: Wired, name: str, is_taken: bool) -> None:
    if is_taken:
        await placed(spot, "buy", 0.02, 40_000, clientOrderId=name)
        return
    with pytest.raises(ccxt.ExchangeError, match="cl_ord_id"):
        await placed(spot, "buy", 0.02, 40_000, clientOrderId=name)


# --- stops ---------------------------------------------------------------------------------------


async def test_a_trigger_price_is_not_read_and_a_market_order_leaves(spot: Wired) -> None:
    order = await placed(spot, "sell", 0.1, triggerPrice=45_000)
    assert (await one(spot, order))["status"] == "closed"
    assert [trade.side for trade in spot.engine.trades] == ["SELL"]


async def test_a_stop_keeps_its_id_when_it_triggers(spot: Wired) -> None:
    stop = await placed(spot, "sell", 0.1, stopLossPrice=45_000, clientOrderId="qd-stop")
    [resting] = await spot.exchange.fetch_open_orders(spot.symbol)
    assert (resting["id"], resting["stopLossPrice"], resting["type"]) == (stop, 45_000, "market")
    spot.engine.trade_through(ID, 44_990)
    ended = await one(spot, stop)
    assert (ended["status"], ended["filled"], ended["info"]["misc"]) == ("closed", 0.1, "stopped")
    assert ended["clientOrderId"] == "qd-stop"


async def test_a_target_waits_for_the_other_side(spot: Wired) -> None:
    target = await placed(spot, "sell", 0.1, takeProfitPrice=55_000)
    spot.engine.trade_through(ID, 54_990)
    assert (await one(spot, target))["status"] == "open"
    spot.engine.trade_through(ID, 55_010)
    ended = await one(spot, target)
    assert (ended["status"], ended["info"]["misc"]) == ("closed", "touched")


# --- what ended how ------------------------------------------------------------------------------


async def test_partly_filled_and_cancelled_is_told_as_cancelled(spot: Wired) -> None:
    order = await placed(spot, "sell", 0.02, 60_000)
    spot.engine.trade_through(ID, 60_010, quantity="0.005")
    await spot.exchange.cancel_order(order, spot.symbol)
    ended = await one(spot, order)
    assert (ended["status"], ended["filled"], ended["amount"]) == ("canceled", 0.005, 0.02)
    with pytest.raises(ccxt.OrderNotFound):
        await spot.exchange.cancel_order(order, spot.symbol)


async def test_post_only_that_would_take_is_answered_and_cancelled(spot: Wired) -> None:
    order = await placed(spot, "buy", 0.1, 50_010, postOnly=True)
    gone = await one(spot, order)
    assert (gone["status"], gone["filled"]) == ("canceled", 0)
    assert gone["info"]["reason"] == "Post only order"


async def test_fees_are_paid_in_the_quote(spot: Wired) -> None:
    await placed(spot, "buy", 0.1)
    [fill] = await spot.exchange.fetch_my_trades(spot.symbol)
    assert fill["fee"] == {"currency": "USDT", "cost": pytest.approx(5.001)}
    assert spot.engine.total("BTC") == D("1.1")


# --- lists ---------------------------------------------------------------------------------------


async def test_fills_are_of_all_orders_whichever_is_asked_for(spot: Wired) -> None:
    first, second = await placed(spot, "buy", 0.1), await placed(spot, "sell", 0.1)
    told = await spot.exchange.fetch_my_trades(spot.symbol, params={"orderId": first})
    assert {fill["order"] for fill in told} == {first, second}


async def test_pages_have_fifty_entries_and_an_offset(spot: Wired) -> None:
    for _ in range(60):
        spot.engine.place(Wish(symbol=ID, side="BUY", type="MARKET", quantity=D("0.001")))
    for fetch in (spot.exchange.fetch_my_trades, spot.exchange.fetch_closed_orders):
        one_page = await fetch(spot.symbol, None, 1000)
        rest = await fetch(spot.symbol, None, 1000, {"ofs": 50})
        assert (len(one_page), len(rest)) == (50, 10)
        assert len({entry["id"] for entry in [*one_page, *rest]}) == 60


async def test_candles_are_the_newest_720_whatever_is_asked_for(spot: Wired) -> None:
    minute, now = 60_000, spot.engine.now
    first = now - now % minute - 999 * minute
    bars = [[first + n * minute, *["1"] * 4, "1", 0, "1", 1] for n in range(1000)]
    spot.venue.klines[ID, "1m"] = bars
    told = await spot.exchange.fetch_ohlcv(spot.symbol, "1m", first, 1000)
    assert (len(told), told[0][0]) == (720, bars[280][0])
    late = await spot.exchange.fetch_ohlcv(spot.symbol, "1m", bars[990][0], 1000)
    assert [bar[0] for bar in late] == [bar[0] for bar in bars[990:]]


# --- who asks, and how often ---------------------------------------------------------------------


async def test_a_deadline_that_has_passed_is_refused_and_nothing_rests(spot: Wired) -> None:
    def after(seconds: float) -> str:
        return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")

    with pytest.raises(ccxt.ExchangeError, match="Deadline elapsed"):
        await placed(spot, "buy", 0.02, 40_000, deadline=after(-1))
    for out_of_bounds in (after(1), after(90), "soon"):
        with pytest.raises(ccxt.ExchangeError, match="deadline"):
            await placed(spot, "buy", 0.02, 40_000, deadline=out_of_bounds)
    assert spot.engine.orders == {}
    await placed(spot, "buy", 0.02, 40_000, deadline=after(10))


async def test_a_nonce_below_the_keys_window_is_refused(spot: Wired) -> None:
    """As when two programs share a key whose nonces have no window, and differ in their clocks."""
    await spot.exchange.fetch_balance()
    other: Any = aim(ccxt.pro.kraken(), spot.venue, OWNER)
    other.options["timeDifference"] = 5_000
    other.set_markets(spot.exchange.markets)
    try:
        await other.fetch_balance()
        spot.venue.wire.nonce_window = 0
        with pytest.raises(ccxt.InvalidNonce):
            await other.fetch_balance()
    finally:
        await other.close()


async def test_questions_fill_a_counter_that_orders_do_not(spot: Wired) -> None:
    async def much() -> None:
        for _ in range(60):
            await spot.exchange.fetch_open_orders(spot.symbol)

    with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
        await much()
    await placed(spot, "buy", 0.02, 40_000)


async def test_cancels_of_young_orders_fill_the_counter_of_their_pair(spot: Wired) -> None:
    async def much() -> None:
        for _ in range(60):
            order = await placed(spot, "buy", 0.01, 40_000)
            await spot.exchange.cancel_order(order, spot.symbol)

    with pytest.raises(ccxt.DDoSProtection, match="EOrder:Rate limit exceeded"):
        await much()
    await spot.exchange.create_order("ETH/USDT", "limit", "buy", 0.01, 40_000)


# --- streams -------------------------------------------------------------------------------------


async def test_market_streams_tell_tickers_bars_and_books(spot: Wired) -> None:
    book = await spot.exchange.watch_order_book(spot.symbol)
    assert (book["bids"][0], book["asks"][0]) == ([49_990, 5], [50_010, 5])
    spot.engine.set_book(ID, bids=[(49_980, 4)], asks=[(50_020, 3)])
    book = await spot.exchange.watch_order_book(spot.symbol)
    assert (book["bids"], book["asks"]) == ([[49_980, 4]], [[50_020, 3]])
    ticker = await spot.exchange.watch_ticker(spot.symbol)
    assert (ticker["bid"], ticker["ask"]) == (49_980, 50_020)
    spot.engine.others_trade(ID, 50_000, 1)
    [bar] = await spot.exchange.watch_ohlcv(spot.symbol, "1m")
    assert bar[4] == 50_000


async def test_orders_and_fills_share_one_subscription(spot: Wired) -> None:
    orders = await spot.listening(spot.exchange.watch_orders(), "executions")
    fills = await spot.listening(spot.exchange.watch_my_trades(), "executions")
    order = await placed(spot, "sell", 0.1, clientOrderId="qd-1")
    [fill] = await fills
    assert (fill["order"], fill["amount"], fill["fee"]["currency"]) == (order, 0.1, "USDT")
    [told, *_] = await orders
    assert (told["id"], told["clientOrderId"]) == (order, "0"), "the user reference, not our id"


async def test_a_cancel_in_the_stream_names_the_order_and_no_more(spot: Wired) -> None:
    order = await placed(spot, "buy", 0.1, 40_000)
    told = await spot.exchange.watch_orders()
    assert [each["id"] for each in told] == [order], "what rests is told first"
    watching = await spot.listening(spot.exchange.watch_orders(), "executions")
    await spot.exchange.cancel_order(order, spot.symbol)
    [ended] = await watching
    assert (ended["id"], ended["status"], ended["symbol"]) == (order, "canceled", None)
    assert ended["filled"] is None, "ccxt takes what had filled for the amount"


async def test_money_is_streamed(spot: Wired) -> None:
    await spot.exchange.watch_balance()
    watching = await spot.listening(spot.exchange.watch_balance(), "balances")
    await placed(spot, "sell", 0.1)
    assert (await watching)["BTC"]["total"] <= 1
    await until(lambda: spot.exchange.balance["spot"]["BTC"]["total"] == 0.9)


async def test_a_token_that_nobody_was_given_is_refused_and_ccxt_waits_on(spot: Wired) -> None:
    heard: list[Json] = []
    take = spot.exchange.handle_message

    def hear(client: Any, message: Json) -> None:
        heard.append(message)
        take(client, message)

    spot.exchange.handle_message = hear
    client = spot.exchange.client(spot.exchange.urls["api"]["ws"]["private"])
    told = {"token": "no", "start": spot.exchange.seconds(), "expires": 900}
    client.subscriptions["authenticated"] = told
    watching = asyncio.ensure_future(spot.exchange.watch_orders())
    await until(lambda: [told for told in heard if told.get("success") is False])
    assert not watching.done()
    assert not spot.watches()
    watching.cancel()
