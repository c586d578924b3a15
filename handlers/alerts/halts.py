"""How a halt and its stages read in a chat."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.alerts.parts import FLATTEN, HALTS, POSITIONS, RESUME, STATUS, STOP, place
from handlers.format import ago, clock_time, duration, listed, plural, took
from handlers.reply import Choice, Column, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, HALTED, LOOK, clipped, person, sentence
from handlers.texts.screen import a_table
from handlers.texts.stopped import (
    NOTHING_LOOSENED,
    as_well,
    below_title,
    engaged_title,
    flat_reply,
    flatten_of,
    go_on_closing,
    kept_beside,
)
from trading import events
from trading.model.halt import Halt, Stage, Verb


@describe.register
def _(event: events.HaltEngaged) -> Reply:
    halt = event.halt
    if event.hidden and event.above and halt.verb is Verb.PAUSE:
        return _paused_below(event, event.above[0])
    return Reply(
        engaged_title(halt, place(event)),
        lead="\n".join(map(as_well, event.above)),
        text=_engaged(halt, event.above),
        choices=_after(halt),
        level=Level.NOTICE if halt.verb is Verb.PAUSE else Level.CRITICAL,
        story=_story(halt, event.trader),
    )


def _paused_below(event: events.HaltEngaged, over: Halt) -> Reply:
    """Nothing is only paused: what is stricter leads."""
    where, by = place(event), event.halt.by
    return Reply(
        below_title(over, ago(event.at - over.at)),
        text=f"{sentence(f'the pause is of {where}, by {by}')} {kept_beside(over)} "
        f"{NOTHING_LOOSENED.format(over.id)}",
        choices=(STATUS, HALTS),
        level=Level.NOTICE,
        story=_story(event.halt, event.trader),
    )


def _engaged(halt: Halt, above: Sequence[Halt]) -> str:
    if halt.verb is Verb.PAUSE:
        return "Done: no new entries. Not done: resting entries, positions and stops stay."
    if halt.guard:
        return (
            "3 reads in a row. Done: entries blocked, cancels under way. "
            "Not done: positions and stops stay. Only a person resumes."
        )
    if halt.verb is Verb.FLATTEN:
        return "Done: entries blocked. Under way: cancels, then every position is closed."
    closing = [h for h in above if h.closing]
    if closing:
        rest = go_on_closing(closing)
        if not any(h.covers(halt.scope) for h in closing):
            rest = f"other positions and stops stay; {rest}"
        return f"Done: entries blocked, cancels under way. Not done: {rest}."
    return "Done: entries blocked, cancels under way. Not done: positions and stops stay."


def _after(halt: Halt) -> tuple[Choice, ...]:
    if halt.verb is Verb.PAUSE:
        return STOP, RESUME
    if halt.verb is Verb.FLATTEN:
        return STATUS, HALTS
    return POSITIONS, Choice("Flatten", flatten_of(halt.scope))


@describe.register
def _(event: events.HaltAdvanced) -> Reply | None:
    stage, halt = event.reached.stage, event.halt
    if stage not in _STAGES:
        return None  # told when the halt was engaged, or a step to what is told
    if halt.verb is Verb.FLATTEN and stage is Stage.CANCELS_CONFIRMED:
        return None  # on the way to flat, which is told
    return _STAGES[stage](event, (event.reached.at - halt.since(event.trader)).total_seconds())


def _cancels_confirmed(event: events.HaltAdvanced, waited: float) -> Reply:
    left = len(event.left_open)
    stay = f"{plural(left, 'position')} and {'its stop stays' if left == 1 else 'stops stay'}"
    word = "Halted" if event.halt.guard else "Stopped"
    return Reply(
        f"{HALTED} {word} {place(event)}, confirmed in {took(waited)}",
        table=a_table(_STAGE_COLUMNS, _stages(event)),
        text=f"Not done: {stay if left else 'nothing; no position is open'}.",
        choices=(POSITIONS, FLATTEN) if left else (STATUS, RESUME),
        level=Level.NOTICE,
        story=_story(event.halt, event.trader),
    )


def _stages(event: events.HaltAdvanced) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for reached in event.halt.stages_of(event.trader):
        note = reached.note
        if reached.stage in (Stage.SAVED, Stage.CANCELS_SENT, Stage.FLATTENING):
            continue  # `/halts` tells each step
        if reached.stage is Stage.REQUESTED:
            note = f"by {person(event.halt.by)}"
        elif reached.stage is Stage.CANCELS_CONFIRMED:
            note = note or "nothing rested"
        told = f"{reached.stage.value}{f', {note}' if note else ''}"
        rows.append((clock_time(reached.at), clipped(told, 22)))
    return rows


_STAGE_COLUMNS = (Column("UTC", right=False), Column("stage", right=False))


def _flat(event: events.HaltAdvanced, waited: float) -> Reply:
    return flat_reply(place(event), waited, event.closes, _story(event.halt, event.trader))


def _flat_except_dust(event: events.HaltAdvanced, waited: float) -> Reply:
    dust = listed([s.base for s in event.left_open]) or event.reached.note
    return Reply(
        f"{DONE} Flat except dust: {place(event)}, in {took(waited)}",
        text=f"Too small for the venue to take: {dust}.\n"
        "Not done: entries stay blocked until /resume.",
        choices=(POSITIONS, RESUME),
        level=Level.NOTICE,
        story=_story(event.halt, event.trader),
    )


_GOES_ON = "Entries stay blocked; it goes on as soon as that is possible."


def _flat_blocked(event: events.HaltAdvanced, waited: float) -> Reply:
    left = listed([s.base for s in event.left_open])
    note = sentence(event.reached.note)
    open_still = f"{left} {'is' if len(event.left_open) == 1 else 'are'} open." if left else ""
    return Reply(
        f"{LOOK} Not flat after {took(waited)}: {place(event)}",
        text=f"{note} {open_still} {_GOES_ON}".strip(),
        choices=(POSITIONS, HALTS),
        level=Level.CRITICAL,
    )


_STAGES = {
    Stage.CANCELS_CONFIRMED: _cancels_confirmed,
    Stage.FLAT: _flat,
    Stage.FLAT_EXCEPT_DUST: _flat_except_dust,
    Stage.FLAT_BLOCKED: _flat_blocked,
}


@describe.register
def _(event: events.HaltDelayed) -> Reply:
    # A new message, not an edit: it needs a person.
    return Reply(
        f"{HALTED} Not confirmed after {duration(event.waited)}: {place(event)}",
        text=f"{event.halt.id}: {sentence(event.why or 'no answer yet')} "
        "Entries stay blocked; trying on.",
        choices=(STATUS, HALTS),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.HaltLifted) -> Reply:
    halt = event.halt
    return Reply(
        f"{DONE} Lifted {halt.id} of {place(event)}, by {halt.lifted_by}",
        text=f"It was made by {person(halt.by)}. Nothing was sent.",
        choices=(STATUS, STOP),
        level=Level.NOTICE,
    )


def _story(halt: Halt, trader: str) -> str:
    """One message per halt; per trader where a halt covers several of them."""
    return halt.id if trader == halt.scope else f"{halt.id} {trader}"
