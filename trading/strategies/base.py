"""What a strategy is: candles in, signals out; pure, causal, and honest about its warm-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from trading.common.frozen import fast_frozen
from trading.market.candles import Candles, Panel
from trading.types import Quote, Signal, Symbol


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class ExitWishes:
    """What the strategy thinks, at every bar, of positions that are open.

    Panels of shape [symbols, bars], causal as the signals are.  (A wish for the other side closes a
    position whatever its strategy; that needs nothing here.)
    """

    long: Panel
    """Confidence in being long, 0..100, whether there is a wish or not; NaN: no opinion."""
    short: Panel
    drop: float
    """A position is closed once it has lost more points of confidence than this since its entry."""

    def at(self, column: int) -> ExitWishes:
        """Of that column only."""
        long, short = (panel[:, column : column + 1] for panel in (self.long, self.short))
        return ExitWishes(long=long, short=short, drop=self.drop)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Arrays of the candles' shape [symbols, bars]; column t depends on columns <= t only.

    `score` is signed: above 0 a wish to be long, below 0 short, 0 no wish; its size is the
    confidence, 0..100.  `stop` and `target` are prices, NaN where there is no wish.

    The rest is optional; None leaves it to the trader's settings.
    """

    score: Panel
    stop: Panel
    target: Panel
    size: Panel | None = None
    """Times the usual size of an entry, above 0; NaN where there is no wish."""
    hold: Panel | None = None
    """Hours of market time after which the position is closed; NaN where there is no wish."""
    exits: ExitWishes | None = None
    triggered: NDArray[np.bool_] | None = None
    """Where something happened that a wish may follow from; None: where there is a wish."""
    why: Callable[[int, int], str] | None = None
    """What `Strategy.explain` says of [row, column], from what has been computed already."""

    def triggers(self, column: int) -> int:
        """How many symbols had a trigger in that column."""
        panel = self.score if self.triggered is None else self.triggered
        return int(np.count_nonzero(panel[:, column]))

    def at(self, column: int) -> Signals:
        """Of that column only, a number from 0: panels of shape [symbols, 1]."""
        here, why = slice(column, column + 1), self.why
        return Signals(
            score=self.score[:, here],
            stop=self.stop[:, here],
            target=self.target[:, here],
            size=None if self.size is None else self.size[:, here],
            hold=None if self.hold is None else self.hold[:, here],
            exits=None if self.exits is None else self.exits.at(column),
            triggered=None if self.triggered is None else self.triggered[:, here],
            why=None if why is None else lambda row, shown: why(row, column + shown),
        )


@dataclass(frozen=True, slots=True)
class Tunable:
    """Where an optimiser may look for a setting: `fast: Annotated[int, Tunable(4, 30)]`.

    Both ends count, and every *step* from *low*.  Whatever lies within, all at once, the strategy
    must accept.  A switch goes from 0 to 1.
    """

    low: float
    high: float
    step: float = 1


class Strategy(Protocol):
    name: str
    warmup: int
    """Bars that must lie before the first one that counts.  Live and backtest read exactly this
    window, so that recursive averages agree."""

    def signals(self, candles: Candles) -> Signals: ...

    def explain(self, candles: Candles, row: int, column: int) -> str:
        """One short clause on why there is a wish at that place: `EMA 12 crossed above 48`."""
        ...


class LooksAtLast(Protocol):
    """A strategy that has less to do where only the last column is wanted."""

    def last(self, candles: Candles) -> Signals:
        """What `signals` has in the last column, to the bit; panels of shape [symbols, 1]."""
        ...


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a strategy said at one bar."""

    candles: Candles
    signals: Signals
    column: int
    """Of that bar, in the panels of *signals*."""


QuoteAt = Callable[[Symbol, datetime], Quote | None]
"""The price that is believed at a market time."""


class Foresees(Protocol):
    """A strategy that has looked at every bar beforehand, as in a backtest."""

    def seen(self, bar: datetime) -> Seen: ...

    def wishes(self, seen: Seen, bar: datetime, quote: QuoteAt) -> list[Signal]:
        """As a trader makes them of the signals of *bar*, most confident first."""
        ...


def foresees(strategy: object) -> TypeGuard[Foresees]:
    return hasattr(strategy, "seen")


def last_signals(strategy: Strategy, candles: Candles) -> Signals:
    """What *strategy* says at the last bar of *candles*, of which there is at least one."""
    if _looks_at_last(strategy):
        return strategy.last(candles)
    return strategy.signals(candles).at(candles.bars - 1)


def _looks_at_last(strategy: object) -> TypeGuard[LooksAtLast]:
    return hasattr(strategy, "last")  # a tenth of what to ask the protocol takes, at each bar


def size_of(times: float) -> Decimal:
    """A size as risk counts it: times the usual one."""
    return Decimal(repr(round(times, 4)))


def leaving(signals: Signals, row: int, column: int, *, sign: int, confidence: float) -> str:
    """Why the strategy has lost its confidence in a position, as a clause; empty: it has not.

    *sign* is 1 for a long and -1 for a short, *confidence* that of the signal which opened it.
    """
    if signals.exits is None:
        return ""
    side = signals.exits.long if sign > 0 else signals.exits.short
    now = float(side[row, column])
    if confidence - now > signals.exits.drop:  # never for NaN
        return f"confidence fell from {confidence:.0f} to {now:.0f}"
    return ""
