"""Bybit's streams: public ones by path, and the private one after `auth`."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Iterable
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.depths import Depths
from tests.servers.exchange.figures import plain
from tests.servers.exchange.values import (
    AccountTold,
    AlgoTold,
    LeverageTold,
    MarketMoved,
    OrderTold,
    Position,
    Printed,
    Told,
)
from tests.servers.exchange.wires.base import Site
from tests.servers.exchange.wires.bybit import rendering
from tests.servers.exchange.wires.bybit.market import FRAMES, Market, streamed_trade
from tests.servers.exchange.wires.bybit.rendering import category, is_swap

Json = Any
PRIVATE = {"order", "execution", "position", "wallet"}
NAMES = {"order": "order", "execution": "trade", "position": "position", "wallet": "balance"}
CONNECTION_ID = "cejreaspqfh3sjdnldmg-p"
SPOT_TOPICS = 10
"""That one subscription of spot may name."""


class Streams:
    def __init__(self, site: Site, market: Market) -> None:
        self._site = site
        self._engine = site.engine
        self._market = market
        self._depths = Depths(site.engine)
        self._numbers = itertools.count(1)

    # --- what clients say ---

    def listen(self, connection: Connection, message: str) -> None:
        asked = json.loads(message)
        match asked.get("op"):
            case "ping":
                connection.send(self._pong(connection, asked))
            case "auth":
                connection.send(self._auth(connection, asked))
            case "subscribe":
                self._subscribe(connection, asked)
            case "unsubscribe":
                for topic in asked.get("args", []):
                    connection.names.pop(topic, None)
                connection.send(_done(asked))

    def _pong(self, connection: Connection, asked: Json) -> Json:
        named = {"req_id": asked.get("req_id", ""), "conn_id": CONNECTION_ID}
        if "private" in connection.path:
            return named | {"op": "pong", "args": [str(self._engine.now)]}
        return named | {"success": True, "ret_msg": "pong", "op": "ping"}

    def _auth(self, connection: Connection, asked: Json) -> Json:
        """The signature is of `GET/realtime` and the moment until which it is good."""
        name, expires, signature = ([str(arg) for arg in asked.get("args", [])] + [""] * 3)[:3]
        owner = self._site.keys.get(name)
        text = f"GET/realtime{expires}"
        good = owner is not None and hmac.compare_digest(
            hmac.new(owner.secret.encode(), text.encode(), hashlib.sha256).hexdigest(), signature
        )
        if not good or not expires.isdigit() or int(expires) < self._engine.now:
            return _done(asked, success=False, text="Params Error" if good else "Invalid apikey")
        connection.key = name
        return _done(asked, text="")

    def _subscribe(self, connection: Connection, asked: Json) -> None:
        topics = asked.get("args", [])
        refused = self._refusal(connection, topics)
        if refused:
            connection.send(_done(asked, success=False, text=refused))
            return
        connection.send(_done(asked, text="subscribe"))
        for topic in topics:
            connection.names[topic] = None
            if topic not in PRIVATE:
                self._show(connection, topic, first=True)

    def _refusal(self, connection: Connection, topics: list[str]) -> str:
        if "private" in connection.path:
            if not connection.is_user:
                return "Request not authorized"
            unknown = [topic for topic in topics if topic.split(".")[0] not in PRIVATE]
            return f"error:handler not found,topic:{unknown[0]}" if unknown else ""
        if not is_swap(self._engine) and len(topics) > SPOT_TOPICS:
            return "args size >10"
        unknown = [topic for topic in topics if not self._is_public(connection, topic)]
        return f"error:handler not found,topic:{unknown[0]}" if unknown else ""

    def _is_public(self, connection: Connection, topic: str) -> bool:
        parts = topic.split(".")
        here = connection.path.rsplit("/", 1)[-1] == category(self._engine)
        known = {"tickers": 2, "publicTrade": 2, "orderbook": 3, "kline": 3}
        return (
            here
            and known.get(parts[0]) == len(parts)
            and parts[-1] in self._engine.listed
            and (parts[0] != "kline" or parts[1] in FRAMES)
        )

    # --- what everybody sees ---

    def publish(self, told: Told) -> None:
        match told:
            case MarketMoved(symbol=symbol):
                self._moved(symbol)
            case Printed(symbol=symbol):
                self._send(f"publicTrade.{symbol}", "snapshot", [streamed_trade(told)])
                for interval in FRAMES:
                    self._bar(symbol, interval)

    def beat(self) -> None:
        """Tickers come even when nothing happens."""
        for symbol in self._engine.listed:
            self._ticker(symbol)

    def _moved(self, symbol: str) -> None:
        changed = self._depths.difference(symbol)
        data = {
            "s": symbol,
            "b": [[plain(price), plain(size)] for price, size in changed.bids.items()],
            "a": [[plain(price), plain(size)] for price, size in changed.asks.items()],
            "u": changed.update,
            "seq": changed.update,
        }
        for connection in self._site.connections:
            for topic in connection.names:
                if topic.startswith("orderbook.") and topic.endswith(f".{symbol}"):
                    connection.send(self._message(topic, "delta", data))
        self._ticker(symbol)

    def _ticker(self, symbol: str) -> None:
        """Spot tells the whole each time, perpetuals what changed; which may be all of it."""
        topic = f"tickers.{symbol}"
        if any(topic in connection.names for connection in self._site.connections):
            kind = "delta" if is_swap(self._engine) else "snapshot"
            self._send(topic, kind, self._market.streamed_ticker(symbol))

    def _bar(self, symbol: str, interval: str) -> None:
        topic = f"kline.{interval}.{symbol}"
        if any(topic in connection.names for connection in self._site.connections):
            bar = self._market.streamed_bar(symbol, interval)
            if bar:
                self._send(topic, "snapshot", [bar])

    def _show(self, connection: Connection, topic: str, *, first: bool) -> None:
        kind, symbol = topic.split(".", maxsplit=1)[0], topic.rsplit(".", maxsplit=1)[-1]
        match kind:
            case "tickers":
                shown: Json = self._market.streamed_ticker(symbol)
            case "orderbook":
                shown = self._market.levels(symbol, int(topic.split(".")[1]))
            case "kline":
                bar = self._market.streamed_bar(symbol, topic.split(".")[1])
                shown = [bar] if bar else None
            case _:
                shown = None
        if shown and first:
            connection.send(self._message(topic, "snapshot", shown))

    def _send(self, topic: str, kind: str, data: Json) -> None:
        message = self._message(topic, kind, data)
        for connection in self._site.connections:
            if topic in connection.names:
                connection.send(message)

    def _message(self, topic: str, kind: str, data: Json) -> Json:
        now = self._engine.now
        return {"topic": topic, "type": kind, "ts": now, "data": data, "cs": 1, "cts": now}

    # --- what the owner is told ---

    def user_events(self, told: Told) -> Iterable[Json]:
        match told:
            case OrderTold(trade=trade):
                if trade is not None:
                    line = rendering.execution(self._engine, trade)
                    yield self._event("execution", line | {"isLeverage": "0"})
                yield self._order(told)
            case AlgoTold(algo=algo) if not algo.order_id:  # else its child tells of itself
                yield self._order(told)
            case AccountTold(positions=positions):
                for of in positions:
                    yield self._position(of)
                yield self._event("wallet", rendering.wallet(self._engine))
            case LeverageTold(symbol=symbol):
                yield self._position(self._engine.position(symbol))

    def _order(self, told: Told) -> Json:
        shown = orders.told(self._engine, told)
        assert shown is not None
        return self._event("order", rendering.order(self._engine, shown))

    def _position(self, of: Position) -> Json:
        shown = rendering.position(self._engine, of) | {"entryPrice": plain(of.entry)}
        return self._event("position", shown)

    def _event(self, topic: str, line: Json) -> Json:
        now = self._engine.now
        return {
            "id": f"592324{now}{next(self._numbers):06}",
            "topic": topic,
            "creationTime": now,
            "data": [line | ({} if topic == "wallet" else {"category": category(self._engine)})],
        }

    def push(self, event: Json) -> None:
        """A topic is also had by category: `order.linear`."""
        topic = event["topic"]
        for connection in self._site.connections:
            if connection.is_user and {topic, f"{topic}.{category(self._engine)}"} & set(
                connection.names
            ):
                connection.send(event)


def _done(asked: Json, *, success: bool = True, text: str = "") -> Json:
    return {
        "success": success,
        "ret_msg": text,
        "op": asked.get("op"),
        "conn_id": CONNECTION_ID,
        "req_id": asked.get("req_id", ""),
    }
