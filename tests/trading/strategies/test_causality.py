"""What every strategy promises, on real hours: a new one is held to it without a line here.

Backtests compute all columns once, the desk its last one from a window of just the warm-up.  That
they agree to the bit rests on what is tested here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.strategies.recorded import (
    assert_live_sees_what_a_backtest_sees,
    assert_prefix,
    assert_same_columns,
    assert_suffix,
    majors,
)
from trading.market.candles import Candles
from trading.strategies import names, strategy
from trading.strategies.base import Signals, Strategy, last_signals

NEEDED: dict[str, dict[str, object]] = {"ema_cross": {"fast": 8, "slow": 21}}
"""Settings of those that have no defaults."""
BARS = majors().bars

every_strategy = pytest.mark.parametrize("name", names())
seeds, shares = st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.3])


@cache
def made(name: str) -> Strategy:
    return strategy(name, NEEDED.get(name, {}))


def holed(seed: int, share: float) -> Candles:
    """The real hours, of which the *share* is missing: single bars of each, and some in a row."""
    candles, chance = majors(), np.random.default_rng(seed)
    gone = chance.random(candles.close.shape) < share
    if share:
        begin = int(chance.integers(0, BARS))
        gone[0, begin : begin + int(chance.integers(1, 250))] = True
    left = np.where(gone, np.nan, 1.0)
    return replace(
        candles,
        open=candles.open * left,
        high=candles.high * left,
        low=candles.low * left,
        close=candles.close * left,
        volume=candles.volume * left,
    )


@cache
def whole(name: str) -> Signals:
    return made(name).signals(majors())


@every_strategy
def test_there_is_something_to_compare(name: str) -> None:
    assert np.count_nonzero(whole(name).score[:, made(name).warmup :]) > 30


@every_strategy
@settings(max_examples=15, deadline=None)
@given(seed=seeds, share=shares, bars=st.integers(0, BARS))
def test_no_signal_knows_the_future(name: str, seed: int, share: float, bars: int) -> None:
    assert_prefix(made(name), holed(seed, share), bars)


@every_strategy
@settings(max_examples=15, deadline=None)
@given(seed=seeds, share=shares, data=st.data())
def test_its_warm_up_is_all_that_a_signal_depends_on(
    name: str, seed: int, share: float, data: st.DataObject
) -> None:
    bars = data.draw(st.integers(made(name).warmup, BARS))
    assert_suffix(made(name), holed(seed, share), bars)


@every_strategy
@settings(max_examples=15, deadline=None)
@given(seed=seeds, share=shares, bars=st.integers(1, BARS), short=st.booleans())
def test_what_the_desk_asks_for_is_the_last_column(
    name: str, seed: int, share: float, bars: int, short: bool
) -> None:
    """From a window of just the warm-up, or from all there is; explained in the same words."""
    made_, candles = made(name), holed(seed, share).upto(bars)
    seen = candles.last(made_.warmup + 1) if short else candles
    last = last_signals(made_, seen)
    assert last.score.shape == (len(candles.symbols), 1)
    assert_same_columns(last, 0, made_.signals(seen), seen.bars - 1)


@every_strategy
def test_at_every_hour_live_sees_what_a_backtest_sees(name: str) -> None:
    assert_live_sees_what_a_backtest_sees(made(name), majors(), step=11)
