"""The newest candles in memory: who joins and leaves, what is missing, what is filled."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC, ETH, XRP
from trading.market.candle_window import CandleWindow
from trading.market.candles import Panel
from trading.types import Symbol

MINUTE = 60_000
SYMBOLS = (BTC, ETH, XRP)


def bars(*closes: float) -> Panel:
    return np.tile(np.array(closes, dtype=np.float64), (5, 1))


def window(*, bars_kept: int = 5) -> CandleWindow:
    made = CandleWindow((BTC, ETH), bars=bars_kept)
    made.append([MINUTE, 2 * MINUTE], {BTC: bars(1, 2), ETH: bars(10, 20)})
    return made


def test_only_the_newest_bars_are_kept() -> None:
    kept = window(bars_kept=3)
    kept.append([3 * MINUTE, 4 * MINUTE], {BTC: bars(3, 4), ETH: bars(30, 40)})
    assert kept.all.times.tolist() == [2 * MINUTE, 3 * MINUTE, 4 * MINUTE]
    assert kept.all.close.tolist() == [[2, 3, 4], [20, 30, 40]]


def test_one_that_has_no_bar_misses_it_alone_and_has_it_once_it_is_filled() -> None:
    kept = window()
    before = kept.all
    kept.append([3 * MINUTE], {ETH: bars(30)})
    assert kept.gaps() == {BTC: [3 * MINUTE]}
    shown = kept.all
    kept.fill({BTC: ([3 * MINUTE], bars(3))})
    assert kept.gaps() == {}
    assert kept.all.close.tolist() == [[1, 2, 3], [10, 20, 30]]
    assert np.isnan(shown.close[0, 2]), "whoever was handed it keeps what it saw"
    assert before.bars == 2


def test_before_its_first_bar_nothing_is_missing_but_the_newest() -> None:
    kept = CandleWindow((BTC, ETH), bars=5)
    nan = float("nan")
    kept.append(
        [MINUTE, 2 * MINUTE, 3 * MINUTE], {BTC: bars(nan, 2, nan), ETH: bars(nan, nan, nan)}
    )
    assert kept.gaps() == {BTC: [3 * MINUTE], ETH: [3 * MINUTE]}


def test_a_bar_that_is_kept_no_longer_is_filled_nowhere() -> None:
    kept = window()
    kept.fill({BTC: ([7 * MINUTE], bars(7)), XRP: ([MINUTE], bars(9))})
    assert kept.all.close.tolist() == [[1, 2], [10, 20]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "group", "fill", "forget"]),
            st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=3),
        ),
        max_size=12,
    )
)
def test_whatever_happens_each_bar_is_its_symbols_own(
    steps: list[tuple[str, list[Symbol]]],
) -> None:
    """Closes are the bar's number times the symbol's place: none ever stands elsewhere."""
    kept, newest = CandleWindow((BTC, ETH), bars=6), 0
    for step, some in steps:
        if step == "append":
            newest += 1
            kept.append([newest * MINUTE], {s: bars(newest * worth(s)) for s in some})
        elif step == "group":
            times = kept.all.times / MINUTE
            joining = {s: bars(*(times * worth(s))) for s in some if kept.all.row(s) is None}
            kept.regroup(some, joining)
        elif step == "fill":
            kept.fill(
                {s: (t, bars(*(x / MINUTE * worth(s) for x in t))) for s, t in kept.gaps().items()}
            )
            assert kept.gaps() == {}
        else:
            newest = max(0, newest - 1)
            kept.forget_after(newest * MINUTE)
        held = kept.all
        assert held.bars <= 6
        for row, symbol in enumerate(held.symbols):
            there = np.isfinite(held.close[row])
            expected = held.times[there] / MINUTE * worth(symbol)
            for panel in (held.open, held.high, held.low, held.close, held.volume):
                np.testing.assert_array_equal(panel[row, there], expected)


def worth(symbol: Symbol) -> int:
    return (SYMBOLS.index(symbol) + 1) * 100
