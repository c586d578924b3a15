"""Minutes of many symbols while the exchange fails in every way; the long one: `make soak`."""

from __future__ import annotations

import pytest

from tests.trading.venues.market_load import PLIGHTS, a_loaded_market
from trading.venues.ccxt.live_candles import TOGETHER


@pytest.mark.slow
async def test_whatever_fails_no_gap_stays_no_limit_is_exceeded_and_what_is_urgent_goes_first() -> (
    None
):
    async with a_loaded_market(symbols=30, times=60) as market:
        await market.feed.open()
        for number in range(PLIGHTS):
            market.plight(number)
            await market.minute()
        await market.is_whole()
        assert market.gaps == 0
        assert market.wrong() == 0
        assert market.refused_by_count == 0
        assert market.overtaken
        assert max(market.overtaken) <= TOGETHER
