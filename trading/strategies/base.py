"""What a strategy is: candles in, signals out; pure, causal, and honest about its warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trading.market.candles import Candles, Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Arrays of the candles' shape [symbols, bars]; column t depends on columns <= t only.

    `score` is signed: above 0 a wish to be long, below 0 short, 0 no wish; its size is the
    confidence, 0..100.  `stop` and `target` are prices, NaN where there is no wish.
    """

    score: Panel
    stop: Panel
    target: Panel


class Strategy(Protocol):
    name: str
    warmup: int
    """Bars that must lie before the first one that counts.  Live and backtest read exactly this
    window, so that recursive averages agree."""

    def signals(self, candles: Candles) -> Signals: ...

    def explain(self, candles: Candles, row: int, column: int) -> str:
        """One short clause on why there is a wish at that place: `EMA 12 crossed above 48`."""
        ...
