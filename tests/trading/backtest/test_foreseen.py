"""What a strategy wishes, put in order beforehand, is what a trader makes of it bar by bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import ADA, BTC, ETH
from tests.trading.backtest.worlds import a_walk
from trading.backtest.feed import HandFeed
from trading.backtest.foreseen import Foreseen, on_ticks
from trading.market.candles import Candles
from trading.strategies.base import Signals
from trading.types import ONE, MarketRules, Side, Signal

D = Decimal
SYMBOLS = (ETH, BTC, ADA)

ticks = st.sampled_from(["0.01", "0.5", "0.10", "1E-8", "1", "25", "1E+1", "0.0001"]).map(D)
prices = st.one_of(
    st.floats(allow_nan=True, allow_infinity=False),
    st.floats(-1e7, 1e7),
    st.decimals(-100_000, 100_000, places=2).map(float),
    st.integers(-1_000, 1_000).map(lambda halves: halves * 0.005),
)


@given(st.lists(st.tuples(prices, ticks), max_size=20))
def test_prices_come_on_ticks_as_those_of_rules_to_the_last_zero(
    drawn: list[tuple[float, Decimal]],
) -> None:
    rules = [MarketRules(tick=tick, lot=D(1)) for _, tick in drawn]
    values = np.array([price for price, _ in drawn])
    expected = [each.price(price) for each, (price, _) in zip(rules, drawn, strict=True)]
    assert list(map(repr, on_ticks(values, np.arange(len(drawn)), rules))) == list(
        map(repr, expected)
    )


@dataclass
class Scripted:
    """Says what it was given."""

    found: Signals
    name: str = "scripted"
    warmup: int = 0

    def signals(self, candles: Candles) -> Signals:
        return self.found

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return f"{candles.symbols[row]} at {candles.times[column]}, {column} of {candles.bars}"


def drawn(seed: int, shape: tuple[int, int], *, optional: bool) -> Signals:
    chance = np.random.default_rng(seed)
    wishes = chance.random(shape) < 0.4
    score = np.where(wishes, np.round(chance.uniform(-100, 100, shape), 1), 0.0)
    stop, target = (np.where(score != 0, chance.uniform(50, 150, shape), np.nan) for _ in "ab")
    target[chance.random(shape) < 0.3] = np.nan
    size, hold = chance.uniform(0.1, 3, shape), chance.uniform(0.5, 90, shape)
    return Signals(
        score=score, stop=stop, target=target,
        size=size if optional else None, hold=hold if optional else None,
        why=(lambda row, column: f"why {row}, {column}") if optional else None,
    )  # fmt: skip


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), optional=st.booleans(), bars=st.integers(1, 12))
def test_every_bar_has_its_wishes_the_most_confident_first(
    seed: int, optional: bool, bars: int
) -> None:
    candles = a_walk(bars, symbols=SYMBOLS, seed=seed, gaps=0.2)
    found = drawn(seed, candles.close.shape, optional=optional)
    rules = dict.fromkeys(SYMBOLS, MarketRules(tick=D("0.05"), lot=D(1)))
    foreseen = Foreseen(Scripted(found), candles, rules)
    feed = HandFeed(name="history", candles=candles, rules=rules, first=0)
    for column in range(bars):
        bar = feed.show(column)
        seen = foreseen.seen(bar)
        assert (seen.column, seen.signals, seen.candles) == (column, found, candles)
        expected = []
        for row in np.flatnonzero(found.score[:, column]).tolist():
            quote = feed.quote(SYMBOLS[row], bar)
            if quote is None:
                continue
            score, target = float(found.score[row, column]), float(found.target[row, column])
            expected.append(
                Signal(
                    symbol=SYMBOLS[row],
                    side=Side.BUY if score > 0 else Side.SELL,
                    bar=bar,
                    price=quote.price,
                    stop=rules[SYMBOLS[row]].price(float(found.stop[row, column])),
                    target=None if np.isnan(target) else rules[SYMBOLS[row]].price(target),
                    confidence=round(abs(score)),
                    reason=f"why {row}, {column}"
                    if optional
                    else f"{SYMBOLS[row]} at {candles.times[column]}, 0 of 1",
                    size=ONE
                    if found.size is None
                    else D(repr(round(float(found.size[row, column]), 4))),
                    hold=None
                    if found.hold is None
                    else timedelta(hours=float(found.hold[row, column])),
                )
            )
        expected.sort(key=lambda s: (-s.confidence, s.symbol))
        assert foreseen.wishes(seen, bar, feed.quote) == expected
