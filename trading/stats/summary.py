"""A period of the trading, put together: its trades, ratios, drawdown; and its days one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

import numpy as np

from trading.risk.drawdown import day_of
from trading.stats.daybook import DayBook, start_of
from trading.stats.ratios import (
    FEWEST_RETURNS,
    TOO_FEW,
    Drawdown,
    Floats,
    Ratio,
    cagr,
    calmar,
    drawdown,
    sharpe,
    sortino,
)
from trading.stats.tally import Tally
from trading.types import ZERO, ExitReason, Symbol


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
        calmar=Ratio.of(calmar(yearly, fall)) if enough else TOO_FEW,
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
    ended = start_of(last + timedelta(days=1), book.zone).timestamp()
    until = int(np.searchsorted(book.times, ended, side="right"))
    since = 0
    if first is not None:
        begun = start_of(first, book.zone).timestamp()
        since = max(0, int(np.searchsorted(book.times, begun, side="right")) - 1)
    return book.times[since:until], book.equity[since:until]


def _ranked(tallies: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    return sorted(tallies.items(), key=lambda item: (-item[1].profit, item[0]))


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
