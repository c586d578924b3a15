"""Steps of price and quantity for markets that nobody described: read off the candles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles
from trading.market.rules import BINANCE_PERPETUALS_2021
from trading.types import ONE, MarketRules, Symbol

_MOST_DECIMALS = 10
_LOT_WORTH = 0.1
"""In quote currency, at most: so fine that it moves no result."""
_LEAST_NOTIONAL = Decimal(5)
_OFF = 1e-6
"""Steps by which a price may miss the grid: what a float cannot hold."""


def rules_for(
    candles: Candles, known: Mapping[Symbol, MarketRules] = BINANCE_PERPETUALS_2021
) -> Mapping[Symbol, MarketRules]:
    """The *known* rules where the recorded prices fit them; else what the prices themselves show.

    The tick is the last decimal that occurs, the lot a power of ten worth at most 0.1.
    """
    found: dict[Symbol, MarketRules] = {}
    for row, symbol in enumerate(candles.symbols):
        prices = _prices(candles, row)
        rules = known.get(symbol)
        if rules is None or not _fits(prices, float(rules.tick)):
            rules = _shown_by(prices)
        found[symbol] = rules
    return found


def _prices(candles: Candles, row: int) -> NDArray[np.float64]:
    every = np.concatenate([candles.high[row], candles.low[row], candles.close[row]])
    there: NDArray[np.float64] = every[np.isfinite(every)]
    return there


def _shown_by(prices: NDArray[np.float64]) -> MarketRules:
    ticks = (10.0**-d for d in range(_MOST_DECIMALS + 1))
    decimals = next((d for d, tick in enumerate(ticks) if _fits(prices, tick)), _MOST_DECIMALS)
    middle = float(np.median(prices)) if len(prices) else 1.0
    lot_decimals = max(0, math.ceil(math.log10(middle / _LOT_WORTH)))
    return MarketRules(
        tick=ONE.scaleb(-decimals), lot=ONE.scaleb(-lot_decimals), min_notional=_LEAST_NOTIONAL
    )


def _fits(prices: NDArray[np.float64], tick: float) -> bool:
    steps = prices / tick
    return bool((np.abs(steps - np.rint(steps)) <= np.maximum(_OFF, steps * 1e-12)).all())
