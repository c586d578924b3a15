"""Drive a venue that runs in another process: one small HTTP endpoint, JSON in and out.

POST /engine   {"call": "trade_through", "args": ["BTCUSDT", "49000"], "kwargs": {}}
POST /on       {"method": "POST", "path": "*/order", "act": {"kind": "Close", "done": true},
                "where": {"side": "BUY"}, "after": 0, "times": 1}      answers the fault's number
POST /on_event {"name": "executionReport", "act": "drop", "times": 1}  answers its number
POST /release  {"fault": 0}            POST /hide {"client_id": "*", "queries": 2}
POST /clear    POST /maintenance {"on": true}       POST /disconnect {"users": true}
POST /klines   {"symbol": "BTCUSDT", "interval": "1d", "rows": [[...], ...]}
POST /unlimited, nothing is too much from now on
POST /hold_cancels {"on": true}        what is acknowledged before it is done waits, until false
POST /outage   {"on": true}            POST /asked {"method": "POST", "path": "*", "since": 0}
POST /state    every order, conditional order, trade, position and balance
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, is_dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web

from tests.servers.exchange.faults import (
    MAINTENANCE,
    Act,
    Close,
    EventFault,
    Fault,
    Garble,
    Hold,
    Plight,
    Refuse,
    Swallow,
)
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.server import ExchangeServer
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.values import Wish

Json = Any
ACTS: dict[str, type[Act]] = {
    act.__name__: act for act in (Refuse, Plight, Garble, Close, Swallow, Hold)
}


class Control:
    """Each public coroutine is a command, named as its path."""

    def __init__(self, venue: ExchangeServer) -> None:
        self._venue = venue
        self._faults: list[Fault | EventFault] = []
        self._commands: dict[str, Callable[[Json], Awaitable[Json]]] = {
            command.__name__: command
            for command in (
                self.engine, self.on, self.on_event, self.release, self.hide, self.clear,
                self.maintenance, self.disconnect, self.outage, self.asked, self.state,
                self.unlimited, self.klines, self.hold_cancels,
            )
        }  # fmt: skip

    async def serve(self, request: web.BaseRequest) -> web.Response:
        command = self._commands.get(request.path.strip("/"))
        if command is None:
            return web.json_response({"error": "no such command"}, status=404)
        asked = await request.json() if request.can_read_body else {}
        try:
            return web.json_response({"answer": _plain(await command(asked))})
        except Refusal as why:
            return web.json_response({"error": str(why)}, status=409)

    async def engine(self, asked: Json) -> Json:
        name = asked["call"]
        if name.startswith("_"):
            raise Refusal(f"{name} is not public")
        args = [_wish(arg) if isinstance(arg, dict) else arg for arg in asked.get("args", [])]
        return getattr(self._venue.engine, name)(*args, **asked.get("kwargs", {}))

    async def on(self, asked: Json) -> Json:
        about = asked.pop("act")
        act = ACTS[about.pop("kind")](**about)
        self._faults.append(self._venue.faults.on(act=act, **asked))
        return len(self._faults) - 1

    async def on_event(self, asked: Json) -> Json:
        self._faults.append(self._venue.faults.on_event(**asked))
        return len(self._faults) - 1

    async def release(self, asked: Json) -> Json:
        fault = self._faults[asked["fault"]]
        if isinstance(fault, Fault):
            fault.release()
        else:
            self._venue.faults.release(fault)

    async def hide(self, asked: Json) -> Json:
        self._venue.faults.hide(**asked)

    async def clear(self, _asked: Json) -> Json:
        self._venue.faults.clear()

    async def maintenance(self, asked: Json) -> Json:
        self._venue.faults.maintenance = MAINTENANCE if asked["on"] else None

    async def disconnect(self, asked: Json) -> Json:
        return self._venue.disconnect(**asked)

    async def outage(self, asked: Json) -> Json:
        if asked["on"]:
            await self._venue.stop_listening()
        else:
            await self._venue.start_listening()

    async def klines(self, asked: Json) -> Json:
        """*symbol* is `*` for all that there are."""
        named = asked["symbol"]
        for symbol in self._venue.engine.rules if named == "*" else (named,):
            self._venue.klines[symbol, asked["interval"]] = asked["rows"]

    async def unlimited(self, _asked: Json) -> Json:
        self._venue.wire.limited = False

    async def hold_cancels(self, asked: Json) -> None:
        if asked["on"]:
            self._venue.later.hold()
        else:
            self._venue.later.release()

    async def asked(self, asked: Json) -> Json:
        return self._venue.asked(**asked)

    async def state(self, _asked: Json) -> Json:
        engine = self._venue.engine
        shown = {"orders": list(engine.orders.values()), "trades": engine.trades}
        if isinstance(engine, SpotEngine):
            return shown | {"balances": engine.balances, "lists": list(engine.lists.values())}
        return shown | {
            "wallet": engine.wallet,
            "positions": engine.positions(),
            "algos": list(engine.algos.values()),
        }


def _wish(told: dict[str, Any]) -> Wish:
    decimal = {field.name for field in fields(Wish) if field.type == "Decimal"}
    read: dict[str, Any] = {key: Decimal(v) if key in decimal else v for key, v in told.items()}
    return Wish(**read)


def _plain(value: Any) -> Json:
    """Decimals as text, values as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value
