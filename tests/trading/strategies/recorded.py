"""Real hourly candles, and what must hold for every strategy on them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from trading.market.candles import Candles, Panel
from trading.strategies.base import Signals, Strategy
from trading.types import Symbol

DATA = Path(__file__).parent / "data"


@cache
def majors() -> Candles:
    """BNB, BTC, ETH and SOL by the hour, 16 August to 15 October 2025: `data/PROVENANCE.md`."""
    with np.load(DATA / "majors_1h_autumn_2025.npz", allow_pickle=False) as arrays:
        return Candles(
            symbols=tuple(Symbol.parse(str(text)) for text in arrays["symbols"]),
            times=arrays["times"],
            volume=arrays["volume"] / 1e3,
            **{name: arrays[name] / 1e4 for name in ("open", "high", "low", "close")},
        )


def assert_live_sees_what_a_backtest_sees(
    strategy: Strategy, candles: Candles, *, step: int
) -> None:
    """The last column of each window of just the warm-up equals that column of the whole."""
    whole = strategy.signals(candles)
    assert np.count_nonzero(whole.score[:, strategy.warmup :]) > 30
    for bars in range(strategy.warmup, candles.bars + 1, step):
        live = strategy.signals(candles.upto(bars).last(strategy.warmup))
        assert_same_columns(live, -1, whole, bars - 1)


def assert_prefix(strategy: Strategy, candles: Candles, bars: int) -> None:
    """The signals on the first *bars* equal the first *bars* of the signals on all."""
    part, whole = strategy.signals(candles.upto(bars)), strategy.signals(candles)
    for name, panel in panels(part).items():
        np.testing.assert_array_equal(panel, panels(whole)[name][:, :bars], err_msg=name)


def assert_suffix(strategy: Strategy, candles: Candles, bars: int) -> None:
    """So do those on the last *bars*, wherever the warm-up lies within them."""
    part, whole = strategy.signals(candles.last(bars)), strategy.signals(candles)
    counted = bars - strategy.warmup + 1
    for name, panel in panels(part).items():
        np.testing.assert_array_equal(
            panel[:, -counted:], panels(whole)[name][:, -counted:], err_msg=name
        )


def assert_same_columns(found: Signals, column: int, expected: Signals, at: int) -> None:
    for name, panel in panels(found).items():
        np.testing.assert_array_equal(
            panel[:, column], panels(expected)[name][:, at], err_msg=f"{name} {at}"
        )
    for row in np.flatnonzero(found.score[:, column]):
        if found.why and expected.why:
            assert found.why(int(row), column) == expected.why(int(row), at)


def panels(signals: Signals) -> dict[str, Panel]:
    found = {name: getattr(signals, name) for name in ("score", "stop", "target", "size", "hold")}
    if signals.exits is not None:
        found |= {"long": signals.exits.long, "short": signals.exits.short}
    return {name: panel for name, panel in found.items() if panel is not None}


def walks(seed: int, *, bars: int, rows: int = 2, missing: float = 0.0) -> Candles:
    """Random walks by the hour, BTC first; the share *missing* of their bars is."""
    chance = np.random.default_rng(seed)
    steps = chance.normal(0, 0.01, (rows, bars)) * chance.choice([0.3, 1, 3], (rows, 1))
    close = 100 * np.exp(np.cumsum(steps, axis=1))
    opened = np.concatenate((np.full((rows, 1), 100.0), close[:, :-1]), axis=1)
    spread = 1 + np.abs(chance.normal(0, 0.004, (2, rows, bars)))
    gone = np.where(chance.random((rows, bars)) < missing, np.nan, 1.0)
    return Candles(
        symbols=tuple(Symbol(name, "USDT") for name in ("BTC", "ETH", "SOL", "ADA")[:rows]),
        times=3_600_000 * np.arange(1, bars + 1, dtype=np.int64),
        open=opened * gone,
        high=np.maximum(opened, close) * spread[0] * gone,
        low=np.minimum(opened, close) / spread[1] * gone,
        close=close * gone,
        volume=chance.lognormal(0, 1, (rows, bars)) * gone,
    )
