"""Facts about losses and limits, and about when no entries are taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trading.events.base import TraderEvent
from trading.stats.curve import Curve
from trading.types import Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownReached(TraderEvent):
    drawdown: Decimal
    """Share of the peak, positive: 0.05 is a fall of 5 %."""
    equity: Decimal
    peak: Decimal
    limit: Decimal
    open_profit: Decimal
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNear(TraderEvent):
    """Four fifths of a loss limit are used."""

    kind: str
    """`day`, `week` or `drawdown`."""
    lost: Decimal
    """In quote currency, positive."""
    limit: Decimal
    """In quote currency, positive."""
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodEnded(TraderEvent):
    """A risk day or week is over: its report."""

    kind: str
    """`day` or `week`."""
    first: date
    last: date
    profit: Decimal
    """Change of equity."""
    start: Decimal
    """Equity that it began with."""
    equity: Decimal
    quote: str
    trades: tuple[Trade, ...]
    """Those closed in it, newest first."""
    curve: Curve | None = None
    """How equity went; None where history did not tell quickly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownBegan(TraderEvent):
    """Ends by itself; not a halt."""

    why: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesBlocked(TraderEvent):
    """The desk takes no entries until something is in order again; not a halt."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesFreed(TraderEvent):
    """What blocked entries is in order again."""

    was: str
