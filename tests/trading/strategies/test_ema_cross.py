from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.market.candles import Candles, Panel
from trading.market.recording import crash_of_may_2021
from trading.strategies.base import Signals
from trading.strategies.ema_cross import EmaCross
from trading.types import Symbol

CRASH = crash_of_may_2021().candles


def candles_of(closes: Panel) -> Candles:
    """Bars around *closes* of shape [symbols, bars]; NaN stays missing."""
    opens = np.concatenate((closes[:, :1], closes[:, :-1]), axis=1)
    opens = np.where(np.isfinite(closes) & np.isfinite(opens), opens, closes)
    return Candles(
        symbols=tuple(Symbol(f"S{row}", "USDT") for row in range(closes.shape[0])),
        times=60_000 * np.arange(1, closes.shape[1] + 1, dtype=np.int64),
        open=opens,
        high=np.maximum(opens, closes) + 0.5,
        low=np.minimum(opens, closes) - 0.5,
        close=closes,
        volume=np.where(np.isfinite(closes), 1000.0, np.nan),
    )


def assert_same(found: Signals, expected: Signals) -> None:
    for name in ("score", "stop", "target"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def columns(signals: Signals, part: slice) -> Signals:
    return Signals(
        score=signals.score[:, part], stop=signals.stop[:, part], target=signals.target[:, part]
    )


# -- causality ----------------------------------------------------------------------------------

SMALL = EmaCross(fast=2, slow=4, atr=3)

moves = st.lists(
    st.one_of(st.sampled_from([0.0, 0.0, 1.0, -1.0]), st.floats(-3, 3), st.just(np.nan)),
    min_size=SMALL.warmup,
    max_size=SMALL.warmup + 60,
)


def walk(steps: list[float]) -> Candles:
    """A market that makes these moves; NaN: a bar is missing."""
    moved = np.array(steps)
    closes = 1000.0 + np.nancumsum(moved)
    return candles_of(np.where(np.isnan(moved), np.nan, closes)[np.newaxis, :])


@given(steps=moves, data=st.data())
def test_a_signal_does_not_know_the_future(steps: list[float], data: st.DataObject) -> None:
    candles = walk(steps)
    bars = data.draw(st.integers(0, candles.bars))
    whole = SMALL.signals(candles)
    assert_same(SMALL.signals(candles.upto(bars)), columns(whole, slice(None, bars)))


@given(steps=moves, data=st.data())
def test_a_signal_depends_on_its_own_window_only(steps: list[float], data: st.DataObject) -> None:
    candles = walk(steps)
    bars = data.draw(st.integers(SMALL.warmup, candles.bars))
    whole, live = SMALL.signals(candles), SMALL.signals(candles.last(bars))
    counted = bars - SMALL.warmup + 1
    assert_same(columns(live, slice(-counted, None)), columns(whole, slice(-counted, None)))


@pytest.mark.parametrize("lengths", [(5, 20), (12, 48), (20, 60)])
def test_on_a_real_crash_live_sees_what_a_backtest_sees(lengths: tuple[int, int]) -> None:
    ema = EmaCross(fast=lengths[0], slow=lengths[1])
    whole = ema.signals(CRASH)
    assert np.count_nonzero(whole.score) > 30
    for bars in range(ema.warmup, CRASH.bars + 1):
        live = ema.signals(CRASH.upto(bars).last(ema.warmup))
        assert_same(columns(live, slice(-1, None)), columns(whole, slice(bars - 1, bars)))


@settings(max_examples=20)
@given(st.integers(400, CRASH.bars))
def test_on_a_real_crash_prefixes_agree_exactly(bars: int) -> None:
    ema = EmaCross(fast=8, slow=21)
    whole = ema.signals(CRASH)
    assert_same(ema.signals(CRASH.upto(bars)), columns(whole, slice(None, bars)))


# -- what it says ---------------------------------------------------------------------------------


def turn(down: int, up: int) -> Candles:
    """Falls by 1 for so many bars, then rises by 2."""
    steps = np.concatenate((-np.ones(down), 2 * np.ones(up)))
    return candles_of(1000 + np.cumsum(steps)[np.newaxis, :])


def the_only_signal(signals: Signals) -> int:
    (column,) = np.flatnonzero(signals.score[0])
    return int(column)


def test_it_buys_where_the_fast_average_crosses_above_the_slow_one() -> None:
    candles = turn(down=40, up=20)
    signals = SMALL.signals(candles)
    column = the_only_signal(signals)
    close = candles.close[0, column]
    assert 40 <= column <= 43
    assert 40 < signals.score[0, column] <= 100
    assert signals.stop[0, column] < close < signals.target[0, column]
    ratio = (signals.target[0, column] - close) / (close - signals.stop[0, column])
    assert ratio == pytest.approx(1.5)
    assert SMALL.explain(candles, 0, column) == "EMA 2 crossed above 4"
    assert SMALL.explain(candles, 0, column + 1) == ""


def test_it_sells_short_where_it_crosses_below() -> None:
    rising = turn(down=40, up=20)
    candles = candles_of(2000 - rising.close)
    signals = SMALL.signals(candles)
    column = the_only_signal(signals)
    assert signals.score[0, column] < -40
    assert signals.target[0, column] < candles.close[0, column] < signals.stop[0, column]
    assert SMALL.explain(candles, 0, column) == "EMA 2 crossed below 4"


def test_without_shorts_a_cross_below_is_no_wish() -> None:
    candles = candles_of(2000 - turn(down=40, up=20).close)
    long_only = EmaCross(fast=2, slow=4, atr=3, short=False)
    assert not long_only.signals(candles).score.any()


def test_a_faster_cross_is_more_confident() -> None:
    slow_turn, fast_turn = turn(down=40, up=20), turn(down=40, up=20)
    closes = fast_turn.close.copy()
    closes[:, 40:] += 4 * np.arange(1, 21)
    fast_turn = replace(fast_turn, close=closes, high=np.maximum(fast_turn.high, closes))
    calm, wild = (SMALL.signals(c) for c in (slow_turn, fast_turn))
    assert wild.score.max() > calm.score.max()


def test_a_market_that_does_not_move_says_nothing() -> None:
    closes = np.full((1, 100), 0.1)
    flat = replace(candles_of(closes), high=closes, low=closes)
    signals = SMALL.signals(flat)
    assert not signals.score.any()
    assert np.isnan(signals.stop).all()


def test_a_short_history_says_nothing() -> None:
    candles = turn(down=40, up=20)
    assert not SMALL.signals(candles.last(SMALL.warmup - 1)).score.any()
    assert not SMALL.signals(candles.upto(0)).score.any()


def test_a_missing_bar_is_left_out() -> None:
    candles = turn(down=40, up=20)
    closes = candles.close.copy()
    closes[0, 30] = np.nan
    signals = SMALL.signals(candles_of(closes))
    assert the_only_signal(signals) == the_only_signal(SMALL.signals(candles))


def test_a_window_that_is_mostly_missing_says_nothing() -> None:
    candles = turn(down=40, up=20)
    closes = candles.close.copy()
    closes[0, 20:38] = np.nan
    assert not SMALL.signals(candles_of(closes)).score.any()


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"fast": 48}, "fast must be the smaller one"),
        ({"fast": 1}, "fast is 1; it must be a whole number"),
        ({"slow": 48.0}, "slow is 48.0; it must be a whole number"),
        ({"atr": True}, "atr is True"),
        ({"stop_atr": 0}, "stop_atr is 0; it must be above 0"),
        ({"target_atr": float("nan")}, "target_atr is nan"),
        ({"stop_atr": "2"}, "stop_atr is '2'; it must be a number"),
        ({"short": "no"}, "short is 'no'; it must be true or false"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        EmaCross(**{"fast": 12, "slow": 48, **wrong})


def test_distances_may_be_decimals() -> None:
    assert EmaCross(fast=12, slow=48, stop_atr=Decimal("1.5")).warmup == 288
