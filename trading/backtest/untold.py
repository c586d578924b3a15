"""What a backtest's figures alone would not tell of its candles: sentences without a full stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from trading.backtest.feed import moment
from trading.market.candles import Candles
from trading.types import Symbol

_SHOWN = 3
"""Symbols that are named one by one."""


def too_short(candles: Candles, *, needed: int, strategy: str) -> Iterator[str]:
    """Symbols with fewer bars than the *needed* ones: beside others they are not missed."""
    counts = np.count_nonzero(np.isfinite(candles.close), axis=1).tolist()
    short = [place for place, bars in enumerate(counts) if bars < needed]
    for place in short[:_SHOWN]:
        yield (
            f"{candles.symbols[place]} has {counts[place]:,} bars, and {strategy} needs "
            f"{needed:,} before it can trade"
        )
    if len(short) > _SHOWN:
        yield f"{len(short) - _SHOWN:,} more symbols have fewer bars than that"


def held_without_bars(candles: Candles, held: Iterable[Symbol]) -> Iterator[str]:
    """Of what is *held* at the end, that which had no bar there: its value is an old one."""
    for symbol in held:
        there = np.flatnonzero(np.isfinite(candles.close[candles.symbols.index(symbol)]))
        if there.size and there[-1] < candles.bars - 1:
            last = moment(int(candles.times[there[-1]]))
            yield (
                f"{symbol} has no bar after {last:%Y-%m-%d %H:%M}: what is held of it could not be "
                "sold, and counts at its last price"
            )
