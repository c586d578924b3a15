"""Prices of a real exchange: closed candles by REST, the latest price by a stream.

Candles are kept in memory, one column per bar, as many as the strategy reads and a little more.  A
price that is not fresh is never shown as fresh: its own time goes with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from trading.clocks import Clock
from trading.errors import VenueError, VenueUnavailable
from trading.market.candles import Candles
from trading.ports import FeedState
from trading.types import ZERO, Quote, Symbol
from trading.venues.answers import said
from trading.venues.connection import Connection

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOGETHER = 8
"""Symbols whose candles are asked for at a time."""
MOST_BARS = 1_000
"""That one request brings."""
GRACE = timedelta(seconds=10)
"""How long a bar that has closed is waited for; after that it counts as missing."""
AGAIN = 2.5
"""Seconds until a bar that is not there yet is asked for again."""
LONGEST_BAN = 60.0
"""Seconds of a ban that are waited out; a longer one counts as no prices, and is told as that."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between two tries of the stream."""
BATCH = 50
"""Symbols of one subscription."""
PAUSE = 0.1
"""Seconds between two looks at a batch: hundreds of symbols tick without waking anybody each."""
ASK_EVERY = 5.0
"""Seconds between two requests for prices while streams are broken."""


class LiveFeed:
    """Implements `trading.ports.Feed`; `open` before, `close` after."""

    speed: float | None = None
    """Market time is wall time."""

    def __init__(
        self,
        *,
        name: str,
        connection: Connection,
        symbols: Sequence[Symbol],
        timeframe: timedelta,
        bars: int,
        clock: Clock,
        stale_after: float = 15.0,
    ) -> None:
        """*bars*: how many are kept; *stale_after*: seconds without a price."""
        self.name = name
        self._connection = connection
        self._wanted = tuple(symbols)
        self._markets = {symbol: connection.quirks.market_of(symbol) for symbol in symbols}
        self._timeframe = timeframe
        self._bars = bars
        self._clock = clock
        self._stale_after = timedelta(seconds=stale_after)
        self._candles = _empty(self._wanted)
        self._quotes: dict[Symbol, Quote] = {}
        self._seen: dict[Symbol, Any] = {}
        """The last tick of each, as ccxt keeps it."""
        self._made: dict[Symbol, int] = {}
        """When the exchange made that price; our own clock may be set back meanwhile."""
        self._wrong: set[Symbol] = set()
        """Those whose last tick made no sense."""
        self._streams: list[asyncio.Task[None]] = []
        self._asked_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._ready: dict[Symbol, list[list[float]]] = {}
        """Rows that are there already while others are waited for."""
        self._ready_until: datetime | None = None

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self._wanted

    @property
    def first_cursor(self) -> datetime:
        """The last bar that has closed: what came before is warm-up."""
        return self._last_close(self._clock.now())

    def now(self) -> datetime:
        return self._clock.now()

    def resume(self, cursor: datetime) -> None:
        """A live market waits for nobody: bars missed while down are read as history."""

    async def open(self) -> None:
        """Connect and read the warm-up.  Raises `VenueError`; safe to call again."""
        await self._connection.open(self)
        await self._fill_up()
        if not self._streams:
            markets = list(self._markets.items())
            batches = [dict(markets[n : n + BATCH]) for n in range(0, len(markets), BATCH)]
            self._streams = [
                asyncio.create_task(self._listen(batch), name=f"{self.name}: prices")
                for batch in batches
            ]

    async def close(self) -> None:
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await self._connection.close(self)

    async def closes(self, after: datetime) -> Sequence[datetime]:
        """Fetch the bars that have closed, and return the close times after *after*.

        Of bars that closed while the desk was down only the last counts: a signal of long ago is
        no signal, and exits go by the price of now.  Waits for room in the request budget, for
        the end of a short ban, and up to `GRACE` for a bar that is late.
        """
        await self.open()
        last = self._last_close(self._clock.now())
        self._forget_after(last)
        if last <= after:
            return ()
        await self._fill_up()
        known = _moment(self._candles.times[-1]) if self._candles.bars else after
        return (known,) if known > after else ()

    def candles(self, until: datetime, bars: int) -> Candles:
        column = int(np.searchsorted(self._candles.times, _millis(until), side="right"))
        return self._candles.upto(column).last(bars)

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The newest price, if it is not of after *at*; else the last close before *at*."""
        quote = self._quotes.get(symbol)
        if quote is not None and (at is None or quote.at <= at):
            return quote
        return self._last_known(symbol, at or self._clock.now())

    @property
    def heard(self) -> Collection[Symbol]:
        """Those whose price has been told by now."""
        return self._quotes.keys()

    def state(self) -> FeedState:
        newest = max((quote.at for quote in self._quotes.values()), default=None)
        fresh = newest is not None and self._clock.now() - newest <= self._stale_after
        return FeedState.LIVE if fresh else FeedState.STALE

    # -- candles ----------------------------------------------------------------------------

    async def _fill_up(self) -> None:
        """Fetch every bar that has closed and is not here; all symbols, or none."""
        async with self._fetching:
            last = self._last_close(self._clock.now())
            have = _moment(self._candles.times[-1]) if self._candles.bars else None
            if have is not None and have >= last:
                return
            missing = self._bars if have is None else (last - have) // self._timeframe
            times = [
                _millis(last - n * self._timeframe)
                for n in reversed(range(min(missing, self._bars)))
            ]
            rows = await self._rows(last, times)
            self._append(np.array(times, dtype=np.int64), np.array(rows, dtype=np.float64))

    async def _rows(self, last: datetime, times: Sequence[int]) -> list[list[list[float]]]:
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

        wanted = [symbol for symbol in self._wanted if symbol not in self._ready]
        failed = [
            error
            for error in await asyncio.gather(*map(fetch, wanted), return_exceptions=True)
            if error is not None
        ]
        if failed:
            raise failed[0]
        ready, self._ready, self._ready_until = self._ready, {}, None
        return [ready[symbol] for symbol in self._wanted]

    async def _found(self, symbol: Symbol, times: Sequence[int]) -> dict[int, Sequence[Any]]:
        """Open, high, low, close and volume of *symbol* at those of *times* that are there."""
        step = _length(self._timeframe)
        found: dict[int, Sequence[Any]] = {}
        begin = times[0] - step
        while begin <= times[-1] - step:
            asked = min(MOST_BARS, (times[-1] - step - begin) // step + 1)
            answer = await self._ask_candles(symbol, begin, asked)
            found.update({int(row[0]) + step: row[1:6] for row in answer})
            begin += asked * step
        return found

    async def _ask_candles(self, symbol: Symbol, begin: int, count: int) -> list[list[Any]]:
        """Asks again after a ban that is short: being told to wait is no loss of prices."""
        name = _name(self._timeframe)
        while True:
            try:
                answer: list[list[Any]] = await self._connection.ask(
                    "candles",
                    self._connection.exchange.fetch_ohlcv,
                    self._markets[symbol],
                    name,
                    begin,
                    count,
                )
            except VenueUnavailable:
                banned = self._connection.budget.banned_for
                if not 0 < banned <= LONGEST_BAN:
                    raise
                await self._clock.sleep(banned)
            else:
                return answer

    def _forget_after(self, last: datetime) -> None:
        """The clock was ahead for a while: bars of the future were never there."""
        if self._candles.bars and _moment(self._candles.times[-1]) > last:
            column = int(np.searchsorted(self._candles.times, _millis(last), side="right"))
            self._candles = self._candles.upto(column)

    def _append(self, times: Any, rows: Any) -> None:
        """*rows*: [symbols, 5, bars]."""
        old = self._candles
        panels: dict[str, Any] = {
            name: np.concatenate([getattr(old, name), rows[:, n, :]], axis=1)[:, -self._bars :]
            for n, name in enumerate(("open", "high", "low", "close", "volume"))
        }
        every = np.concatenate([old.times, times])[-self._bars :]
        self._candles = Candles(symbols=self._wanted, times=every, **panels)

    def _last_known(self, symbol: Symbol, at: datetime) -> Quote | None:
        candles = self._candles
        row = candles.row(symbol)
        column = int(np.searchsorted(candles.times, _millis(at), side="right")) - 1
        if row is None:
            return None
        while column >= 0 and not np.isfinite(candles.close[row, column]):  # mostly the first is
            column -= 1
        if column < 0:
            return None
        return Quote(
            symbol=symbol,
            price=Decimal(repr(float(candles.close[row, column]))),
            at=_moment(candles.times[column]),
        )

    def _last_close(self, at: datetime) -> datetime:
        return _EPOCH + (at - _EPOCH) // self._timeframe * self._timeframe

    # -- the latest price -------------------------------------------------------------------

    async def _listen(self, batch: Mapping[Symbol, str]) -> None:
        """Hear prices for ever; while the stream is broken, ask for them now and then."""
        delay = FIRST_DELAY
        exchange, markets = self._connection.exchange, list(batch.values())
        while True:
            try:
                await exchange.watch_tickers(markets)
                self._hear(batch, exchange.tickers)
                delay = FIRST_DELAY
                await self._clock.sleep(PAUSE)
                continue
            except Exception as error:  # noqa: BLE001  # whatever ccxt's streams raise
                words = said(error, self._connection.quirks)
                log.warning("the prices of %s broke off: %s", self.name, words)
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            await self._ask_prices()

    async def _ask_prices(self) -> None:
        """Of all symbols at once, whichever stream broke."""
        now = self._clock.monotonic()
        if now - self._asked_at < ASK_EVERY:
            return
        self._asked_at = now
        try:
            fetch, markets = self._connection.exchange.fetch_tickers, list(self._markets.values())
            self._hear(self._markets, await self._connection.ask("prices", fetch, markets))
        except VenueError as error:
            log.warning("no prices of %s: %s", self.name, error)

    def _hear(self, batch: Mapping[Symbol, str], tickers: Mapping[str, Any]) -> None:
        for symbol, market in batch.items():
            raw = tickers.get(market)
            if raw is not None and raw is not self._seen.get(symbol):
                self._seen[symbol] = raw
                self.take(symbol, raw)

    def take(self, symbol: Symbol, raw: Any) -> None:
        """A price counts from when the exchange made it; one without a time from now."""
        now = self._clock.now()
        price = _price(raw.get("last"))
        told = raw.get("timestamp")
        made = int(told) if told else _millis(now)
        if price is None or (told and made < self._made.get(symbol, made)):
            if symbol not in self._wrong:
                log.warning("a tick of %s makes no sense and is ignored", symbol)
            self._wrong.add(symbol)
            return
        self._wrong.discard(symbol)
        self._made[symbol] = made
        self._quotes[symbol] = Quote(symbol=symbol, price=price, at=min(now, _moment(made)))


def _price(value: object) -> Decimal | None:
    """None: it is none."""
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > ZERO else None


def _columns(found: Mapping[int, Sequence[Any]], times: Sequence[int]) -> list[list[float]]:
    """Open, high, low, close and volume at each of *times*; NaN where missing."""
    rows = [_floats(found.get(time)) for time in times]
    return [list(column) for column in zip(*rows, strict=True)]


def _floats(row: Sequence[Any] | None) -> list[float]:
    return [float("nan")] * 5 if row is None else [float(value) for value in row]


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


def _millis(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _moment(millis: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(millis))


def _length(timeframe: timedelta) -> int:
    return timeframe // timedelta(milliseconds=1)


def _name(timeframe: timedelta) -> str:
    """As ccxt calls it: `15m`, `4h`, `1d`."""
    minutes = timeframe // timedelta(minutes=1)
    if minutes % 1440 == 0:
        return f"{minutes // 1440}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
