"""The markets that an exchange lists: which there are, and their rules when first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trading.types import FINEST, MarketRules, Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.values import number


def listed_in(connection: Connection, quote: str) -> dict[Symbol, Any]:
    """Every market in *quote* of the kind that the connection is for, as ccxt describes it."""
    market_of = connection.row.market_of
    every = connection.ccxt.markets.values()
    found = ((Symbol(m["base"], m["quote"]), m) for m in every if m["quote"] == quote)
    return {symbol: market for symbol, market in found if market_of(symbol) == market["symbol"]}


class EveryMarket(Mapping[Symbol, str]):
    """ccxt's names of all markets in one quote currency; empty before the connection is open."""

    def __init__(self, connection: Connection, quote: str) -> None:
        self._connection = connection
        self._quote = quote
        self.symbols = EverySymbol(self)

    def __getitem__(self, symbol: Symbol) -> str:
        """Also of one that is not listed any more: an order of ours may still be asked about."""
        if symbol.quote != self._quote:
            raise KeyError(symbol)
        return self._connection.row.market_of(symbol)

    def covers(self, symbol: Symbol) -> bool:
        """Whether it would be one of them if it were listed."""
        return symbol.quote == self._quote

    def __iter__(self) -> Iterator[Symbol]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._listed())

    def symbol(self, market: str) -> Symbol:
        """Raises `KeyError` for what is no such market."""
        base = market.partition("/")[0]
        symbol = Symbol(base, self._quote)
        if self[symbol] != market:
            raise KeyError(market)
        return symbol

    def _listed(self) -> dict[Symbol, Any]:
        return listed_in(self._connection, self._quote) if self._connection.is_open else {}


class EverySymbol(Mapping[str, Symbol]):
    """The other way round."""

    def __init__(self, markets: EveryMarket) -> None:
        self._markets = markets

    def __getitem__(self, market: str) -> Symbol:
        return self._markets.symbol(market)

    def __iter__(self) -> Iterator[str]:
        return iter(self._markets.values())

    def __len__(self) -> int:
        return len(self._markets)


class ListedRules(Mapping[Symbol, MarketRules]):
    """For who trades on paper at an exchange's prices.

    What is not traded there (now) is not in it.  Until the connection is open they are `FINEST`.
    """

    def __init__(self, connection: Connection, symbols: Sequence[Symbol]) -> None:
        self._connection = connection
        self._symbols = tuple(symbols)
        self._known: dict[Symbol, MarketRules] = {}
        self._generation = 0

    def __getitem__(self, symbol: Symbol) -> MarketRules:
        """Of any symbol, named in *symbols* or not.  Raises `KeyError` if it is not traded."""
        if not self._connection.is_open:
            return FINEST
        markets = self._connection.markets
        if self._generation != markets.generation:
            self._generation = markets.generation
            self._known.clear()
        if markets.untraded(symbol):
            raise KeyError(symbol)
        rules = self._known.get(symbol)
        if rules is None:
            rules = self._known[symbol] = self._rules_of(markets.of(symbol))
        return rules

    def __iter__(self) -> Iterator[Symbol]:
        untraded = self._connection.markets.untraded
        return (symbol for symbol in self._symbols if not untraded(symbol))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _rules_of(self, market: Any) -> MarketRules:
        size = self._connection.incoming.size_of(market["symbol"])
        precision = market["precision"]
        return MarketRules(
            tick=number(precision["price"]).normalize(),
            lot=(number(precision["amount"]) * size).normalize(),
            min_notional=number(market["limits"]["cost"].get("min")),
        )
