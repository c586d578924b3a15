"""Which live price is believed: a jump only once a later price bears it out.

One wrong tick (0, not a number, a hundredfold) must neither close a position nor move an equity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trading.types import ONE, ZERO, Quote, Symbol

JUMP = Decimal("0.1")
"""Share of the price; less is a market that moves."""
APART = timedelta(seconds=1)
"""How much later the price must come that bears a jump out."""


@dataclass(slots=True)
class SpikeFilter:
    """Remembers, for each symbol, what it believes and what it doubts."""

    _believed: dict[Symbol, Quote] = field(default_factory=dict)
    _doubted: dict[Symbol, Quote] = field(default_factory=dict)

    def of(self, quote: Quote) -> Quote | None:
        """*quote*, or the one believed before it; None when neither is a price."""
        known = self._believed.get(quote.symbol)
        if not (quote.price.is_finite() and quote.price > ZERO):
            return known
        if known is None or _near(quote, known) or self._is_borne_out(quote):
            if known is None or quote.at >= known.at:
                self._believed[quote.symbol] = quote
                self._doubted.pop(quote.symbol, None)
            return quote
        if quote.at < known.at:
            return quote  # history, not news
        doubted = self._doubted.get(quote.symbol)
        if doubted is None or not _near(quote, doubted):
            self._doubted[quote.symbol] = quote
        return known

    def _is_borne_out(self, quote: Quote) -> bool:
        doubted = self._doubted.get(quote.symbol)
        return doubted is not None and _near(quote, doubted) and quote.at - doubted.at >= APART


def _near(quote: Quote, other: Quote) -> bool:
    return abs(quote.price / other.price - ONE) <= JUMP
