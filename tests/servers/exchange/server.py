"""The venue on a loopback port: requests in, faults considered, the engine asked, answers out.

Whose protocol it speaks is the wire's (`wires/`); this file knows no exchange.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Iterable
from typing import Any, Self

from aiohttp import WSMsgType, web
from aiohttp.web_protocol import RequestHandler

from tests.servers.exchange.access import KEYS, ApiKey
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.engine import WallClock
from tests.servers.exchange.faults import (
    Close,
    Fault,
    FaultPlan,
    Garble,
    Hold,
    Plight,
    Recorded,
    Refuse,
    Swallow,
)
from tests.servers.exchange.figures import Candle
from tests.servers.exchange.rules import Rules
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.wires import WIRES
from tests.servers.exchange.wires.base import Answer, Asked, Later, Site, Wire
from trading.clocks import SystemClock

HOST = "127.0.0.1"


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

    `exchange` names a wire, `market` is "spot" or "swap"; `symbols` are bases ("BTC") or rules.
    Without an `engine` of the test's making there is one with 10,000 USDT (and 1 of each base on
    spot), quoted at 50,000.
    """

    def __init__(
        self,
        *,
        exchange: str = "binance",
        market: str = "spot",
        symbols: Iterable[str | Rules] = ("BTC", "ETH"),
        clock: WallClock | None = None,
        engine: SpotEngine | SwapEngine | None = None,
        keys: Iterable[ApiKey] = KEYS,
        port: int = 0,
        beat: float = 1.0,
        klines: dict[tuple[str, str], list[Candle]] | None = None,
    ) -> None:
        self.exchange = exchange
        self.market = market
        kind = WIRES[exchange]
        # Any: what holds for one market only is used by tests that know which one they made.
        self.engine: Any = engine or default_engine(kind, market, symbols, clock or SystemClock())
        self.faults = FaultPlan(now=lambda: int(self.engine.now), names_of=self._names_of)
        self.requests: list[Recorded] = []
        self.klines: dict[tuple[str, str], list[Candle]] = {} if klines is None else klines
        site = Site(
            market=market,
            engine=self.engine,
            faults=self.faults,
            keys={key.key: key for key in keys},
            klines=self.klines,
        )
        # Any: what is one exchange's only is used by tests that know which one they made.
        self.wire: Any = kind(site)
        self.connections: list[Connection] = site.connections
        self.later: Later = site.later
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
        self._tasks.append(asyncio.create_task(self._beats()))
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
        wanted = [c for c in self.connections if (users if c.is_user else markets)]
        for connection in wanted:
            connection.cut()
        return len(wanted)

    # --- what was asked ---

    def asked(
        self, method: str = "*", path: str = "*", *, since: int = 0, **params: str
    ) -> list[Recorded]:
        """Requests that arrived after *since* (monotonic ns) with these parameters; *path* is a
        pattern or a purpose, as in `FaultPlan.on`."""
        probe = Fault(method=method, path=path, act=Close(), times=None)
        return [
            request
            for request in self.requests
            if request.arrived > since
            and probe.meets(request)
            and all(request.params.get(name) == value for name, value in params.items())
        ]

    # --- one request ---

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = await self._read(request)
        assert isinstance(request.protocol, Arrivals)
        route, _ = self.wire.routes.find(asked.method, asked.path)
        recorded = Recorded(
            arrived=request.protocol.arrival(),
            method=asked.method,
            path=asked.path,
            params={name: _text(value) for name, value in asked.params.items()},
            key=self.wire.key_of(asked.headers),
            purpose=route.purpose if route else "",
        )
        self.requests.append(recorded)
        return await self._answer(request, recorded, asked)

    async def _read(self, request: web.BaseRequest) -> Asked:
        upgrades = request.headers.get("Upgrade", "").lower() == "websocket"
        host, path = _parts(request.path)
        query, text = request.rel_url.raw_query_string, await request.text()
        method = "WS" if upgrades else request.method
        _, named = self.wire.routes.find(method, path)
        params = self.wire.read(request.headers.get("Content-Type", ""), query, text)
        return Asked(
            method=method,
            host=host,
            path=path,
            query=query,
            text=text,
            headers=request.headers,
            params=params | named,
        )

    async def _answer(
        self, request: web.BaseRequest, recorded: Recorded, asked: Asked
    ) -> web.StreamResponse:
        if self.faults.maintenance:
            return self._planned(self.faults.maintenance)
        fault = self.faults.meeting(recorded)
        if fault is None and asked.method == "WS":
            return await self._stream(request, asked)
        if fault is None:
            return self._act(asked).response()
        return await self._met(request, fault, asked)

    async def _met(
        self, request: web.BaseRequest, fault: Fault, asked: Asked
    ) -> web.StreamResponse:
        match fault.act:
            case Refuse() | Plight() as refuse:
                return self._planned(refuse)
            case Garble(status=status, body=body):
                return web.Response(status=status, text=body, content_type="text/html")
            case Hold(done=done):
                answer = self._act(asked) if done else None
                await fault.gate.wait()
                return (answer or self._act(asked)).response()
            case Close(done=done) | Swallow(done=done) as silence:
                if done:
                    self._act(asked)
                return await _unanswered(request, silence)

    def _act(self, asked: Asked) -> Answer:
        wire: Wire = self.wire
        return wire.act(asked)

    def _planned(self, refuse: Refuse | Plight) -> web.Response:
        wire: Wire = self.wire
        return wire.planned(refuse).response()

    # --- streams ---

    def _names_of(self, event: Any) -> Collection[str]:
        wire: Wire = self.wire
        return wire.event_names(event)

    async def _stream(self, request: web.BaseRequest, asked: Asked) -> web.WebSocketResponse:
        connection: Connection = self.wire.connection(request, asked.path)
        await connection.socket.prepare(request)
        self.connections.append(connection)
        writer = asyncio.create_task(connection.write())
        try:
            self.wire.greet(connection, request.query)
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    self.wire.listen(connection, message.data)
        finally:
            writer.cancel()
            self.connections.remove(connection)
        return connection.socket

    async def _beats(self) -> None:
        """Some things come even when nothing happens, as from the real one."""
        while True:
            await asyncio.sleep(self._beat)
            self.engine.tick()
            self.wire.beat()


def default_engine(
    wire: type[Wire], market: str, symbols: Iterable[str | Rules], clock: WallClock
) -> SpotEngine | SwapEngine:
    rules = [
        wire.rules(market, symbol) if isinstance(symbol, str) else symbol for symbol in symbols
    ]
    engine = wire.new_engine(market, rules, clock)
    for rule in rules:
        engine.quote(rule.symbol, 50_000)
    return engine


async def _unanswered(request: web.BaseRequest, silence: Close | Swallow) -> web.Response:
    """Cut the connection, or wait until the server ends; the answer goes nowhere."""
    if isinstance(silence, Swallow):
        await asyncio.Event().wait()
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _parts(path: str) -> tuple[str, str]:
    """Clients may keep the real host in front of the path: /stream.binance.com:9443/ws."""
    first, _, rest = path.lstrip("/").partition("/")
    return (first, f"/{rest}") if "." in first else ("", path)


def _text(value: Any) -> str:
    """A parameter as it is recorded: JSON where it is not text."""
    return value if isinstance(value, str) else json.dumps(value)
