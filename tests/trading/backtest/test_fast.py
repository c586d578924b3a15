"""The fast path trades as the trader does at every bar, wherever one takes over from the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import BTC, ETH, XRP
from tests.trading.backtest.worlds import Whims, a_backtest, a_walk
from trading.backtest.engine import run
from trading.backtest.proof import refuse_difference
from trading.backtest.result import Result
from trading.model.exit_rules import ExitRules, PartialRule
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.types import Costs, Fill, MarketRules, Order, Trade

SYMBOLS = (BTC, ETH, XRP)
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
    style=st.sampled_from([EntryStyle.MARKET] * 4 + [EntryStyle.LIMIT, EntryStyle.MAKER]),
    max_age=st.integers(1, 20).map(lambda minutes: timedelta(minutes=minutes)),
)
LIMITS = st.builds(
    Limits,
    max_positions=st.integers(1, 3),
    max_exposure=st.sampled_from([Decimal("0.3"), Decimal(3)]),
    risk_per_trade=st.sampled_from([Decimal("0.002"), Decimal("0.02")]),
    max_position=st.sampled_from([Decimal("0.2"), Decimal(1)]),
    max_daily_loss=st.sampled_from([Decimal("0.01"), Decimal("0.5")]),
    max_weekly_loss=st.sampled_from([Decimal("0.02"), Decimal("0.5")]),
    max_drawdown=st.sampled_from([Decimal("0.03"), Decimal("0.5")]),
    loss_streak=st.integers(2, 50),
    loss_streak_rest=st.sampled_from([timedelta(minutes=5), timedelta(minutes=60)]),
    symbol_rest=st.sampled_from([timedelta(0), timedelta(minutes=10)]),
    symbol_rest_after_stop=st.sampled_from([None, timedelta(minutes=40)]),
    entries_per_hour=st.sampled_from([None, 4]),
    entry_spacing=st.sampled_from([None, timedelta(minutes=3)]),
)
COSTS = st.builds(
    Costs,
    slippage=st.sampled_from([Decimal(0), Decimal("0.0005"), Decimal("0.003")]),
    commission=st.sampled_from([Decimal(0), Decimal("0.001")]),
    commission_per_unit=st.sampled_from([Decimal(0), Decimal("0.01")]),
    participation=st.sampled_from([Decimal("0.1"), Decimal(1)]),
)
RULES = st.builds(
    MarketRules,
    tick=st.just(Decimal("0.01")),
    lot=st.sampled_from([Decimal("0.001"), Decimal(1)]),
    min_notional=st.just(Decimal(5)),
    max_quantity=st.sampled_from([None, None, Decimal(20)]),
)


def same(first: Result, second: Result) -> None:
    """To the last digit; orders are numbered as they were made, which tells nothing."""
    assert bare_trades(first.trades) == bare_trades(second.trades)
    assert bare_fills(first.fills) == bare_fills(second.fills)
    assert bare_orders(first.sent) == bare_orders(second.sent)
    assert (first.approved, first.refused) == (second.approved, second.refused)
    assert [(h.at, h.guard, h.why) for h in first.halts] == [
        (h.at, h.guard, h.why) for h in second.halts
    ]
    assert sorted(first.slippage.values()) == sorted(second.slippage.values())
    assert [replace(p, id="", version=0) for p in first.open_positions] == [
        replace(p, id="", version=0) for p in second.open_positions
    ]
    np.testing.assert_allclose(first.equity, second.equity, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(first.held, second.held)


def bare_trades(trades: Iterable[Trade]) -> list[Trade]:
    return [replace(trade, id="") for trade in trades]


def bare_fills(fills: Iterable[Fill]) -> list[Fill]:
    return [replace(fill, id="", order_id="") for fill in fills]


def bare_orders(orders: Iterable[Order]) -> list[str]:
    """Sorted: which of two symbols is protected first is nobody's business."""
    return sorted(str(replace(o, id="", venue_id="", version=0)) for o in orders)


def test_a_run_that_the_trader_does_otherwise_is_refused_in_a_sentence() -> None:
    candles = a_walk(400, symbols=SYMBOLS, seed=3)
    test = a_backtest(candles, uses=Whims(seed=3, often=0.1, doubts=False))
    fast, trader = run(test), run(test, every_bar=True)
    refuse_difference(fast, trader)
    dearer = run(replace(test, costs=Costs(commission=Decimal("0.002"))), every_bar=True)
    with pytest.raises(ValueError, match=r"differ in their fills between .* --every-bar"):
        refuse_difference(fast, dearer)
    with pytest.raises(ValueError, match="differ in their equity"):
        refuse_difference(replace(fast, equity=fast.equity + 0.01), trader)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    world=st.fixed_dictionaries(
        {
            "gaps": st.sampled_from([0.0, 0.0, 0.02]),
            "crashes": st.sampled_from([0.0, 0.02]),
            "volume": st.sampled_from([20.0, 1e6, 1e6]),
        }
    ),
    often=st.sampled_from([0.01, 0.1]),
    doubts=st.booleans(),
    entries=ENTRIES,
    exits=EXITS,
    limits=LIMITS,
    costs=COSTS,
    rules=RULES,
    lift=st.sampled_from(["never", "daily"]),
    handed_over=st.sampled_from([0.0, 0.01, 0.3]),
    again_from=st.integers(10, 690),
)
def test_the_fast_path_gives_what_the_trader_gives(  # noqa: PLR0917  # hypothesis names them
    seed: int,
    world: dict[str, Any],
    often: float,
    doubts: bool,  # as above
    entries: EntryRules,
    exits: ExitRules,
    limits: Limits,
    costs: Costs,
    rules: MarketRules,
    lift: str,
    handed_over: float,
    again_from: int,
) -> None:
    """On any market, with any settings, whichever bars are the trader's, and wherever a trader of
    its own goes on from the books as they stand."""
    candles = a_walk(700, symbols=SYMBOLS, seed=seed, **world)
    whims = Whims(seed=seed, often=often, doubts=doubts)
    test = a_backtest(candles, exits=exits, limits=limits, uses=whims)
    test = replace(
        test, trader=replace(test.trader, entries=entries), costs=costs, lift=lift,  # type: ignore[arg-type]  # hypothesis gives a string
        rules=dict.fromkeys(candles.symbols, rules),
    )  # fmt: skip
    theirs = np.random.default_rng(seed).uniform(size=candles.bars) < handed_over
    fast = run(test, by_trader=lambda column: bool(theirs[column]), again_from=again_from)
    same(fast, run(test, every_bar=True))
