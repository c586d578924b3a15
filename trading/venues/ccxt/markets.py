"""The markets of an exchange as it last told them, and when to read them again.

What is not listed there any more, or listed and not traded, is that symbol's trouble alone: it is a
state to ask about (`untraded`), never an error of whoever asks about all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from trading.clocks import Clock
from trading.common.tasks import set_within
from trading.errors import VenueError
from trading.types import Symbol
from trading.venues.ccxt.exchange import Exchange

log = logging.getLogger(__name__)

REFRESH = 900.0
"""Seconds after which the markets' rules and states are read again."""
DOUBTED = 10.0
"""Seconds between two readings because answers said otherwise."""
FRESH = 5.0
"""Seconds for which what was read need not be read again, whoever asks."""


class Markets:
    """*ccxt* tells ccxt's exchange, once there is a connection; *load* reads its markets anew."""

    generation = 0
    """How often they were read: what was made of them before is old."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        clock: Clock,
        ccxt: Callable[[], Any],
        load: Callable[[], Awaitable[Any]],
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._ccxt = ccxt
        self._load = load
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._doubted = asyncio.Event()

    def of(self, symbol: Symbol) -> Any:
        """ccxt's description; None: it is not listed, or nobody is connected yet."""
        return self.named(self._exchange.row.market_of(symbol))

    def named(self, market: str) -> Any:
        """The same by ccxt's name of it."""
        exchange = self._ccxt()
        return None if exchange is None else exchange.markets.get(market)

    def untraded(self, symbol: Symbol) -> str:
        """Why *symbol* is not traded there now, as a clause; empty: it is, or nobody knows yet."""
        if self._ccxt() is None:
            return ""
        market, exchange = self.of(symbol), self._exchange.row.exchange
        if market is None:
            return f"{symbol} is not traded on {exchange}: it is not listed there"
        if self._exchange.is_halted(market):
            return f"{symbol} is not traded on {exchange}: its market is halted there"
        return ""

    def were_read(self) -> None:
        self.generation += 1
        self._read_at = self._clock.monotonic()
        self._doubted.clear()

    def doubt(self) -> None:
        """An answer says that a market is not as it was: read them soon."""
        self._doubted.set()

    async def reread(self, *, fresh: float = FRESH) -> None:
        """Read them now, unless they are less than *fresh* seconds old.  Raises `VenueError`."""
        async with self._reading:
            if self._clock.monotonic() - self._read_at >= fresh:
                await self._load()
                self.were_read()

    async def keep_fresh(self) -> None:
        """Read them again and again, until cancelled."""
        while True:
            await self._wait()
            try:
                await self.reread()
            except VenueError as error:
                log.warning(
                    "the markets of %s cannot be read: %s", self._exchange.row.exchange, error
                )
                await self._clock.sleep(DOUBTED)

    async def _wait(self) -> None:
        await set_within(self._clock, REFRESH, self._doubted)
        early = DOUBTED - (self._clock.monotonic() - self._read_at)
        if early > 0:
            await self._clock.sleep(early)
