"""A strategy that has looked at all bars beforehand, and put all its wishes in order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles
from trading.stats.ratios import Floats
from trading.strategies.base import ExitWishes, QuoteAt, Seen, Signals, Strategy, size_of
from trading.types import ONE, MarketRules, Side, Signal, Symbol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DOUBT = 1e-12
"""Relative: nearer to the middle of two ticks a float does not tell which of them a price means."""
_NEAR = 1e-4
"""Ticks; nearer to a tick than that a price may be meant to lie on it."""
_LARGEST = 2.0**32
"""Ticks; so many a float tells apart to a millionth."""
_LEAST_SIZE = 0.001
"""A smaller one may be rounded to nothing."""
NEVER = 1 << 62
"""A column that does not come."""


class Foreseen:
    """A strategy whose signals over all candles are computed once, and then shown bar by bar.

    As strategies are causal, each bar's are what the strategy would have said at that bar; that it
    needs no more than its warm-up is tested for each of them.
    """

    warmup = 0

    def __init__(
        self, strategy: Strategy, candles: Candles, rules: Mapping[Symbol, MarketRules]
    ) -> None:
        self.name = strategy.name
        self._strategy = strategy
        self._candles = candles
        self._times: list[int] = candles.times.tolist()
        self.signals_of_all = strategy.signals(candles)
        self.wishes_of_all = WishesOfAll(self.signals_of_all, candles, rules, why=self._why)

    @property
    def columns(self) -> NDArray[np.intp]:
        """Those in which there is a wish."""
        return np.flatnonzero(self.signals_of_all.score.any(axis=0))

    @property
    def exits(self) -> ExitWishes | None:
        return self.signals_of_all.exits

    def signals(self, candles: Candles) -> Signals:
        """Of the last bar of *candles* only."""
        return self.signals_of_all.at(bisect_left(self._times, int(candles.times[-1])))

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return self._why(row, bisect_left(self._times, int(candles.times[column])))

    def seen(self, bar: datetime) -> Seen:
        column = bisect_left(self._times, (bar - _EPOCH) // _MILLISECOND)
        return Seen(candles=self._candles, signals=self.signals_of_all, column=column)

    def wishes(self, seen: Seen, bar: datetime, quote: QuoteAt) -> list[Signal]:
        """As a trader makes them of the signals of *bar*, most confident first."""
        return list(self.wishes_of_all.at(seen.column, bar, quote))

    def _why(self, row: int, column: int) -> str:
        if self.signals_of_all.why is not None:
            return self.signals_of_all.why(row, column)
        window = self._candles.upto(column + 1).last(self._strategy.warmup + 1)
        return self._strategy.explain(window, row, window.bars - 1)


class WishesOfAll:
    """All wishes of *found*, by their columns; what is to be worked out of them is, in one pass."""

    def __init__(
        self,
        found: Signals,
        candles: Candles,
        rules: Mapping[Symbol, MarketRules],
        *,
        why: Callable[[int, int], str],
    ) -> None:
        self._symbols, self._why = candles.symbols, why
        rows, columns = np.nonzero(found.score)
        confidence = np.rint(np.abs(found.score[rows, columns]))
        ranks = {symbol: rank for rank, symbol in enumerate(sorted(candles.symbols))}
        names = np.array([ranks[symbol] for symbol in candles.symbols])
        order = np.lexsort((names[rows], -confidence, columns))
        rows, columns = rows[order], columns[order]
        self.columns: list[int] = [*columns.tolist(), NEVER]
        """Of each wish, and one more that never comes."""
        self._rows: list[int] = rows.tolist()
        self._long: list[bool] = (found.score[rows, columns] > 0).tolist()
        self._confidence: list[int] = confidence[order].astype(np.int64).tolist()
        steps = [rules[symbol] for symbol in candles.symbols]
        self.is_sound = _are_sound(found, candles, rows, columns, steps).tolist()
        """Whether its figures are usable and its stop lies on the side where it belongs."""
        self._stops = on_ticks(found.stop[rows, columns], rows, steps)
        self._targets = on_ticks(found.target[rows, columns], rows, steps)
        self._sizes = None if found.size is None else found.size[rows, columns].tolist()
        self._holds = None if found.hold is None else found.hold[rows, columns].tolist()

    def symbol(self, number: int) -> Symbol:
        return self._symbols[self._rows[number]]

    def side(self, number: int) -> Side:
        return Side.BUY if self._long[number] else Side.SELL

    def at(self, column: int, bar: datetime, quote: QuoteAt) -> Iterator[Signal]:
        number = bisect_left(self.columns, column)
        while self.columns[number] == column:
            row = self._rows[number]
            known = quote(self._symbols[row], bar)
            if known is not None:
                target = self._targets[number]
                yield Signal(
                    symbol=self._symbols[row],
                    side=self.side(number),
                    bar=bar,
                    price=known.price,
                    stop=self._stops[number],
                    target=None if target.is_nan() else target,
                    confidence=self._confidence[number],
                    reason=self._why(row, column),
                    size=ONE if self._sizes is None else size_of(self._sizes[number]),
                    hold=None if self._holds is None else timedelta(hours=self._holds[number]),
                )
            number += 1


def _are_sound(
    found: Signals,
    candles: Candles,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    rules: list[MarketRules],
) -> NDArray[np.bool_]:
    """Of each wish: whether that is plain, however its prices are rounded."""
    ticks = np.array([float(each.tick) for each in rules])[rows]
    price, stop = candles.close[rows, columns], found.stop[rows, columns]
    sign = np.sign(found.score[rows, columns])
    sound: NDArray[np.bool_] = (price > ticks) & (stop > ticks) & np.isfinite(price - stop)
    sound &= (price - stop) * sign > 2 * ticks
    if found.size is not None:
        size = found.size[rows, columns]
        sound &= (size > _LEAST_SIZE) & np.isfinite(size)
    return sound


def on_ticks(prices: Floats, rows: NDArray[np.intp], rules: list[MarketRules]) -> list[Decimal]:
    """Each as `MarketRules.price` has it, to the last zero, at a tenth of the time."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is odd is left to the rules
        steps = prices / np.array([float(each.tick) for each in rules])[rows]
        whole = np.rint(steps)
        beside = np.abs(steps - whole)
        plain = (np.abs(steps) < _LARGEST) & (np.abs(beside - 0.5) > _DOUBT * np.abs(steps))
        plain &= (whole != 0) & ((whole % 10 != 0) | (beside > _NEAR))  # 320 is 320.0, not 320.00
    numbers = np.where(plain, whole, 0).astype(np.int64)
    return [
        number * rules[row].tick if is_plain else rules[row].price(price)
        for number, row, is_plain, price in zip(
            numbers.tolist(), rows.tolist(), plain.tolist(), prices.tolist(), strict=True
        )
    ]
