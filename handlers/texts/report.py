"""The figures of a period in full, for the command line, for files, for other programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from handlers.format import MONTHS, duration, gain, gained, percent, plural
from handlers.texts.figures import (
    Span,
    averages,
    exit_name,
    extremes,
    fall,
    ratio,
    ratios,
    stats_of,
    symbol_names,
    won,
)
from handlers.texts.phrases import whom
from trading.stats.daybook import DayBook
from trading.stats.ratios import Drawdown, Ratio
from trading.stats.summary import Stats
from trading.stats.tally import Tally
from trading.types import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodReport:
    """One trader's figures; as text with every symbol, or as values that JSON takes."""

    trader: str
    mode: Mode
    quote: str
    """Currency of all money."""
    span: Span
    zone: str
    """Where its days begin at 00:00."""
    stats: Stats

    @classmethod
    def of(
        cls, book: DayBook, *, trader: str, mode: Mode, quote: str, span: Span, last: date
    ) -> PeriodReport:
        """Return the figures of *span* up to the day *last*, of the market."""
        return cls(
            trader=trader,
            mode=mode,
            quote=quote,
            span=span,
            zone=str(book.zone),
            stats=stats_of(book, span, last),
        )

    def as_text(self) -> str:
        """Lines for a terminal; the same sentences as in a chat, and what has no room there."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        found, total = self.stats, self.stats.total
        profit = f"{gained(total.profit, self.quote)} ({percent(found.share)}) after fees"
        yield f"{whom(self.trader, self.mode)}, {self.span.label.lower()}: {profit}"
        if total.trades:
            yield from (won(total), averages(total), extremes(total))
        else:
            yield "No trades"
        yield _drawdown_line(found.drawdown)
        yearly = f"CAGR {_yearly(found.cagr)}, Calmar {ratio(found.calmar)}"
        yield f"{ratios(found)}, {yearly}; from {plural(found.returns, 'whole day')} of {self.zone}"
        yield from _part("By symbol", symbol_names(found.symbols), found.symbols.values())
        exits = [exit_name(reason) for reason in found.reasons]
        yield from _part("By exit", exits, found.reasons.values())

    def as_json(self) -> dict[str, Any]:
        """Money as strings with every digit, shares and ratios as numbers, times ISO 8601 UTC.

        A ratio without a figure is null, and its `why` says `too few`, `infinite` or `none`.
        """
        found = self.stats
        return {
            "trader": self.trader,
            "mode": self.mode.value,
            "quote": self.quote,
            "period": self.span.value,
            "zone": self.zone,
            "first": None if found.first is None else found.first.isoformat(),
            "last": found.last.isoformat(),
            "equity_at_start": _exact(found.start),
            "share": None if found.share is None else float(found.share),
            **tally_json(found.total),
            **risk_json(found),
            "daily_returns": found.returns,
            **parts_json(found),
        }


def _drawdown_line(found: Drawdown | None) -> str:
    if found is None or not found.share:
        return f"Worst drawdown {fall(found)}"
    peak = f"from {_day(found.peak_at)}"
    lasted = duration(found.lasted)
    end = f"over after {lasted}" if found.recovered_at else f"{lasted} so far"
    return f"Worst drawdown {fall(found)}, {peak}, {end}"


def _day(at: datetime) -> str:
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def _yearly(of: Ratio) -> str:
    return of.word if of.value is None else percent(Decimal(repr(of.value)))


def _part(title: str, names: Iterable[str], tallies: Iterable[Tally]) -> Iterable[str]:
    rows = [
        (name, plural(tally.trades, "trade"), f"{tally.wins:,} won", gain(tally.profit))
        for name, tally in zip(names, tallies, strict=True)
    ]
    if not rows:
        return
    yield title
    name, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    for first, *rest in rows:
        cells = (cell.rjust(room) for cell, room in zip(rest, others, strict=True))
        yield "  ".join(("", first.ljust(name), *cells))


def parts_json(of: Stats) -> dict[str, Any]:
    return {
        "by_symbol": {str(symbol): tally_json(tally) for symbol, tally in of.symbols.items()},
        "by_exit": {reason.value: tally_json(tally) for reason, tally in of.reasons.items()},
    }


def risk_json(of: Stats) -> dict[str, Any]:
    return {
        "max_drawdown": _drawdown(of.drawdown),
        "sharpe": _ratio(of.sharpe),
        "sortino": _ratio(of.sortino),
        "cagr": _ratio(of.cagr),
        "calmar": _ratio(of.calmar),
    }


def tally_json(of: Tally) -> dict[str, Any]:
    """Money as strings with every digit; see `PeriodReport.as_json`."""
    return {
        "profit": _exact(of.profit),
        "trades": of.trades,
        "wins": of.wins,
        "losses": of.losses,
        "win_rate": of.win_rate,
        "profit_factor": _ratio(of.profit_factor),
        "expectancy": _exact(of.expectancy),
        "average_win": _exact(of.average_win),
        "average_loss": _exact(of.average_loss),
        "best": _exact(of.best),
        "worst": _exact(of.worst),
        "fees": _exact(of.fees),
    }


def _drawdown(of: Drawdown | None) -> Mapping[str, Any] | None:
    if of is None:
        return None
    return {
        "share": of.share,
        "peak_at": of.peak_at.isoformat(),
        "trough_at": of.trough_at.isoformat(),
        "recovered_at": None if of.recovered_at is None else of.recovered_at.isoformat(),
        "seconds": of.lasted.total_seconds(),
    }


def _ratio(of: Ratio) -> Mapping[str, Any]:
    return {"value": of.value, "why": of.word or None}


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
