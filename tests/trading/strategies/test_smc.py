from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

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
    walks,
)
from trading.market.candles import Candles
from trading.market.recording import crash_of_may_2021
from trading.strategies.base import Signals, leaving
from trading.strategies.smc import Smc
from trading.types import Symbol

CRASH = crash_of_may_2021().candles
SCANNER = Smc(threshold=30)
SMALL = Smc(higher=2, trend=10)
"""Warm-up: 300 bars."""


# -- causality ------------------------------------------------------------------------------------

seeds, gaps = st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.3])


@settings(max_examples=25, deadline=None)
@given(seeds, gaps, st.integers(0, 420))
def test_a_signal_does_not_know_the_future(seed: int, missing: float, bars: int) -> None:
    assert_prefix(SMALL, walks(seed, bars=420, missing=missing), bars)


@settings(max_examples=25, deadline=None)
@given(seeds, gaps, st.integers(SMALL.warmup, 420))
def test_a_signal_depends_on_its_warm_up_only(seed: int, missing: float, bars: int) -> None:
    assert_suffix(SMALL, walks(seed, bars=420, missing=missing), bars)


@pytest.mark.parametrize("strategy", [Smc(), Smc(higher=1), Smc(reward_by_confidence=True)])
def test_on_a_real_crash_live_sees_what_a_backtest_sees(strategy: Smc) -> None:
    assert_live_sees_what_a_backtest_sees(strategy, CRASH, step=7)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, CRASH.bars))
def test_on_a_real_crash_prefixes_agree_exactly(bars: int) -> None:
    assert_prefix(Smc(), CRASH, bars)


@pytest.mark.parametrize("newest", [20, 40, 60])
def test_after_an_outage_the_last_column_is_that_of_the_whole_all_the_same(newest: int) -> None:
    """The bars before it count in place of those that are missing: the newest 300 columns alone
    would give other answers here in some of the markets."""
    for seed in range(30):
        candles = without(walks(seed, bars=900), slice(-300, -newest))
        whole = SCANNER.signals(candles)
        assert whole.exits is not None
        assert np.isfinite(whole.exits.long[:, -1]).all()
        assert_same_columns(SCANNER.last(candles), 0, whole, candles.bars - 1)


def without(candles: Candles, columns: slice) -> Candles:
    """With no bar of any symbol in *columns*."""
    names = ("open", "high", "low", "close", "volume")
    panels = {name: getattr(candles, name).copy() for name in names}
    for panel in panels.values():
        panel[:, columns] = np.nan
    return replace(candles, **panels)


def test_symbols_do_not_see_each_other() -> None:
    whole, alone = Smc().signals(CRASH), Smc().signals(CRASH.rows([3]))
    np.testing.assert_array_equal(whole.score[3:4], alone.score)
    many = CRASH.rows([3] * 300)  # more rows than are computed at once
    np.testing.assert_array_equal(Smc().signals(many).score, np.repeat(alone.score, 300, axis=0))


# -- what it says ---------------------------------------------------------------------------------


def market(closes: list[float]) -> Candles:
    """One symbol by the hour; each bar opens at the close before."""
    close = np.array([closes])
    opened = np.concatenate((close[:, :1], close[:, :-1]), axis=1)
    return Candles(
        symbols=(Symbol("SOL", "USDT"),),
        times=3_600_000 * np.arange(1, close.shape[1] + 1, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.full_like(close, 1000.0),
    )


def swinging(bars: int = 305) -> list[float]:
    """Between 995 and 1005, twenty bars there and back; at last 1000, on its way up."""
    return [1000.0 + 5 - abs((n + 5 - bars + 1) % 20 - 10) for n in range(bars)]


def mirrored(candles: Candles) -> Candles:
    return replace(
        candles,
        open=2000 - candles.open,
        high=2000 - candles.low,
        low=2000 - candles.high,
        close=2000 - candles.close,
    )


RISE = [1002.0, 1005.0, 1006.0, 1008.1]
"""The last close lies over 0.3 % beyond the swing high at 1005; no close before does."""
BREAK = len(swinging() + RISE) - 1
FALL = [1008.0, 1004.0, 998.0, 990.0, 985.0]


def last(strategy: Smc, candles: Candles) -> tuple[float, str]:
    signals = strategy.signals(candles)
    assert signals.why is not None
    return float(signals.score[0, -1]), signals.why(0, candles.bars - 1)


def test_it_buys_a_break_of_structure_that_all_confirms() -> None:
    candles = market(swinging() + RISE)
    score, why = last(SMALL, candles)
    assert score == 90
    assert why == "long 90: structure 40, MACD 20, EMA gap 20, EMA 9 10"
    assert SMALL.explain(candles, 0, candles.bars - 1) == why


def test_it_sells_short_in_the_mirror() -> None:
    candles = mirrored(market(swinging() + RISE))
    score, why = last(SMALL, candles)
    assert score == -90
    assert why == "short 90: structure 40, MACD 20, EMA gap 20, EMA 9 10"


def test_without_shorts_a_fall_is_no_wish_and_never_a_buy() -> None:
    candles = mirrored(market(swinging() + RISE))
    assert last(Smc(higher=2, trend=10, short=False), candles) == (0.0, "")


@pytest.mark.parametrize(
    ("close", "structure"),
    [(1005 + 1005 * 0.003, 40), (1005 + 1005 * 0.00299, 20), (1009.0, 40), (1006.0, 20)],
)
def test_a_break_closes_at_least_three_tenths_of_a_per_cent_beyond(
    close: float, structure: int
) -> None:
    _, why = last(Smc(higher=2, trend=10, threshold=1), market([*swinging(), *RISE[:-1], close]))
    assert f"structure {structure}," in why


def test_a_wick_beyond_is_no_break() -> None:
    candles = market([*swinging(), *RISE[:-1], 1007.0])
    high = candles.high.copy()
    high[0, -1] = 1020.0
    _, why = last(Smc(higher=2, trend=10, threshold=1), replace(candles, high=high))
    assert "structure 20," in why


def test_an_old_break_is_neutral_again() -> None:
    quiet = [1009.0 + 0.001 * n for n in range(60)]
    signals = Smc(higher=2, trend=10, threshold=1).signals(market(swinging() + RISE + quiet))
    assert signals.why is not None
    assert "structure 40" in signals.why(0, BREAK)
    assert "structure 40" in signals.why(0, BREAK + 49)
    assert "structure 20" in signals.why(0, BREAK + 50)


def test_a_bar_that_fetches_the_low_of_fifty_bars_and_turns_adds_a_zone() -> None:
    candles = market(swinging() + RISE)
    low = candles.low.copy()
    low[0, -1] = 990.0
    score, why = last(SMALL, replace(candles, low=low))
    assert score == 100
    assert "zone 10" in why


def test_a_bar_that_comes_back_into_a_standing_gap_adds_a_zone() -> None:
    candles = market([*swinging(), 1002.0, 1005.0, 1010.0, 1016.0, 1018.0, 1019.0, 1016.0])
    low = candles.low.copy()
    low[0, -4:-1] = [1012.0, 1016.0, 1018.0]  # nothing was traded between 1010 and 1012
    low[0, -1] = 1011.5
    _, why = last(SMALL, replace(candles, low=low))
    assert "zone 10" in why


LOOSE = Smc(higher=2, trend=10, threshold=1)
LEAP = [*swinging(), 1002.0, 1005.0, 1010.0, 1016.0, 1018.0]
"""It leaves gaps: the newest from 1010 to 1012, another one from 1005 to 1010."""
REST = (1018.0, 1014.0)


def leapt(*bars: tuple[float, float]) -> Candles:
    """After the leap so many bars more: close and low."""
    candles = market([*LEAP, *(close for close, _ in bars)])
    low = candles.low.copy()
    low[0, len(LEAP) - 1 :] = [1012.0, *(low for _, low in bars)]
    return replace(candles, low=low)


def sure(candles: Candles) -> float:
    """Confidence in being long at the last bar."""
    exits = LOOSE.signals(candles).exits
    assert exits is not None
    return float(exits.long[0, -1])


@pytest.mark.parametrize(
    ("bars", "counts"),
    [
        ([(1016.0, 1012.0)], True),
        ([(1016.0, 1012.1)], False),
        ([(1010.0, 1008.0)], True),
        ([(1009.9, 1008.0)], False),
        ([REST, REST, (1016.0, 1011.0)], True),
        ([(1016.0, 1011.0), (1016.0, 1011.0)], False),
        ([(1016.0, 1011.0), REST, (1016.0, 1011.0)], False),
        ([(1016.0, 1011.0), REST, (1016.0, 1009.0)], False),
    ],
    ids=[
        "touched", "not touched", "closed at its end", "closed through it", "later",
        "touched before", "touched long before", "only an older one still stands",
    ],
)  # fmt: skip
def test_the_newest_zone_counts_once_when_it_is_touched_and_holds(
    bars: list[tuple[float, float]], counts: bool
) -> None:
    for candles in (leapt(*bars), mirrored(leapt(*bars))):
        score, why = last(LOOSE, candles)
        assert np.sign(score) == np.sign(candles.close[0, -1] - 1000)
        assert ("zone 10" in why) is counts


def test_a_zone_counts_for_a_hundred_bars() -> None:
    """It is touched then by a bar that closes below all others: no sweep that counts as well."""
    points = [sure(leapt(*[REST] * rested, (1011.0, 1010.5))) for rested in (60, 99, 100, 150)]
    assert points == [30, 30, 20, 20]


def test_against_the_longer_trend_there_is_no_wish() -> None:
    fallen = [1200.0 - 0.5 * n for n in range(1, 401)]
    candles = market(fallen + swinging() + RISE)
    follows = Smc(higher=8, trend=100)
    assert last(SMALL, candles)[0] == 90
    assert last(follows, candles)[0] == 0


def test_the_longer_bar_that_has_not_ended_says_nothing() -> None:
    """A jump turns the longer trend only with the close of the longer bar it lies in."""
    candles = market([1000.0 - 0.1 * n for n in range(304)] + [1100.0] * 8)
    strategy = Smc(higher=8, trend=10, threshold=1)
    signs = np.sign(strategy.signals(candles).score[0, -8:])
    assert candles.times[-1] // 3_600_000 % 8 == 0
    assert (signs[:-1] <= 0).all()
    assert signs[-1] == 1


def test_stop_and_target_are_measured_in_average_ranges() -> None:
    candles = market(swinging() + RISE)
    signals, close = SMALL.signals(candles), candles.close[0, -1]
    risk = close - signals.stop[0, -1]
    assert 0 < risk < 0.01 * close
    assert (signals.target[0, -1] - close) / risk == pytest.approx(1.5)
    wider = Smc(higher=2, trend=10, stop_atr=4).signals(candles)
    assert close - wider.stop[0, -1] == pytest.approx(2 * risk)
    assert wider.target[0, -1] == pytest.approx(signals.target[0, -1])


def test_the_reward_may_depend_on_the_confidence() -> None:
    signals = Smc(reward_by_confidence=True, threshold=60).signals(CRASH)
    rows, columns = np.nonzero(signals.score)
    close, score = CRASH.close[rows, columns], np.abs(signals.score[rows, columns])
    stop, target = signals.stop[rows, columns], signals.target[rows, columns]
    reward = np.abs(target - close) / np.abs(close - stop)
    expected = np.where(score >= 90, 2.0, np.where(score >= 80, 1.5, 1.0))
    assert set(expected) == {1.0, 1.5, 2.0}
    np.testing.assert_allclose(reward, expected, rtol=1e-9)


def test_every_wish_is_sane_on_real_data() -> None:
    for candles in (CRASH, majors()):
        signals = Smc().signals(candles)
        sign, size = np.sign(signals.score), np.abs(signals.score)
        wish = sign != 0
        assert (size[wish] >= 70).all()
        assert (size <= 100).all()
        assert (sign * (candles.close - signals.stop) > 0)[wish].all()
        assert (sign * (signals.target - candles.close) > 0)[wish].all()
        assert np.isnan(signals.stop[~wish]).all()
        assert np.isnan(signals.target[~wish]).all()


def test_what_it_names_adds_up_to_the_confidence() -> None:
    signals = Smc().signals(CRASH)
    assert signals.why is not None
    for row, column in np.argwhere(signals.score)[::25]:
        told, _, parts = signals.why(row, column).partition(": ")
        points = sum(int(part.rsplit(" ", 1)[1]) for part in parts.split(", "))
        assert points == abs(signals.score[row, column]) == int(told.split()[1])


def test_the_same_without_one_wish_says_nothing() -> None:
    signals = Smc().signals(CRASH)
    assert signals.why is not None
    row, column = np.argwhere(signals.score == 0)[0]
    assert not signals.why(row, column)
    assert not Smc().explain(CRASH, int(row), int(column))


@pytest.mark.parametrize("bars", [0, 1, 2, 199])
def test_a_short_history_says_nothing(bars: int) -> None:
    signals = SMALL.signals(majors().upto(bars))
    assert not signals.score.any()
    assert signals.exits is not None
    assert np.isnan(signals.exits.long).all()


def test_a_new_listing_needs_two_hundred_bars() -> None:
    candles = market(swinging(420) + RISE)
    for missing, score in ((200, 90), (300, 0)):
        young = {name: getattr(candles, name).copy() for name in ("open", "high", "low", "close")}
        for panel in young.values():
            panel[0, :missing] = np.nan
        assert last(SMALL, replace(candles, **young))[0] == score


def test_a_market_that_does_not_move_says_nothing() -> None:
    signals = SMALL.signals(market([0.1] * 400))
    assert not signals.score.any()
    assert np.isnan(signals.stop).all()


# -- leaving --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def risen() -> Signals:
    return SMALL.signals(market(swinging() + RISE + FALL))


def test_while_it_is_as_sure_as_before_it_stays(risen: Signals) -> None:
    assert not leaving(risen, 0, BREAK, sign=1, confidence=90)
    assert not leaving(risen, 0, BREAK, sign=1, confidence=100)


def test_when_the_market_turns_there_is_a_wish_for_the_other_side(risen: Signals) -> None:
    """Which closes: `tests/scenarios` has it for every strategy."""
    assert risen.score[0, BREAK] > 0
    assert risen.score[0, -1] < 0
    assert leaving(risen, 0, -1, sign=1, confidence=90)
    assert not leaving(risen, 0, -1, sign=-1, confidence=abs(risen.score[0, -1]))


def test_a_fall_of_confidence_by_more_than_twenty_closes() -> None:
    never_short = Smc(higher=2, trend=10, short=False)
    risen = never_short.signals(market(swinging() + RISE + FALL))
    assert risen.exits is not None
    column = BREAK + int(np.flatnonzero(risen.exits.long[0, BREAK:] < 70)[0])
    now = float(risen.exits.long[0, column])
    assert not leaving(risen, 0, column, sign=1, confidence=now + 20)
    told = leaving(risen, 0, column, sign=1, confidence=now + 21)
    assert told == f"confidence fell from {now + 21:.0f} to {now:.0f}"


def test_unknown_confidence_closes_nothing(risen: Signals) -> None:
    assert risen.exits is not None
    assert np.isnan(risen.exits.long[0, 0])
    assert not leaving(risen, 0, 0, sign=1, confidence=100)


def test_a_strategy_without_exits_leaves_that_to_the_plan(risen: Signals) -> None:
    assert not leaving(replace(risen, exits=None), 0, -1, sign=1, confidence=100)


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"threshold": 0}, "threshold is 0; it must be a whole number, 1 to 100"),
        ({"threshold": 101}, "threshold is 101"),
        ({"drop": True}, "drop is True"),
        ({"higher": 0}, "higher is 0"),
        ({"trend": 1.5}, "trend is 1.5"),
        ({"distance": -0.003}, "distance is -0.003; it must be above 0"),
        ({"stop_atr": "2"}, "stop_atr is '2'; it must be a number"),
        ({"target_atr": Decimal("NaN")}, "target_atr is NaN"),
        ({"short": "no"}, "short is 'no'; it must be true or false"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Smc(**wrong)


def test_sizes_may_be_decimals() -> None:
    assert Smc(distance=Decimal("0.003"), stop_atr=Decimal("1.5")).warmup == 804
