"""Gate's protocol at one market: signatures, limits, labels, and the paths.

Left out: unified accounts, margin, delivery and options, amending, countdowns, and trading by
WebSocket.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

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
from tests.servers.exchange.wires.gate import words
from tests.servers.exchange.wires.gate.account import Account
from tests.servers.exchange.wires.gate.market import Market
from tests.servers.exchange.wires.gate.rendering import USER, instrument
from tests.servers.exchange.wires.gate.streams import Streams
from tests.servers.exchange.wires.gate.trading import Trading

WITHIN = 60
"""Seconds that a request's time may differ from ours."""
USUAL = 200


class GateWire(Wire):
    """`per` is how many milliseconds a path's limit is for: a test may make it longer."""

    exchange = "gate"
    plights = words.PLIGHTS

    def __init__(self, site: Site) -> None:
        self._market = Market(site)
        self.trading = Trading(site, self._market)
        self.account = Account(site, self._market)
        self._streams = Streams(site, self._market, self.trading, self.account)
        self.counter = Counter()
        self.per = 10_000
        super().__init__(site)

    @staticmethod
    def rules(market: str, base: str) -> Rules:
        """Perpetuals of a ten thousandth of a coin, in whole contracts."""
        if market == "spot":
            return spot_rules(
                base, tick=Decimal("0.1"), notional=Decimal(3), max_stops=100, max_orders=500
            )
        return swap_rules(
            base,
            contract=Decimal("0.0001"),
            lot=Decimal("0.0001"),
            least=Decimal("0.0001"),
            notional=Decimal(0),
            max_leverage=100,
            band_up=Decimal("1.5"),
            band_down=Decimal("0.5"),
        )

    def market_id(self, symbol: str) -> str:
        return instrument(self.engine, symbol)

    # --- requests ---

    def make_routes(self) -> Routes:
        """`weight` is how many in ten seconds."""
        both = {
            ("GET", "/api/v4/account/detail"): Route(self.account.detail, READ, weight=USUAL),
            ("GET", "/api/v4/spot/time"): Route(self._market.time, weight=USUAL),
        }
        if self.market == "spot":
            return Routes(both | dict(_under("/api/v4/spot/", self._spot())) | self._empty())
        return Routes(both | dict(_under("/api/v4/futures/{settle}/", self._swap())))

    def _empty(self) -> dict[tuple[str, str], Route]:
        path = ("GET", "/api/v4/margin/currency_pairs")
        return {path: Route(self._market.nothing, weight=USUAL)}

    def _spot(self) -> Iterable[tuple[str, str, Route]]:
        public, of = self._market, self.trading
        yield "GET", "currency_pairs", Route(public.pairs, purpose="rules", weight=USUAL)
        yield "GET", "tickers", Route(public.tickers, purpose="tickers", weight=USUAL)
        yield "GET", "order_book", Route(public.book, purpose="book", weight=USUAL)
        yield "GET", "candlesticks", Route(public.candles, purpose="candles", weight=USUAL)
        yield "GET", "trades", Route(public.trades, weight=USUAL)
        yield "GET", "accounts", Route(self.account.spot, READ, "balance", USUAL)
        yield "GET", "account_book", Route(self.account.book, READ, "movements", USUAL)
        yield "POST", "orders", Route(of.place, TRADE, "place", 100)
        yield "POST", "batch_orders", Route(of.place_batch, TRADE, "place", 100)
        yield "GET", "orders", Route(of.orders, READ, "history", USUAL)
        yield "DELETE", "orders", Route(of.cancel_all, TRADE, "cancel", 2_000)
        yield "GET", "open_orders", Route(of.open_orders, READ, "open", USUAL)
        yield "GET", "my_trades", Route(of.fills, READ, "trades", USUAL)
        yield from self._same()

    def _swap(self) -> Iterable[tuple[str, str, Route]]:
        public, of, own = self._market, self.trading, self.account
        yield "GET", "contracts", Route(public.contracts, purpose="rules", weight=USUAL)
        yield "GET", "contracts/{contract}", Route(public.one_contract, weight=USUAL)
        yield "GET", "tickers", Route(public.tickers, purpose="tickers", weight=USUAL)
        yield "GET", "order_book", Route(public.book, purpose="book", weight=USUAL)
        yield "GET", "candlesticks", Route(public.candles, purpose="candles", weight=USUAL)
        yield "GET", "trades", Route(public.trades, weight=USUAL)
        yield "GET", "accounts", Route(own.swap, READ, "balance", USUAL)
        yield "GET", "account_book", Route(own.book, READ, "movements", USUAL)
        yield "POST", "dual_mode", Route(own.set_dual_mode, TRADE, weight=USUAL)
        yield "GET", "positions", Route(own.positions, READ, "positions", USUAL)
        yield "GET", "positions/{contract}", Route(own.one_position, READ, "positions", USUAL)
        yield (
            "GET",
            "dual_comp/positions/{contract}",
            Route(own.both_legs, READ, "positions", USUAL),
        )
        leverage = Route(own.set_leverage, TRADE, weight=USUAL)
        yield "POST", "positions/{contract}/leverage", leverage
        yield "POST", "dual_comp/positions/{contract}/leverage", leverage
        yield "POST", "orders", Route(of.place, TRADE, "place", 1_000)
        yield "POST", "batch_orders", Route(of.place_batch, TRADE, "place", 1_000)
        yield "GET", "orders", Route(of.orders, READ, "open", USUAL)
        yield "GET", "orders_timerange", Route(of.orders_by_time, READ, "history", USUAL)
        yield "DELETE", "orders", Route(of.cancel_all, TRADE, "cancel", 2_000)
        yield "GET", "my_trades", Route(of.fills, READ, "trades", USUAL)
        yield "GET", "my_trades_timerange", Route(of.fills_by_time, READ, "trades", USUAL)
        yield from self._same()

    def _same(self) -> Iterable[tuple[str, str, Route]]:
        of = self.trading
        yield "GET", "orders/{order_id}", Route(of.order, READ, "find", USUAL)
        yield "DELETE", "orders/{order_id}", Route(of.cancel, TRADE, "cancel", 2_000)
        yield "POST", "price_orders", Route(of.place_stop, TRADE, "place", USUAL)
        yield "GET", "price_orders", Route(of.stops, READ, "open", USUAL)
        yield "DELETE", "price_orders", Route(of.cancel_stops, TRADE, "cancel", USUAL)
        yield "GET", "price_orders/{order_id}", Route(of.stop, READ, "find", USUAL)
        yield "DELETE", "price_orders/{order_id}", Route(of.cancel_stop, TRADE, "cancel", USUAL)

    def act(self, asked: Asked) -> Answer:
        self.trading.expire()
        return super().act(asked)

    def key_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("KEY", "")

    def count(self, asked: Asked, route: Route) -> dict[str, str]:
        now, window = self.engine.now, Window(asked.path, self.per, route.weight)
        named = f"{self.key_of(asked.headers)} {asked.method} {asked.path}"
        used = self.counter.add(named, window, 1, now)
        headers = {
            "X-Gate-RateLimit-Requests-Remain": str(max(0, window.most - used)),
            "X-Gate-RateLimit-Limit": str(window.most),
            "X-Gate-RateLimit-Reset-Timestamp": str(window.end(now) // 1000),
        }
        if used > window.most:
            of = words.PLIGHTS["too many"]
            raise Said(of.code, of.text, of.status, headers)
        return headers

    def admit(self, asked: Asked, security: str) -> ApiKey | None:
        """The signature is over method, path, the query in plain, the body's hash, and the time."""
        if security == NONE:
            return None
        named, stamp = self.key_of(asked.headers), asked.headers.get("Timestamp", "")
        if not named or not stamp or not asked.headers.get("SIGN"):
            raise Said("MISSING_REQUIRED_HEADER", "Missing required header", 400)
        owner = self.site.keys.get(named)
        if owner is None:
            raise Said("INVALID_KEY", "Invalid key provided", 401)
        body = hashlib.sha512(asked.text.encode()).hexdigest()
        payload = "\n".join([asked.method, asked.path, unquote_plus(asked.query), body, stamp])
        right = hmac.new(owner.secret.encode(), payload.encode(), hashlib.sha512).hexdigest()
        if not hmac.compare_digest(right, asked.headers["SIGN"]):
            raise Said("INVALID_SIGNATURE", "Signature mismatch", 401)
        now, until = self.engine.now, asked.headers.get("X-Gate-Exptime", "")
        late = not stamp.isdigit() or abs(int(stamp) - now // 1000) > WITHIN
        if late or (until.isdigit() and int(until) < now):
            raise Said("REQUEST_EXPIRED", "gap between request Timestamp and server time", 403)
        if security == TRADE and not owner.may_trade(self.market):
            raise Said("FORBIDDEN", "Request API key does not have write permission", 403)
        return owner

    def error(self, said: Said) -> Json:
        return {"label": said.code, "message": said.text}

    def worded(self, why: Refusal) -> Said:
        return words.worded(why, self.market)

    def no_such_path(self) -> Said:
        return Said("NOT_FOUND", "Not Found", 404)

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
        self.trading.expire()
        self._streams.beat()

    # --- clients ---

    @classmethod
    def aim(cls, exchange: Any, server: Any, key: ApiKey) -> None:
        """The account's kind is told, for ccxt takes any failure to ask for "classic"; and the
        user's number, which streams of perpetuals are asked for with."""
        super().aim(exchange, server, key)
        exchange.uid = str(USER)
        exchange.options["unifiedAccount"] = False
        exchange.options["fetchMarkets"] = {"types": [server.market]}
        exchange.options["defaultType"] = server.market
        exchange.options["swap"] = {"fetchMarkets": {"settlementCurrencies": ["usdt"]}}


def _under(
    folder: str, routes: Iterable[tuple[str, str, Route]]
) -> Iterable[tuple[tuple[str, str], Route]]:
    for method, name, route in routes:
        yield (method, folder + name), route
