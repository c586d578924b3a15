"""Closed candles that were told lately: whoever else wants them need not ask again.

One for all traders of an exchange; what a stream tells is put here, too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from trading.clocks import Clock
from trading.market.candles import Panel

MOST = 1_000
"""Markets, each on one timeframe."""
MOST_BARS = 100_000
"""Of all markets together, 6 MB: who begins at the same time finds what the first was told, and the
history that hundreds of symbols were warmed up with is not there twice for an hour."""
HALF_UP_TO = timedelta(minutes=5)
LONGEST = timedelta(hours=1)

CandleKey = tuple[str, timedelta]
"""A market, as the exchange adapter calls it, and the length of its candles."""


def lasts(timeframe: timedelta) -> float:
    """Seconds for which a candle that was told need not be asked for again.

    30 s of 1m, 150 s of 5m, 900 s of 15m, 3,600 s of 1h and longer.
    """
    half = timeframe / 2 if timeframe <= HALF_UP_TO else timeframe
    return min(half, LONGEST).total_seconds()


@dataclass(slots=True)
class _CachedCandles:
    times: NDArray[np.int64]
    bars: Panel
    """[5, times]."""
    told_at: NDArray[np.float64]
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class CandleCache:
    """Forgets what was used longest ago."""

    def __init__(self, *, clock: Clock, most: int = MOST, most_bars: int = MOST_BARS) -> None:
        self._clock = clock
        self._most = most
        self._most_bars = most_bars
        self._bars = 0
        self._held: OrderedDict[CandleKey, _CachedCandles] = OrderedDict()
        self.told = asyncio.Event()
        """Set and replaced whenever something was put."""

    def __len__(self) -> int:
        return len(self._held)

    def asking(self, key: CandleKey) -> asyncio.Lock:
        """Held by who asks the exchange for candles of *key*: others wait, and find them here."""
        return self._used(key).asking

    def put(self, key: CandleKey, told: Mapping[int, Sequence[float]]) -> None:
        """Keep bars by close time, each as open, high, low, close and volume."""
        if not told:
            return
        held, now = self._used(key), self._clock.monotonic()
        since = now - lasts(key[1])
        kept = held.told_at > since
        kept &= ~np.isin(held.times, list(told))
        times = np.concatenate([held.times[kept], np.fromiter(told, dtype=np.int64)])
        order = np.argsort(times)
        bars = np.array(list(told.values()), dtype=np.float64).T
        held.times = times[order]
        held.bars = np.concatenate([held.bars[:, kept], bars], axis=1)[:, order]
        held.told_at = np.concatenate([held.told_at[kept], np.full(len(told), now)])[order]
        self._bars += times.size - kept.size
        self._forget()
        event, self.told = self.told, asyncio.Event()
        event.set()

    def find(self, key: CandleKey, times: Collection[int]) -> dict[int, NDArray[np.float64]]:
        """Those of *times* that were told and are not old."""
        if key not in self._held:
            return {}
        held = self._used(key)
        fresh = held.told_at > self._clock.monotonic() - lasts(key[1])
        wanted = np.flatnonzero(fresh & np.isin(held.times, list(times)))
        return {int(held.times[n]): held.bars[:, n] for n in wanted.tolist()}

    def _used(self, key: CandleKey) -> _CachedCandles:
        held = self._held.pop(key, None)
        if held is None:
            nothing = np.empty(0, dtype=np.int64)
            held = _CachedCandles(nothing, np.empty((5, 0)), np.empty(0))
        self._held[key] = held
        self._forget()
        return held

    def _forget(self) -> None:
        """All but the one that is used now, if need be."""
        while len(self._held) > max(1, self._most) or (
            self._bars > self._most_bars and len(self._held) > 1
        ):
            _, forgotten = self._held.popitem(last=False)
            self._bars -= forgotten.times.size
