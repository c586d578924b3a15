"""A price-time order book: our orders among the liquidity of everybody else."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from tests.servers.exchange.values import ZERO, opposite

Level = tuple[Decimal, Decimal]
"""Price and quantity."""

OUTSIDE = 0
"""In place of an order id: not an order of this account."""


@dataclass(slots=True)
class Resting:
    side: str
    price: Decimal
    quantity: Decimal
    order_id: int
    arrival: int

    @property
    def rank(self) -> tuple[Decimal, int]:
        """Sorts the best first: by price, then by time."""
        return (-self.price if self.side == "BUY" else self.price, self.arrival)


class Book:
    """`update_id` grows with every change, as `lastUpdateId` does."""

    def __init__(self) -> None:
        self.update_id = 1
        self._sides: dict[str, list[Resting]] = {"BUY": [], "SELL": []}
        self._arrivals = 0

    def add(self, side: str, price: Decimal, quantity: Decimal, order_id: int = OUTSIDE) -> None:
        self._arrivals += 1
        resting = Resting(side, price, quantity, order_id, self._arrivals)
        insort(self._sides[side], resting, key=_rank)
        self.update_id += 1

    def best(self, side: str) -> Resting | None:
        return self._sides[side][0] if self._sides[side] else None

    def best_price(self, side: str) -> Decimal | None:
        best = self.best(side)
        return best.price if best else None

    def take(self, resting: Resting, quantity: Decimal) -> None:
        """Trade *quantity* away; what is used up leaves the book."""
        resting.quantity -= quantity
        if resting.quantity <= 0:
            self._sides[resting.side].remove(resting)
        self.update_id += 1

    def remove(self, side: str, order_id: int) -> None:
        self._keep(side, lambda resting: resting.order_id != order_id)

    def remove_outside(self, side: str) -> list[Level]:
        """Take everybody else's liquidity away; returns it, best first."""
        gone = [(r.price, r.quantity) for r in self._sides[side] if r.order_id == OUTSIDE]
        self._keep(side, lambda resting: resting.order_id != OUTSIDE)
        return gone

    def crossing(self, side: str, limit: Decimal | None) -> Iterator[Resting]:
        """What an order of *side* may trade with, best first; at any price without a *limit*."""
        for resting in list(self._sides[opposite(side)]):
            if limit is not None and not crosses(side, limit, resting.price):
                return
            yield resting

    def available(self, side: str, limit: Decimal | None) -> Decimal:
        """How much of everybody else's an order of *side* could trade at once."""
        return sum((r.quantity for r in self.crossing(side, limit) if not r.order_id), ZERO)

    def cost(self, side: str, quantity: Decimal) -> Decimal:
        """What *quantity* would cost at once, or as much of it as there is."""
        total = ZERO
        for resting in self.crossing(side, None):
            traded = min(quantity, resting.quantity)
            total += traded * resting.price
            quantity -= traded
            if quantity <= 0:
                break
        return total

    def depth(self, side: str, limit: int = 5_000) -> list[Level]:
        """Quantities by price, best first."""
        levels: dict[Decimal, Decimal] = {}
        for resting in self._sides[side]:
            levels[resting.price] = levels.get(resting.price, ZERO) + resting.quantity
        return list(levels.items())[:limit]

    def _keep(self, side: str, wanted: Callable[[Resting], bool]) -> None:
        self._sides[side] = [resting for resting in self._sides[side] if wanted(resting)]
        self.update_id += 1


def crosses(side: str, limit: Decimal, price: Decimal) -> bool:
    return price <= limit if side == "BUY" else price >= limit


def levels(pairs: Iterable[tuple[Decimal | str | int, Decimal | str | int]]) -> list[Level]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in pairs]


def _rank(resting: Resting) -> tuple[Decimal, int]:
    return resting.rank
