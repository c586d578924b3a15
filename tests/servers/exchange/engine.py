"""The matching engine: synchronous, without sockets, on a clock that is handed in.

`Engine` holds what both markets share: books, orders, the tape, and who is told.  `SpotEngine`
(spot.py) and `SwapEngine` (swap.py) add the account.  There is one account; everybody else is
"outside", and does what the test says: `set_book` and `trade_through`.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from tests.servers.exchange.book import Book, Level, Resting, levels
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.rules import Rules
from tests.servers.exchange.values import (
    LIMITS,
    ZERO,
    MarketMoved,
    MoneyMoved,
    Movement,
    Order,
    OrderTold,
    Printed,
    Told,
    Trade,
    Trigger,
    Wish,
    opposite,
)

Listener = Callable[[Told], None]
Number = Decimal | str | int
CENT = Decimal("0.00000001")
"""Money is kept to eight places."""


class WallClock(Protocol):
    def now(self) -> datetime: ...


P = ParamSpec("P")
T = TypeVar("T")


def at_one_moment(act: Callable[P, T]) -> Callable[P, T]:
    """All that follows from one order has one time, as a matching engine tells it."""

    @wraps(act)
    def acted(*given: P.args, **named: P.kwargs) -> T:
        engine: Any = given[0]
        if engine.moment is not None:
            return act(*given, **named)
        engine.moment = engine.now
        try:
            return act(*given, **named)
        finally:
            engine.moment = None

    return acted


class Engine(ABC):
    """Fees are shares of the notional.  Refuses by `Refusal`; what it does not refuse, it did."""

    def __init__(
        self, *, rules: Iterable[Rules], clock: WallClock, maker_fee: Decimal, taker_fee: Decimal
    ) -> None:
        self.rules = {rule.symbol: rule for rule in rules}
        self.clock = clock
        self.moment: int | None = None
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self.books = {symbol: Book() for symbol in self.rules}
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.movements: list[Movement] = []
        self.tape = {symbol: deque[Printed](maxlen=10_000) for symbol in self.rules}
        self.halted: set[str] = set()
        self.delisted: set[str] = set()
        self.deadlines: dict[str, int] = {}
        """Dead man's switches: when each symbol's open orders are cancelled, see `tick`."""
        self._by_client: dict[str, int] = {}
        self._open: dict[int, None] = {}
        self._listeners: list[Listener] = []
        self._ids = itertools.count(1_001)
        self._trade_ids = itertools.count(50_001)

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp() * 1000) if self.moment is None else self.moment

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    # --- the market, as the test has it ---

    def set_book(
        self,
        symbol: str,
        *,
        bids: Iterable[tuple[Number, Number]] = (),
        asks: Iterable[tuple[Number, Number]] = (),
    ) -> None:
        """Replace everybody else's liquidity, as (price, quantity); what crosses ours trades."""
        sides = {"BUY": levels(bids), "SELL": levels(asks)}
        if sides["BUY"] and sides["SELL"] and _best(sides["BUY"], max) >= _best(sides["SELL"], min):
            raise ValueError("the outside book crosses itself")
        for side in sides:
            self.books[symbol].remove_outside(side)
        for side, offered in sides.items():
            for price, quantity in offered:
                rest = self._outside_takes(symbol, side, price, quantity)
                if rest:
                    self.books[symbol].add(side, price, rest)
        self._settle(symbol)

    def quote(self, symbol: str, price: Number, *, spread: Number = 1, size: Number = 50) -> None:
        """An outside book of one deep level each side of *price*, *spread* ticks away."""
        away = self.rules[symbol].tick * Decimal(spread)
        middle = Decimal(price)
        self.set_book(symbol, bids=[(middle - away, size)], asks=[(middle + away, size)])

    def trade_through(self, symbol: str, price: Number, *, quantity: Number | None = None) -> None:
        """The market trades at *price*: ours that are as good or better fill (at most *quantity*).

        The outside book moves along, keeping its shape.
        """
        to = Decimal(price)
        book = self.books[symbol]
        outside = {side: book.remove_outside(side) for side in ("BUY", "SELL")}
        moved = to - self._middle(symbol, outside, to)
        left = Decimal(quantity) if quantity is not None else None
        for side in ("BUY", "SELL"):
            left = self._sweep(symbol, side, to, left)
        self._print(symbol, to, self.rules[symbol].least, buyer_maker=moved < 0)
        for side, offered in outside.items():
            self._put_back(symbol, side, offered, moved)
        self._settle(symbol)

    def others_trade(self, symbol: str, price: Number, quantity: Number) -> None:
        """Volume on the tape that touches no order of ours."""
        self._print(symbol, Decimal(price), Decimal(quantity), buyer_maker=False)

    def change_rules(self, symbol: str, **changed: Any) -> None:
        """For orders to come; what rests stays as it is."""
        self.rules[symbol] = replace(self.rules[symbol], **changed)

    def halt(self, symbol: str) -> None:
        """No new orders; cancels go on."""
        self.halted.add(symbol)

    def resume(self, symbol: str) -> None:
        self.halted.discard(symbol)

    @property
    def listed(self) -> dict[str, Rules]:
        """What there is to trade, and what may be asked about at all."""
        return {name: rules for name, rules in self.rules.items() if name not in self.delisted}

    def delist(self, symbol: str) -> None:
        """Its open orders expire, and nobody knows it any more; what is held stays."""
        for order in self.open_orders(symbol):
            if self.orders[order.id].is_open:
                self._end(order.id, "EXPIRED")
        self.delisted.add(symbol)

    def relist(self, symbol: str) -> None:
        self.delisted.discard(symbol)

    def tick(self) -> None:
        """Do what time alone brings about; whoever moves the clock calls it."""
        for symbol in [name for name, due in self.deadlines.items() if due <= self.now]:
            del self.deadlines[symbol]
            self.cancel_all(symbol)

    def price(self, symbol: str) -> Decimal | None:
        """The last trade's, or the middle of the book, or None."""
        if self.tape[symbol]:
            return self.tape[symbol][-1].price
        bid, ask = (self.books[symbol].best_price(side) for side in ("BUY", "SELL"))
        if bid is None or ask is None:
            return bid or ask
        return (bid + ask) / 2

    # --- orders ---

    @abstractmethod
    def place(self, wish: Wish) -> Order:
        """Check, accept, and trade as far as it goes; the order as it stands afterwards."""

    def take_and_refuse(self, wish: Wish, why: str) -> Order:
        """For exchanges that answer before they have looked: there is an order, REJECTED."""
        order = self._new_order(wish, quantity=wish.quantity)
        order = replace(order, status="REJECTED", failure=why)
        self.orders[order.id] = order
        self._by_client[order.client_id] = order.id
        self._tell(OrderTold(order=order, kind="EXPIRED", time=self.now))
        return order

    def cancel(
        self, symbol: str, *, order_id: int = 0, client_id: str = "", cancel_id: str = ""
    ) -> Order:
        """Refused when there is no such open order."""
        order = self.find(symbol, order_id=order_id, client_id=client_id)
        if order is None or not order.is_open:
            raise Refusal(Why.UNKNOWN_ORDER)
        self._end(order.id, "CANCELED", cancel_id=cancel_id)
        self._settle(symbol)
        return self.orders[order.id]

    def cancel_all(self, symbol: str) -> list[Order]:
        gone = [order.id for order in self.open_orders(symbol)]
        for order_id in gone:
            if self.orders[order_id].is_open:
                self._end(order_id, "CANCELED")
        self._settle(symbol)
        return [self.orders[order_id] for order_id in gone]

    def find(self, symbol: str, *, order_id: int = 0, client_id: str = "") -> Order | None:
        order = self.orders.get(order_id or self._by_client.get(client_id, 0))
        return order if order and order.symbol == symbol else None

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        orders = (self.orders[order_id] for order_id in self._open)
        return [order for order in orders if symbol in {None, order.symbol}]

    def is_taken(self, client_id: str) -> bool:
        """Whether an open order has this client id already."""
        order = self.orders.get(self._by_client.get(client_id, 0))
        return order is not None and order.is_open

    # --- what the markets add ---

    @abstractmethod
    def _book_trade(self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool) -> Trade:
        """Move the money and the position of one trade."""

    @abstractmethod
    def _tell_trade(self, told: OrderTold) -> None:
        """Tell of a trade, and of what it changed."""

    @abstractmethod
    def _tradable(self, order: Order) -> Decimal:
        """How much of it may trade now."""

    @abstractmethod
    def _trigger_one(self, symbol: str) -> bool:
        """Let one waiting order go whose price is reached; False when there is none."""

    @abstractmethod
    def _ended(self, order: Order) -> None:
        """An order has come to its end; what else ends with it?"""

    # --- the work ---

    def _known(self, symbol: str) -> Rules:
        if symbol not in self.listed:
            raise Refusal(Why.UNKNOWN_SYMBOL)
        return self.rules[symbol]

    def _accept(
        self,
        wish: Wish,
        *,
        quantity: Decimal,
        trigger: Trigger | None = None,
        list_id: int = -1,
        algo_id: int = 0,
        forced: str = "",
    ) -> Order:
        order = replace(
            self._new_order(wish, quantity=quantity),
            working=trigger is None,
            working_since=self.now if trigger is None else -1,
            trigger=trigger,
            list_id=list_id,
            algo_id=algo_id,
            forced=forced,
        )
        self.orders[order.id] = order
        self._by_client[order.client_id] = order.id
        self._open[order.id] = None
        self._tell(OrderTold(order=order, kind="NEW", time=self.now))
        return order

    def _new_order(self, wish: Wish, *, quantity: Decimal) -> Order:
        order_id = next(self._ids)
        return Order(
            id=order_id,
            client_id=wish.client_id or f"venue-made-{order_id:011}",
            wish=wish,
            quantity=quantity,
            status="NEW",
            created=self.now,
            updated=self.now,
            working=True,
        )

    @at_one_moment
    def _work(self, order_id: int) -> None:
        """A working order meets the book; what is left rests, or expires."""
        order = self.orders[order_id]
        limit = order.wish.price if order.wish.type in LIMITS else None
        fills = order.wish.time_in_force != "FOK" or (
            self.books[order.symbol].available(order.side, limit) >= order.quantity
        )
        if fills:
            self._match(order_id, limit)
        order = self.orders[order_id]
        if not order.is_open:
            return
        if limit is not None and order.wish.time_in_force in {"GTC", "GTX"}:
            self.books[order.symbol].add(order.side, limit, order.remaining, order_id)
        else:
            self._end(order_id, "EXPIRED")

    def _match(self, order_id: int, limit: Decimal | None) -> None:
        symbol, side = self.orders[order_id].symbol, self.orders[order_id].side
        for resting in self.books[symbol].crossing(side, limit):
            wanted = self._tradable(self.orders[order_id])
            if wanted <= 0:
                return
            if resting.order_id:  # our own: self-trade prevention EXPIRE_MAKER, today's default
                if self.orders[resting.order_id].is_open:
                    self._end(resting.order_id, "EXPIRED_IN_MATCH")
                continue
            quantity = min(wanted, resting.quantity)
            self.books[symbol].take(resting, quantity)
            self._print(symbol, resting.price, quantity, buyer_maker=side == "SELL")
            self._fill(order_id, resting.price, quantity, maker=False)

    def _outside_takes(self, symbol: str, side: str, price: Decimal, left: Decimal) -> Decimal:
        """Somebody's order of *side* meets ours; returns what is left of it."""
        for resting in self.books[symbol].crossing(side, price):
            if left <= 0:
                break
            left -= self._hit(symbol, resting, left)
        return left

    def _sweep(self, symbol: str, side: str, to: Decimal, left: Decimal | None) -> Decimal | None:
        """Ours of *side* that are at *to* or better are hit; returns what is left to trade."""
        for resting in self.books[symbol].crossing(opposite(side), to):
            if left is not None and left <= 0:
                break
            traded = self._hit(symbol, resting, left if left is not None else resting.quantity)
            left = left - traded if left is not None else None
        return left

    @at_one_moment
    def _hit(self, symbol: str, resting: Resting, most: Decimal) -> Decimal:
        order = self.orders[resting.order_id]
        if not order.is_open:  # ended by an earlier trade of this very sweep
            return ZERO
        quantity = min(most, resting.quantity, self._tradable(order))
        if quantity <= 0:
            self._end(order.id, "EXPIRED")
            return ZERO
        self.books[symbol].take(resting, quantity)
        self._print(symbol, resting.price, quantity, buyer_maker=resting.side == "BUY")
        self._fill(order.id, resting.price, quantity, maker=True)
        return quantity

    def _middle(self, symbol: str, outside: dict[str, list[Level]], empty: Decimal) -> Decimal:
        """Of everybody else's best prices, to the tick."""
        best = [offered[0][0] for offered in outside.values() if offered] or [empty]
        tick = self.rules[symbol].tick
        return (sum(best, ZERO) / len(best) / tick).to_integral_value(ROUND_DOWN) * tick

    def _put_back(self, symbol: str, side: str, offered: list[Level], moved: Decimal) -> None:
        for price, quantity in offered:
            shifted = price + moved
            if shifted > 0 and not any(self.books[symbol].crossing(side, shifted)):
                self.books[symbol].add(side, shifted, quantity)

    def _fill(self, order_id: int, price: Decimal, quantity: Decimal, *, maker: bool) -> None:
        order = self.orders[order_id]
        trade = self._book_trade(order, price, quantity, maker=maker)
        filled = order.filled + quantity
        order = replace(
            order,
            filled=filled,
            quote_filled=order.quote_filled + price * quantity,
            status="FILLED" if filled == order.quantity else "PARTIALLY_FILLED",
            updated=self.now,
        )
        self._keep(order)
        self.trades.append(trade)
        kind = "CALCULATED" if order.forced == "LIQUIDATION" else "TRADE"
        self._tell_trade(OrderTold(order=order, kind=kind, time=self.now, trade=trade))
        if not order.is_open:
            self._ended(order)

    def _end(self, order_id: int, status: str, *, cancel_id: str = "") -> None:
        """End an open order without a trade."""
        order = replace(self.orders[order_id], status=status, updated=self.now)
        self._keep(order)
        self.books[order.symbol].remove(order.side, order_id)
        kind = "CANCELED" if status == "CANCELED" else "EXPIRED"
        self._tell(OrderTold(order=order, kind=kind, time=self.now, cancel_id=cancel_id))
        self._ended(order)

    def _keep(self, order: Order) -> None:
        self.orders[order.id] = order
        if not order.is_open:
            self._open.pop(order.id, None)

    def _settle(self, symbol: str) -> None:
        """What reaching a price sets off, until nothing more does; then the market is told."""
        while self._trigger_one(symbol):
            pass
        self._tell(MarketMoved(symbol=symbol))

    def _print(self, symbol: str, price: Decimal, quantity: Decimal, *, buyer_maker: bool) -> None:
        printed = Printed(
            symbol=symbol,
            price=price,
            quantity=quantity,
            time=self.now,
            buyer_maker=buyer_maker,
        )
        self.tape[symbol].append(printed)
        self._tell(printed)

    def _move(
        self, kind: str, asset: str, amount: Decimal, *, symbol: str = "", trade_id: int = 0
    ) -> None:
        """Record money that came (positive) or went."""
        self.movements.append(
            Movement(
                id=900_000 + len(self.movements),
                kind=kind,
                asset=asset,
                amount=amount,
                time=self.now,
                symbol=symbol,
                trade_id=trade_id,
            )
        )

    def _tell_moved(self) -> None:
        self._tell(MoneyMoved(movement=self.movements[-1]))

    def _tell(self, told: Told) -> None:
        for listener in self._listeners:
            listener(told)


def trailed(trigger: Trigger, price: Decimal) -> Trigger:
    """A trailing stop after the market traded at *price*."""
    if not trigger.trail:
        return trigger
    best = trigger.best
    if best is None:
        waits = price < trigger.activation if trigger.falling else price > trigger.activation
        if trigger.activation and waits:
            return trigger
        best = price
    best = max(best, price) if trigger.falling else min(best, price)
    distance = 1 - trigger.trail if trigger.falling else 1 + trigger.trail
    return replace(trigger, best=best, price=best * distance)


def money(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def _best(offered: list[Level], choose: Callable[[Iterable[Decimal]], Decimal]) -> Decimal:
    return choose(price for price, _ in offered)
