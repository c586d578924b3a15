"""What an account may trade, and by which rules, as the exchange last told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trading.clocks import Clock
from trading.errors import VenueRejected, VenueUnavailable
from trading.types import FINEST, MarketRules, Rules, Symbol, Untraded
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.rules_told import PostedRules
from trading.venues.ccxt.translation import Translation


class Traded:
    def __init__(
        self, *, name: str, connection: Connection, words: Translation, symbols: Sequence[Symbol],
        clock: Clock,
    ) -> None:  # fmt: skip
        """*name*: of the venue; *symbols*: those of the settings."""
        self._name = name
        self._connection = connection
        self._words = words
        self._symbols = tuple(symbols)
        self._told = PostedRules(connection=connection, clock=clock)
        self._last: dict[Symbol, MarketRules] = {}
        """That each of them had."""
        self._read: dict[Symbol, Rules] = {}
        """What was made of the markets as they were last read."""
        self._generation = 0
        self._groups: frozenset[str] = frozenset()
        """That the account belongs to, where the exchange tells."""

    @property
    def generation(self) -> int:
        """How often the markets were read: what was made of them before is old."""
        return self._connection.markets.generation

    def rules(self, symbol: Symbol) -> Rules:
        """Before the exchange was reached for the first time there is something to show by."""
        if not self._connection.is_open:
            return self._last.get(symbol, FINEST)
        if self._generation != self.generation:
            self._generation = self.generation
            self._read.clear()
        if symbol not in self._read:
            self._read[symbol] = self._made_of(symbol)
        return self._read[symbol]

    async def rules_now(self, symbol: Symbol) -> Rules:
        market = self._connection.markets.of(symbol)
        if market is not None:
            await self._told.read(market)
            self._read.pop(symbol, None)
        return self.rules(symbol)

    def _made_of(self, symbol: Symbol) -> Rules:
        markets = self._connection.markets
        if not self._words.covers(symbol):
            why = f"{symbol} is not traded on {self._name}: the settings do not name it"
            return Untraded(why=why, shown=FINEST)
        why = markets.untraded(symbol) or self._closed_to_us(symbol)
        if self.is_listed(symbol):
            market = markets.of(symbol)
            try:
                size = self._connection.contract(market["symbol"])
            except VenueUnavailable as error:
                why = why or f"{symbol} is not traded on {self._name}: {error}"
            else:
                self._last[symbol] = self._words.rules(market, size)
        shown = self._last.get(symbol, FINEST)
        return Untraded(why=why, shown=shown) if why else shown

    def _closed_to_us(self, symbol: Symbol) -> str:
        """Why this account may not trade what others may; empty as far as nobody tells."""
        market = self._connection.markets.of(symbol)
        if not self._connection.exchange.is_closed_to(self._groups, market):
            return ""
        exchange = self._connection.row.exchange
        return f"{symbol} is not traded on {exchange} by accounts like this one"

    def belongs(self, groups: frozenset[str]) -> None:
        """The account does, to *groups*."""
        if groups != self._groups:
            self._groups = groups
            self._read.clear()

    def is_listed(self, symbol: Symbol) -> bool:
        return self._connection.markets.of(symbol) is not None

    def market(self, symbol: Symbol) -> Any:
        """ccxt's.  Raises `VenueRejected` for what is not traded here."""
        rules = self.rules(symbol)
        if isinstance(rules, Untraded):
            raise VenueRejected(rules.why)
        return self._connection.markets.of(symbol)

    def missing(self) -> list[str]:
        """Why those of the settings are not traded that are not."""
        rules = map(self.rules, self._symbols)
        return [each.why for each in rules if isinstance(each, Untraded)]
