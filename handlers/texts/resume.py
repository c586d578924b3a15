"""How halts read, and their lifting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import islice

from handlers.format import ago, amount, clock_time, duration, listed, money, plural
from handlers.reply import Choice, Column, Level, Outcome, Reply
from handlers.texts.phrases import (
    DONE,
    HALTED,
    PAUSED,
    REFUSED,
    clipped,
    count_entries,
    entries,
    modes,
    person,
    sentence,
)
from handlers.texts.screen import TABLE_ROWS, a_table, first_fitting
from handlers.texts.status import feed_word, refused, until_scan, venue_word
from trading.accounts.views import View
from trading.common.text import one_line
from trading.errors import Refused
from trading.model.halt import Halt, Reached, Stage, Verb
from trading.ports import FeedState

_STEP = 22
"""Columns of a stage in a table."""
_VERBS = {Verb.PAUSE: "pause", Verb.STOP: "stop", Verb.FLATTEN: "flatten"}


def not_lifted(halt: Halt | None, halt_id: str) -> Halt:
    if halt is None:
        raise Refused(f"There is no halt {halt_id}")
    if halt.lifted_at is not None:
        raise Refused(f"{halt_id} was lifted already, by {halt.lifted_by}")
    return halt


# -- what is said -------------------------------------------------------------------------


def not_halted(views: Sequence[View]) -> Reply:
    return Reply(
        f"Trading {modes(views)}, nothing is halted",
        text="Nothing was sent.",
        choices=(Choice("Status", "/status"),),
    )


def still_halted(
    found: Sequence[Halt], refused: dict[str, str], day_ends_in: timedelta | None = None
) -> Reply:
    """Why not, and what may be done instead."""
    held = [h for h in found if h.id in refused]
    guards = [h for h in held if h.guard]
    text = ["Nothing was sent."]
    choices = [Choice("Status", "/status")]
    if guards:
        choices = [Choice("Risk", "/risk")]
        text = ["It would halt again at once. Nothing was sent."]
        if day_ends_in is not None and any(h.guard == "day" for h in guards):
            text.append(f"The day ends in {duration(day_ends_in)}.")
        text.append("An owner may measure afresh from now.")
        choices += [Choice("Measure afresh", f"/resume {h.id} rebase") for h in guards[:1]]
    free = [h for h in found if h.id not in refused]
    choices += [Choice(f"Lift {h.id}", f"/resume {h.id}") for h in free[:2]]
    return Reply(
        f"{REFUSED} Still halted: {refused[held[0].id]}",
        text="\n".join(text),
        choices=tuple(choices),
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
        asks=True,
    )


def now_line(view: View) -> str:
    flat = "not proven flat" if view.unproven else "flat"
    open_now = f"{len(view.holdings)} open" if view.holdings else flat
    feed = feed_word(view)
    venue = venue_word(view) or "venue ok"
    return f"Now: {open_now}, {len(view.orders)} resting, {feed[0].lower()}{feed[1:]}, {venue}."


def room_line(view: View) -> str:
    """How much may be lost before a guard halts again."""
    if view.equity is None or view.today is None:
        return "Room: unknown, as equity is."
    today = view.day_start * view.limits.max_daily_loss + view.today
    floor = view.peak * (1 - view.limits.max_drawdown)
    left = [amount(max(today, Decimal(0)), view.quote), money(max(view.equity - floor, Decimal(0)))]
    return f"Room: {left[0]} today, {left[1]} to the drawdown halt."


def fresh(view: View, found: Sequence[Halt]) -> str:
    """The baseline that an owner measures afresh from, beside the one it replaces."""
    before = {"day": view.day_start, "week": view.week_start, "drawdown": view.peak}
    guard = found[0].guard
    now = amount(view.equity, view.quote)
    return f"The {guard} is measured from {now} from now on, not from {money(before.get(guard))}."


def next_entries(view: View, staying: Sequence[Halt]) -> str:
    if staying:
        return f"Still held by {listed([h.id for h in staying])} after that."
    if not view.ready:
        return "Entries once books equal the venue; nothing is reopened."
    if view.feed is FeedState.ENDED:
        return "The feed has ended: no entries follow."
    if view.rest:
        return f"Entries still wait: {view.rest}. Nothing is reopened."
    if view.last_cycle is None:
        return "Entries from the next scan; nothing is reopened."
    wait = duration(until_scan(view, view.last_cycle))
    return f"Entries from the next scan, in {wait}; nothing is reopened."


def resumed(lifted: Sequence[Halt], views: Sequence[View], by: str) -> Reply:
    held = [h for v in views for h in v.halts if h.lifted_at is None]
    ids = {h.id for h in lifted}
    staying = list({h.id: h for h in held if h.id not in ids}.values())
    choices = (Choice("Status", "/status"), Choice("Stop", "/stop"))
    if staying:
        word = listed([f"{h.id} ({_VERBS[h.verb]}, {person(h.by)})" for h in staying[:2]])
        symbol = PAUSED if max(h.verb for h in staying) is Verb.PAUSE else HALTED
        return Reply(
            f"{symbol} Lifted {listed(sorted(ids))}, still held by {word}",
            text="Entries stay blocked. Nothing was sent.",
            choices=(Choice("Halts", "/halts"), choices[0]),
            level=Level.NOTICE,
        )
    if not views:
        return Reply(
            f"{DONE} Lifted {listed(sorted(ids))}, by {by}",
            text="It held no trader that is here. Nothing was sent.",
            choices=choices,
            level=Level.NOTICE,
        )
    return Reply(
        f"{DONE} Trading {modes(views)}, resumed by {by}",
        text="Done: entries allowed. Nothing was sent.",
        choices=choices,
        level=Level.NOTICE,
    )


def halts_reply(found: Sequence[Halt], views: Sequence[View]) -> Reply:
    resting = [f"no halt, it ends by itself: {v.name} {v.rest}" for v in views if v.rest]
    if not found:
        return Reply(
            f"No halts {modes(views)}",
            text="\n".join(map(sentence, resting[:3])),
            choices=(Choice("Status", "/status"),),
        )
    newest = sorted(found, key=lambda h: h.at, reverse=True)
    rows = len(_steps(newest, views))
    sizes = [(count, _TOLD) for count in range(rows, min(rows, 1) - 1, -1)]
    sizes += [(min(rows, 1), told) for told in range(_TOLD - 1, 0, -1)]
    return first_fitting(_halts(newest, views, resting, *size) for size in sizes)


_TOLD = 3
"""Halts that are told in a sentence each; the others are named."""


def _halts(
    newest: Sequence[Halt], views: Sequence[View], resting: list[str], rows: int, told: int
) -> Reply:
    lines = [_line(h, views) for h in newest[:told]]
    if len(newest) > told:
        lines.append(f"And {listed([h.id for h in newest[told:]])}.")
    lines += [*_unsaved(newest, views), *_unconfirmed(newest, views)]
    symbol = HALTED if any(h.verb > Verb.PAUSE for h in newest) else PAUSED
    steps = _steps(newest, views)
    return Reply(
        f"{symbol} {plural(len(newest), 'halt')} in force {modes(views)}",
        table=a_table(
            (Column("UTC", right=False), Column("stage", right=False)), steps[len(steps) - rows :]
        ),
        text="\n".join([*lines, *map(sentence, resting[:1])]),
        choices=(
            *(Choice(f"Resume {h.id}", f"/resume {h.id}") for h in newest[:2]),
            Choice("Status", "/status"),
        ),
        level=Level.NOTICE,
        as_of=views[0].as_of if views else None,
    )


def _steps(newest: Sequence[Halt], views: Sequence[View]) -> list[tuple[str, str]]:
    """When each halt reached what, as far as the last ones fit."""
    several_halts, several = len(newest) > 1, len(views) > 1
    found = [
        (reached.at, halt.id if several_halts else "", view.name if several else "", reached)
        for halt in newest
        for view in views
        if halt.covers(view.name)
        for reached in halt.stages_of(view.name)
    ]
    found.sort(key=lambda step: step[0])
    return [
        (clock_time(at), clipped(" ".join(filter(None, [*whose, _worded(reached)])), _STEP))
        for at, *whose, reached in found[-TABLE_ROWS:]
    ]


def _worded(reached: Reached) -> str:
    word = _WORDS.get(reached.stage, reached.stage.value)
    return f"{word}, {reached.note}" if reached.note else word


_WORDS = {
    Stage.FLAT: "flat at the venue",
    Stage.FLAT_EXCEPT_DUST: "flat, but dust",
}


def _line(halt: Halt, views: Sequence[View]) -> str:
    since = f" {ago(views[0].as_of - halt.at)}" if views else ""
    because = clipped(one_line(halt.why), 40)
    return f"{halt.id} {_VERBS[halt.verb]} of {halt.scope}{since} by {person(halt.by)}: {because}."


def _unsaved(found: Sequence[Halt], views: Sequence[View]) -> list[str]:
    """Halts that only memory has."""
    missing = [
        h.id
        for h in found
        if any(Stage.SAVED in h.missing(v.name) for v in views if h.covers(v.name))
    ]
    if not missing:
        return []
    which = f" {listed(missing)}" if len(found) > 1 else ""
    return [f"Not saved yet{which}: a crash now would forget it."]


def _unconfirmed(found: Sequence[Halt], views: Sequence[View]) -> list[str]:
    """What the venue has not confirmed, and why not, as far as that is known."""
    waiting = [(v, parts) for v in views if (parts := _waited_for(found, v))]
    if not waiting:
        return []
    told = [f"{v.name + ' ' if len(views) > 1 else ''}{listed(parts)}" for v, parts in waiting]
    reasons = filter(None, (_held_up(view) for view, _ in waiting))
    return [f"Not confirmed yet: {'; '.join(told)}.", *islice(reasons, 1)]


def _waited_for(found: Sequence[Halt], view: View) -> list[str]:
    """As in `cancels (2 entries may fill)`, `flat (3 open)`."""
    covering = [h for h in found if h.covers(view.name)]
    missing = {stage for h in covering for stage in h.missing(view.name)}
    parts = []
    if Stage.CANCELS_CONFIRMED in missing:
        resting = len(entries(view.orders))
        all_sent = any(h.has_reached(view.name, Stage.CANCELS_SENT) for h in covering)
        note = f" ({count_entries(resting)} may fill{'' if all_sent else '; not all sent'})"
        parts.append(f"cancels{note if resting else ''}")
    if Stage.FLAT in missing or (view.holdings and any(h.verb is Verb.FLATTEN for h in covering)):
        parts.append(f"flat ({len(view.holdings)} open)")
    return parts


def _held_up(view: View) -> str:
    why = refused(view.refused_until) if view.refused_until else clipped(view.holding_up, 80)
    return sentence(f"{why}, try {max(1, view.tries)}") if why else ""
