"""OKX's streams: public, business (candles, stops) and private; a ping is plain text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.depths import Depths
from tests.servers.exchange.values import (
    AccountTold,
    AlgoTold,
    MarketMoved,
    OrderTold,
    Position,
    Printed,
    Told,
)
from tests.servers.exchange.wires.base import Site
from tests.servers.exchange.wires.okx import holdings, rendering
from tests.servers.exchange.wires.okx.market import FRAMES, Market
from tests.servers.exchange.wires.okx.rendering import instrument, is_swap

Json = Any
CONNECTION_ID = "a4d3ae55"
WITHIN = 30
"""Seconds that a login's time may differ from ours."""
BOOKS = {"books": 400, "books5": 5, "bbo-tbt": 1}
PUBLIC = {"tickers", "trades", "mark-price", "funding-rate", *BOOKS}
PRIVATE = {"orders", "positions", "account"}
NAMES = {"orders": "order", "orders-algo": "stop", "positions": "position", "account": "balance"}


class Streams:
    def __init__(self, site: Site, market: Market) -> None:
        self._site = site
        self._engine = site.engine
        self._market = market
        self._depths = Depths(site.engine)
        self._sequence = dict.fromkeys(site.engine.rules, 0)

    # --- what clients say ---

    def listen(self, connection: Connection, message: str) -> None:
        if message == "ping":
            connection.send_raw("pong")
            return
        asked = json.loads(message)
        match asked.get("op"):
            case "login":
                connection.send(self._login(connection, asked["args"][0]))
            case "subscribe":
                for arg in asked.get("args", []):
                    self._subscribe(connection, arg)
            case "unsubscribe":
                for arg in asked.get("args", []):
                    connection.names.pop(_name(arg), None)
                    connection.send(_event("unsubscribe", arg=arg))
            case op:
                connection.send(_error("60012", f"Illegal request: {op}"))

    def _login(self, connection: Connection, told: Json) -> Json:
        """The signature is of the time in seconds, GET, and /users/self/verify."""
        if connection.path.endswith("public"):
            return _error("60008", "Login is not supported for public channels")
        owner, stamp = self._site.keys.get(told.get("apiKey", "")), str(told.get("timestamp", ""))
        if owner is None:
            return _error("60005", "Invalid apiKey")
        digest = hmac.new(
            owner.secret.encode(), f"{stamp}GET/users/self/verify".encode(), hashlib.sha256
        ).digest()
        if not hmac.compare_digest(base64.b64encode(digest).decode(), told.get("sign", "")):
            return _error("60007", "Invalid sign")
        if told.get("passphrase") != owner.passphrase:
            return _error("60024", "Wrong passphrase")
        if not stamp.isdigit() or abs(int(stamp) - self._engine.now // 1000) > WITHIN:
            return _error("60006", "Timestamp request expired")
        connection.key = owner.key
        return {"event": "login", "code": "0", "msg": "", "connId": CONNECTION_ID}

    def _subscribe(self, connection: Connection, arg: Json) -> None:
        refused = self._refusal(connection, arg)
        if refused:
            connection.send(refused)
            return
        connection.names[_name(arg)] = arg
        connection.send(_event("subscribe", arg=arg))
        self._show(connection, arg)

    def _refusal(self, connection: Connection, arg: Json) -> Json:
        """Each channel is to be had at one path only, and the account's after a login."""
        channel, path = str(arg.get("channel")), connection.path.rsplit("/", 1)[-1]
        candle = channel.removeprefix("candle") in FRAMES and channel.startswith("candle")
        own = channel in PRIVATE or channel == "orders-algo"
        here = {
            "public": channel in PUBLIC,
            "private": channel in PRIVATE,
            "business": candle or channel == "orders-algo",
        }.get(path, False)
        if not here or (not own and not self._is_known(arg)):
            named = ",".join(f"{name}:{value}" for name, value in arg.items())
            text = f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and"
            return _error("60018", f"{text} parameters referring to API document.")
        return _error("60011", "Please log in") if own and not connection.is_user else None

    def _is_known(self, arg: Json) -> bool:
        known = (instrument(self._engine, symbol) for symbol in self._engine.listed)
        return arg.get("instId") in known

    def _show(self, connection: Connection, arg: Json) -> None:
        """What a subscription begins with."""
        channel = arg["channel"]
        if channel == "positions":
            held = (
                [of for of in self._engine.positions() if of.amount]
                if is_swap(self._engine)
                else []
            )
            shown = [holdings.position(self._engine, of) for of in held]
            connection.send({"arg": arg, "data": [one for one in shown if _fits(arg, one)]})
        elif channel == "account":
            connection.send({"arg": arg, "data": [holdings.balance(self._engine)]})
        elif channel not in PRIVATE and channel != "orders-algo":
            self._show_market(connection, arg, first=True)

    def _show_market(self, connection: Connection, arg: Json, *, first: bool = False) -> None:
        channel, symbol = arg["channel"], self._market.named(arg["instId"])
        if channel == "tickers":
            connection.send({"arg": arg, "data": [self._market.ticker(symbol)]})
        elif channel in BOOKS and (first or channel != "books"):
            levels = self._market.levels(symbol, BOOKS[channel]) | {
                "seqId": self._sequence[symbol], "prevSeqId": -1, "checksum": 0,
            }  # fmt: skip
            action = {"action": "snapshot"} if channel == "books" else {}
            connection.send({"arg": arg, **action, "data": [levels]})
        elif channel.startswith("candle"):
            frame = channel.removeprefix("candle")
            bars = self._market.bars(symbol, frame)[-1:]
            if bars:
                shown = [self._market.bar(symbol, bar, frame) for bar in bars]
                connection.send({"arg": arg, "data": shown})

    # --- what everybody sees ---

    def publish(self, told: Told) -> None:
        match told:
            case MarketMoved(symbol=symbol):
                self._moved(symbol)
            case Printed(symbol=symbol):
                line = self._market.trade(told, told.time)
                for connection, arg in self._about(symbol):
                    if arg["channel"] == "trades":
                        connection.send({"arg": arg, "data": [line]})
                    elif arg["channel"].startswith("candle"):
                        self._show_market(connection, arg)

    def beat(self) -> None:
        """Tickers come even when nothing happens."""
        for connection in self._site.connections:
            for arg in [arg for arg in connection.names.values() if arg["channel"] == "tickers"]:
                self._show_market(connection, arg)

    def _moved(self, symbol: str) -> None:
        changed, before = self._depths.difference(symbol), self._sequence[symbol]
        self._sequence[symbol] = max(before + 1, changed.update)
        update = {
            "asks": self._levels(symbol, changed.asks),
            "bids": self._levels(symbol, changed.bids),
            "ts": str(self._engine.now),
            "checksum": 0,
            "prevSeqId": before,
            "seqId": self._sequence[symbol],
        }
        for connection, arg in self._about(symbol):
            if arg["channel"] == "books":
                connection.send({"arg": arg, "action": "update", "data": [update]})
            elif arg["channel"] in {"tickers", *BOOKS}:
                self._show_market(connection, arg)

    def _levels(self, symbol: str, changed: dict[Decimal, Decimal]) -> list[list[str]]:
        return [self._market.level(symbol, price, size) for price, size in changed.items()]

    def _about(self, symbol: str) -> list[tuple[Connection, Json]]:
        wanted = instrument(self._engine, symbol)
        return [
            (connection, arg)
            for connection in self._site.connections
            for arg in connection.names.values()
            if arg.get("instId") == wanted and arg["channel"] not in {*PRIVATE, "orders-algo"}
        ]

    # --- what the owner is told ---

    def user_events(self, told: Told) -> Iterable[Json]:
        match told:
            case OrderTold():
                yield from self._order_events(told)
            case AlgoTold():
                yield self._event("orders-algo", [self._algo(told)])
            case AccountTold(positions=positions):
                if positions:
                    yield self._event("positions", [self._position(of) for of in positions])
                yield self._event("account", [holdings.balance(self._engine)])

    def _order_events(self, told: OrderTold) -> Iterable[Json]:
        """Of a stop of spot: as itself until its price is reached, as an order from then on."""
        shown = orders.told(self._engine, told)
        assert shown is not None
        if shown.stop and not is_swap(self._engine) and (shown.child is None or not shown.filled):
            yield self._event("orders-algo", [rendering.algo(self._engine, shown)])
        if shown.child is not None:
            line = rendering.streamed(self._engine, shown, told.trade)
            yield self._event("orders", [line])

    def _algo(self, told: Told) -> Json:
        shown = orders.told(self._engine, told)
        assert shown is not None
        return rendering.algo(self._engine, shown)

    def _position(self, of: Position) -> Json:
        return holdings.position(self._engine, of)

    def _event(self, channel: str, data: list[Json]) -> Json:
        return {"channel": channel, "data": data}

    def push(self, event: Json) -> None:
        for connection in self._site.connections:
            if not connection.is_user:
                continue
            for arg in connection.names.values():
                data = [line for line in event["data"] if _fits(arg, line)]
                if arg["channel"] == event["channel"] and data:
                    connection.send({"arg": arg, "data": data})

    def event_names(self, event: Json) -> set[str]:
        filled = event["channel"] == "orders" and event["data"][0]["tradeId"]
        return {event["channel"], NAMES[event["channel"]], *(["trade"] if filled else [])}


def _fits(arg: Json, line: Json) -> bool:
    """Whether a subscription is about it: by type and by instrument, where it names them."""
    kinds = {"", "ANY", line.get("instType", "")}
    return arg.get("instType", "") in kinds and arg.get("instId", "") in {
        "", line.get("instId", ""),
    }  # fmt: skip


def _name(arg: Json) -> str:
    return json.dumps(arg, sort_keys=True)


def _event(name: str, **more: Json) -> Json:
    return {"event": name, **more, "connId": CONNECTION_ID}


def _error(code: str, text: str) -> Json:
    return {"event": "error", "code": code, "msg": text, "connId": CONNECTION_ID}
