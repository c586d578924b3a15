"""Candles as arrays: one row per symbol, one column per bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trading.common.frozen import fast_frozen
from trading.types import Symbol

Panel = NDArray[np.float64]


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """Open, high, low, close and volume, each of shape [symbols, bars], oldest bar first.

    `times` are the bars' CLOSE times in UTC milliseconds.  A missing bar is NaN in all five.
    """

    symbols: tuple[Symbol, ...]
    times: NDArray[np.int64]
    open: Panel
    high: Panel
    low: Panel
    close: Panel
    volume: Panel
    row_numbers: dict[Symbol, int] = field(default_factory=dict, repr=False, compare=False)
    """Filled when first asked for, and shared by all slices: searching is slow at 648 symbols."""

    def row(self, symbol: Symbol) -> int | None:
        """The row of *symbol*; None if it is not here."""
        if not self.row_numbers:
            self.row_numbers.update((each, row) for row, each in enumerate(self.symbols))
        return self.row_numbers.get(symbol)

    @property
    def bars(self) -> int:
        return int(self.times.shape[0])

    def upto(self, bars: int) -> Candles:
        """The first *bars* columns."""
        return self._sliced(slice(None, bars))

    def last(self, bars: int) -> Candles:
        return self._sliced(slice(max(0, self.bars - bars), None))

    def rows(self, indices: Sequence[int]) -> Candles:
        picked = list(indices)
        return Candles(
            symbols=tuple(self.symbols[i] for i in picked),
            times=self.times,
            open=self.open[picked],
            high=self.high[picked],
            low=self.low[picked],
            close=self.close[picked],
            volume=self.volume[picked],
        )

    def _sliced(self, columns: slice) -> Candles:
        return Candles(
            symbols=self.symbols,
            times=self.times[columns],
            open=self.open[:, columns],
            high=self.high[:, columns],
            low=self.low[:, columns],
            close=self.close[:, columns],
            volume=self.volume[:, columns],
            row_numbers=self.row_numbers,
        )
