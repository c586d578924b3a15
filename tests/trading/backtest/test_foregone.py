"""Bars whose wishes are refused for what is held alone are passed over, and change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.builders import BTC, ETH, XRP
from tests.trading.backtest.test_fast import same
from tests.trading.backtest.worlds import Whims, a_backtest, a_walk, trader_settings
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.market.candles import Candles
from trading.market.universe import CORE, EVENT, ROTATIONAL, Universe, UniversePlan
from trading.model.exit_rules import ExitRules
from trading.risk.limits import Limits
from trading.strategies.base import Signals

HOUR = timedelta(hours=1)
SYMBOLS = (BTC, ETH, XRP)
TIERS = (
    replace(CORE, bases=frozenset({"BTC", "ETH"}), min_volume=Decimal(10_000_000)),
    replace(ROTATIONAL, min_volume=Decimal(1_000_000)),
    replace(EVENT, min_volume=Decimal(50_000), base_size=Decimal(0)),  # risk cannot use it
)
PLANS = st.none() | st.builds(
    UniversePlan,
    empty=st.builds(
        Universe,
        tiers=st.just(TIERS),
        cycles=st.integers(1, 3),
        most=st.sampled_from([None, 2]),
    ),
    listed=st.sampled_from([(), (BTC,), SYMBOLS]),
    every=st.sampled_from([1, 5]).map(lambda hours: timedelta(hours=hours)),
    max_age=st.sampled_from([3, 24]).map(lambda hours: timedelta(hours=hours)),
)


class Insists:
    """Wishes to be long in everything, at each bar."""

    name = "insists"
    warmup = 2

    def signals(self, candles: Candles) -> Signals:
        close = candles.close
        return Signals(score=np.full(close.shape, 50.0), stop=close * 0.5, target=close * 2)

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return "it insists"


class Trends:
    """Wishes one side for days, as *seed* has it, with stops far away; a few wishes are odd."""

    name = "trends"
    warmup = 2

    def __init__(self, *, seed: int, often: float) -> None:
        self._seed = seed
        self._often = often

    def signals(self, candles: Candles) -> Signals:
        shape, close = candles.close.shape, candles.close
        hours = candles.times // 3_600_000
        sign = np.where(self._drawn(hours // 40, shape[0])[0] < 0.5, 1.0, -1.0)
        drawn = self._drawn(hours, shape[0])
        wishes = (drawn[0] < self._often) & np.isfinite(close)
        away = sign * (0.01 + 0.1 * drawn[1])
        odd = drawn[2]
        stop = np.where(odd < 0.03, close * (1 + away), close * (1 - away))  # on the wrong side
        stop = np.where((odd > 0.03) & (odd < 0.05), -1.0, stop)
        size = np.where((odd > 0.05) & (odd < 0.07), 0.0, 0.5 + drawn[3])
        return Signals(
            score=np.where(wishes, sign * np.round(30 + 70 * drawn[4]), 0.0),
            stop=np.where(wishes, stop, np.nan),
            target=np.where(wishes, close * (1 + 2 * away), np.nan),
            size=np.where(wishes, size, np.nan),
        )

    def _drawn(self, seeds: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
        """[5, rows, bars]; the same for the same of *seeds*."""
        dice = (np.random.default_rng((self._seed, int(seed))) for seed in seeds)
        return np.stack([each.uniform(size=(5, rows)) for each in dice], axis=-1)

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return "a trend"


def test_a_wish_for_what_is_open_already_costs_no_look_at_its_bar() -> None:
    candles = a_walk(1_000, symbols=SYMBOLS, seed=5)
    limits = Limits(max_positions=2, risk_per_trade=Decimal("0.01"))
    test = a_backtest(candles, limits=limits, uses=Insists())
    looked_at = list[int]()

    def leave_to_fast_path(column: int) -> bool:
        looked_at.append(column)
        return False

    found = run(test, by_trader=leave_to_fast_path)
    bars = len(found.times) - 1
    assert found.refused == {
        "SYMBOL is open already": 2 * (bars - 1), "# of # positions open": bars,
    }  # fmt: skip
    assert len(set(looked_at)) < 10


def by_turns(candles: Candles, seed: int) -> Candles:
    """Trade much for some hours, and little for the next ones."""
    dice = np.random.default_rng(seed)
    level = dice.choice([1.0, 30.0, 3e3, 1e5], (len(candles.symbols), candles.bars // 30 + 1))
    volume = np.repeat(level, 30, axis=1)[:, : candles.bars]
    return replace(candles, volume=np.where(np.isfinite(candles.close), volume, np.nan))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.sampled_from([0.0, 0.02]),
    often=st.sampled_from([0.3, 1.0]),
    whims=st.booleans(),
    plan=PLANS,
    limits=st.builds(
        Limits,
        max_positions=st.integers(1, 3),
        risk_per_trade=st.just(Decimal("0.01")),
        max_exposure=st.sampled_from([Decimal("0.3"), Decimal(3)]),
        max_daily_loss=st.sampled_from([Decimal("0.01"), Decimal("0.5")]),
        symbol_rest=st.sampled_from([timedelta(0), timedelta(hours=7)]),
        entry_spacing=st.sampled_from([None, timedelta(hours=3)]),
        max_price_age=st.just(timedelta(hours=2)),
    ),
    handed_over=st.sampled_from([0.0, 0.3]),
)
def test_who_wishes_all_the_time_is_answered_as_by_the_trader(  # noqa: PLR0917  # hypothesis names them
    seed: int,
    gaps: float,
    often: float,
    whims: bool,  # as above
    plan: UniversePlan | None,
    limits: Limits,
    handed_over: float,
) -> None:
    """In a universe that moves, with rests, halts and prices that are missing."""
    candles = by_turns(a_walk(400, symbols=SYMBOLS, seed=seed, gaps=gaps, step=HOUR), seed)
    trader = trader_settings(SYMBOLS, limits=limits, step=HOUR, exits=ExitRules(break_even=True))
    test = Backtest(
        trader=replace(trader, universe=plan),
        strategy=Whims(seed=seed, often=often, doubts=True)
        if whims
        else Trends(seed=seed, often=often),
        candles=candles,
        rules=a_backtest(candles).rules,
        lift="daily",
    )
    theirs = np.random.default_rng(seed).uniform(size=candles.bars) < handed_over
    same(run(test, by_trader=lambda column: bool(theirs[column])), run(test, every_bar=True))
