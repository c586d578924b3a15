"""What a backtest says of its candles that its figures would not: symbols cut short."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tests.builders import BTC, ETH
from trading.backtest.untold import held_without_bars, too_short
from trading.market.candles import Candles

BARS = 40
FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)


def cut(begin: int, end: int) -> Candles:
    """BTC has every bar, ETH those of the columns from *begin* to before *end*."""
    panel = np.full((2, BARS), 100.0)
    panel[1, :begin] = panel[1, end:] = np.nan
    times = int(FIRST.timestamp() * 1000) + 60_000 * np.arange(BARS, dtype=np.int64)
    return Candles(
        symbols=(BTC, ETH), times=times, open=panel, high=panel, low=panel, close=panel,
        volume=panel,
    )  # fmt: skip


@pytest.mark.parametrize(("begin", "end", "bars"), [(0, 5, 5), (38, BARS, 2), (10, 29, 19)])
def test_a_symbol_with_too_few_bars_is_named_beside_one_that_has_enough(
    begin: int, end: int, bars: int
) -> None:
    assert [*too_short(cut(begin, end), needed=20, strategy="ema_cross")] == [
        f"ETH/USDT has {bars} bars, and ema_cross needs 20 before it can trade"
    ]
    assert not [*too_short(cut(begin, end), needed=bars, strategy="ema_cross")]


def test_what_is_held_of_a_symbol_that_has_ended_is_told_and_nothing_else() -> None:
    told = [*held_without_bars(cut(0, 31), [BTC, ETH])]
    assert len(told) == 1
    assert told[0].startswith("ETH/USDT has no bar after 2026-01-05 12:30: what is held of it")
    assert not [*held_without_bars(cut(0, 31), [BTC])]
    assert not [*held_without_bars(cut(5, BARS), [BTC, ETH])]
