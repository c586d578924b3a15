"""A survey of a market made from its candles: volumes only, spreads and depths are not in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from trading.market.candles import Candles
from trading.market.universe import VOLUME, MarketScan, MarketStats, Universe

DAY = timedelta(hours=24)
_VOLUMES = frozenset({VOLUME})


class CandleScan:
    """Implements `trading.ports.Surveyor` for a recording, of any of its moments.

    The volume in the quote currency is that of each bar at its close.  Where less than 24 hours
    were recorded it is unknown; a symbol whose last bar is missing is not traded then.
    """

    by_bars = True

    def __init__(self, candles: Callable[[datetime, int], Candles], timeframe: timedelta) -> None:
        self._candles = candles
        self._timeframe = timeframe

    async def survey(self, at: datetime, of: Universe) -> MarketScan:
        bars = max(1, DAY // self._timeframe)
        candles = self._candles(at, bars)
        begin = int((at - DAY).timestamp() * 1000)
        recent = candles.last(int((candles.times > begin).sum()))
        whole = candles.bars == bars or recent.bars < candles.bars
        volumes = np.nansum(recent.close * recent.volume, axis=1)
        there = np.isfinite(recent.close[:, -1]) if recent.bars else np.zeros(len(volumes), bool)
        stats = {
            symbol: MarketStats(
                volume=Decimal(round(volume)) if whole else None,
                spread_bps=None,
                depth=None,
                tradable=traded,
            )
            for symbol, volume, traded in zip(
                candles.symbols, volumes.tolist(), there.tolist(), strict=True
            )
        }
        return MarketScan(at=at, stats=stats, measured=_VOLUMES)

    async def close(self) -> None:
        """Nothing is open."""
