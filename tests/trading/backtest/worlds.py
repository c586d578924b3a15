"""Markets and settings for backtests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from tests.fakes import same_rules
from trading.backtest.asked import Backtest
from trading.context.settings import TraderSettings
from trading.market.candles import Candles
from trading.model.exit_rules import ExitRules
from trading.risk.limits import Limits
from trading.strategies import strategy
from trading.strategies.base import ExitWishes, Signals, Strategy
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
    crashes: float = 0.0,
) -> Candles:
    """A random walk on a grid of cents; a share of *gaps* of its bars is missing.

    In a share of *crashes* of them the price jumps, up or down, by some percents.
    """
    dice = np.random.default_rng(seed)
    shape = (len(symbols), bars)
    steps = dice.normal(0, 0.0015, shape)
    if crashes:
        steps += (dice.uniform(size=shape) < crashes) * dice.normal(0, 0.04, shape)
    close = np.round(100 * np.exp(np.cumsum(steps, axis=1)), 2)
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    if crashes:  # half of the jumps lie between two bars
        jumps = np.abs(close / opened - 1) > 0.01
        opened = np.where(jumps & (dice.uniform(size=shape) < 0.5), close, opened)
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


class Whims:
    """A strategy that wishes anything at any time, as *seed* has it: causal, and no more."""

    name = "whims"
    warmup = 2

    def __init__(self, *, seed: int, often: float, doubts: bool) -> None:
        """*often*: share of bars with a wish; *doubts*: it loses confidence in what is open."""
        self._seed = seed
        self._often = often
        self._doubts = doubts

    def signals(self, candles: Candles) -> Signals:
        shape = candles.close.shape
        dice = [np.random.default_rng((self._seed, int(time))) for time in candles.times // 1000]
        drawn = np.stack([each.uniform(size=(8, shape[0])) for each in dice], axis=-1)
        wishes = (drawn[0] < self._often) & np.isfinite(candles.close)
        sign = np.where(drawn[1] < 0.5, 1.0, -1.0)
        away = 0.0005 + 0.01 * drawn[2] ** 2
        stop, target = candles.close * (1 - sign * away), candles.close * (1 + sign * away * 2)
        stop = np.where(drawn[3] < 0.02, candles.close * (1 + sign * away), stop)  # a wrong one
        target = np.where(drawn[3] > 0.8, np.nan, target)
        doubt = np.where(drawn[7] < 0.03, 20.0, 70.0)
        return Signals(
            score=np.where(wishes, sign * np.round(30 + 70 * drawn[4]), 0.0),
            stop=np.where(wishes, stop, np.nan),
            target=np.where(wishes, target, np.nan),
            size=np.where(wishes, np.round(0.2 + drawn[5], 2), np.nan),
            hold=np.where(wishes, 0.1 + drawn[6], np.nan),
            exits=ExitWishes(long=doubt, short=doubt, drop=35.0) if self._doubts else None,
        )

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return "a whim"


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
