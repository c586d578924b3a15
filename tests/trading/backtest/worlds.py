"""Markets and settings for backtests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from tests.fakes import same_rules
from trading.backtest.engine import Backtest
from trading.context.settings import TraderSettings
from trading.market.candles import Candles
from trading.model.exit_rules import ExitRules
from trading.risk.limits import Limits
from trading.strategies import strategy
from trading.strategies.base import Strategy
from trading.types import Mode, Symbol

MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 1, 5, 18, tzinfo=UTC)


def a_walk(
    bars: int,
    *,
    symbols: Sequence[Symbol],
    seed: int,
    gaps: float = 0.0,
    volume: float = 1e6,
    step: timedelta = MINUTE,
) -> Candles:
    """A random walk on a grid of cents; a share of *gaps* of its bars is missing."""
    dice = np.random.default_rng(seed)
    shape = (len(symbols), bars)
    close = np.round(100 * np.exp(np.cumsum(dice.normal(0, 0.0015, shape), axis=1)), 2)
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    high = np.round(np.maximum(opened, close) + dice.exponential(0.05, shape), 2)
    low = np.round(np.minimum(opened, close) - dice.exponential(0.05, shape), 2)
    panels = [opened, high, low, close, dice.uniform(0.5, 1.5, shape) * volume]
    missing = dice.uniform(size=shape) < gaps
    for panel in panels:
        panel[missing] = np.nan
    size = int(step.total_seconds() * 1000)
    first = int(BEGIN.timestamp() * 1000)
    return Candles(
        symbols=tuple(symbols),
        times=np.arange(bars, dtype=np.int64) * size + first,
        open=panels[0], high=panels[1], low=panels[2], close=panels[3], volume=panels[4],
    )  # fmt: skip


def trader_settings(
    symbols: Sequence[Symbol],
    *,
    exits: ExitRules | None = None,
    limits: Limits | None = None,
    step: timedelta = MINUTE,
    capital: Decimal = Decimal(10_000),
) -> TraderSettings:
    return TraderSettings(
        name="majors",
        mode=Mode.PAPER,
        symbols=tuple(symbols),
        timeframe=step,
        capital=capital,
        limits=limits or Limits(symbol_rest=timedelta(0), loss_streak=50),
        exit_rules=exits or ExitRules(),
        zone=UTC,
        drawdown_alert=None,
        cycle_every=step,
        replay_speed=1.0,
    )


def a_backtest(
    candles: Candles,
    *,
    exits: ExitRules | None = None,
    limits: Limits | None = None,
    uses: Strategy | None = None,
) -> Backtest:
    return Backtest(
        trader=trader_settings(candles.symbols, exits=exits, limits=limits),
        strategy=uses or strategy("ema_cross", {"fast": 3, "slow": 8}),
        candles=candles,
        rules=same_rules(candles.symbols),
    )
