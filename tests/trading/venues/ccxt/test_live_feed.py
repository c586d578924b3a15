"""Prices of a real exchange's protocol: candles by REST, the latest price by a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.servers.exchange import ExchangeServer, Garble, Refuse, spot_rules
from tests.trading.venues.ccxt_world import BTC, ETH, connect
from tests.waiting import until
from trading.clocks import SystemClock
from trading.errors import VenueRejected, VenueUnavailable
from trading.market.doubts import DoubtKind
from trading.ports import FeedState
from trading.types import Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.live_candles import MEND_EVERY
from trading.venues.ccxt.live_feed import LiveFeed
from trading.venues.ccxt.weights import Budgets

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ShiftedClock(SystemClock):
    """The real one, moved on by hand: candles close when a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.skipped = 0.0

    def now(self) -> datetime:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped


class Market:
    def __init__(
        self,
        server: ExchangeServer,
        clock: ShiftedClock,
        feed: LiveFeed,
        connection: Connection,
    ) -> None:
        self.server = server
        self.connection = connection
        self.engine = server.engine
        self.clock = clock
        self.feed = feed

    @property
    def last(self) -> datetime:
        return EPOCH + (self.clock.now() - EPOCH) // HOUR * HOUR

    def print_bars(self, count: int, *, base: str = "BTC", without: int = -1) -> None:
        """Hourly bars up to the last that has closed; their close is their number."""
        bars: list[Any] = []
        for number in range(count):
            if number != without:
                begin = self.last - (count - number) * HOUR
                bars.append(a_bar(begin, number + 1))
        self.server.klines[f"{base}USDT", "1h"] = bars

    def one_more_bar(self, base: str = "BTC", close: int = 77) -> None:
        self.server.klines[f"{base}USDT", "1h"].append(a_bar(self.last - HOUR, close))


def a_bar(begin: datetime, close: int) -> Any:
    opened = int(begin.timestamp() * 1000)
    price = str(close)
    return [opened, price, price, price, price, "5", opened + 3_599_999, "5", 1, "1", "1", "0"]


@asynccontextmanager
async def a_market(
    *, symbols: Any = ("BTC", "ETH"), bars: int = 20, wanted: Any = (BTC, ETH), **settings: Any
) -> AsyncIterator[Market]:
    clock = ShiftedClock()
    async with ExchangeServer(market="spot", symbols=symbols, beat=0.1) as server:
        connection = connect(server, clock)
        feed = LiveFeed(
            name="prices",
            connection=connection,
            symbols=wanted,
            timeframe=HOUR,
            bars=bars,
            clock=clock,
            **settings,
        )
        market = Market(server, clock, feed, connection)
        for symbol in wanted:
            market.print_bars(bars + 5, base=symbol.base)
        try:
            yield market
        finally:
            server.faults.clear()
            await feed.close()


# -- candles --------------------------------------------------------------------------------------


async def test_opening_reads_the_warm_up() -> None:
    async with a_market(bars=20) as market:
        await market.feed.open()
        candles = market.feed.candles(market.clock.now(), 20)
        assert candles.bars == 20
        assert candles.close[0].tolist() == [float(n) for n in range(6, 26)]
        assert market.feed.first_cursor == market.last


async def test_a_long_warm_up_is_read_in_pages() -> None:
    async with a_market(bars=1_500, wanted=(BTC,)) as market:
        await market.feed.open()
        closes = market.feed.candles(market.clock.now(), 1_500).close[0]
        assert closes.tolist() == [float(n) for n in range(6, 1_506)]
        assert len(market.server.asked("GET", "*/klines")) == 2


async def test_a_bar_that_the_exchange_has_not_is_missing_not_invented() -> None:
    async with a_market() as market:
        market.print_bars(25, without=15)
        await market.feed.open()
        closes = market.feed.candles(market.clock.now(), 20).close[0]
        assert np.isnan(closes[10])
        assert np.isfinite(np.delete(closes, 10)).all()


async def test_a_bar_that_has_closed_is_fetched_once() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = market.last
        assert await market.feed.closes(before) == ()
        market.clock.ahead += HOUR
        for base in ("BTC", "ETH"):
            market.one_more_bar(base)
        assert await market.feed.closes(before) == (before + HOUR,)
        assert market.feed.candles(market.clock.now(), 1).close.tolist() == [[77.0], [77.0]]
        asked = len(market.server.asked("GET", "*/klines"))
        assert await market.feed.closes(before) == (before + HOUR,)
        assert await market.feed.closes(before + HOUR) == ()
        assert len(market.server.asked("GET", "*/klines")) == asked


async def test_of_bars_that_closed_meanwhile_the_last_counts_and_all_are_read() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = market.last
        for close in (71, 72, 73):
            market.clock.ahead += HOUR
            for base in ("BTC", "ETH"):
                market.one_more_bar(base, close)
        assert await market.feed.closes(before) == (before + 3 * HOUR,)
        assert market.feed.candles(market.clock.now(), 3).close[0].tolist() == [71.0, 72.0, 73.0]


def a_bar_closed(market: Market, *, seconds_ago: float) -> datetime:
    """Move the clock there; returns the close before it."""
    before = market.last
    market.clock.ahead += before + HOUR - market.clock.now() + timedelta(seconds=seconds_ago)
    return before


async def test_a_bar_that_is_late_is_asked_for_again_and_the_others_are_not() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = a_bar_closed(market, seconds_ago=1)
        market.one_more_bar("ETH")
        asked = len(market.server.asked("GET", "*/klines", symbol="BTCUSDT"))
        closed = asyncio.create_task(market.feed.closes(before))
        await until(
            lambda: len(market.server.asked("GET", "*/klines", symbol="BTCUSDT")) > asked,
        )
        assert not closed.done()
        market.one_more_bar("BTC")
        assert await closed == (before + HOUR,)
        assert market.feed.candles(market.clock.now(), 1).close.tolist() == [[77.0], [77.0]]
        assert len(market.server.asked("GET", "*/klines", symbol="BTCUSDT")) == asked + 2
        assert len(market.server.asked("GET", "*/klines", symbol="ETHUSDT")) == asked + 1


async def test_a_bar_that_does_not_come_counts_as_missing_for_its_symbol() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = a_bar_closed(market, seconds_ago=9.5)
        market.one_more_bar("ETH")
        assert await market.feed.closes(before) == (before + HOUR,)
        btc, eth = market.feed.candles(market.clock.now(), 1).close[:, 0]
        assert np.isnan(btc)
        assert eth == 77.0


async def test_a_clock_set_back_does_not_prolong_the_wait_for_a_late_bar() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = a_bar_closed(market, seconds_ago=9)
        market.one_more_bar("ETH")
        asked = len(market.server.asked("GET", "*/klines"))
        closed = asyncio.create_task(market.feed.closes(before))
        await until(lambda: len(market.server.asked("GET", "*/klines")) == asked + 2)
        market.clock.ahead -= timedelta(days=1)
        assert await closed == (), "it is over, and no bar of later than now is told"


async def test_bars_of_a_future_that_was_not_are_forgotten() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = market.last
        market.clock.ahead += timedelta(days=1)
        assert await market.feed.closes(before) == (before + timedelta(days=1),)
        assert np.isnan(market.feed.candles(market.clock.now(), 1).close).all()
        market.clock.ahead -= timedelta(days=1)
        assert await market.feed.closes(before - HOUR) == (before,)
        assert await market.feed.closes(before) == ()
        assert np.isfinite(market.feed.candles(market.clock.now(), 1).close).all()


async def test_a_warm_up_that_is_too_fast_for_the_exchange_waits_and_goes_on() -> None:
    wait = Refuse(429, -1003, "Too many requests.", retry_after=1)
    async with a_market() as market:
        market.server.faults.on("GET", "*/klines", wait, times=1)
        await market.feed.open()
        assert market.feed.candles(market.clock.now(), 20).bars == 20
        first, *others = sorted(r.arrived for r in market.server.asked("GET", "*/klines"))
        together = [at for at in others if at < first + 900_000_000]
        assert len(together) <= 1, "what was under way already"


async def test_a_long_ban_is_no_prices() -> None:
    wait = Refuse(418, -1003, "Way too many requests; IP banned.", retry_after=600)
    async with a_market() as market:
        market.server.faults.on("GET", "*/klines", wait, times=None)
        with pytest.raises(VenueUnavailable, match=r"refused until|BANNED UNTIL"):
            await market.feed.open()


async def test_without_candles_nothing_is_decided() -> None:
    async with a_market() as market:
        market.server.faults.on("GET", "*/klines", Garble(), times=None)
        with pytest.raises(VenueUnavailable):
            await market.feed.closes(market.last - HOUR)
        market.server.faults.clear()
        assert await market.feed.closes(market.last - HOUR) == (market.last,)


# -- who is followed ------------------------------------------------------------------------------

XRP = Symbol("XRP", "USDT")
MORE = ("BTC", "ETH", "XRP")


async def test_who_joins_brings_the_bars_that_the_others_have() -> None:
    async with a_market(symbols=MORE) as market:
        market.print_bars(25, base="XRP")
        await market.feed.open()
        asked = len(market.server.asked("GET", "*/klines"))
        await market.feed.follow((ETH, BTC, XRP))

        candles = market.feed.candles(market.clock.now(), 20)
        assert candles.symbols == (ETH, BTC, XRP)
        assert market.feed.symbols == (ETH, BTC, XRP)
        assert candles.close.tolist() == [[float(n) for n in range(6, 26)]] * 3
        assert len(market.server.asked("GET", "*/klines")) == asked + 1, "only the new one"

        await market.feed.follow((ETH, BTC, XRP))
        assert len(market.server.asked("GET", "*/klines")) == asked + 1


async def test_who_has_joined_gets_its_price_by_stream_and_who_has_left_no_longer() -> None:
    async with a_market(symbols=MORE) as market:
        market.print_bars(25, base="XRP")
        for base, price in (("BTC", 100), ("ETH", 200), ("XRP", 300)):
            market.engine.quote(f"{base}USDT", price)
        await market.feed.open()
        await until(lambda: {BTC, ETH} <= set(market.feed.heard))

        await market.feed.follow((BTC, XRP))
        market.engine.others_trade("XRPUSDT", 301, 1)
        await until(lambda: XRP in market.feed.heard)
        assert ETH not in market.feed.heard
        assert market.feed.quote(ETH) is None
        assert market.feed.candles(market.clock.now(), 1).symbols == (BTC, XRP)


async def test_a_bar_that_closes_later_is_fetched_for_whoever_is_followed_then() -> None:
    async with a_market(symbols=MORE) as market:
        market.print_bars(25, base="XRP")
        await market.feed.open()
        await market.feed.follow((BTC, XRP))
        after = market.last
        market.clock.ahead += HOUR
        for base in ("BTC", "XRP"):
            market.one_more_bar(base)

        assert await market.feed.closes(after) == (market.last,)
        candles = market.feed.candles(market.clock.now(), 1)
        assert candles.close.tolist() == [[77.0], [77.0]]


async def test_one_whose_candles_cannot_be_had_joins_later_and_holds_up_nobody() -> None:
    async with a_market(symbols=MORE) as market:
        market.print_bars(25, base="XRP")
        await market.feed.open()
        market.server.faults.on("GET", "*/klines", Refuse(503, -1008, "overloaded"))
        await market.feed.follow((BTC, ETH, XRP))
        assert market.feed.candles(market.clock.now(), 1).symbols == (BTC, ETH)

        await market.feed.follow((BTC, ETH, XRP))
        assert market.feed.candles(market.clock.now(), 1).symbols == (BTC, ETH, XRP)


async def test_before_it_is_open_it_takes_note_of_whom_to_begin_with() -> None:
    async with a_market(symbols=MORE) as market:
        market.print_bars(25, base="XRP")
        await market.feed.follow((XRP, ETH))
        assert market.server.asked("GET", "*/klines") == []

        await market.feed.open()
        assert market.feed.candles(market.clock.now(), 1).symbols == (XRP, ETH)


async def test_many_small_changes_end_in_few_subscriptions() -> None:
    async with a_market(symbols=MORE) as market:
        for base in MORE:
            market.print_bars(25, base=base)
            market.engine.quote(f"{base}USDT", 100)
        await market.feed.open()
        for _ in range(12):
            await market.feed.follow((BTC,))
            await market.feed.follow((BTC, ETH))
            await market.feed.follow((BTC, ETH, XRP))
        assert len(asyncio.all_tasks()) < 30
        await until(lambda: set(market.feed.heard) == {BTC, ETH, XRP})


async def test_when_all_leave_it_listens_to_nobody_and_can_be_joined_again() -> None:
    async with a_market(symbols=MORE) as market:
        for base in MORE:
            market.print_bars(25, base=base)
            market.engine.quote(f"{base}USDT", 100)
        await market.feed.open()
        await market.feed.follow(())
        assert market.feed.candles(market.clock.now(), 1).symbols == ()

        await market.feed.follow((XRP,))
        market.engine.others_trade("XRPUSDT", 101, 1)
        await until(lambda: XRP in market.feed.heard)
        assert set(market.feed.heard) == {XRP}


# -- the latest price -----------------------------------------------------------------------------


def prices(market: Market, symbol: Symbol = BTC) -> Callable[[int], bool]:
    def is_at(price: int) -> bool:
        quote = market.feed.quote(symbol)
        return quote is not None and quote.price == Decimal(price)

    return is_at


async def test_before_the_first_tick_the_last_close_is_known_and_stale() -> None:
    async with a_market() as market:
        market.server.faults.on("WS", "*", Garble(), times=None)
        market.server.faults.on("GET", "*/ticker/*", Garble(), times=None)
        await market.feed.open()
        quote = market.feed.quote(BTC)
        assert quote is not None
        assert (quote.price, quote.at) == (Decimal("25.0"), market.last)
        assert market.feed.state() is FeedState.STALE


async def test_ticks_are_heard_as_they_come() -> None:
    async with a_market() as market:
        await market.feed.open()
        await until(lambda: market.feed.state() is FeedState.LIVE)
        market.engine.trade_through("BTCUSDT", 51_000)
        await until(lambda: prices(market)(51_000))
        early = market.feed.quote(BTC, market.last)
        assert early is not None
        assert early.price == Decimal("25.0")


async def test_prices_go_stale_when_nothing_is_heard_and_come_back() -> None:
    async with a_market(stale_after=0.5) as market:
        await market.feed.open()
        await until(lambda: market.feed.state() is FeedState.LIVE)
        await market.server.stop_listening()
        await until(lambda: market.feed.state() is FeedState.STALE)
        await market.server.start_listening()
        await until(lambda: market.feed.state() is FeedState.LIVE)


async def test_while_the_stream_is_broken_prices_are_asked_for() -> None:
    async with a_market() as market:
        market.server.faults.on("WS", "*", Garble(), times=None)
        await market.feed.open()
        await until(lambda: prices(market)(50_000))
        assert market.feed.state() is FeedState.LIVE


async def test_a_wrong_tick_is_ignored_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with a_market() as market:
        await market.feed.open()
        await until(lambda: market.feed.state() is FeedState.LIVE)
        good = market.feed.quote(BTC)
        assert good is not None
        old = int((good.at - HOUR).timestamp() * 1000)
        for last, made in (("0", None), ("NaN", None), ("-5", None), ("60000", old), (None, None)):
            tick = {"symbol": "BTC/USDT", "last": last, "timestamp": made}
            with caplog.at_level(logging.WARNING):
                market.feed.take(BTC, tick)
            now = market.feed.quote(BTC)
            assert now is not None
            assert now.price == good.price
        assert caplog.text.count("a tick of BTC/USDT makes no sense") == 1


async def test_a_clock_set_back_stops_no_prices() -> None:
    async with a_market() as market:
        await market.feed.open()
        await until(lambda: market.feed.state() is FeedState.LIVE)
        market.clock.ahead -= timedelta(hours=5)
        market.engine.trade_through("BTCUSDT", 51_000)
        await until(lambda: prices(market)(51_000))
        quote = market.feed.quote(BTC)
        assert quote is not None
        assert quote.at <= market.clock.now(), "no price is of the future"


async def test_hundreds_of_symbols_share_a_few_subscriptions() -> None:
    bases = [f"C{n:03}" for n in range(648)]
    wanted = tuple(Symbol(base, "USDT") for base in bases)
    rules = [spot_rules(base) for base in bases]
    async with a_market(symbols=rules, wanted=wanted, bars=2) as market:
        await market.feed.open()
        await until(lambda: all(s in market.feed.heard for s in wanted))
        assert len(market.server.connections) <= 13
        assert all(len(c.names) <= 50 for c in market.server.connections)


# -- sharing --------------------------------------------------------------------------------------


async def test_a_connection_stays_open_until_the_last_user_leaves() -> None:
    clock = SystemClock()
    async with ExchangeServer(market="spot") as server:
        connection = connect(server, clock)
        await connection.open("venue")
        await connection.open("feed")
        await connection.open("feed")
        assert len(server.asked("GET", "*/exchangeInfo")) == 1
        await connection.close("venue")
        assert await connection.ask(connection.ccxt.fetch_time, about="time") > 0
        await connection.close("feed")
        with pytest.raises(VenueUnavailable, match="not connected yet"):
            _ = connection.ccxt


async def test_accounts_on_one_host_share_its_budget() -> None:
    clock = SystemClock()
    budgets = Budgets(clock=clock)
    async with ExchangeServer(market="spot") as server, ExchangeServer(market="swap") as other:
        first, second = (connect(server, clock, budgets=budgets) for _ in range(2))
        elsewhere = connect(other, clock, budgets=budgets)
        assert shares(first, second)
        assert not shares(first, elsewhere)


def shares(first: Connection, second: Connection) -> bool:
    return first.budget is second.budget


# -- gaps -----------------------------------------------------------------------------------------


DOWN = Refuse(503, -1008, "overloaded")


def of(base: str) -> dict[str, str]:
    return {"symbol": f"{base}USDT"}


async def test_one_whose_bar_cannot_be_had_holds_up_nobody_and_is_not_entered() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = a_bar_closed(market, seconds_ago=9.5)
        for base in ("BTC", "ETH"):
            market.one_more_bar(base)
        market.server.faults.on("GET", "*/klines", DOWN, where=of("BTC"), times=None)
        assert await market.feed.closes(before) == (before + HOUR,)
        btc, eth = market.feed.candles(market.clock.now(), 1).close[:, 0]
        assert np.isnan(btc)
        assert eth == 77.0
        told = f"its candle of {before + HOUR:%H:%M} could not be had: "
        assert market.feed.objection(BTC).startswith(told)
        assert market.feed.objection(ETH) == ""
        doubt, *others = market.feed.doubts()
        assert (doubt.kind, doubt.symbols, others) == (DoubtKind.GAP, (BTC,), [])


async def test_a_gap_is_filled_as_soon_as_its_bar_can_be_had() -> None:
    async with a_market() as market:
        await market.feed.open()
        before = a_bar_closed(market, seconds_ago=9.5)
        for base in ("BTC", "ETH"):
            market.one_more_bar(base)
        market.server.faults.on("GET", "*/klines", DOWN, where=of("BTC"), times=1)
        await market.feed.closes(before)
        await market.feed.mend()
        assert market.feed.candles(market.clock.now(), 1).close.tolist() == [[77.0], [77.0]]
        assert market.feed.objection(BTC) == ""
        assert market.feed.doubts() == []


async def test_a_bar_that_an_exchange_never_has_is_told_as_missing_and_asked_for_no_more() -> None:
    async with a_market(wanted=(BTC,)) as market:
        market.print_bars(25, without=15)
        await market.feed.open()
        assert market.feed.objection(BTC) == ""
        for _ in range(4):
            await market.feed.mend()
            market.clock.skipped += MEND_EVERY
        asked = len(market.server.asked("GET", "*/klines"))
        assert asked == 3, "the warm-up, and twice again"
        (doubt,) = market.feed.doubts()
        assert (doubt.kind, doubt.symbols) == (DoubtKind.MISSING, (BTC,))
        assert f"closed at {market.last - 9 * HOUR:%H:%M} UTC" in doubt.why
        assert market.feed.objection(BTC) == "", "strategies go on without it"


async def test_bars_that_open_at_other_moments_than_everywhere_else_are_refused() -> None:
    async with a_market(wanted=(BTC,)) as market:
        bars = market.server.klines["BTCUSDT", "1h"]
        for bar in bars:
            bar[0] += 30 * 60_000
        with pytest.raises(VenueRejected, match=r"candles of 1h of BTC/USDT open at \d\d:30 UTC"):
            await market.feed.open()


async def test_two_traders_of_one_exchange_ask_once() -> None:
    async with a_market() as market:
        other = LiveFeed(
            name="other",
            connection=market.connection,
            symbols=(ETH, BTC),
            timeframe=HOUR,
            bars=20,
            clock=market.clock,
        )
        try:
            await asyncio.gather(market.feed.open(), other.open())
            assert len(market.server.asked("GET", "*/klines")) == 2
            expected = [[float(n) for n in range(6, 26)]] * 2
            assert other.candles(market.clock.now(), 20).close.tolist() == expected
        finally:
            await other.close()


async def test_an_endpoint_that_fails_is_told_by_its_name_until_it_is_answered() -> None:
    async with a_market() as market:
        await market.feed.open()
        market.server.faults.on("GET", "*/klines", Garble(), times=None)
        before = a_bar_closed(market, seconds_ago=9.5)
        with pytest.raises(VenueUnavailable):
            await market.feed.closes(before)
        (doubt,) = market.feed.doubts()
        assert (doubt.kind, doubt.source) == (DoubtKind.ENDPOINT, "candles of binance spot")
        assert "candles failed" in doubt.why
        market.server.faults.clear()
        assert await market.feed.closes(before) == (before + HOUR,)
        assert DoubtKind.ENDPOINT not in {doubt.kind for doubt in market.feed.doubts()}
