"""A survey made from candles: volumes in the quote currency, and an honest word on the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from tests.builders import BTC, ETH, NOON
from tests.fakes import a_market
from trading.market.candle_scan import CandleScan
from trading.market.candles import Candles
from trading.market.universe import VOLUME, MarketScan, MarketStats, Universe

MINUTES = 24 * 60


async def surveyed(candles: Candles, at: datetime = NOON) -> MarketScan:
    def shown(until: datetime, bars: int) -> Candles:
        ended = int((candles.times <= until.timestamp() * 1000).sum())
        return candles.upto(ended).last(bars)

    return await CandleScan(shown, timedelta(minutes=1)).scan(at, Universe())


def a_day(*, price: float = 10.0, volume: float = 2.0, bars: int = MINUTES) -> Candles:
    start = NOON - timedelta(minutes=bars - 1)
    return a_market(*[price] * bars, start=start, symbols=(BTC, ETH), volume=volume).candles


async def test_the_volume_is_that_of_24_hours_in_the_quote_currency() -> None:
    scan = await surveyed(a_day(bars=2 * MINUTES))

    assert scan.at == NOON
    assert scan.measured == {VOLUME}
    assert scan.stats[ETH] == MarketStats(
        volume=Decimal(10 * 2 * MINUTES), spread_bps=None, depth=None
    )


async def test_what_comes_later_is_not_seen() -> None:
    candles = a_day(bars=2 * MINUTES)
    rising = replace(candles, volume=np.cumsum(candles.volume, axis=1))
    early = NOON - timedelta(minutes=100)

    told = await surveyed(rising.upto(rising.bars - 100), early)
    assert await surveyed(rising, early) == told


async def test_less_than_a_day_is_no_volume_of_24_hours() -> None:
    scan = await surveyed(a_day(bars=MINUTES - 1))

    assert scan.stats[BTC].volume is None


async def test_missing_bars_have_no_volume_and_the_last_one_missing_means_not_traded() -> None:
    candles = a_day()
    close, volume = candles.close.copy(), candles.volume.copy()
    close[0, 5], volume[0, 5] = np.nan, np.nan
    close[1, -1], volume[1, -1] = np.nan, np.nan
    scan = await surveyed(replace(candles, close=close, volume=volume))

    assert scan.stats[BTC].volume == Decimal(10 * 2 * (MINUTES - 1))
    assert scan.stats[BTC].tradable
    assert not scan.stats[ETH].tradable


async def test_before_the_first_bar_nothing_is_known() -> None:
    scan = await surveyed(a_day(), NOON - timedelta(days=9))

    assert scan.stats[BTC] == MarketStats(volume=None, spread_bps=None, depth=None, tradable=False)
