"""From ccxt's words to ours: markets, orders, fills and money, exactly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.clocks import Clock
from trading.execution.order_ids import ROLE_LETTERS
from trading.types import (
    ZERO,
    Depth,
    Fill,
    Held,
    MarketRules,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Quote,
    Side,
    Symbol,
    plain,
)
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.listed import EveryMarket
from trading.venues.ccxt.values import moment, number

log = logging.getLogger(__name__)

Price = Callable[[Symbol], Quote | None]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEAR = Decimal("0.002")
"""How far from the middle an order book counts as near, as a share."""

_STATUS = {
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "canceling": OrderStatus.OPEN,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


class Translation:
    """For one account: *price* values fees in other currencies."""

    def __init__(
        self,
        *,
        venue: str,
        trader: str,
        exchange: Exchange,
        symbols: Sequence[Symbol],
        price: Price,
        clock: Clock,
        every: EveryMarket | None = None,
    ) -> None:
        """*every*: all markets of the exchange are ours, not only those of *symbols*."""
        self._venue = venue
        self._trader = trader
        self._exchange = exchange
        self._cash = exchange.row.is_spot
        self._price = price
        self._clock = clock
        own = {symbol: exchange.row.market_of(symbol) for symbol in symbols}
        self.markets: Mapping[Symbol, str] = own if every is None else every
        self.symbols: Mapping[str, Symbol] = (
            {market: symbol for symbol, market in own.items()} if every is None else every.symbols
        )
        self._is_own = own.__contains__ if every is None else every.covers
        self._fee_prices: dict[Symbol, Decimal] = {}
        self._also: set[Symbol] = set()
        """In the books, though neither settings nor lists of the exchange name them (any more)."""

    def include(self, symbols: Iterable[Symbol]) -> None:
        self._also.update(symbol for symbol in symbols if symbol not in self._also)

    def ours(self) -> tuple[Symbol, ...]:
        """All that the account is asked about."""
        return tuple(dict.fromkeys((*self.markets, *self._also)))

    def covers(self, symbol: Symbol) -> bool:
        """Whether the account is for it, listed or not."""
        return symbol in self._also or self._is_own(symbol)

    def symbol(self, raw: Any) -> Symbol | None:
        """Of what ccxt tells; a market that it does not know keeps the exchange's own name."""
        name = str(raw["symbol"])
        return self.symbols.get(name) or self._by_name(name)

    def _by_name(self, name: str) -> Symbol | None:
        """Of one that was included, by ccxt's name or the exchange's."""
        exchange = self._exchange
        names = ((s, {exchange.row.market_of(s), exchange.market_id(s)}) for s in self._also)
        return next((symbol for symbol, known in names if name in known), None)

    # -- orders -----------------------------------------------------------------------------

    def state(self, order_id: str, raw: Any, *, quantity: Decimal | None = None) -> OrderReport:
        """*quantity*: of the order, where its answer may not tell it."""
        return OrderReport(
            order_id=order_id,
            status=self.status(raw, quantity=quantity),
            venue_id=str(raw["id"]),
            filled=number(raw.get("filled")),
            average_price=number(raw.get("average")) or None,
            note=self._exchange.note_of(raw),
            triggered=self._exchange.is_touched(raw),
        )

    def status(self, raw: Any, *, quantity: Decimal | None = None) -> OrderStatus:
        """All of it has filled, or it is not FILLED, whatever the exchange calls it.

        "Closed" alone says neither: one that was partly filled and then cancelled may be told so,
        and one of which nothing more is told yet.
        """
        told = _STATUS.get(str(raw.get("status")), OrderStatus.OPEN)
        if told is not OrderStatus.FILLED:
            return told
        wanted = number(raw.get("amount")) or quantity
        if raw.get("filled") is None or not wanted:
            return OrderStatus.OPEN
        return told if number(raw["filled"]) >= wanted else OrderStatus.CANCELLED

    def order(self, symbol: Symbol, raw: Any) -> Order:
        """The order as the venue holds it, for those that we do not know."""
        order_id = str(raw.get("clientOrderId") or f"venue:{raw['id']}")
        stop = number(self._exchange.trigger_of(raw)) or None
        price = number(raw.get("price")) or None
        kind = OrderType.LIMIT if price else OrderType.MARKET
        if stop:
            kind = OrderType.TARGET if self._exchange.is_target(raw) else OrderType.STOP
        return Order(
            id=order_id,
            trader=self._trader,
            symbol=symbol,
            side=Side(raw["side"]),
            type=kind,
            role=_role(order_id),
            quantity=number(raw["amount"]),
            created_at=moment(raw.get("timestamp")) or self._clock.now(),
            price=price,
            stop_price=stop,
            reduce_only=bool(raw.get("reduceOnly")),
            reason=self._exchange.row.forced_by_venue(order_id),
            status=self.status(raw),
            filled=number(raw.get("filled")),
            average_price=number(raw.get("average")) or None,
            venue_id=str(raw["id"]),
        )

    def fill(self, order_id: str, symbol: Symbol, raw: Any) -> Fill:
        """A fee taken in the base currency makes what was bought smaller, and costs its worth."""
        quantity, price = number(raw["amount"]), number(raw["price"])
        side = Side(raw["side"])
        fee = kept = elsewhere = ZERO
        for currency, cost in _fees(raw):
            worth = self._in_quote(cost, currency, symbol, price)
            fee += worth
            if self._cash and currency == symbol.base and side is Side.BUY:
                kept += cost
            elif currency not in ("", symbol.quote):
                elsewhere += worth
        return Fill(
            id=f"{self._venue}:{symbol.base}{symbol.quote}:{raw['id']}",
            order_id=order_id,
            trader=self._trader,
            symbol=symbol,
            side=side,
            quantity=plain(quantity - kept),
            coins=plain(kept),
            fee_elsewhere=elsewhere,
            price=price,
            fee=fee,
            at=moment(raw.get("timestamp")) or self._clock.now(),
            number=int(raw["id"]) if str(raw["id"]).isdigit() else 0,
        )

    def unpriced(self, raw: Any, symbol: Symbol) -> Symbol | None:
        """What has to be priced before the fee of a fill can be told in money; None: nothing."""
        others = (Symbol(currency, symbol.quote) for currency, cost in _fees(raw) if cost)
        known = (symbol.base, symbol.quote, "")
        return next((s for s in others if s.base not in known and self._fee_price(s) is None), None)

    def learn_price(self, symbol: Symbol, price: Decimal) -> None:
        """Of a coin that fees are paid in, and that nobody here follows."""
        self._fee_prices[symbol] = price

    def _fee_price(self, symbol: Symbol) -> Decimal | None:
        quote = self._price(symbol)
        return self._fee_prices.get(symbol) if quote is None else quote.price

    def _in_quote(self, cost: Decimal, currency: str, symbol: Symbol, price: Decimal) -> Decimal:
        if currency in ("", symbol.quote) or not cost:
            return cost
        if currency == symbol.base:
            return cost * price
        known = self._fee_price(Symbol(currency, symbol.quote))
        if known is None:
            log.warning("a fee of %s %s has no price here and is booked as 0", cost, currency)
            return ZERO
        return cost * known

    # -- the account ------------------------------------------------------------------------

    def held(self, raws: Iterable[Any]) -> Mapping[Symbol, Held]:
        """From positions as `Incoming` tells them; only those of our symbols."""
        sizes: dict[Symbol, dict[str, Decimal]] = {}
        for raw in raws:
            symbol = self.symbol(raw)
            size = raw["coins"]
            if symbol is not None and size:
                side = "short" if raw["side"] == "short" else "long"
                sizes.setdefault(symbol, {})[side] = size
        return {symbol: Held(**sides) for symbol, sides in sizes.items()}

    # -- markets ----------------------------------------------------------------------------

    def rules(self, market: Any, size: Decimal) -> MarketRules:
        """In coins; *size*: of them in one of the wire's units."""
        limits = market["limits"]
        most = limits.get("market", {}).get("max") or limits["amount"].get("max")
        return MarketRules(
            tick=number(market["precision"]["price"]).normalize(),
            lot=(number(market["precision"]["amount"]) * size).normalize(),
            min_notional=number(limits["cost"].get("min")),
            max_quantity=number(most) * size or None,
            min_quantity=number(limits["amount"].get("min")) * size,
            stops=self._exchange.stops_of(market),
        )

    def depth(self, raw: Any) -> Depth:
        return near(raw, self._clock.now())


def _fees(raw: Any) -> list[tuple[str, Decimal]]:
    """Currency and amount of each part; a currency that is not named is empty."""
    parts = raw.get("fees") or filter(None, [raw.get("fee")])
    return [(str(part.get("currency") or ""), number(part.get("cost"))) for part in parts]


def near(raw: Any, now: datetime = EPOCH) -> Depth:
    """The near side of an order book; *now*: if it tells no time itself.

    A side on which nothing is offered has a price of 0, which nobody enters on.
    """
    bids, asks = (
        [(number(price), number(size)) for price, size, *_ in raw[side]]
        for side in ("bids", "asks")
    )
    bid, ask = (side[0][0] if side else ZERO for side in (bids, asks))
    middle = (bid + ask) / 2
    low, high = middle * (1 - NEAR), middle * (1 + NEAR)
    return Depth(
        bid=bid,
        ask=ask,
        bids=sum((p * q for p, q in bids if p >= low), ZERO),
        asks=sum((p * q for p, q in asks if p <= high), ZERO),
        at=moment(raw.get("timestamp")) or now,
    )


def misfit(order: Order, rules: MarketRules) -> str:
    """What keeps *order* from being sent exactly as it is: ccxt would round it without a word.

    An entry has to be large and small enough as well; a reduction is for the venue to judge.
    """
    if order.quantity <= ZERO or order.quantity % rules.lot:
        return f"the quantity {order.quantity} is not a multiple of the lot {rules.lot}"
    for price in filter(None, (order.price, order.stop_price)):
        if price % rules.tick:
            return f"the price {price} is not a multiple of the tick {rules.tick}"
    if order.role is not OrderRole.ENTRY:
        return ""
    most = rules.max_quantity
    if most is not None and order.type is OrderType.MARKET and order.quantity > most:
        return f"the quantity {order.quantity} is above the market lot {most}"
    worth = order.quantity * (order.price or order.stop_price or ZERO)
    if ZERO < worth < rules.min_notional:
        return f"{worth} {order.symbol.quote} is below the least notional of {rules.min_notional}"
    return ""


def written_off(order: Order, price: Decimal, at: datetime) -> OrderReport:
    """All of *order* at *price*, by nobody's trade."""
    fill = Fill(
        id=f"written-off-{order.id}", order_id=order.id, trader=order.trader, symbol=order.symbol,
        side=order.side, quantity=order.quantity, price=price, fee=ZERO, at=at,
    )  # fmt: skip
    return OrderReport(
        order_id=order.id, status=OrderStatus.FILLED, filled=order.quantity,
        average_price=price, fills=(fill,),
        note="written off: nobody trades it",
    )  # fmt: skip


def _role(order_id: str) -> OrderRole:
    """By the letter in our ids; a stranger's order counts as an entry, and is left alone."""
    letter = order_id.split("-")[2] if order_id.count("-") == 3 else ""  # noqa: PLR2004  # qd-tag-role-random
    return next((role for role, known in ROLE_LETTERS.items() if known == letter), OrderRole.ENTRY)
