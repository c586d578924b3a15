"""Which orders should protect a position at its venue, compared with those that do.

A leg is one order that closes part of a position at one price: a stop below a long, a target
above it.  Each slice of a position has one stop and, where the venue can hold them, one target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from trading.types import ZERO, MarketRules, Order, OrderStatus, OrderType, Side


class Leg(NamedTuple):
    type: OrderType
    """STOP or TARGET."""
    price: Decimal | None
    """None: there should be one, and nobody knows where."""
    quantity: Decimal
    """Zero: less than a lot, which no order can close."""
    exact: Decimal
    """What it would close if there were no lots."""


class Difference(NamedTuple):
    wrong: tuple[Order, ...]
    """What rests and should not."""
    missing: tuple[Leg, ...]

    def __bool__(self) -> bool:
        return bool(self.wrong or self.missing)

    def of(self, kind: OrderType) -> Difference:
        """What concerns the stops alone, or the targets."""
        if not self:
            return self
        return Difference(
            tuple(order for order in self.wrong if order.type is kind),
            tuple(leg for leg in self.missing if leg.type is kind),
        )


NONE = Difference((), ())


def legs(
    quantity: Decimal, *, stop: Decimal | None, target: Decimal | None, rules: MarketRules
) -> list[Leg]:
    """Stops for *quantity* in slices, then their targets; without *target* the desk keeps it."""
    if not quantity:
        return []
    *first, last = slices(rules, quantity) or [ZERO]
    rest = quantity - sum(first, ZERO)
    stops = [Leg(OrderType.STOP, stop, part, part) for part in first]
    stops.append(Leg(OrderType.STOP, stop, last, rest))
    if target is None:
        return stops
    return stops + [leg._replace(type=OrderType.TARGET, price=target) for leg in stops]


def slices(rules: MarketRules, quantity: Decimal) -> list[Decimal]:
    """*quantity* in whole lots, none larger than the venue takes at market."""
    left, parts = rules.quantity(quantity), list[Decimal]()
    if not rules.max_quantity:
        return [left] if left > ZERO else parts
    most = rules.max_quantity
    while left > ZERO:
        parts.append(min(left, most))
        left -= parts[-1]
    return parts


def compare(
    resting: Sequence[Order], wanted: Sequence[Leg], side: Side, *, rules: MarketRules
) -> Difference:
    """*side*: of the orders that close the position.

    A price is right within a tick, a quantity within a lot, however it is sliced: what was placed
    by other rules than today's stays as long as it covers the same.
    """
    if _are_just(resting, wanted, side, rules):
        return NONE
    wrong, missing = list[Order](), list[Leg]()
    for kind in (OrderType.STOP, OrderType.TARGET):
        orders = [order for order in resting if order.type is kind]
        those = [leg for leg in wanted if leg.type is kind]
        if not _covers(orders, those, side, rules):
            odd, left = _unmatched(orders, those, side, rules)
            wrong += odd
            missing += left
    return Difference(tuple(wrong), tuple(missing))


def _are_just(
    resting: Sequence[Order], wanted: Sequence[Leg], side: Side, rules: MarketRules
) -> bool:
    """Whether each that rests is the leg in its place: what is found nearly always."""
    if len(resting) != len(wanted):
        return False
    for order, leg in zip(resting, wanted, strict=True):
        if order.type is not leg.type or order.remaining != leg.quantity:
            return False
        if not _is_at(order, leg, side, rules):
            return False
    return True


def _unmatched(
    orders: Iterable[Order], wanted: Iterable[Leg], side: Side, rules: MarketRules
) -> tuple[list[Order], list[Leg]]:
    wrong, missing = list[Order](), list(wanted)
    for order in orders:
        same = (leg for leg in missing if leg.quantity == order.remaining)
        leg = next((leg for leg in same if _is_at(order, leg, side, rules)), None)
        if leg is None:
            wrong.append(order)
        else:
            missing.remove(leg)
    return wrong, missing


def _covers(orders: Sequence[Order], wanted: Sequence[Leg], side: Side, rules: MarketRules) -> bool:
    """Whether *orders*, sliced otherwise, do what is wanted."""
    if not orders or not wanted or not all(_is_at(o, wanted[0], side, rules) for o in orders):
        return False
    needed = sum((leg.exact for leg in wanted), ZERO)
    return ZERO <= needed - sum((order.remaining for order in orders), ZERO) < rules.lot


def _is_at(order: Order, leg: Leg, side: Side, rules: MarketRules) -> bool:
    if order.status is OrderStatus.UNKNOWN or order.side is not side:
        return False
    if order.stop_price is None or leg.price is None:
        return order.stop_price is leg.price
    return abs(order.stop_price - leg.price) < rules.tick
