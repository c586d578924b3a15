"""Gate's streams: each subscription to the account's channels is signed by itself."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.depths import Depths
from tests.servers.exchange.figures import plain
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.values import (
    AccountTold,
    AlgoTold,
    MarketMoved,
    OrderTold,
    Printed,
    Told,
)
from tests.servers.exchange.wires.base import Site
from tests.servers.exchange.wires.gate import rendering
from tests.servers.exchange.wires.gate.account import Account
from tests.servers.exchange.wires.gate.market import FRAMES, Market
from tests.servers.exchange.wires.gate.rendering import USER, instrument, is_swap
from tests.servers.exchange.wires.gate.trading import Trading

Json = Any
STOPS = {"spot": "priceorders", "futures": "autoorders"}
PRIVATE = {"orders", "usertrades", "balances", "positions", "priceorders", "autoorders"}
NAMES = {
    "orders": "order", "usertrades": "trade", "balances": "balance", "positions": "position",
    "priceorders": "stop", "autoorders": "stop",
}  # fmt: skip
WITHIN = 60
"""Seconds that a subscription's time may differ from ours."""


class Streams:
    def __init__(self, site: Site, market: Market, trading: Trading, account: Account) -> None:
        self._site = site
        self._engine = site.engine
        self._market = market
        self._trading = trading
        self._account = account
        self._depths = Depths(site.engine)
        self._side = "futures" if is_swap(site.engine) else "spot"

    # --- what clients say ---

    def listen(self, connection: Connection, message: str) -> None:
        asked = json.loads(message)
        channel, event = str(asked.get("channel")), asked.get("event")
        if channel == f"{self._side}.ping":
            connection.send(self._message(f"{self._side}.pong", "", None))
        elif event == "unsubscribe":
            connection.names.pop(_name(channel, asked.get("payload")), None)
            connection.send(self._answer(asked, {"status": "success"}))
        elif event == "subscribe":
            self._subscribe(connection, asked)

    def _subscribe(self, connection: Connection, asked: Json) -> None:
        side, _, kind = str(asked["channel"]).partition(".")
        refused = self._refusal(asked, side, kind)
        if refused:
            connection.send(self._answer(asked, None, error=refused))
            return
        if kind in PRIVATE:
            connection.key = asked["auth"]["KEY"]
        connection.names[_name(asked["channel"], asked.get("payload"))] = asked
        connection.send(self._answer(asked, {"status": "success"}))
        if kind not in PRIVATE:
            self._show(connection, asked, kind)

    def _refusal(self, asked: Json, side: str, kind: str) -> Json:
        if side != self._side:
            return {"code": 1, "message": f"unknown channel {asked['channel']}"}
        if kind not in PRIVATE:
            return None if self._is_known(asked, kind) else {"code": 2, "message": "unknown market"}
        auth, stamp = asked.get("auth") or {}, asked.get("time", 0)
        owner = self._site.keys.get(auth.get("KEY", ""))
        text = f"channel={asked['channel']}&event=subscribe&time={stamp}"
        good = owner is not None and hmac.compare_digest(
            hmac.new(owner.secret.encode(), text.encode(), hashlib.sha512).hexdigest(),
            auth.get("SIGN", ""),
        )
        if not good or abs(int(stamp) - self._engine.now // 1000) > WITHIN:
            return {"code": 4, "message": "invalid key, or signature, or time"}
        payload = asked.get("payload") or []
        if self._side == "futures" and (not payload or str(payload[0]) != str(USER)):
            return {"code": 2, "message": "invalid user id"}
        return None

    def _is_known(self, asked: Json, kind: str) -> bool:
        payload = [str(part) for part in asked.get("payload") or []]
        known = {instrument(self._engine, symbol) for symbol in self._engine.listed}
        if kind == "candlesticks":
            return len(payload) == 2 and payload[0] in FRAMES and payload[1] in known
        if kind == "obu":
            return all(part.split(".")[1] in known for part in payload)
        return bool(payload) and payload[0] in known

    # --- what everybody sees ---

    def _show(self, connection: Connection, asked: Json, kind: str) -> None:
        """What a subscription begins with, and what a beat repeats."""
        for symbol in self._engine.listed:
            if self._is_about(asked, kind, symbol):
                shown = self._shown(asked, kind, symbol)
                if shown is not None:
                    connection.send(self._message(asked["channel"], "update", shown))

    def _shown(self, asked: Json, kind: str, symbol: str) -> Json | None:
        match kind:
            case "tickers":
                ticker = self._market.ticker(symbol)
                return [ticker] if is_swap(self._engine) else ticker
            case "candlesticks":
                return self._candle(symbol, asked["payload"][0])
            case "obu":
                return self._whole_book(symbol, asked["payload"][0])
            case "order_book_update":
                return self._changes(symbol, {}, {}, self._engine.books[symbol].update_id)
        return None

    def _candle(self, symbol: str, frame: str) -> Json | None:
        bars = self._market.bars(symbol, frame)[-1:]
        named = f"{frame}_{instrument(self._engine, symbol)}"
        shown = [
            {
                "t": str(bar[0] // 1000), "o": bar[1], "h": bar[2], "l": bar[3], "c": bar[4],
                "v": bar[7], "a": bar[5], "n": named, "w": False,
            }
            for bar in bars
        ]  # fmt: skip
        if not shown:
            return None
        return shown if is_swap(self._engine) else shown[0]

    def _whole_book(self, symbol: str, name: str) -> Json:
        book = self._engine.books[symbol]
        depth = int(name.split(".")[2])
        return {
            "t": self._engine.now,
            "full": True,
            "s": name,
            "u": book.update_id,
            "b": [[plain(price), plain(size)] for price, size in book.depth("BUY", depth)],
            "a": [[plain(price), plain(size)] for price, size in book.depth("SELL", depth)],
        }

    def publish(self, told: Told) -> None:
        match told:
            case MarketMoved(symbol=symbol):
                self._moved(symbol)
            case Printed(symbol=symbol):
                line = self._market.trade(told, told.time)
                for connection, asked, kind in self._public(symbol):
                    if kind == "trades":
                        data = [line] if is_swap(self._engine) else line
                        connection.send(self._message(asked["channel"], "update", data))
                    elif kind == "candlesticks":
                        self._show(connection, asked, kind)

    def beat(self) -> None:
        """Tickers come even when nothing happens."""
        for connection in self._site.connections:
            for asked in list(connection.names.values()):
                kind = asked["channel"].partition(".")[2]
                if kind in {"tickers", "order_book_update"}:
                    self._show(connection, asked, kind)

    def _moved(self, symbol: str) -> None:
        changed = self._depths.difference(symbol)
        for connection, asked, kind in self._public(symbol):
            channel = asked["channel"]
            if kind == "order_book_update":
                data = self._changes(symbol, changed.bids, changed.asks, changed.update)
                data["U"] = changed.previous + 1
                connection.send(self._message(channel, "update", data))
            elif kind == "obu":
                data = self._changes(symbol, changed.bids, changed.asks, changed.update)
                data |= {"s": asked["payload"][0], "U": changed.previous + 1}
                connection.send(self._message(channel, "update", data))
            elif kind == "tickers":
                self._show(connection, asked, kind)

    def _changes(self, symbol: str, bids: Json, asks: Json, update: int) -> Json:
        level = self._market.level
        return {
            "t": self._engine.now,
            "s": instrument(self._engine, symbol),
            "U": update,
            "u": update,
            "b": [level(symbol, price, size) for price, size in bids.items()],
            "a": [level(symbol, price, size) for price, size in asks.items()],
        }

    def _public(self, symbol: str) -> list[tuple[Connection, Json, str]]:
        return [
            (connection, asked, kind)
            for connection in self._site.connections
            for asked in connection.names.values()
            for kind in [asked["channel"].partition(".")[2]]
            if kind not in PRIVATE and self._is_about(asked, kind, symbol)
        ]

    def _is_about(self, asked: Json, kind: str, symbol: str) -> bool:
        named, payload = instrument(self._engine, symbol), asked.get("payload") or []
        if kind == "candlesticks":
            return bool(payload[1] == named)
        if kind == "obu":
            return any(part.split(".")[1] == named for part in payload)
        return named in payload

    # --- what the owner is told ---

    def user_events(self, told: Told) -> Iterable[Json]:
        match told:
            case OrderTold(trade=trade):
                shown = orders.of_order(self._engine, told.order)
                waits = shown.stop and not is_swap(self._engine) and not shown.filled
                if waits:
                    yield self._stop(shown)
                if shown.child is not None:
                    yield self._event("orders", [self._order(shown, told)])
                if trade is not None:
                    line = rendering.fill(self._engine, trade)
                    more: Json = {"create_time_ms": trade.time, "user_id": USER}
                    more |= {"close_size": "0"} if is_swap(self._engine) else {}
                    yield self._event("usertrades", [line | more])
            case AlgoTold():
                shown_stop = orders.told(self._engine, told)
                assert shown_stop is not None
                yield self._stop(shown_stop)
            case AccountTold(assets=assets, positions=positions):
                if positions:
                    when = {"time": self._engine.now // 1000, "time_ms": self._engine.now}
                    held = [self._account.position(of) | when for of in positions]
                    yield self._event("positions", held)
                yield self._event("balances", [self._money(asset) for asset in assets])

    def _order(self, shown: Shown, told: OrderTold) -> Json:
        line: Json = rendering.order(self._engine, shown)
        if is_swap(self._engine):
            return line | {"create_time_ms": shown.created, "finish_time_ms": told.time}
        event = "put" if told.kind == "NEW" else "update" if shown.is_open else "finish"
        more = {"user": USER, "biz_info": "-", "stp_id": 0, "stp_act": "-"}
        return line | more | {"event": event}

    def _stop(self, shown: Shown) -> Json:
        return self._event(STOPS[self._side], [self._trading.rendered_stop(shown)])

    def _money(self, asset: str) -> Json:
        now = self._engine.now
        if is_swap(self._engine):
            return {
                "balance": plain(self._engine.wallet),
                "change": "0",
                "text": "",
                "time": now // 1000,
                "time_ms": now,
                "type": "pnl",
                "user": str(USER),
                "currency": "usdt",
            }
        return {
            "timestamp": str(now // 1000),
            "timestamp_ms": str(now),
            "user": str(USER),
            "currency": asset,
            "change": "0",
            "total": plain(self._engine.total(asset)),
            "available": plain(self._engine.free(asset)),
            "freeze": plain(self._engine.locked(asset)),
            "freeze_change": "0",
            "change_type": "order-update",
        }

    def _event(self, kind: str, result: list[Json]) -> Json:
        return self._message(f"{self._side}.{kind}", "update", result)

    def push(self, event: Json) -> None:
        for connection in self._site.connections:
            for asked in connection.names.values():
                if asked["channel"] != event["channel"]:
                    continue
                wanted = {str(part) for part in asked.get("payload") or []}
                kept = [line for line in event["result"] if _fits(wanted, line)]
                if kept:
                    connection.send(event | {"result": kept})

    def event_names(self, event: Json) -> set[str]:
        kind = event["channel"].partition(".")[2]
        return {event["channel"], NAMES[kind]}

    def _message(self, channel: str, event: str, result: Json) -> Json:
        now = self._engine.now
        return {
            "time": now // 1000, "time_ms": now, "channel": channel, "event": event,
            "result": result,
        }  # fmt: skip

    def _answer(self, asked: Json, result: Json, error: Json = None) -> Json:
        now = self._engine.now
        told = {
            "time": now // 1000,
            "time_ms": now,
            "id": asked.get("id"),
            "channel": asked["channel"],
            "event": asked["event"],
            "payload": asked.get("payload"),
            "result": result,
        }
        return told if error is None else told | {"error": error}


def _fits(wanted: set[str], line: Json) -> bool:
    named = line.get("currency_pair") or line.get("contract") or line.get("market")
    initial = line.get("initial") or {}
    named = named or initial.get("contract")
    markets = {part for part in wanted if "_" in part}
    return not markets or named is None or named in markets


def _name(channel: str, payload: Json) -> str:
    return f"{channel} {json.dumps(payload)}"
