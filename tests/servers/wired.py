"""A real ccxt.pro exchange on a loopback venue: what tests of the wires begin with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt.pro

from tests.servers.exchange import OWNER, ApiKey, ExchangeServer, aim
from tests.waiting import PATIENCE, until

CLASSES = {
    ("binance", "swap"): "binanceusdm",
    ("kraken", "swap"): "krakenfutures",
}
"""Where ccxt has another class for a market; else it is the exchange's name."""
ID = "BTCUSDT"
"""As the engine has it, whichever exchange."""


class Wired:
    """`exchange` is ccxt's, `symbol` its name for bitcoin at this market."""

    def __init__(self, venue: ExchangeServer, exchange: Any) -> None:
        self.venue = venue
        self.exchange = exchange
        self.engine = venue.engine
        self.id = next(iter(venue.engine.rules))
        rules = venue.engine.rules[self.id]
        self.symbol = f"{rules.base}/{rules.quote}"
        if venue.market == "swap":
            self.symbol += f":{rules.quote}"

    def amount(self, coins: str) -> float:
        """As ccxt is told it: in contracts, where the exchange has them."""
        contract = self.exchange.market(self.symbol).get("contractSize") or 1
        return float(Decimal(coins) / Decimal(str(contract)))

    async def listening(self, watch: Awaitable[Any], *topics: str) -> asyncio.Task[Any]:
        """Begin to *watch*, and come back when the venue pushes to it.

        Once for each subscription: what arrives while nobody waits is only in ccxt's own lists
        (`exchange.orders`).
        """
        task = asyncio.ensure_future(watch)
        await until(lambda: self.watches(*topics) or task.done())
        return task

    async def told(self, watching: Awaitable[Any]) -> Any:
        """What a watch comes to; it does not wait for ever."""
        return await asyncio.wait_for(watching, PATIENCE)

    async def book(self, bid: float, ask: float) -> Any:
        """ccxt's own book of the stream, once these are its best prices."""

        def shown() -> Any:
            book = self.exchange.orderbooks.get(self.symbol)
            best = [book[side][0][0] for side in ("bids", "asks") if book and book[side]]
            return book if best == [bid, ask] else None

        return await until(shown)

    def watches(self, *topics: str) -> bool:
        """Whether a connection is told of the account, and subscribed to something of each
        *topic*; a login alone tells nothing yet."""
        return any(
            connection.is_user
            and (connection.names or not connection.key)
            and all(any(topic in name for name in connection.names) for topic in topics)
            for connection in self.venue.connections
        )


@asynccontextmanager
async def wired(
    exchange: str, market: str, *, key: ApiKey = OWNER, **options: Any
) -> AsyncIterator[Wired]:
    """With an outside book of 5 bitcoin a side, at 49,990 and 50,010."""
    async with ExchangeServer(exchange=exchange, market=market, **options) as venue:
        symbol = next(iter(venue.engine.rules))
        venue.engine.set_book(symbol, bids=[(49_990, 5)], asks=[(50_010, 5)])
        name = CLASSES.get((exchange, market), exchange)
        client = aim(getattr(ccxt.pro, name)(), venue, key)
        try:
            await client.load_markets()
            yield Wired(venue, client)
        finally:
            await client.close()
