"""What is asked of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from trading.context.settings import TraderSettings
from trading.market.candles import Candles
from trading.strategies.base import Strategy
from trading.types import Costs, MarketRules, Symbol

Progress = Callable[[float], None]
"""Told the share that is done, some hundred times; may raise to end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What is run: a trader as it is set, a strategy, and the candles it is shown."""

    trader: TraderSettings
    strategy: Strategy
    candles: Candles
    rules: Mapping[Symbol, MarketRules]
    costs: Costs = field(default_factory=Costs)
    begin: datetime | None = None
    """Close of the last bar before trading; None: as soon as the strategy is warm."""
    end: datetime | None = None
    """The last bar closes at or before it; None: with the candles."""
    lift: Literal["never", "daily"] = "never"
    """Whether a halt by a guard is lifted at the next 00:00, measured afresh, as an owner might."""
    notes: tuple[str, ...] = ()
    """What is to be told of the candles: sentences without a full stop."""
