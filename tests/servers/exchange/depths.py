"""What changed in the books since it was told last: for streams that tell differences."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tests.servers.exchange.engine import Engine

Levels = dict[Decimal, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Quantities by price, 0 for a level that is gone; from `previous` to `update` of the book."""

    bids: Levels
    asks: Levels
    previous: int
    update: int


class Depths:
    """Remembers each book as it was told last; everybody is told at the same moments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told = {symbol: self._levels(symbol) for symbol in engine.rules}
        self._updates = {symbol: engine.books[symbol].update_id for symbol in engine.rules}

    def difference(self, symbol: str) -> Difference:
        """Since the last time that this was asked."""
        before, after = self._told[symbol], self._levels(symbol)
        previous, update = self._updates[symbol], self._engine.books[symbol].update_id
        self._told[symbol], self._updates[symbol] = after, update
        bids, asks = (_changes(before[side], after[side]) for side in ("BUY", "SELL"))
        return Difference(bids=bids, asks=asks, previous=previous, update=update)

    def _levels(self, symbol: str) -> dict[str, Levels]:
        book = self._engine.books[symbol]
        return {side: dict(book.depth(side)) for side in ("BUY", "SELL")}


def _changes(before: Levels, after: Levels) -> Levels:
    changed = {
        price: quantity for price, quantity in after.items() if before.get(price) != quantity
    }
    return changed | dict.fromkeys(before.keys() - after.keys(), Decimal(0))
