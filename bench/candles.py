"""Candles of hundreds of symbols from an exchange: all by REST at the beginning, then each minute.

The exchange is the loopback Binance of the tests, in a process of its own, with its limits set
aside; the client is the product's: ccxt, aiohttp, cache, window.  What is told beside the time is
the processor's on this side, which bounds it: parsing what comes, and what ccxt does around it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter

from bench.figures import Figure
from bench.venue import PLENTY
from tests.servers.exchange.process import ExchangeProcess
from trading.clocks import SystemClock
from trading.types import Symbol
from trading.venues.ccxt.connection import ApiAccess, Connection
from trading.venues.ccxt.live_feed import LiveFeed
from trading.venues.ccxt.row import Market
from trading.venues.exchanges import exchange

SYMBOLS, BARS = 648, 200
GOAL, SLOWER = 2.5, 0.4
"""Seconds, on a machine where the loop takes as long as the second says."""
MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASES = [f"C{number:03}" for number in range(SYMBOLS)]
WANTED = tuple(Symbol(base, "USDT") for base in BASES)


class MinutesAhead(SystemClock):
    """Begins two minutes late, and is moved on by hand: for the exchange those have closed."""

    ahead = -2 * MINUTE

    def now(self) -> datetime:
        return super().now() + self.ahead


def measure() -> list[Figure]:
    with ExchangeProcess(market="swap", symbols=BASES) as venue:
        venue.tell("unlimited")
        return asyncio.run(_measured(venue))


async def _measured(venue: ExchangeProcess) -> list[Figure]:
    clock = MinutesAhead()
    _show(venue, clock, BARS)
    real = exchange("binance", Market.SWAP)
    connection = Connection(
        exchange=type(real)(replace(real.row, weight_per_minute=PLENTY)),
        access=ApiAccess(),
        clock=clock,
        url=venue.url,
        ws_url=venue.ws_url,
    )
    feed = LiveFeed(
        name="prices", connection=connection, symbols=WANTED, timeframe=MINUTE, bars=BARS,
        clock=clock,
    )  # fmt: skip
    await connection.open("bench")
    try:
        seconds, processor = await _timed(feed)
        streamed, asked = await _streamed(venue, clock, feed)
    finally:
        await feed.close()
        await connection.close("bench")
    what = f"{SYMBOLS} symbols"
    return [
        Figure(
            name=f"candles by REST, {what} x {BARS} from the loopback exchange without limits",
            value=seconds, unit="s", goal=GOAL, at=SLOWER, headline=True,
            note=f"{processor:.2f} s of it is this side's processor",
        ),
        Figure(
            name=f"a minute of {what} by stream: requests", value=float(asked), unit="", goal=0.0,
            headline=True,
        ),
        Figure(name=f"a minute of {what} by stream, processor", value=streamed, unit="s"),
    ]  # fmt: skip


async def _timed(feed: LiveFeed) -> tuple[float, float]:
    """Seconds of the first read, and of this process's processor in it."""
    began, used = perf_counter(), time.process_time()
    await feed.open()
    return perf_counter() - began, time.process_time() - used


async def _streamed(
    venue: ExchangeProcess, clock: MinutesAhead, feed: LiveFeed
) -> tuple[float, int]:
    """Processor seconds of a minute that comes by stream, and how many requests there were."""
    while len(feed.heard) < SYMBOLS:
        await asyncio.sleep(0.1)
    await asyncio.sleep(2)  # all have subscribed
    before = feed.first_cursor
    asked = len(venue.tell("asked", method="GET", path="*/klines"))
    clock.ahead += MINUTE
    _show(venue, clock, BARS)
    used = time.process_time()
    while not await feed.closes(before):
        await asyncio.sleep(0.1)
    used = time.process_time() - used
    return used, len(venue.tell("asked", method="GET", path="*/klines")) - asked


def _show(venue: ExchangeProcess, clock: MinutesAhead, count: int) -> None:
    """So many bars of every market, the last of which has just closed."""
    last = _EPOCH + (clock.now() - _EPOCH) // MINUTE * MINUTE
    opened = [int((last - n * MINUTE).timestamp() * 1000) for n in range(count, 0, -1)]
    rows = [
        [at, "101.5", "102.25", "100.75", "101.25", "1234.5", at + 59_999, "125000.5", 812,
         "600.5", "61000.25", "0"]
        for at in opened
    ]  # fmt: skip
    venue.tell("klines", symbol="*", interval="1m", rows=rows)
