"""What is odd about candles without being wrong: counted, so that a report can say it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from trading.market.candles import Candles
from trading.types import Symbol

TENFOLD = 10.0
_SURELY = 0.999
"""Share of it that no rounding makes the whole."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A price that was ten times, or a tenth of, the one before it."""

    symbol: Symbol
    at: datetime
    """Close of its bar."""
    times: float
    """What it is over the one before: 10 and more, or 0.1 and less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    bars: int = 0
    """From the first of each symbol to its last, missing ones included."""
    missing: int = 0
    still: int = 0
    """Bars without volume: nothing fills in them."""
    jumps: tuple[Jump, ...] = ()
    """Oldest first.  A split, another unit, or a wrong price: what is traded there is made up."""


def flaws(candles: Candles) -> Flaws:
    """Count what is odd: before the first bar of a symbol and after its last nothing is missing."""
    there = np.isfinite(candles.close)
    bars = missing = 0
    for row in there:
        held = np.flatnonzero(row)
        if held.size:
            span = int(held[-1] - held[0]) + 1
            bars, missing = bars + span, missing + span - int(held.size)
    jumps = [jump for row in range(len(candles.symbols)) for jump in _jumps(candles, row)]
    return Flaws(
        bars=bars,
        missing=missing,
        still=int(np.count_nonzero(candles.volume[there] == 0)),
        jumps=tuple(sorted(jumps, key=lambda jump: (jump.at, jump.symbol))),
    )


def _jumps(candles: Candles, row: int) -> Sequence[Jump]:
    """From close to open, within a bar, and from its open to its close."""
    columns = np.flatnonzero(np.isfinite(candles.close[row]))
    opened, close, high, low = (
        panel[row, columns] for panel in (candles.open, candles.close, candles.high, candles.low)
    )
    before = np.concatenate([opened[:1], close[:-1]])
    with np.errstate(divide="ignore", over="ignore"):
        ratios = np.stack([opened / before, high / before, low / before, close / opened])
        if (
            ratios.size
            and ratios.max() < TENFOLD * _SURELY
            and ratios.min() * TENFOLD > 1 / _SURELY
        ):
            return ()  # as nearly always: no logarithm is needed to see it
    strengths = np.abs(np.log(ratios))
    largest = strengths.argmax(axis=0)
    found = np.flatnonzero(strengths.max(axis=0, initial=0.0) >= np.log(TENFOLD) - 1e-12)
    return [
        Jump(
            candles.symbols[row],
            datetime.fromtimestamp(int(candles.times[columns[at]]) / 1000, UTC),
            float(ratios[largest[at], at]),
        )
        for at in found
    ]
