"""What is traded, by which rules, and what its market shows now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from typing import NamedTuple, Self

from trading.common.frozen import fast_frozen
from trading.errors import InvalidSymbol, Refused
from trading.types.kinds import Side, Stops
from trading.types.numbers import ZERO, plain, to_step


class Symbol(NamedTuple):
    """A tuple, as all books are kept by symbol: to hash a dataclass takes seven times as long."""

    base: str
    quote: str

    @classmethod
    def parse(cls, text: str) -> Self:
        base, slash, quote = text.strip().upper().partition("/")
        if not (base.isalnum() and slash and quote.isalnum()):
            raise InvalidSymbol(text)
        return cls(base, quote)

    @property
    def coin(self) -> str:
        """What its base is made of: PEPE, also of 1000PEPE."""
        return _coin(self.base)

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


_BY_THE_THOUSAND = re.compile(r"^(10{3,}|1M)(?=[A-Z])")
"""How perpetuals are called whose coin costs next to nothing: 1000SHIB, 1MBABYDOGE."""


@lru_cache(maxsize=4096)
def _coin(base: str) -> str:
    return _BY_THE_THOUSAND.sub("", base)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """What a venue accepts for one symbol.  Units: price in quote, lot in base."""

    tick: Decimal
    lot: Decimal
    min_notional: Decimal = ZERO
    max_quantity: Decimal | None = None
    """Largest market order; what is more goes in slices.  None: any."""
    min_quantity: Decimal = ZERO
    """Smallest order."""
    stops: Stops = Stops.MARKET

    def price(self, value: Decimal | float) -> Decimal:
        """Round *value* to the tick, half to even."""
        return to_step(Decimal(repr(value)) if isinstance(value, float) else value, self.tick)

    def shown_price(self, value: Decimal) -> Decimal:
        """As `price`; where nobody told the tick, with as many decimals as it needs."""
        price = self.price(value)
        return plain(price) if self.tick == FINEST.tick else price

    def quantity(self, value: Decimal, context: Context | None = None) -> Decimal:
        """Round *value* towards zero to the lot: never more than was asked.

        *context*: by which it is divided, where the last of its digits could matter.
        """
        lots = value / self.lot if context is None else context.divide(value, self.lot)
        return lots.to_integral_value(ROUND_DOWN) * self.lot

    def tightest(self, stop: Decimal, side: Side) -> Decimal:
        """Bring the *stop* of a position on *side* on to the tick, towards the market."""
        rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
        return (stop / self.tick).to_integral_value(rounding) * self.tick

    def objection(self, quantity: Decimal, price: Decimal, *, cash: bool) -> str:
        """Why no order of *quantity* that reduces at *price* would be taken, as a clause.

        Empty: nothing here speaks against it.  What is marked reduce-only may be worth little.
        """
        least = max(self.lot, self.min_quantity)
        if quantity < least:
            return f"{quantity:f} is less than the venue's smallest order, {least:f}"
        if cash and quantity * price < self.min_notional:
            worth = (quantity * price).quantize(Decimal("0.01"))
            return f"it is worth {worth}, less than the venue's least of {self.min_notional:f}"
        return ""

    @property
    def shown(self) -> MarketRules:
        """The steps to show figures by."""
        return self


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Untraded:
    """In place of rules: the venue does not trade the symbol now, and nothing can be sent.

    Delisted, renamed, moved, halted: what it is called there does not matter to our money.
    """

    why: str
    """A clause, as in `OLD/USDT is not traded on binance: it is not listed there`."""
    shown: MarketRules
    """The steps to show figures by: the last ones known, else as fine as any."""

    def objection(self, quantity: Decimal, price: Decimal, *, cash: bool) -> str:
        """As that of rules: no order at all is taken."""
        return self.why


Rules = MarketRules | Untraded
"""Of one symbol at one venue.  Who sends something has to decide what to do without any."""


def traded(rules: Rules) -> MarketRules:
    """To act by.  Raises `Refused` where nothing can be sent."""
    if isinstance(rules, Untraded):
        raise Refused(rules.why)
    return rules


FINEST = MarketRules(tick=Decimal("1e-8"), lot=Decimal("1e-8"))
"""To show figures by where nobody has told their steps; nothing can be sent by these."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The last known price of a symbol, and when the market made it (aware UTC)."""

    symbol: Symbol
    price: Decimal
    at: datetime


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The near side of an order book: best prices, and what lies within 20 bps of the middle."""

    bid: Decimal
    ask: Decimal
    bids: Decimal
    """Value of the bids there, in quote currency."""
    asks: Decimal
    at: datetime

    @property
    def is_usable(self) -> bool:
        """Whether both sides have prices, and in their order; a side without any has 0."""
        return ZERO < self.bid <= self.ask

    @property
    def spread(self) -> Decimal:
        """As a share of the middle."""
        return (self.ask - self.bid) * 2 / (self.ask + self.bid)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an order at market would meet at its venue now; in quote currency, None: unknown."""

    price: Decimal | None = None
    """Average of its fills, if nobody else comes first."""
    fee: Decimal | None = None
    """Of those fills, before discounts that the venue does not tell."""
    margin: Decimal | None = None
    """Money that it binds while it is open; what is bought in full binds all it is worth."""
    free: Decimal | None = None
    """Money that nothing binds yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What trading on paper costs; the defaults are those of the settings."""

    slippage: Decimal = Decimal("0.0005")
    """Share of the price lost by each market order."""
    commission: Decimal = Decimal("0.001")
    """Share of each fill's value."""
    commission_per_unit: Decimal = ZERO
    """Quote currency per base unit."""
    participation: Decimal = Decimal("0.10")
    """Share of a candle's volume that one order can take."""
