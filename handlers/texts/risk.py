"""How near each limit is, and what the stops would cost, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from handlers.format import UNKNOWN, gained, listed, percent, points
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
)
from handlers.texts.screen import a_table
from trading.accounts.views import DeskUsage, HoldingView, View
from trading.risk.headroom import in_theme
from trading.types import ZERO

NEAR = Decimal("0.8")
"""Share of a limit from which on it is called near."""

_THEMES = 3
"""Of a trader that /limits has room for."""

_COLUMNS = (Column(right=False), Column("now", gap=1), Column("limit"))


@dataclass(frozen=True, slots=True)
class Gauge:
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
    gauges, above = gauges_of(view), gauges_above(view)
    notes = (*_not_cut(above), *apart_notes(view), *_entries(view), *whole_desk(view.desk))
    return Reply(
        _title(view, gauges, above),
        table=a_table(_COLUMNS, [g.row for g in (*gauges, *above)]),
        text="\n".join([_if_stopped(view), *notes]),
        choices=(Choice("Positions", "/positions"), Choice("Limits", "/limits")),
        level=Level.URGENT if any(g.reaches(NEAR) for g in gauges) else Level.INFO,
        as_of=view.as_of,
    )


def gauges_of(view: View) -> list[Gauge]:
    day, week, drawdown = loss_gauges(view)
    gauges = [day, drawdown, exposure_gauge(view), streak_gauge(view)]
    if week.reaches(NEAR) or week.used is None:
        gauges.insert(1, week)
    return gauges


def _title(view: View, gauges: Sequence[Gauge], above: Sequence[Gauge]) -> str:
    word, why = verdict(view, gauges, above)
    return f"{word} {mode(view.mode)}{f': {why}' if why else ''}"


def verdict(view: View, gauges: Sequence[Gauge], above: Sequence[Gauge]) -> tuple[str, str]:
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
        return f"{LOOK} Above a limit of entries", named(above)
    return "Inside all limits", ""


def gauges_above(view: View) -> list[Gauge]:
    """Limits of an entry that an open position is above by now: as it filled, or equity fell."""
    return [gauge for gauge in of_entries(view) if gauge.reaches(Decimal(1))]


def of_entries(view: View) -> tuple[Gauge, Gauge]:
    held, of = counted(view), view.limits
    return (
        _largest("risk/trade", view, [_at_risk(h) for h in held], of.risk_per_trade),
        _largest("position", view, [_notional(h) for h in held], of.max_position),
    )


def _not_cut(above: Sequence[Gauge]) -> list[str]:
    if not above:
        return []
    return [f"Above its limit: {named(above)}. It holds for entries; what is open is not cut."]


def named(gauges: Sequence[Gauge]) -> str:
    return listed([gauge.word for gauge in gauges])


def loss_gauges(view: View) -> tuple[Gauge, Gauge, Gauge]:
    drawdown = None if view.drawdown is None else -view.drawdown
    return (
        _loss("day", view.today_share, view.limits.max_daily_loss),
        _loss("week", view.week_share, view.limits.max_weekly_loss),
        _loss("drawdown", drawdown, view.limits.max_drawdown),
    )


def _loss(name: str, change: Decimal | None, limit: Decimal) -> Gauge:
    used = None if change is None else max(ZERO, -change / limit)
    now = points(change) if name != "drawdown" or change else points(change, signed=False)
    return Gauge(f"{name}\u00a0%", now, points(-limit), used)


def exposure_gauge(view: View) -> Gauge:
    share, limit = _part(view.exposure, view.equity), view.limits.max_exposure
    # Full is as it should be; only beyond it is worth a look.
    used = None if share is None else Decimal(share > limit)
    return Gauge("exposure\u00a0%", points(share, signed=False), points(limit, signed=False), used)


def streak_gauge(view: View) -> Gauge:
    losses, limit = view.losses_in_row, view.limits.loss_streak
    return Gauge("loss streak", str(losses), str(limit), Decimal(losses >= limit))


def _part(value: Decimal | None, whole: Decimal | None) -> Decimal | None:
    return value / whole if value is not None and whole is not None and whole > 0 else None


def _if_stopped(view: View) -> str:
    if not counted(view):
        return "Nothing is open: no stop can fill."
    bare = [h.position.symbol.base for h in counted(view) if h.plan.stop is None]
    if bare:
        has = "has" if len(bare) == 1 else "have"
        return f"If every stop fills: {UNKNOWN}; {listed(bare[:4])} {has} no stop"
    loss = loss_if_stopped(view)
    return f"If every stop fills: {gained(loss, view.quote)} ({percent(_part(loss, view.equity))})"


def loss_if_stopped(view: View) -> Decimal | None:
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


def whole_desk(desk: DeskUsage | None) -> list[str]:
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


def themes(view: View) -> list[Gauge]:
    """Those that are fullest."""
    gauges = []
    for theme in view.limits.themes:
        share = _part(in_theme(theme, view.exposures), view.equity)
        used = None if share is None else share / theme.max_exposure
        now, limit = points(share, signed=False), points(theme.max_exposure, signed=False)
        gauges.append(Gauge(f"{theme.name}\u00a0%", now, limit, used))
    return sorted(gauges, key=lambda gauge: -(gauge.used or ZERO))[:_THEMES]


def _largest(name: str, view: View, values: Sequence[Decimal | None], limit: Decimal) -> Gauge:
    """The largest of the open positions against the limit of each."""
    known = [v for v in values if v is not None]
    worst = max(known, default=ZERO) if len(known) == len(values) else None
    share = _part(worst, view.equity)
    # Full is as it should be; only what reads as more than the limit is worth a look.
    used = None if share is None else Decimal(round(share, 4) > round(limit, 4))
    return Gauge(f"{name}\u00a0%", points(share, signed=False), points(limit, signed=False), used)


def _at_risk(holding: HoldingView) -> Decimal | None:
    return None if holding.at_stop is None else max(ZERO, -holding.at_stop)


def _notional(holding: HoldingView) -> Decimal | None:
    if holding.quote is None or holding.stale:
        return None
    return holding.position.notional(holding.quote.price)
