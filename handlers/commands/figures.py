"""What came of it: figures of a period, by symbol and by exit, day by day, and the balance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from handlers import traders
from handlers.command import Page, Rows, TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import (
    plural,
)
from handlers.reply import Choice, Column, Reply
from handlers.texts.figures import (
    Span,
    as_measured,
    balance_reply,
    change_over,
    no_trades,
    of_span,
    performance_reply,
    periods_reply,
    stats_of,
    stats_reply,
    win_rate,
)
from trading.accounts.views import View
from trading.risk.drawdown import day_of
from trading.stats.summary import Period, Stats, Unit, periods


@command(family="Look", rank=60, example="month")
async def stats(ctx: Context, period: Span = Span.MONTH, *, trader: Traders) -> Reply:
    """What closed trades came to: how many won, ratios, drawdown, fees, best and worst.

    A day is today, a week 7 days and a month 30, today included. Sharpe and Sortino are per year, \
from whole days, at least 10 of them.
    period: day, week, month or all
    """
    one = traders.only(trader)
    if one is None:
        there = traders.seen(ctx.services, trader)
        each = {v.name: await _stats(ctx, TraderName(v.name), v, period) for v in there.views}
        return whole_stats(there, each, period)
    view = traders.view_of(ctx, one)
    found = await _stats(ctx, one, view, period)
    return traders.addressed(ctx, one, stats_reply(view, found, period))


@command(family="Look", rank=61, example="month 2")
async def performance(
    ctx: Context, period: Span = Span.MONTH, page: Page = 1, *, trader: TraderName
) -> Reply:
    """Closed trades by symbol, then by what ended them, most profitable first.

    period: day, week, month or all
    page: which eight of them; the last page is by exit
    """
    view = traders.view_of(ctx, trader)
    found = await _stats(ctx, trader, view, period)
    return traders.addressed(ctx, trader, performance_reply(view, found, period, page))


@command(family="Look", rank=70)
async def balance(ctx: Context, *, trader: Traders) -> Reply:
    """Equity, and what it is made of: wallet, open profit and loss, margin."""
    one = traders.only(trader)
    if one is None:
        return whole.balance_reply(traders.seen(ctx.services, trader))
    return traders.addressed(ctx, one, balance_reply(traders.view_of(ctx, one)))


@command(family="Tell", rank=60, example="8")
async def daily(ctx: Context, n: Rows = 7, *, trader: Traders) -> Reply:
    """How equity changed in each of the last days, open profit and loss included.

    n: how many days, at most 8
    """
    return await _periods(ctx, trader, "day", n)


@command(family="Tell", rank=61, example="8")
async def weekly(ctx: Context, n: Rows = 4, *, trader: Traders) -> Reply:
    """How equity changed in each of the last weeks, Monday to Sunday.

    n: how many weeks, at most 8
    """
    return await _periods(ctx, trader, "week", n)


@command(family="Tell", rank=62, example="8")
async def monthly(ctx: Context, n: Rows = 6, *, trader: Traders) -> Reply:
    """How equity changed in each of the last calendar months.

    n: how many months, at most 8
    """
    return await _periods(ctx, trader, "month", n)


async def _stats(ctx: Context, trader: TraderName, view: View, span: Span) -> Stats:
    zone = ctx.services.desk.traders[trader].settings.zone
    book = await ctx.services.store.day_book(trader, zone)
    return await asyncio.to_thread(stats_of, book, span, day_of(view.market, zone))


async def _periods(ctx: Context, trader: Traders, per: Unit, n: int) -> Reply:
    one = traders.only(trader)
    if one is None:
        there = traders.seen(ctx.services, trader)
        each = {v.name: await _periods_of(ctx, v, per, n) for v in there.views}
        return whole_periods(there, each, per, n)
    view = traders.view_of(ctx, one)
    found = await _periods_of(ctx, view, per, n)
    zone = ctx.services.desk.traders[one].settings.zone
    return traders.addressed(ctx, one, periods_reply(view, found, per, zone))


async def _periods_of(ctx: Context, view: View, per: Unit, n: int) -> Sequence[Period]:
    zone = ctx.services.desk.traders[view.name].settings.zone
    book = await ctx.services.store.day_book(view.name, zone)
    return as_measured(periods(book, per, n, now=view.market, equity=view.equity), per, view)


# -- of the whole desk --------------------------------------------------------------------


def whole_stats(there: traders.SeenTraders, found: Mapping[str, Stats], span: Span) -> Reply:
    values = [(v.quote, found[v.name].total.profit) for v in there.views]
    mixed = whole.is_mixed(there)

    def row(view: View) -> tuple[str, ...]:
        total = found[view.name].total
        profit = whole.in_cell(total.profit, view, mixed=mixed)
        return f"{total.trades:,}", win_rate(total) if total.trades else "", profit

    return whole.one_each(
        there,
        f"{span.label}: {whole.sums(values, there)} after fees",
        (Column("trades"), Column("won\u00a0%"), Column("P&L")),
        row,
        line=of_span("stats", span),
        notes=_without_trades(there, found, span),
        choices=(Choice("Trades", "/trades"),),
        spare=2,
    )


def _without_trades(
    there: traders.SeenTraders, found: Mapping[str, Stats], span: Span
) -> Sequence[str]:
    traded = any(found[view.name].total.trades for view in there.views)
    return () if traded else (f"{no_trades(span)}.",)


def whole_periods(
    there: traders.SeenTraders, found: Mapping[str, Sequence[Period]], per: Unit, n: int
) -> Reply:
    """*found*, by trader: the running one first."""
    changes = {name: change_over(each) for name, each in found.items()}
    told = [(v.quote, changes[v.name]) for v in there.views if found[v.name]]
    change = whole.sums(told, there) if told or there.broken else "nothing to tell of yet"
    mixed = whole.is_mixed(there)

    def row(view: View) -> tuple[str, ...]:
        each = found[view.name]
        if not each:
            return "none yet", "none yet"
        cells = (each[0].profit, changes[view.name])
        return tuple(whole.in_cell(cell, view, mixed=mixed) for cell in cells)

    running = {"day": "today", "week": "this week", "month": "this month"}[per]
    names = {"day": "daily", "week": "weekly", "month": "monthly"}
    return whole.one_each(
        there,
        f"{plural(n, per)}: {change}",
        (Column(running), Column(plural(n, per))),
        row,
        line=f"/{names[per]}" if n == _USUAL[per] else f"/{names[per]} {n}",
        notes=["Open P&L included. One trader's own list has each " + per + "."],
        choices=(Choice("Stats", "/stats"),),
    )


_USUAL = {"day": 7, "week": 4, "month": 6}
"""Rows where nobody says how many."""
