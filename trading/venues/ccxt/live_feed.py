"""Prices of a real exchange: closed candles by REST, the latest price by a stream.

Candles are kept in memory, one column per bar, as many as the strategy reads and a little more.  A
price that is not fresh is never shown as fresh: its own time goes with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.clocks import Clock
from trading.errors import VenueError
from trading.market.candles import Candles
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.ports import FeedState
from trading.types import ZERO, Quote, Symbol
from trading.venues.ccxt.batches import BATCH, Batches
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.live_candles import MEND_EVERY, LiveCandles, millis, moment

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between two tries of the stream."""
PAUSE = 0.1
"""Seconds between two looks at a batch: hundreds of symbols tick without waking anybody each."""
ASK_EVERY = 5.0
"""Seconds between two requests for prices while streams are broken, or where there are none."""


class LiveFeed:
    """Implements `trading.ports.Feed`; `open` before, `close` after."""

    sources: Sequence[str] = ()

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
        self._markets = {symbol: connection.row.market_of(symbol) for symbol in symbols}
        self._clock = clock
        self._stale_after = timedelta(seconds=stale_after)
        self._candles = LiveCandles(
            connection=connection, symbols=symbols, timeframe=timeframe, bars=bars, clock=clock
        )
        self._quotes: dict[Symbol, Quote] = {}
        self._seen: dict[Symbol, Any] = {}
        """The last tick of each, as ccxt keeps it."""
        self._made: dict[Symbol, int] = {}
        """When the exchange made that price; our own clock may be set back meanwhile."""
        self._wrong: set[Symbol] = set()
        """Those whose last tick made no sense."""
        self._streams = Batches(self._listen, name=f"{name}: prices")
        self._listening = False
        self._mending: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self._generation = 0

    @property
    def symbols(self) -> Sequence[Symbol]:
        return self._wanted

    @property
    def first_cursor(self) -> datetime:
        """The last bar that has closed: what came before is warm-up."""
        return self._candles.last_close(self._clock.now())

    def now(self) -> datetime:
        return self._clock.now()

    def resume(self, cursor: datetime) -> None:
        """A live market waits for nobody: bars missed while down are read as history."""

    def handled(self, bar: datetime) -> None:
        """As above."""

    async def open(self) -> None:
        """Connect and read the warm-up.  Raises `VenueError`; safe to call again."""
        await self._connection.open(self)
        if self._generation != self._connection.markets.generation:
            self._generation = self._connection.markets.generation
            await self._follow(self._wanted)
        await self._candles.fill_up()
        if not self._listening:
            self._listening = True
            self._streams.follow(self._markets)
            self._candles.stream.follow(self._markets)
            self._mending = asyncio.create_task(self._keep_mending(), name=f"{self.name}: gaps")

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """Take part in the markets of *symbols* alone from now on.

        Many join a batch at a time, as soon as their candles are there; one whose candles cannot be
        had joins when it is asked for again.  Before `open` there is nothing to fetch: it then
        begins with these.
        """
        staying = [symbol for symbol in symbols if symbol in self._markets]
        joining = [symbol for symbol in symbols if symbol not in self._markets]
        for end in range(BATCH, len(joining), BATCH):
            await self._follow((*staying, *joining[:end]))
        await self._follow(symbols)

    async def _follow(self, symbols: Sequence[Symbol]) -> None:
        """What is not traded now is left out, and joins by itself once it is (again)."""
        self._wanted = tuple(symbols)
        market_of, traded = self._connection.row.market_of, self._is_traded
        self._markets = {symbol: market_of(symbol) for symbol in symbols if traded(symbol)}
        await self._candles.keep(tuple(self._markets))
        for known in (self._quotes, self._seen, self._made):
            for symbol in [symbol for symbol in known if symbol not in self._markets]:
                del known[symbol]  # what is known of its price is old from now on
        if self._listening:
            self._streams.follow(self._markets)
            self._candles.stream.follow(self._markets)

    def _is_traded(self, symbol: Symbol) -> bool:
        return not self._connection.markets.untraded(symbol)

    async def close(self) -> None:
        self._listening = False
        mending, self._mending = self._mending, None
        if mending is not None:
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)
        await self._streams.close()
        await self._candles.stream.close()
        await self._connection.close(self)

    async def mend(self) -> None:
        """Ask again for bars that are missing, unless that was done a moment ago."""
        await self._candles.mend()

    async def _keep_mending(self) -> None:
        """Beside the bars: no exit waits for gaps."""
        while True:
            await self._clock.sleep(MEND_EVERY)
            try:
                await self.mend()
            except Exception:
                log.exception("the gaps of %s could not be mended", self.name)

    async def closes(self, after: datetime) -> Sequence[datetime]:
        """Fetch the bars that have closed, and return the close times after *after*.

        Of bars that closed while the desk was down only the last counts: a signal of long ago is
        no signal, and exits go by the price of now.  Waits for room in the request budget, for
        the end of a short ban, and up to `GRACE` for a bar that is late.
        """
        await self.open()
        last = self._candles.last_close(self._clock.now())
        self._candles.forget_after(last)
        if last <= after:
            return ()
        await self._candles.fill_up()
        known = self._candles.newest or after
        return (known,) if known > after else ()

    def candles(self, until: datetime, bars: int) -> Candles:
        return self._candles.until(until, bars)

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The newest price, if it is not of after *at*; else the last close before *at*."""
        quote = self._quotes.get(symbol)
        if quote is not None and (at is None or quote.at <= at):
            return quote
        return self._candles.last_known(symbol, at or self._clock.now())

    @property
    def heard(self) -> Collection[Symbol]:
        """Those whose price has been told by now."""
        return self._quotes.keys()

    def objection(self, symbol: Symbol) -> str:
        return self._candles.owed(symbol)

    def doubts(self) -> Sequence[PriceDoubt]:
        row, troubles = self._connection.row, self._connection.breaker.troubles
        place = f"{row.exchange} {row.market}"
        failing = [
            PriceDoubt(kind=DoubtKind.ENDPOINT, source=f"{family} of {place}", why=why)
            for family, why in troubles.items()
        ]
        return [*self._candles.doubts(), *failing]

    def state(self) -> FeedState:
        newest = max((quote.at for quote in self._quotes.values()), default=None)
        fresh = newest is not None and self._clock.now() - newest <= self._stale_after
        return FeedState.LIVE if fresh else FeedState.STALE

    # -- the latest price -------------------------------------------------------------------

    async def _listen(self, batch: Mapping[Symbol, str]) -> None:
        """Hear prices for ever; while the stream is broken, ask for them now and then."""
        delay, markets = FIRST_DELAY, list(batch.values())
        exchange, followed = self._connection.ccxt, batch
        while not exchange.has.get("watchTickers"):
            await self._ask_prices()
            await self._clock.sleep(ASK_EVERY)
        while True:
            # One that is listed no longer would break it for all.
            markets = [market for s, market in followed.items() if self._is_traded(s)] or markets
            try:
                await exchange.watch_tickers(markets)
                self._hear(exchange.tickers, batch)
                delay = FIRST_DELAY
                await self._clock.sleep(PAUSE)
                continue
            except Exception as error:  # noqa: BLE001  # whatever ccxt's streams raise
                words = self._connection.exchange.said(error)
                log.warning("the prices of %s broke off: %s", self.name, words)
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            await self._ask_prices()
            followed = {s: market for s, market in batch.items() if s in self._wanted} or followed

    async def _ask_prices(self) -> None:
        """Of all symbols at once, whichever stream broke."""
        now = self._clock.monotonic()
        if now - self._asked_at < ASK_EVERY:
            return
        self._asked_at = now
        try:
            fetch = self._connection.ccxt.fetch_tickers
            markets = [market for s, market in self._markets.items() if self._is_traded(s)]
            self._hear(
                await self._connection.ask(fetch, markets, about="prices", urgency=None),
                self._markets,
            )
        except VenueError as error:
            log.warning("no prices of %s: %s", self.name, error)

    def _hear(self, tickers: Mapping[str, Any], batch: Iterable[Symbol]) -> None:
        for symbol in batch:
            raw = tickers.get(self._markets.get(symbol, ""))
            if raw is not None and raw is not self._seen.get(symbol):
                self._seen[symbol] = raw
                self.take(symbol, raw)

    def take(self, symbol: Symbol, raw: Any) -> None:
        """A price counts from when the exchange made it; one without a time from now."""
        now = self._clock.now()
        price = _price(raw.get("last"))
        told = raw.get("timestamp")
        made = int(told) if told else millis(now)
        if price is None or (told and made < self._made.get(symbol, made)):
            if symbol not in self._wrong:
                log.warning("a tick of %s makes no sense and is ignored", symbol)
            self._wrong.add(symbol)
            return
        self._wrong.discard(symbol)
        self._made[symbol] = made
        self._quotes[symbol] = Quote(symbol=symbol, price=price, at=min(now, moment(made)))


def _price(value: object) -> Decimal | None:
    """None: it is none."""
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > ZERO else None
