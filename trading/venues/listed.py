"""The rules of an exchange's markets, read from its list when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading.types import ZERO, MarketRules, Symbol
from trading.venues.connection import Connection

UNTOLD = MarketRules(tick=Decimal("1e-8"), lot=Decimal("1e-8"), min_notional=ZERO)
"""To show figures by before an exchange has told its rules; nothing can be sent then."""


class ListedRules(Mapping[Symbol, MarketRules]):
    """For who trades on paper at an exchange's prices.

    What is not traded there (now) is not in it.  Until the connection is open they are `UNTOLD`.
    """

    def __init__(self, connection: Connection, symbols: Sequence[Symbol]) -> None:
        self._connection = connection
        self._symbols = tuple(symbols)
        self._known: dict[Symbol, MarketRules] = {}

    def __getitem__(self, symbol: Symbol) -> MarketRules:
        if not self._connection.is_open:
            return UNTOLD
        rules = self._known.get(symbol)
        if rules is None:
            rules = self._known[symbol] = _rules_of(self._listed(symbol))
        return rules

    def __iter__(self) -> Iterator[Symbol]:
        return (symbol for symbol in self._symbols if self._is_traded(symbol))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _is_traded(self, symbol: Symbol) -> bool:
        try:
            self._listed(symbol)
        except KeyError:
            return False
        return True

    def _listed(self, symbol: Symbol) -> Any:
        market = self._connection.exchange.markets[self._connection.quirks.market_of(symbol)]
        if not market.get("active", True):
            raise KeyError(symbol)
        return market


def _rules_of(market: Any) -> MarketRules:
    precision = market["precision"]
    return MarketRules(
        tick=_number(precision["price"]).normalize(),
        lot=_number(precision["amount"]).normalize(),
        min_notional=_number(market["limits"]["cost"].get("min")),
    )


def _number(value: object) -> Decimal:
    return ZERO if value is None else Decimal(str(value))
