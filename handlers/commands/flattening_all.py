"""`/flatten all`: one question for all traders, and one report of how far each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from handlers.commands.flattening import ONLY, THEN
from handlers.confirmations import CANCEL, CONFIRM
from handlers.format import UNKNOWN, amount, gain, gained, listed, money, plural, took
from handlers.reply import Choice, Column, Level, Reply, Table
from handlers.texts.flattening import doubts, sweep_note, value_of
from handlers.texts.phrases import (
    DONE,
    LOOK,
    apart_notes,
    base_and_side,
    by_quote,
    clipped,
    count_entries,
    counted,
    entries,
    modes,
    orders_of,
    price_time,
    sentence,
    stale_note,
    total,
)
from handlers.texts.screen import TABLE_ROWS, first_fitting, fitted
from handlers.texts.stopped import durable
from handlers.traders import SeenTraders
from trading.accounts.views import Halting, View
from trading.model.halt import Halt, Stage
from trading.types import ZERO, Trade

NAME = 9
"""Columns of a trader's name in a table."""
_POSITIONS = (Column(right=False), Column(right=False, gap=1), Column(gap=1), Column(gap=1))
_SUMS = (Column(right=False), Column(), Column(), Column())
_REPORT = (Column(right=False), Column(right=False), Column())
_TOLD = 3
"""Sentences about single traders that a screen may have room for."""


def all_of(seen: SeenTraders) -> str:
    """As in `all 3 traders (paper)`."""
    return f"all {_traders(seen)}"


def _traders(seen: SeenTraders) -> str:
    return f"{len(seen.names)} traders {modes(seen.views)}".rstrip()


# -- the question -------------------------------------------------------------------------


def flatten_all_question(seen: SeenTraders) -> Reply:
    """Every position if a screen holds them, else a line for each trader."""
    held = sum(len(v.holdings) for v in seen.views)
    if not held and not seen.broken:
        return _nothing_open(seen)
    tables = [_each_position(seen)] if held + len(seen.broken) <= TABLE_ROWS else []
    tables += [_each_trader(seen, most) for most in range(TABLE_ROWS, 1, -1)]
    drafts = (_question(seen, table, told) for table in tables for told in (_TOLD, 1))
    return first_fitting(drafts, spare=ONLY)


def _nothing_open(seen: SeenTraders) -> Reply:
    waiting = len(entries(orders_of(seen.views)))
    resting = f"{count_entries(waiting)} would be cancelled" if waiting else "No entry rests"
    return Reply(
        f"{LOOK} Stop {all_of(seen)}? Nothing is open",
        text=f"{resting}; entries stay blocked.",
        choices=(Choice("Cancel", CANCEL), Choice("Flatten", CONFIRM)),
        as_of=seen.views[0].as_of if seen.views else None,
    )


def _question(seen: SeenTraders, table: Table | None, told: int) -> Reply:
    count = sum(len(counted(v)) for v in seen.views)
    notes = [*_unread(seen), *(note for v in seen.views for note in apart_notes(v))]
    close = "Close all now" if seen.broken else f"Close {count} now"
    times = [at for v in seen.views if (at := price_time(v, counted(v))) is not None]
    return Reply(
        f"{LOOK} Close all of {_traders(seen)} at market?",
        table=table,
        text="\n".join([_worth(seen), *notes[:told], THEN]),
        choices=(Choice("Cancel", CANCEL), Choice(close, CONFIRM)),
        as_of=min(times, default=None),
    )


def _unread(seen: SeenTraders) -> list[str]:
    if not seen.broken:
        return []
    it = "it is" if len(seen.broken) == 1 else "they are"
    return [f"{listed(seen.broken)} cannot be read: what {it} worth is unknown. Closed as well."]


def _worth(seen: SeenTraders) -> str:
    holding = [v for v in seen.views if counted(v)]
    if not holding:
        return f"Worth {UNKNOWN}."
    worth = by_quote([(v.quote, _value(v)) for v in holding], amount)
    profit = by_quote([(v.quote, v.open_profit) for v in holding], gained)
    if any(_value(v) is None for v in holding):
        why = listed([note for v in holding if (note := stale_note(v))])
        return f"Worth {worth}{f': {why}' if why else ''}; P&L {profit}."
    more = ", and what cannot be read" if seen.broken else ""
    return f"About {worth}{more}, P&L {profit} before fees; prices {{age}}."


def _value(view: View) -> Decimal | None:
    return total([value_of(h) for h in counted(view)])


def _each_position(seen: SeenTraders) -> Table | None:
    mixed = _is_mixed(seen)
    rows: list[tuple[str, ...]] = [
        (
            clipped(view.name, NAME),
            clipped(base_and_side(held), 10),
            "not traded" if held.apart else _money(value_of(held), view, mixed=mixed),
            "" if held.apart else _gain(held.profit, view, mixed=mixed),
        )
        for view in seen.views
        for held in view.holdings
    ]
    rows += [(clipped(name, NAME), UNKNOWN, UNKNOWN, UNKNOWN) for name in seen.broken]
    return fitted(_POSITIONS, rows, spare=2)


def _each_trader(seen: SeenTraders, most: int) -> Table | None:
    mixed = _is_mixed(seen)
    rows: list[tuple[str, ...]] = [
        (
            clipped(view.name, NAME),
            f"{len(view.holdings)} open",
            _money(_value(view), view, mixed=mixed),
            _gain(view.open_profit, view, mixed=mixed),
        )
        for view in sorted(seen.views, key=lambda v: -len(v.holdings))
    ]
    rows = [(clipped(n, NAME), UNKNOWN, UNKNOWN, UNKNOWN) for n in seen.broken] + rows
    return fitted(_SUMS, _cut(rows, most), spare=2)


def _is_mixed(seen: SeenTraders) -> bool:
    """Whether a figure without its currency would say nothing."""
    return len({v.quote for v in seen.views}) > 1


def _money(value: Decimal | None, view: View, *, mixed: bool) -> str:
    return amount(value, view.quote) if mixed else money(value)


def _gain(value: Decimal | None, view: View, *, mixed: bool) -> str:
    return gained(value, view.quote) if mixed else gain(value)


def _cut(rows: list[tuple[str, ...]], most: int = TABLE_ROWS) -> list[tuple[str, ...]]:
    """At most so many rows; how many more there are stands in the last."""
    if len(rows) <= most:
        return rows
    kept = rows[: most - 1]
    return [*kept, (f"{len(rows) - len(kept)} more", *[""] * (len(rows[0]) - 1))]


# -- how far it is ------------------------------------------------------------------------


def flattening_all(
    halting: Halting,
    halt: Halt,
    closes: Mapping[str, Sequence[Trade]],
    before: SeenTraders,
    now: SeenTraders,
    stops: int | None = None,
) -> tuple[Reply, bool]:
    """How it reads now, and whether every trader is flat.

    *halt* is the one of *halting* as it stands now; *closes*, by trader; *stops* cancelled.
    """
    names = [s.trader for s in halting.swept] or before.names
    if all(halt.is_flat(name) for name in names):
        return _flat(halt, names, closes, before, stops), True
    rows = [_row(halt, name, closes.get(name, ()), before, now) for name in names]
    rows = sorted(rows, key=lambda row: row[1] == _FLAT)
    sizes = [(TABLE_ROWS, told) for told in (_TOLD, 2, 1)]
    sizes += [(most, 1) for most in range(TABLE_ROWS - 1, 1, -1)]
    drafts = (_under_way(halting, halt, names, _cut(rows, m), now, told) for m, told in sizes)
    return first_fitting(drafts), False


_FLAT = "flat"
_BY_STAGE = {
    Stage.FLAT: _FLAT,
    Stage.FLAT_EXCEPT_DUST: "flat, but dust",
    Stage.FLAT_BLOCKED: "not flat",
}


def _under_way(
    halting: Halting,
    halt: Halt,
    names: Sequence[str],
    rows: list[tuple[str, ...]],
    now: SeenTraders,
    told: int,
) -> Reply:
    flat = [name for name in names if halt.is_flat(name)]
    reached = [r.stage for name in names for r in halt.stages_of(name)]
    everywhere = reached.count(Stage.CANCELS_CONFIRMED) == len(names)
    cancels = sweep_note(halting.swept, reached if everywhere else ())
    notes = [*now.note, *_about(halt, now)]
    return Reply(
        f"{LOOK} Flattening {all_of(now)}: {len(flat)} of {len(names)} flat",
        table=fitted(_REPORT, rows, spare=2),
        text="\n".join([
            f"Done: entries blocked{cancels}{durable(halting)}.",
            *notes[:told],
            f"Not done: {_left([n for n in names if n not in flat])}",
        ]),
        choices=(Choice("Status", "/status"), Choice("Halts", "/halts")),
        level=Level.CRITICAL,
        story=halt.id,
    )  # fmt: skip


def _left(names: Sequence[str]) -> str:
    if len(names) > _TOLD:
        return f"{len(names)} are not flat yet; tried until they are, told here."
    is_not = "is not flat yet; tried until it is" if len(names) == 1 else (
        "are not flat yet; tried until they are"
    )  # fmt: skip
    return f"{listed(list(names))} {is_not}, told here."


def _about(halt: Halt, now: SeenTraders) -> Iterable[str]:
    """What keeps single traders, each with its name."""
    for view in now.views:
        if halt.is_flat(view.name):
            continue
        blocked = [r for r in halt.stages_of(view.name) if r.stage is Stage.FLAT_BLOCKED]
        notes = [sentence(clipped(r.note, 120)) for r in blocked[-1:] if r.note]
        yield from (f"{view.name}: {n}" for n in (*notes, *apart_notes(view), *doubts(view)))


def _row(
    halt: Halt, name: str, closes: Sequence[Trade], before: SeenTraders, now: SeenTraders
) -> tuple[str, ...]:
    profit = gain(sum((t.profit for t in closes), ZERO)) if closes else ""
    return clipped(name, NAME), _state(halt, name, before, now), profit


def _state(halt: Halt, name: str, before: SeenTraders, now: SeenTraders) -> str:
    """As in `2 of 3 closed`."""
    reached = [_BY_STAGE[r.stage] for r in halt.stages_of(name) if r.stage in _BY_STAGE]
    if reached:
        return reached[-1]
    was, is_now = (next((v for v in s.views if v.name == name), None) for s in (before, now))
    if was is None or is_now is None:
        return f"{UNKNOWN}, closing"
    held = {h.position.symbol for h in was.holdings}
    left = held & {h.position.symbol for h in is_now.holdings}
    return f"{len(held) - len(left)} of {len(held)} closed" if held else "closing"


def _flat(
    halt: Halt,
    names: Sequence[str],
    closes: Mapping[str, Sequence[Trade]],
    before: SeenTraders,
    stops: int | None,
) -> Reply:
    """As in `✓ Flat: all 3 traders (paper), confirmed in 23 s`."""
    ends = {
        name: r for name in names for r in halt.stages_of(name)
        if r.stage in (Stage.FLAT, Stage.FLAT_EXCEPT_DUST)
    }  # fmt: skip
    seconds = max(r.at - halt.since(name) for name, r in ends.items()).total_seconds()
    dust = [
        f"{name} {r.note}".strip() for name, r in ends.items() if r.stage is Stage.FLAT_EXCEPT_DUST
    ]
    trades = [t for name in names for t in closes.get(name, ())]
    result = by_quote([(t.symbol.quote, t.profit) for t in trades], gained) if trades else ""
    done = f"{result} after fees" if trades else "flat"
    gone = "protective stops" if stops is None else plural(stops, "stop")
    left = [f"Too small for the venue to take: {clipped(listed(dust), 100)}."] if dust else []
    rows = [_row(halt, name, closes.get(name, ()), before, before) for name in names]
    return Reply(
        f"{DONE} Flat{' except dust' if dust else ''}: {all_of(before)}, "
        f"confirmed in {took(seconds)}",
        table=fitted(_REPORT, _cut(rows), spare=2),
        text="\n".join([
            f"Done: {done}; {gone} cancelled.",
            *left,
            "Not done: entries stay blocked until /resume.",
        ]),
        choices=(Choice("Trades", "/trades"), Choice("Resume", "/resume")),
        level=Level.NOTICE,
        story=halt.id,
    )  # fmt: skip
