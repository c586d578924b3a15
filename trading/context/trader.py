"""Who a trader is, and with which fields everything that it tells begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from trading.clocks import Clock
from trading.types import Mode, Symbol


class About(TypedDict):
    """What every `TraderEvent` says."""

    at: datetime
    trader: str
    mode: Mode


class AboutSymbol(About):
    """What every `SymbolEvent` says."""

    symbol: Symbol


class AboutOrder(AboutSymbol):
    """The same for what somebody may have asked for."""

    origin: str
    """The chat that is answered, so that no alert tells it the same; empty: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderContext:
    name: str
    mode: Mode
    clock: Clock

    def about(self) -> About:
        return {"at": self.clock.now(), "trader": self.name, "mode": self.mode}

    def about_symbol(self, symbol: Symbol) -> AboutSymbol:
        return {**self.about(), "symbol": symbol}

    def about_order(self, symbol: Symbol, origin: str) -> AboutOrder:
        return {**self.about(), "symbol": symbol, "origin": origin}
