"""Bybit's protocol at one market: signatures, limits, the envelope, and the paths.

Left out: inverse and options, `position/trading-stop` and stops attached to an entry, amending,
`disconnected-cancel-all` (an account manager has to enable it), and Trade by WebSocket.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.servers.exchange.access import ApiKey
from tests.servers.exchange.connections import Connection
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
from tests.servers.exchange.wires.bybit import words
from tests.servers.exchange.wires.bybit.account import Account
from tests.servers.exchange.wires.bybit.market import Market
from tests.servers.exchange.wires.bybit.streams import NAMES, Streams
from tests.servers.exchange.wires.bybit.trading import Trading

BY_ADDRESS = Window("address", 5_000, 600)
BAN = 600_000
AHEAD = 1_000
"""Milliseconds that a timestamp may be in the future."""


class BybitWire(Wire):
    """`counter` is what has been used of the limits, `banned_until` of an address.

    `per` is how many milliseconds a path's limit is for: a test may make it longer.
    """

    exchange = "bybit"
    plights = words.PLIGHTS

    def __init__(self, site: Site) -> None:
        self._market = Market(site)
        self._trading = Trading(site)
        self.account = Account(site)
        self._streams = Streams(site, self._market)
        self.counter = Counter()
        self.per = 1_000
        self.banned_until = 0
        super().__init__(site)

    @staticmethod
    def rules(market: str, base: str) -> Rules:
        if market == "spot":
            return spot_rules(
                base,
                lot=Decimal("0.000001"),
                least=Decimal("0.000048"),
                notional=Decimal(1),
                max_stops=30,
                max_orders=500,
            )
        return swap_rules(base, max_leverage=100, max_stops=10, max_orders=500)

    # --- requests ---

    def make_routes(self) -> Routes:
        public, private, account = self._market, self._trading, self.account
        return Routes(
            {
                ("GET", "/v5/market/time"): Route(public.time),
                ("GET", "/v5/system/status"): Route(public.status),
                ("GET", "/v5/market/instruments-info"): Route(public.instruments, purpose="rules"),
                ("GET", "/v5/market/tickers"): Route(public.tickers, purpose="tickers"),
                ("GET", "/v5/market/orderbook"): Route(public.book, purpose="book"),
                ("GET", "/v5/market/kline"): Route(public.kline, purpose="candles"),
                ("GET", "/v5/market/recent-trade"): Route(public.trades),
                ("POST", "/v5/order/create"): Route(private.create, TRADE, "place", 10),
                ("POST", "/v5/order/create-batch"): Route(private.create_batch, TRADE, "place", 10),
                ("POST", "/v5/order/cancel"): Route(private.cancel, TRADE, "cancel", 10),
                ("POST", "/v5/order/cancel-batch"): Route(
                    private.cancel_batch, TRADE, "cancel", 10
                ),
                ("POST", "/v5/order/cancel-all"): Route(private.cancel_all, TRADE, "cancel", 10),
                ("GET", "/v5/order/realtime"): Route(private.realtime, READ, "open", 50),
                ("GET", "/v5/order/history"): Route(private.history, READ, "history", 50),
                ("GET", "/v5/execution/list"): Route(private.executions, READ, "trades", 50),
                ("GET", "/v5/position/list"): Route(account.positions, READ, "positions", 50),
                ("POST", "/v5/position/set-leverage"): Route(
                    account.set_leverage, TRADE, weight=10
                ),
                ("POST", "/v5/position/switch-mode"): Route(account.switch_mode, TRADE, weight=10),
                ("GET", "/v5/account/wallet-balance"): Route(account.wallet, READ, "balance", 50),
                ("GET", "/v5/account/info"): Route(account.info, READ, weight=50),
                ("GET", "/v5/account/fee-rate"): Route(account.fee_rate, READ, weight=10),
                ("GET", "/v5/account/transaction-log"): Route(
                    account.transactions, READ, "movements", 30
                ),
                ("POST", "/v5/account/set-margin-mode"): Route(
                    account.set_margin_mode, TRADE, weight=10
                ),
                ("GET", "/v5/user/query-api"): Route(account.api_key, READ, weight=10),
            }
        )

    def key_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("X-BAPI-API-KEY", "")

    def count(self, asked: Asked, route: Route) -> dict[str, str]:
        """By address for everything; by key and path for what is private, `weight` a second.

        A list counts as many as it names.
        """
        now = self.engine.now
        if now < self.banned_until:
            raise _plight("banned", {})
        if self.counter.add("address", BY_ADDRESS, 1, now) > BY_ADDRESS.most:
            self.banned_until = now + BAN
            raise _plight("banned", {})
        if route.security == NONE:
            return {}
        window = Window(asked.path, self.per, route.weight)
        units = len(asked.params.get("request") or [0])
        used = self.counter.add(f"{self.key_of(asked.headers)} {asked.path}", window, units, now)
        headers = {
            "X-Bapi-Limit": str(window.most),
            "X-Bapi-Limit-Status": str(max(0, window.most - used)),
            "X-Bapi-Limit-Reset-Timestamp": str(window.end(now)),
        }
        if used > window.most:
            raise _plight("too many", headers)
        return headers

    def admit(self, asked: Asked, security: str) -> ApiKey | None:
        """The signature is over time, key, window, and the query or the body as they came."""
        if security == NONE:
            return None
        named, stamp = self.key_of(asked.headers), asked.headers.get("X-BAPI-TIMESTAMP", "")
        signature = asked.headers.get("X-BAPI-SIGN", "")
        if not (named and stamp.isdigit() and signature):
            text = f"empty value: apiTimestamp[{stamp}] apiKey[{named}] apiSignature[{signature}]"
            raise Said(10001, f"{text}: openapi sign params error!", 200)
        owner = self.site.keys.get(named)
        if owner is None:
            raise Said(10003, "API key is invalid.", 200)
        window = asked.headers.get("X-BAPI-RECV-WINDOW", "5000")
        payload = stamp + named + window + (asked.text if asked.method == "POST" else asked.query)
        right = hmac.new(owner.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, signature):
            raise Said(10004, "error sign! please check your signature generation algorithm.", 200)
        now = self.engine.now
        if not now - int(window) <= int(stamp) < now + AHEAD:
            text = "invalid request, please check your server timestamp or recv_window param"
            detail = f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]"
            raise Said(10002, f"{text}. {detail}", 200)
        if security == TRADE and not owner.may_trade(self.market):
            raise Said(10005, "Permission denied, please check your API key permissions.", 200)
        return owner

    def success(self, body: Json) -> Json:
        extended = body.pop("retExtInfo", {})
        return self._envelope(0, "OK", body, extended)

    def error(self, said: Said) -> Json:
        return self._envelope(said.code, said.text, {}, {})

    def _envelope(self, code: int | str, text: str, result: Json, extended: Json) -> Json:
        return {
            "retCode": code,
            "retMsg": text,
            "result": result,
            "retExtInfo": extended,
            "time": self.engine.now,
        }

    def worded(self, why: Refusal) -> Said:
        return words.worded(why, self.market)

    def no_such_path(self) -> Said:
        return Said(10017, "Route not found.", 404)

    def rendered(self, said: Said, headers: Mapping[str, str]) -> Answer:
        """A banned address hears from the edge, which knows no envelope."""
        if said.status == 403:
            return Answer(403, None, headers, text=said.text)
        return super().rendered(said, headers)

    # --- streams ---

    def greet(self, connection: Connection, query: Mapping[str, str]) -> None:
        """Nothing is said first."""

    def listen(self, connection: Connection, message: str) -> None:
        self._streams.listen(connection, message)

    def user_events(self, told: Told) -> Iterable[Json]:
        return list(self._streams.user_events(told))

    def event_names(self, event: Json) -> Collection[str]:
        return {event["topic"], NAMES[event["topic"]]}

    def push(self, event: Json) -> None:
        self._streams.push(event)

    def publish(self, told: Told) -> None:
        self._streams.publish(told)

    def beat(self) -> None:
        self._streams.beat()

    # --- clients ---

    @classmethod
    def aim(cls, exchange: Any, server: Any, key: ApiKey) -> None:
        """Only the category that this venue has: the others' lists would be empty."""
        super().aim(exchange, server, key)
        types = ["spot"] if server.market == "spot" else ["linear"]
        exchange.options["fetchMarkets"] = {**exchange.options["fetchMarkets"], "types": types}
        exchange.options["defaultType"] = server.market


def _plight(name: str, headers: Mapping[str, str]) -> Said:
    of = words.PLIGHTS[name]
    return Said(of.code, of.text, of.status, headers)
