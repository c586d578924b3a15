"""Indicators against published figures; every difference of convention has its own test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.market.markets import a_market, arrays, candles_of, cut, without_gaps
from trading.market.candles import Candles, Panel
from trading.market.indicators import (
    atr,
    ema,
    ema_warmup,
    rolling_max,
    rolling_min,
    rolling_std,
    rsi,
    true_range,
    volatility,
    wilder_warmup,
)
from trading.market.recording import crash_of_may_2021

REFS = Path(__file__).parents[2] / "data" / "refs"
CRASH = crash_of_may_2021().candles


def quotes() -> tuple[Candles, dict[str, Panel]]:
    """502 days of a stock, and what Stock.Indicators makes of them, each as [1, bars]."""
    with np.load(REFS / "stock_indicators.npz") as file:
        each = {name: file[name][np.newaxis, :] for name in file.files}
    return candles_of(*(each[name] for name in ("open", "high", "low", "close", "volume"))), each


def sheet(name: str) -> dict[str, Panel]:
    """A worked example of ChartSchool."""
    with np.load(REFS / "chart_school.npz") as file:
        keys = [key for key in file.files if key.startswith(f"{name} ")]
        return {key.partition(" ")[2]: file[key][np.newaxis, :] for key in keys}


def sheet_candles(columns: dict[str, Panel]) -> Candles:
    close = columns["Close"]
    volume = columns.get("Volume", np.ones_like(close))
    return candles_of(close, columns["High"], columns["Low"], close, volume)


def assert_close(found: Panel, expected: Panel, *, within: float = 1e-9) -> None:
    """The same columns are NaN, and no other differs by more."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=within, equal_nan=True)


# -- against Stock.Indicators -------------------------------------------------------------------


def test_ema_rsi_true_range_and_atr_are_those_of_stock_indicators() -> None:
    candles, each = quotes()
    assert_close(ema(candles.close, 20), each["ema"])
    assert_close(rsi(candles.close, 14), each["rsi"])
    assert_close(true_range(candles), each["tr"])
    assert_close(atr(candles, 14), each["atr"])


# -- against ChartSchool's worked examples ------------------------------------------------------


def test_an_average_begun_with_the_first_close_comes_to_ours_as_its_beginning_fades() -> None:
    """The sheet's EMAs begin with the first close; ours with the mean of the first *length*."""
    columns = sheet("macd")
    close = columns["Close"]
    apart = np.nanmax(close) - np.nanmin(close)
    for length, name in ((12, "short_ema"), (26, "long_ema")):
        found = ema(close, length)
        left = (1 - 2 / (length + 1)) ** np.arange(close.size - length + 1)
        difference = np.abs(found - columns[name])[0, length - 1 :]
        assert (difference <= left * apart + 1e-8).all()
        assert difference[0] > 0.1


def test_atr_of_the_sheet_counts_the_first_bar_too() -> None:
    """There the first range is high - low, so its ATR stands a bar earlier; 13/14 of the
    difference is left with each bar."""
    columns = sheet("atr")
    found = atr(sheet_candles(columns), 14)
    theirs = np.where(columns["ATR"] == 0, np.nan, columns["ATR"])
    assert np.flatnonzero(np.isfinite(theirs))[0] == np.flatnonzero(np.isfinite(found))[0] - 1
    difference = (found - theirs)[0, 14:]
    np.testing.assert_allclose(difference[1:], difference[:-1] * 13 / 14, rtol=1e-6)


def test_rsi_of_the_sheet_begins_its_averages_with_the_first_move() -> None:
    """So it is up to 3.8 points away at first; the averages themselves converge as an ATR does."""
    columns = sheet("rsi")
    found = rsi(columns["Close"], 14)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(columns["RSI"]))
    assert 2 < np.nanmax(np.abs(found - columns["RSI"])) < 3.8


# -- conventions of our own ---------------------------------------------------------------------


def test_a_market_that_does_not_move_is_neither_strong_nor_weak() -> None:
    flat = np.full((1, 40), 7.0)
    assert talib.RSI(flat[0], 14)[-1] == 0  # which would read as sold out
    found = rsi(flat, 14)
    assert np.isnan(found[:, :14]).all()
    assert (found[:, 14:] == 50).all()


def test_a_market_that_only_falls_has_an_rsi_of_zero() -> None:
    falling = 100.0 - np.arange(40.0)[np.newaxis, :]
    assert (rsi(falling, 14)[:, 14:] == 0).all()


def test_flat_candles_deviate_by_exactly_nothing_at_any_price() -> None:
    for price in (1e-7, 0.1, 64_123.7):
        flat = np.full((1, 60), price)
        assert (rolling_std(flat, 20)[:, 19:] == 0).all()
        assert (volatility(flat, 20)[:, 20:] == 0).all()


def test_small_moves_of_large_prices_keep_their_digits() -> None:
    chance = np.random.default_rng(3).normal(size=(2, 300))
    found = rolling_std(1e9 + chance, 25)
    expected = np.stack([chance[:, t - 24 : t + 1].std(axis=1) for t in range(24, 300)], axis=1)
    np.testing.assert_allclose(found[:, 24:], expected, rtol=1e-6)


def test_volatility_is_the_sample_deviation_of_logarithmic_returns() -> None:
    returns = np.diff(np.log(CRASH.close), axis=1)
    found = volatility(CRASH.close, 60)
    assert np.isnan(found[:, :60]).all()
    assert np.isfinite(found[:, 60:]).all()
    for column in (60, 61, 500, CRASH.bars - 1):
        expected = returns[:, column - 60 : column].std(axis=1, ddof=1)
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-12)


def test_a_price_of_zero_has_no_return() -> None:
    close = np.array([[1.0, 2.0, 0.0, 4.0, 8.0, 16.0]])
    found = volatility(close, 2)
    assert np.isnan(found[0, 2])
    np.testing.assert_allclose(found[0, 3:], 0, atol=1e-15)  # 1, 2, 4, 8, 16: always doubled


def test_rows_are_what_ta_lib_makes_of_them_one_by_one() -> None:
    for row in range(len(CRASH.symbols)):
        high, low, close = CRASH.high[row], CRASH.low[row], CRASH.close[row]
        np.testing.assert_array_equal(ema(CRASH.close, 21)[row], talib.EMA(close, 21))
        np.testing.assert_array_equal(rsi(CRASH.close)[row], talib.RSI(close, 14))
        np.testing.assert_array_equal(atr(CRASH)[row], talib.ATR(high, low, close, 14))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 20, 64, 200])
def test_windows_are_what_their_bars_say(length: int) -> None:
    panel = CRASH.close[:2, :260]
    windows = np.lib.stride_tricks.sliding_window_view(panel, length, axis=1)
    first = length - 1
    for found in (rolling_max(panel, length), rolling_min(panel, length)):
        assert np.isnan(found[:, :first]).all()
    np.testing.assert_array_equal(rolling_max(panel, length)[:, first:], windows.max(axis=2))
    np.testing.assert_array_equal(rolling_min(panel, length)[:, first:], windows.min(axis=2))


@pytest.mark.parametrize("length", [0, -1, 1.5, True, 200_000])
def test_a_length_that_makes_no_sense_is_refused(length: int) -> None:
    for function in (ema, rsi, rolling_std, volatility):
        with pytest.raises(ValueError, match="must be a whole number"):
            function(CRASH.close, length)
    with pytest.raises(ValueError, match="must be a whole number"):
        atr(CRASH, length)


def test_a_warm_up_needs_a_share_between_nothing_and_all() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ema_warmup(20, left=1.0)


# -- what holds for all of them -------------------------------------------------------------------

FIXED: dict[str, tuple[Callable[[Candles], object], int]] = {
    "max": (lambda c: rolling_max(c.high, 7), 6),
    "min": (lambda c: rolling_min(c.low, 4), 3),
    "std": (lambda c: rolling_std(c.close, 5), 4),
    "volatility": (lambda c: volatility(c.close, 6), 6),
    "true range": (true_range, 1),
}
"""What looks back on a fixed window, and the column of its first value."""

REMEMBERS: dict[str, tuple[Callable[[Candles], object], int]] = {
    "ema": (lambda c: ema(c.close, 4), 3),
    "rsi": (lambda c: rsi(c.close, 4), 4),
    "atr": (lambda c: atr(c, 4), 4),
}
EVERY = {name: function for name, (function, _) in (FIXED | REMEMBERS).items()}

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, bars=st.integers(0, 70), data=st.data())
def test_no_indicator_knows_the_future(seed: int, bars: int, data: st.DataObject) -> None:
    candles = a_market(seed, bars=bars)
    known = data.draw(st.integers(0, bars))
    for name, function in EVERY.items():
        whole = cut(function(candles), slice(None, known))
        for mine, expected in zip(arrays(function(candles.upto(known))), whole, strict=True):
            np.testing.assert_array_equal(mine, expected, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, bars=st.integers(0, 70), data=st.data())
def test_what_has_a_window_depends_on_it_to_the_last_bit(
    seed: int, bars: int, data: st.DataObject
) -> None:
    candles = a_market(seed, bars=bars, missing=0)
    known = data.draw(st.integers(0, bars))
    for name, (function, first) in FIXED.items():
        warm = slice(bars - known + first, None)
        whole, tail = cut(function(candles), warm), function(candles.last(known))
        for mine, expected in zip(cut(tail, slice(first, None)), whole, strict=True):
            np.testing.assert_array_equal(mine, expected, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, bars=st.integers(0, 70))
def test_missing_bars_are_left_out(seed: int, bars: int) -> None:
    """Each row gives what it would give alone, without its gaps; and NaN in them."""
    candles = a_market(seed, bars=bars, missing=0.2)
    for name, function in EVERY.items():
        for row in range(len(candles.symbols)):
            alone, held = without_gaps(candles, row)
            for mine, expected in zip(
                arrays(function(candles)), arrays(function(alone)), strict=True
            ):
                np.testing.assert_array_equal(mine[row, held], expected[0], err_msg=name)
                if mine.dtype == np.float64:
                    assert np.isnan(mine[row, ~held]).all(), name
                else:
                    assert not mine[row, ~held].any(), name


@pytest.mark.parametrize("name", EVERY)
def test_a_new_listing_an_empty_row_and_a_single_bar_are_no_trouble(name: str) -> None:
    candles = a_market(11, symbols=3, bars=90, missing=0)
    for panel in (candles.open, candles.high, candles.low, candles.close, candles.volume):
        panel[1, :89] = np.nan
        panel[2] = np.nan
    for result in arrays(EVERY[name](candles)):
        assert result.shape == (3, 90)
        assert np.isfinite(result[0, 80:]).all()
        nothing = np.isnan(result[2]) if result.dtype == np.float64 else result[2] == 0
        assert nothing.all()


@pytest.mark.parametrize("name", FIXED | REMEMBERS)
def test_the_first_value_stands_where_it_is_declared(name: str) -> None:
    function, first = (FIXED | REMEMBERS)[name]
    result = arrays(function(a_market(5, symbols=2, bars=60, missing=0, traded=1.0)))[0]
    known = np.isfinite(result) if result.dtype == np.float64 else result != 0
    assert not known[:, :first].any()
    assert known[:, first:].all()


def largest_difference(found: object, expected: object, columns: int) -> float:
    last = slice(-columns, None)
    pairs = zip(cut(found, last), cut(expected, last), strict=True)
    return max(float(np.max(np.abs(mine - other))) for mine, other in pairs)


def test_after_its_warm_up_an_average_has_forgotten_where_it_began() -> None:
    """On a real crash: bars of a window that long, against the whole history before them."""
    for length in (9, 21, 48):
        window = ema_warmup(length)
        late = ema(CRASH.last(window).close, length)
        spread = float(np.max(np.ptp(CRASH.close, axis=1)))
        assert largest_difference(late, ema(CRASH.close, length), 1) <= 1e-6 * spread
    window = wilder_warmup(14)
    spread = float(np.nanmax(true_range(CRASH)))
    assert largest_difference(atr(CRASH.last(window)), atr(CRASH), 1) <= 1e-6 * spread
    assert largest_difference(rsi(CRASH.last(window).close), rsi(CRASH.close), 1) <= 1e-3
