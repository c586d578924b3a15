"""Which symbols a trader may enter at the moment."""

from __future__ import annotations

from datetime import datetime

from trading.market.universe import Tier
from trading.types import Symbol


class Roster:
    """A fixed list: every symbol of the settings, always, without tiers."""

    def __init__(self, symbols: tuple[Symbol, ...]) -> None:
        self.symbols = symbols

    def tier(self, symbol: Symbol) -> int | None:
        """The number of its tier; None: it has none, or may not be entered."""
        terms = self.terms(symbol)
        return None if terms is None else terms.number

    def terms(self, symbol: Symbol) -> Tier | None:
        """What may be done in *symbol*, by its tier; None: there are no tiers, or it is in none."""
        return None

    def objection(self, symbol: Symbol, at: datetime) -> str:
        """Why *symbol* may not be entered at market time *at*, as a clause; empty if it may."""
        return ""
