"""Gate's private paths about the account: its kind, money, positions and leverage."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.entries import Entry, entries
from tests.servers.exchange.figures import plain
from tests.servers.exchange.paging import between
from tests.servers.exchange.values import ZERO, Position
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.gate.market import Market
from tests.servers.exchange.wires.gate.rendering import (
    USER,
    contracts,
    instrument,
    is_swap,
    seconds,
)

Json = Any
MODES = {"BOTH": "single", "LONG": "dual_long", "SHORT": "dual_short"}


class Account:
    """Each public method is a path's.  `mode`: 1 is a classic account, 2 a unified one."""

    def __init__(self, site: Site, market: Market) -> None:
        self._engine = site.engine
        self._market = market
        self.mode = 1

    def detail(self, _ask: Ask) -> Json:
        return {
            "user_id": USER,
            "ip_whitelist": [],
            "currency_pairs": [],
            "key": {"mode": self.mode},
            "copy_trading_role": 0,
            "tier": 0,
        }

    def spot(self, ask: Ask) -> Json:
        only = ask.text("currency")
        return [self._coin(asset) for asset in self._engine.balances if only in {"", asset}]

    def _coin(self, asset: str) -> Json:
        return {
            "currency": asset,
            "available": plain(self._engine.free(asset)),
            "locked": plain(self._engine.locked(asset)),
            "update_id": self._engine.now,
        }

    def swap(self, _ask: Ask) -> Json:
        held = sum((self._engine.margin_of(of) for of in self._engine.positions()), ZERO)
        return {
            "user": USER,
            "currency": "USDT",
            "total": plain(self._engine.wallet),
            "unrealised_pnl": plain(self._engine.profit()),
            "position_margin": plain(round(held, 8)),
            "order_margin": plain(round(self._engine.orders_margin(), 8)),
            "available": plain(round(self._engine.available(), 8)),
            "point": "0",
            "bonus": "0",
            "in_dual_mode": self._engine.hedge,
            "enable_evolved_classic": False,
            "history": self._history(),
        }

    def _history(self) -> Json:
        """What came and went, by its kind, since the account began."""
        told = dict.fromkeys(
            ("point_dnw", "point_fee", "point_refr", "bonus_dnw", "bonus_offset", "refr"), "0"
        )
        sums = {"dnw": ZERO, "pnl": ZERO, "fee": ZERO, "fund": ZERO}
        for entry in entries(self._engine):
            if entry.kind == "TRADE":
                sums["pnl"] += entry.profit
                sums["fee"] -= entry.fee
            else:
                sums["fund" if entry.kind == "FUNDING_FEE" else "dnw"] += entry.amount
        return told | {name: plain(total) for name, total in sums.items()}

    def set_dual_mode(self, ask: Ask) -> Json:
        self._engine.set_hedge(ask.flag("dual_mode"))
        return self.swap(ask)

    def positions(self, ask: Ask) -> Json:
        """All sides of all contracts, flat ones too."""
        holding = ask.flag("holding")
        found = [self._engine.position(symbol, side) for symbol, side in self._sides()]
        return [self.position(of) for of in found if of.amount or not holding]

    def one_position(self, ask: Ask) -> Json:
        return self.position(self._engine.position(self._market.symbol(ask)))

    def both_legs(self, ask: Ask) -> Json:
        symbol = self._market.symbol(ask)
        return [self.position(self._engine.position(symbol, side)) for side in ("LONG", "SHORT")]

    def set_leverage(self, ask: Ask) -> Json:
        symbol, leverage = self._market.symbol(ask), ask.integer("leverage")
        cross = ask.integer("cross_leverage_limit")
        self._engine.set_leverage(symbol, leverage or cross or 10)
        return self.position(self._engine.position(symbol, self._leg()))

    def _leg(self) -> str:
        return "LONG" if self._engine.hedge else "BOTH"

    def _sides(self) -> list[tuple[str, str]]:
        legs = ("LONG", "SHORT") if self._engine.hedge else ("BOTH",)
        return [(symbol, leg) for symbol in self._engine.listed for leg in legs]

    def position(self, of: Position) -> Json:
        """Cross margin: `leverage` 0, and what it is limited to beside it."""
        engine, mark = self._engine, self._engine.mark(of.symbol) or of.entry
        return {
            "user": USER,
            "contract": instrument(engine, of.symbol),
            "size": contracts(engine, of.symbol, of.amount, "BUY"),
            "trade_max_size": "0",
            "lever": str(engine.leverages[of.symbol]),
            "leverage": "0",
            "risk_limit": "1000000",
            "leverage_max": str(engine.rules[of.symbol].max_leverage),
            "maintenance_rate": plain(engine.rules[of.symbol].maintenance),
            "value": plain(abs(of.amount) * mark),
            "margin": "0",
            "initial_margin": plain(round(engine.margin_of(of), 8)),
            "maintenance_margin": plain(round(engine.maintenance_of(of), 8)),
            "entry_price": plain(of.entry if of.amount else ZERO),
            "liq_price": plain(round(engine.liquidation_price(of), 8)),
            "mark_price": plain(mark),
            "unrealised_pnl": plain(of.profit(mark)),
            "realised_pnl": plain(of.realized),
            "pnl_pnl": plain(of.realized),
            "pnl_fund": "0",
            "pnl_fee": "0",
            "history_pnl": "0",
            "last_close_pnl": "0",
            "realised_point": "0",
            "history_point": "0",
            "adl_ranking": 5,
            "pending_orders": len(engine.open_orders(of.symbol)),
            "close_order": None,
            "mode": MODES[of.side],
            "open_time": of.updated // 1000,
            "update_time": of.updated // 1000,
            "cross_leverage_limit": str(engine.leverages[of.symbol]),
        }

    def book(self, ask: Ask) -> Json:
        """Newest first; profit and fee of a trade are two entries of perpetuals."""
        begin, end = ask.integer("from") * 1000, ask.integer("to") * 1000
        booked = between(entries(self._engine), lambda e: e.time, begin, end + 999 if end else 0)
        lines = [line for entry in reversed(booked) for line in self._lines(entry)]
        kind, limit = ask.text("type"), max(1, min(ask.integer("limit", 100), 1000))
        kept = [line for line in lines if kind in {"", line["type"]}]
        start = ask.integer("offset") or (max(1, ask.integer("page", 1)) - 1) * limit
        return kept[start : start + limit]

    def _lines(self, entry: Entry) -> list[Json]:
        if not is_swap(self._engine):
            kind = "deposit" if entry.amount > 0 else "withdraw"
            return [
                {
                    "id": str(entry.id),
                    "time": entry.time,
                    "currency": entry.asset,
                    "change": plain(entry.amount),
                    "balance": plain(self._engine.total(entry.asset)),
                    "type": kind,
                    "text": "",
                }
            ]
        if entry.kind != "TRADE":
            kind = "fund" if entry.kind == "FUNDING_FEE" else "dnw"
            return [self._line(entry, entry.amount, kind)]
        told = [self._line(entry, entry.profit, "pnl")] if entry.profit else []
        return [self._line(entry, -entry.fee, "fee"), *told]

    def _line(self, entry: Entry, change: Any, kind: str) -> Json:
        named = instrument(self._engine, entry.symbol) if entry.symbol else ""
        return {
            "time": seconds(entry.time),
            "change": plain(change),
            "balance": plain(self._engine.wallet),
            "text": f"{named}:{entry.trade_id or entry.id}",
            "type": kind,
            "contract": named,
            "trade_id": str(entry.trade_id or ""),
        }
