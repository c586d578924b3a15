"""The feed of a backtest: given candles, shown up to a column that is moved by hand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.market.doubts import PriceDoubt
from trading.ports import FeedState
from trading.strategies.base import Strategy
from trading.types import ZERO, MarketRules, Quote, Symbol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_OFF = 0.25
"""Of a tick."""
_WHOLE = 1 << 50
"""Up to which floats tell quarters apart."""


def moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


class HandFeed:
    """A `Feed` over *candles* up to a column; market time is that column's.

    A cycle sees one bar, the last one shown, however many lie before it: `show` passes over those
    in which nothing can happen.
    """

    sources: Sequence[str] = ()

    def __init__(
        self, *, name: str, candles: Candles, rules: Mapping[Symbol, MarketRules], first: int
    ) -> None:
        """*first* is the column at which the market stands to begin with."""
        self.name = name
        self.whole = candles
        self.last_known = last_known(candles.close)
        self._rules = rules
        self._times: list[int] = candles.times.tolist()
        self._rows = {symbol: row for row, symbol in enumerate(candles.symbols)}
        self._first = moment(self._times[first])
        self._ticks = {
            row: ticks
            for row, symbol in enumerate(candles.symbols)
            if (ticks := _in_ticks(candles.close[row], float(rules[symbol].tick))) is not None
        }
        """Closes of the rows that lie on the grid."""
        self._quotes: list[tuple[int, Quote] | None] = [None] * len(candles.symbols)
        self.column = first
        self._now = self._first

    speed: float | None = 1.0
    """Of a recording: its last price is believed, however old."""

    def show(self, column: int) -> datetime:
        """Let the bar in *column* be the last that has closed; return its close time."""
        self.column = column
        self._now = moment(self._times[column])
        return self._now

    # -- the port ----------------------------------------------------------------------------

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self.whole.symbols

    @property
    def first_cursor(self) -> datetime:
        return self._first

    def now(self) -> datetime:
        return self._now

    def resume(self, cursor: datetime) -> None:
        """It stands where it was put."""

    def handled(self, bar: datetime) -> None:
        """It goes on by hand."""

    async def closes(self, after: datetime) -> Sequence[datetime]:
        return [self._now] if self._now > after else []

    def candles(self, until: datetime, bars: int) -> Candles:
        end = self._columns_until(until)
        return self.whole.upto(end).last(bars)

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        row = self._rows.get(symbol)
        if row is None:
            return None
        columns = self.column + 1 if at is None or at is self._now else self._columns_until(at)
        column = columns - 1
        if self.last_known is not None and columns:
            column = int(self.last_known[row, column])
        if column < 0:
            return None
        known = self._quotes[row]
        if known is None or known[0] != column:
            at = self._now if column == self.column else moment(self._times[column])
            quote = Quote(symbol=symbol, price=self.price(row, column), at=at)
            known = self._quotes[row] = (column, quote)
        return known[1]

    def price(self, row: int, column: int) -> Decimal:
        """The close there, on the tick."""
        rules, ticks = self._rules[self.whole.symbols[row]], self._ticks.get(row)
        whole = 0 if ticks is None else ticks.item(column)
        if whole % 10:
            return Decimal(whole) * rules.tick
        return rules.price(self.whole.close.item(row, column))  # 320 is 320.0 there, not 320.00

    def volume(self, symbol: Symbol) -> Decimal:
        """Of the last bar; none where that is missing."""
        volume = self.whole.volume.item(self._rows[symbol], self.column)
        return Decimal(repr(volume)) if volume == volume else ZERO  # noqa: PLR0124  # not for NaN

    def objection(self, symbol: Symbol) -> str:
        """A recording is what it is."""
        return ""

    def doubts(self) -> Sequence[PriceDoubt]:
        return ()

    def state(self) -> FeedState:
        return FeedState.ENDED if self.column == len(self._times) - 1 else FeedState.LIVE

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """A recording shows all it has."""

    async def close(self) -> None:
        return None

    def _columns_until(self, until: datetime) -> int:
        if until >= self._now:
            return self.column + 1
        return bisect_right(self._times, (until - _EPOCH) // _MILLISECOND)


class HandClock:
    """Wall and monotonic time of a backtest: those of its market."""

    def __init__(self, feed: HandFeed) -> None:
        self._feed = feed
        self._began = feed.now()

    def now(self) -> datetime:
        return self._feed.now()

    def monotonic(self) -> float:
        return (self._feed.now() - self._began).total_seconds()

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("nothing in a backtest sleeps")

    async def beat(self, seconds: float) -> None:
        await self.sleep(seconds)


def traded_columns(
    candles: Candles, strategy: Strategy, *, begin: datetime | None, end: datetime | None
) -> tuple[int, int]:
    """Return the column after whose close trading begins, and the first that is not shown.

    *begin*: None as soon as *strategy* is warm; *end*: None with the candles.  Raises `ValueError`,
    a sentence, where no bar is left to trade in.
    """
    times, warmup = candles.times, strategy.warmup
    needed = bars_needed(strategy)
    known = f"the data has {len(times):,} bars"
    if len(times):
        known += f", from {_minute(int(times[0]))} to {_minute(int(times[-1]))} UTC"
    until = len(times) if end is None else columns_until(times, end)
    first = warmup if begin is None else max(columns_until(times, begin) - 1, 0)
    if until < 2 or (begin is not None and first >= until - 1):  # noqa: PLR2004  # one before it
        asked = ("" if begin is None else f" from {begin:%Y-%m-%d %H:%M}") + (
            "" if end is None else f" to {end:%Y-%m-%d %H:%M}"
        )
        raise ValueError(f"There are no bars to trade in{asked and f'{asked} UTC'}: {known}")
    if until < needed:
        before = "" if end is None else f"{until:,} until {end:%Y-%m-%d %H:%M} UTC; "
        raise ValueError(
            f"{strategy.name} needs {needed:,} bars before it can trade, and there are too "
            f"few: {before}{known}. Take a longer history or a shorter timeframe, or settings "
            "that look less far back"
        )
    return first, until


def bars_needed(strategy: Strategy) -> int:
    """The fewest of which the last can bring a trade."""
    return strategy.warmup + 2


def columns_until(times: NDArray[np.int64], until: datetime) -> int:
    """How many bars have closed by *until*."""
    return int(np.searchsorted(times, int(until.timestamp() * 1000), side="right"))


def _minute(milliseconds: int) -> str:
    return f"{moment(milliseconds):%Y-%m-%d %H:%M}"


def _in_ticks(closes: NDArray[np.float64], tick: float) -> NDArray[np.int64] | None:
    """As whole numbers; None: some lie so far off the grid that rounding them is a choice."""
    steps = np.nan_to_num(closes / tick)
    whole = np.rint(steps)
    if (np.abs(whole) > _WHOLE).any() or (np.abs(steps - whole) > _OFF).any():
        return None
    found: NDArray[np.int64] = whole.astype(np.int64)
    return found


def last_known(close: Panel) -> NDArray[np.int32] | None:
    """For each place the column of the last bar that is not missing, or -1.  None: none is."""
    there = np.isfinite(close)
    if bool(there.all()):
        return None
    columns = np.arange(close.shape[1], dtype=np.int32)
    known: NDArray[np.int32] = np.maximum.accumulate(np.where(there, columns, np.int32(-1)), axis=1)
    return known
