"""A backtest of ten symbols over 100,000 candles each, EMA 12/48 cross: loops and memory.

Each round runs in an interpreter of its own, so that the memory is that of the backtest.  The
market is made up (a random walk, the same each time): its averages cross about 13,000 times.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from bench.figures import Figure, median
from bench.machine import in_loops
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.context.settings import TraderSettings
from trading.market.candles import Candles
from trading.model.exit_rules import ExitRules
from trading.risk.limits import Limits
from trading.strategies import strategy
from trading.types import Costs, MarketRules, Mode, Symbol

SYMBOLS, BARS, ROUNDS = 10, 100_000, 3
GOAL, GOAL_MB = 2.0, 300.0
"""Loops: freqtrade took 100 of them for as many trades when the goal was set, 50 times as many.
`make bench-peers` runs both beside each other."""
STEP = timedelta(minutes=5)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
RULES = MarketRules(tick=Decimal("0.01"), lot=Decimal("0.001"), min_notional=Decimal(5))


def measure() -> list[Figure]:
    done = [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.backtest"], stdout=subprocess.PIPE, check=True
            ).stdout
        )
        for _ in range(ROUNDS)
    ]
    loops, used, peak, trades = (median(column) for column in zip(*done, strict=True))
    name = f"backtest, {SYMBOLS} x {BARS:,}, EMA 12/48"
    note = f"{trades:,.0f} trades in {used:.1f} s of the processor"
    return [
        Figure(name=name, value=loops, unit="loops", goal=GOAL, note=note, headline=True),
        Figure(name=f"{name}, memory", value=peak, unit="MB", goal=GOAL_MB, headline=True),
        Figure(name=f"{name}, CPU per trade", value=used / trades * 1e6, unit="us"),
    ]


def a_backtest() -> Backtest:
    candles = a_market()
    return Backtest(
        trader=TraderSettings(
            name="majors", mode=Mode.PAPER, symbols=candles.symbols, timeframe=STEP,
            capital=Decimal(1_000_000), limits=open_limits(), exit_rules=ExitRules(), zone=UTC,
            drawdown_alert=None, cycle_every=STEP, replay_speed=1.0,
        ),
        strategy=strategy(
            "ema_cross", {"fast": 12, "slow": 48, "stop_atr": 8.0, "target_atr": 40.0}
        ),
        candles=candles,
        rules=dict.fromkeys(candles.symbols, RULES),
        costs=Costs(commission=Decimal("0.0001"), slippage=Decimal("0.0001")),
    )  # fmt: skip


def open_limits() -> Limits:
    """Limits that let every signal through, each of them looked at."""
    most = Decimal("0.99")
    return Limits(
        max_positions=SYMBOLS // 2, risk_per_trade=Decimal("0.001"), max_position=Decimal("0.1"),
        max_exposure=Decimal(2), max_daily_loss=most, max_weekly_loss=most, max_drawdown=most,
        loss_streak=1_000_000, symbol_rest=timedelta(0),
    )  # fmt: skip


def a_market() -> Candles:
    dice = np.random.default_rng(12_48)
    shape = (SYMBOLS, BARS)
    close = np.round(100 * np.exp(np.cumsum(dice.normal(0, 0.002, shape), axis=1)), 2)
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    first = int(BEGIN.timestamp() * 1000)
    return Candles(
        symbols=tuple(Symbol(f"S{number}", "USDT") for number in range(SYMBOLS)),
        times=np.arange(BARS, dtype=np.int64) * int(STEP.total_seconds() * 1000) + first,
        open=opened,
        high=np.round(np.maximum(opened, close) * 1.0005, 2),
        low=np.round(np.minimum(opened, close) * 0.9995, 2),
        close=close,
        volume=np.full(shape, 1e7),
    )


def once() -> tuple[float, float, float, int]:
    """Loops, seconds of the processor, peak memory of this process in MB, and trades."""
    test = a_backtest()
    loops, used, result = in_loops(lambda: run(test))
    status = Path("/proc/self/status").read_text()  # what getrusage tells counts the parent's, too
    peak = int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 1024
    return loops, used, peak, len(result.trades)


if __name__ == "__main__":
    print(json.dumps(once()))
