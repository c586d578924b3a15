"""WebSockets: market streams, the user data streams of both markets, and spot's WebSocket API."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.servers.exchange.connections import Connection
from tests.servers.exchange.depths import Depths
from tests.servers.exchange.faults import Recorded, Refuse
from tests.servers.exchange.figures import INTERVALS, candles
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import MarketMoved, OrderTold, Printed, Told
from tests.servers.exchange.wires.base import READ, Said, Site
from tests.servers.exchange.wires.binance import refusals
from tests.servers.exchange.wires.binance import rendering as wire
from tests.servers.exchange.wires.binance.access import KEY, Gate
from tests.servers.exchange.wires.binance.asking import Ask, Paths, Route
from tests.servers.exchange.wires.binance.plights import PLIGHTS
from tests.servers.exchange.wires.binance.rendering import Json
from tests.servers.exchange.wires.binance.rendering_swap import force_order_event, mark_event


@dataclass(slots=True, eq=False, kw_only=True)
class BinanceConnection(Connection):
    """`subscription` is the WebSocket API's, None without a user data stream of that kind."""

    combined: bool = False
    listen_key: str = ""
    subscription: int | None = None

    @property
    def is_user(self) -> bool:
        return bool(self.listen_key) or self.subscription is not None


class Streams:
    """Everything that is pushed."""

    def __init__(self, *, site: Site, gate: Gate) -> None:
        self.listen_keys: dict[str, str] = {}
        """By the API key that owns it."""
        engine = site.engine
        self._connections: list[Any] = site.connections
        self._engine = engine
        self._market = site.market
        self._gate = gate
        self._faults = site.faults
        self._klines = site.klines
        self._numbers = itertools.count(1)
        self._depths = Depths(engine)
        self._shown: dict[str, Callable[[str], Json | None]] = {
            "miniTicker": self._mini_ticker,
            "ticker": self._ticker,
            "bookTicker": self._book_ticker,
            "markPrice": self._mark_price,
        }

    # --- listen keys ---

    def make_listen_key(self, ask: Ask[Any]) -> Json:
        """One per API key; asking again returns the same."""
        assert ask.key is not None
        made = f"listen{next(self._numbers):058}"
        return {"listenKey": self.listen_keys.setdefault(ask.key.key, made)}

    def keep_listen_key(self, ask: Ask[Any]) -> Json:
        if ask.key is None or ask.key.key not in self.listen_keys:
            raise refusals.no_such_listen_key()
        return {"listenKey": self.listen_keys[ask.key.key]}

    def drop_listen_key(self, ask: Ask[Any]) -> Json:
        assert ask.key is not None
        self.listen_keys.pop(ask.key.key, None)
        return {}

    def expire_listen_keys(self) -> None:
        """As after an hour without a keep-alive: the stream says so, and nothing more."""
        for connection in self._connections:
            if connection.listen_key:
                told = {"e": "listenKeyExpired", "E": self._engine.now}
                connection.send(told | {"listenKey": connection.listen_key})
                connection.listen_key = ""
        self.listen_keys.clear()

    # --- connections ---

    def opened(self, request: web.BaseRequest, path: str) -> BinanceConnection:
        """*path* without the real host in front."""
        return BinanceConnection(
            socket=web.WebSocketResponse(),
            transport=request.transport,
            path=path,
            combined="/stream" in path,
        )

    def greet(self, connection: BinanceConnection, query: Mapping[str, str]) -> None:
        """What the URL itself subscribes to: a listen key or streams."""
        last = connection.path.rsplit("/", 1)[-1]
        wanted = query.get("listenKey", last)
        if wanted in self.listen_keys.values():
            connection.listen_key = wanted
        names = query.get("streams", last if "@" in last else "")
        self._subscribe(connection, [name for name in names.split("/") if name])

    def listen(self, connection: BinanceConnection, message: str) -> None:
        asked, api = json.loads(message), "/ws-api" in connection.path
        connection.send(self._called(connection, asked) if api else self._told(connection, asked))
        if not api and asked.get("method") == "SUBSCRIBE":
            self._show(connection, asked["params"])

    def _told(self, connection: BinanceConnection, asked: Json) -> Json:
        match asked.get("method"):
            case "SUBSCRIBE":
                known = [name for name in asked["params"] if self._is_stream(name)]
                if len(known) < len(asked["params"]):
                    refused = {"code": 2, "msg": "Invalid request: invalid stream"}
                    return {"error": refused, "id": asked["id"]}
                self._subscribe(connection, known)
            case "UNSUBSCRIBE":
                for name in asked["params"]:
                    connection.names.pop(name, None)
            case "LIST_SUBSCRIPTIONS":
                return {"result": list(connection.names), "id": asked["id"]}
        return {"result": None, "id": asked["id"]}

    def _subscribe(self, connection: BinanceConnection, names: list[str]) -> None:
        for name in names:
            connection.names[name] = None
            if name in self.listen_keys.values():
                connection.listen_key = name

    def _is_stream(self, name: str) -> bool:
        symbol = name.split("@", 1)[0].upper()
        return name.startswith("!") or symbol in self._engine.listed or (
            name in self.listen_keys.values()
        )  # fmt: skip

    # --- the WebSocket API ---

    def _called(self, connection: BinanceConnection, asked: Json) -> Json:
        """A fault for ("WS-API", method) refuses it, whatever kind of fault it is."""
        try:
            self._refuse_by_plan(asked)
            answer = {"status": 200, "result": self._call(connection, asked)}
        except Said as said:
            answer = {"status": said.status, "error": {"code": said.code, "msg": said.text}}
        return {"id": asked.get("id"), **answer, "rateLimits": []}

    def _call(self, connection: BinanceConnection, asked: Json) -> Json:
        match asked.get("method"):
            case "ping":
                return {}
            case "time":
                return {"serverTime": self._engine.now}
            case "userDataStream.subscribe.signature":
                self._check(asked.get("params", {}))
                connection.subscription = next(self._numbers) - 1
                return {"subscriptionId": connection.subscription}
            case "userDataStream.unsubscribe":
                connection.subscription = None
                return {}
        raise Said(-1000, "Unknown method.")

    def _refuse_by_plan(self, asked: Json) -> None:
        called = Recorded(
            arrived=0,
            method="WS-API",
            path=str(asked.get("method")),
            params=asked.get("params", {}),
        )
        fault = self._faults.meeting(called)
        if fault is not None:
            act = fault.act if isinstance(fault.act, Refuse) else PLIGHTS["overloaded"]
            raise Said(act.code, act.text, act.status)

    def _check(self, params: Mapping[str, Any]) -> None:
        """Here the signature is over the parameters in the order of their names."""
        told = {name: str(value) for name, value in params.items()}
        text = urlencode(sorted(item for item in told.items() if item[0] != "signature"))
        key, now = told.get("apiKey", ""), self._engine.now
        self._gate.check(READ, key=key, text=text, params=told, now=now)

    # --- what happens ---

    def beat(self) -> None:
        """These come even when nothing happens, as from the real one."""
        regularly = ("icker", "markPrice", "@kline_")
        for connection in self._connections:
            regular = [n for n in connection.names if any(word in n for word in regularly)]
            self._show(connection, regular)

    def publish(self, told: Told) -> None:
        match told:
            case MarketMoved(symbol=symbol):
                self._market_moved(symbol)
            case Printed():
                self._publish(f"{told.symbol.lower()}@trade", wire.trade_event(told, told.time))
            case OrderTold(order=order) if order.forced == "LIQUIDATION" and order.filled:
                self._publish(f"{order.symbol.lower()}@forceOrder", force_order_event(told))

    def push(self, event: Json) -> None:
        for connection in self._connections:
            if connection.subscription is not None:
                wrapped = {"subscriptionId": connection.subscription, "event": event}
                connection.send(wrapped)
            elif connection.listen_key:
                self._send(connection, connection.listen_key, event)

    def _market_moved(self, symbol: str) -> None:
        difference = self._difference(symbol)
        for connection in self._connections:
            for name in connection.names:
                of, _, kind = name.partition("@")
                if of == symbol.lower() and _is_difference(kind):
                    self._send(connection, name, difference)
                elif of == symbol.lower():
                    self._show(connection, [name])
                elif name.startswith("!"):
                    self._show_all(connection, name, [symbol])

    def _publish(self, name: str, event: Json) -> None:
        for connection in self._connections:
            if name in connection.names:
                self._send(connection, name, event)

    def _send(self, connection: BinanceConnection, name: str, event: Json) -> None:
        connection.send({"stream": name, "data": event} if connection.combined else event)

    def _show(self, connection: BinanceConnection, names: list[str]) -> None:
        """Send what these streams have to say at this moment, where that is known."""
        for name in names:
            if name.startswith("!"):
                self._show_all(connection, name, list(self._engine.listed))
                continue
            symbol, _, kind = name.partition("@")
            if kind.startswith("kline_"):
                self._show_bars(connection, name, symbol.upper(), kind.removeprefix("kline_"))
                continue
            shown = self._snapshot(symbol.upper(), kind)
            if shown is not None:
                self._send(connection, name, shown)

    def _show_all(self, connection: BinanceConnection, name: str, symbols: list[str]) -> None:
        kind = name[1:].partition("@")[0]
        found = [self._snapshot(symbol, kind) for symbol in symbols]
        if "@arr" in name:
            self._send(connection, name, found)
        else:
            for shown in found:
                self._send(connection, name, shown)

    def _snapshot(self, symbol: str, kind: str) -> Json | None:
        """None for streams that tell changes only."""
        word = kind.partition("@")[0]
        match word.partition("_")[0].rstrip("0123456789"):
            case "depth" if not _is_difference(kind):
                return self._partial(symbol, int(word.removeprefix("depth")))
        show = self._shown.get(word)
        return show(symbol) if show else None

    def _mini_ticker(self, symbol: str) -> Json:
        return wire.mini_ticker_event(self._engine, symbol)

    def _book_ticker(self, symbol: str) -> Json:
        shown, now = wire.book_ticker_event(self._engine, symbol), self._engine.now
        return shown | ({"e": "bookTicker", "E": now, "T": now} if self._market == "swap" else {})

    def _mark_price(self, symbol: str) -> Json | None:
        return mark_event(self._engine, symbol) if isinstance(self._engine, SwapEngine) else None

    def _ticker(self, symbol: str) -> Json:
        event = wire.ticker_event(self._engine, symbol)
        if self._market == "spot":
            bid, bid_size, ask, ask_size = wire.best(self._engine, symbol)
            event |= {"x": event["o"], "b": bid, "B": bid_size, "a": ask, "A": ask_size}
        return event

    def _show_bars(
        self, connection: BinanceConnection, name: str, symbol: str, interval: str
    ) -> None:
        """The newest bar, and before it the last that was shown, which has closed by then."""
        bars = self._klines.get((symbol, interval))
        if bars is None:
            bars = candles(self._engine.tape[symbol], INTERVALS[interval])
        since = connection.names[name]
        for bar in [bar for bar in bars[-2:-1] if since is not None and bar[0] >= since] + bars[
            -1:
        ]:
            self._send(connection, name, wire.kline_event(self._engine, symbol, interval, bar))
        connection.names[name] = bars[-1][0] if bars else None

    def _partial(self, symbol: str, count: int) -> Json:
        book = self._engine.books[symbol]
        bids, asks = (wire.book_levels(book.depth(side, count)) for side in ("BUY", "SELL"))
        if self._market == "spot":
            return {"lastUpdateId": book.update_id, "bids": bids, "asks": asks}
        return self._depth_event(symbol, book.update_id - 1, bids, asks)

    # --- order book differences ---

    def _difference(self, symbol: str) -> Json:
        """What changed since the last one; a level that is gone has quantity 0."""
        changed = self._depths.difference(symbol)
        bids, asks = (wire.book_levels(side.items()) for side in (changed.bids, changed.asks))
        return self._depth_event(symbol, changed.previous, bids, asks)

    def _depth_event(self, symbol: str, previous: int, bids: Json, asks: Json) -> Json:
        now = self._engine.now
        event = {
            "e": "depthUpdate",
            "E": now,
            "s": symbol,
            "U": previous + 1,
            "u": self._engine.books[symbol].update_id,
            "b": bids,
            "a": asks,
        }
        return event | ({"T": now, "pu": previous} if self._market == "swap" else {})


def listen_key_routes(streams: Streams) -> Paths:
    path = "/fapi/v1/listenKey"
    return {
        ("POST", path): Route(streams.make_listen_key, KEY),
        ("PUT", path): Route(streams.keep_listen_key, KEY),
        ("DELETE", path): Route(streams.drop_listen_key, KEY),
    }


def _is_difference(kind: str) -> bool:
    return kind.partition("@")[0] == "depth"
