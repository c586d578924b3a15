"""Which orders should protect a position at its venue, compared with those that do.

A leg is one order that closes part of a position at one price: a stop below a long, a target
above it.  Each slice of a position has one stop and, where the venue can hold them, one target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.types import Order, OrderStatus, OrderType, Side


@dataclass(frozen=True, slots=True)
class Leg:
    type: OrderType
    """STOP or TARGET."""
    price: Decimal | None
    """None: there should be one, and nobody knows where."""
    quantity: Decimal
    """Zero: less than a lot, which no order can close."""


@dataclass(frozen=True, slots=True)
class Difference:
    wrong: tuple[Order, ...]
    """What rests and should not."""
    missing: tuple[Leg, ...]

    def __bool__(self) -> bool:
        return bool(self.wrong or self.missing)

    def of(self, kind: OrderType) -> Difference:
        """What concerns the stops alone, or the targets."""
        return Difference(
            tuple(order for order in self.wrong if order.type is kind),
            tuple(leg for leg in self.missing if leg.type is kind),
        )


def legs(
    quantities: Sequence[Decimal], *, stop: Decimal | None, target: Decimal | None
) -> list[Leg]:
    """Stops of these *quantities*, then their targets; without *target* the desk keeps it."""
    stops = [Leg(OrderType.STOP, stop, quantity) for quantity in quantities]
    if target is None:
        return stops
    return stops + [Leg(OrderType.TARGET, target, quantity) for quantity in quantities if quantity]


def compare(resting: Iterable[Order], wanted: Iterable[Leg], side: Side) -> Difference:
    """*side*: of the orders that close the position."""
    missing, wrong = list(wanted), list[Order]()
    for order in resting:
        leg = Leg(order.type, order.stop_price, order.remaining)
        known = order.status is not OrderStatus.UNKNOWN
        if known and order.side is side and leg in missing:
            missing.remove(leg)
        else:
            wrong.append(order)
    return Difference(tuple(wrong), tuple(missing))
