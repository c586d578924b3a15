from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.trading.venues.paper_world import BTC, ETH, NOON, QUIET, RULES, later, recording
from trading.clocks import ManualClock
from trading.ports import Feed, FeedState
from trading.types import Symbol
from trading.venues.replay import ReplayFeed

RISING = [(100 + n, 101 + n, 99 + n, 100.5 + n, 10.0) for n in range(5)]


def a_feed(clock: ManualClock, speed: float = 60.0) -> ReplayFeed:
    return ReplayFeed(
        name="replay",
        clock=clock,
        speed=speed,
        recording=lambda: recording(RISING, eth=[QUIET, None, None, QUIET, None]),
        rules=RULES,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def feed(clock: ManualClock) -> ReplayFeed:
    return a_feed(clock)


async def test_it_is_a_feed(feed: ReplayFeed) -> None:
    port: Feed = feed
    assert port.symbols == (BTC, ETH)
    assert feed.speed == 60


async def test_the_market_rests_until_it_is_resumed(clock: ManualClock, feed: ReplayFeed) -> None:
    clock.advance(100)
    assert feed.now() == feed.first_cursor == NOON
    assert feed.state() is FeedState.LIVE
    assert await feed.closes(NOON) == []


async def test_bars_close_as_market_time_passes(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(NOON)
    clock.advance(0.99)
    assert await feed.closes(NOON) == []
    clock.advance(1.01)
    assert await feed.closes(NOON) == [later(1), later(2)]
    assert await feed.closes(later(1)) == [later(2)]


async def test_it_goes_on_at_the_saved_cursor(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(later(2))
    assert await feed.closes(later(2)) == []
    clock.advance(1)
    assert await feed.closes(later(2)) == [later(3)]


def test_market_time_never_runs_backwards(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(later(2))
    clock.advance(0.5)
    feed.resume(NOON)
    assert feed.now() == later(2.5)
    feed.resume(later(4))
    assert feed.now() == later(4)
    feed.resume(NOON - timedelta(days=1))
    assert feed.now() == later(4)


async def test_its_time_stands_at_a_close_until_that_bar_is_handled(
    clock: ManualClock, feed: ReplayFeed
) -> None:
    """Whoever is late misses nothing: no bar is looked at with the prices of a later one."""
    feed.resume(NOON)
    feed.handled(NOON)
    clock.advance(2.5)
    assert feed.now() == later(1)
    assert await feed.closes(NOON) == [later(1), later(2)], "and more wait"
    feed.handled(later(1))
    assert feed.now() == later(2)
    feed.handled(later(2))
    assert feed.now() == later(2) + timedelta(seconds=30)


def test_it_ends_with_the_last_bar(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(NOON)
    clock.advance(3.9)
    assert feed.state() is FeedState.LIVE
    clock.advance(100)
    assert feed.now() == feed.end == later(4)
    assert feed.state() is FeedState.ENDED


def test_candles_are_the_last_ones_closed(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(NOON)
    clock.advance(4)
    candles = feed.candles(later(2.5), 2)
    assert candles.close[0].tolist() == [101.5, 102.5]
    assert candles.symbols == (BTC, ETH)
    assert feed.candles(later(2), 100).bars == 3
    assert feed.candles(later(2), 0).bars == 0
    assert feed.candles(later(-1), 5).bars == 0


def test_the_future_is_not_shown(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(NOON)
    clock.advance(1)
    assert feed.candles(later(4), 100).bars == 2
    quote = feed.quote(BTC, later(4))
    assert quote is not None
    assert quote.at == later(1)


def test_a_quote_is_the_last_close_on_the_tick(clock: ManualClock, feed: ReplayFeed) -> None:
    feed.resume(NOON)
    clock.advance(2.5)
    quote = feed.quote(BTC)
    assert quote is not None
    assert (quote.price, quote.at) == (Decimal("102.50"), later(2))
    earlier = feed.quote(BTC, later(1.9))
    assert earlier is not None
    assert earlier.price == Decimal("101.50")


def test_a_missing_bar_keeps_the_older_quote_and_its_true_time(
    clock: ManualClock, feed: ReplayFeed
) -> None:
    feed.resume(NOON)
    clock.advance(2)
    quote = feed.quote(ETH)
    assert quote is not None
    assert (quote.price, quote.at) == (Decimal(100), NOON)


def test_there_is_no_quote_before_the_first_bar_or_of_strangers(feed: ReplayFeed) -> None:
    assert feed.quote(BTC, later(-1)) is None
    assert feed.quote(Symbol("SOL", "USDT")) is None


def test_the_symbols_may_be_chosen_and_ordered(clock: ManualClock) -> None:
    feed = ReplayFeed(
        name="replay",
        clock=clock,
        symbols=[ETH],
        recording=lambda: recording(RISING),
        rules=RULES,
    )
    assert feed.candles(NOON, 1).symbols == (ETH,)


def test_a_symbol_that_is_not_recorded_is_refused(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="SOL/USDT is not recorded; BTC/USDT, ETH/USDT, "):
        ReplayFeed(name="replay", clock=clock, symbols=[Symbol("SOL", "USDT")])


def test_the_replay_may_begin_elsewhere(clock: ManualClock) -> None:
    feed = ReplayFeed(name="replay", clock=clock, start=later(-30))
    assert feed.first_cursor == feed.now() == later(-30)
