"""How the figures of a period read, by symbol and by exit, day by day, and the balance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from handlers.format import (
    MONTHS,
    UNKNOWN,
    ago,
    amount,
    duration,
    gain,
    gained,
    money,
    number,
    percent,
    plural,
    points,
    unit,
)
from handlers.reply import Choice, Column, Reply
from handlers.texts.history import REASONS
from handlers.texts.phrases import apart_notes, clipped, mode, sentence, stale_note
from handlers.texts.screen import TABLE_ROWS, a_table, first_fitting, fitted
from trading.accounts.views import View
from trading.errors import Refused
from trading.risk.drawdown import day_of
from trading.stats.daybook import DayBook
from trading.stats.ratios import Drawdown, Ratio
from trading.stats.summary import Period, Stats, Unit, share_of, summarise
from trading.stats.tally import Tally
from trading.types import ExitReason, Mode, Symbol


class Span(StrEnum):
    """How far back, in days of the market that begin at 00:00 in the desk's zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"

    def first(self, today: date) -> date | None:
        """The first day of those that end with *today*; None: no matter how far."""
        days = _DAYS[self]
        return None if days is None else today - timedelta(days=days - 1)

    @property
    def label(self) -> str:
        return {Span.DAY: "Today", Span.ALL: "All time"}.get(self, f"{_DAYS[self]} days")


_DAYS = {Span.DAY: 1, Span.WEEK: 7, Span.MONTH: 30, Span.ALL: None}


def stats_of(book: DayBook, span: Span, today: date) -> Stats:
    return summarise(book, first=span.first(today), last=today, today=today)


def as_measured(found: Sequence[Period], per: Unit, view: View) -> Sequence[Period]:
    """The running day or week as guards measure it: the same figure wherever it is told."""
    starts = {"day": view.day_start, "week": view.week_start}
    if not found or per not in starts:
        return found
    return (replace(found[0], start=starts[per]), *found[1:])


# -- the figures of a period --------------------------------------------------------------


def stats_reply(view: View, found: Stats, span: Span) -> Reply:
    total = found.total
    risk = f"Worst drawdown {fall(found.drawdown)}, {ratios(found)}"
    if not total.trades:
        return Reply(
            f"{no_trades(span)} {mode(view.mode)}",
            text=risk if found.drawdown else "",
            choices=_other_spans(span),
            as_of=view.as_of,
        )
    profit = f"{gained(total.profit, view.quote)} ({percent(found.share)})"
    return Reply(
        f"{span.label}: {profit} after fees",
        text="\n".join([won(total), averages(total), risk, extremes(total)]),
        choices=(Choice("By symbol", _performance(span)),),
        as_of=view.as_of,
    )


def no_trades(span: Span) -> str:
    when = {Span.DAY: "today", Span.ALL: "yet"}.get(span, f"in {span.label}")
    return f"No trades {when}"


def _other_spans(span: Span) -> tuple[Choice, ...]:
    """Where there may be some."""
    return () if span is Span.ALL else (Choice("All time", "/stats all"),)


def won(total: Tally) -> str:
    """As in `118 trades, 49 won (41.5 %), profit factor 0.81`."""
    rate = unit(win_rate(total), "%")
    factor = ratio(total.profit_factor)
    return f"{plural(total.trades, 'trade')}, {total.wins:,} won ({rate}), profit factor {factor}"


def averages(total: Tally) -> str:
    """As in `Per trade -2.85; win +29.40, loss -25.76`."""
    win = f"win {gain(total.average_win)}" if total.wins else "no win"
    loss = f"loss {gain(total.average_loss)}" if total.losses else "no loss"
    return f"Per trade {gain(total.expectancy)}; {win}, {loss}"


def extremes(total: Tally) -> str:
    """As in `Fees 162.40; best +58.20, worst -34.90`."""
    return f"Fees {money(total.fees)}; best {gain(total.best)}, worst {gain(total.worst)}"


def fall(found: Drawdown | None) -> str:
    """As in `-4.81 %`."""
    return UNKNOWN if found is None else percent(-Decimal(repr(found.share)))


def ratios(found: Stats) -> str:
    """As in `Sharpe -1.10, Sortino too few`."""
    return f"Sharpe {ratio(found.sharpe)}, Sortino {ratio(found.sortino)}"


def ratio(of: Ratio) -> str:
    return of.word if of.value is None else number(of.value, 2)


def win_rate(total: Tally) -> str:
    return number(None if total.win_rate is None else total.win_rate * 100, 1)


# -- by symbol and by exit ----------------------------------------------------------------


def performance_reply(view: View, found: Stats, span: Span, page: int) -> Reply:
    if not found.total.trades:
        return Reply(f"{no_trades(span)} {mode(view.mode)}", choices=(_STATS,), as_of=view.as_of)
    names = symbol_names(found.symbols)
    pages = [("by symbol", part) for part in _paged(names, found.symbols.values())]
    by_exit = len(pages) + 1
    exits = [exit_name(reason) for reason in found.reasons]
    pages += [("by exit", part) for part in _paged(exits, found.reasons.values())]
    if page > len(pages):
        raise Refused(f"There is no page {page}: {plural(len(pages), 'page')} in all")
    what, rows = pages[page - 1]
    profit = gained(found.total.profit, view.quote)
    return Reply(
        f"{span.label} {what}: {profit} after fees",
        table=fitted(_PARTS, rows, spare=2),
        text=f"{won(found.total)}.",
        choices=_pages(span, page, by_exit),
        as_of=view.as_of,
    )


_STATS = Choice("Stats", "/stats")
_PARTS = (Column(right=False), Column("trades"), Column("won\u00a0%"), Column("P&L"))


def symbol_names(symbols: Mapping[Symbol, object]) -> list[str]:
    """`BTC`, or `BTC/USDT` where there is another BTC."""
    bases = [symbol.base for symbol in symbols]
    return [s.base if bases.count(s.base) == 1 else str(s) for s in symbols]


def refusals(refused: Mapping[str, int]) -> list[tuple[str, int]]:
    """Why signals were refused, and how often; what is frequent first.

    *refused* counts by reasons whose figures are blanked out with #, as a backtest does.
    """
    ranked = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    return [(reason.replace("#", "…"), count) for reason, count in ranked]


def exit_name(reason: ExitReason) -> str:
    return REASONS.get(reason, reason.value)


def _paged(names: Sequence[str], tallies: Iterable[Tally]) -> list[list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = [
        (clipped(name, 10), f"{tally.trades:,}", win_rate(tally), gain(tally.profit))
        for name, tally in zip(names, tallies, strict=True)
    ]
    return [rows[at : at + TABLE_ROWS] for at in range(0, len(rows), TABLE_ROWS)]


def _pages(span: Span, page: int, by_exit: int) -> tuple[Choice, ...]:
    more = (Choice("More", _performance(span, page + 1)),) if page + 1 < by_exit else ()
    other = (
        Choice("By exit", _performance(span, by_exit))
        if page < by_exit
        else Choice("By symbol", _performance(span))
    )
    return (*more, other, Choice("Stats", of_span("stats", span)))


def _performance(span: Span, page: int = 1) -> str:
    if page > 1:
        return f"/performance {span.value} {page}"
    return of_span("performance", span)


def of_span(name: str, span: Span) -> str:
    return f"/{name}" if span is Span.MONTH else f"/{name} {span.value}"


# -- the balance --------------------------------------------------------------------------


def balance_reply(view: View) -> Reply:
    used = None if view.equity is None else view.exposure
    free = None if view.equity is None else view.equity - view.exposure
    rows = [
        ("wallet", money(view.wallet)),
        ("open P&L", gain(view.open_profit)),
        *([("not traded", gain(view.apart_profit))] if view.apart_profit else []),
        ("margin used", money(used)),
        ("free", money(free)),
    ]
    return Reply(
        f"Equity {amount(view.equity, view.quote)} {mode(view.mode)}",
        table=a_table(_SUMS, rows),
        text="\n".join([*apart_notes(view), f"{_equity_was(view)}{_asked(view)}{_deposits(view)}"]),
        as_of=view.as_of,
    )


_SUMS = (Column(right=False), Column())


def _equity_was(view: View) -> str:
    if view.equity is not None:
        return ""
    was = f"Equity was {money(view.known_equity)} {ago(view.as_of - view.known_equity_at)}."
    note = stale_note(view)
    return f"{sentence(note)} {was}\n" if note else f"{was}\n"


def _asked(view: View) -> str:
    if view.venue_silent is not None:
        return f"By the desk's own books: venue silent {duration(view.venue_silent)}."
    if view.asked_at is None:
        return "By the desk's own books; the venue was not asked yet."
    return f"Asked {ago(view.as_of - view.asked_at)}."


def _deposits(view: View) -> str:
    """On paper there are none; a real account's are not followed yet, so nothing is claimed."""
    return "" if view.mode is Mode.LIVE else " No deposits today."


# -- day by day ---------------------------------------------------------------------------


def periods_reply(view: View, found: Sequence[Period], per: Unit, zone: tzinfo) -> Reply:
    """*found*: the running one first."""
    if not found:
        return Reply(f"Nothing to tell of yet {mode(view.mode)}", as_of=view.as_of)
    change = change_over(found)
    share = percent(share_of(change, found[-1].start))
    until = f" to {_full(day_of(view.market, zone))}" if view.replay_speed else ""
    title = f"{plural(len(found), per)}{until}: {gained(change, view.quote)} ({share})"
    table = fitted(_columns(per), [_row(period, per) for period in found], spare=2)
    usual = [f"Open P&L included; the first row is not over. Days begin at 00:00 {zone}."]
    doubts = _doubts(view, found, per)
    return first_fitting(
        Reply(
            title,
            table=table,
            text="\n".join(notes),
            choices=tuple(Choice(name.capitalize(), f"/{name}") for name in _others(per)),
            as_of=view.as_of,
        )
        for notes in ([*doubts, *usual], doubts, doubts[:1])
    )


def change_over(found: Sequence[Period]) -> Decimal | None:
    """Of equity, from the first of these periods to the last; None: unknown."""
    if not found or found[0].end is None or found[-1].start is None:
        return None
    return found[0].end - found[-1].start


def _columns(per: Unit) -> tuple[Column, ...]:
    name = Column("week of" if per == "week" else "", right=False)
    return (name, Column("P&L"), Column("%"), Column("trades"))


def _row(period: Period, per: Unit) -> tuple[str, ...]:
    first = period.first
    name = f"{MONTHS[first.month - 1]} {first.year}" if per == "month" else _short(first)
    share = points(period.share) if period.profit is not None else ""
    return name, gain(period.profit), share, f"{period.trades.trades:,}"


def _doubts(view: View, found: Sequence[Period], per: Unit) -> list[str]:
    """What is unknown, and why."""
    doubts = [_equity_was(view).strip()] if found[0].end is None else []
    gaps = sum(period.over and period.end is None for period in found)
    if gaps:
        doubts.append(f"Nothing was read in {plural(gaps, per)}; the row above tells the change.")
    return doubts


def _others(per: Unit) -> list[str]:
    names = {"day": "daily", "week": "weekly", "month": "monthly"}
    return [*(name for unit, name in names.items() if unit != per), "stats"]


def _short(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


def _full(day: date) -> str:
    return f"{_short(day)} {day.year}"
