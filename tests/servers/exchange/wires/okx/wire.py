"""OKX's protocol at one market: signatures, limits, the envelope, and the paths.

Left out: margin that borrows, `oco`, trailing and attached stops (refused with 50062), amending,
orders by WebSocket, and sub-accounts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.servers.exchange.access import ApiKey
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.faults import Plight, Refuse
from tests.servers.exchange.limits import Counter, Window
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.rules import Rules, spot_rules, swap_rules
from tests.servers.exchange.values import Told
from tests.servers.exchange.wires.base import (
    NONE,
    READ,
    TRADE,
    Answer,
    Asked,
    Json,
    Route,
    Routes,
    Said,
    Site,
    Wire,
)
from tests.servers.exchange.wires.okx import words
from tests.servers.exchange.wires.okx.account import Account
from tests.servers.exchange.wires.okx.finding import Finding
from tests.servers.exchange.wires.okx.market import Market
from tests.servers.exchange.wires.okx.rendering import instrument
from tests.servers.exchange.wires.okx.streams import Streams
from tests.servers.exchange.wires.okx.trading import Outcome, Trading

WITHIN = 30_000
"""Milliseconds that a request's time may differ from ours."""
ORDERS = Window("orders", 2_000, 1_000)
"""Of an account, over all instruments."""


class OkxWire(Wire):
    """`simulated` says whether the keys are of demo trading (None: nobody looks).

    `per` is how many milliseconds a path's limit is for: a test may make it longer.
    """

    exchange = "okx"
    plights = words.PLIGHTS

    def __init__(self, site: Site) -> None:
        self._market = Market(site)
        self._finding = Finding(site, self._market)
        self.trading = Trading(site, self._market, self._finding)
        self._account = Account(site, self._market, lambda: self.trading.level)
        self._streams = Streams(site, self._market)
        self.counter = Counter()
        self.per = 2_000
        self.simulated: bool | None = None
        super().__init__(site)

    @staticmethod
    def rules(market: str, base: str) -> Rules:
        """No least notional; perpetuals of a hundredth coin, in hundredths of a contract."""
        if market == "spot":
            return spot_rules(
                base,
                tick=Decimal("0.1"),
                lot=Decimal("0.00000001"),
                least=Decimal("0.00001"),
                notional=Decimal(0),
                max_stops=500,
                max_orders=500,
            )
        return swap_rules(
            base,
            contract=Decimal("0.01"),
            lot=Decimal("0.0001"),
            least=Decimal("0.0001"),
            notional=Decimal(0),
            max_leverage=100,
            max_orders=500,
        )

    def market_id(self, symbol: str) -> str:
        return instrument(self.engine, symbol)

    # --- requests ---

    def make_routes(self) -> Routes:
        """`weight` is how many in two seconds."""
        paths: dict[tuple[str, str], Route] = {}
        for method, name, route in (*self._public(), *self._trade(), *self._private()):
            paths[method, f"/api/v5/{name}"] = route
        return Routes(paths)

    def _public(self) -> Iterable[tuple[str, str, Route]]:
        of = self._market
        yield "GET", "public/time", Route(of.time, weight=20)
        yield "GET", "public/instruments", Route(of.instruments, purpose="rules", weight=40)
        yield "GET", "public/mark-price", Route(of.mark_prices, weight=20)
        yield "GET", "public/funding-rate", Route(of.funding_rate, weight=20)
        yield "GET", "market/tickers", Route(of.tickers, purpose="tickers", weight=20)
        yield "GET", "market/ticker", Route(of.one_ticker, purpose="tickers", weight=40)
        yield "GET", "market/books", Route(of.book, purpose="book", weight=40)
        yield "GET", "market/candles", Route(of.candles, purpose="candles", weight=40)
        yield (
            "GET",
            "market/history-candles",
            Route(of.history_candles, purpose="candles", weight=20),
        )
        yield "GET", "market/trades", Route(of.trades, weight=100)
        yield "GET", "system/status", Route(of.status, weight=1)

    def _trade(self) -> Iterable[tuple[str, str, Route]]:
        of, found = self.trading, self._finding
        yield "POST", "trade/order", Route(of.place, TRADE, "place", 60)
        yield "POST", "trade/batch-orders", Route(of.place_batch, TRADE, "place", 300)
        yield "POST", "trade/order-algo", Route(of.place_algo, TRADE, "place", 20)
        yield "POST", "trade/cancel-order", Route(of.cancel, TRADE, "cancel", 60)
        yield "POST", "trade/cancel-batch-orders", Route(of.cancel_batch, TRADE, "cancel", 300)
        yield "POST", "trade/cancel-algos", Route(of.cancel_algos, TRADE, "cancel", 20)
        yield "POST", "trade/cancel-all-after", Route(of.cancel_all_after, TRADE, weight=2)
        yield "GET", "trade/order", Route(found.order, READ, "find", 60)
        yield "GET", "trade/orders-pending", Route(found.pending, READ, "open", 60)
        yield "GET", "trade/orders-history", Route(found.history, READ, "history", 40)
        yield "GET", "trade/orders-history-archive", Route(found.archive, READ, "history", 20)
        yield "GET", "trade/order-algo", Route(found.algo, READ, "find", 20)
        yield "GET", "trade/orders-algo-pending", Route(found.algos_pending, READ, "open", 20)
        yield "GET", "trade/orders-algo-history", Route(found.algos_history, READ, "history", 20)
        yield "GET", "trade/fills", Route(found.fills, READ, "trades", 60)
        yield "GET", "trade/fills-history", Route(found.fills_history, READ, "trades", 10)

    def _private(self) -> Iterable[tuple[str, str, Route]]:
        of = self._account
        yield "GET", "account/config", Route(of.config, READ, weight=5)
        yield "GET", "account/balance", Route(of.balance, READ, "balance", 10)
        yield "GET", "asset/balances", Route(of.funding, READ, weight=12)
        yield "GET", "account/positions", Route(of.positions, READ, "positions", 10)
        yield "GET", "account/leverage-info", Route(of.leverage, READ, weight=20)
        yield "POST", "account/set-leverage", Route(of.set_leverage, TRADE, weight=20)
        yield "POST", "account/set-position-mode", Route(of.set_position_mode, TRADE, weight=5)
        yield "GET", "account/trade-fee", Route(of.fees, READ, weight=5)
        yield "GET", "account/bills", Route(of.bills, READ, "movements", 10)
        yield "GET", "account/bills-archive", Route(of.bills, READ, "movements", 10)

    def key_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("OK-ACCESS-KEY", "")

    def count(self, asked: Asked, route: Route) -> dict[str, str]:
        """By key (or address) and path; orders of a list count each.  No header tells of it."""
        now, orders = self.engine.now, len(asked.params.get("batch") or [0])
        single = Window(asked.path, self.per, route.weight)
        named = f"{self.key_of(asked.headers)} {asked.path} {asked.params.get('instId', '')}"
        if self.counter.add(named, single, orders, now) > single.most:
            raise _plight("too many")
        if route.purpose == "place" and (
            self.counter.add(self.key_of(asked.headers), ORDERS, orders, now) > ORDERS.most
        ):
            text = "You've reached the maximum order rate limit for this account."
            raise Said("50061", text, 200)
        return {}

    def admit(self, asked: Asked, security: str) -> ApiKey | None:
        """The signature is over time, method, path with query, and the body as it came."""
        if security == NONE:
            return None
        named, stamp = self.key_of(asked.headers), asked.headers.get("OK-ACCESS-TIMESTAMP", "")
        if not named:
            raise Said("50103", 'Request header "OK-ACCESS-KEY" cannot be empty.', 401)
        owner = self.site.keys.get(named)
        if owner is None:
            raise Said("50111", "Invalid OK-ACCESS-KEY.", 401)
        if asked.headers.get("OK-ACCESS-PASSPHRASE", "") != owner.passphrase:
            raise Said("50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.', 401)
        query = f"?{asked.query}" if asked.query else ""
        payload = f"{stamp}{asked.method}{asked.path}{query}{asked.text}"
        digest = hmac.new(owner.secret.encode(), payload.encode(), hashlib.sha256).digest()
        signature = asked.headers.get("OK-ACCESS-SIGN", "")
        if not hmac.compare_digest(base64.b64encode(digest).decode(), signature):
            raise Said("50113", "Invalid Sign", 401)
        self._check_time(stamp, asked.headers.get("expTime", ""))
        self._check_environment(asked.headers)
        if security == TRADE and not owner.may_trade(self.market):
            text = "This API key doesn't have permission to use this function."
            raise Said("50120", text, 401)
        return owner

    def _check_time(self, stamp: str, expires: str) -> None:
        """`expTime`, in milliseconds, is when a request is not to be carried out any more."""
        try:
            at = datetime.fromisoformat(stamp).timestamp() * 1000
        except ValueError:
            raise Said("50112", "Invalid OK-ACCESS-TIMESTAMP.", 401) from None
        if abs(at - self.engine.now) > WITHIN:
            raise Said("50102", "Timestamp request expired", 401)
        if expires.isdigit() and int(expires) < self.engine.now:
            text = "The expTime can't be earlier than the current system time."
            raise Said("50036", text, 400)

    def _check_environment(self, headers: Mapping[str, str]) -> None:
        asked = headers.get("x-simulated-trading", "0") == "1"
        if self.simulated is not None and asked != self.simulated:
            raise Said("50101", "APIKey does not match current environment.", 401)

    def success(self, body: Json) -> Json:
        if not isinstance(body, Outcome):
            return {"code": "0", "msg": "", "data": body}
        now = f"{self.engine.now}000"
        text = {"0": "", "1": "All operations failed", "2": "Bulk operation partially succeeded."}
        return {
            "code": body.code,
            "msg": text[body.code],
            "data": body.data,
            "inTime": now,
            "outTime": now,
        }

    def error(self, said: Said) -> Json:
        return {"code": said.code, "msg": said.text, "data": []}

    def planned(self, refuse: Refuse | Plight) -> Answer:
        """With HTTP 200 it stands where an order's refusal does: in the item, under `code` 1."""
        if not isinstance(refuse, Refuse) or refuse.status != 200:
            return super().planned(refuse)
        item = {"ordId": "", "clOrdId": "", "sCode": refuse.code, "sMsg": refuse.text}
        return Answer(200, self.success(Outcome([item])))

    def worded(self, why: Refusal) -> Said:
        return words.worded(why)

    def no_such_path(self) -> Said:
        return Said("404", "Not Found", 404)

    # --- streams ---

    def greet(self, connection: Connection, query: Mapping[str, str]) -> None:
        """Nothing is said first."""

    def listen(self, connection: Connection, message: str) -> None:
        self._streams.listen(connection, message)

    def user_events(self, told: Told) -> Iterable[Json]:
        return list(self._streams.user_events(told))

    def event_names(self, event: Json) -> Collection[str]:
        return self._streams.event_names(event)

    def push(self, event: Json) -> None:
        self._streams.push(event)

    def publish(self, told: Told) -> None:
        self._streams.publish(told)

    def beat(self) -> None:
        self._streams.beat()

    # --- clients ---

    @classmethod
    def aim(cls, exchange: Any, server: Any, key: ApiKey) -> None:
        """Only the type that this venue has: the others' lists would be empty."""
        super().aim(exchange, server, key)
        exchange.options["fetchMarkets"] = {"types": [server.market]}
        exchange.options["defaultType"] = server.market


def _plight(name: str) -> Said:
    of = words.PLIGHTS[name]
    return Said(of.code, of.text, of.status)
