"""What the books are worth at a given market time: one function in every mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading.ledger import Ledger
from trading.market.belief import Belief
from trading.ports import Feed
from trading.risk.exposure import exposures
from trading.types import ZERO, Quote, Symbol


@dataclass(slots=True)
class Valuer:
    """The ledger seen at the feed's prices."""

    ledger: Ledger
    feed: Feed
    noted: tuple[Decimal, datetime]
    """An equity that was known, and when (wall): what people are told while it is unknown."""
    known: Decimal | None = None
    """The last equity that was known: good enough to tell a share of it, not to decide by."""
    belief: Belief = field(default_factory=Belief)

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The price that is believed; a recording's always is."""
        quote = self.feed.quote(symbol, at)
        if quote is None or self.feed.speed is not None:
            return quote
        return self.belief.of(quote)

    def marks(self, at: datetime | None = None) -> dict[Symbol, Decimal]:
        """Prices of the open positions, those that are known."""
        quotes = (self.quote(symbol, at) for symbol in self.ledger.positions)
        return {quote.symbol: quote.price for quote in quotes if quote is not None}

    def equity(self, at: datetime | None = None) -> Decimal | None:
        """In quote currency; None while the price of something held is unknown."""
        equity = self.ledger.equity(self.marks(at))
        if equity is not None:
            self.known = equity
        return equity

    def note(self, now: datetime) -> None:
        """Remember the equity at wall time *now*, if it is known."""
        equity = self.equity()
        if equity is not None:
            self.noted = equity, now

    def today(self, at: datetime | None = None) -> Decimal | None:
        """Change of equity since the day began."""
        equity = self.equity(at)
        return None if equity is None else equity - self.ledger.account.day_start

    def oldest_mark(self, at: datetime | None = None) -> datetime | None:
        """When the oldest price behind the equity was made; None without positions."""
        quotes = [self.quote(symbol, at) for symbol in self.ledger.positions]
        return min((quote.at for quote in quotes if quote is not None), default=None)

    def newest_mark(self) -> datetime | None:
        """When the newest price of what is held was made; None without positions."""
        quotes = [self.quote(symbol) for symbol in self.ledger.positions]
        return max((quote.at for quote in quotes if quote is not None), default=None)

    def exposure(self, at: datetime | None = None) -> Decimal:
        """Notional of positions and of all entries under way, UNKNOWN ones in full."""
        return sum(self.exposures(at).values(), ZERO)

    def exposures(self, at: datetime | None = None) -> dict[Symbol, Decimal]:
        """The same by symbol."""
        positions = self.ledger.positions.values()
        return exposures(
            ((position, self._price(position.symbol, at)) for position in positions),
            ((order, self._price(order.symbol, at)) for order in self.ledger.alive.values()),
        )

    def _price(self, symbol: Symbol, at: datetime | None) -> Decimal | None:
        quote = self.quote(symbol, at)
        return None if quote is None else quote.price
