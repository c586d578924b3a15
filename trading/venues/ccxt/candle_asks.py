"""Candles of one exchange, asked for by REST: in pages, through the cache, on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.clocks import Clock
from trading.errors import VenueRejected, VenueUnavailable
from trading.market.candle_cache import CandleKey
from trading.types import Symbol
from trading.venues.ccxt.connection import Connection

LONGEST_BAN = 60.0
"""Seconds of a ban that are waited out; a longer one counts as no prices, and is told as that."""

Bars = dict[int, NDArray[np.float64]]
"""Open, high, low, close and volume by close time, in milliseconds."""


class CandleAsks:
    def __init__(self, *, connection: Connection, timeframe: timedelta, clock: Clock) -> None:
        self._connection = connection
        self._timeframe = timeframe
        self._name = timeframe_name(timeframe)
        self._step = timeframe // timedelta(milliseconds=1)
        self._clock = clock

    def key(self, symbol: Symbol) -> CandleKey:
        return self._connection.row.market_of(symbol), self._timeframe

    def known(self, symbol: Symbol, times: Sequence[int]) -> Bars:
        """Those of *times* that somebody was told lately."""
        return self._connection.candles.find(self.key(symbol), times)

    async def found(self, symbol: Symbol, times: Sequence[int]) -> Bars:
        """The bars of *symbol* at those of *times* that are there; asks for what nobody has.

        Raises `VenueError`.
        """
        cache, key = self._connection.candles, self.key(symbol)
        async with cache.asking(key):
            found = cache.find(key, times)
            lacking = [time for time in times if time not in found]
            if not lacking:
                return found
            told = await self._pages(symbol, lacking[0] - self._step, lacking[-1] - self._step)
            cache.put(key, told)
        asked = set(lacking)
        new = {time: np.array(bar) for time, bar in told.items() if time in asked}
        return found | new

    async def _pages(self, symbol: Symbol, begin: int, last: int) -> dict[int, list[float]]:
        """From the bar that opens at *begin* to that which opens at *last*."""
        told: dict[int, list[float]] = {}
        market = self._connection.row.market_of(symbol)
        while begin <= last:
            asked = min(self._connection.row.candles, (last - begin) // self._step + 1)
            for row in await self._ask(symbol, begin, asked):
                opened = int(row[0])
                self._check(symbol, opened)
                if begin <= opened <= last:
                    told[opened + self._step] = self._connection.counted(market, row)
            begin += asked * self._step
        return told

    def _check(self, symbol: Symbol, opened: int) -> None:
        """Bars that open at other moments elsewhere are not the same bars."""
        if opened % self._step:
            minutes = opened // 60_000 % 1_440
            at = f"{minutes // 60:02}:{minutes % 60:02} UTC"
            raise VenueRejected(
                f"candles of {self._name} of {symbol} open at {at} on "
                f"{self._connection.row.exchange}, and not with those of everybody else"
            )

    async def _ask(self, symbol: Symbol, begin: int, count: int) -> list[list[Any]]:
        """Asks again after a ban that is short: being told to wait is no loss of prices."""
        connection = self._connection
        market = connection.row.market_of(symbol)
        while True:
            try:
                return await connection.exchange.candles(
                    connection, market, self._name, begin, count
                )
            except VenueUnavailable:
                banned = connection.budget.banned_for
                if not 0 < banned <= LONGEST_BAN:
                    raise
                await self._clock.sleep(banned)


def timeframe_name(timeframe: timedelta) -> str:
    """As ccxt calls it: `15m`, `4h`, `1d`."""
    minutes = timeframe // timedelta(minutes=1)
    if minutes % 1440 == 0:
        return f"{minutes // 1440}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
