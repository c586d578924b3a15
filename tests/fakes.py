"""The world, faked at its edges: a market that does as told, a venue with faults on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from tests.builders import BTC, RULES
from trading.clocks import Clock
from trading.errors import StoreError, VenueRejected, VenueUnavailable, VenueUncertain
from trading.market.candles import Candles
from trading.market.doubts import PriceDoubt
from trading.market.recording import Recording
from trading.market.universe import MarketScan, MarketStats, Universe
from trading.model.halt import Halt, Permit
from trading.ports import FeedState, Leaving, Venue, unwatched
from trading.strategies.base import Signals
from trading.types import (
    Depth,
    Held,
    MarketRules,
    Movement,
    Order,
    OrderReport,
    OrderType,
    Preview,
    Quote,
    Rules,
    Side,
    Symbol,
    Untraded,
)

MINUTE = timedelta(minutes=1)


def a_market(
    *closes: float, start: datetime, symbols: Sequence[Symbol] = (BTC,), volume: float = 1e6
) -> Recording:
    """One-minute candles with these closes, the same for each symbol; the first closes at *start*.

    Each bar opens at the close before it, and its extremes are its open and close.
    """
    close = np.tile(np.array(closes, dtype=np.float64), (len(symbols), 1))
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    first = int(start.timestamp() * 1000)
    return Recording(
        candles=Candles(
            symbols=tuple(symbols),
            times=np.arange(len(closes), dtype=np.int64) * 60_000 + first,
            open=opened,
            high=np.maximum(opened, close),
            low=np.minimum(opened, close),
            close=close,
            volume=np.full_like(close, volume),
        ),
        start=start,
    )


class ScriptedScanner:
    """Surveys as it is told to; the last answer lasts, and what is an error is raised."""

    def __init__(self, *answers: Mapping[Symbol, MarketStats] | Exception, by_bars: bool) -> None:
        self.answers = list(answers)
        self.by_bars = by_bars
        self.asked: list[datetime] = []

    async def scan(self, at: datetime, of: Universe) -> MarketScan:
        self.asked.append(at)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return MarketScan(at=at, stats=answer)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Wish:
    """What the scripted strategy wants when the bar that closes at `at` is the last."""

    at: datetime
    side: Side = Side.BUY
    symbol: Symbol = BTC
    stop: float = 95.0
    target: float = float("nan")
    confidence: float = 62.0


class ScriptedStrategy:
    """Wishes what it was told to, and remembers the bars it was shown."""

    name = "scripted"
    warmup = 0

    def __init__(self, *wishes: Wish) -> None:
        self.wishes = list(wishes)
        self.shown: list[int] = []

    def signals(self, candles: Candles) -> Signals:
        self.shown.append(int(candles.times[-1]))
        shape = candles.close.shape
        score, stop, target = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
        for wish in self.wishes:
            at = np.flatnonzero(candles.times == int(wish.at.timestamp() * 1000))
            row = candles.symbols.index(wish.symbol)
            score[row, at] = wish.confidence * wish.side.sign
            stop[row, at], target[row, at] = wish.stop, wish.target
        return Signals(score=score, stop=stop, target=target)

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return "scripted"


@dataclass
class Faults:
    """What goes wrong at the venue, and when.  Each list is used up from the front."""

    place: list[str] = field(default_factory=list)
    """`refuse`, `unavailable`, `drop` (accepted, no answer), `lost` (never arrived, no answer),
    `hang` (accepted; the answer never comes); anything else passes."""
    refused: set[OrderType] = field(default_factory=set)
    """Of these none is taken."""
    cancel: list[str] = field(default_factory=list)
    down: bool = False
    """Nothing answers at all."""
    hide: set[str] = field(default_factory=set)
    """Orders that queries do not find for a while."""
    unlisted: set[str] = field(default_factory=set)
    """Orders that have ended so long ago that no list has them any more."""
    slow_books: dict[Symbol, asyncio.Event] = field(default_factory=dict)
    """Order books that come only once this is set."""


class FaultyVenue:
    """A venue behind a bad line: the real one does the work, the faults are ours."""

    shows_books = True

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.name = venue.name
        self.window = venue.window
        self.cash, self.reduce_only = venue.cash, venue.reduce_only
        self.targets = venue.targets
        self.writes_off = venue.writes_off
        self.costs = venue.costs
        self.interruptions = 0
        self.refuses_until: datetime | None = None
        self.faults = Faults()
        self.placed: list[Order] = []
        """Everything that left, in order."""
        self.cancelled: list[str] = []
        self.gate = asyncio.Event()
        """While clear, orders wait on their way out, before the last look at their permit."""
        self.gate.set()
        self.waiting = 0
        self.strange: dict[Symbol, Held] = {}
        """What the operator holds beside us."""
        self.moved: list[Movement] = []
        """Money that came or went, and that the venue tells of."""
        self.untold = Decimal(0)
        """Money that came or went, and that it does not tell of."""
        self.depths: dict[Symbol, Depth] = {}
        self.untraded: dict[Symbol, Untraded] = {}
        """What it has stopped to trade."""
        self.keeps_silent = False
        """About what an order would meet."""
        self.watch_leaving: Callable[[Order], None] = lambda order: None
        """Called in the instant in which an order leaves, after its permit was looked at."""

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        self._check_line()
        await self._venue.open(listener)

    async def close(self) -> None:
        await self._venue.close()

    async def catch_up(self, until: datetime) -> None:
        await self._venue.catch_up(until)

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        self._check_line()
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        fault = self.faults.place.pop(0) if self.faults.place else ""
        if fault == "refuse" or order.type in self.faults.refused:
            raise VenueRejected("Post-only would match.")
        if fault == "unavailable":
            raise VenueUnavailable("connection refused")

        def leaving() -> None:
            permit()
            self.placed.append(order)
            self.watch_leaving(order)

        if fault == "lost":
            leaving()
            raise VenueUncertain("no answer")
        report = await self._venue.place(order, leaving)
        if fault == "drop":
            raise VenueUncertain("no answer")
        if fault == "hang":
            await asyncio.Event().wait()
        return report

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        self._check_line()
        return await self._venue.place_pair(stop, target, permit)

    async def arrives_late(self, order: Order) -> OrderReport:
        """What was given up as lost is carried out after all."""
        return await self._venue.place(order, lambda: None)

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        self._check_line()
        fault = self.faults.cancel.pop(0) if self.faults.cancel else ""
        if fault == "unavailable":
            raise VenueUnavailable("connection refused")
        report = await self._venue.cancel(order, leaving)
        self.cancelled.append(order.id)
        if fault == "drop":
            raise VenueUncertain("no answer")
        return report

    async def find(self, order: Order) -> OrderReport | None:
        self._check_line()
        return None if order.id in self.faults.hide else await self._venue.find(order)

    async def open_orders(self) -> Sequence[OrderReport]:
        self._check_line()
        return await self._venue.open_orders()

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        self._check_line()
        return [
            report
            for report in await self._venue.ours_since(symbol, since)
            if report.order_id not in self.faults.unlisted
        ]

    async def positions(self) -> Mapping[Symbol, Held]:
        self._check_line()
        theirs = dict(await self._venue.positions())
        for symbol, extra in self.strange.items():
            held = theirs.get(symbol, Held())
            theirs[symbol] = Held(long=held.long + extra.long, short=held.short + extra.short)
        return theirs

    async def wallet(self) -> Decimal:
        self._check_line()
        told = sum((m.amount for m in self.moved), Decimal(0))
        return await self._venue.wallet() + told + self.untold

    async def movements(self, since: datetime) -> Sequence[Movement]:
        self._check_line()
        return [m for m in self.moved if m.at >= since]

    async def depth(self, symbol: Symbol) -> Depth | None:
        self._check_line()
        if symbol in self.faults.slow_books:
            await self.faults.slow_books[symbol].wait()
        return self.depths.get(symbol)

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        self._check_line()
        if self.keeps_silent:
            raise VenueUnavailable("connection refused")
        return await self._venue.preview(symbol, side, quantity)

    def rules(self, symbol: Symbol) -> Rules:
        return self.untraded.get(symbol) or self._venue.rules(symbol)

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        self._check_line()
        return await self._venue.write_off(order, price)

    async def rules_now(self, symbol: Symbol) -> Rules:
        self._check_line()
        return self.rules(symbol)

    async def reread(self) -> None:
        self._check_line()
        await self._venue.reread()

    def include(self, symbols: Collection[Symbol]) -> None:
        self._venue.include(symbols)

    def _check_line(self) -> None:
        if self.faults.down:
            raise VenueUnavailable("connection refused")


class LivePrices:
    """A feed whose prices come at any moment: `tick` makes one; each minute a bar closes at it."""

    sources: Sequence[str] = ()

    name = "live"
    speed: float | None = None

    def __init__(
        self, clock: Clock, *, start: str = "100", symbols: Sequence[Symbol] = (BTC,)
    ) -> None:
        self.symbols: Sequence[Symbol] = tuple(symbols)
        self._clock = clock
        self._begin = clock.now()
        self._ticks: dict[Symbol, list[Quote]] = {}
        self.closed = False
        for symbol in self.symbols:
            self.tick(start, symbol)

    def tick(self, price: str, symbol: Symbol = BTC) -> None:
        quote = Quote(symbol=symbol, price=Decimal(price), at=self._clock.now())
        self._ticks.setdefault(symbol, []).append(quote)

    @property
    def first_cursor(self) -> datetime:
        """As of a real live feed: whenever it is asked, the last bar that has closed."""
        return self._last_close()

    def _last_close(self) -> datetime:
        return self._begin + (self.now() - self._begin) // MINUTE * MINUTE

    def now(self) -> datetime:
        return self._clock.now()

    def resume(self, cursor: datetime) -> None:
        """A live market waits for nobody."""

    def handled(self, bar: datetime) -> None:
        """As above."""

    async def closes(self, after: datetime) -> Sequence[datetime]:
        last = self._last_close()
        return (last,) if last > after else ()

    def candles(self, until: datetime, bars: int) -> Candles:
        """One bar, the last that closed: flat, at the price then."""
        stamp = int(until.timestamp() * 1000)
        rows = [
            [float(quote.price if (quote := self.quote(s, until)) else 100)] for s in self.symbols
        ]
        close = np.array(rows, dtype=np.float64)
        return Candles(
            symbols=tuple(self.symbols), times=np.array([stamp], dtype=np.int64), open=close,
            high=close, low=close, close=close, volume=np.full_like(close, 1e6),
        )  # fmt: skip

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        until = at or self.now()
        known = [quote for quote in self._ticks.get(symbol, ()) if quote.at <= until]
        return known[-1] if known else None

    def objection(self, symbol: Symbol) -> str:
        return ""

    def doubts(self) -> Sequence[PriceDoubt]:
        return ()

    def state(self) -> FeedState:
        return FeedState.LIVE

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        self.symbols = tuple(symbols)

    async def close(self) -> None:
        self.closed = True


class MemoryLatch:
    """A latch file that remembers what it was given."""

    def __init__(self) -> None:
        self.halts: tuple[Halt, ...] = ()
        self.refuses = False
        self.gate = asyncio.Event()
        """While clear, writes wait."""
        self.gate.set()

    async def write(self, halts: Sequence[Halt], *, last_number: int) -> None:
        await self.gate.wait()
        if self.refuses:
            raise StoreError("no space left on the device")
        self.halts = tuple(halts)


def same_rules(symbols: Sequence[Symbol], rules: MarketRules = RULES) -> dict[Symbol, MarketRules]:
    return dict.fromkeys(symbols, rules)
