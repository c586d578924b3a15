"""The newest candles of a live market: as many bars as are wanted, of all symbols; its gaps.

Arrays are never changed, only replaced: whoever was handed some keeps what it saw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.types import Symbol

PANELS = ("open", "high", "low", "close", "volume")


class CandleWindow:
    def __init__(self, symbols: Sequence[Symbol], *, bars: int) -> None:
        """*bars*: how many are kept."""
        self._bars = bars
        self.all = _of(symbols, np.empty(0, dtype=np.int64), np.empty((5, len(symbols), 0)))

    def append(self, times: Sequence[int], rows: Mapping[Symbol, Panel]) -> None:
        """Bars that close at *times*, later than all here; each of shape [5, times].

        Whoever has none misses them.
        """
        old = self.all
        nothing = np.full((len(PANELS), len(times)), np.nan)
        new = [rows.get(symbol, nothing) for symbol in old.symbols]
        added = np.array(new).reshape(len(new), len(PANELS), len(times)).transpose(1, 0, 2)
        whole = np.concatenate([_panels(old), added], axis=2)[:, :, -self._bars :]
        every = np.concatenate([old.times, np.array(times, dtype=np.int64)])[-self._bars :]
        self.all = _of(old.symbols, every, whole)

    def forget_after(self, last: int) -> None:
        """No bar closes later than *last*, in UTC milliseconds."""
        self.all = self.all.upto(int(np.searchsorted(self.all.times, last, side="right")))

    def regroup(self, symbols: Collection[Symbol], joining: Mapping[Symbol, Panel]) -> None:
        """Keep *symbols* alone, those of them that are here or *joining* with all bars here."""
        old = self.all
        kept = tuple(s for s in symbols if old.row(s) is not None or s in joining)
        if kept == old.symbols:
            return
        before = _panels(old)
        rows = [joining[s] if (row := old.row(s)) is None else before[:, row] for s in kept]
        whole = np.array(rows).reshape(len(kept), len(PANELS), old.bars).transpose(1, 0, 2)
        self.all = _of(kept, old.times, whole)

    def fill(self, found: Mapping[Symbol, tuple[Sequence[int], Panel]]) -> None:
        """Write bars that were missing; of each symbol their times, and [5, times]."""
        whole = _panels(self.all)
        for symbol, (times, bars) in found.items():
            row, columns = self.all.row(symbol), np.searchsorted(self.all.times, times)
            if row is None:
                continue
            for n, (column, time) in enumerate(zip(columns.tolist(), times, strict=True)):
                if column < self.all.bars and self.all.times[column] == time:
                    whole[:, row, column] = bars[:, n]
        self.all = _of(self.all.symbols, self.all.times, whole)

    def gaps(self) -> dict[Symbol, list[int]]:
        """Close times of the bars that each symbol misses after its first one here.

        Of a symbol that has none here only the newest is missing: it may be new.
        """
        there = np.isfinite(self.all.close)
        if there.all() or not self.all.bars:
            return {}
        begun = np.logical_or.accumulate(there, axis=1)
        begun[:, -1] = True
        missing = begun & ~there
        return {
            self.all.symbols[row]: self.all.times[missing[row]].tolist()
            for row in np.flatnonzero(missing.any(axis=1)).tolist()
        }


def _panels(candles: Candles) -> NDArray[np.float64]:
    """A copy, of shape [5, symbols, bars]."""
    return np.array([getattr(candles, name) for name in PANELS], dtype=np.float64)


def _of(symbols: Sequence[Symbol], times: NDArray[np.int64], whole: NDArray[np.float64]) -> Candles:
    opened, high, low, close, volume = whole
    return Candles(
        symbols=tuple(symbols), times=times, open=opened, high=high, low=low, close=close,
        volume=volume,
    )  # fmt: skip
