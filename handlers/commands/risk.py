"""How near each limit is, and what the stops would cost."""

from __future__ import annotations

from handlers import traders
from handlers.command import TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import amount, duration, plural
from handlers.reply import Choice, Column, Reply
from handlers.texts.phrases import (
    LOOK,
    counted,
    whom,
)
from handlers.texts.risk import (
    Gauge,
    exposure_gauge,
    gauges_above,
    gauges_of,
    loss_gauges,
    loss_if_stopped,
    named,
    of_entries,
    risk_reply,
    streak_gauge,
    themes,
    verdict,
    whole_desk,
)
from handlers.texts.screen import a_table
from trading.accounts.views import View
from trading.common.words import span
from trading.risk.limits import Limits

_LIMIT_COLUMNS = (Column(right=False), Column("used", gap=1), Column("limit"))


@command(family="Look", rank=32)
async def risk(ctx: Context, *, trader: Traders) -> Reply:
    """How near each limit is, and what it costs if every stop fills."""
    one = traders.only(trader)
    if one is None:
        return _whole_risk(traders.seen(ctx.services, trader))
    return traders.addressed(ctx, one, risk_reply(traders.view_of(ctx, one)))


@command(family="Look", rank=33)
async def limits(ctx: Context, *, trader: TraderName) -> Reply:
    """Every limit of a trader, and how much of it is used."""
    return traders.addressed(ctx, trader, limits_reply(traders.view_of(ctx, trader)), title=False)


def _whole_risk(seen: traders.SeenTraders) -> Reply:
    found = {v.name: verdict(v, gauges_of(v), gauges_above(v)) for v in seen.views}
    at_stops = [(v.quote, loss_if_stopped(v)) for v in seen.views if counted(v)]
    loss = whole.sums(at_stops, seen) if at_stops or seen.broken else ""
    desk = whole_desk(seen.views[0].desk) if seen.views else []
    return whole.risk_reply(
        seen,
        {name: f"{word[2:].lower()}, {why}" for name, (word, why) in found.items() if why},
        [f"If every stop fills: {loss}." if loss else "Nothing is open: no stop can fill.", *desk],
    )


# -- /limits ------------------------------------------------------------------------------


def limits_reply(view: View) -> Reply:
    of = view.limits
    gauges = [
        *of_entries(view),
        exposure_gauge(view),
        Gauge("positions", str(len(view.holdings)), str(of.max_positions), None),
        *(themes(view) or loss_gauges(view)),  # one screen: /risk has these, too
    ]
    above, place = gauges_above(view), whom(view.name, view.mode)
    pace = _pace(of)
    if not pace and not above:  # as above
        gauges.append(streak_gauge(view))
    least, oldest = amount(of.min_notional, view.quote), duration(of.max_price_age)
    streak = f"{duration(of.loss_streak_rest)} after {plural(of.loss_streak, 'loss', 'losses')}"
    return Reply(
        f"{LOOK} Above {named(above)}: limits of {place}" if above else f"Limits of {place}",
        table=a_table(_LIMIT_COLUMNS, [g.row for g in gauges]),
        text=f"Least entry {least}, on a price of {oldest} at most.\n"
        f"Rests {streak}, a symbol {_symbol_rest(of)}.{pace}",
        choices=(Choice("Risk", "/risk"),),
        as_of=view.as_of,
    )


def _symbol_rest(limits: Limits) -> str:
    """As in `15 min (stop 2 h, loss 60 min)`."""
    kinds = (
        ("stop", limits.symbol_rest_after_stop),
        ("loss", limits.symbol_rest_after_loss),
        ("win", limits.symbol_rest_after_win),
    )
    longer = [f"{of} {duration(rest)}" for of, rest in kinds if rest and rest > limits.symbol_rest]
    usual = duration(limits.symbol_rest)
    return f"{usual} ({', '.join(longer)})" if longer else usual


def _pace(limits: Limits) -> str:
    """As in `Entries: 3 a cycle, 5/h, 90 s apart.`, after another sentence."""
    counted = (
        (limits.entries_per_cycle, " a cycle"),
        (limits.entries_per_hour, "/h"),
        (limits.entries_per_day, "/day"),
    )
    parts = [f"{most}{time}" for most, time in counted if most is not None]
    if limits.entry_spacing is not None:
        parts.append(f"{span(limits.entry_spacing)} apart")
    return f" Entries: {', '.join(parts)}." if parts else ""
