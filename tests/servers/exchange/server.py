"""The venue on a loopback port: requests in, faults considered, the engine asked, answers out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from tests.servers.exchange import refusals, routes_spot, routes_swap, wire_spot, wire_swap
from tests.servers.exchange.access import NO_FUTURES, OWNER, READER, ApiKey, Gate, Quota
from tests.servers.exchange.asking import Ask, Route
from tests.servers.exchange.engine import WallClock
from tests.servers.exchange.faults import (
    Close,
    Fault,
    FaultPlan,
    Garble,
    Hold,
    Recorded,
    Refuse,
    Swallow,
)
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.rules import Rules, spot_rules, swap_rules
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.streams import Streams, listen_key_routes
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Told
from tests.servers.exchange.wire import Candle, Json
from trading.clocks import SystemClock

HOST = "127.0.0.1"
KEYS = (OWNER, READER, NO_FUTURES)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json
    headers: dict[str, str]

    def response(self) -> web.Response:
        return web.json_response(self.body, status=self.status, headers=self.headers)


class Arrivals(RequestHandler):
    """Notes when the first bytes of a request came, before they are parsed or wait for anything."""

    __slots__ = ("_first",)

    def data_received(self, data: bytes) -> None:
        if not getattr(self, "_first", 0):
            self._first = time.monotonic_ns()
        super().data_received(data)

    def arrival(self) -> int:
        """Of the request that has been read now; the next bytes are the next one's."""
        first, self._first = self._first, 0
        return first or time.monotonic_ns()


class Listener(web.Server):
    def __call__(self) -> Arrivals:
        return Arrivals(self, loop=self._loop)


class ExchangeServer:
    """`async with ExchangeServer(market="spot") as venue`: listens on `venue.url` until the end.

    `market` is "spot" or "swap"; `symbols` are bases ("BTC") or rules.  Without an `engine` of the
    test's making there is one with 10,000 USDT (and 1 of each base on spot), quoted at 50,000.
    """

    def __init__(
        self,
        *,
        market: str = "spot",
        symbols: Iterable[str | Rules] = ("BTC", "ETH"),
        clock: WallClock | None = None,
        engine: SpotEngine | SwapEngine | None = None,
        keys: Iterable[ApiKey] = KEYS,
        port: int = 0,
        beat: float = 1.0,
    ) -> None:
        self.market = market
        # Any: what holds for one market only is used by tests that know which one they made.
        self.engine: Any = engine or default_engine(market, symbols, clock or SystemClock())
        self.faults = FaultPlan(now=lambda: int(self.engine.now))
        self.requests: list[Recorded] = []
        self.klines: dict[tuple[str, str], list[Candle]] = {}
        self.quota = Quota(market=market)
        self.gate = Gate(market=market, keys=keys)
        self.streams = Streams(
            engine=self.engine,
            market=market,
            gate=self.gate,
            faults=self.faults,
            klines=self.klines,
            user_events=self._user_events,
        )
        self.routes = self._routes()
        self.port = port
        self._beat = beat
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: Listener | None = None
        self._socket: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start_listening()
        self._tasks.append(asyncio.create_task(self.streams.beat(self._beat)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.faults.clear()
        for task in self._tasks:
            task.cancel()
        await self.stop_listening()

    # --- the whole venue ---

    async def start_listening(self) -> None:
        """On the same port as before, if there was a before."""
        self._listener = Listener(self._serve)
        loop = asyncio.get_running_loop()
        self._socket = await loop.create_server(self._listener, HOST, self.port)
        self.port = self._socket.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        """An outage: connections are cut, new ones refused, until `start_listening`."""
        if self._socket is None or self._listener is None:
            return
        self._socket.close()
        for connection in self._listener.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await self._listener.shutdown(0.01)
        self._socket = None

    def disconnect(self, *, users: bool = True, markets: bool = True) -> int:
        """Cut streams without a word, as a network does; returns how many."""
        wanted = [c for c in self.streams.connections if (users if c.is_user else markets)]
        for connection in wanted:
            connection.cut()
        return len(wanted)

    # --- what was asked ---

    def asked(
        self, method: str = "*", path: str = "*", *, since: int = 0, **params: str
    ) -> list[Recorded]:
        """Requests that arrived after *since* (monotonic ns) with these parameters."""
        probe = Fault(method=method, path=path, act=Refuse(), times=None)
        return [
            request
            for request in self.requests
            if request.arrived > since
            and probe.meets(request)
            and all(request.params.get(name) == value for name, value in params.items())
        ]

    # --- one request ---

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = _without_host(request.path)
        upgrades = request.headers.get("Upgrade", "").lower() == "websocket"
        query, body = request.rel_url.raw_query_string, await request.text()
        text = "&".join(part for part in (query, body) if part)
        assert isinstance(request.protocol, Arrivals)
        recorded = Recorded(
            arrived=request.protocol.arrival(),
            method="WS" if upgrades else request.method,
            path=path,
            params=dict(parse_qsl(text, keep_blank_values=True)),
            key=request.headers.get("X-MBX-APIKEY", ""),
        )
        self.requests.append(recorded)
        return await self._answer(request, recorded, text)

    async def _answer(
        self, request: web.BaseRequest, recorded: Recorded, text: str
    ) -> web.StreamResponse:
        if self.faults.maintenance:
            return _refused(self.faults.maintenance)
        fault = self.faults.meeting(recorded)
        if fault is None and recorded.method == "WS":
            return await self.streams.serve(request, recorded.path)
        if fault is None:
            return self._act(recorded, text).response()
        return await self._met(request, fault, recorded, text)

    async def _met(
        self, request: web.BaseRequest, fault: Fault, recorded: Recorded, text: str
    ) -> web.StreamResponse:
        match fault.act:
            case Refuse() as refuse:
                return _refused(refuse)
            case Garble(status=status, body=body):
                return web.Response(status=status, text=body, content_type="text/html")
            case Hold(done=done):
                return await self._held(fault, recorded, text, done=done)
            case Close(done=done) | Swallow(done=done) as silence:
                if done:
                    self._act(recorded, text)
                return await _unanswered(request, silence)

    async def _held(
        self, fault: Fault, recorded: Recorded, text: str, *, done: bool
    ) -> web.StreamResponse:
        answer = self._act(recorded, text) if done else None
        await fault.gate.wait()
        return (answer or self._act(recorded, text)).response()

    def _act(self, recorded: Recorded, text: str) -> Answer:
        """Carry a request out, all in one step."""
        self.engine.tick()
        now, headers = self.engine.now, {}
        try:
            route = self.routes.get((recorded.method, recorded.path))
            if route is None:
                raise refusals.unknown_path()
            weight, orders = route.weighs(recorded.params), route.orders
            self.quota.spend(weight=weight, orders=orders, now=now)
            headers = self.quota.headers(orders=bool(orders), now=now)
            return Answer(200, self._ask(route, recorded, text), headers)
        except Refusal as why:
            if why.status in {418, 429}:
                headers["Retry-After"] = str(self.quota.retry_after(now))
            return Answer(why.status, {"code": why.code, "msg": why.text}, headers)

    def _ask(self, route: Route[Any], recorded: Recorded, text: str) -> Json:
        signed = "&".join(part for part in text.split("&") if not part.startswith("signature="))
        key = self.gate.check(
            route.security,
            key=recorded.key,
            text=signed,
            params=recorded.params,
            now=self.engine.now,
        )
        ask: Ask[Any] = Ask(
            engine=self.engine,
            params=recorded.params,
            key=key,
            may_trade=key is not None and self.gate.may_trade(key),
            hidden=self.faults.hidden() if _is_query(recorded) else _nothing,
            klines=self.klines,
        )
        return route.answer(ask)

    # --- the market ---

    def _routes(self) -> dict[tuple[str, str], Route[Any]]:
        if self.market == "spot":
            return dict(routes_spot.ROUTES)
        return {**routes_swap.ROUTES, **listen_key_routes(self.streams)}

    def _user_events(self, told: Told) -> list[Json]:
        if self.market == "spot":
            return wire_spot.user_events(self.engine, told)
        return wire_swap.user_events(self.engine, told)


def default_engine(
    market: str, symbols: Iterable[str | Rules], clock: WallClock
) -> SpotEngine | SwapEngine:
    make = spot_rules if market == "spot" else swap_rules
    rules = [make(symbol) if isinstance(symbol, str) else symbol for symbol in symbols]
    engine: SpotEngine | SwapEngine
    if market == "spot":
        balances = {"USDT": "10000"} | {rule.base: "1" for rule in rules}
        engine = SpotEngine(rules=rules, clock=clock, balances=balances)
    else:
        engine = SwapEngine(rules=rules, clock=clock, wallet=10_000)
    for rule in rules:
        engine.quote(rule.symbol, 50_000)
    return engine


def _is_query(recorded: Recorded) -> bool:
    """Whether it asks for orders or trades, which may be hidden from it."""
    word = recorded.path.rsplit("/", 1)[-1].lower()
    return recorded.method == "GET" and ("order" in word or "trades" in word)


def _nothing(_client_id: str) -> bool:
    return False


def _refused(refuse: Refuse) -> web.Response:
    after = refuse.retry_after
    headers = {} if after is None else {"Retry-After": str(after)}
    return Answer(refuse.status, {"code": refuse.code, "msg": refuse.text}, headers).response()


async def _unanswered(request: web.BaseRequest, silence: Close | Swallow) -> web.Response:
    """Cut the connection, or wait until the server ends; the answer goes nowhere."""
    if isinstance(silence, Swallow):
        await asyncio.Event().wait()
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _without_host(path: str) -> str:
    """Clients may keep the real host in front of the path: /stream.binance.com:9443/ws."""
    first, _, rest = path.lstrip("/").partition("/")
    return f"/{rest}" if "." in first else path
