"""The closed candles of a real exchange, kept in memory: one row per symbol, one column per bar.

As many bars as are wanted; every bar of all symbols, or none.  Who joins later brings the bars that
the others have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from trading.clocks import Clock
from trading.errors import VenueError, VenueRejected, VenueUnavailable
from trading.market.candles import Candles, Panel
from trading.types import Quote, Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.values import number

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOGETHER = 8
"""Symbols whose candles are asked for at a time."""
GRACE = timedelta(seconds=10)
"""How long a bar that has closed is waited for; after that it counts as missing."""
AGAIN = 2.5
"""Seconds until a bar that is not there yet is asked for again."""
LONGEST_BAN = 60.0
"""Seconds of a ban that are waited out; a longer one counts as no prices, and is told as that."""
PANELS = ("open", "high", "low", "close", "volume")

Bars = dict[int, Sequence[Any]]
"""Open, high, low, close and volume by close time, in milliseconds."""


class LiveCandles:
    def __init__(
        self,
        *,
        connection: Connection,
        symbols: Sequence[Symbol],
        timeframe: timedelta,
        bars: int,
        clock: Clock,
    ) -> None:
        """*bars*: how many are kept."""
        self._connection = connection
        self._timeframe = timeframe
        self._bars = bars
        self._clock = clock
        self.all = _empty(symbols)
        self._fetching = asyncio.Lock()
        self._ready: dict[Symbol, Panel] = {}
        """Rows that are there already while others are waited for."""
        self._ready_until: datetime | None = None

    def last_close(self, at: datetime) -> datetime:
        return _EPOCH + (at - _EPOCH) // self._timeframe * self._timeframe

    @property
    def newest(self) -> datetime | None:
        return moment(self.all.times[-1]) if self.all.bars else None

    def until(self, at: datetime, bars: int) -> Candles:
        column = int(np.searchsorted(self.all.times, millis(at), side="right"))
        return self.all.upto(column).last(bars)

    def last_known(self, symbol: Symbol, at: datetime) -> Quote | None:
        """The last close before *at*."""
        row = self.all.row(symbol)
        column = int(np.searchsorted(self.all.times, millis(at), side="right")) - 1
        if row is None:
            return None
        close = self.all.close
        while column >= 0 and not np.isfinite(close[row, column]):  # mostly the first is
            column -= 1
        if column < 0:
            return None
        return Quote(
            symbol=symbol,
            price=Decimal(repr(float(close[row, column]))),
            at=moment(self.all.times[column]),
        )

    def forget_after(self, last: datetime) -> None:
        """The clock was ahead for a while: bars of the future were never there."""
        if self.newest is not None and self.newest > last:
            column = int(np.searchsorted(self.all.times, millis(last), side="right"))
            self.all = self.all.upto(column)

    async def fill_up(self) -> None:
        """Fetch every bar that has closed and is not here; all symbols, or none."""
        async with self._fetching:
            last, have = self.last_close(self._clock.now()), self.newest
            if have is not None and have >= last:
                return
            missing = self._bars if have is None else (last - have) // self._timeframe
            times = [
                millis(last - n * self._timeframe)
                for n in reversed(range(min(missing, self._bars)))
            ]
            rows = await self._rows(last, times)
            self._append(np.array(times, dtype=np.int64), np.array(rows, dtype=np.float64))

    async def keep(self, symbols: Collection[Symbol]) -> None:
        """Keep the candles of *symbols* alone; who joins comes with the bars that the others have.

        One whose bars cannot be had does not join yet: call again.  Before the first bars were
        fetched nothing is fetched here either.
        """
        joining = [symbol for symbol in symbols if symbol not in self.all.symbols]
        times = self.all.times.tolist()
        found = await self._history(joining, times)
        async with self._fetching:
            found = await self._up_to_date(found, times)
            self._regroup(symbols, found)

    # -- who joins and who leaves -----------------------------------------------------------

    async def _history(self, symbols: Iterable[Symbol], times: list[int]) -> dict[Symbol, Panel]:
        """Of those whose candles could be had, each of shape [5, times]."""
        room = asyncio.Semaphore(TOGETHER)
        found: dict[Symbol, Panel] = {}

        async def fetch(symbol: Symbol) -> None:
            try:
                async with room:
                    bars = await self._found(symbol, times) if times else {}
                found[symbol] = _columns(bars, times)
            except VenueError as error:
                log.warning("%s does not join yet, its candles cannot be had: %s", symbol, error)

        await asyncio.gather(*map(fetch, symbols))
        return found

    async def _up_to_date(
        self, found: dict[Symbol, Panel], times: list[int]
    ) -> dict[Symbol, Panel]:
        """With the bars that have closed since; *times*: those that were asked for."""
        now = self.all.times.tolist()
        if not found or now == times:
            return found
        late = [time for time in now if not times or time > times[-1]]
        more = await self._history(found, late)
        return {
            symbol: np.concatenate([found[symbol], bars], axis=1)[:, -len(now) :]
            for symbol, bars in more.items()
        }

    def _regroup(self, symbols: Collection[Symbol], found: Mapping[Symbol, Panel]) -> None:
        """At once, between two fetches: nobody sees a part of it."""
        old = self.all
        kept = tuple(s for s in symbols if s in old.symbols or s in found)
        if kept == old.symbols:
            return
        panels: dict[str, Any] = {
            name: np.array(
                [getattr(old, name)[old.row(s)] if s in old.symbols else found[s][n] for s in kept]
            ).reshape(len(kept), old.bars)
            for n, name in enumerate(PANELS)
        }
        self.all = Candles(symbols=kept, times=old.times, **panels)
        self._ready, self._ready_until = {}, None

    # -- asking -----------------------------------------------------------------------------

    async def _rows(self, last: datetime, times: Sequence[int]) -> list[Panel]:
        """Of all symbols; what was read stays read when others have to be asked again."""
        if self._ready_until != last:
            self._ready, self._ready_until = {}, last
        room = asyncio.Semaphore(TOGETHER)
        late = (last + GRACE - self._clock.now()).total_seconds()
        until = self._clock.monotonic() + late  # waits go on when the wall clock jumps

        async def fetch(symbol: Symbol) -> None:
            async with room:
                found = await self._found(symbol, times)
            while times[-1] not in found and (left := until - self._clock.monotonic()) > 0:
                await self._clock.sleep(min(AGAIN, left))
                async with room:
                    found |= await self._found(symbol, times[-1:])
            self._ready[symbol] = _columns(found, times)

        wanted = [symbol for symbol in self.all.symbols if symbol not in self._ready]
        outcomes = await asyncio.gather(*map(fetch, wanted), return_exceptions=True)
        failed = {s: error for s, error in zip(wanted, outcomes, strict=True) if error is not None}
        for symbol in self._alone(failed):
            log.warning("%s has no candles until %s: %s", symbol, last, failed.pop(symbol))
            self._ready[symbol] = _columns({}, times)
        for error in failed.values():
            raise error
        ready, self._ready, self._ready_until = self._ready, {}, None
        return [ready[symbol] for symbol in self.all.symbols]

    def _alone(self, failed: Mapping[Symbol, BaseException]) -> list[Symbol]:
        """Those that were refused while others were not: their markets are gone or closed."""
        refused = [s for s, error in failed.items() if isinstance(error, VenueRejected)]
        return refused if len(refused) < len(self.all.symbols) else []

    async def _found(self, symbol: Symbol, times: Sequence[int]) -> Bars:
        """The bars of *symbol* at those of *times* that are there."""
        step = self._timeframe // timedelta(milliseconds=1)
        found: Bars = {}
        begin = times[0] - step
        while begin <= times[-1] - step:
            asked = min(self._connection.row.candles, (times[-1] - step - begin) // step + 1)
            answer = await self._ask(symbol, begin, asked)
            found.update({int(row[0]) + step: self._counted(symbol, row) for row in answer})
            begin += asked * step
        return found

    def _counted(self, symbol: Symbol, row: Sequence[Any]) -> Sequence[Any]:
        """Open, high, low, close, and the volume in coins."""
        told = self._connection.row
        if not told.volumes_in_contracts:
            return row[1:6]
        size = self._connection.contract(told.market_of(symbol))
        return [*row[1:5], number(row[5]) * size]

    async def _ask(self, symbol: Symbol, begin: int, count: int) -> list[list[Any]]:
        """Asks again after a ban that is short: being told to wait is no loss of prices."""
        market, name = self._connection.row.market_of(symbol), _name(self._timeframe)
        while True:
            try:
                answer = await self._connection.exchange.candles(
                    self._connection, market, name, begin, count
                )
            except VenueUnavailable:
                banned = self._connection.budget.banned_for
                if not 0 < banned <= LONGEST_BAN:
                    raise
                await self._clock.sleep(banned)
            else:
                return answer

    def _append(self, times: Any, rows: Any) -> None:
        """*rows*: [symbols, 5, bars]."""
        old = self.all
        rows = rows.reshape(len(old.symbols), len(PANELS), len(times))
        panels: dict[str, Any] = {
            name: np.concatenate([getattr(old, name), rows[:, n, :]], axis=1)[:, -self._bars :]
            for n, name in enumerate(PANELS)
        }
        every = np.concatenate([old.times, times])[-self._bars :]
        self.all = Candles(symbols=old.symbols, times=every, **panels)


def _columns(found: Bars, times: Sequence[int]) -> Panel:
    """Open, high, low, close and volume at each of *times*; NaN where missing.

    At once numbers, not text: hundreds of symbols' text would leave memory behind in pieces.
    """
    rows = np.array([_floats(found.get(time)) for time in times], dtype=np.float64)
    return np.ascontiguousarray(rows.reshape(len(times), len(PANELS)).T)


def _floats(row: Sequence[Any] | None) -> list[float]:
    return [float("nan")] * len(PANELS) if row is None else [float(value) for value in row]


def _empty(symbols: Sequence[Symbol]) -> Candles:
    nothing = np.empty((len(symbols), 0), dtype=np.float64)
    return Candles(
        symbols=tuple(symbols),
        times=np.empty(0, dtype=np.int64),
        open=nothing,
        high=nothing,
        low=nothing,
        close=nothing,
        volume=nothing,
    )


def millis(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def moment(millis: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(millis))


def _name(timeframe: timedelta) -> str:
    """As ccxt calls it: `15m`, `4h`, `1d`."""
    minutes = timeframe // timedelta(minutes=1)
    if minutes % 1440 == 0:
        return f"{minutes // 1440}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
