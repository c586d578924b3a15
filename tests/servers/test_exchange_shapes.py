"""The test venue's answers and events have the keys and types of Binance's own examples.

samples/*.json names their source.  What differs is named here, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.servers.exchange import OWNER, ExchangeServer, Wish
from tests.servers.exchange.values import Told
from tests.servers.exchange.wires.binance.access import sign
from tests.servers.shapes import differences
from tests.waiting import PATIENCE

Json = Any
SAMPLES = {
    market: json.loads(
        (
            Path(__file__).parent / "exchange" / "wires" / "binance" / "samples" / f"{market}.json"
        ).read_text("utf-8")
    )
    for market in ("spot", "swap")
}
ABSENT = {
    "spot": {
        "icebergQty",  # the example is of an iceberg order
        "withdrawOrderId",  # only of withdrawals made through the API
    },
    "swap": {
        "activatePrice",  # the examples are of trailing orders, which are conditional ones now
        "priceRate",
        "AP",
        "cr",
    },
}
D = Decimal


async def ask(venue: ExchangeServer, method: str, path: str, **params: object) -> Json:
    """A signed request, without a client library."""
    query = urlencode({**params, "timestamp": venue.engine.now})
    url = f"{venue.url}{path}?{query}&signature={sign(OWNER.secret, query)}"
    headers = {"X-MBX-APIKEY": OWNER.key}
    async with aiohttp.request(method, url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


def assert_like(market: str, name: str, ours: Json) -> None:
    shown = ours[0] if isinstance(ours, list) and ours and isinstance(ours[0], dict) else ours
    assert differences(SAMPLES[market][name], shown, ABSENT[market]) == [], name


class Story:
    """Asks one after the other, and compares what has a sample."""

    def __init__(self, venue: ExchangeServer) -> None:
        self.venue = venue

    async def ask(self, method: str, path: str, **params: object) -> Json:
        return await ask(self.venue, method, path, **(BTC | params))

    async def compare(self, name: str, path: str, **params: object) -> Json:
        answer = await self.ask(name.partition(" ")[0], path, **params)
        assert_like(self.venue.market, name, answer)
        return answer


BTC: dict[str, object] = {"symbol": "BTCUSDT"}
LIMIT = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "side": "BUY"}
MARKET = {"type": "MARKET", "quantity": "0.1", "side": "BUY"}
STOP = {"type": "STOP_MARKET", "quantity": "0.1", "side": "SELL", "algoType": "CONDITIONAL"}
OCO = {
    "side": "SELL",
    "quantity": "0.1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "52000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "48000",
    "belowPrice": "47900",
}


@pytest.fixture
async def spot() -> AsyncIterator[Story]:
    async with ExchangeServer(market="spot") as venue:
        yield Story(venue)


@pytest.fixture
async def swap() -> AsyncIterator[Story]:
    async with ExchangeServer(market="swap") as venue:
        yield Story(venue)


async def test_spot_market_data_and_account_are_like_the_real_ones(spot: Story) -> None:
    await spot.compare("GET exchangeInfo", "/api/v3/exchangeInfo")
    await spot.compare("GET ticker/24hr", "/api/v3/ticker/24hr")
    await spot.compare("GET ticker/bookTicker", "/api/v3/ticker/bookTicker")
    await spot.compare("GET account", "/api/v3/account")
    await spot.compare("GET apiRestrictions", "/sapi/v1/account/apiRestrictions")
    spot.venue.engine.deposit("USDT", 5)
    spot.venue.engine.withdraw("USDT", 5)
    await spot.compare("GET deposit/hisrec", "/sapi/v1/capital/deposit/hisrec")
    await spot.compare("GET withdraw/history", "/sapi/v1/capital/withdraw/history")


async def test_spot_orders_are_like_the_real_ones(spot: Story) -> None:
    await spot.compare("POST order", "/api/v3/order", **MARKET)
    await spot.compare("GET myTrades", "/api/v3/myTrades")
    await spot.compare("GET klines", "/api/v3/klines", interval="1m")
    resting = await spot.ask("POST", "/api/v3/order", **LIMIT, price="40000")
    named = {"orderId": resting["orderId"]}
    await spot.compare("GET order", "/api/v3/order", **named)
    await spot.compare("GET openOrders", "/api/v3/openOrders")
    await spot.compare("DELETE order", "/api/v3/order", **named)


async def test_spot_order_lists_are_like_the_real_ones(spot: Story) -> None:
    both = await spot.ask("POST", "/api/v3/orderList/oco", **OCO)
    both["orderReports"].reverse()  # the examples begin with the stop
    assert_like("spot", "POST orderList/oco", both)
    listed = {"orderListId": both["orderListId"]}
    await spot.compare("GET orderList", "/api/v3/orderList", **listed)
    gone = await spot.ask("DELETE", "/api/v3/orderList", **listed)
    gone["orderReports"].reverse()
    assert_like("spot", "DELETE orderList", gone)


async def test_perpetual_market_data_is_like_the_real_one(swap: Story) -> None:
    await swap.compare("GET exchangeInfo", "/fapi/v1/exchangeInfo")
    await swap.compare("GET premiumIndex", "/fapi/v1/premiumIndex")
    await swap.compare("GET ticker/bookTicker", "/fapi/v1/ticker/bookTicker")
    await swap.compare("GET ticker/24hr", "/fapi/v1/ticker/24hr")
    await swap.compare("GET depth", "/fapi/v1/depth")


async def test_the_perpetual_account_is_like_the_real_one(swap: Story) -> None:
    await swap.ask("POST", "/fapi/v1/order", **MARKET)
    await swap.compare("POST leverage", "/fapi/v1/leverage", leverage=5)
    await swap.compare("GET userTrades", "/fapi/v1/userTrades")
    await swap.compare("GET v2/positionRisk", "/fapi/v2/positionRisk")
    await swap.compare("GET v3/account", "/fapi/v3/account")
    await swap.compare("GET v3/balance", "/fapi/v3/balance")
    await swap.compare("GET income", "/fapi/v1/income")
    await swap.compare("GET leverageBracket", "/fapi/v1/leverageBracket")
    await swap.compare("GET accountConfig", "/fapi/v1/accountConfig")
    await swap.compare("GET symbolConfig", "/fapi/v1/symbolConfig")
    await swap.compare("GET commissionRate", "/fapi/v1/commissionRate")
    await swap.compare("POST listenKey", "/fapi/v1/listenKey")


async def test_perpetual_orders_are_like_the_real_ones(swap: Story) -> None:
    resting = await swap.compare("POST order", "/fapi/v1/order", **LIMIT, price="49000")
    named = {"orderId": resting["orderId"]}
    await swap.compare("GET order", "/fapi/v1/order", **named)
    await swap.compare("DELETE order", "/fapi/v1/order", **named)
    algo = await swap.compare("POST algoOrder", "/fapi/v1/algoOrder", **STOP, triggerPrice=49_000)
    await swap.compare("GET openAlgoOrders", "/fapi/v1/openAlgoOrders")
    swap.venue.engine.trade_through("BTCUSDT", 48_990)
    await swap.compare("GET algoOrder", "/fapi/v1/algoOrder", algoId=algo["algoId"])
    swap.venue.engine.liquidate("BTCUSDT")
    await swap.compare("GET forceOrders", "/fapi/v1/forceOrders")


def collected(venue: ExchangeServer) -> dict[str, Json]:
    """The first user event of each name."""
    found: dict[str, Json] = {}

    def hear(told: Told) -> None:
        for event in venue.wire.user_events(told):
            found.setdefault(event["e"], event)

    venue.engine.listen(hear)
    return found


def test_spot_events_are_like_the_real_ones() -> None:
    venue = ExchangeServer(market="spot")
    found = collected(venue)
    limit = Wish(
        symbol="BTCUSDT", side="SELL", type="LIMIT_MAKER", quantity=D("0.1"), price=D(52_000)
    )
    stop = replace(limit, type="STOP_LOSS", price=D(0), stop_price=D(48_000))
    venue.engine.place_oco(limit, stop)
    venue.engine.deposit("USDT", 1)
    wanted = {"executionReport", "outboundAccountPosition", "balanceUpdate", "listStatus"}
    assert found.keys() == wanted
    for name, event in found.items():
        assert_like("spot", name, event)


def test_perpetual_events_are_like_the_real_ones() -> None:
    venue = ExchangeServer(market="swap")
    found = collected(venue)
    buy = Wish(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=D("0.1"))
    venue.engine.place_algo(replace(buy, type="STOP_MARKET", stop_price=D(51_000)))
    venue.engine.set_leverage("BTCUSDT", 25)
    traded: list[Json] = []
    venue.engine.listen(lambda told: traded.extend(venue.wire.user_events(told)))
    venue.engine.place(buy)
    wanted = {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "ACCOUNT_CONFIG_UPDATE"}
    assert found.keys() == wanted
    trade = next(e for e in traded if e["e"] == "ORDER_TRADE_UPDATE" and e["o"]["x"] == "TRADE")
    for name, event in (found | {"ORDER_TRADE_UPDATE": trade}).items():
        assert_like("swap", name, event)


STREAMS = {
    "btcusdt@miniTicker": "24hrMiniTicker",
    "btcusdt@ticker": "24hrTicker",
    "btcusdt@bookTicker": "bookTicker",
    "btcusdt@kline_1m": "kline",
}


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_market_streams_are_like_the_real_ones(market: str) -> None:
    async with ExchangeServer(market=market) as venue:
        venue.engine.trade_through("BTCUSDT", 50_000)
        wanted = dict(STREAMS)
        if market == "swap":
            wanted["btcusdt@markPrice@1s"] = "markPriceUpdate"
        names = "/".join(wanted)
        url = f"{venue.ws_url}/stream?streams={names}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            venue.engine.trade_through("BTCUSDT", 50_001)
            seen: dict[str, Json] = {}
            while seen.keys() != wanted.keys():
                message = await socket.receive_json(timeout=PATIENCE)
                seen[message["stream"]] = message["data"]
        for stream, name in wanted.items():
            assert_like(market, name, seen[stream])


def test_the_comparison_sees_what_is_missing_and_what_is_of_another_type() -> None:
    sample = {"a": "1", "b": [{"c": 1}], "d": None}
    assert differences(sample, {"a": "2", "b": [{"c": 3}], "d": 4}, set()) == []
    found = differences(sample, {"a": 2, "b": [{}], "d": 4}, set())
    assert sorted(found) == [".a is int, not str", ".b[].c lacks"]
