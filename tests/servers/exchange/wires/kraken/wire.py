"""Kraken's protocol at its spot market: nonces, signatures, counters, the envelope, and the paths.

Left out: margin trading, amending, batches, `close[...]` orders, iceberg and trailing orders, Earn,
funding, and orders by WebSocket.  Kraken has no testnet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from tests.servers.exchange.access import ApiKey
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.rules import Rules, spot_rules
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Told
from tests.servers.exchange.wires.base import (
    NONE,
    READ,
    TRADE,
    Ask,
    Asked,
    Json,
    Route,
    Routes,
    Said,
    Site,
    Wire,
)
from tests.servers.exchange.wires.kraken import streams, words
from tests.servers.exchange.wires.kraken.counters import Counters
from tests.servers.exchange.wires.kraken.market import Market
from tests.servers.exchange.wires.kraken.streams import Streams
from tests.servers.exchange.wires.kraken.trading import Trading

NONCE_WINDOW = 10_000
"""How far below the highest one a nonce may be, as the key is set; 0 where nobody set it."""


class KrakenWire(Wire):
    """`counters` is what has been used of the limits; `nonce_window` is the key's."""

    exchange = "kraken"
    plights = words.PLIGHTS

    def __init__(self, site: Site) -> None:
        self._market = Market(site)
        self._trading = Trading(site, self._market)
        self._streams = Streams(site, self._market)
        self.nonces: dict[str, int] = {}
        self.counters = Counters(site.engine, self._market)
        self.nonce_window = NONCE_WINDOW
        super().__init__(site)

    @staticmethod
    def rules(market: str, base: str) -> Rules:
        """Kraken knows no lot but its decimals, and no most."""
        return spot_rules(
            base,
            tick=Decimal("0.1"),
            lot=Decimal("0.00000001"),
            least=Decimal("0.0001"),
            most=Decimal(1_000_000),
            market_most=Decimal(1_000_000),
            notional=Decimal("0.5"),
            max_orders=80,
            max_stops=80,
        )

    @classmethod
    def new_engine(cls, market: str, rules: list[Rules], clock: Any) -> SpotEngine | SwapEngine:
        """Fees are paid in the quote (`fciq`), bought or sold."""
        engine = super().new_engine(market, rules, clock)
        assert isinstance(engine, SpotEngine)
        engine.fee_asset, engine.fee_asset_price = rules[0].quote, Decimal(1)
        return engine

    # --- requests ---

    def make_routes(self) -> Routes:
        public, private = self._market, self._trading
        open_to_all = {
            "Time": Route(public.time),
            "SystemStatus": Route(public.status),
            "Assets": Route(public.assets),
            "AssetPairs": Route(public.pairs, purpose="rules"),
            "Ticker": Route(public.tickers, purpose="tickers"),
            "Depth": Route(public.depth, purpose="book"),
            "OHLC": Route(public.ohlc, purpose="candles"),
            "Trades": Route(public.trades),
        }
        owned = {
            "AddOrder": Route(private.add, TRADE, "place", 0),
            "CancelOrder": Route(private.cancel, TRADE, "cancel", 0),
            "CancelAll": Route(private.cancel_all, TRADE, "cancel"),
            "OpenOrders": Route(private.open, READ, "open"),
            "ClosedOrders": Route(private.closed, READ, "history"),
            "QueryOrders": Route(private.query, READ, "find"),
            "TradesHistory": Route(private.trades, READ, "trades", 2),
            "QueryTrades": Route(private.query_trades, READ, "trades"),
            "Balance": Route(private.balance, READ, "balance"),
            "BalanceEx": Route(private.balance_extended, READ, "balance"),
            "Ledgers": Route(private.ledgers, READ, "movements", 2),
            "TradeVolume": Route(private.volume, READ),
            "OpenPositions": Route(private.positions, READ),
            "GetApiKeyInfo": Route(private.key_info(lambda: self.nonce_window), READ),
            "GetWebSocketsToken": Route(self._token, READ),
        }
        found = {("GET", f"/0/public/{name}"): route for name, route in open_to_all.items()}
        return Routes(found | {("POST", f"/0/private/{n}"): route for n, route in owned.items()})

    def _token(self, ask: Ask) -> Json:
        assert ask.key is not None
        return self._streams.token(ask.key.key)

    def key_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("API-Key", "")

    def count(self, asked: Asked, route: Route) -> dict[str, str]:
        """What is private by key; orders and cancels by key and pair, cancels of young ones more.

        What is public is not counted here: its limits, by address, are not told.
        """
        key = self.key_of(asked.headers)
        if route.security == READ:
            self.counters.ask(key, route.weight)
        elif route.security == TRADE:
            self.counters.act(key, asked.params, places=route.purpose == "place")
        return {}

    def admit(self, asked: Asked, security: str) -> ApiKey | None:
        """The signature is over the path, and the digest of nonce and body."""
        if security == NONE:
            return None
        named = self.key_of(asked.headers)
        owner = self.site.keys.get(named)
        if owner is None:
            raise words.said("EAPI:Invalid key")
        nonce = str(asked.params.get("nonce", ""))
        digest = hashlib.sha256((nonce + asked.text).encode()).digest()
        made = hmac.new(owner.secret.encode(), asked.path.encode() + digest, hashlib.sha512)
        right = base64.b64encode(made.digest()).decode()
        if not hmac.compare_digest(right, asked.headers.get("API-Sign", "")):
            raise words.said("EAPI:Invalid signature")
        highest = self.nonces.get(named, 0)
        used = self.nonce_window == 0 and nonce == str(highest)
        if not nonce.isdigit() or int(nonce) < highest - self.nonce_window or used:
            raise words.said("EAPI:Invalid nonce")
        self.nonces[named] = max(highest, int(nonce))
        if security == TRADE and not owner.may_trade(self.market):
            raise words.said("EGeneral:Permission denied")
        return owner

    def success(self, body: Json) -> Json:
        return {"error": [], "result": body}

    def error(self, said: Said) -> Json:
        return {"error": [said.text]}

    def worded(self, why: Refusal) -> Said:
        return words.worded(why)

    def no_such_path(self) -> Said:
        return words.said("EGeneral:Unknown method")

    # --- streams ---

    def connection(self, request: web.BaseRequest, path: str) -> Connection:
        """Which host was meant decides what may be subscribed to."""
        return super().connection(request, request.path)

    def greet(self, connection: Connection, query: Mapping[str, str]) -> None:
        self._streams.greet(connection)

    def listen(self, connection: Connection, message: str) -> None:
        self._streams.listen(connection, message)

    def user_events(self, told: Told) -> Iterable[Json]:
        return list(self._streams.user_events(told))

    def event_names(self, event: Json) -> Collection[str]:
        return streams.names(event)

    def push(self, event: Json) -> None:
        self._streams.push(event)

    def publish(self, told: Told) -> None:
        self._streams.publish(told)

    def beat(self) -> None:
        self._streams.beat()

    # --- clients ---

    @staticmethod
    def secret_of(key: ApiKey) -> str:
        """In base 64."""
        return base64.b64encode(key.secret.encode()).decode()
