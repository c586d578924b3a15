"""The test venue as a process: the same venue, driven through its control endpoint."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.servers.exchange import OWNER, Refusal
from tests.servers.exchange.process import ExchangeProcess
from tests.servers.exchange.wires.binance.access import sign
from tests.waiting import PATIENCE

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "49000",
}


def ask(venue: ExchangeProcess, method: str, path: str, **params: object) -> tuple[int, Any]:
    query = urlencode({**params, "timestamp": int(time.time() * 1000)})
    connection = HTTPConnection(urlsplit(venue.url).netloc, timeout=PATIENCE)
    try:
        target = f"{path}?{query}&signature={sign(OWNER.secret, query)}"
        connection.request(method, target, headers={"X-MBX-APIKEY": OWNER.key})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.slow
def test_a_venue_in_another_process_is_driven_from_the_test() -> None:
    with ExchangeProcess(market="spot", symbols=["BTC"]) as venue:
        before = time.monotonic_ns()
        venue.tell("on", method="POST", path="*/order", act={"kind": "Close", "done": True})
        with pytest.raises((ConnectionError, HTTPException)):
            ask(venue, "POST", "/api/v3/order", **ORDER, newClientOrderId="one")
        [recorded] = venue.tell("asked", method="POST", since=before)
        assert recorded["params"]["newClientOrderId"] == "one"
        assert before < recorded["arrived"] < time.monotonic_ns()
        venue.engine("trade_through", "BTCUSDT", "48999")
        [order] = venue.tell("state")["orders"]
        assert (order["client_id"], order["status"]) == ("one", "FILLED")
        foreign = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.5"}
        assert venue.engine("place", foreign)["status"] == "FILLED"
        with pytest.raises(Refusal, match="insufficient balance"):
            venue.engine("place", foreign | {"quantity": "9"})
        venue.tell("outage", on=True)
        with pytest.raises(ConnectionError):
            ask(venue, "GET", "/api/v3/account")
        venue.tell("outage", on=False)
        assert ask(venue, "GET", "/api/v3/account")[0] == 200


@pytest.mark.slow
def test_a_process_speaks_the_protocol_that_is_named() -> None:
    with ExchangeProcess(exchange="okx", market="swap", symbols=["BTC"]) as venue:
        venue.engine("trade_through", "BTCUSDT", "48999")
        status, told = ask(venue, "GET", "/api/v5/market/ticker", instId="BTC-USDT-SWAP")
        assert (status, told["data"][0]["last"]) == (200, "48999")
        venue.tell("on", method="GET", path="tickers", act={"kind": "Plight", "name": "too many"})
        status, told = ask(venue, "GET", "/api/v5/market/ticker", instId="BTC-USDT-SWAP")
        assert (status, told["code"]) == (429, "50011")
        assert len(venue.tell("asked", path="tickers")) == 2
