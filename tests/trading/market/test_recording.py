from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources

import numpy as np
import pytest

from trading.market.recording import crash_of_may_2021, hours_of_march_2026, recording
from trading.market.recordings import RECORDINGS

CRASH, HOURS = crash_of_may_2021(), hours_of_march_2026()


def test_the_crash_is_five_majors_in_whole_minutes() -> None:
    candles = CRASH.candles
    assert [symbol.base for symbol in candles.symbols] == ["BTC", "ETH", "XRP", "ADA", "DOGE"]
    assert candles.close.shape == (5, 1080)
    assert set(np.diff(candles.times)) == {60_000}
    first, last = (datetime.fromtimestamp(t / 1000, UTC) for t in candles.times[[0, -1]].tolist())
    assert (first.hour, first.minute, last.hour, last.minute) == (2, 1, 20, 0)


def test_warm_up_lies_before_the_start() -> None:
    before = CRASH.candles.times <= CRASH.start.timestamp() * 1000
    assert before.sum() == 600


def test_the_hours_are_fourteen_markets_with_seven_days_of_warm_up() -> None:
    candles = HOURS.candles
    assert candles.close.shape == (14, 552)
    assert set(np.diff(candles.times)) == {3_600_000}
    assert (candles.times <= HOURS.start.timestamp() * 1000).sum() > 7 * 24 + 1


@pytest.mark.parametrize("name", RECORDINGS)
def test_bars_are_whole_and_in_order(name: str) -> None:
    candles = recording(name).candles
    highest = np.maximum(candles.open, candles.close)
    lowest = np.minimum(candles.open, candles.close)
    assert (candles.low <= lowest).all()
    assert (highest <= candles.high).all()
    assert (candles.volume > 0).all()


def test_the_floats_are_those_of_the_source() -> None:
    btc = CRASH.candles.close[0]
    assert float(CRASH.candles.low[0].min()) == 30000.0
    assert repr(float(btc[0])) == "41030.19"


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_prices_lie_on_the_ticks_of_the_rules(name: str) -> None:
    candles = recording(name).candles
    assert candles.symbols == tuple(RECORDINGS[name].rules)
    for row, symbol in enumerate(candles.symbols):
        rules = RECORDINGS[name].rules[symbol]
        for price in candles.close[row].tolist():
            assert rules.price(price) == Decimal(repr(price))


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_file_is_small_and_the_one_that_is_described(name: str) -> None:
    folder = resources.files("trading.market") / "data"
    raw = (folder / f"{name}.npz").read_bytes()
    assert len(raw) < 100_000
    described = (folder / "PROVENANCE.md").read_text(encoding="utf-8")
    assert hashlib.sha256(raw).hexdigest() in described


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = """
from trading.clocks import SystemClock
from trading.venues import replay
def loaded():
    raise AssertionError("read too early")
feed = replay.ReplayFeed(name="replay", clock=SystemClock(), recording=loaded)
assert len(feed.symbols) == 5
"""
    subprocess.run([sys.executable, "-c", code], check=True)
