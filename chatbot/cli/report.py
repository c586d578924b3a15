"""`quarterdeck report`: the figures of a period from history alone, with or without a desk."""

from __future__ import annotations

from datetime import date, datetime

from chatbot.folder.history import HISTORY
from chatbot.settings import Settings
from handlers.texts.figures import Span
from handlers.texts.report import PeriodReport
from storage.reports import read_day_books
from trading.errors import StoreError
from trading.risk.drawdown import day_of
from trading.stats.daybook import DayBook


def report(settings: Settings, span: Span, *, now: datetime) -> list[PeriodReport]:
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
        PeriodReport.of(
            book,
            trader=name,
            mode=trader.mode,
            quote=trader.symbols[0].quote,
            span=span,
            last=_last_day(book) or day_of(now, zone),
        )
        for (name, trader), book in zip(settings.traders.items(), books, strict=True)
        if trader.enabled or _last_day(book)
    ]


def _last_day(book: DayBook) -> date | None:
    """The market's: a replay of 2021 ends there."""
    return max([*book.closes, *book.trades], default=None)
