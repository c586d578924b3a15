"""What optimisations are tried on: real hours, and accounts that went as somebody wished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.trading.backtest.worlds import trader_settings
from tests.trading.strategies.recorded import majors
from trading.backtest.asked import Backtest
from trading.backtest.rules import rules_for
from trading.optimize.measure import Course, Measured
from trading.optimize.spaces import Value
from trading.risk.limits import Limits
from trading.stats.tally import RoundTrip
from trading.strategies import strategy
from trading.types import ONE, ZERO

HOUR = timedelta(hours=1)
LIMITS = Limits(loss_streak=50, symbol_rest=timedelta(0), max_price_age=HOUR)
OWN: Mapping[str, Value] = {"fast": 12, "slow": 48}


def of_hours(values: Mapping[str, Value]) -> Backtest:
    """Two months of BTC and ETH by the hour, 10 October 2025 among them."""
    candles = majors().rows([1, 2])
    return Backtest(
        trader=trader_settings(candles.symbols, limits=LIMITS, step=HOUR),
        strategy=strategy("ema_cross", {**OWN, **values}),
        candles=candles,
        rules=rules_for(candles),
        lift="daily",
    )


def went(begin: datetime, end: datetime, daily: list[float], *, trades: int = 20) -> Course:
    """An account with these returns, one for each day from *begin* to *end*."""
    days = (end - begin).days
    growth = np.cumprod(1 + np.array([0.0, *(daily * days)[:days]]))
    times = begin.timestamp() + 86_400 * np.arange(days + 1)
    trip = RoundTrip(end, "BTC/USDT", "target", ONE, ZERO)
    return Course(times=np.asarray(times), equity=10_000 * growth, trips=(trip,) * trades, zone=UTC)


def measured(course: Course) -> Measured:
    """Beside who holds what does not move."""
    return Measured(
        traded=course, held=replace(course, equity=np.full(len(course.times), 10_000.0), trips=())
    )
