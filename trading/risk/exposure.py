"""How much money is at work: positions, and entries that may still become positions."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.types import ZERO, Order, OrderRole, Position, Side, Symbol

UNKNOWN = Decimal("Infinity")
"""More than any limit allows: what cannot be priced blocks entries."""


def exposures(
    positions: Iterable[tuple[Position, Decimal | None]],
    orders: Iterable[tuple[Order, Decimal | None]],
) -> dict[Symbol, Decimal]:
    """Notional of *positions* and of the entries among *orders*, in quote currency, by symbol.

    Each comes with the last known price of its symbol, or None.  A position without one counts at
    its entry price.  Entries count with what has not been filled, UNKNOWN ones like all others: in
    full until they are proven ended.  Orders that have ended, or that only reduce, count
    nothing.  An entry without any price makes its symbol's, and so the whole, infinite, and risk
    refuses that.
    """
    found: dict[Symbol, Decimal] = {}
    for position, mark in positions:
        symbol, worth = position.symbol, held(position, mark)
        found[symbol] = found[symbol] + worth if symbol in found else worth
    for order, mark in orders:
        if at_work := reserved(order, mark):
            found[order.symbol] = found.get(order.symbol, ZERO) + at_work
    return found


def exposure(
    positions: Iterable[tuple[Position, Decimal | None]],
    orders: Iterable[tuple[Order, Decimal | None]],
) -> Decimal:
    """All `exposures` together."""
    return sum(exposures(positions, orders).values(), ZERO)


def reserved(order: Order, mark: Decimal | None) -> Decimal:
    """What one order may still add to the exposure."""
    if order.role is not OrderRole.ENTRY or not order.is_alive:
        return ZERO
    price = _price(order, mark)
    return UNKNOWN if price is None else order.remaining * price


def held(position: Position, mark: Decimal | None) -> Decimal:
    """What *position* has at work; at its entry price where *mark* is none."""
    return position.notional(_usable(mark) or position.average_price)


def _price(order: Order, mark: Decimal | None) -> Decimal | None:
    """A limit buy is never dearer than its limit; whatever else may fill at the market."""
    limit = _usable(order.price)
    if limit is not None and order.side is Side.BUY:
        return limit
    prices = (limit, _usable(order.stop_price), _usable(mark))
    return max((price for price in prices if price is not None), default=None)


def _usable(price: Decimal | None) -> Decimal | None:
    return price if price is not None and price.is_finite() and price > ZERO else None
