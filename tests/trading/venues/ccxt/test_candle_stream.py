"""Candles by stream first: what it tells is not asked for, what it does not tell is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers.exchange import ExchangeServer, Garble
from tests.trading.venues.ccxt_world import BTC, ETH, connect
from tests.waiting import until
from trading.clocks import SystemClock
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.live_feed import LiveFeed

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AheadClock(SystemClock):
    """The real one, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class StreamedMarket:
    def __init__(
        self, server: ExchangeServer, clock: AheadClock, feed: LiveFeed, connection: Connection
    ) -> None:
        self.server = server
        self.clock = clock
        self.feed = feed
        self.connection = connection
        for base in ("BTC", "ETH"):
            bars = [a_bar(self.last - n * MINUTE, 100 - n) for n in range(10, 0, -1)]
            server.klines[f"{base}USDT", "1m"] = bars

    @property
    def last(self) -> datetime:
        return EPOCH + (self.clock.now() - EPOCH) // MINUTE * MINUTE

    def asked(self) -> int:
        return len(self.server.asked("GET", "*/klines"))

    def a_minute_ends(self, *bases: str, close: int = 77) -> datetime:
        """A bar closes; returns the close before it."""
        before = self.last
        self.clock.ahead += MINUTE
        for base in bases:
            self.server.klines[f"{base}USDT", "1m"].append(a_bar(self.last - MINUTE, close))
        return before

    async def is_streamed(self) -> None:
        heard = self.connection.candles_heard_at
        await until(lambda: self.connection.candles_heard_at > heard)


def a_bar(begin: datetime, close: int) -> list[Any]:
    opened = int(begin.timestamp() * 1000)
    price = str(close)
    return [opened, price, price, price, price, "5", opened + 59_999, "5", 1, "1", "1", "0"]


@asynccontextmanager
async def a_market(market: str = "spot", *, timeframe: timedelta = MINUTE) -> AsyncIterator[Any]:
    clock = AheadClock()
    async with ExchangeServer(market=market, symbols=("BTC", "ETH"), beat=0.05, clock=clock) as it:
        connection = connect(it, clock)
        feed = LiveFeed(
            name="prices", connection=connection, symbols=(BTC, ETH), timeframe=timeframe, bars=5,
            clock=clock,
        )  # fmt: skip
        try:
            yield StreamedMarket(it, clock, feed, connection)
        finally:
            it.faults.clear()
            await feed.close()


@pytest.mark.parametrize("kind", ["spot", "swap"])
async def test_a_candle_that_a_stream_tells_is_not_asked_for(kind: str) -> None:
    async with a_market(kind) as market:
        await market.feed.open()
        await market.is_streamed()
        asked = market.asked()
        before = market.a_minute_ends("BTC", "ETH")
        assert await market.feed.closes(before) == (before + MINUTE,)
        assert market.feed.candles(market.clock.now(), 1).close.tolist() == [[77.0], [77.0]]
        assert market.feed.candles(market.clock.now(), 1).volume.tolist() == [[5.0], [5.0]]
        assert market.asked() == asked


async def test_a_candle_that_the_stream_does_not_tell_is_asked_for() -> None:
    async with a_market() as market:
        await market.feed.open()
        await market.is_streamed()
        before = market.a_minute_ends("ETH")
        key = ("ETH/USDT", MINUTE)
        closed = int(market.last.timestamp() * 1000)
        await until(lambda: market.connection.candles.find(key, (closed,)))
        market.server.faults.on("WS", "*", Garble(), times=None)
        market.server.disconnect()
        market.server.klines["BTCUSDT", "1m"].append(a_bar(market.last - MINUTE, 78))
        assert await market.feed.closes(before) == (before + MINUTE,)
        assert market.feed.candles(market.clock.now(), 1).close.tolist() == [[78.0], [77.0]]
        assert [r.params["symbol"] for r in market.server.asked("GET", "*/klines")][-1] == "BTCUSDT"


async def test_while_the_stream_is_broken_all_candles_are_asked_for_and_then_told_again() -> None:
    async with a_market() as market:
        market.server.faults.on("WS", "*", Garble(), times=None)
        await market.feed.open()
        asked = market.asked()
        before = market.a_minute_ends("BTC", "ETH")
        assert await market.feed.closes(before) == (before + MINUTE,)
        assert market.asked() == asked + 2

        market.server.faults.clear()
        await market.is_streamed()
        before = market.a_minute_ends("BTC", "ETH", close=79)
        assert await market.feed.closes(before) == (before + MINUTE,)
        assert market.feed.candles(market.clock.now(), 1).close.tolist() == [[79.0], [79.0]]
        assert market.asked() == asked + 2


async def test_a_candle_that_has_not_closed_is_no_candle_yet() -> None:
    async with a_market() as market:
        await market.feed.open()
        await market.is_streamed()
        unfinished = a_bar(market.last, 50)
        market.server.klines["BTCUSDT", "1m"].append(unfinished)
        heard = market.connection.candles_heard_at
        await until(lambda: market.connection.candles_heard_at > heard)
        closes = int((market.last + MINUTE).timestamp() * 1000)
        assert market.connection.candles.find(("BTC/USDT", MINUTE), (closes,)) == {}


async def test_of_long_candles_nobody_streams_each_price() -> None:
    async with a_market(timeframe=timedelta(hours=1)) as market:
        for base in ("BTC", "ETH"):
            market.server.klines[f"{base}USDT", "1h"] = []
        await market.feed.open()
        await until(lambda: {BTC, ETH} <= set(market.feed.heard))
        names = [n for c in market.server.connections for n in c.names]
        assert names
        assert not [name for name in names if "kline" in name]
