"""Markets for tests: full of ties, flat bars, gaps in the data and bars without trades."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.types import Symbol

Array = NDArray[Any]


def candles_of(opens: Panel, high: Panel, low: Panel, close: Panel, volume: Panel) -> Candles:
    """One-minute bars from panels of shape [symbols, bars]."""
    return Candles(
        symbols=tuple(Symbol(f"S{row}", "USDT") for row in range(close.shape[0])),
        times=60_000 * np.arange(1, close.shape[1] + 1, dtype=np.int64),
        open=opens, high=high, low=low, close=close, volume=volume,
    )  # fmt: skip


def one_row(bars: list[tuple[float, float, float, float]]) -> Candles:
    """Bars as (open, high, low, close), each with a volume of 1."""
    opens, high, low, close = np.array(bars, dtype=np.float64).reshape(-1, 4).T[:, np.newaxis, :]
    return candles_of(opens, high, low, close, np.ones_like(close))


def a_market(
    seed: int, *, symbols: int = 3, bars: int, missing: float = 0.1, traded: float = 0.8
) -> Candles:
    """Random walks in steps of whole ticks, so that highs are often equal and bars often flat.

    *missing* of the bars are NaN, and but for *traded* of them nothing was traded.
    """
    chance = np.random.default_rng(seed)
    shape = (symbols, bars)
    strength = chance.integers(1, 6)
    steps, bodies = chance.integers(-strength, strength + 1, (2, *shape)).astype(np.float64)
    close = 1000.0 + np.cumsum(steps, axis=1)
    opens = close - bodies
    wicks = chance.integers(0, chance.integers(1, 12), (2, *shape)).astype(np.float64)
    high, low = np.maximum(opens, close) + wicks[0], np.minimum(opens, close) - wicks[1]
    volume = np.where(chance.random(shape) < traded, 1.0 + chance.integers(0, 9, shape), 0.0)
    gone = chance.random(shape) < missing
    for panel in (opens, high, low, close, volume):
        panel[gone] = np.nan
    return candles_of(opens, high, low, close, volume)


def without_gaps(candles: Candles, row: int) -> tuple[Candles, NDArray[np.bool_]]:
    """One row of *candles* with its missing bars taken out, and which bars it has."""
    held = np.isfinite(candles.close[row])
    panels = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    return candles_of(*(panel[row : row + 1, held] for panel in panels)), held


def arrays(result: object) -> list[Array]:
    """All arrays of a result, in their order."""
    if isinstance(result, np.ndarray):
        return [result]
    assert is_dataclass(result)
    values = [getattr(result, field.name) for field in fields(result)]
    return [array for value in values for array in arrays(value)]


def cut(result: object, columns: slice) -> list[Array]:
    return [array[:, columns] for array in arrays(result)]
