"""Facts about positions, and about what protects them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.common.frozen import fast_frozen
from trading.events.base import SymbolEvent, TraderEvent
from trading.types import ExitReason, Side, Symbol, Trade


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class PositionOpened(SymbolEvent):
    side: Side
    quantity: Decimal
    ordered: Decimal
    """What was asked for; more than `quantity` while the entry is still filling."""
    price: Decimal
    equity: Decimal
    stop: Decimal | None
    target: Decimal | None
    risk: Decimal
    """Loss at the stop, in quote currency."""
    confidence: int
    placing: bool = False
    """The stop was written down with the fill, and goes to the venue next."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReduced(SymbolEvent):
    side: Side
    quantity: Decimal
    left: Decimal
    price: Decimal
    profit: Decimal
    """Of this part, after its exit fee."""
    reason: ExitReason
    by: str
    next_price: Decimal | None
    """Where the rest is meant to go, if the plan has a target."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class PositionClosed(SymbolEvent):
    trade: Trade
    today: Decimal | None
    """Change of equity since the day began; None while a price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMoved(SymbolEvent):
    old: Decimal
    new: Decimal
    why: str
    """`entry`, `trailing` or who moved it."""
    on_venue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprotected(SymbolEvent):
    """No stop rests at the venue for (all of) what is open; the desk keeps watch itself."""

    quantity: Decimal
    """All that is open."""
    reason: str
    covered: Decimal = Decimal(0)
    """Of it, what a stop rests for all the same."""
    since: datetime | None = None
    """Wall time since which nothing rests; None: something does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStays(SymbolEvent):
    """An older stop rests, because the one that is wanted could not replace it."""

    quantity: Decimal
    price: Decimal
    wanted: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsAreLimits(TraderEvent):
    """These take no stop at market: beyond the limit nothing is sold while the desk is down."""

    symbols: tuple[Symbol, ...]
    gap: Decimal
    """Share of the stop's price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected(SymbolEvent):
    """A stop rests again after an `Unprotected`."""

    quantity: Decimal
    stop: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DustLeft(SymbolEvent):
    """What was too small for the venue to sell is booked out at the last price and stays there."""

    quantity: Decimal
    worth: Decimal
    """In quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionPaused(SymbolEvent):
    """A cash account's stop had to go before the sale, and it took longer than a moment."""

    quantity: Decimal
    lasted: timedelta
