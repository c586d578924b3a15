"""Passing over the bars in which nothing can happen changes nothing, on any market."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import BTC, ETH
from tests.trading.backtest.worlds import a_backtest, a_walk
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.model.exit_rules import ExitRules, PartialRule
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.strategies import strategy
from trading.types import Costs

SHARES = st.sampled_from(["0.25", "0.5", "1"]).map(Decimal)
MULTIPLES = st.sampled_from(["0.5", "1", "2"]).map(Decimal)
EXITS = st.builds(
    ExitRules,
    time_limit=st.none() | st.integers(2, 90).map(lambda minutes: timedelta(minutes=minutes)),
    trail_r=st.none() | MULTIPLES,
    partials=st.just(())
    | st.builds(lambda s, r: (PartialRule(share=s, at_r=r),), SHARES, MULTIPLES),
    break_even=st.booleans(),
)
ENTRIES = st.builds(
    EntryRules,
    style=st.sampled_from([*EntryStyle]),
    max_age=st.integers(1, 20).map(lambda minutes: timedelta(minutes=minutes)),
)
LIMITS = st.builds(
    Limits,
    max_positions=st.integers(1, 2),
    max_exposure=st.sampled_from([Decimal("0.3"), Decimal(2)]),
    risk_per_trade=st.sampled_from([Decimal("0.002"), Decimal("0.02")]),
    max_position=st.sampled_from([Decimal("0.2"), Decimal(1)]),
    max_daily_loss=st.sampled_from([Decimal("0.004"), Decimal("0.5")]),
    max_weekly_loss=st.sampled_from([Decimal("0.006"), Decimal("0.5")]),
    max_drawdown=st.sampled_from([Decimal("0.008"), Decimal("0.5")]),
    loss_streak=st.integers(2, 5),
    symbol_rest=st.sampled_from([timedelta(0), timedelta(minutes=10)]),
    symbol_rest_after_stop=st.sampled_from([None, timedelta(minutes=40)]),
    entries_per_hour=st.sampled_from([None, 4]),
)


def same(first: Result, second: Result) -> None:
    assert first.trades == second.trades
    assert first.fills == second.fills
    assert (first.orders, first.approved, first.refused) == (
        second.orders,
        second.approved,
        second.refused,
    )
    assert [(h.at, h.guard) for h in first.halts] == [(h.at, h.guard) for h in second.halts]
    np.testing.assert_allclose(first.equity, second.equity, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(first.held, second.held)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.sampled_from([0.0, 0.02]),
    volume=st.sampled_from([0.5, 20.0, 1e6]),
    entries=ENTRIES,
    exits=EXITS,
    limits=LIMITS,
    lift=st.sampled_from(["never", "daily"]),
    target=st.sampled_from([0.5, 1.5, 3.0]),
)
def test_leaping_gives_what_every_single_bar_gives(  # noqa: PLR0917  # hypothesis names them
    seed: int,
    gaps: float,
    volume: float,
    entries: EntryRules,
    exits: ExitRules,
    limits: Limits,
    lift: str,
    target: float,
) -> None:
    """Targets are near enough that bars touch them, thin bars fill them in parts."""
    candles = a_walk(900, symbols=(BTC, ETH), seed=seed, gaps=gaps, volume=volume)
    uses = strategy("ema_cross", {"fast": 3, "slow": 8, "target_atr": target})
    test = a_backtest(candles, exits=exits, limits=limits, uses=uses)
    test = replace(test, trader=replace(test.trader, entries=entries), lift=lift)  # type: ignore[arg-type]  # hypothesis gives a string
    same(run(test), run(test, every_bar=True))


@pytest.mark.slow
def test_no_entry_of_the_day_is_forgotten_however_many_there_were() -> None:
    """What is spent is let go of, and what is counted is not."""
    candles = a_walk(2_000, symbols=(BTC, ETH), seed=3)
    half = Decimal("0.5")
    free = Limits(
        symbol_rest=timedelta(0), loss_streak=10_000,
        max_daily_loss=half, max_weekly_loss=half, max_drawdown=half,
    )  # fmt: skip
    assert within_a_day(run(a_backtest(candles, limits=free))) > 60
    bounded = run(a_backtest(candles, limits=replace(free, entries_per_day=60)))
    assert within_a_day(bounded) == 60


def within_a_day(result: Result) -> int:
    """The most round trips that began within 24 hours."""
    times = [trade.opened_at for trade in result.trades]
    return max(sum(t - timedelta(days=1) < s <= t for s in times) for t in times)


def test_a_halt_by_a_guard_comes_at_the_same_bar() -> None:
    candles = a_walk(900, symbols=(BTC,), seed=5)
    limits = Limits(max_daily_loss=Decimal("0.002"), risk_per_trade=Decimal("0.01"))
    test = a_backtest(candles, limits=limits)
    leaping, plain = run(test), run(test, every_bar=True)
    assert [halt.guard for halt in leaping.halts] == ["day"]
    same(leaping, plain)


def test_two_guards_that_come_near_within_one_leap_are_both_watched() -> None:
    candles = a_walk(900, symbols=(BTC, ETH), seed=431183685)
    limits = Limits(
        max_positions=1, max_exposure=Decimal("0.3"), risk_per_trade=Decimal("0.002"),
        max_daily_loss=Decimal("0.004"), max_weekly_loss=Decimal("0.006"),
        max_drawdown=Decimal("0.008"), loss_streak=2, symbol_rest=timedelta(0),
    )  # fmt: skip
    test = a_backtest(candles, limits=limits)
    same(run(test), run(test, every_bar=True))


def test_an_owner_who_looks_once_a_day_lets_it_trade_again() -> None:
    candles = a_walk(4_000, symbols=(BTC,), seed=5)
    limits = Limits(max_daily_loss=Decimal("0.002"), risk_per_trade=Decimal("0.01"))
    never = run(a_backtest(candles, limits=limits))
    daily = run(replace(a_backtest(candles, limits=limits), lift="daily"))
    assert len(daily.halts) > len(never.halts) == 1
    assert daily.trades[-1].opened_at > daily.halts[0].at


def test_the_equity_at_the_end_is_what_the_trades_and_fees_leave() -> None:
    candles = a_walk(900, symbols=(BTC, ETH), seed=3)
    test = a_backtest(candles, exits=ExitRules(time_limit=timedelta(minutes=5)))
    result = run(replace(test, end=None))
    assert result.trades
    if not result.open_positions:
        left = test.trader.capital + sum(trade.profit for trade in result.trades)
        assert result.equity[-1] == pytest.approx(float(left), abs=1e-6)
    assert sum(f.fee for f in result.fills) > sum((t.fees for t in result.trades), Decimal(0)) - 1


def test_costs_are_paid_as_at_the_paper_venue() -> None:
    candles = a_walk(900, symbols=(BTC,), seed=3)
    dear = run(a_backtest(candles))
    free = Costs(slippage=Decimal(0), commission=Decimal(0))
    cheap = run(replace(a_backtest(candles), costs=free))
    assert all(fill.fee == 0 for fill in cheap.fills)
    assert cheap.profit > dear.profit


def test_a_bar_that_is_too_thin_fills_in_parts() -> None:
    candles = a_walk(900, symbols=(BTC,), seed=3, volume=2.0)
    result = run(a_backtest(candles))
    assert len(result.fills) > 2 * len(result.trades)


def test_trading_begins_and_ends_where_it_was_told_to() -> None:
    candles = a_walk(900, symbols=(BTC,), seed=3)
    whole = run(a_backtest(candles))
    begin = whole.begin + timedelta(minutes=200)
    part = run(replace(a_backtest(candles), begin=begin, end=begin + timedelta(minutes=300)))
    assert (part.begin, part.end) == (begin, begin + timedelta(minutes=300))
    assert all(begin < t.opened_at <= part.end for t in part.trades)


def test_a_span_without_bars_is_refused_in_words() -> None:
    candles = a_walk(400, symbols=(BTC,), seed=3)
    test: Backtest = a_backtest(candles)
    late = datetime.fromtimestamp(float(candles.times[-1]) / 1000, UTC) + timedelta(minutes=1)
    with pytest.raises(ValueError, match="There are no bars to trade in from"):
        run(replace(test, begin=late))


def test_another_strategy_is_another_result() -> None:
    candles = a_walk(900, symbols=(BTC,), seed=3)
    test = a_backtest(candles)
    slow = replace(test, strategy=strategy("ema_cross", {"fast": 12, "slow": 48}))
    assert run(slow).trades != run(test).trades
