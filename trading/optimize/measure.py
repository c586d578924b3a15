"""One try: a backtest of some settings over one window, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import cached_property
from typing import Self

import numpy as np

from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.feed import columns_until
from trading.backtest.result import Result, book_of, last_day, whole
from trading.optimize.spaces import Value
from trading.stats.daybook import DayBook
from trading.stats.ratios import Floats, Ratio
from trading.stats.summary import Stats, daily
from trading.stats.tally import RoundTrip

FEWEST_TRADES = 10
"""With fewer a good figure is chance, and counts as none."""
BEYOND = 100.0
"""The most that a figure counts for: what never lost would be worth infinitely much."""

Make = Callable[[Mapping[str, Value]], Backtest]
"""The backtest of these settings over all candles; raises `ValueError` where they make no sense."""


class Metric(StrEnum):
    SHARPE = "sharpe"
    SORTINO = "sortino"
    CALMAR = "calmar"
    GROWTH = "growth"


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an account went: its curve, and the round trips behind it."""

    times: Floats
    """In seconds since 1970."""
    equity: Floats
    trips: tuple[RoundTrip, ...] = ()
    halts: int = 0
    zone: tzinfo

    @classmethod
    def of(cls, result: Result) -> Self:
        return cls(
            times=result.times,
            equity=result.equity,
            trips=tuple(RoundTrip.of(trade) for trade in result.trades),
            halts=len(result.halts),
            zone=result.trader.zone,
        )

    @classmethod
    def of_holding(cls, result: Result) -> Self:
        return cls(times=result.times, equity=result.holding, zone=result.trader.zone)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One after the other, each with what the one before it left."""
        first = parts[0]
        times, equity = [first.times], [first.equity]
        for part in parts[1:]:
            times.append(part.times[1:])
            equity.append(part.equity[1:] * (equity[-1][-1] / part.equity[0]))
        return cls(
            times=np.concatenate(times),
            equity=np.concatenate(equity),
            trips=tuple(trip for part in parts for trip in part.trips),
            halts=sum(part.halts for part in parts),
            zone=first.zone,
        )

    @cached_property
    def book(self) -> DayBook:
        return book_of(self.times, self.equity, self.zone).after(self.trips, ())

    @cached_property
    def stats(self) -> Stats:
        return whole(self.book)

    @property
    def growth(self) -> float:
        """Share gained: 0.04 is +4 %."""
        return float(self.equity[-1] / self.equity[0]) - 1

    @cached_property
    def daily(self) -> list[float]:
        """Returns of its days, as shares."""
        return daily(self.book, None, last_day(self.book))[0]

    def score(self, metric: Metric) -> float:
        """What the course is worth by *metric*: finite, and 0 for who does nothing."""
        value = self.growth if metric is Metric.GROWTH else self._ratio(getattr(self.stats, metric))
        most = 0.0 if len(self.trips) < FEWEST_TRADES else BEYOND
        return max(-BEYOND, min(most, value))

    def _ratio(self, ratio: Ratio) -> float:
        if ratio.value is not None:
            return ratio.value
        return math.copysign(BEYOND, self.growth) if ratio.word == "infinite" else 0.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One try, and who bought and held meanwhile."""

    traded: Course
    held: Course


class Measure:
    """Measures settings on windows; each once, as long as it lives."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._known: dict[tuple[object, ...], Measured] = {}

    def __call__(
        self, values: Mapping[str, Value], begin: datetime, end: datetime
    ) -> Measured | None:
        """Trade from after *begin* to *end*; None where the settings contradict each other."""
        key = (*sorted(values.items()), begin, end)
        if key not in self._known:
            try:
                test = self._make(values)
            except ValueError:
                return None
            result = run(_within(test, begin, end))
            measured = Measured(traded=Course.of(result), held=Course.of_holding(result))
            self._known[key] = measured
        return self._known[key]


def _within(test: Backtest, begin: datetime, end: datetime) -> Backtest:
    """The window and the warm-up before it: no other bar is looked at."""
    times = test.candles.times
    first = columns_until(times, begin) - 1
    until = columns_until(times, end)
    bars = until - max(0, first - test.strategy.warmup)
    return replace(test, candles=test.candles.upto(until).last(bars), begin=begin, end=end)
