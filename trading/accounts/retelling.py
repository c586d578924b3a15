"""A fill that is told late is booked where it belongs: between those that were told before it.

What came after it at the venue met another position than the one it was booked on.  So the last
fills of each symbol are kept, and told again in the venue's order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.accounts.booking import Booked, book
from trading.types import ZERO, Fill, Order, OrderRole, Position, Symbol

REMEMBERED = 200
"""Fills of each symbol, in memory."""

OrderOf = Callable[[str], Awaitable[Order | None]]
"""History's order of that id."""


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill as it was booked, and the order that it is of."""

    order: Order
    booked: Booked


class Retelling:
    def __init__(self, positions: Mapping[Symbol, Position]) -> None:
        """*positions*: what is open before anything is told."""
        self._before: dict[Symbol, Position | None] = dict(positions)
        self._told: dict[Symbol, list[BookedFill]] = {}

    def remember(self, order: Order, booked: Booked) -> None:
        told = self._told.setdefault(booked.fill.symbol, [])
        told.append(BookedFill(order, booked))
        if len(told) > REMEMBERED:
            self._before[booked.fill.symbol] = told.pop(0).booked.after

    async def recall(self, symbol: Symbol, fills: Sequence[Fill], order_of: OrderOf) -> None:
        """Take in what history has of *symbol* besides: its *fills*, from when nothing was open."""
        owners = {each.booked.fill.id: each.order for each in self._told.get(symbol, ())}
        here = {each.booked.fill.id: each.booked.fill for each in self._told.get(symbol, ())}
        every = {fill.id: fill for fill in fills if fill.symbol == symbol} | here
        told = sorted(every.values(), key=lambda fill: fill.place)
        self._told[symbol], position = [], None
        for fill in told[:-REMEMBERED]:
            position = book(position, fill).after
        self._before[symbol] = position
        for fill in told[-REMEMBERED:]:
            order = owners.get(fill.id) or await order_of(fill.order_id)
            booked = book(position, fill)
            position = booked.after
            if order is not None:
                self.remember(order, booked)
            else:  # what came before an order that is not known stays as it was booked
                self._told[symbol], self._before[symbol] = [], position

    def with_late(self, order: Order, late: Fill) -> Sequence[BookedFill] | None:
        """All that was told of the symbol, and *late*, as it happened at the venue.

        None: *late* is the last of it, or even so a reduction would open something.
        """
        told = [(each.order, each.booked.fill) for each in self._told.get(late.symbol, ())]
        if not any(fill.place >= late.place for _, fill in told):
            return None
        position, retold = self._before.get(late.symbol), list[BookedFill]()
        for owner, fill in sorted([*told, (order, late)], key=lambda each: each[1].place):
            booked = book(position, fill)
            if owner.role is not OrderRole.ENTRY and booked.reduced < fill.quantity:
                return None
            retold.append(BookedFill(owner, booked))
            position = booked.after
        return retold

    def change(self, symbol: Symbol, retold: Sequence[BookedFill]) -> Decimal:
        """Keep *retold* in place of what was told; return how much more profit it has made."""
        was = sum((each.booked.profit for each in self._told[symbol]), ZERO)
        self._told[symbol] = list(retold)
        return sum((each.booked.profit for each in retold), ZERO) - was
