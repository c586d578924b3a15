"""What a strategy is: candles in, signals out; pure, causal, and honest about its warm-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trading.market.candles import Candles, Panel
from trading.values import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """What the strategy thinks, at every bar, of positions that are open.

    Panels of shape [symbols, bars], causal as the signals are.  (A wish for the other side closes a
    position whatever its strategy; that needs nothing here.)
    """

    long: Panel
    """Confidence in being long, 0..100, whether there is a wish or not; NaN: no opinion."""
    short: Panel
    drop: float
    """A position is closed once it has lost more points of confidence than this since its entry."""


@quick
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
    exits: Exits | None = None
    why: Callable[[int, int], str] | None = None
    """What `Strategy.explain` says of [row, column], from what has been computed already."""


class Strategy(Protocol):
    name: str
    warmup: int
    """Bars that must lie before the first one that counts.  Live and backtest read exactly this
    window, so that recursive averages agree."""

    def signals(self, candles: Candles) -> Signals: ...

    def explain(self, candles: Candles, row: int, column: int) -> str:
        """One short clause on why there is a wish at that place: `EMA 12 crossed above 48`."""
        ...


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
