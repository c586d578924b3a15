"""Facts about the books and the account: what differed, what came or went."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.events.base import SymbolEvent, TraderEvent
from trading.types import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside(SymbolEvent):
    """A symbol that is held is not traded now: it counts at 0, or at its loss."""

    why: str
    """A clause."""
    quantity: Decimal
    """Unsigned."""
    cost: Decimal
    """What was paid for it, in quote currency."""
    moved: Decimal
    """By how much equity, day, week and peak moved, in quote currency."""
    written_off: bool
    """A person may book it out; else the venue settles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedAgain(SymbolEvent):
    """What was set aside is traded again."""

    moved: Decimal
    """By how much day, week and peak moved back, in quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksDiffered(SymbolEvent):
    ours: Decimal
    venue: Decimal
    done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrderSeen(SymbolEvent):
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersFound(SymbolEvent):
    """The venue has orders of ours that history lacked; what they did is booked now."""

    orders: int
    held: Decimal
    """Signed, afterwards: entries less exits, by fills."""
    stop: Decimal | None
    stop_made: bool
    """None rested: it is as far away as for an entry by hand."""
    lost: tuple[str, ...]
    """What the plan had besides, as in `trailing stop`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersUnproven(SymbolEvent):
    """An order of ours rests for what no fill proves to be ours: left alone, entries wait."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignHoldingSeen(SymbolEvent):
    """Coins on a cash account beside ours: the operator's own, left alone."""

    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingBooked(SymbolEvent):
    """Paid or received for holding a perpetual; it counts as profit or loss."""

    amount: Decimal
    """In quote currency, negative when paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSeen(TraderEvent):
    """A deposit or withdrawal: it lies beside our money and changes no figure of ours."""

    amount: Decimal
    """In quote currency, negative when it went."""
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationBooked(TraderEvent):
    """A forced close cost money beside its fills."""

    amount: Decimal
    """In quote currency, negative when it went."""
    quote: str
    symbol: Symbol | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersAccepted(TraderEvent):
    """An owner took orders with our tag, and what they rest for, for not ours."""

    what: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceAccepted(TraderEvent):
    """An owner took the venue's wallet over, with a difference that no trade explains."""

    amount: Decimal
    """What the venue had more than our books."""
    wallet: Decimal
    """As it is now, in both."""
    quote: str
    by: str
