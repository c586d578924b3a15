"""Facts about orders: sent, refused, in doubt, late, given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from trading.events.base import SymbolEvent
from trading.types import Order, OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSent(SymbolEvent):
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(SymbolEvent):
    """The venue refused an order, for good."""

    order: Order
    said: str
    open_quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnknown(SymbolEvent):
    order: Order
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResolved(SymbolEvent):
    order: Order
    outcome: OrderStatus
    took: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitSentAgain(SymbolEvent):
    """The venue never had an exit that was sent: another one was, with an id of its own."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitDropped(SymbolEvent):
    """The venue never had an exit that was sent, and it was not sent again."""

    order: Order
    why: str
    stop: Decimal | None
    """Where the stop rests that was put back; None: none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionUnsaved(SymbolEvent):
    """An exit or a stop was sent, and neither history nor the fallback journal has it in time."""

    order: Order
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionLate(SymbolEvent):
    """An exit or a stop was sent before it was saved, and is saved by now.  Told once an hour."""

    order: Order
    waited: timedelta
    others: int
    """How many more there were since this was last told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryGivenUp(SymbolEvent):
    """An entry did not fill in time, and its rest is not taken any more."""

    filled: Decimal
    ordered: Decimal
    why: str
