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
    assert_suffix,
    majors,
    walks,
)
from trading.market.candles import Candles
from trading.market.recording import crash_of_may_2021
from trading.strategies.rules import RULES, Rules
from trading.strategies.rules.regime import MULTIPLIERS, Regime, regimes
from trading.strategies.rules.triggers import NAMES, Triggers, triggers
from trading.types import Symbol

CRASH = crash_of_may_2021().candles
BARS = 240


# -- made-up markets ------------------------------------------------------------------------------


def leader(trend: float, *, shake: float = 0.001) -> list[float]:
    """BTC by the hour: *trend* over the last seven days, and a *shake* of each second hour."""
    steady = np.exp(np.log1p(trend) * np.arange(BARS) / 168)
    return list(50_000 * steady * (1 + shake * (np.arange(BARS) % 2 == 0)))


LEADERS = {
    Regime.BULL: leader(0.15),
    Regime.CHOP: leader(0.0),
    Regime.BEAR: leader(-0.07),
    Regime.CRASH: leader(-0.15),
}


def coin(*last: float) -> list[float]:
    """A price that lies at 100, swaying by 0.01, and at last closes so."""
    return [*(100 + 0.01 * (n % 2) for n in range(BARS - len(last))), *last]


def market(closes: list[float], *, regime: Regime = Regime.CHOP, volume: float = 1.0) -> Candles:
    """BTC in that *regime* and a coin; the coin's last bar has so many times the usual *volume*."""
    close = np.array([LEADERS[regime], closes])
    opened = np.concatenate((close[:, :1], close[:, :-1]), axis=1)
    volumes = np.full_like(close, 1000.0)
    volumes[1, -1] *= volume
    return Candles(
        symbols=(Symbol("BTC", "USD"), Symbol("SOL", "USD")),
        times=3_600_000 * np.arange(1, BARS + 1, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=volumes,
    )


def told(candles: Candles, **settings_: Any) -> str:
    """Why the coin is wanted at the last bar; empty: it is not."""
    rules = Rules(**settings_)
    signals = rules.signals(candles)
    assert signals.why is not None
    why = signals.why(1, candles.bars - 1)
    assert bool(why) == bool(signals.score[1, -1])
    assert why == rules.explain(candles, 1, candles.bars - 1)
    return why


def strengths(candles: Candles) -> dict[str, float]:
    """What the coin's last bar triggers."""
    found = seen(candles)
    return {
        name: float(found.strengths[number, 1, -1])
        for number, name in enumerate(NAMES)
        if found.strengths[number, 1, -1]
    }


def seen(candles: Candles, *, bar_minutes: int = 60) -> Triggers:
    return triggers(candles, regimes(candles), bar_minutes=bar_minutes)


def test_a_fall_is_a_trigger_as_well_though_nobody_buys_it() -> None:
    signals = Rules(dips=False).signals(market(coin(95.0)))

    assert not signals.score[:, -1].any()
    assert signals.triggers(BARS - 1) == 1
    assert signals.at(BARS - 1).triggers(0) == 1


# -- traps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", LEADERS)
@pytest.mark.parametrize("volume", [0.5, 1.0, 10.0])
def test_minus_five_per_cent_is_never_bought_as_plus_five(regime: Regime, volume: float) -> None:
    assert not told(market(coin(95.0), regime=regime, volume=volume), dips=False)
    assert strengths(market(coin(95.0), regime=regime, volume=volume))["momentum"] < 0


def test_plus_five_per_cent_is_bought() -> None:
    assert told(market(coin(105.0))).startswith("price move, +5.0% in 60 min and +5.0% in 24 h")


@pytest.mark.parametrize("fall", [0.97, 0.95, 0.9, 0.8, 0.5])
def test_the_mirror_of_every_rise_that_is_bought_is_a_fall_that_is_not(fall: float) -> None:
    assert told(market(coin(100 / fall), volume=3), dips=False)
    assert not told(market(coin(100 * fall), volume=3), dips=False)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05]))
def test_a_fall_is_never_bought_as_a_rise(seed: int, missing: float) -> None:
    candles = walks(seed, bars=400, missing=missing)
    assert_only_rises_are_bought(candles)


@pytest.mark.parametrize("dips", [True, False])
def test_on_real_data_a_fall_is_never_bought_as_a_rise(dips: bool) -> None:
    assert assert_only_rises_are_bought(majors(), dips=dips) > 1000


def assert_only_rises_are_bought(candles: Candles, *, dips: bool = False) -> int:
    """Each wish names a rule, and the price did what that rule is for.  Returns how many."""
    signals, found = Rules(dips=dips).signals(candles), seen(candles)
    assert signals.why is not None
    bar = candles.close - np.concatenate((candles.open[:, :1], candles.close[:, :-1]), axis=1)
    rose = {
        "price move": found.hour > 0,
        "volume spike": candles.close > candles.open,
        "breakout": bar > 0,
        "reversal": bar > 0,
        "momentum": found.day > 0,
        "dip": found.hour < 0,
    }
    wishes = np.argwhere(signals.score)
    assert (signals.score >= 0).all()  # spot: never short
    for row, column in wishes:
        rule = signals.why(row, column).partition(",")[0]
        assert rose[rule][row, column], (rule, row, column)
    return len(wishes)


def test_a_stronger_fall_outweighs_a_rise() -> None:
    """Up 2 % in the hour on ten times the volume, but down 15 % in the day."""
    fallen = coin(*[85.0] * 20, 86.7)
    assert strengths(market(fallen, volume=1)).keys() == {"momentum"}
    assert not told(market(fallen, volume=1))


def test_in_a_crash_nothing_is_bought() -> None:
    assert not told(market(coin(110.0), regime=Regime.CRASH, volume=10))


def test_where_the_regime_is_unknown_nothing_is_bought() -> None:
    candles = market(coin(110.0), volume=10)
    assert told(candles)
    assert not Rules().signals(candles.rows([1])).score.any()
    assert not Rules(leader="ETH").signals(candles).score.any()
    assert not Rules().signals(candles.last(150)).score.any()


def test_a_dip_is_bought_in_a_bull_market_only_and_says_what_it_is() -> None:
    fall = coin(91.0)
    assert told(market(fall, regime=Regime.BULL, volume=3)).startswith("dip, -9.0% in 60 min")
    assert not told(market(fall, regime=Regime.BULL, volume=3), dips=False)
    for regime in (Regime.CHOP, Regime.BEAR, Regime.CRASH):
        assert not told(market(fall, regime=regime, volume=3))


# -- regimes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trend", "shake", "regime"),
    [
        (-0.101, 0.0005, Regime.CRASH),
        (-0.099, 0.0005, Regime.BEAR),
        (-0.051, 0.0005, Regime.BEAR),
        (-0.049, 0.0005, Regime.CHOP),
        (0.0, 0.0005, Regime.CHOP),
        (0.099, 0.0005, Regime.CHOP),
        (0.101, 0.0005, Regime.BULL),
        (0.15, 0.0063, Regime.BULL),  # 59 % a year
        (0.15, 0.0065, Regime.CHOP),  # 61 %
        (0.15, 0.0105, Regime.CHOP),  # 98 %
        (0.15, 0.0110, Regime.CRASH),  # 103 %
    ],
)
def test_the_regime_is_read_from_seven_days_of_bitcoin(
    trend: float, shake: float, regime: Regime
) -> None:
    candles = market(coin())
    close = candles.close.copy()
    close[0] = leader(trend, shake=shake)
    reading = regimes(replace(candles, close=close)).at(-1)
    assert reading.regime is regime
    assert reading.trend == pytest.approx(trend)
    assert reading.volatility == pytest.approx(shake * 93.6, rel=0.02)


def test_a_regime_says_itself_in_words() -> None:
    candles = market(coin(), regime=Regime.BULL)
    assert str(regimes(candles).at(-1)) == "bull: +15.0% in 7 days, volatility 9%"
    assert str(regimes(candles).at(100)) == "unknown"


def test_real_regimes_change_with_the_market() -> None:
    readings = Rules().regimes(majors())
    assert {readings.at(column).regime for column in range(majors().bars)} == set(Regime)
    opened = majors().times - 3_600_000
    (bottom,) = np.flatnonzero(opened == np.datetime64("2025-10-10T21:00", "ms").astype(np.int64))
    assert readings.at(int(bottom)).regime in {Regime.BEAR, Regime.CHOP}
    assert readings.at(int(bottom) + 72).regime is not Regime.BULL


def test_some_missing_hours_do_not_hide_the_regime_many_do() -> None:
    candles = market(coin())
    for missing, regime in ((12, Regime.CHOP), (13, Regime.UNKNOWN)):
        close = candles.close.copy()
        close[0, 100 : 100 + missing] = np.nan
        assert regimes(replace(candles, close=close)).at(-1).regime is regime


@pytest.mark.parametrize(
    ("regime", "multiplier"),
    [(Regime.BULL, 1.2), (Regime.CHOP, 0.8), (Regime.BEAR, 0.5), (Regime.CRASH, 0.0)],
)
def test_the_regime_scales_the_size(regime: Regime, multiplier: float) -> None:
    assert MULTIPLIERS[regime] == multiplier
    if multiplier:
        signals = Rules().signals(market(coin(120.0), regime=regime, volume=10))
        assert signals.size is not None
        conviction = signals.score[1, -1] / 100
        calm = 0.25  # a coin that has just risen by 20 % is not
        expected = multiplier * calm * (1 + conviction) / 2
        assert signals.size[1, -1] == pytest.approx(expected)


# -- triggers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regime", "at_threshold"),
    [(Regime.CHOP, 0.025), (Regime.BULL, 0.07), (Regime.BEAR, 0.07)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_price_move_depends_on_the_regime(regime: Regime, at_threshold: float, sign: int) -> None:
    before = coin()[-2]

    def moved(share: float) -> float | None:
        candles = market(coin(before, before * (1 + sign * share)), regime=regime)
        return strengths(candles).get("price move")

    assert moved(at_threshold - 1e-6) is None
    assert moved(at_threshold + 1e-6) == pytest.approx(sign * 0.5, abs=1e-3)
    assert moved(2 * at_threshold) == pytest.approx(sign)
    assert moved(3 * at_threshold) == sign


def quarters(*last: float) -> Candles:
    """The coin in chop, in bars of fifteen minutes."""
    bars = 4 * 190
    close = np.full((2, bars), 100.0)
    close[0] *= 1 + 0.0005 * (np.arange(bars) // 4 % 2)
    close[1, -len(last) :] = last
    opened = np.concatenate((close[:, :1], close[:, :-1]), axis=1)
    return Candles(
        symbols=(Symbol("BTC", "USD"), Symbol("SOL", "USD")),
        times=900_000 * np.arange(1, bars + 1, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.ones_like(close),
    )


@pytest.mark.parametrize(
    ("last", "strength"),
    [
        ([101.2001], 0.5),
        ([101.19], 0.0),
        ([98.7], -13 / 24),
        ([100.7, 101.4, 102.0, 102.6], 0.52),
        ([94.0, 94.0, 94.0, 96.0], 0.0),  # up in 15 minutes, down in 60: they contradict
    ],
)
def test_short_bars_show_a_move_in_fifteen_minutes(last: list[float], strength: float) -> None:
    found = seen(quarters(*last), bar_minutes=15)
    assert found.strengths[0, 1, -1] == pytest.approx(strength, abs=1e-3)


@pytest.mark.parametrize(("times", "strength"), [(1.79, None), (1.81, 0.503), (3.6, 1), (9.0, 1)])
def test_a_volume_spike_is_measured_against_the_day_before(
    times: float, strength: float | None
) -> None:
    found = strengths(market(coin(100.02), volume=times)).get("volume spike")
    assert found == (None if strength is None else pytest.approx(strength, abs=1e-3))


def test_a_volume_spike_has_the_direction_of_its_bar() -> None:
    assert strengths(market(coin(99.9), volume=3))["volume spike"] < 0
    assert "volume spike" not in strengths(market(coin(100.0, 100.0), volume=3))


@pytest.mark.parametrize(
    ("close", "strength"),
    [(99.4, None), (99.51, 0.25), (100.01, 0.5), (101.1, 1.0)],
)
def test_a_breakout_comes_close_to_the_high_of_the_day_before(
    close: float, strength: float | None
) -> None:
    found = strengths(market(coin(98.0, close))).get("breakout")
    assert found == (None if strength is None else pytest.approx(strength, abs=0.02))


def test_falling_away_from_the_high_is_no_breakout() -> None:
    assert "breakout" not in strengths(market(coin(99.8)))


@pytest.mark.parametrize(
    ("closes", "strength"),
    [
        ([80.0, 83.0, 84.1], 0.51),
        ([80.0, 83.0, 83.9], None),  # under 5 % above the low
        ([80.0, 83.0, 88.1], None),  # over 10 % above it
        ([80.0, 86.0, 85.0], None),  # and falling again
        ([80.0, *[83.0] * 12, 85.0], None),  # the low is half a day old
    ],
)
def test_a_reversal_has_bounced_off_a_fresh_low(
    closes: list[float], strength: float | None
) -> None:
    found = strengths(market(coin(*closes))).get("reversal")
    assert found == (None if strength is None else pytest.approx(strength, abs=0.02))


@pytest.mark.parametrize(
    ("change", "strength"),
    [(1.019, None), (1.021, 0.21), (1.05, 0.5), (1.2, 1.0), (0.979, -0.21), (0.8, -1.0)],
)
def test_momentum_is_the_signed_change_of_a_day(change: float, strength: float | None) -> None:
    found = strengths(market(coin(100.0, *[100.0 * change] * 10))).get("momentum")
    assert found == (None if strength is None else pytest.approx(strength, abs=0.01))


def test_a_missing_bar_within_the_day_hides_what_looks_at_it() -> None:
    candles = market(coin(110.0), volume=10)
    holes = {
        name: getattr(candles, name).copy() for name in ("open", "high", "low", "close", "volume")
    }
    for panel in holes.values():
        panel[1, -10] = np.nan
    found = strengths(replace(candles, **holes))
    assert found.keys() == {"price move", "momentum"}


def test_a_hole_in_the_time_axis_is_no_move() -> None:
    candles = market(coin(110.0), volume=10)
    times = candles.times.copy()
    times[:-1] -= 5 * 3_600_000  # the last hour comes five hours late
    assert not strengths(replace(candles, times=times))


def test_volatility_makes_an_entry_smaller_in_proportion_within_bounds() -> None:
    """Of 24 hours, for a year: one hour of 3 % among quiet ones is about 57 %."""
    candles = market(coin(103.0))

    def size(calm: float) -> float:
        signals = Rules(calm=calm).signals(candles)
        assert signals.size is not None
        return float(signals.size[1, -1])

    whole = size(10.0)
    volatility = 0.30 / (size(0.30) / whole)
    assert 0.5 < volatility < 0.65
    for calm in (0.25, 0.40, 0.50):
        assert size(calm) / whole == pytest.approx(calm / volatility)
    assert size(0.60) == size(1.0) == whole
    assert size(0.01) / whole == pytest.approx(0.25)


# -- conviction and rules -------------------------------------------------------------------------


def test_conviction_weighs_strength_confidence_and_boosts() -> None:
    """Up 4 % on three times the volume: a price move of 0.8, all four checks, others agree."""
    assert strengths(market(coin(100.0, 104.0), volume=3))["price move"] == pytest.approx(0.8)
    why = told(market(coin(100.0, 104.0), volume=3))
    assert why.startswith("breakout, +4.0% in 60 min")  # 1.00: four per cent above the high
    assert "conviction 0.90 (strength 1.00, confidence 1.00), chop market" in why
    bull = told(market(coin(100.0, 104.0), regime=Regime.BULL, volume=3))
    assert "conviction 0.95 (strength 1.00, confidence 1.00), bull market" in bull


def test_below_the_least_conviction_there_is_no_wish() -> None:
    candles = market(coin(100.0, 104.0), volume=3)
    assert told(candles, conviction=Decimal("0.89"))
    assert not told(candles, conviction=0.91)


@pytest.mark.parametrize(
    ("closes", "volume", "regime", "rule", "figures"),
    [
        ([99.0, 95.0, 99.3], 1.0, Regime.CHOP, "price move", (0.06, 0.12, 48)),
        ([100.02], 3.0, Regime.CHOP, "volume spike", (0.08, 0.15, 72)),
        ([103.0], 1.0, Regime.CHOP, "breakout", (0.06, 0.20, 120)),
        (
            [*[86.0] * 20, 89.0, *[86.0] * 9, 80.0, 82.5, 84.4, 86.5],
            1.0,
            Regime.BEAR,
            "reversal",
            (0.12, 0.25, 48),
        ),
        ([112.0, 110.5, 110.6], 1.0, Regime.CHOP, "momentum", (0.08, 0.15, 72)),
        ([90.0], 1.0, Regime.BULL, "dip", (0.10, 0.20, 24)),
    ],
)
def test_each_rule_has_its_stop_target_and_time(
    closes: list[float],
    volume: float,
    regime: Regime,
    rule: str,
    figures: tuple[float, float, int],
) -> None:
    signals = Rules().signals(candles := market(coin(*closes), volume=volume, regime=regime))
    assert told(candles).startswith(f"{rule}, ")
    stop, target, hold = figures
    close = candles.close[1, -1]
    assert signals.hold is not None
    assert signals.stop[1, -1] == pytest.approx(close * (1 - stop))
    assert signals.target[1, -1] == pytest.approx(close * (1 + target))
    assert signals.hold[1, -1] == hold


def test_the_table_of_rules_is_the_documented_one() -> None:
    assert {name: (r.stop, r.target, r.hold, r.size) for name, r in RULES.items()} == {
        "price move": (0.06, 0.12, 48, 1.0),
        "dip": (0.10, 0.20, 24, 0.7),
        "volume spike": (0.08, 0.15, 72, 1.0),
        "breakout": (0.06, 0.20, 120, 1.2),
        "reversal": (0.12, 0.25, 48, 0.8),
        "momentum": (0.08, 0.15, 72, 1.0),
    }


def test_every_wish_is_sane_on_real_data() -> None:
    signals = Rules().signals(majors())
    wish = signals.score > 0
    assert signals.size is not None
    assert signals.hold is not None
    assert ((signals.score[wish] >= 30) & (signals.score[wish] <= 100)).all()
    assert (signals.stop < majors().close)[wish].all()
    assert (signals.target > majors().close)[wish].all()
    assert ((signals.size[wish] > 0) & (signals.size[wish] <= 1.2 * 1.2)).all()
    for panel in (signals.stop, signals.target, signals.size, signals.hold):
        assert np.isnan(panel[~wish]).all()
        assert np.isfinite(panel[wish]).all()


# -- causality ------------------------------------------------------------------------------------

seeds, gaps = st.integers(0, 2**32), st.sampled_from([0.0, 0.03])


@settings(max_examples=25, deadline=None)
@given(seeds, gaps, st.integers(0, 300))
def test_a_signal_does_not_know_the_future(seed: int, missing: float, bars: int) -> None:
    assert_prefix(Rules(), walks(seed, bars=300, missing=missing), bars)


@settings(max_examples=25, deadline=None)
@given(seeds, gaps, st.integers(Rules().warmup, 300))
def test_a_signal_depends_on_its_warm_up_only(seed: int, missing: float, bars: int) -> None:
    assert_suffix(Rules(), walks(seed, bars=300, missing=missing), bars)


def test_on_real_hours_live_sees_what_a_backtest_sees() -> None:
    assert_live_sees_what_a_backtest_sees(Rules(), majors(), step=5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, majors().bars))
def test_on_real_hours_prefixes_agree_exactly(bars: int) -> None:
    assert_prefix(Rules(), majors(), bars)


@pytest.mark.parametrize("bars", [0, 1, 2, 100])
def test_a_short_history_says_nothing(bars: int) -> None:
    assert not Rules().signals(majors().upto(bars)).score.any()


# -- settings -------------------------------------------------------------------------------------


def test_candles_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="rules expects bars of 60 minutes, not of 1"):
        Rules().signals(CRASH)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"bar_minutes": 7}, "bar_minutes is 7; it must be a divisor of 60"),
        ({"bar_minutes": 0}, "bar_minutes is 0"),
        ({"bar_minutes": "60"}, "bar_minutes is '60'; it must be a whole number"),
        ({"conviction": 0}, "conviction is 0; it must be above 0"),
        ({"calm": Decimal("NaN")}, "calm is NaN"),
        ({"calm": True}, "calm is True; it must be a number"),
        ({"leader": "BTC/USD"}, "leader is 'BTC/USD'; it must be the name of a coin"),
        ({"dips": 1}, "dips is 1; it must be true or false"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Rules(**wrong)


def test_shorter_bars_need_as_many_hours_of_warm_up() -> None:
    assert Rules().warmup == 182
    assert Rules(bar_minutes=15).warmup == 4 * 182
