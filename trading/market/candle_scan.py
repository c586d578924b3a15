"""A survey of a market made from its candles: volumes only, spreads and depths are not in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.market.universe import VOLUME, MarketScan, MarketStats, Universe
from trading.types import Symbol

DAY = timedelta(hours=24)
_VOLUMES = frozenset({VOLUME})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_AT_ONCE = 2**20
"""Figures that are added up together: 8 MB."""


class CandleScan:
    """Implements `trading.ports.MarketScanner` for a recording, of any of its moments.

    The volume in the quote currency is that of each bar at its close.  Where less than 24 hours
    were recorded it is unknown; a symbol whose last bar is missing is not traded then.
    """

    by_bars = True

    def __init__(self, candles: Callable[[datetime, int], Candles], timeframe: timedelta) -> None:
        self._candles = candles
        self._timeframe = timeframe

    async def scan(self, at: datetime, of: Universe) -> MarketScan:
        candles = self._candles(at, bars_of_a_day(self._timeframe))
        return day_volumes(candles, np.array([in_ms(at)]), self._timeframe).scan(0, at)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayVolumes:
    """What was traded in the 24 hours before some moments; arrays of shape [symbols, moments]."""

    symbols: tuple[Symbol, ...]
    volume: Panel
    """In the quote currency; NaN: unknown."""
    traded: NDArray[np.bool_]
    """Whether it was traded in the last bar."""

    def scan(self, moment: int, at: datetime) -> MarketScan:
        """The survey of that *moment*, a number from 0, which is *at*."""
        stats = {
            symbol: MarketStats(
                volume=Decimal(round(volume)) if volume == volume else None,  # noqa: PLR0124  # NaN
                spread_bps=None,
                depth=None,
                tradable=traded,
            )
            for symbol, volume, traded in zip(
                self.symbols,
                self.volume[:, moment].tolist(),
                self.traded[:, moment].tolist(),
                strict=True,
            )
        }
        return MarketScan(at=at, stats=stats, measured=_VOLUMES)


def day_volumes(candles: Candles, moments: NDArray[np.int64], timeframe: timedelta) -> DayVolumes:
    """Add up the *candles* of the 24 hours before each of *moments*, in UTC milliseconds."""
    until = np.searchsorted(candles.times, moments, side="right")
    first = np.maximum(0, until - bars_of_a_day(timeframe))
    begin = np.searchsorted(candles.times, moments - DAY // _MILLISECOND, side="right")
    begin = np.maximum(first, begin)
    # Whole is a day of all its bars, and one that begins after a bar that is older than it.
    whole = (until - first == bars_of_a_day(timeframe)) | (begin > first)
    volume = np.zeros((len(candles.symbols), moments.size))
    money = candles.close * candles.volume
    money[np.isnan(money)] = 0.0
    for places, columns in _alike(begin, until - begin, len(candles.symbols)):
        volume[:, places] = _sums(money, columns, int(until[places[0]] - begin[places[0]]))
    volume[:, ~whole] = np.nan
    traded = np.zeros(volume.shape, dtype=np.bool_)
    traded[:, until > begin] = np.isfinite(candles.close[:, until[until > begin] - 1])
    return DayVolumes(symbols=candles.symbols, volume=volume, traded=traded)


def bars_of_a_day(timeframe: timedelta) -> int:
    return max(1, DAY // timeframe)


def in_ms(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _alike(
    begin: NDArray[np.intp], bars: NDArray[np.intp], symbols: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Places of moments whose days have as many bars, and where those begin; some at a time."""
    for many in np.unique(bars[bars > 0]).tolist():
        places = np.flatnonzero(bars == many)
        step = max(1, _AT_ONCE // (many * max(1, symbols)))
        for some in range(0, places.size, step):
            those = places[some : some + step]
            yield those, begin[those]


def _sums(money: Panel, columns: NDArray[np.intp], bars: int) -> Panel:
    """Each day by itself and in the same order: the digits do not depend on what else is asked."""
    days = sliding_window_view(money, bars, axis=1)[:, columns]
    return np.asarray(np.ascontiguousarray(days).sum(axis=2))
