"""Pictures of the market and of the equity: what they show, and the same told in words."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from handlers.chart import CandleChart, ChartMark, EquityChart, MarkKind, PriceLevel
from handlers.format import (
    UNKNOWN,
    ago,
    amount,
    by_step,
    duration,
    gain,
    gained,
    minute,
    moment,
    money,
    percent,
    plural,
    unit,
    whole_percent,
)
from handlers.reply import Choice, Reply
from handlers.reply import Level as ReplyLevel
from handlers.texts.figures import Span
from handlers.texts.market import price_seen
from handlers.texts.phrases import LOOK, base_and_side, mode, our_time, sentence, stale_note
from trading.accounts.views import HoldingView, Price, View
from trading.market.candles import Candles
from trading.risk.drawdown import day_begin, day_of
from trading.stats.curve import Curve, curve
from trading.stats.daybook import DayBook, EquityReading
from trading.stats.summary import share_of
from trading.types import ZERO, MarketRules, Side, Symbol, Trade

CANDLES = 96
"""Of one picture: a day of quarters; more are too thin on a phone."""
POINTS = 500
MARKS = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Timeframe(StrEnum):
    """How long each candle lasts."""

    MINUTE = "1m"
    FIVE = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    FOUR_HOURS = "4h"
    DAY = "1d"

    @property
    def length(self) -> timedelta:
        units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
        return int(self.value[:-1]) * units[self.value[-1]]


def begun(book: DayBook, view: View) -> DayBook:
    """Until a bar has closed nothing is written: then it begins with what the day began with."""
    if book.opening is not None or view.equity is None:
        return book
    return book.after((), [EquityReading(day_begin(view.market, book.zone), view.day_start)])


def change_of(view: View, book: DayBook, span: Span) -> Decimal | None:
    """Of equity in the period, open profit and loss included; None: unknown."""
    today = day_of(view.market, book.zone)
    start = view.day_start if span is Span.DAY else book.start_of(span.first(today), today)
    return None if view.equity is None or start is None else view.equity - start


# -- candles ------------------------------------------------------------------------------


def possible(base: timedelta) -> list[Timeframe]:
    """What can be made of candles of *base*: no finer ones, and only of whole ones."""
    return [t for t in Timeframe if t.length >= base and not t.length % base]


def candle_chart(
    candles: Candles, symbol: Symbol, timeframe: Timeframe, rules: MarketRules, zone: str
) -> CandleChart | None:
    """The last `CANDLES` of *timeframe*, which begin at whole multiples of it in UTC.

    The last one may still be running.  Missing bars are left out.  None where there are no bars.
    """
    row = candles.row(symbol)
    if row is None:
        return None
    whole = sum(p[row] for p in (candles.open, candles.high, candles.low, candles.close))
    known = abs(whole) < math.inf  # what is missing is not below anything
    times = candles.times[known]
    if not len(times):
        return None
    opens, closes = candles.open[row][known], candles.close[row][known]
    highs, lows = candles.high[row][known], candles.low[row][known]
    volumes = candles.volume[row][known]
    length = timeframe.length // _MILLISECOND
    numbers = (times - 1) // length
    begins = [0, *((numbers[1:] != numbers[:-1]).nonzero()[0] + 1).tolist()][-CANDLES:]
    parts = [slice(a, b) for a, b in zip(begins, [*begins[1:], len(times)], strict=True)]
    ends = [(int(numbers[part.start]) + 1) * length for part in parts]
    ends[-1] = int(times[-1])
    exponent = rules.tick.normalize().as_tuple().exponent
    return CandleChart(
        title=f"{symbol} {timeframe.value}",
        times=tuple(_EPOCH + end * _MILLISECOND for end in ends),
        opens=tuple(float(opens[part][0]) for part in parts),
        highs=tuple(float(highs[part].max()) for part in parts),
        lows=tuple(float(lows[part].min()) for part in parts),
        closes=tuple(float(closes[part][-1]) for part in parts),
        volumes=tuple(float(volumes[part].sum()) for part in parts),
        decimals=max(0, -exponent) if isinstance(exponent, int) else 0,
        zone=zone,
    )


def chart_reply(
    view: View,
    price: Price,
    drawn: CandleChart | None,
    timeframe: Timeframe,
    there: Sequence[Timeframe],
    past: Sequence[Trade],
) -> Reply:
    """*past*: trades in this symbol that ended within the picture."""
    base = price.symbol.base
    held = next((h for h in view.holdings if h.position.symbol == price.symbol), None)
    again = Choice("Refresh", f"/chart {base} {timeframe.value}")
    if drawn is None:
        why = f"{base} is not traded" if price.untraded else f"No candles of {base} yet"
        return Reply(
            f"{LOOK} {why} {mode(view.mode)}",
            text=sentence(price.untraded),
            choices=(Choice("Price", f"/price {base}"), again),
            as_of=view.as_of,
        )
    lines = [_range(view, price, drawn, timeframe), *([_held(view, held)] if held else [])]
    if past:
        lines.append(_ended(view, past))
    marks = _marks(past, held, drawn.times[0] - timeframe.length)
    position = (Choice("Position", f"/position {base}"),) if held else ()
    return Reply(
        _chart_title(view, price, drawn, timeframe),
        text="\n".join(lines),
        choices=(*position, *_others(base, timeframe, there), again),
        level=ReplyLevel.URGENT if price.stale else ReplyLevel.INFO,
        as_of=price_seen(view, price),
        chart=replace(
            drawn,
            marks=tuple(marks[-MARKS:]),
            levels=tuple(_levels(held)) if held else (),
        ),
    )


def _chart_title(view: View, price: Price, drawn: CandleChart, timeframe: Timeframe) -> str:
    base = price.symbol.base
    if price.stale or price.quote is None:
        return f"{LOOK} {base} price {UNKNOWN} {mode(view.mode)}"
    now = unit(by_step(price.quote.price, price.rules.tick), price.symbol.quote)
    share = price.quote.price / Decimal(repr(drawn.opens[0])) - 1
    whole = drawn.times[-1] - drawn.times[0] + timeframe.length
    return f"{base} {now} {mode(view.mode)}, {percent(share)} in {duration(whole)}"


def _range(view: View, price: Price, drawn: CandleChart, timeframe: Timeframe) -> str:
    high, low = (
        by_step(Decimal(repr(value)), price.rules.tick)
        for value in (max(drawn.highs), min(drawn.lows))
    )
    last = drawn.times[-1]
    until = moment(last) if view.replay_speed or last.date() != view.as_of.date() else ""
    until = until or f"{minute(last)}\u00a0UTC"
    told = f"High {high}, low {low}. Candles of {timeframe.value} to {until}."
    if not price.stale and price.quote is not None:
        return told
    if price.quote is None:
        return f"{told} No entry is made without a price."
    age = None if price.age is None else our_time(view, price.age)
    return f"{told} Last price {by_step(price.quote.price, price.rules.tick)}, {ago(age)}."


def _held(view: View, holding: HoldingView) -> str:
    tick = holding.rules.tick
    entry = by_step(holding.position.average_price, tick)
    profit = (
        f"P&L {UNKNOWN}"
        if holding.profit is None
        else f"{gained(holding.profit, view.quote)} ({percent(holding.share)})"
    )
    stop = "no stop" if holding.plan.stop is None else f"stop {by_step(holding.plan.stop, tick)}"
    target = holding.plan.target
    aim = "" if target is None else f", target {by_step(target, tick)}"
    return f"{base_and_side(holding)} from {entry}: {profit}, {stop}{aim}."


def _ended(view: View, past: Sequence[Trade]) -> str:
    total = gained(sum((t.profit for t in past), ZERO), view.quote)
    won = sum(t.profit > ZERO for t in past)
    return f"{plural(len(past), 'trade')} ended in it, {won:,} won: {total} after fees."


def _marks(past: Iterable[Trade], held: HoldingView | None, since: datetime) -> list[ChartMark]:
    """Oldest first, those of entries before *since* left out."""
    found = [
        mark
        for t in past
        for mark in (
            ChartMark(t.opened_at, float(t.entry_price), _entry(t.side)),
            ChartMark(t.closed_at, float(t.exit_price), _exit(t)),
        )
    ]
    if held is not None:
        position = held.position
        price = float(position.average_price)
        found.append(ChartMark(position.opened_at, price, _entry(position.side)))
    return sorted((mark for mark in found if mark.at > since), key=lambda mark: mark.at)


def _entry(side: Side) -> MarkKind:
    return MarkKind.LONG if side is Side.BUY else MarkKind.SHORT


def _exit(trade: Trade) -> MarkKind:
    return MarkKind.WIN if trade.profit > ZERO else MarkKind.LOSS


def _levels(holding: HoldingView) -> list[PriceLevel]:
    plan = holding.plan
    prices = [("entry", holding.position.average_price)]
    if plan.stop is not None:
        prices.append(("stop" if plan.trail is None else "trail", plan.stop))
    prices += [(whole_percent(p.share), p.price) for p in plan.partials if not p.done][:2]
    if plan.target is not None:
        prices.append(("rest" if plan.partials else "target", plan.target))
    return [PriceLevel(name, float(price)) for name, price in prices]


def _others(base: str, now: Timeframe, there: Sequence[Timeframe]) -> tuple[Choice, ...]:
    """The next finer one and the next two coarser ones."""
    at = there.index(now)
    near = [*there[max(0, at - 1) : at], *there[at + 1 : at + 3]]
    return tuple(Choice(t.value, f"/chart {base} {t.value}") for t in near)


# -- equity -------------------------------------------------------------------------------


def curve_of(book: DayBook, view: View, span: Span) -> Curve | None:
    today = day_of(view.market, book.zone)
    now = None if view.equity is None else EquityReading(view.market, view.equity)
    return curve(book, first=span.first(today), last=today, most=POINTS, latest=now)


def equity_reply(
    view: View, book: DayBook, found: Curve | None, past: Sequence[Trade], span: Span
) -> Reply:
    """*past*: the trades that ended in the period."""
    choices = (*_other_spans(span), Choice("Stats", f"/stats {span.value}"))
    if found is None:
        when = {Span.DAY: "today", Span.ALL: "yet"}.get(span, f"in {span.label}")
        title = f"No equity was read {when} {mode(view.mode)}"
        return Reply(title, text=_equity_was(view), choices=choices, as_of=view.as_of)
    today = day_of(view.market, book.zone)
    start = book.start_of(span.first(today), today) or Decimal(repr(found.equity[0]))
    start = view.day_start if span is Span.DAY else start
    change = None if view.equity is None else view.equity - start
    share = f" ({percent(share_of(change, start))})" if change is not None else ""
    total = book.traded(span.first(today), today).whole
    lines = [
        _equity_was(view),
        _extent(found),
        _fallen(view, found),
        f"{plural(total.trades, 'trade')}, {total.wins:,} won, {gain(total.profit)} after fees."
        if total.trades
        else "No trades.",
        f"Marked: the {MARKS} largest." if len(past) > MARKS else "",
    ]
    return Reply(
        f"{span.label}: {gained(change, view.quote)}{share}, equity {money(view.equity)} "
        f"{mode(view.mode)}",
        text="\n".join(filter(None, lines)),
        choices=(*choices, Choice("Refresh", f"/equity {span.value}")),
        as_of=view.as_of,
        chart=equity_chart(f"Equity, {span.label.lower()}", view.quote, found, past),
    )


def _fallen(view: View, found: Curve) -> str:
    """From the highest in the picture; and the drawdown, which counts from the lasting peak."""
    guards = percent(None if view.drawdown is None else -view.drawdown)
    worst, now = _share(min(found.drawdown)), _share(found.drawdown[-1])
    return f"Below its highest: worst {worst}, now {now}. Drawdown {guards}."


def equity_chart(title: str, quote: str, found: Curve, past: Iterable[Trade]) -> EquityChart:
    """*past*: what ended in it; the trades that changed most are marked."""
    largest = sorted(past, key=lambda t: -abs(t.profit))[:MARKS]
    return EquityChart(
        title=title,
        quote=quote,
        times=found.times,
        equity=found.equity,
        drawdown=found.drawdown,
        zone=found.zone,
        marks=tuple(
            ChartMark(
                t.closed_at, found.equity[max(0, bisect_right(found.times, t.closed_at) - 1)], k
            )
            for t in sorted(largest, key=lambda t: t.closed_at)
            for k in [_exit(t)]
            if found.times[0] <= t.closed_at <= found.times[-1]
        ),
    )


def _extent(found: Curve) -> str:
    high, low, start = (
        money(Decimal(repr(value)))
        for value in (max(found.equity), min(found.equity), found.equity[0])
    )
    return f"Highest {high}, lowest {low}, start {start}."


def _share(fall: float) -> str:
    return percent(Decimal(repr(fall)))


def _equity_was(view: View) -> str:
    if view.equity is not None:
        return ""
    was = f"Equity was {amount(view.known_equity, view.quote)}"
    note = stale_note(view)
    return f"{was} {ago(view.as_of - view.known_equity_at)}{f': {note}' if note else ''}."


def _other_spans(span: Span) -> tuple[Choice, ...]:
    return tuple(
        Choice(each.value.capitalize(), f"/equity {each.value}")
        for each in Span
        if each is not span
    )
