"""A real exchange as a venue, through ccxt: orders by REST, news by its streams.

One adapter for all exchanges; what differs is a `Row` and an `Exchange`.  A stream only tells
sooner what REST would tell: an interruption costs time, never truth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.clocks import Clock
from trading.errors import VenueError, VenueRejected
from trading.model.halt import Permit
from trading.ports import Leaving, unwatched
from trading.types import (
    Depth,
    Held,
    Movement,
    Order,
    OrderReport,
    Preview,
    Rules,
    Side,
    Symbol,
)
from trading.venues.ccxt.account_stream import AccountStream
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.exchange_account import ExchangeAccount
from trading.venues.ccxt.finder import Finder
from trading.venues.ccxt.listed import EveryMarket
from trading.venues.ccxt.order_stream import OrderStream
from trading.venues.ccxt.preview import Asking
from trading.venues.ccxt.sender import Sender
from trading.venues.ccxt.traded import Traded
from trading.venues.ccxt.translation import Price, Translation, written_off
from trading.venues.ccxt.weights import Urgency

log = logging.getLogger(__name__)

STREAM_TIMEOUT = 3.0
"""Seconds that opening waits for the stream."""
UNTIMED = 60.0
"""Seconds to wait for what carries no expiry before it may count as never sent: then two searches
through all lists have to find nothing."""


class CcxtVenue:
    """Implements `trading.ports.Venue` on an account of an exchange."""

    costs = None
    shows_books = True

    def __init__(
        self,
        *,
        name: str,
        trader: str,
        connection: Connection,
        symbols: Sequence[Symbol],
        price: Price,
        read_only: bool,
        clock: Clock,
        every: bool = False,
    ) -> None:
        """*price*: the last one known, to value fees in other currencies.

        *every*: it trades more than *symbols*, whatever is listed in the same quote currency.
        """
        row, quote = connection.row, symbols[0].quote
        self.name = name
        self.window = UNTIMED if row.window is None else row.window
        self.cash = row.is_spot
        self.targets = row.targets
        self.writes_off = self.cash
        self._connection = connection
        self._quote = quote
        self._clock = clock
        self._fees: dict[str, Any] = {}
        """As previews were told them, by market."""
        self._fees_of = 0
        self._words = Translation(
            venue=name,
            trader=trader,
            exchange=connection.exchange,
            symbols=symbols,
            price=price,
            clock=clock,
            every=EveryMarket(connection, quote) if every else None,
        )
        self._traded = Traded(
            name=name, connection=connection, words=self._words, symbols=symbols, clock=clock
        )
        self._account = ExchangeAccount(
            name=name, connection=connection, words=self._words, traded=self._traded, quote=quote,
            every=every, read_only=read_only,
        )  # fmt: skip
        self._finder = Finder(
            name=name, connection=connection, words=self._words, traded=self._traded
        )
        self._stream = self._finder.stream = OrderStream(
            name=name, words=self._words, exchange=connection.exchange, clock=clock, find=self.find
        )
        self._sender = Sender(
            connection=connection, finder=self._finder, traded=self._traded, read_only=read_only
        )
        self._news = AccountStream(
            name=name,
            connection=connection,
            clock=clock,
            on_order=self._stream.order,
            on_trade=self._stream.trade,
        )

    @property
    def reduce_only(self) -> bool:
        """Marked so, or by the side of the position, which a reduction names in hedge mode."""
        return self._connection.row.reduce_only or self._connection.account.hedged

    @property
    def interruptions(self) -> int:
        return self._news.interruptions + self._stream.interruptions

    @property
    def refuses_until(self) -> datetime | None:
        return self._connection.refuses_until

    # -- opening ----------------------------------------------------------------------------

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        self._stream.listener = listener
        await self._connection.open(self)
        await self._account.become_known()
        for why in self._traded.missing():
            log.warning("%s", why)
        await self._news.start(within=STREAM_TIMEOUT)

    async def close(self) -> None:
        await self._news.stop()
        await self._stream.stop()
        await self._connection.close(self)

    async def catch_up(self, until: datetime) -> None:
        """Nothing waits here: streams tell at once, and `find` what they missed."""

    async def examine(self) -> Sequence[str]:
        """What would keep this account from trading, one sentence each; reads only."""
        asker = object()
        try:
            await self._connection.open(asker)
            return await self._account.examine()
        except VenueError as error:
            return [f"The account cannot be read: {error}."]
        finally:
            await self._connection.close(asker)

    # -- markets ----------------------------------------------------------------------------

    def rules(self, symbol: Symbol) -> Rules:
        return self._traded.rules(symbol)

    async def rules_now(self, symbol: Symbol) -> Rules:
        return await self._traded.rules_now(symbol)

    async def reread(self) -> None:
        await self._connection.markets.reread()

    def include(self, symbols: Collection[Symbol]) -> None:
        self._words.include(symbols)

    # -- orders -----------------------------------------------------------------------------

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        return await self._sender.place(self, order, permit)

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        return await self._sender.place_pair(self, stop, target, permit)

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        return await self._sender.cancel(self, order, leaving)

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        """The coins stay where they are, beside our money."""
        if not self.writes_off:
            raise VenueRejected("the exchange settles its contracts itself, and the books follow")
        return written_off(order, price, self._clock.now())

    async def find(self, order: Order) -> OrderReport | None:
        return await self._finder.find(order)

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        return await self._finder.ours_since(symbol, since)

    async def open_orders(self) -> Sequence[OrderReport]:
        return await self._finder.open_orders()

    # -- the account ------------------------------------------------------------------------

    async def positions(self) -> Mapping[Symbol, Held]:
        return await self._account.positions()

    async def wallet(self) -> Decimal:
        return await self._account.wallet()

    async def movements(self, since: datetime) -> Sequence[Movement]:
        return await self._account.movements(since)

    # -- prices -----------------------------------------------------------------------------

    async def depth(self, symbol: Symbol) -> Depth:
        market = self._traded.market(symbol)["symbol"]
        most = self._connection.row.book_levels
        asked = (market,) if most is None else (market, most)
        fetch = self._connection.ccxt.fetch_order_book
        raw = await self._connection.ask(fetch, *asked, about="book", urgency=Urgency.ENTRY)
        return self._words.depth(self._connection.incoming.book(raw, market))

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        if self._fees_of != self._traded.generation:
            self._fees_of = self._traded.generation
            self._fees.clear()
        asking = Asking(
            connection=self._connection,
            market=self._traded.market(symbol)["symbol"],
            quote=self._quote,
            cash=self.cash,
            fees=self._fees,
        )
        return await asking.preview(side, quantity)
