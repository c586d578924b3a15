"""How the days, weeks and months of a trader read in a chat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from handlers.chart import EquityChart
from handlers.format import MONTHS, duration, gain, gained, minute, money, percent, plural
from handlers.reply import Choice, Reply
from handlers.texts.charts import equity_chart
from handlers.texts.describe import describe
from handlers.texts.phrases import mode, sentence
from trading import events
from trading.types import ZERO, Trade


@describe.register
def _(event: events.PeriodEnded) -> Reply:
    share = percent(event.profit / event.start if event.start > 0 else None)
    result = f"{mode(event.mode)}: {gained(event.profit, event.quote)} ({share})"
    won = sum(t.profit > ZERO for t in event.trades)
    count = f"{plural(len(event.trades), 'trade')}, {won} won" if event.trades else "no trades"
    stats = Choice("Stats", "/stats week" if event.kind == "week" else "/stats")
    if event.kind == "week":
        return Reply(
            f"Week {_days(event.first, event.last)} {result}, {count}",
            text=" ".join([f"Equity {money(event.equity)}.", *_extremes(event.trades)]),
            choices=(stats,),
            chart=_picture(event, f"Equity, {_days(event.first, event.last)}"),
        )
    return Reply(
        f"Day {_day(event.first)} {result}, equity {money(event.equity)}",
        text=" ".join([sentence(count), *_extremes(event.trades)]),
        choices=(stats,),
        chart=_picture(event, f"Equity, {_day(event.first)}"),
    )


def _picture(event: events.PeriodEnded, title: str) -> EquityChart | None:
    if event.curve is None:
        return None
    return equity_chart(title, event.quote, event.curve, event.trades)


def _extremes(trades: Sequence[Trade]) -> list[str]:
    if not trades:
        return []
    fees = f"fees {money(sum((t.fees for t in trades), ZERO))}."
    ranked = sorted(trades, key=lambda t: t.profit)
    best, worst = ranked[-1], ranked[0]
    if len(trades) == 1:
        return [f"{_result(best)}, {fees}"]
    return [f"Best {_result(best)}, worst {_result(worst)}, {fees}"]


def _result(trade: Trade) -> str:
    return f"{trade.symbol.base} {gain(trade.profit)}"


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


def _days(first: date, last: date) -> str:
    """As in `6-12 Oct`, or `29 Sep-5 Oct`."""
    begin = str(first.day) if first.month == last.month else _day(first)
    return f"{begin}-{_day(last)}"


@describe.register
def _(event: events.StillAlive) -> Reply:
    scans, errors = plural(event.scans, "scan"), plural(event.errors, "error")
    until = f"{minute(event.next_at)}\u00a0UTC"
    since = duration(event.since)
    return Reply(f"Alive {since}: {scans}, {errors}. Next {until}; silence means down.")
