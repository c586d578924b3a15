"""Binance's protocol at one market: REST, market streams, and user data streams."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tests.servers.exchange.access import ApiKey
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.rules import Rules, spot_rules, swap_rules
from tests.servers.exchange.values import Told
from tests.servers.exchange.wires.base import (
    Answer,
    Asked,
    Hidden,
    Json,
    Route,
    Routes,
    Said,
    Site,
    Wire,
)
from tests.servers.exchange.wires.binance import (
    refusals,
    rendering_spot,
    rendering_swap,
    routes_spot,
    routes_swap,
)
from tests.servers.exchange.wires.binance.access import Gate, Quota
from tests.servers.exchange.wires.binance.asking import Ask
from tests.servers.exchange.wires.binance.asking import Route as Weighed
from tests.servers.exchange.wires.binance.plights import PLIGHTS
from tests.servers.exchange.wires.binance.streams import Streams, listen_key_routes

SPOT_ONLY = {
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
}
EVENTS = {
    "executionReport": "order",
    "ORDER_TRADE_UPDATE": "order",
    "ALGO_UPDATE": "stop",
    "ACCOUNT_UPDATE": "position",
    "outboundAccountPosition": "balance",
}


class BinanceWire(Wire):
    """`quota` is what has been used; a test may put another in its place."""

    exchange = "binance"
    plights = PLIGHTS

    def __init__(self, site: Site) -> None:
        self.quota = Quota(market=site.market)
        self.gate = Gate(market=site.market, keys=site.keys)
        self.streams = Streams(site=site, gate=self.gate)
        super().__init__(site)

    @staticmethod
    def rules(market: str, base: str) -> Rules:
        return spot_rules(base) if market == "spot" else swap_rules(base)

    # --- requests ---

    def make_routes(self) -> Routes:
        if self.market == "spot":
            return Routes(routes_spot.ROUTES)
        return Routes(routes_swap.ROUTES | listen_key_routes(self.streams))

    def key_of(self, headers: Mapping[str, str]) -> str:
        return headers.get("X-MBX-APIKEY", "")

    def count(self, asked: Asked, route: Route) -> dict[str, str]:
        assert isinstance(route, Weighed)
        now, orders = self.engine.now, route.orders
        self.quota.spend(weight=route.weighs(asked.params), orders=orders, now=now)
        return self.quota.headers(orders=bool(orders), now=now)

    def admit(self, asked: Asked, security: str) -> ApiKey | None:
        text = "&".join(part for part in (asked.query, asked.text) if part)
        return self.gate.check(
            security,
            key=self.key_of(asked.headers),
            text="&".join(part for part in text.split("&") if not part.startswith("signature=")),
            params=asked.params,
            now=self.engine.now,
        )

    def ask(self, asked: Asked, key: ApiKey | None, hidden: Hidden) -> Any:
        return Ask(
            engine=self.engine,
            params=asked.params,
            key=key,
            may_trade=key is not None and key.may_trade(self.market),
            hidden=hidden,
            klines=self.site.klines,
        )

    def worded(self, why: Refusal) -> Said:
        return refusals.worded(why, self.market)

    def error(self, said: Said) -> Json:
        return {"code": said.code, "msg": said.text}

    def no_such_path(self) -> Said:
        return refusals.unknown_path()

    def refused(self, said: Said, headers: Mapping[str, str]) -> Answer:
        if said.status in {418, 429}:
            headers = {**headers, "Retry-After": str(self.quota.retry_after(self.engine.now))}
        return super().refused(said, headers)

    # --- streams ---

    def connection(self, request: web.BaseRequest, path: str) -> Connection:
        return self.streams.opened(request, path)

    def greet(self, connection: Any, query: Mapping[str, str]) -> None:
        self.streams.greet(connection, query)

    def listen(self, connection: Any, message: str) -> None:
        self.streams.listen(connection, message)

    def user_events(self, told: Told) -> Iterable[Json]:
        if self.market == "spot":
            return rendering_spot.user_events(self.engine, told)
        return rendering_swap.user_events(self.engine, told)

    def event_names(self, event: Json) -> Collection[str]:
        return {event["e"], EVENTS.get(event["e"], "")}

    def push(self, event: Json) -> None:
        self.streams.push(event)

    def publish(self, told: Told) -> None:
        self.streams.publish(told)

    def beat(self) -> None:
        self.streams.beat()

    # --- clients ---

    @classmethod
    def aim(cls, exchange: Any, server: Any, key: ApiKey) -> None:
        """ccxt picks a market's error classes by the URL's beginning, which is put right here: so
        errors are of the same classes as with the real exchange."""
        real = _real_urls(exchange, server)
        super().aim(exchange, server, key)
        if server.market == "spot":
            exchange.options |= SPOT_ONLY
        classes_of = exchange.get_exceptions_by_url

        def get_exceptions_by_url(url: str, kind: str) -> Any:
            meant = next((there for here, there in real.items() if url.startswith(here)), url)
            return classes_of(meant, kind)

        exchange.get_exceptions_by_url = get_exceptions_by_url


def _real_urls(exchange: Any, server: Any) -> dict[str, str]:
    """By the beginning of where a URL leads on *server*: where it led."""
    found: dict[str, str] = {}
    groups = [exchange.urls[part] for part in ("api", "test", "demo") if part in exchange.urls]
    while groups:
        group = groups.pop()
        if isinstance(group, dict):
            groups += group.values()
            continue
        parts = urlsplit(group)
        base = server.ws_url if parts.scheme.startswith("ws") else server.url
        found[f"{base}/{parts.netloc}/"] = f"{parts.scheme}://{parts.netloc}/"
    return found
