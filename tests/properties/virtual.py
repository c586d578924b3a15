"""A market that goes where it is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from tests.fakes import MINUTE
from trading.clocks import Clock
from trading.market.candles import Candles
from trading.market.doubts import PriceDoubt
from trading.ports import FeedState
from trading.types import Quote, Symbol


class Ticker:
    """A `Feed` of one-minute bars; the next one goes wherever it is told to."""

    sources: Sequence[str] = ()

    name = "ticker"
    speed: float | None = 1.0

    def __init__(self, clock: Clock, prices: dict[Symbol, float], *, start: datetime) -> None:
        self.symbols: Sequence[Symbol] = tuple(prices)
        self._clock = clock
        self._start = start
        self._closes: dict[Symbol, list[float]] = {s: [price] for s, price in prices.items()}

    def next_bar(self, prices: dict[Symbol, float]) -> None:
        """The bar that closes a minute after the last one, seen once the clock is there."""
        for symbol, closes in self._closes.items():
            closes.append(prices.get(symbol, closes[-1]))

    def last(self, symbol: Symbol) -> float:
        return self._closes[symbol][-1]

    @property
    def first_cursor(self) -> datetime:
        return self._start

    def now(self) -> datetime:
        return min(self._clock.now(), self._close_of(self._bars - 1))

    def resume(self, cursor: datetime) -> None:
        """Its time is the clock's."""

    def handled(self, bar: datetime) -> None:
        """As above."""

    async def closes(self, after: datetime) -> Sequence[datetime]:
        found = (self._close_of(bar) for bar in range(self._bars))
        return [at for at in found if after < at <= self.now()]

    def candles(self, until: datetime, bars: int) -> Candles:
        end = self._index(until) + 1
        shown = range(max(0, end - bars), end)
        close = np.array([[c[bar] for bar in shown] for c in self._closes.values()])
        opened = np.array([[c[max(0, bar - 1)] for bar in shown] for c in self._closes.values()])
        return Candles(
            symbols=tuple(self.symbols),
            times=np.array([self._stamp(bar) for bar in shown], dtype=np.int64),
            open=opened,
            high=np.maximum(opened, close),
            low=np.minimum(opened, close),
            close=close,
            volume=np.full_like(close, 1e3),
        )

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        bar = self._index(self.now() if at is None else at)
        price = Decimal(repr(self._closes[symbol][bar])).quantize(Decimal("0.01"))
        return Quote(symbol=symbol, price=price, at=self._close_of(bar))

    def objection(self, symbol: Symbol) -> str:
        return ""

    def doubts(self) -> Sequence[PriceDoubt]:
        return ()

    def state(self) -> FeedState:
        return FeedState.LIVE

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """It has these symbols only."""

    async def close(self) -> None:
        """Nothing is open."""

    @property
    def _bars(self) -> int:
        return len(self._closes[self.symbols[0]])

    def _close_of(self, bar: int) -> datetime:
        return self._start + bar * MINUTE

    def _stamp(self, bar: int) -> int:
        return int(self._close_of(bar).timestamp() * 1000)

    def _index(self, at: datetime) -> int:
        """Of the last bar that had closed then, and may be seen now."""
        return max(0, (min(at, self.now()) - self._start) // MINUTE)
