"""`quarterdeck report`: the figures of a period from history alone, with or without a desk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chatbot.check import HISTORY
from chatbot.settings import Settings
from handlers.figures import Span, averages, extremes, fall, ratios, stats_of, won
from handlers.format import gained, percent
from storage.reports import read_day_books
from trading.errors import StoreError
from trading.risk.drawdown import day_of
from trading.stats import DayBook, Stats, Tally

Report = dict[str, Any]


Figures = tuple[str, str, Stats]
"""A trader's name, the currency it counts in, and what came of it."""


def report(settings: Settings, span: Span, *, now: datetime) -> list[Figures]:
    """The figures of each trader, up to the last day that it traded in.

    One that is not enabled is there if it has traded before.  Raises `StoreError` when there is no
    history, or none that can be read.
    """
    path = settings.state_dir / HISTORY
    if not path.exists():
        raise StoreError(f"There is no history at {path} yet; a desk that runs makes it")
    zone = settings.bot.zone
    books = read_day_books(path, settings.traders, zone)
    return [
        (name, trader.symbols[0].quote, stats_of(book, span, _last_day(book) or day_of(now, zone)))
        for (name, trader), book in zip(settings.traders.items(), books, strict=True)
        if trader.enabled or _last_day(book)
    ]


def as_json(found: Sequence[Figures]) -> list[Report]:
    """Plain numbers; None where a figure does not exist or rests on too little."""
    return [
        {
            "trader": name,
            "currency": quote,
            "first": None if stats.first is None else stats.first.isoformat(),
            "last": stats.last.isoformat(),
            **_tally(stats.total),
            "profit_share": _number(stats.share),
            "max_drawdown": None if stats.drawdown is None else stats.drawdown.share,
            "sharpe": stats.sharpe.value,
            "sortino": stats.sortino.value,
            "calmar": stats.calmar.value,
            "symbols": {str(symbol): _tally(tally) for symbol, tally in stats.symbols.items()},
            "exits": {reason.value: _tally(tally) for reason, tally in stats.reasons.items()},
        }
        for name, quote, stats in found
    ]


def as_text(found: Sequence[Figures]) -> str:
    return "\n\n".join("\n".join(_lines(*one)) for one in found) or "There is no trader."


def _lines(name: str, quote: str, stats: Stats) -> Iterator[str]:
    since = f"{stats.first} to " if stats.first else "up to "
    total = stats.total
    if not total.trades:
        yield f"{name}, {since}{stats.last}: no trades"
    else:
        profit = f"{gained(total.profit, quote)} ({percent(stats.share)})"
        yield f"{name}, {since}{stats.last}: {profit} after fees"
        yield from (won(total), averages(total), extremes(total))
    if stats.drawdown:
        yield f"Worst drawdown {fall(stats.drawdown)}, {ratios(stats)}"
    for symbol, tally in stats.symbols.items():
        yield f"  {symbol.base:<8}{gained(tally.profit, quote)}; {won(tally)}"


def _last_day(book: DayBook) -> date | None:
    """The market's: a replay of 2021 ends there."""
    return max([*book.closes, *book.trades], default=None)


def _tally(tally: Tally) -> Report:
    return {
        "trades": tally.trades,
        "wins": tally.wins,
        "losses": tally.losses,
        "profit": _number(tally.profit),
        "fees": _number(tally.fees),
        "win_rate": tally.win_rate,
        "profit_factor": tally.profit_factor.value,
        "expectancy": _number(tally.expectancy),
        "average_win": _number(tally.average_win),
        "average_loss": _number(tally.average_loss),
        "best": _number(tally.best),
        "worst": _number(tally.worst),
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
