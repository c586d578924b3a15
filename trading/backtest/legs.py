"""Stops and targets that rest, and that nobody has to see yet.

Most of them end as they came: the position is closed at market, or its plan moves, and no price has
touched them.  So what rests for a position is kept here, as the few facts that it is; it becomes
an order in the ledger and at the venue where somebody could see it: a bar that may touch it, or the
trader, when he takes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from trading.accounts.ledger import Ledger
from trading.backtest.parts import InstantPaper, KeptHistory
from trading.types import (
    ExitReason,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
)


@dataclass(slots=True, kw_only=True)
class RestingLeg:
    """A stop or target that rests, untouched."""

    id: str
    """Of the order that it may become."""
    symbol: Symbol
    side: Side
    """On which it makes the position smaller."""
    type: OrderType
    stop_price: Decimal
    quantity: Decimal
    reason: ExitReason
    since: datetime
    """Close of the bar after which it rests."""

    @property
    def price(self) -> None:
        """It is no limit: once it is touched it goes at market."""


Resting = RestingLeg | Order


class RestingLegs:
    """Of all positions.  The legs of one symbol are all shown to the trader, or none is."""

    def __init__(
        self,
        *,
        trader: str,
        ledger: Ledger,
        venue: InstantPaper,
        history: KeptHistory,
    ) -> None:
        self._trader = trader
        self._ledger = ledger
        self._venue = venue
        self._history = history
        self._kept: dict[Symbol, list[RestingLeg]] = {}

    def of(self, symbol: Symbol) -> Sequence[Resting]:
        return self._kept.get(symbol) or self._ledger.alive_of(OrderRole.PROTECT, symbol)

    def unseen(self, symbol: Symbol) -> Sequence[RestingLeg]:
        """Those of *symbol* that are not shown."""
        return self._kept.get(symbol, ())

    def are_shown(self, symbol: Symbol) -> bool:
        return bool(self._ledger.alive_of(OrderRole.PROTECT, symbol))

    def rest(self, leg: RestingLeg) -> None:
        is_shown = self.are_shown(leg.symbol)
        self._kept.setdefault(leg.symbol, []).append(leg)
        if is_shown:
            self.show(leg.symbol)

    def end(self, leg: Resting, note: str, at: datetime) -> None:
        if isinstance(leg, Order):
            self._venue.drop(leg, at, note)
            self.book(leg.changed(status=OrderStatus.CANCELLED, note=note, updated_at=at))
            return
        kept = self._kept[leg.symbol]
        kept.remove(leg)
        if not kept:
            del self._kept[leg.symbol]
        self._history.unbuilt.append(partial(self._ended, leg, note, at))

    def end_all(self, symbol: Symbol, note: str, at: datetime) -> None:
        for leg in tuple(self.of(symbol)):
            self.end(leg, note, at)

    def show(self, symbol: Symbol) -> None:
        """Let ledger and venue have those of *symbol*."""
        for leg in self._kept.pop(symbol, ()):
            order = self._order(leg, self._venue.next_id)
            self._venue.rest(order, leg.since)
            self._ledger.add(order)
            self._history.orders_sent[order.id] = order

    def show_all(self) -> None:
        for symbol in tuple(self._kept):
            self.show(symbol)

    def book(self, ended: Order) -> None:
        """*ended* has been shown, and is no more."""
        self._ledger.update(ended)
        self._history.orders_sent[ended.id] = ended
        self._history.changed.add(ended.symbol)

    # -- as orders -----------------------------------------------------------------------------

    def _order(self, leg: RestingLeg, venue_id: str) -> Order:
        return Order(
            id=leg.id, trader=self._trader, symbol=leg.symbol,
            type=leg.type, role=OrderRole.PROTECT, side=leg.side, quantity=leg.quantity,
            stop_price=leg.stop_price, created_at=leg.since, market_at=leg.since, reduce_only=True,
            reason=leg.reason.value, status=OrderStatus.OPEN, venue_id=venue_id,
            updated_at=leg.since, version=2,
        )  # fmt: skip

    def _ended(self, leg: RestingLeg, note: str, at: datetime) -> Order:
        order = self._order(leg, "")
        return order.changed(status=OrderStatus.CANCELLED, note=note, updated_at=at)
