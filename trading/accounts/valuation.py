"""What the books are worth at a given market time: one function in every mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial

from trading.accounts.ledger import Ledger
from trading.market.spike_filter import SpikeFilter
from trading.ports import Feed
from trading.risk.exposure import exposures, held
from trading.types import ZERO, OrderRole, Position, Quote, Symbol


@dataclass(slots=True)
class Valuer:
    """The ledger seen at the feed's prices."""

    ledger: Ledger
    feed: Feed
    noted: tuple[Decimal, datetime]
    """An equity that was known, and when (wall): what people are told while it is unknown."""
    known: Decimal | None = None
    """The last equity that was known: good enough to tell a share of it, not to decide by."""
    spike_filter: SpikeFilter = field(default_factory=SpikeFilter)
    apart: dict[Symbol, Decimal] = field(default_factory=dict)
    """What is not traded now (`trading.execution.set_aside`), and the price that it counts at."""
    marked: dict[Symbol, Decimal] = field(default_factory=dict)
    """The prices that were believed last, of what is held."""

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The price that is believed; a recording's always is."""
        quote = self.feed.quote(symbol, at)
        if quote is None or self.feed.speed is not None:
            return quote
        return self.spike_filter.of(quote)

    def quotes(self, symbols: Iterable[Symbol], at: datetime | None = None) -> dict[Symbol, Quote]:
        """What is believed of each; whose price is not known is left out."""
        found = ((symbol, self.quote(symbol, at)) for symbol in symbols)
        return {symbol: quote for symbol, quote in found if quote is not None}

    def marks(self, at: datetime | None = None) -> dict[Symbol, Decimal]:
        """Prices of the open positions, those that are known."""
        return self._marks(self.quotes(self._traded(), at))

    def _marks(self, quotes: Mapping[Symbol, Quote]) -> dict[Symbol, Decimal]:
        """The same at *quotes*; what is set aside counts as it was set aside."""
        held = self.ledger.positions
        marks = {symbol: quotes[symbol].price for symbol in held if symbol in quotes}
        return marks | {symbol: price for symbol, price in self.apart.items() if symbol in held}

    def remember(self, at: datetime | None = None) -> None:
        """Note the prices at market time *at*: losses are measured with them."""
        found = self.marks(at)
        self.marked = {symbol: found[symbol] for symbol in self._traded() if symbol in found}

    def mark_of(self, position: Position) -> Decimal:
        """The price it was last measured at; what it cost where nobody remembers any."""
        quote = self.quote(position.symbol)
        known = self.marked.get(position.symbol) or (quote and quote.price)
        return known or position.average_price

    def _traded(self) -> list[Symbol]:
        return [symbol for symbol in self.ledger.positions if symbol not in self.apart]

    def apart_profit(self) -> Decimal:
        """What equity counts of the positions that are set aside, over what was paid."""
        held = self.ledger.positions
        return sum((held[s].open_profit(p) for s, p in self.apart.items() if s in held), ZERO)

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
        quotes = [self.quote(symbol, at) for symbol in self._traded()]
        return min((quote.at for quote in quotes if quote is not None), default=None)

    def newest_mark(self) -> datetime | None:
        """When the newest price of what is held was made; None without positions."""
        quotes = [self.quote(symbol) for symbol in self._traded()]
        return max((quote.at for quote in quotes if quote is not None), default=None)

    def exposure(self, at: datetime | None = None) -> Decimal:
        """Notional of positions and of all entries under way, UNKNOWN ones in full."""
        return sum(self.exposures(at).values(), ZERO)

    def exposures(self, at: datetime | None = None) -> dict[Symbol, Decimal]:
        """The same by symbol; what counts at 0 is no money at work."""
        return self._exposures(partial(self.quote, at=at))

    def at_work(self, at: datetime | None = None) -> tuple[Decimal | None, dict[Symbol, Decimal]]:
        """`equity` and `exposures`, both with the prices that are asked for once."""
        if self.apart or self.ledger.alive_of(OrderRole.ENTRY):
            return self.worth(self.quotes(self.priced(), at))
        profit, found = ZERO, dict[Symbol, Decimal]()
        is_known = True
        for symbol, position in self.ledger.positions.items():
            quote = self.quote(symbol, at)
            if quote is None:
                is_known, found[symbol] = False, held(position, None)
            else:
                profit += position.open_profit(quote.price)
                found[symbol] = held(position, quote.price)
        if not is_known:
            return None, found
        self.known = self.ledger.account.wallet + profit
        return self.known, found

    def priced(self) -> set[Symbol]:
        """Those whose prices decide what it is worth: held, or about to be."""
        entries = self.ledger.alive_of(OrderRole.ENTRY)
        return {*self.ledger.positions, *(order.symbol for order in entries)}

    def worth(self, quotes: Mapping[Symbol, Quote]) -> tuple[Decimal | None, dict[Symbol, Decimal]]:
        """`equity` and `exposures` at *quotes*, which are those of all that is `priced`."""
        equity = self.ledger.equity(self._marks(quotes))
        self.known = self.known if equity is None else equity
        return equity, self._exposures(quotes.get)

    def _exposures(self, quote_of: Callable[[Symbol], Quote | None]) -> dict[Symbol, Decimal]:
        def price(symbol: Symbol) -> Decimal | None:
            quote = quote_of(symbol)
            return self.apart.get(symbol) if quote is None else quote.price

        positions = [p for p in self.ledger.positions.values() if self.apart.get(p.symbol) != ZERO]
        entries = self.ledger.alive_of(OrderRole.ENTRY)
        return exposures(
            ((position, price(position.symbol)) for position in positions),
            ((order, price(order.symbol)) for order in entries),
        )
