"""How the traders of this desk and the strategies there are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from handlers.format import amount, duration, gain, listed, money, number, plural, points
from handlers.reply import Choice, Column, Level, Reply, offer
from handlers.texts.phrases import LOOK, WAIT, clipped, modes, total, whom
from handlers.texts.screen import TABLE_ROWS, a_table, first_fitting
from handlers.texts.status import level, needs_look, state_word
from trading.accounts.views import View

_COLUMNS = (Column(right=False), Column(right=False), Column("equity"), Column("today\u00a0%"))
_WIDE = Decimal(100_000)
"""From here on cents do not fit beside the rest."""


# -- /traders -----------------------------------------------------------------------------


def traders_reply(found: Sequence[View]) -> Reply:
    if not found:
        return Reply(f"{WAIT} Starting: no trader is ready yet", choices=(_REFRESH,))
    shown = sorted(found, key=lambda v: not needs_look(v))[:TABLE_ROWS]
    needing = any(map(needs_look, found))
    count = f"{plural(len(found), 'trader')} {modes(found)}"
    return Reply(
        f"{LOOK} {count}{_sum(found)}" if needing else f"{count}{_sum(found)}",
        table=a_table(_COLUMNS, [_row(v) for v in shown]),
        text="\n".join(_notes(found, shown)),
        choices=(
            *(c for v in shown[:3] for c in offer(v.name, f"/status trader={v.name}")),
            Choice("Stop all" if len(found) > 1 else "Stop", "/stop"),
            _REFRESH,
        ),
        level=max((level(v) for v in found), default=Level.INFO),
        as_of=found[0].as_of,
    )


def _sum(found: Sequence[View]) -> str:
    if len({v.quote for v in found}) > 1:
        return ""
    equity, today = total([v.equity for v in found]), total([v.today for v in found])
    return f": {amount(equity, found[0].quote)}, today {gain(today)}"


def _row(view: View) -> tuple[str, ...]:
    known_day = view.today is not None and view.day_start > 0
    share = view.today / view.day_start if known_day and view.today is not None else None
    large = view.equity is not None and abs(view.equity) >= _WIDE
    equity = number(view.equity, 0) if large else money(view.equity)
    return clipped(view.name, 7), state_word(view), equity, points(share)


def _notes(found: Sequence[View], shown: Sequence[View]) -> list[str]:
    hidden = len(found) - len(shown)
    notes = [f"And {hidden} more, quiet."] if hidden else []
    if len({v.mode for v in found}) > 1:
        notes.append(f"{listed([whom(v.name, v.mode) for v in shown])}.")
    return notes


_REFRESH = Choice("Refresh", "/traders")


# -- /strategies --------------------------------------------------------------------------


def strategies_reply(there: Mapping[str, str], found: Sequence[View]) -> Reply:
    return first_fitting(_strategies(there, found, room) for room in (150, 110, 72, 36))


def _strategies(there: Mapping[str, str], found: Sequence[View], room: int) -> Reply:
    lines = [clipped(f"{name}: {summary}", room) for name, summary in there.items()]
    runs = [clipped(_runs(v), room) for v in found]
    count = plural(len(there), "strategy", "strategies")
    return Reply(
        f"{count}, {plural(len(found), 'trader')} {modes(found)}".rstrip(),
        text="\n".join([*lines, *runs]),
        choices=(Choice("Traders", "/traders"), Choice("Status", "/status")),
    )


def _runs(view: View) -> str:
    """As in `majors runs ema_cross on 15 min: fast 12, slow 48, short yes`."""
    settings = ", ".join(f"{name} {_said(value)}" for name, value in view.parameters.items())
    told = f"{view.name} runs {view.strategy} on {duration(view.timeframe)}"
    return f"{told}: {settings}" if settings else told


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
