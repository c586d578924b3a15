"""What an entry at market would meet at an exchange, before it is sent; only asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading.errors import VenueError
from trading.types import ONE, ZERO, Preview, Side
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.values import number
from trading.venues.ccxt.weights import Urgency

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Each answer stands for itself: a testnet tells no fees, and a key may not read all.

    *market* and *quote* in ccxt's words; *cash*: bought in full.  *fees* keeps those that were
    told, by market: to ask weighs much, and they change rarely.
    """

    connection: Connection
    market: str
    quote: str
    cash: bool
    fees: dict[str, Any]

    async def preview(self, side: Side, quantity: Decimal) -> Preview:
        book, fees, balance, leverage = await asyncio.gather(
            self._told("book", self._ccxt.fetch_order_book, self.market, *self._levels),
            self._fees(),
            self._told("account", self._ccxt.fetch_balance),
            self._leverage(side),
        )
        book = self.connection.incoming.book(book, self.market) if book else {}
        price = walked(book.get("asks" if side is Side.BUY else "bids", ()), quantity)
        rate = _known(fees.get("taker"))
        worth = None if price is None else price * quantity
        return Preview(
            price=price,
            fee=None if worth is None or rate is None else worth * rate,
            margin=None if worth is None or not leverage else worth / leverage,
            free=_known(balance.get("free", {}).get(self.quote)),
        )

    @property
    def _ccxt(self) -> Any:
        return self.connection.ccxt

    @property
    def _levels(self) -> Sequence[int]:
        levels = self.connection.row.book_levels
        return () if levels is None else (levels,)

    async def _leverage(self, side: Side) -> Decimal | None:
        """As the account has set it for this market."""
        if self.cash:
            return ONE
        told = await self._told("account", self._ccxt.fetch_leverage, self.market)
        return _known(told.get(f"{side.held}Leverage"))

    async def _fees(self) -> Any:
        if self.market not in self.fees:
            told = await self._told("account", self._ccxt.fetch_trading_fee, self.market)
            if not told:
                return {}
            self.fees[self.market] = told
        return self.fees[self.market]

    async def _told(
        self, family: str, request: Callable[..., Awaitable[Any]], *arguments: Any
    ) -> Any:
        """Empty where it cannot be had.  Only data: an entry's own questions go first."""
        try:
            return await self.connection.ask(
                request, *arguments, about=family, urgency=Urgency.DATA
            )
        except VenueError as error:
            log.warning("%s: what an order would meet is not told: %s", self.market, error)
            return {}


def walked(levels: Iterable[Sequence[Any]], quantity: Decimal) -> Decimal | None:
    """Average price of taking *quantity* from *levels*, best first; None: they end before it."""
    left, worth = quantity, ZERO
    for price, size, *_ in levels:
        taken = min(left, number(size))
        left, worth = left - taken, worth + taken * number(price)
        if left <= ZERO:
            return worth / quantity
    return None


def worst(levels: Iterable[Sequence[Any]], quantity: Decimal) -> Decimal | None:
    """The last price that taking *quantity* from *levels* reaches; None: they end before it."""
    left = quantity
    for price, size, *_ in levels:
        left -= number(size)
        if left <= ZERO:
            return number(price)
    return None


def _known(value: object) -> Decimal | None:
    return None if value is None else number(value)
