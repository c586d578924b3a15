"""How near each limit is, and what the stops would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from handlers import traders
from handlers.command import TraderName, Traders, command
from handlers.commands import whole
from handlers.context import Context
from handlers.format import UNKNOWN, amount, duration, gained, listed, percent, plural, points
from handlers.reply import Choice, Column, Level, Reply
from handlers.texts.phrases import (
    DOUBT,
    LOOK,
    apart_notes,
    counted,
    mode,
    person,
    sentence,
    stale_note,
    total,
    whom,
)
from handlers.texts.screen import a_table
from trading.accounts.views import DeskUse, HoldingView, View
from trading.common.words import span
from trading.risk.headroom import in_theme
from trading.risk.limits import Limits
from trading.types import ZERO

NEAR = Decimal("0.8")
"""Share of a limit from which on it is called near."""

_THEMES = 3
"""Of a trader that /limits has room for."""

_COLUMNS = (Column(right=False), Column("now", gap=1), Column("limit"))
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


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One limit: what is used of it, as it is shown, and as a share."""

    name: str
    now: str
    limit: str
    used: Decimal | None
    """Of the limit; None: unknown."""

    @property
    def row(self) -> tuple[str, str, str]:
        return self.name, self.now, self.limit

    def reaches(self, share: Decimal) -> bool:
        return self.used is not None and self.used >= share

    @property
    def word(self) -> str:
        return self.name.removesuffix("\u00a0%")


# -- /risk --------------------------------------------------------------------------------


def risk_reply(view: View) -> Reply:
    gauges, above = _gauges(view), _above(view)
    notes = (*_not_cut(above), *apart_notes(view), *_entries(view), *_whole_desk(view.desk))
    return Reply(
        _title(view, gauges, above),
        table=a_table(_COLUMNS, [g.row for g in (*gauges, *above)]),
        text="\n".join([_if_stopped(view), *notes]),
        choices=(Choice("Positions", "/positions"), Choice("Limits", "/limits")),
        level=Level.URGENT if any(g.reaches(NEAR) for g in gauges) else Level.INFO,
        as_of=view.as_of,
    )


def _gauges(view: View) -> list[_Gauge]:
    day, week, drawdown = _losses(view)
    gauges = [day, drawdown, _exposure(view), _streak(view)]
    if week.reaches(NEAR) or week.used is None:
        gauges.insert(1, week)
    return gauges


def _whole_risk(seen: traders.Seen) -> Reply:
    found = {v.name: _verdict(v, _gauges(v), _above(v)) for v in seen.views}
    at_stops = [(v.quote, _loss_if_stopped(v)) for v in seen.views if counted(v)]
    loss = whole.sums(at_stops, seen) if at_stops or seen.broken else ""
    desk = _whole_desk(seen.views[0].desk) if seen.views else []
    return whole.risk_reply(
        seen,
        {name: f"{word[2:].lower()}, {why}" for name, (word, why) in found.items() if why},
        [f"If every stop fills: {loss}." if loss else "Nothing is open: no stop can fill.", *desk],
    )


def _title(view: View, gauges: Sequence[_Gauge], above: Sequence[_Gauge]) -> str:
    word, why = _verdict(view, gauges, above)
    return f"{word} {mode(view.mode)}{f': {why}' if why else ''}"


def _verdict(view: View, gauges: Sequence[_Gauge], above: Sequence[_Gauge]) -> tuple[str, str]:
    """As in `⚠ Near its limit` and `day`; the second is empty if nothing is near."""
    past = [g.word for g in gauges if g.reaches(Decimal(1))]
    near = [g.word for g in gauges if g.reaches(NEAR)]
    if past:
        return f"{LOOK} At its limit", listed(past)
    if any(g.used is None for g in gauges):
        return f"{DOUBT} Risk {UNKNOWN}", stale_note(view) or "no equity"
    if near:
        return f"{LOOK} Near its limit", listed(near)
    if above:
        return f"{LOOK} Above a limit of entries", _named(above)
    return "Inside all limits", ""


def _above(view: View) -> list[_Gauge]:
    """Limits of an entry that an open position is above by now: as it filled, or equity fell."""
    return [gauge for gauge in _of_entries(view) if gauge.reaches(Decimal(1))]


def _of_entries(view: View) -> tuple[_Gauge, _Gauge]:
    held, of = counted(view), view.limits
    return (
        _largest("risk/trade", view, [_at_risk(h) for h in held], of.risk_per_trade),
        _largest("position", view, [_notional(h) for h in held], of.max_position),
    )


def _not_cut(above: Sequence[_Gauge]) -> list[str]:
    if not above:
        return []
    return [f"Above its limit: {_named(above)}. It holds for entries; what is open is not cut."]


def _named(gauges: Sequence[_Gauge]) -> str:
    return listed([gauge.word for gauge in gauges])


def _losses(view: View) -> tuple[_Gauge, _Gauge, _Gauge]:
    drawdown = None if view.drawdown is None else -view.drawdown
    return (
        _loss("day", view.today_share, view.limits.max_daily_loss),
        _loss("week", view.week_share, view.limits.max_weekly_loss),
        _loss("drawdown", drawdown, view.limits.max_drawdown),
    )


def _loss(name: str, change: Decimal | None, limit: Decimal) -> _Gauge:
    used = None if change is None else max(ZERO, -change / limit)
    now = points(change) if name != "drawdown" or change else points(change, signed=False)
    return _Gauge(f"{name}\u00a0%", now, points(-limit), used)


def _exposure(view: View) -> _Gauge:
    share, limit = _part(view.exposure, view.equity), view.limits.max_exposure
    # Full is as it should be; only beyond it is worth a look.
    used = None if share is None else Decimal(share > limit)
    return _Gauge("exposure\u00a0%", points(share, signed=False), points(limit, signed=False), used)


def _streak(view: View) -> _Gauge:
    losses, limit = view.losses_in_row, view.limits.loss_streak
    return _Gauge("loss streak", str(losses), str(limit), Decimal(losses >= limit))


def _part(value: Decimal | None, whole: Decimal | None) -> Decimal | None:
    return value / whole if value is not None and whole is not None and whole > 0 else None


def _if_stopped(view: View) -> str:
    if not counted(view):
        return "Nothing is open: no stop can fill."
    bare = [h.position.symbol.base for h in counted(view) if h.plan.stop is None]
    if bare:
        has = "has" if len(bare) == 1 else "have"
        return f"If every stop fills: {UNKNOWN}; {listed(bare[:4])} {has} no stop"
    loss = _loss_if_stopped(view)
    return f"If every stop fills: {gained(loss, view.quote)} ({percent(_part(loss, view.equity))})"


def _loss_if_stopped(view: View) -> Decimal | None:
    """None: unknown, as where a position has no stop."""
    return total([_to_stop(h) for h in counted(view)])


def _to_stop(holding: HoldingView) -> Decimal | None:
    """What equity changes by, from now, if the stop fills exactly."""
    if holding.at_stop is None or holding.profit is None:
        return None
    return holding.at_stop - holding.profit


def _entries(view: View) -> list[str]:
    if view.halt:
        return [f"No entries: {view.halt.id} by {person(view.halt.by)}."]
    return [sentence(f"No entries for now: {view.rest}")] if view.rest else []


def _whole_desk(desk: DeskUse | None) -> list[str]:
    """As in `Whole desk: exposure 15.57 of 60.00 %, 3 of 6 open, day +0.02 of -5.00 %`."""
    if desk is None:
        return []
    parts = []
    if desk.max_exposure is not None:
        used = points(desk.exposure, signed=False)
        parts.append(f"exposure {used} of {percent(desk.max_exposure, signed=False)}")
    if desk.max_positions is not None:
        parts.append(f"{desk.positions} of {desk.max_positions} open")
    if desk.max_daily_loss is not None:
        change = None if desk.day_loss is None else -desk.day_loss
        parts.append(f"day {points(change)} of {percent(-desk.max_daily_loss)}")
    return [f"Whole desk: {', '.join(parts)}"]


# -- /limits ------------------------------------------------------------------------------


def limits_reply(view: View) -> Reply:
    of = view.limits
    gauges = [
        *_of_entries(view),
        _exposure(view),
        _Gauge("positions", str(len(view.holdings)), str(of.max_positions), None),
        *(_themes(view) or _losses(view)),  # one screen: /risk has these, too
    ]
    above, place = _above(view), whom(view.name, view.mode)
    pace = _pace(of)
    if not pace and not above:  # as above
        gauges.append(_streak(view))
    least, oldest = amount(of.min_notional, view.quote), duration(of.max_price_age)
    streak = f"{duration(of.loss_streak_rest)} after {plural(of.loss_streak, 'loss', 'losses')}"
    return Reply(
        f"{LOOK} Above {_named(above)}: limits of {place}" if above else f"Limits of {place}",
        table=a_table(_LIMIT_COLUMNS, [g.row for g in gauges]),
        text=f"Least entry {least}, on a price of {oldest} at most.\n"
        f"Rests {streak}, a symbol {_symbol_rest(of)}.{pace}",
        choices=(Choice("Risk", "/risk"),),
        as_of=view.as_of,
    )


def _themes(view: View) -> list[_Gauge]:
    """Those that are fullest."""
    gauges = []
    for theme in view.limits.themes:
        share = _part(in_theme(theme, view.exposures), view.equity)
        used = None if share is None else share / theme.max_exposure
        now, limit = points(share, signed=False), points(theme.max_exposure, signed=False)
        gauges.append(_Gauge(f"{theme.name}\u00a0%", now, limit, used))
    return sorted(gauges, key=lambda gauge: -(gauge.used or ZERO))[:_THEMES]


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


def _largest(name: str, view: View, values: Sequence[Decimal | None], limit: Decimal) -> _Gauge:
    """The largest of the open positions against the limit of each."""
    known = [v for v in values if v is not None]
    worst = max(known, default=ZERO) if len(known) == len(values) else None
    share = _part(worst, view.equity)
    # Full is as it should be; only what reads as more than the limit is worth a look.
    used = None if share is None else Decimal(round(share, 4) > round(limit, 4))
    return _Gauge(f"{name}\u00a0%", points(share, signed=False), points(limit, signed=False), used)


def _at_risk(holding: HoldingView) -> Decimal | None:
    return None if holding.at_stop is None else max(ZERO, -holding.at_stop)


def _notional(holding: HoldingView) -> Decimal | None:
    if holding.quote is None or holding.stale:
        return None
    return holding.position.notional(holding.quote.price)
