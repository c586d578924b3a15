"""A feed that shows a recorded market again, at any speed, never the same bar twice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading.clocks import Clock, ReplayClock
from trading.market.candles import Candles
from trading.market.doubts import PriceDoubt
from trading.market.recording import Recording, crash_of_may_2021
from trading.market.rules import BINANCE_PERPETUALS_2021
from trading.ports import FeedState
from trading.types import MarketRules, Quote, Symbol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class ReplayFeed:
    """Prices of a recording.  Nothing is read before the first question.

    The market rests at `start` until `resume`, and nothing later than `now()` is ever shown.
    Raises `ValueError` for a symbol that has no rules, and, at the first question, for one that
    was not recorded.
    """

    sources: Sequence[str] = ()

    def __init__(
        self,
        *,
        name: str,
        clock: Clock,
        speed: float = 1.0,
        symbols: Sequence[Symbol] | None = None,
        recording: Callable[[], Recording] = crash_of_may_2021,
        rules: Mapping[Symbol, MarketRules] = BINANCE_PERPETUALS_2021,
        start: datetime | None = None,
    ) -> None:
        self.name = name
        self.speed = speed
        self._clock = clock
        self._wanted = tuple(rules if symbols is None else symbols)
        self._load = recording
        self._rules = rules
        self._start = start
        self._asked = (datetime.min.replace(tzinfo=UTC), 0)
        """The moment that was asked for last, and how many bars have closed by then."""
        self._market: ReplayClock | None = None
        self._latest: datetime | None = None
        """Market time as it was asked for last."""
        self._next: datetime | None = None
        """The close at which market time waits until its bar is handled; None: nobody handles."""
        for symbol in self._wanted:
            if symbol not in rules:
                raise ValueError(f"{symbol} is not recorded; {_listed(rules)} are")

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self._wanted

    @property
    def first_cursor(self) -> datetime:
        return self._start or self._recording.start

    @property
    def end(self) -> datetime:
        """Close time of the last bar."""
        return _moment(self._times[-1])

    def now(self) -> datetime:
        """Market time: as the recording runs, up to the close of the first bar not yet handled."""
        running = self._running()
        self._latest = running if self._next is None else min(running, self._next)
        return self._latest

    def _shown(self, at: datetime | None) -> datetime:
        """*at*, or now if that is earlier: market time never runs back."""
        if at is not None and self._latest is not None and at <= self._latest:
            return at
        now = self.now()
        return now if at is None else min(at, now)

    def handled(self, bar: datetime) -> None:
        """Go on to the close of the bar after *bar*: whoever is late misses nothing."""
        column = self._columns_until(bar)
        self._next = _moment(self._times[min(column, len(self._times) - 1)])

    def _running(self) -> datetime:
        return self._market.now() if self._market is not None else self.first_cursor

    def resume(self, cursor: datetime) -> None:
        """Let the market run from *cursor*; a market that is further on already stays there."""
        begin = min(max(cursor, self.now()), self.end)
        self._market = ReplayClock(self._clock, speed=self.speed, start=begin, end=self.end)

    async def closes(self, after: datetime) -> Sequence[datetime]:
        begin, end = self._columns_until(after), self._columns_until(self._running())
        return [_moment(time) for time in self._times[begin:end]]

    def candles(self, until: datetime, bars: int) -> Candles:
        return self._candles.upto(self._columns_until(min(until, self.now()))).last(bars)

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        columns = self._columns_until(self._shown(at))
        known = self._last_known.get(symbol)
        column = int(known[columns - 1]) if known is not None and columns else -1
        if column < 0:
            return None
        return self._quotes.get((symbol, column)) or self._new_quote(symbol, column)

    def objection(self, symbol: Symbol) -> str:
        """A recording is what it is."""
        return ""

    def doubts(self) -> Sequence[PriceDoubt]:
        return ()

    def state(self) -> FeedState:
        return FeedState.ENDED if self.now() >= self.end else FeedState.LIVE

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """A recording shows what it was made for, and what else of *symbols* it has."""
        more = [s for s in symbols if s not in self._wanted and s in self._rules]
        recorded = self._recording.candles.symbols if more else ()
        self._wanted += tuple(symbol for symbol in more if symbol in recorded)
        for known in ("_candles", "_last_known", "_quotes") if more else ():
            self.__dict__.pop(known, None)

    async def close(self) -> None:
        """Nothing is open."""

    # -- what was recorded -----------------------------------------------------------------

    @cached_property
    def _recording(self) -> Recording:
        return self._load()

    @cached_property
    def _candles(self) -> Candles:
        recorded = self._recording.candles
        missing = [symbol for symbol in self._wanted if symbol not in recorded.symbols]
        if missing:
            raise ValueError(f"{missing[0]} is not recorded; {_listed(recorded.symbols)} are")
        if self._wanted == recorded.symbols:
            return recorded  # hundreds of symbols need not be there twice
        return recorded.rows([recorded.symbols.index(symbol) for symbol in self._wanted])

    @cached_property
    def _times(self) -> list[int]:
        times: list[int] = self._candles.times.tolist()
        return times

    @cached_property
    def _last_known(self) -> dict[Symbol, NDArray[np.int32]]:
        """For each symbol and column, the column of the last bar that is not missing, or -1."""
        return {
            symbol: _last_finite(self._candles.close[row])
            for row, symbol in enumerate(self._candles.symbols)
        }

    @cached_property
    def _quotes(self) -> dict[tuple[Symbol, int], Quote]:
        """Quotes asked for lately: the same one is asked for many times within a bar."""
        return {}

    def _new_quote(self, symbol: Symbol, column: int) -> Quote:
        close = float(self._candles.close[self._candles.row(symbol), column])
        quote = Quote(
            symbol=symbol,
            price=self._rules[symbol].price(close),
            at=_moment(self._times[column]),
        )
        if len(self._quotes) > 4 * len(self._wanted):
            self._quotes.clear()
        self._quotes[symbol, column] = quote
        return quote

    def _columns_until(self, moment: datetime) -> int:
        asked, columns = self._asked
        if moment != asked:
            columns = bisect_right(self._times, (moment - _EPOCH) // _MILLISECOND)
            self._asked = moment, columns
        return columns


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _last_finite(row: NDArray[np.float64]) -> NDArray[np.int32]:
    columns = np.arange(row.size, dtype=np.int32)
    known: NDArray[np.int32] = np.maximum.accumulate(
        np.where(np.isfinite(row), columns, np.int32(-1))
    )
    return known


def _listed(symbols: Sequence[Symbol] | Mapping[Symbol, MarketRules]) -> str:
    return ", ".join(str(symbol) for symbol in symbols)
