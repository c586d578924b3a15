"""What is odd about candles is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC, ETH
from tests.trading.backtest.worlds import BEGIN, MINUTE, a_walk
from trading.market.candles import Candles
from trading.market.flaws import Flaws, flaws


def scaled(candles: Candles, row: int, since: int, times: float) -> Candles:
    """From column *since* on the prices of *row* are so many times what they were."""
    panels = {name: getattr(candles, name).copy() for name in ("open", "high", "low", "close")}
    for panel in panels.values():
        panel[row, since:] *= times
    return replace(candles, **panels)


def test_candles_without_flaws_have_none() -> None:
    assert flaws(a_walk(90, symbols=(BTC, ETH), seed=1)) == Flaws(bars=180)


@given(gone=st.sets(st.integers(1, 58)), still=st.sets(st.integers(0, 59)))
def test_missing_bars_and_those_without_volume_are_counted(gone: set[int], still: set[int]) -> None:
    candles = a_walk(60, symbols=(BTC,), seed=1)
    candles.volume[0, list(still)] = 0
    for name in ("open", "high", "low", "close", "volume"):
        getattr(candles, name)[0, list(gone)] = np.nan
    found = flaws(candles)
    assert (found.bars, found.missing, found.still) == (60, len(gone), len(still - gone))


def test_before_it_was_listed_and_after_it_was_delisted_nothing_is_missing() -> None:
    candles = a_walk(60, symbols=(BTC, ETH), seed=1)
    for name in ("open", "high", "low", "close", "volume"):
        getattr(candles, name)[1, [*range(20), 30, *range(50, 60)]] = np.nan
    assert flaws(candles) == Flaws(bars=60 + 30, missing=1)


@pytest.mark.parametrize("times", [10.0, 1000.0, 0.1, 1e-6])
def test_prices_ten_times_those_before_are_told_with_their_bar(times: float) -> None:
    candles = scaled(a_walk(60, symbols=(BTC, ETH), seed=1), 1, 40, times)
    (jump,) = flaws(candles).jumps
    assert jump.symbol == ETH
    assert jump.at == datetime.fromtimestamp(candles.times[40] / 1000, UTC) == BEGIN + 40 * MINUTE
    assert jump.times == pytest.approx(times, rel=0.02)


def test_a_spike_within_a_bar_is_a_jump() -> None:
    candles = a_walk(60, symbols=(BTC,), seed=1)
    candles.high[0, 7] *= 12
    (jump,) = flaws(candles).jumps
    assert (jump.symbol, jump.at) == (BTC, BEGIN + timedelta(minutes=7))
    assert jump.times == pytest.approx(12, rel=0.02)


def test_ninefold_is_none() -> None:
    assert flaws(scaled(a_walk(60, symbols=(BTC,), seed=1), 0, 40, 9.0)).jumps == ()
