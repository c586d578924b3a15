"""Orders on their way out: checked, made into a request, sent once, and their answers reported."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, TypeVar

from trading.errors import VenueMisfit, VenueRejected, VenueUnavailable, VenueUncertain
from trading.model.halt import Permit
from trading.ports import Leaving, Venue
from trading.types import Order, OrderReport, OrderRole, OrderStatus, OrderType, Side, Untraded
from trading.venues.ccxt.answers import NotFound
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.finder import Finder
from trading.venues.ccxt.preview import worst
from trading.venues.ccxt.row import MarketBuys
from trading.venues.ccxt.traded import Traded
from trading.venues.ccxt.translation import misfit
from trading.venues.ccxt.values import exact
from trading.venues.ccxt.weights import Urgency
from trading.venues.lacking import refuse_impossible, refuse_unpaired

Answer = TypeVar("Answer")

CROSSED = Decimal("1.003")
"""How far above the prices that would fill it a buy across the book may go: they move meanwhile."""

_URGENCY: Mapping[OrderRole, Urgency] = {
    OrderRole.ENTRY: Urgency.ENTRY,
    OrderRole.PROTECT: Urgency.REDUCTION,
    OrderRole.EXIT: Urgency.REDUCTION,
}


class Sender:
    """The only code that changes something at an exchange."""

    def __init__(
        self, *, connection: Connection, finder: Finder, traded: Traded, read_only: bool
    ) -> None:
        self._connection = connection
        self._exchange = connection.exchange
        self._finder = finder
        self._traded = traded
        self._read_only = read_only

    async def place(self, venue: Venue, order: Order, permit: Permit) -> OrderReport:
        """*venue* is who is asked: what it cannot do is refused in its name."""
        self._check(venue, order)
        self._finder.remember(order)
        limit = await self._crossing(order)
        request = self._exchange.placing(self._connection, order, limit=limit)
        with self._finder.stream.using(order):
            raw = await self._connection.act(
                request.call,
                *request.arguments,
                permit=permit,
                carries=request.carries,
                urgency=_URGENCY[order.role],
                orders=1,
            )
        report = await _surely(self._finder.sent(order, raw))
        if order.type is OrderType.MARKET and report.status is OrderStatus.OPEN:
            self._finder.stream.expect_end(order)
        return report

    async def place_pair(
        self, venue: Venue, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        """Each waits for its price, and only one of them can fill."""
        refuse_unpaired(venue)
        for order in (stop, target):
            self._check(venue, order)
            self._finder.remember(order)
        self._traded.market(stop.symbol)
        request = self._exchange.pairing(self._connection, stop, target)
        with self._finder.stream.using(stop, target):
            answer = await self._connection.act(
                request.call,
                *request.arguments,
                permit=permit,
                carries=request.carries,
                urgency=Urgency.REDUCTION,
                orders=2,
            )
        first, second = self._exchange.paired(self._connection, answer, stop, target)
        return (
            await _surely(self._finder.sent(stop, first)),
            await _surely(self._finder.sent(target, second)),
        )

    async def cancel(self, venue: Venue, order: Order, leaving: Leaving) -> OrderReport:
        """That it was taken is no end: only an answer that tells the end is, and where it does not,
        the order is asked for."""
        self._finder.remember(order)
        request = self._exchange.cancelling(self._connection, order)
        entry = order.role is OrderRole.ENTRY
        raw: Any = {}
        with contextlib.suppress(NotFound):  # it has ended, or never was: `find` tells which
            raw = await self._connection.act(
                request.call,
                *request.arguments,
                permit=leaving,
                carries=request.carries,
                urgency=Urgency.EMERGENCY if entry else Urgency.REDUCTION,
            )
        if self._tells_the_end(raw):
            return await _surely(self._finder.sent(order, raw))
        found = await _surely(self._finder.find(order))
        if found is None:
            raise VenueRejected(f"{venue.name} does not know the order {order.id}")
        return found

    def _tells_the_end(self, raw: Any) -> bool:
        """Cancelled, and how much of it had filled."""
        told = isinstance(raw, dict) and raw.get("status") == "canceled" and raw.get("id")
        return bool(told) and raw.get("filled") is not None

    def _check(self, venue: Venue, order: Order) -> None:
        if self._read_only:
            raise VenueRejected(f"{venue.name} is read_only in the settings")
        wire_id = self._exchange.encode(order.id)
        if not self._connection.row.accepts_id(wire_id):
            raise VenueRejected(f"{venue.name} does not take the id {order.id}")
        rules = self._traded.rules(order.symbol)
        if isinstance(rules, Untraded) and not self._may_be_tried(order):
            raise VenueRejected(rules.why)
        refuse_impossible(venue, order, rules.shown)
        if self._finder.stream.is_used(order.id):
            raise VenueUncertain(f"the id {order.id} was sent already: its order may be there")
        wrong = misfit(order, rules.shown)
        if wrong:
            raise VenueMisfit(wrong)

    def _may_be_tried(self, order: Order) -> bool:
        """A market that was halted when it was read last may be open by now."""
        return order.role is not OrderRole.ENTRY and self._traded.is_listed(order.symbol)

    async def _crossing(self, order: Order) -> str | None:
        """The limit of a buy at market where the exchange would count it in money; else None."""
        row = self._connection.row
        buys = order.type is OrderType.MARKET and order.side is Side.BUY
        if not (buys and row.is_spot and row.market_buys is MarketBuys.CROSSING):
            return None
        market = row.market_of(order.symbol)
        levels = () if row.book_levels is None else (row.book_levels,)
        raw = await self._connection.ask(
            self._connection.ccxt.fetch_order_book, market, *levels, about="book",
            urgency=_URGENCY[order.role],
        )  # fmt: skip
        asks = self._connection.incoming.book(raw, market)["asks"]
        price = worst(asks, order.quantity)
        if price is None:
            raise VenueUnavailable(f"the order book of {order.symbol} does not hold as much")
        tick = self._traded.rules(order.symbol).shown.tick
        return exact((price * CROSSED / tick).to_integral_value(ROUND_CEILING) * tick)


async def _surely(report: Awaitable[Answer]) -> Answer:
    """Of what was done already: that no more of it can be had does not undo it."""
    try:
        return await report
    except VenueUnavailable as error:
        raise VenueUncertain(f"it was done, and what came of it is not told: {error}") from error
