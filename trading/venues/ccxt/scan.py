"""A survey of an exchange's markets: volumes and spreads of all at once, depths of candidates only.

It asks as market data does: whatever is urgent goes first, and leaves room in the request budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.errors import VenueRejected, VenueUnavailable
from trading.market.universe import DEPTH, EVERYTHING, MarketScan, MarketStats, Universe
from trading.types import ONE, ZERO, Depth, Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.listed import listed_in
from trading.venues.ccxt.translation import near

TOGETHER = 4
"""Order books that are asked for at a time."""
_WITHOUT_DEPTH = EVERYTHING - {DEPTH}
_BPS = 10_000


class ExchangeScan:
    """Implements `trading.ports.MarketScanner`; `close` after."""

    by_bars = False

    def __init__(self, *, connection: Connection, quote: str) -> None:
        """*quote*: of the markets that are looked at."""
        self._connection = connection
        self._quote = quote

    async def scan(self, at: datetime, of: Universe) -> MarketScan:
        await self._connection.open(self)
        await self._connection.markets.reread(fresh=0)
        markets = listed_in(self._connection, self._quote)
        tickers, books = await asyncio.gather(self._tickers(), self._best_prices())
        stats = {
            symbol: self._stats(market, tickers.get(market["symbol"]), books.get(market["symbol"]))
            for symbol, market in markets.items()
        }
        if not any(each.volume for each in stats.values()):
            raise VenueUnavailable("the volumes of the markets are not told")
        depths = await self._depths(list(_near(of, stats)), markets)
        return MarketScan(at=at, stats=stats | {s: replace(stats[s], depth=d) for s, d in depths})

    def _stats(self, market: Any, ticker: Any, book: Any) -> MarketStats:
        exchange, ticker = self._connection.exchange, ticker or {}
        counts = exchange.row.volumes_in_contracts
        size = _figure(market.get("contractSize")) if counts else ONE
        try:
            volume = _figure(exchange.turnover(ticker, size))
        except ArithmeticError:  # it makes no sense: so it is unknown
            volume = None
        return MarketStats(
            volume=volume,
            spread_bps=_spread(book or ticker),
            depth=None,
            tradable=not exchange.is_halted(market),
        )

    async def close(self) -> None:
        await self._connection.close(self)

    # -- asking -----------------------------------------------------------------------------

    async def _tickers(self) -> Mapping[str, Any]:
        tickers: Mapping[str, Any] = await self._ask("prices", self._ccxt.fetch_tickers)
        return tickers

    async def _best_prices(self) -> Mapping[str, Any]:
        """Where tickers tell them already it is not worth asking for them."""
        if not self._ccxt.has.get("fetchBidsAsks"):
            return {}
        books: Mapping[str, Any] = await self._ask("prices", self._ccxt.fetch_bids_asks)
        return books

    async def _depths(
        self, symbols: Iterable[Symbol], markets: Mapping[Symbol, Any]
    ) -> list[tuple[Symbol, Decimal | None]]:
        room = asyncio.Semaphore(TOGETHER)

        async def look(symbol: Symbol) -> tuple[Symbol, Decimal | None]:
            async with room:
                return symbol, await self._depth(markets[symbol])

        return list(await asyncio.gather(*map(look, symbols)))

    async def _depth(self, market: Any) -> Decimal | None:
        """On the thinner side; None where the exchange does not show its order book."""
        most = self._connection.row.book_levels
        levels = () if most is None else (most,)
        try:
            raw = await self._ask("book", self._ccxt.fetch_order_book, market["symbol"], *levels)
        except VenueRejected:
            return None
        try:
            book = near(self._connection.incoming.book(raw, market["symbol"]))
        except (ArithmeticError, TypeError, ValueError):  # it makes no sense: so it is unknown
            return None
        return _thinner(book)

    async def _ask(self, family: str, request: Any, *arguments: Any) -> Any:
        return await self._connection.ask(request, *arguments, about=family, urgency=None)

    @property
    def _ccxt(self) -> Any:
        return self._connection.ccxt


def _spread(book: Any) -> Decimal | None:
    bid, ask = _figure(book.get("bid")), _figure(book.get("ask"))
    if bid is None or ask is None or not ZERO < bid <= ask:
        return None
    return (ask - bid) * 2 / (ask + bid) * _BPS


def _thinner(book: Depth) -> Decimal:
    return min(book.bids, book.asks)


def _figure(value: object) -> Decimal | None:
    """None: it is none."""
    if value is None:
        return None
    try:
        figure = Decimal(str(value))
    except InvalidOperation:
        return None
    return figure if figure.is_finite() and figure >= ZERO else None


def _near(of: Universe, stats: Mapping[Symbol, MarketStats]) -> Iterator[Symbol]:
    """Those whose depth matters: all the rest is good enough for some tier that asks for depth."""
    tiers = [tier for tier in of.tiers if tier.min_depth is not None]
    for symbol, each in stats.items():
        if of.never_trades(symbol):
            continue
        if any(tier.takes(symbol, each, _WITHOUT_DEPTH) for tier in tiers):
            yield symbol
