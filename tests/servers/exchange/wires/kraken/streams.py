"""Kraken's streams of the second version: public ones, and those of the account by a token.

There are no examples of `executions` among the samples: its messages are as ccxt's class has them
in its comments and reads them.  Only the first one of an order tells all of it; what follows names
the order and what is new, and its `order_userref`, never our id.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.depths import Depths
from tests.servers.exchange.figures import INTERVALS, Candle, day
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.values import AccountTold, MarketMoved, OrderTold, Printed, Told, Trade
from tests.servers.exchange.wires.base import Site
from tests.servers.exchange.wires.kraken import rendering
from tests.servers.exchange.wires.kraken.market import FRAMES, Market, iso

Json = Any
PRIVATE = {"executions": "order", "balances": "balance"}
DEPTHS = {10, 25, 100, 500, 1000}
TOKEN_LIVES = 900_000
"""Milliseconds within which a token has to be used."""


class Streams:
    def __init__(self, site: Site, market: Market) -> None:
        self._site = site
        self._engine = site.engine
        self._market = market
        self._depths = Depths(site.engine)
        self._sequence = itertools.count(1)
        self._tokens: dict[str, tuple[str, int]] = {}

    # --- what clients say ---

    def token(self, key: str) -> Json:
        """For `executions` and `balances`; good for a quarter of an hour, if it is not used."""
        name = f"token/{len(self._tokens)}+{key}"
        self._tokens[name] = (key, self._engine.now)
        return {"token": name, "expires": TOKEN_LIVES // 1000}

    def greet(self, connection: Connection) -> None:
        data = [{"api_version": "v2", "connection_id": 1, "system": "online", "version": "2.0.0"}]
        connection.send({"channel": "status", "type": "update", "data": data})

    def listen(self, connection: Connection, message: str) -> None:
        asked = json.loads(message)
        match asked.get("method"):
            case "ping":
                connection.send(self._done(asked, "pong", {}))
            case "subscribe":
                self._subscribe(connection, asked)
            case "unsubscribe":
                params = asked.get("params", {})
                for name in [n for n in connection.names if _channel(n) == params.get("channel")]:
                    connection.names.pop(name)
                connection.send(self._done(asked, "unsubscribe", params))

    def _subscribe(self, connection: Connection, asked: Json) -> None:
        params = dict(asked.get("params", {}))
        channel, token = str(params.get("channel")), str(params.pop("token", ""))
        if channel in PRIVATE:
            self._subscribe_user(connection, asked, channel, token, params)
            return
        if channel not in {"ticker", "book", "ohlc", "trade"}:
            connection.send(self._refused(asked, "Event(s) not found"))
            return
        detail = params.get("depth", 10) if channel == "book" else params.get("interval", 1)
        if channel == "book" and detail not in DEPTHS:
            connection.send(self._refused(asked, "Subscription depth not supported"))
            return
        for name in params.get("symbol", []):
            try:
                symbol = self._market.symbol_of(_first_version(name))
            except Refusal:
                connection.send(self._refused(asked, f"Currency pair not supported {name}"))
                continue
            connection.send(self._done(asked, "subscribe", {**params, "symbol": name}))
            connection.names[f"{channel} {symbol} {detail}"] = detail
            self._show(connection, channel, symbol, detail)

    def _subscribe_user(
        self, connection: Connection, asked: Json, channel: str, token: str, params: Json
    ) -> None:
        key, born = self._tokens.get(token, ("", 0))
        private = "ws-auth" in connection.path
        if not key or not private or self._engine.now - born > TOKEN_LIVES:
            connection.send(self._refused(asked, "ESession:Invalid session"))
            return
        connection.key = key
        connection.names[channel] = None
        connection.send(self._done(asked, "subscribe", params))
        if channel == "balances":
            connection.send(self._message("balances", "snapshot", self._balances()))
        elif params.get("snap_orders", True):
            found = [s for s in orders.orders(self._engine) if s.is_open]
            told = [self._state(shown, "new") for shown in found]
            connection.send(self._message("executions", "snapshot", told))

    def _done(self, asked: Json, method: str, result: Json) -> Json:
        now = iso(self._engine.now)
        said = {"method": method, "req_id": asked.get("req_id"), "time_in": now, "time_out": now}
        return said | ({"result": result, "success": True} if method != "pong" else {})

    def _refused(self, asked: Json, text: str) -> Json:
        said = self._done(asked, str(asked.get("method")), {})
        return {**said, "result": None, "success": False, "error": text}

    # --- what everybody sees ---

    def publish(self, told: Told) -> None:
        match told:
            case MarketMoved(symbol=symbol):
                self._moved(symbol)
            case Printed(symbol=symbol):
                self._printed(told)
                for connection, _, interval in self._to("ohlc", symbol):
                    connection.send(self._bars(symbol, interval, "update"))

    def beat(self) -> None:
        for connection in self._site.connections:
            if connection.names:
                connection.send({"channel": "heartbeat"})

    def _to(self, channel: str, symbol: str) -> list[tuple[Connection, str, int]]:
        return [
            (connection, name, detail)
            for connection in self._site.connections
            for name, detail in connection.names.items()
            if name.startswith(f"{channel} {symbol} ")
        ]

    def _moved(self, symbol: str) -> None:
        changed = self._depths.difference(symbol)
        levels = {"bids": changed.bids.items(), "asks": changed.asks.items()}
        for connection, _, _ in self._to("book", symbol):
            connection.send(self._book(symbol, levels, "update"))
        for connection, _, _ in self._to("ticker", symbol):
            connection.send(self._ticker(symbol, "update"))

    def _show(self, connection: Connection, channel: str, symbol: str, detail: int) -> None:
        match channel:
            case "ticker":
                connection.send(self._ticker(symbol, "snapshot"))
            case "book":
                book = self._engine.books[symbol]
                sides = {"bids": book.depth("BUY", detail), "asks": book.depth("SELL", detail)}
                connection.send(self._book(symbol, sides, "snapshot"))
            case "ohlc":
                connection.send(self._bars(symbol, detail, "snapshot"))

    def _book(self, symbol: str, sides: dict[str, Any], kind: str) -> Json:
        levels = {
            side: [{"price": float(price), "qty": float(size)} for price, size in found]
            for side, found in sides.items()
        }
        line = {"symbol": self._market.ws_name(symbol), **levels, "checksum": 0}
        return {"channel": "book", "type": kind, "data": [line | {"timestamp": self._now()}]}

    def _ticker(self, symbol: str, kind: str) -> Json:
        of = day(self._engine, symbol)
        (bid, bid_size), (ask, ask_size) = (
            self._market.best(symbol, side) for side in ("BUY", "SELL")
        )
        line = {
            "symbol": self._market.ws_name(symbol),
            "bid": float(bid),
            "bid_qty": float(bid_size),
            "ask": float(ask),
            "ask_qty": float(ask_size),
            "last": float(of.last),
            "volume": float(of.volume),
            "vwap": float(of.average),
            "low": float(of.low),
            "high": float(of.high),
            "change": float(of.change),
            "change_pct": float(of.percent),
        }
        return {"channel": "ticker", "type": kind, "data": [line]}

    def _printed(self, printed: Printed) -> None:
        line = {
            "symbol": self._market.ws_name(printed.symbol),
            "side": "sell" if printed.buyer_maker else "buy",
            "price": float(printed.price),
            "qty": float(printed.quantity),
            "ord_type": "market",
            "trade_id": printed.time,
            "timestamp": iso(printed.time),
        }
        for connection, _, _ in self._to("trade", printed.symbol):
            connection.send({"channel": "trade", "type": "update", "data": [line]})

    def _bars(self, symbol: str, interval: int, kind: str) -> Json:
        bars = self._market.bars(symbol, interval)
        shown = bars if kind == "snapshot" else bars[-1:]
        data = [self._bar(symbol, bar, interval) for bar in shown]
        return {"channel": "ohlc", "type": kind, "timestamp": self._now(), "data": data}

    def _bar(self, symbol: str, bar: Candle, interval: int) -> Json:
        length = INTERVALS[FRAMES[interval]]
        return {
            "symbol": self._market.ws_name(symbol),
            "open": float(bar[1]),
            "high": float(bar[2]),
            "low": float(bar[3]),
            "close": float(bar[4]),
            "trades": int(bar[8]),
            "volume": float(bar[5]),
            "vwap": float(bar[4]),
            "interval_begin": iso(int(bar[0])),
            "interval": interval,
            "timestamp": iso(int(bar[0]) + length),
        }

    def _now(self) -> str:
        return iso(self._engine.now)

    # --- what the owner is told ---

    def user_events(self, told: Told) -> Iterable[Json]:
        match told:
            case OrderTold(trade=trade):
                yield from self._executions(told, trade)
            case AccountTold(assets=assets):
                yield self._message("balances", "update", self._balances(assets))

    def _executions(self, told: OrderTold, trade: Trade | None) -> Iterable[Json]:
        shown = orders.told(self._engine, told)
        assert shown is not None
        if trade is not None:
            yield self._execution(self._fill(shown, trade))
            if shown.state == orders.FILLED:
                yield self._execution(self._ended(shown, "filled"))
        elif told.kind == "NEW" and shown.triggered:
            yield self._execution(self._named(shown, "status", "new"))
        elif told.kind == "NEW":
            yield self._execution(self._state(shown, "pending_new"))
            yield self._execution(self._named(shown, "new", "new"))
        else:
            if shown.failure:  # taken and refused: it was never told before
                yield self._execution(self._state(shown, "pending_new"))
            yield self._execution(self._ended(shown, rendering.status(shown)))

    def _state(self, shown: Shown, kind: str) -> Json:
        """All of an order."""
        wish = shown.wish
        return {
            "order_id": rendering.txid(shown.id),
            "order_userref": 0,
            "symbol": self._market.ws_name(shown.symbol),
            "order_qty": float(shown.quantity),
            "cum_qty": float(shown.filled),
            "cum_cost": float(shown.quote_filled),
            "avg_price": float(shown.average),
            "time_in_force": "GTC" if wish.time_in_force == "GTX" else wish.time_in_force,
            "exec_type": kind,
            "side": shown.side.lower(),
            "order_type": rendering.kind(shown),
            "limit_price_type": "static",
            "limit_price": float(wish.price),
            "stop_price": float(wish.stop_price),
            "order_status": "partially_filled" if shown.filled else kind,
            "fee_usd_equiv": 0.0,
            "fee_ccy_pref": "fciq",
            "timestamp": iso(shown.updated),
        }

    def _named(self, shown: Shown, kind: str, status: str) -> Json:
        return {
            "timestamp": iso(shown.updated),
            "order_status": status,
            "exec_type": kind,
            "order_userref": 0,
            "order_id": rendering.txid(shown.id),
        }

    def _ended(self, shown: Shown, kind: str) -> Json:
        told = self._named(shown, kind, kind) | {
            "cum_qty": float(shown.filled),
            "cum_cost": float(shown.quote_filled),
            "fee_usd_equiv": 0.0,
            "avg_price": float(shown.average),
        }
        if kind == "filled":
            return told | {"symbol": self._market.ws_name(shown.symbol)}
        why = rendering.reason(shown)
        return told | {"cancel_reason": why, "reason": why}

    def _fill(self, shown: Shown, trade: Trade) -> Json:
        full = shown.state == orders.FILLED
        return {
            "order_id": rendering.txid(shown.id),
            "exec_id": rendering.trade_id(trade.id),
            "exec_type": "trade",
            "trade_id": trade.id,
            "symbol": self._market.ws_name(shown.symbol),
            "side": shown.side.lower(),
            "last_qty": float(trade.quantity),
            "last_price": float(trade.price),
            "liquidity_ind": "m" if trade.maker else "t",
            "cost": float(trade.quote),
            "order_userref": 0,
            "order_status": "filled" if full else "partially_filled",
            "order_type": rendering.kind(shown),
            "fee_usd_equiv": float(trade.fee),
            "fees": [{"asset": trade.fee_asset, "qty": float(trade.fee)}],
            "timestamp": iso(trade.time),
        }

    def _balances(self, assets: Iterable[str] | None = None) -> list[Json]:
        return [
            {
                "asset": name,
                "asset_class": "currency",
                "balance": float(self._engine.total(name)),
                "wallets": [
                    {"type": "spot", "id": "main", "balance": float(self._engine.total(name))}
                ],
            }
            for name in (self._engine.balances if assets is None else assets)
        ]

    def _execution(self, line: Json) -> Json:
        return self._message("executions", "update", [line])

    def _message(self, channel: str, kind: str, data: list[Json]) -> Json:
        return {"channel": channel, "type": kind, "data": data, "sequence": next(self._sequence)}

    def push(self, event: Json) -> None:
        for connection in self._site.connections:
            if connection.is_user and event["channel"] in connection.names:
                connection.send(event)


def names(event: Json) -> set[str]:
    """A fill is a trade; all else of `executions` is about an order."""
    channel = event["channel"]
    if channel == "executions" and event["data"][0]["exec_type"] == "trade":
        return {channel, "trade"}
    return {channel, PRIVATE[channel]}


def _channel(name: str) -> str:
    return name.partition(" ")[0]


def _first_version(name: str) -> str:
    base, _, quote = name.partition("/")
    return f"{'XBT' if base == 'BTC' else base}/{quote}"
