"""An hour of 648 symbols each minute under every fault, twelve times as fast: `make soak`."""

from __future__ import annotations

import pytest

from tests.trading.venues.market_load import a_loaded_market
from trading.venues.ccxt.live_candles import TOGETHER


@pytest.mark.soak
async def test_an_hour_of_hundreds_of_symbols_leaves_no_gap_and_exceeds_no_limit() -> None:
    async with a_loaded_market(symbols=648, times=12) as market:
        await market.feed.open()
        for number in range(60):
            market.plight(number)
            await market.minute()
        await market.is_whole()
        assert market.gaps == 0
        assert market.wrong() == 0
        assert market.refused_by_count == 0
        assert len(market.seen) > 40
        assert max(market.overtaken) <= TOGETHER
