"""Candles as they close, told by the exchange unasked: nobody need ask for them.

What it tells is put into the cache that all candles are looked up in; what it does not, is asked
for.  Only where candles are short: of long ones there are few to ask for, and a stream of each
price that makes them would cost more than it saves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from trading.clocks import Clock
from trading.types import Symbol
from trading.venues.ccxt.batches import Batches
from trading.venues.ccxt.candle_asks import timeframe_name
from trading.venues.ccxt.connection import Connection

log = logging.getLogger(__name__)

LONGEST = timedelta(minutes=5)
"""Candles that are streamed."""
TIMEOUT = 2.0
"""Seconds after which a candle that was not told is asked for."""
LOOK_EVERY = 0.05
ALIVE = 10.0
"""Seconds without a word about any market, after which a stream counts as silent."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between two tries of the stream."""


class CandleStream:
    def __init__(self, *, connection: Connection, timeframe: timedelta, clock: Clock) -> None:
        self._connection = connection
        self._timeframe = timeframe
        self._clock = clock
        self._batches = Batches(self._listen, name=f"{connection.row.exchange}: candles")

    @property
    def is_offered(self) -> bool:
        return self._connection.row.streams_candles and self._timeframe <= LONGEST

    def follow(self, markets: Mapping[Symbol, str]) -> None:
        """Have those of *markets* told alone, from now on."""
        if self.is_offered:
            self._batches.follow(markets)

    async def close(self) -> None:
        await self._batches.close()

    async def told(self, symbols: Sequence[Symbol], close: int) -> None:
        """Wait until the candles of *symbols* that close at *close* (milliseconds) are known, while
        there is hope."""
        row, find = self._connection.row, self._connection.candles.find
        missing = [(row.market_of(symbol), self._timeframe) for symbol in symbols]
        until = self._clock.monotonic() + TIMEOUT
        while self.is_alive and self._clock.monotonic() < until:
            missing = [key for key in missing if not find(key, (close,))]
            if not missing:
                return
            await self._clock.sleep(LOOK_EVERY)

    @property
    def is_alive(self) -> bool:
        heard = self._connection.candles_heard_at
        return self.is_offered and self._clock.monotonic() - heard < ALIVE

    async def _listen(self, batch: Mapping[Symbol, str]) -> None:
        """For ever; what comes goes its way before ccxt has counted it."""
        name, exchange, delay = timeframe_name(self._timeframe), self._connection.ccxt, FIRST_DELAY
        while True:
            traded = [m for s, m in batch.items() if not self._connection.markets.untraded(s)]
            try:
                await exchange.watch_ohlcv_for_symbols([[market, name] for market in traded])
                delay = FIRST_DELAY
                continue
            except Exception as error:  # noqa: BLE001  # whatever ccxt's streams raise
                words = self._connection.exchange.said(error)
                log.warning("the candles of %s broke off: %s", self._connection.row.exchange, words)
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
