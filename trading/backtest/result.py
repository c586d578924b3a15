"""What came of a backtest, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading.context.settings import TraderSettings
from trading.market.flaws import Flaws
from trading.model.halt import Halt
from trading.risk.drawdown import day_of
from trading.stats.curve import Curve, curve
from trading.stats.daybook import DayBook, EquityReading
from trading.stats.ratios import Drawdown, Floats, drawdown
from trading.stats.summary import Stats, summarise
from trading.stats.tally import RoundTrip, Tally
from trading.types import Fill, Order, Position, Symbol, Trade


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything that was traded, and the equity at the close of each bar."""

    trader: TraderSettings
    strategy: str
    times: Floats
    """Closes of the bars, in seconds since 1970; the first is the last before trading."""
    equity: Floats
    """In quote currency, open profit included, exact to the cent."""
    held: NDArray[np.int32]
    """How many positions were open at each close."""
    holding: Floats
    """Equity of who bought equal parts of every symbol at the beginning: no costs, no trades."""
    trades: tuple[Trade, ...]
    """Oldest first."""
    fills: tuple[Fill, ...]
    orders: int
    """How many were sent."""
    told: Callable[[], tuple[Order, ...]] = field(repr=False, compare=False)
    """Builds all of them, as they ended."""
    approved: int
    """Decisions of risk."""
    refused: Mapping[str, int]
    """How often it said no, by the reason; figures and symbols are blanked out."""
    halts: tuple[Halt, ...]
    """By guards."""
    open_positions: tuple[Position, ...]
    """At the end; they are in the equity, not in the trades."""
    regimes: Sequence[str] = ()
    """Of the market at each close, where the strategy knows one; else empty."""
    flaws: Flaws = Flaws()
    """Of all candles that were shown, those before the first trade included."""
    notes: tuple[str, ...] = ()
    """How the candles were found."""
    slippage: Mapping[str, Decimal] = field(default_factory=dict)
    """By fill, in quote currency: what its price is worse than the one that triggered it."""
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """Of the venue, as shares: slippage, commission, participation; commission by the unit."""
    last_prices: Mapping[Symbol, float] = field(default_factory=dict)
    """At the end, on the tick; what is open is worth that.  NaN: never traded."""

    @cached_property
    def sent(self) -> tuple[Order, ...]:
        """Every order, as it ended; built when first asked for."""
        return self.told()

    @property
    def begin(self) -> datetime:
        return datetime.fromtimestamp(float(self.times[0]), UTC)

    @property
    def end(self) -> datetime:
        return datetime.fromtimestamp(float(self.times[-1]), UTC)

    @cached_property
    def book(self) -> DayBook:
        trips = [RoundTrip.of(trade) for trade in self.trades]
        return book_of(self.times, self.equity, self.trader.zone).after(trips, ())

    @cached_property
    def stats(self) -> Stats:
        """Trades, drawdown and yearly ratios, as `/stats` counts them."""
        return whole(self.book)

    @cached_property
    def holding_stats(self) -> Stats:
        return whole(book_of(self.times, self.holding, self.trader.zone))

    @property
    def profit(self) -> float:
        return float(self.equity[-1] - self.equity[0])

    @property
    def growth(self) -> float:
        """Share gained: 0.04 is +4 %."""
        return float(self.equity[-1] / self.equity[0]) - 1

    @property
    def holding_growth(self) -> float:
        return float(self.holding[-1] / self.holding[0]) - 1

    @property
    def exposure(self) -> float:
        """Share of the bars at whose close something was held."""
        return float(np.count_nonzero(self.held) / len(self.held))

    @property
    def drawdown(self) -> Drawdown | None:
        return drawdown(self.times, self.equity)

    @property
    def average_hold(self) -> timedelta | None:
        spans = [trade.closed_at - trade.opened_at for trade in self.trades]
        return sum(spans, timedelta(0)) / len(spans) if spans else None

    def by_regime(self) -> Mapping[str, Tally]:
        """Trades by the regime in which they were opened."""
        if not self.regimes:
            return {}
        trips: dict[str, list[RoundTrip]] = {}
        for trade in self.trades:
            at = int(np.searchsorted(self.times, trade.opened_at.timestamp()))
            name = self.regimes[min(at, len(self.regimes) - 1)]
            trips.setdefault(name, []).append(RoundTrip.of(trade))
        return {name: Tally.of(those) for name, those in sorted(trips.items())}


def book_of(times: Floats, equity: Floats, zone: tzinfo) -> DayBook:
    """The book of a curve; *times* in seconds since 1970."""

    def exact(at: int) -> EquityReading:
        moment = datetime.fromtimestamp(float(times[at]), UTC)
        return EquityReading(moment, Decimal(repr(round(float(equity[at]), 8))))

    return DayBook(zone=zone).read_on(times, equity, exact)


def last_day(book: DayBook) -> date:
    """The day of the last reading.  The day that has not ended counts: a backtest ends for good."""
    end = datetime.fromtimestamp(float(book.times[-1]), UTC)
    return day_of(end - timedelta(microseconds=1), book.zone)


def whole(book: DayBook) -> Stats:
    """The figures of all that is in the book: its totals are the sums of its list of trades.

    One closed at the last instant of the last day belongs to the day after it, and counts, too.
    """
    last = max([last_day(book), *book.trades])
    return summarise(book, first=None, last=last, today=last + timedelta(days=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is told of a result in a chat: small, whatever was traded."""

    trader: str
    strategy: str
    quote: str
    begin: datetime
    end: datetime
    bars: int
    symbols: int
    profit: float
    growth: float
    holding_growth: float
    exposure: float
    stats: Stats
    signals: int
    refused: Mapping[str, int]
    halts: tuple[Halt, ...]
    curve: Curve | None

    @classmethod
    def of(cls, result: Result, *, points: int) -> Summary:
        last = day_of(result.end, result.trader.zone)
        return cls(
            trader=result.trader.name,
            strategy=result.strategy,
            quote=result.trader.symbols[0].quote,
            begin=result.begin,
            end=result.end,
            bars=len(result.times),
            symbols=len(result.trader.symbols),
            profit=result.profit,
            growth=result.growth,
            holding_growth=result.holding_growth,
            exposure=result.exposure,
            stats=result.stats,
            signals=result.approved + sum(result.refused.values()),
            refused=result.refused,
            halts=result.halts,
            curve=curve(result.book, first=None, last=last, most=points),
        )
