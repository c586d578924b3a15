"""OKX's private paths about the account: its mode, money, positions and leverage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.servers.exchange.entries import entries
from tests.servers.exchange.figures import plain
from tests.servers.exchange.paging import between
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.okx import holdings, rendering
from tests.servers.exchange.wires.okx.market import Market
from tests.servers.exchange.wires.okx.rendering import is_swap
from tests.servers.exchange.wires.okx.words import absent, parameter

Json = Any


class Account:
    """Each public method is a path's; *level* tells `acctLv`."""

    def __init__(self, site: Site, market: Market, level: Callable[[], str]) -> None:
        self._engine = site.engine
        self._market = market
        self._level = level

    def config(self, ask: Ask) -> Json:
        assert ask.key is not None
        hedge = is_swap(self._engine) and self._engine.hedge
        trades = ask.key.spot or ask.key.futures
        allowed = ["read_only", *(["trade"] if trades else [])]
        return [
            {
                "acctLv": self._level(),
                "acctStpMode": "cancel_maker",
                "autoLoan": False,
                "ctIsoMode": "automatic",
                "greeksType": "PA",
                "level": "Lv1",
                "levelTmp": "",
                "mgnIsoMode": "automatic",
                "posMode": "long_short_mode" if hedge else "net_mode",
                "spotOffsetType": "",
                "uid": "44705892343619584",
                "label": "desk",
                "roleType": "0",
                "traderInsts": [],
                "spotRoleType": "0",
                "spotTraderInsts": [],
                "opAuth": "0",
                "kycLv": "3",
                "ip": "",
                "perm": ",".join([*allowed, *(["withdraw"] if ask.key.withdrawals else [])]),
                "mainUid": "44705892343619584",
            }
        ]

    def balance(self, ask: Ask) -> Json:
        return [holdings.balance(self._engine, ask.text("ccy"))]

    def funding(self, _ask: Ask) -> Json:
        """The funding account: empty here, money moves through it only."""
        return []

    def positions(self, ask: Ask) -> Json:
        """Those that are held."""
        if not is_swap(self._engine):
            return []
        only = [name for name in ask.text("instId").split(",") if name]
        return [
            holdings.position(self._engine, of)
            for of in self._engine.positions()
            if of.amount and (not only or rendering.instrument(self._engine, of.symbol) in only)
        ]

    def leverage(self, ask: Ask) -> Json:
        symbol = self._market.symbol(ask)
        if not ask.text("mgnMode"):
            raise absent("mgnMode")
        return [self._leverage(ask, symbol, side) for side in self._sides()]

    def set_leverage(self, ask: Ask) -> Json:
        symbol, mode = self._market.symbol(ask), ask.text("mgnMode")
        if mode not in {"cross", "isolated"}:
            raise parameter("mgnMode")
        self._engine.set_leverage(symbol, int(ask.decimal("lever")))
        return [self._leverage(ask, symbol, self._sides()[0])]

    def _leverage(self, ask: Ask, symbol: str, side: str) -> Json:
        return {
            "instId": rendering.instrument(self._engine, symbol),
            "mgnMode": ask.text("mgnMode"),
            "posSide": side,
            "lever": str(self._engine.leverages[symbol]),
        }

    def _sides(self) -> tuple[str, ...]:
        return ("long", "short") if self._engine.hedge else ("net",)

    def set_position_mode(self, ask: Ask) -> Json:
        mode = ask.text("posMode")
        if mode not in {"long_short_mode", "net_mode"}:
            raise parameter("posMode")
        hedge = mode == "long_short_mode"
        if hedge != self._engine.hedge:
            self._engine.set_hedge(hedge)
        return [{"posMode": mode}]

    def fees(self, ask: Ask) -> Json:
        """Negative is paid."""
        self._market.kind(ask)
        maker, taker = plain(-self._engine.maker_fee), plain(-self._engine.taker_fee)
        swap = is_swap(self._engine)
        return [
            {
                "category": "1",
                "delivery": "",
                "exercise": "",
                "instType": ask.text("instType"),
                "level": "Lv1",
                "maker": "" if swap else maker,
                "makerU": maker if swap else "",
                "makerUSDC": "",
                "taker": "" if swap else taker,
                "takerU": taker if swap else "",
                "takerUSDC": "",
                "ts": str(self._engine.now),
                "fiat": [],
            }
        ]

    def bills(self, ask: Ask) -> Json:
        """Newest first, a hundred at most; `after` a bill's id are older ones."""
        only, kind = ask.text("ccy"), ask.text("type")
        after, before = ask.integer("after"), ask.integer("before")
        begin, end = ask.integer("begin"), ask.integer("end")
        booked = between(entries(self._engine), lambda entry: entry.time, begin, end)
        found = [
            holdings.bill(self._engine, entry)
            for entry in reversed(booked)
            if entry.id > before and (not after or entry.id < after)
        ]
        kept = [b for b in found if only in {"", b["ccy"]} and kind in {"", b["type"]}]
        return kept[: min(ask.integer("limit", 100), 100)]
