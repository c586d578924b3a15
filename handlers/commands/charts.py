"""Pictures of the market and of the equity: what they show, and the same told in words."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from handlers import traders
from handlers.command import TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import (
    duration,
)
from handlers.meaning import BadUsage
from handlers.reply import Column, Reply, offer
from handlers.texts.charts import (
    CANDLES,
    Timeframe,
    begun,
    candle_chart,
    change_of,
    chart_reply,
    curve_of,
    equity_reply,
    possible,
)
from handlers.texts.figures import Span
from handlers.texts.phrases import modes
from trading.accounts.views import View
from trading.errors import Refused
from trading.ports import Store
from trading.stats.daybook import DayBook
from trading.types import Symbol, Trade

_PAGE, _PAGES = 200, 5
"""Closed trades are read so many at a time, and so often at most."""


@command(family="Look", rank=23, example="SYMBOL 15m")
async def chart(
    ctx: Context, symbol: Symbol, timeframe: Timeframe | None = None, *, trader: TraderName
) -> Reply:
    """Candles of a symbol with our entries and exits, and where stop and target lie.

    symbol: as in BTC
    timeframe: 1m, 5m, 15m, 1h, 4h or 1d; the trader's own if left out
    """
    desk_trader = ctx.services.desk.traders[trader]
    views = ctx.services.desk.views(trader)
    view, price = views.view(), views.price(symbol)  # of one moment
    there = possible(view.timeframe)
    asked = meant(timeframe, view.timeframe, symbol)
    ratio = asked.length // view.timeframe
    candles = desk_trader.feed.candles(view.market, (CANDLES + 1) * ratio)
    zone = str(desk_trader.settings.zone)
    rules = desk_trader.steps(symbol)
    drawn = await asyncio.to_thread(candle_chart, candles, symbol, asked, rules, zone)
    past: list[Trade] = []
    if drawn is not None:
        since = drawn.times[0] - asked.length
        past = [t for t in await _closed(ctx.services.store, trader, since) if t.symbol == symbol]
    reply = chart_reply(view, price, drawn, asked, there, past)
    return traders.addressed(ctx, trader, reply)


@command(family="Look", rank=71, example="week")
async def equity(ctx: Context, period: Span = Span.MONTH, *, trader: Traders) -> Reply:
    """How equity went, open profit and loss included, with its drawdown and the trades.

    period: day, week, month or all
    """
    one = traders.only(trader)
    if one is None:
        return await _whole_equity(ctx, traders.seen(ctx.services, trader), period)
    view = traders.view_of(ctx, one)
    book = await _day_book(ctx, view)
    found = await asyncio.to_thread(curve_of, book, view, period)
    past = await _closed(ctx.services.store, one, found.times[0]) if found else []
    return traders.addressed(ctx, one, equity_reply(view, book, found, past, period))


async def _day_book(ctx: Context, view: View) -> DayBook:
    zone = ctx.services.desk.traders[view.name].settings.zone
    return begun(await ctx.services.store.day_book(view.name, zone), view)


async def _whole_equity(ctx: Context, seen: traders.SeenTraders, span: Span) -> Reply:
    """In figures: one picture holds one curve, and each trader has its own."""
    changes = {v.name: change_of(v, await _day_book(ctx, v), span) for v in seen.views}
    mixed = whole.is_mixed(seen)

    def row(view: View) -> tuple[str, ...]:
        return (
            whole.in_cell(changes[view.name], view, mixed=mixed),
            whole.in_cell(view.equity, view, mixed=mixed, signed=False),
        )

    change = whole.sums([(v.quote, changes[v.name]) for v in seen.views], seen)
    equity = whole.sums([(v.quote, v.equity) for v in seen.views], seen, signed=False)
    return whole.one_each(
        seen,
        f"{span.label}: {change} {modes(seen.views)}".rstrip(),
        (Column("change"), Column("equity")),
        row,
        line=f"/equity {span.value}",
        notes=[
            f"Equity {equity}.",
            *whole.last_known(seen),
            "Each trader has a picture of its own.",
        ],
        spare=2,
    )


async def _closed(store: Store, trader: str, since: datetime) -> list[Trade]:
    """Trades that ended after *since*, newest first; the oldest of very many are left out."""
    found: list[Trade] = []
    for page in range(_PAGES):
        part = await store.trades(trader, limit=_PAGE, offset=page * _PAGE)
        found += [trade for trade in part if trade.closed_at > since]
        if len(part) < _PAGE or part[-1].closed_at <= since:
            break
    return found


def meant(asked: Timeframe | None, base: timedelta, symbol: Symbol) -> Timeframe:
    """Raises `BadUsage` for what cannot be made, and says what can."""
    there = possible(base)
    if not there:
        raise Refused(f"No chart can be made of candles of {duration(base)}")
    if asked is None:
        return there[0]
    if asked not in there:
        raise BadUsage(
            f"{asked.value} candles cannot be made of those of {duration(base)}",
            (c for t in there for c in offer(t.value, f"/chart {symbol.base} {t.value}")),
            usage=False,
        )
    return asked
