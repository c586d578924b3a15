"""What every fact says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading.types import Mode, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: datetime
    origin: str = ""
    """The chat that did it and was answered there, as in `telegram:111`: it is not told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderEvent(Event):
    trader: str
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolEvent(TraderEvent):
    symbol: Symbol
