"""What became of orders: found by our id or the venue's, among lists, by their fills.

Not found means that every question was answered, and each list read to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from trading.errors import VenueError, VenueUnavailable
from trading.execution.order_ids import is_of_a_desk
from trading.types import ZERO, Order, OrderReport, OrderStatus, Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.order_stream import OrderStream
from trading.venues.ccxt.traded import Traded
from trading.venues.ccxt.translation import Translation
from trading.venues.ccxt.values import millis, millis_of, number

log = logging.getLogger(__name__)

BEFORE = timedelta(minutes=5)
"""How far before an order's intent it is looked for in lists: clocks differ."""
MOST_FOREIGN = 20
"""Orders that are asked for, to find whose some fills are; the newest."""
ALL_AT_ONCE = 10
"""With more symbols than this, open orders are asked for all together."""


class Finder:
    """Of one account; *stream* keeps whose the venue's ids are."""

    def __init__(
        self, *, name: str, connection: Connection, words: Translation, traded: Traded
    ) -> None:
        self.stream: OrderStream
        self._name = name
        self._connection = connection
        self._exchange = connection.exchange
        self._incoming = connection.incoming
        self._words = words
        self._traded = traded

    def remember(self, order: Order) -> None:
        self._words.include((order.symbol,))
        self.stream.remember(order)

    # -- one --------------------------------------------------------------------------------

    async def find(self, order: Order) -> OrderReport | None:
        self.remember(order)
        if self._connection.is_open and not self._traded.is_listed(order.symbol):
            return await self._without_market(order)
        raw = self._ours(await self._exchange.by_our_id(self._connection, order), order)
        if raw is None and order.venue_id:
            raw = await self._by_venue_id(order.venue_id, order)
        if raw is None:
            raw = await self._among_lists(order)
        return None if raw is None else await self.report(order, raw)

    def _ours(self, raw: Any, order: Order) -> Any:
        """What was asked for by our id is ours, also where the answer does not repeat the id."""
        if raw is None:
            return None
        told = self._incoming.order(raw)
        if told["clientOrderId"] not in ("", order.id) and not self._is_child(told, order):
            log.warning("%s answers with another order than %s", self._name, order.id)
            return None
        return told

    def _is_child(self, told: Any, order: Order) -> bool:
        return str(told["id"]) == order.venue_id or self.stream.is_linked(str(told["id"]), order)

    async def _by_venue_id(self, venue_id: str, order: Order, *, child: bool = False) -> Any:
        raw = await self._exchange.by_venue_id(self._connection, venue_id, order, child=child)
        return None if raw is None else self._incoming.order(raw)

    async def _without_market(self, order: Order) -> OrderReport:
        """Where a market is gone nothing can be asked about its orders but whether they are open.

        What they have done is told by what is held: the books are compared with that.
        """
        for raw in await self._open(None):
            if raw["clientOrderId"] == order.id:
                return self._words.state(order.id, raw, quantity=order.quantity)
        note = f"ended by the venue: {order.symbol} is not listed there any more"
        return OrderReport(order_id=order.id, status=OrderStatus.EXPIRED, note=note)

    async def _among_lists(self, order: Order) -> Any:
        timeless = self._connection.row.window is None
        raw = self._named(order, await self._open(order.symbol))
        if raw is None and self._exchange.is_apart(order):
            raw = self._named(order, await self._since(order, triggers_only=True))
        elif raw is None:
            if timeless:  # that time has passed proves nothing: every list is looked at
                raw = self._named(order, await self._since(order))
            raw = raw or await self._by_fills(order)
        if raw is None and timeless:
            self._check_still_listed(order)
        return raw

    def _check_still_listed(self, order: Order) -> None:
        """That it is on no list proves nothing where lists do not go back as far."""
        oldest = self._connection.now() - millis_of(self._connection.row.history_back)
        if millis(order.created_at) < oldest:
            raise VenueUnavailable(f"{order.id} is older than what {self._name} still lists")

    def _named(self, order: Order, raws: Sequence[Any]) -> Any:
        return next((raw for raw in raws if raw["clientOrderId"] == order.id), None)

    async def _since(self, order: Order, *, triggers_only: bool = False) -> list[Any]:
        """Ended ones too, from a little before *order* was written down."""
        found = await self._exchange.orders_since(
            self._connection, order.symbol, millis(order.created_at - BEFORE),
            triggers_only=triggers_only,
        )  # fmt: skip
        return [self._incoming.order(raw) for raw in found]

    async def _by_fills(self, order: Order) -> Any:
        """Whose are the fills since it was written down?"""
        fills = await self._fills_since(order.symbol, millis(order.created_at - BEFORE))
        venue_ids = dict.fromkeys(str(fill["order"]) for fill in reversed(fills))
        foreign = [i for i in venue_ids if not self.stream.is_known(i)]
        for venue_id in foreign[:MOST_FOREIGN]:
            raw = await self._by_venue_id(venue_id, order, child=True)
            if raw is not None and raw["clientOrderId"] == order.id:
                return raw
        return None

    # -- many -------------------------------------------------------------------------------

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        """Each asked for its fills only where the fills of the time do not tell them."""
        begin = millis(since)
        raws = await self._exchange.orders_since(self._connection, symbol, begin)
        told = [self._incoming.order(raw) for raw in raws]
        ours = [raw for raw in told if is_of_a_desk(raw["clientOrderId"])]
        filled = any(number(raw.get("filled")) for raw in ours)
        fills = await self._fills_since(symbol, begin) if filled else []
        return [await self._told_of(symbol, raw, fills) for raw in ours]

    async def _told_of(self, symbol: Symbol, raw: Any, fills: Sequence[Any]) -> OrderReport:
        order = self._words.order(symbol, raw)
        self.stream.remember(order)
        theirs = [fill for fill in fills if str(fill["order"]) == str(raw["id"])]
        return replace(await self.report(order, {**raw, "trades": theirs}), order=order)

    async def open_orders(self) -> Sequence[OrderReport]:
        symbols = [s for s in self._words.ours() if self._traded.is_listed(s)]
        if len(symbols) > ALL_AT_ONCE or self._connection.row.opens_together:
            raws = await self._open(None)
        else:
            asked = await asyncio.gather(*(self._open(symbol) for symbol in symbols))
            raws = [raw for some in asked for raw in some]
        reports = []
        for raw in raws:
            symbol = self._words.symbol(raw)
            if symbol is not None:
                order = self._words.order(symbol, raw)
                self.stream.learn(raw)
                reports.append(replace(self._words.state(order.id, raw), order=order))
        return reports

    async def _open(self, symbol: Symbol | None) -> list[Any]:
        found = await self._exchange.open_orders(self._connection, symbol)
        every = [self._incoming.order(raw) for raw in found]
        return list({str(raw["id"]): raw for raw in every}.values())  # some stand on two lists

    async def _fills_since(self, symbol: Symbol, since: int) -> list[Any]:
        found = await self._exchange.trades_since(self._connection, symbol, since)
        return [self._incoming.fill(raw) for raw in found]

    # -- reports ----------------------------------------------------------------------------

    async def sent(self, order: Order, raw: Any) -> OrderReport:
        """As `report`, of the answer of ccxt to what was sent."""
        of = {"symbol": raw.get("symbol") or self._connection.row.market_of(order.symbol)}
        return await self.report(order, self._incoming.order({**raw, **of}))

    async def report(self, order: Order, raw: Any) -> OrderReport:
        """The state of *order*, with every fill; one that waited for a price has its child's.

        It has not ended before all its fills are known.
        """
        self.stream.learn(raw, order.id)
        venue_id, child = str(raw["id"]), self._exchange.child_of(raw)
        if child:
            raw = await self._by_venue_id(child, order, child=True)
        elif self._exchange.is_apart(order) and raw.get("status") == "closed":
            raw = {**raw, "status": "open"}  # triggered, and its child is not named yet
        if raw is None:
            return OrderReport(order_id=order.id, status=OrderStatus.OPEN, venue_id=venue_id)
        state = self._words.state(order.id, raw, quantity=order.quantity)
        report = replace(state, venue_id=venue_id)
        trades = await self._fills_of(order, raw)
        told = sum((number(trade["amount"]) for trade in trades), ZERO)
        if told < report.filled:
            log.warning("the fills of %s cannot be had yet: %s", order.id, report.filled - told)
            report = replace(report, status=OrderStatus.OPEN)
        await self._price_fees(order.symbol, trades)
        fills = tuple(self._words.fill(order.id, order.symbol, trade) for trade in trades)
        report = replace(report, fills=fills)
        self.stream.asked(order, report, {str(trade["id"]): trade for trade in trades})
        return report

    async def _fills_of(self, order: Order, raw: Any) -> Sequence[Any]:
        """From the answer itself where it names them, else asked for; empty while they cannot be
        had."""
        filled, venue_id = number(raw.get("filled")), str(raw["id"])
        there = [trade for trade in raw.get("trades") or () if trade.get("id")]
        if sum((number(trade["amount"]) for trade in there), ZERO) >= filled:
            known = {"timestamp": raw.get("timestamp"), "side": raw.get("side")}
            return [trade | {k: trade.get(k) or v for k, v in known.items()} for trade in there]
        try:
            mine = self._mine(venue_id, await self._exchange.fills(self._connection, raw, order))
            if sum((number(each["amount"]) for each in mine), ZERO) < filled:
                since = millis(order.created_at - BEFORE)
                every = await self._exchange.trades_since(self._connection, order.symbol, since)
                mine = self._mine(venue_id, every)
        except VenueError as error:
            log.warning("%s does not tell the fills of %s: %s", self._name, order.id, error)
            return ()
        return mine

    def _mine(self, venue_id: str, told: Sequence[Any]) -> list[Any]:
        """Those of one order, whatever an exchange tells besides."""
        every = {str(each["id"]): each for each in told if str(each.get("order")) == venue_id}
        return [self._incoming.fill(each) for each in every.values()]

    async def _price_fees(self, symbol: Symbol, trades: Sequence[Any]) -> None:
        """Ask what the coins cost that fees were paid in; a fill is told even if nobody answers."""
        for coin in {self._words.unpriced(trade, symbol) for trade in trades} - {None}:
            if coin is None or self._connection.markets.of(coin) is None:
                continue
            market = self._connection.row.market_of(coin)
            with contextlib.suppress(VenueError):
                told = await self._connection.ask(self._connection.ccxt.fetch_ticker, market)
                if number(told.get("last")) > ZERO:
                    self._words.learn_price(coin, number(told["last"]))
