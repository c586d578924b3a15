"""Steps of price and quantity for markets that nobody described: read off the candles."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles
from trading.market.rules import BINANCE_PERPETUALS_2021
from trading.types import ONE, MarketRules, Symbol

_LOT_WORTH = 0.1
"""In quote currency, at most: so fine that it moves no result."""
_DEAREST_LOT = 1_000.0
"""In quote currency: a lot worth more is that of another market with the same name."""
_LEAST_NOTIONAL = Decimal(5)
_OFF = 1e-12
"""Share of itself by which a price may miss the grid: what a float cannot hold."""


def rules_for(
    candles: Candles, known: Mapping[Symbol, MarketRules] = BINANCE_PERPETUALS_2021
) -> Mapping[Symbol, MarketRules]:
    """The *known* rules where the recorded prices fit them; else what the prices themselves show.

    The tick is the last decimal that occurs, the lot a power of ten worth at most 0.1.  No price
    above 0 is rounded to 0, and none by more than a float is off anyway.
    """
    found: dict[Symbol, MarketRules] = {}
    for row, symbol in enumerate(candles.symbols):
        prices = _prices(candles, row)
        rules = known.get(symbol)
        if rules is None or not _describes(rules, prices):
            rules = _shown_by(prices)
        found[symbol] = rules
    return found


def _prices(candles: Candles, row: int) -> NDArray[np.float64]:
    panels = (candles.open, candles.high, candles.low, candles.close)
    every = np.concatenate([panel[row] for panel in panels])
    there: NDArray[np.float64] = every[np.isfinite(every) & (every > 0)]
    return there


def _describes(rules: MarketRules, prices: NDArray[np.float64]) -> bool:
    return _middle(prices) * float(rules.lot) <= _DEAREST_LOT and _fits(prices, float(rules.tick))


def _shown_by(prices: NDArray[np.float64]) -> MarketRules:
    # Beyond some twelve digits every price fits: it ends.
    decimals = next(d for d in itertools.count() if _fits(prices, 10.0**-d))
    lot_decimals = max(0, math.ceil(math.log10(_middle(prices) / _LOT_WORTH)))
    return MarketRules(
        tick=ONE.scaleb(-decimals), lot=ONE.scaleb(-lot_decimals), min_notional=_LEAST_NOTIONAL
    )


def _middle(prices: NDArray[np.float64]) -> float:
    return float(np.median(prices)) if len(prices) else 1.0


def _fits(prices: NDArray[np.float64], tick: float) -> bool:
    steps = prices / tick
    whole = np.rint(steps)
    return bool(((whole >= 1) & (np.abs(steps - whole) <= steps * _OFF)).all())
