"""What came of the trading: the sums, ratios and drawdown of a period.  Pure.

Money is exact; ratios are floats.  A day is the desk's: it begins at 00:00 in its zone.  A trade
belongs to the day in which it closed.  Equity read at 00:00 sharp ends the day before: it is the
close of the bar that ended then.

`Stats` counts closed trades, after fees.  `Period` tells the change of equity, open profit
included, as the report at the end of each day does.  Deposits are not known here, and count as
profit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Context, Decimal
from functools import reduce
from itertools import pairwise
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from trading.risk.drawdown import day_end, day_of
from trading.types import ZERO, EquityPoint, ExitReason, Symbol, Trade

DAYS_A_YEAR = 365
"""Crypto never closes; 252 where only an exchange's days count."""
FEWEST_RETURNS = 10
"""Finished days below which a ratio would be chance."""

_SUMS = Context(prec=200)
"""So wide that adding never rounds."""
_INSTANT = timedelta(microseconds=1)

Floats = NDArray[np.float64]


# -- trades -------------------------------------------------------------------------------


class RoundTrip(NamedTuple):
    """Of a closed trade what is summed: a tuple, for there may be hundreds of thousands."""

    closed_at: datetime
    symbol: str
    reason: str
    profit: Decimal
    """After fees, in quote currency."""
    fees: Decimal

    @classmethod
    def of(cls, trade: Trade) -> Self:
        symbol, reason = str(trade.symbol), trade.reason.value
        return cls(trade.closed_at, symbol, reason, trade.profit, trade.fees)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure, or the word that stands for it where there is none."""

    value: float | None
    word: str = ""

    @classmethod
    def of(cls, value: float | None) -> Self:
        """None, as of nothing divided by nothing, is `none`; what is without bound `infinite`."""
        if value is None or math.isnan(value):
            return cls(None, "none")
        return cls(value) if math.isfinite(value) else cls(None, "infinite")


TOO_FEW = Ratio(None, "too few")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over trades, which add up: days make a month.  Money in quote currency, after fees."""

    trades: int = 0
    wins: int = 0
    """Trades with a profit above 0."""
    losses: int = 0
    """Trades with a profit below 0; what came out even is neither."""
    won: Decimal = ZERO
    lost: Decimal = ZERO
    """Sum of the losses, at most 0."""
    fees: Decimal = ZERO
    best: Decimal | None = None
    """None without trades."""
    worst: Decimal | None = None

    @classmethod
    def of(cls, trips: Sequence[RoundTrip]) -> Self:
        profits = [trip.profit for trip in trips]
        wins = [p for p in profits if p > ZERO]
        losses = [p for p in profits if p < ZERO]
        return cls(
            trades=len(trips),
            wins=len(wins),
            losses=len(losses),
            won=_sum(wins),
            lost=_sum(losses),
            fees=_sum(trip.fees for trip in trips),
            best=max(profits, default=None),
            worst=min(profits, default=None),
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        parts = tuple(parts)
        return cls(
            trades=sum(p.trades for p in parts),
            wins=sum(p.wins for p in parts),
            losses=sum(p.losses for p in parts),
            won=_sum(p.won for p in parts),
            lost=_sum(p.lost for p in parts),
            fees=_sum(p.fees for p in parts),
            best=max((p.best for p in parts if p.best is not None), default=None),
            worst=min((p.worst for p in parts if p.worst is not None), default=None),
        )

    @property
    def profit(self) -> Decimal:
        return _SUMS.add(self.won, self.lost)

    @property
    def win_rate(self) -> float | None:
        """Share of all trades, even ones included, that made money."""
        return self.wins / self.trades if self.trades else None

    @property
    def expectancy(self) -> Decimal | None:
        """Average profit per trade."""
        return self.profit / self.trades if self.trades else None

    @property
    def average_win(self) -> Decimal | None:
        return self.won / self.wins if self.wins else None

    @property
    def average_loss(self) -> Decimal | None:
        """Below 0."""
        return self.lost / self.losses if self.losses else None

    @property
    def profit_factor(self) -> Ratio:
        """Sum of the wins over sum of the losses; `infinite` without a loss."""
        if not self.losses:
            return Ratio.of(math.inf if self.wins else None)
        return Ratio.of(float(self.won / -self.lost))


def _sum(values: Iterable[Decimal]) -> Decimal:
    return reduce(_SUMS.add, values, ZERO)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Trades by symbol and by exit reason; the names as history spells them."""

    symbols: Mapping[str, Tally] = field(default_factory=dict)
    reasons: Mapping[str, Tally] = field(default_factory=dict)

    @classmethod
    def of(cls, trips: Iterable[RoundTrip]) -> Self:
        symbols: dict[str, list[RoundTrip]] = {}
        reasons: dict[str, list[RoundTrip]] = {}
        for trip in trips:
            symbols.setdefault(trip.symbol, []).append(trip)
            reasons.setdefault(trip.reason, []).append(trip)
        return cls(
            {name: Tally.of(those) for name, those in symbols.items()},
            {name: Tally.of(those) for name, those in reasons.items()},
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        parts = tuple(parts)
        return cls(_merged(p.symbols for p in parts), _merged(p.reasons for p in parts))

    @property
    def whole(self) -> Tally:
        # There are fewer reasons than symbols, and every trade has one.
        return Tally.total(self.reasons.values())


def _merged(parts: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    gathered: dict[str, list[Tally]] = {}
    for part in parts:
        for name, tally in part.items():
            gathered.setdefault(name, []).append(tally)
    return {name: Tally.total(tallies) for name, tallies in gathered.items()}


# -- the book of days ---------------------------------------------------------------------


class Reading(NamedTuple):
    """Equity at a moment of market time."""

    at: datetime
    equity: Decimal


def _no_floats() -> Floats:
    return np.empty(0)


def floats_of(instants: Sequence[str], equity: Sequence[str]) -> tuple[Floats, Floats]:
    """Times in seconds since 1970, and equity: to the last bit what `Reading`s would make.

    *instants* in UTC, as in `2021-05-19T12:00:00.000000`, without their zone.
    """
    times = np.array(instants, dtype="datetime64[us]").astype(np.int64) / 1e6
    return times, np.array([float(text) for text in equity])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayBook:
    """All that one trader closed and was worth, summed by day: small, however long it traded."""

    zone: tzinfo
    """Where the days begin at 00:00."""
    trades: Mapping[date, Breakdown] = field(default_factory=dict)
    """Days without a trade are missing."""
    all_time: Breakdown = field(default_factory=Breakdown)
    """All of them together, so that nothing is added up when somebody asks for that."""
    closes: Mapping[date, Decimal] = field(default_factory=dict)
    """The last equity read in each day, oldest first; days without a reading are missing."""
    opening: Reading | None = None
    """The first reading of all."""
    times: Floats = field(default_factory=_no_floats)
    """Of all readings, in seconds since 1970, oldest first."""
    equity: Floats = field(default_factory=_no_floats)
    """For the drawdown, which is a ratio; money is taken from `closes`."""

    @classmethod
    def of(cls, trades: Iterable[Trade], points: Iterable[EquityPoint], zone: tzinfo) -> DayBook:
        readings = sorted((Reading(p.at, p.equity) for p in points), key=lambda r: r.at)
        return cls(zone=zone).after([RoundTrip.of(t) for t in trades], readings)

    def after(self, trips: Sequence[RoundTrip], readings: Sequence[Reading]) -> DayBook:
        """Return the book with more in it; *readings* are later than its own, oldest first."""
        times = np.array([r.at.timestamp() for r in readings])
        equity = np.array([float(r.equity) for r in readings])
        new = self._by_day(trips)
        return DayBook(
            zone=self.zone,
            trades={**self.trades, **self._with(new)},
            all_time=Breakdown.total((self.all_time, *new.values())),
            closes={**self.closes, **self._closed_by(readings)},
            opening=self.opening or (readings[0] if readings else None),
            times=np.concatenate((self.times, times)),
            equity=np.concatenate((self.equity, equity)),
        )

    def read_on(self, times: Floats, equity: Floats, exact: Callable[[int], Reading]) -> DayBook:
        """As `after` with these readings, for very many of them.

        *times* in seconds since 1970, later than its own, oldest first; *exact* returns one
        reading by its place: only those that end a day are asked for.
        """
        if not len(times):
            return self
        closes: dict[date, Decimal] = {}
        at = 0
        while at < len(times):
            moment = exact(at).at - _INSTANT
            until = day_end(moment, self.zone).timestamp()
            at = int(np.searchsorted(times, until, side="right"))
            closes[day_of(moment, self.zone)] = exact(at - 1).equity
        return replace(
            self,
            closes={**self.closes, **closes},
            opening=self.opening or exact(0),
            times=np.concatenate((self.times, times)),
            equity=np.concatenate((self.equity, equity)),
        )

    def _by_day(self, trips: Iterable[RoundTrip]) -> dict[date, Breakdown]:
        days: dict[date, list[RoundTrip]] = {}
        until, those = None, list[RoundTrip]()
        since = datetime.max.replace(tzinfo=UTC)
        for trip in trips:
            at = trip.closed_at
            if until is None or not since <= at < until:  # mostly the same day as the one before
                day = day_of(at, self.zone)
                since, until = _start_of(day, self.zone), day_end(at, self.zone)
                those = days.setdefault(day, [])
            those.append(trip)
        return {day: Breakdown.of(those) for day, those in days.items()}

    def _with(self, new: Mapping[date, Breakdown]) -> dict[date, Breakdown]:
        return {
            day: Breakdown.total((self.trades[day], more)) if day in self.trades else more
            for day, more in new.items()
        }

    def _closed_by(self, readings: Iterable[Reading]) -> dict[date, Decimal]:
        closes: dict[date, Decimal] = {}
        day, until = date.min, None
        for at, equity in readings:
            if until is None or at > until:
                day = day_of(at - _INSTANT, self.zone)
                until = day_end(at - _INSTANT, self.zone)
            closes[day] = equity
        return closes

    def traded(self, first: date | None, last: date) -> Breakdown:
        """What was closed from *first* (None: the beginning) to *last*, both included."""
        if first is None and max(self.trades, default=last) <= last:
            return self.all_time
        days = (d for d in self.trades if (first is None or first <= d) and d <= last)
        return Breakdown.total(self.trades[day] for day in days)

    def close_before(self, day: date) -> Decimal | None:
        """Equity when *day* began; None if nothing was read before."""
        earlier = [d for d in self.closes if d < day]
        return self.closes[earlier[-1]] if earlier else None

    def close_within(self, first: date, last: date) -> Decimal | None:
        """The last equity read from *first* to *last*; None if nothing was."""
        within = [d for d in self.closes if first <= d <= last]
        return self.closes[within[-1]] if within else None

    def start_of(self, first: date | None, last: date) -> Decimal | None:
        """Equity as a period begins, or as the desk does within it; None if it is unknown."""
        before = None if first is None else self.close_before(first)
        if before is not None or self.opening is None:
            return before
        return self.opening.equity if next(iter(self.closes)) <= last else None

    @property
    def first_day(self) -> date | None:
        """The day of the first reading or trade; None while there is neither."""
        return min((*self.closes, *self.trades), default=None)


def _start_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


# -- ratios -------------------------------------------------------------------------------
#
# The conventions, and the figures they are tested against, are those of empyrical (Quantopian).


def volatility(returns: Sequence[float], days_a_year: float = DAYS_A_YEAR) -> float | None:
    """Standard deviation of a sample (n - 1) per year; None below two returns."""
    if len(returns) < 2:  # noqa: PLR2004  # one return deviates from nothing
        return None
    mean = _mean(returns)
    variance = math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return math.sqrt(variance * days_a_year)


def sharpe(returns: Sequence[float], days_a_year: float = DAYS_A_YEAR) -> float | None:
    """Mean over standard deviation, per year, with no riskless rate; daily shares in.

    Infinite if nothing deviates; None of nothing, and where there is neither gain nor deviation.
    """
    deviation = volatility(returns, days_a_year)
    return None if deviation is None else _over(_mean(returns) * days_a_year, deviation)


def sortino(returns: Sequence[float], days_a_year: float = DAYS_A_YEAR) -> float | None:
    """Mean over downside deviation from 0 (over all days: n, not the losing ones), per year.

    Infinite if no day lost; None below two returns, and where there is neither gain nor loss.
    """
    if len(returns) < 2:  # noqa: PLR2004  # as `volatility`
        return None
    downside = math.fsum(min(r, 0.0) ** 2 for r in returns) / len(returns)
    return _over(_mean(returns) * days_a_year, math.sqrt(downside * days_a_year))


def cagr(growth: float, days: float, days_a_year: float = DAYS_A_YEAR) -> float | None:
    """What *growth* (1.04 is +4 %) over *days* comes to in a year, as a share.

    None without a day; -1 once all is lost; infinite beyond what a float holds.
    """
    if days <= 0:
        return None
    if growth <= 0:
        return -1.0
    try:
        return math.expm1(math.log(growth) * days_a_year / days)
    except OverflowError:
        return math.inf


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _over(gain: float, risk: float) -> float | None:
    if risk:
        return gain / risk
    return math.copysign(math.inf, gain) if gain else None


# -- drawdown -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall of equity from a peak before it."""

    share: float
    """Of the peak, positive; 0 if equity never fell."""
    peak_at: datetime
    """When equity last was at the peak."""
    trough_at: datetime
    recovered_at: datetime | None
    """When it was back at the peak; None: it was not, up to the last reading."""
    lasted: timedelta
    """From the peak until then, or until the last reading."""


def drawdown(times: Floats, equity: Floats) -> Drawdown | None:
    """Return the deepest fall within a curve; *times* in seconds since 1970.  None of nothing."""
    if not len(equity):
        return None
    peaks = np.maximum.accumulate(equity)
    falls = np.where(peaks > 0, (peaks - equity) / np.where(peaks > 0, peaks, 1.0), 0.0)
    trough = int(np.argmax(falls))
    peak = trough - int(np.argmax(equity[trough::-1] >= peaks[trough]))
    after = np.flatnonzero(equity[trough:] >= peaks[trough])
    back = trough + int(after[0]) if len(after) else None
    ended = len(times) - 1 if back is None else back
    return Drawdown(
        share=float(falls[trough]),
        peak_at=_moment(times[peak]),
        trough_at=_moment(times[trough]),
        recovered_at=None if back is None else _moment(times[back]),
        lasted=_moment(times[ended]) - _moment(times[peak]),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


# -- one period ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The figures of one period."""

    first: date | None
    """None: since the beginning."""
    last: date
    total: Tally
    symbols: Mapping[Symbol, Tally]
    """Most profitable first, as `reasons`."""
    reasons: Mapping[ExitReason, Tally]
    start: Decimal | None
    """Equity as the period began; None if it is not known."""
    drawdown: Drawdown | None
    """Within the period, from every reading there is; None without one."""
    returns: int
    """Daily returns that the ratios rest on."""
    sharpe: Ratio
    sortino: Ratio
    cagr: Ratio
    """A share: 0.04 is +4 % per year."""
    calmar: Ratio
    """CAGR over the deepest drawdown."""

    @property
    def share(self) -> Decimal | None:
        """Profit over the equity that the period began with."""
        return share_of(self.total.profit, self.start)


def share_of(profit: Decimal | None, start: Decimal | None) -> Decimal | None:
    if profit is None or start is None or start <= ZERO:
        return None
    return profit / start


def summarise(book: DayBook, *, first: date | None, last: date, today: date) -> Stats:
    """Return the figures from *first* (None: the beginning) to *last*, both included.

    Trades and drawdown count up to now.  The ratios rest on whole days: from midnight to midnight,
    *today* left out.  A day without a reading makes no return; what changed over such a gap falls
    on the day after it.  Below `FEWEST_RETURNS` each ratio is `TOO_FEW`.
    """
    parts = book.traded(first, last)
    returns, growth, days = daily(book, first, min(last, today - timedelta(days=1)))
    fall = drawdown(*_curve(book, first, last))
    enough = len(returns) >= FEWEST_RETURNS
    yearly = cagr(growth, days)
    return Stats(
        first=first,
        last=last,
        total=parts.whole,
        symbols={Symbol.parse(name): tally for name, tally in _ranked(parts.symbols)},
        reasons={ExitReason(name): tally for name, tally in _ranked(parts.reasons)},
        start=book.start_of(first, last),
        drawdown=fall,
        returns=len(returns),
        sharpe=Ratio.of(sharpe(returns)) if enough else TOO_FEW,
        sortino=Ratio.of(sortino(returns)) if enough else TOO_FEW,
        cagr=Ratio.of(yearly) if enough else TOO_FEW,
        calmar=Ratio.of(_calmar(yearly, fall)) if enough else TOO_FEW,
    )


def daily(book: DayBook, first: date | None, last: date) -> tuple[list[float], float, int]:
    """Return the daily returns, the growth over all of them (1.04: +4 %), and the days they span.

    From *first* (None: the beginning) to *last*, both included.
    """
    known = [(day, float(equity)) for day, equity in book.closes.items() if day <= last]
    steps = [
        (before, after)
        for before, after in pairwise(known)
        if (first is None or after[0] >= first) and before[1] > 0
    ]
    if not steps:
        return [], 1.0, 0
    (begun, start), (ended, end) = steps[0][0], steps[-1][1]
    return [after[1] / before[1] - 1 for before, after in steps], end / start, (ended - begun).days


def _curve(book: DayBook, first: date | None, last: date) -> tuple[Floats, Floats]:
    """The readings of a period, from the last one before it (or at its very beginning)."""
    ended = _start_of(last + timedelta(days=1), book.zone).timestamp()
    until = int(np.searchsorted(book.times, ended, side="right"))
    since = 0
    if first is not None:
        begun = _start_of(first, book.zone).timestamp()
        since = max(0, int(np.searchsorted(book.times, begun, side="right")) - 1)
    return book.times[since:until], book.equity[since:until]


def _calmar(yearly: float | None, fall: Drawdown | None) -> float | None:
    return None if yearly is None or fall is None else _over(yearly, fall.share)


def _ranked(tallies: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    return sorted(tallies.items(), key=lambda item: (-item[1].profit, item[0]))


# -- period by period ---------------------------------------------------------------------

Unit = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One day, week or month: the change of equity, open profit included."""

    first: date
    last: date
    start: Decimal | None
    """Equity as it began; None if that is not known."""
    end: Decimal | None
    """Equity as it ended, or now; None if that is not known: nothing was read in it."""
    trades: Tally
    """Closed within it."""
    over: bool

    @property
    def profit(self) -> Decimal | None:
        return None if self.start is None or self.end is None else self.end - self.start

    @property
    def share(self) -> Decimal | None:
        return share_of(self.profit, self.start)


def periods(
    book: DayBook, unit: Unit, count: int, *, now: datetime, equity: Decimal | None
) -> tuple[Period, ...]:
    """Return the last *count* of them, the running one first; fewer if the desk is younger.

    *now* is market time, *equity* that of now (None: unknown).  Empty if nothing happened yet.
    """
    today, begun = day_of(now, book.zone), book.first_day
    found: list[Period] = []
    day = today
    while begun is not None and day >= begun and len(found) < count:
        first = _first_of(unit, day)
        found.append(_period(book, first, _last_of(unit, first), today, equity))
        day = first - timedelta(days=1)
    return tuple(found)


def _period(book: DayBook, first: date, last: date, today: date, equity: Decimal | None) -> Period:
    over = last < today
    return Period(
        first=first,
        last=last,
        start=book.start_of(first, last),
        end=book.close_within(first, last) if over else equity,
        trades=book.traded(first, last).whole,
        over=over,
    )


def _first_of(unit: Unit, day: date) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _last_of(unit: Unit, first: date) -> date:
    if unit == "month":
        return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return first + timedelta(days=6 if unit == "week" else 0)
