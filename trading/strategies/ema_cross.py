"""Follow the trend from where a fast average of the closes crosses a slow one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from trading.common.precedence import PRECEDENCE
from trading.market.candles import Candles, Panel
from trading.strategies.base import Signals, Tunable

_WINDOW = 6
"""Lengths of the slow average that a signal looks back on."""
_LONGEST = 10_000
_FULL_SPEED = 0.5
"""Averages that pass each other at this many ATR per bar make for full confidence."""


class EmaCross:
    """Long where EMA *fast* crosses above EMA *slow* at the close, short where it crosses below.

    The stop lies *stop_atr* average true ranges (Wilder, *atr* bars) away, the target
    *target_atr*.  Confidence is 40 and up to 60 more, in proportion to the speed at which the two
    averages pass each other: |change of their gap in this bar| / (0.5 ATR).

    An EMA never forgets, so it depends on where it began.  Here it always begins `warmup` - 1
    bars before the bar in question: live and backtest agree to the bit, however much either has
    seen.  Bars that are missing within the window are left out; with less than half of them
    there is no signal.  Raises `ValueError` for settings that make no sense.
    """

    name = "ema_cross"

    def __init__(
        self,
        *,
        fast: Annotated[int, Tunable(4, 30)],
        slow: Annotated[int, Tunable(36, 200, step=4)],
        atr: int = 14,
        stop_atr: Annotated[Decimal | float, Tunable(1.0, 6.0, step=0.5)] = 2.0,
        target_atr: Annotated[Decimal | float, Tunable(1.5, 12.0, step=0.5)] = 3.0,
        short: bool = True,
    ) -> None:
        _refuse_odd_lengths(fast=fast, slow=slow, atr=atr)
        _refuse_odd_sizes(stop_atr=stop_atr, target_atr=target_atr)
        if not isinstance(short, bool):
            raise ValueError(f"short is {short!r}; it must be true or false")  # noqa: TRY004  # as for every setting
        self._fast = fast
        self._slow = slow
        self._atr = atr
        self._stop = float(stop_atr)
        self._target = float(target_atr)
        self._short = short
        self.warmup = _WINDOW * max(slow, atr)
        self._least = max(self.warmup // 2, slow + 1)

    def signals(self, candles: Candles) -> Signals:
        empty = np.zeros_like(candles.close)
        found = Signals(
            score=empty, stop=empty + np.nan, target=empty + np.nan,
            why=lambda row, column: self._told(empty.item(row, column)),
        )  # fmt: skip
        for row in range(candles.close.shape[0]):
            PRECEDENCE.give_way()
            high, low, closes = candles.high[row], candles.low[row], candles.close[row]
            whole = bool(np.isfinite(closes).all())
            for column in self._candidates(closes).tolist():
                window = slice(column + 1 - self.warmup, column + 1)
                cross = self._cross_in(high[window], low[window], closes[window], whole=whole)
                if cross is not None:
                    close = closes[column]
                    found.score[row, column] = cross.sign * cross.confidence
                    found.stop[row, column] = close - cross.sign * self._stop * cross.atr
                    found.target[row, column] = close + cross.sign * self._target * cross.atr
        return found

    def explain(self, candles: Candles, row: int, column: int) -> str:
        cross = self._cross_at(candles, row, column)
        return self._told(0 if cross is None else cross.sign)

    def _told(self, sign: float) -> str:
        if not sign:
            return ""
        return f"EMA {self._fast} crossed {'above' if sign > 0 else 'below'} {self._slow}"

    def _candidates(self, closes: NDArray[np.float64]) -> NDArray[np.int64]:
        """Columns where a cross is possible; `_cross_at` says whether there is one.

        One pass over the whole row tells most columns apart: its averages differ from those of
        any column's own window by at most `margin`, so where the gap is wider than that on the
        same side in two bars running, no window can hold a cross.
        """
        columns = np.flatnonzero(np.isfinite(closes))
        if columns.size <= self._slow:
            return columns[:0]
        prices = closes[columns]
        # How many bars each column's own window holds.
        held = np.arange(1, columns.size + 1) - np.searchsorted(columns, columns + 1 - self.warmup)
        gap, margin = self._gap(prices), self._margin(prices, held)
        before, now, margin = gap[:-1], gap[1:], margin[1:]
        apart = ((before > margin) & (now > margin)) | ((before < -margin) & (now < -margin))
        possible = np.concatenate(([False], ~apart))
        return columns[possible & (columns >= self.warmup - 1) & (held >= self._least)]

    def _margin(self, prices: NDArray[np.float64], held: NDArray[np.int64]) -> NDArray[np.float64]:
        """How far two gaps can lie apart that differ only in where their averages began.

        Both beginnings are averages of past prices, so no further apart than their range; each
        of the bars *held* since shrinks that by 1 - 2/(n + 1).  It holds for the bar before too.
        """
        highest = np.maximum.accumulate(prices)
        spread = highest - np.minimum.accumulate(prices)
        kept = np.zeros_like(prices)
        for n in (self._fast, self._slow):
            kept += (1 - 2 / (n + 1)) ** np.maximum(0, held - n - 1)
        return np.asarray(kept * spread + 1e-9 * highest)  # and what rounding may do

    def _cross_at(self, candles: Candles, row: int, column: int) -> _Cross | None:
        begin = column + 1 - self.warmup
        if begin < 0 or not np.isfinite(candles.close[row, column]):
            return None
        high, low, close = (
            panel[row, begin : column + 1] for panel in (candles.high, candles.low, candles.close)
        )
        return self._cross_in(high, low, close, whole=False)

    def _cross_in(
        self, high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64],
        *, whole: bool,
    ) -> _Cross | None:  # fmt: skip
        """At the last bar of a window; *whole*: none of its bars is missing."""
        if not whole:
            held = np.isfinite(close)
            many = np.count_nonzero(held)
            if many < self._least:
                return None
            if many < close.size:
                high, low, close = high[held], low[held], close[held]
        gap = self._gap(close)
        before, now = gap.item(-2), gap.item(-1)
        sign = _side_of_cross(before, now)
        if sign == 0 or (sign < 0 and not self._short):
            return None
        return _cross(sign, abs(now - before), self._true_range(high, low, close))

    def _gap(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        import talib  # 0.2 s: only when there is something to compute

        fast, slow = talib.EMA(prices, self._fast), talib.EMA(prices, self._slow)
        gap: NDArray[np.float64] = fast - slow
        return gap

    def _true_range(self, high: Panel, low: Panel, close: Panel) -> float:
        import talib

        return float(talib.ATR(high, low, close, self._atr).item(-1))


def _refuse_odd_lengths(*, fast: int, slow: int, atr: int) -> None:
    for what, bars in (("fast", fast), ("slow", slow), ("atr", atr)):
        if not isinstance(bars, int) or isinstance(bars, bool) or not 1 < bars <= _LONGEST:
            raise ValueError(f"{what} is {bars!r}; it must be a whole number, 2 to {_LONGEST}")
    if fast >= slow:
        raise ValueError(f"fast is {fast} and slow is {slow}; fast must be the smaller one")


def _refuse_odd_sizes(**sizes: Decimal | float) -> None:
    for what, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | float | Decimal):
            raise ValueError(f"{what} is {size!r}; it must be a number")  # noqa: TRY004  # as for every setting
        if not 0 < size < float("inf"):
            raise ValueError(f"{what} is {size}; it must be above 0")


@dataclass(frozen=True, slots=True)
class _Cross:
    sign: int
    confidence: int
    atr: float


def _side_of_cross(before: float, now: float) -> int:
    if before <= 0 < now:
        return 1
    return -1 if now < 0 <= before else 0


def _cross(sign: int, speed: float, atr: float) -> _Cross | None:
    if not atr > 0:
        return None  # a market that does not move has no distance for a stop
    confidence = 40 + round(60 * min(1.0, speed / (_FULL_SPEED * atr)))
    return _Cross(sign, confidence, atr)
