"""The closed candles of a real exchange, kept in memory: one row per symbol, one column per bar.

What cannot be had of one symbol is that symbol's gap, and asked for again until it is there or the
exchange has said often enough that it has none.  Who joins later brings the bars that the others
have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from trading.clocks import Clock
from trading.errors import VenueError, VenueRejected
from trading.market.candle_window import PANELS, CandleWindow
from trading.market.candles import Candles, Panel
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.types import Quote, Symbol
from trading.venues.ccxt.candle_asks import Bars, CandleAsks
from trading.venues.ccxt.candle_stream import CandleStream
from trading.venues.ccxt.connection import Connection

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOGETHER = 50
"""Symbols whose candles are asked for at a time."""
GRACE = timedelta(seconds=10)
"""How long a bar that has closed is waited for; after that it counts as missing."""
AGAIN = 2.5
"""Seconds until a bar that is not there yet is asked for again."""
PROVEN = 3
"""So often an exchange must have answered without a bar before it is said to have none."""
MEND_EVERY = 20.0
"""Seconds between two times that gaps are asked for again."""


@dataclass(slots=True)
class _LackedBar:
    """A bar that is missing."""

    answers: int = 0
    """How often the exchange has answered without it; 0: it could not be asked yet."""
    why: str = ""
    """Why it could not be asked, as a clause."""


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
        self._timeframe = timeframe
        self._bars = bars
        self._clock = clock
        self._window = CandleWindow(symbols, bars=bars)
        self._asks = CandleAsks(connection=connection, timeframe=timeframe, clock=clock)
        self.stream = CandleStream(connection=connection, timeframe=timeframe, clock=clock)
        self._fetching = asyncio.Lock()
        self._gaps: dict[Symbol, dict[int, _LackedBar]] = {}
        self._mended_at = float("-inf")

    @property
    def all(self) -> Candles:
        return self._window.all

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
            self._window.forget_after(millis(last))
            self._note_gaps({})

    async def fill_up(self) -> None:
        """Fetch every bar that has closed and is not here.

        What cannot be had of some symbols is missing there (see `owed`).  Raises `VenueError` when
        nothing can be had of any.
        """
        async with self._fetching:
            last, have = self.last_close(self._clock.now()), self.newest
            if have is not None and have >= last:
                return
            missing = self._bars if have is None else (last - have) // self._timeframe
            times = [
                millis(last - n * self._timeframe)
                for n in reversed(range(min(missing, self._bars)))
            ]
            if len(times) == 1:
                await self.stream.told(self.all.symbols, times[0])
            found, failed = await self._rows(last, times)
            if failed and len(failed) == len(self.all.symbols):
                raise next(iter(failed.values()))
            self._window.append(times, found)
            self._note_gaps(failed)

    async def keep(self, symbols: Collection[Symbol]) -> None:
        """Keep the candles of *symbols* alone; who joins comes with the bars that the others have.

        One whose bars cannot be had does not join yet: call again.  Before the first bars were
        fetched nothing is fetched here either.
        """
        joining = [symbol for symbol in symbols if self.all.row(symbol) is None]
        times = self.all.times.tolist()
        found = await self._history(joining, times)
        async with self._fetching:
            found = await self._up_to_date(found, times)
            self._window.regroup(symbols, found)
            self._note_gaps({})

    # -- gaps -------------------------------------------------------------------------------

    def owed(self, symbol: Symbol) -> str:
        """Why bars of *symbol* that should be there are not, as a clause; empty: all are.

        What the exchange has answered without is no debt: it had no trade, or lost the bar.
        """
        gaps = self._gaps.get(symbol, {})
        times = [time for time, gap in gaps.items() if not gap.answers]
        if not times:
            return ""
        count = "its candle of" if len(times) == 1 else f"{len(times)} of its candles since"
        why = gaps[times[-1]].why
        return f"{count} {moment(times[0]):%H:%M} could not be had{f': {why}' if why else ''}"

    def doubts(self) -> list[PriceDoubt]:
        owed = {symbol: why for symbol in self._gaps if (why := self.owed(symbol))}
        lost = {symbol: time for symbol in self._gaps if (time := self._proven(symbol)) is not None}
        found = []
        if owed:
            symbol, why = next(iter(owed.items()))
            why = f"of {symbol}: {why.removeprefix('its ')}"
            found.append(PriceDoubt(kind=DoubtKind.GAP, symbols=tuple(owed), why=why))
        if lost:
            symbol, time = next(iter(lost.items()))
            why = f"the exchange has none of {symbol} that closed at {moment(time):%H:%M} UTC"
            found.append(PriceDoubt(kind=DoubtKind.MISSING, symbols=tuple(lost), why=why))
        return found

    async def mend(self) -> None:
        """Ask again for bars that are missing, unless that was done a moment ago."""
        now = self._clock.monotonic()
        if now - self._mended_at < MEND_EVERY / 2:
            return
        self._mended_at = now
        open_gaps = {
            symbol: times
            for symbol, gaps in self._gaps.items()
            if (times := [time for time, gap in gaps.items() if gap.answers < PROVEN])
        }
        room = asyncio.Semaphore(TOGETHER)
        mending = [self._mend(room, symbol, times) for symbol, times in open_gaps.items()]
        mended = {s: bars for s, bars in await asyncio.gather(*mending) if bars}
        async with self._fetching:
            self._window.fill({s: (list(bars), _columns(bars, bars)) for s, bars in mended.items()})
            self._note_gaps({})

    async def _mend(
        self, room: asyncio.Semaphore, symbol: Symbol, times: Sequence[int]
    ) -> tuple[Symbol, Bars]:
        gaps = self._gaps.get(symbol, {})
        try:
            async with room:
                bars = await self._asks.found(symbol, times)
        except VenueError as error:
            for time in times:
                gaps.get(time, _LackedBar()).why = str(error)
            return symbol, {}
        for time in times:
            gaps.get(time, _LackedBar()).answers += 1
        return symbol, bars

    def _proven(self, symbol: Symbol) -> int | None:
        gaps = self._gaps.get(symbol, {})
        return next((time for time, gap in gaps.items() if gap.answers >= PROVEN), None)

    def _note_gaps(self, failed: Mapping[Symbol, VenueError]) -> None:
        """Those that are there now; of new ones *failed* says who could not be asked, and why."""
        noted: dict[Symbol, dict[int, _LackedBar]] = {}
        for symbol, times in self._window.gaps().items():
            known, error = self._gaps.get(symbol, {}), failed.get(symbol)
            new = _LackedBar(answers=1) if error is None else _LackedBar(why=str(error))
            noted[symbol] = {
                time: known.get(time) or _LackedBar(new.answers, new.why) for time in times
            }
        self._gaps = noted

    # -- who joins and who leaves -----------------------------------------------------------

    async def _history(self, symbols: Iterable[Symbol], times: list[int]) -> dict[Symbol, Panel]:
        """Of those whose candles could be had, each of shape [5, times]."""
        room = asyncio.Semaphore(TOGETHER)
        found: dict[Symbol, Panel] = {}

        async def fetch(symbol: Symbol) -> None:
            try:
                async with room:
                    bars = await self._asks.found(symbol, times) if times else {}
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

    # -- asking -----------------------------------------------------------------------------

    async def _rows(
        self, last: datetime, times: Sequence[int]
    ) -> tuple[dict[Symbol, Panel], dict[Symbol, VenueError]]:
        """What was found of each symbol, of shape [5, times], and of whom nothing could be had.

        A symbol's bars become columns as soon as they are there: hundreds of symbols' bars each on
        its own are many times as large, and what is freed of them stays behind in pieces.
        """
        room = asyncio.Semaphore(TOGETHER)
        late = (last + GRACE - self._clock.now()).total_seconds()
        until = self._clock.monotonic() + late  # waits go on when the wall clock jumps
        found: dict[Symbol, Panel] = {}
        failed: dict[Symbol, VenueError] = {}

        async def fetch(symbol: Symbol) -> None:
            while True:
                try:
                    async with room:
                        wanted = times[-1:] if symbol in found else times
                        bars = _columns(await self._asks.found(symbol, wanted), wanted)
                    found.setdefault(symbol, bars)[:, -len(wanted) :] = bars
                    failed.pop(symbol, None)
                except VenueRejected as error:  # its market is gone or closed
                    failed[symbol] = error
                    return
                except VenueError as error:
                    failed[symbol] = error
                left = until - self._clock.monotonic()
                if left <= 0 or (symbol in found and np.isfinite(found[symbol][3, -1])):
                    return
                await self._clock.sleep(min(AGAIN, left))

        await asyncio.gather(*map(fetch, self.all.symbols))
        for symbol, error in list(failed.items()):
            if symbol in found:
                del failed[symbol]
                continue
            log.warning("%s has no candles until %s: %s", symbol, last, error)
        return found, failed


def _columns(found: Mapping[int, Any], times: Iterable[int]) -> Panel:
    """Open, high, low, close and volume at each of *times*; NaN where missing.

    At once numbers, not text: hundreds of symbols' text would leave memory behind in pieces.
    """
    nothing = [float("nan")] * len(PANELS)
    rows = np.array([found.get(time, nothing) for time in times], dtype=np.float64)
    return np.ascontiguousarray(rows.reshape(-1, len(PANELS)).T)


def millis(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def moment(millis: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(millis))
