"""Candles that were told lately: kept for a while that depends on their length, the oldest go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import NOON
from trading.clocks import ManualClock
from trading.market.candle_cache import CandleCache, CandleKey, lasts

MINUTE = timedelta(minutes=1)
KEY: CandleKey = ("BTC/USDT", MINUTE)
BAR = (1.0, 2.0, 0.5, 1.5, 7.0)


@pytest.mark.parametrize(
    ("minutes", "seconds"), [(1, 30), (5, 150), (15, 900), (60, 3600), (240, 3600), (1440, 3600)]
)
def test_longer_candles_are_believed_longer(minutes: int, seconds: float) -> None:
    assert lasts(minutes * MINUTE) == seconds


def test_what_was_told_is_found_until_it_is_old() -> None:
    clock = ManualClock(NOON)
    cache = CandleCache(clock=clock)
    cache.put(KEY, {60_000: BAR, 120_000: BAR})
    assert cache.find(KEY, [120_000, 180_000]).keys() == {120_000}
    assert cache.find(KEY, [120_000])[120_000].tolist() == list(BAR)
    assert cache.find(("ETH/USDT", MINUTE), [120_000]) == {}
    clock.advance(20)
    cache.put(KEY, {120_000: (9.0, *BAR[1:])})
    clock.advance(20)
    assert cache.find(KEY, [60_000, 120_000]).keys() == {120_000}
    assert cache.find(KEY, [120_000])[120_000][0] == 9.0
    clock.advance(20)
    assert cache.find(KEY, [120_000]) == {}


def test_who_was_not_used_for_longest_goes_first() -> None:
    cache = CandleCache(clock=ManualClock(NOON), most=2)
    first, second, third = ((base, MINUTE) for base in "ABC")
    for key in (first, second):
        cache.put(key, {60_000: BAR})
    cache.find(first, [60_000])
    cache.put(third, {60_000: BAR})
    assert len(cache) == 2
    assert cache.find(second, [60_000]) == {}
    assert cache.find(first, [60_000])


def test_a_long_history_of_many_is_not_kept_and_the_newest_told_is() -> None:
    cache = CandleCache(clock=ManualClock(NOON), most_bars=10)
    history = {n * 60_000: BAR for n in range(4)}
    keys = [(base, MINUTE) for base in "ABCDE"]
    for key in keys:
        cache.put(key, history)
        cache.put(key, history)  # told again, it counts once
    assert [len(cache.find(key, list(history))) for key in keys] == [0, 0, 0, 4, 4]
    cache.put(keys[0], {n * 60_000: BAR for n in range(50)})
    assert len(cache.find(keys[0], range(0, 50 * 60_000, 60_000))) == 50
    assert len(cache) == 1


async def test_whoever_waits_for_news_is_woken_by_it() -> None:
    cache = CandleCache(clock=ManualClock(NOON))
    told = cache.told
    cache.put(KEY, {60_000: BAR})
    await told.wait()
    assert not cache.told.is_set()
