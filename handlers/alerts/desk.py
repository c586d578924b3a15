"""How the process and its machine read in a chat: history, settings, chats, the clock."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.alerts.parts import STATUS, STOP
from handlers.format import duration, listed, long_duration, plural, took
from handlers.reply import Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, LOOK, REFUSED, WAIT, clipped, person, sentence
from trading import events


@describe.register
def _(event: events.HistoryFailed) -> Reply:
    return Reply(
        f"{LOOK} History is not being saved",
        text=f"{sentence(event.why)} It is kept in memory and tried again; trading goes on.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.HistoryLost) -> Reply:
    what = f"all of it is in {event.rescued}" if event.rescued else "no copy could be made yet"
    copy = "put the copy" if event.rescued else "put a backup"
    back = "" if event.is_damaged else "Put it back where it was, or "
    return Reply(
        f"{LOOK} History lost; {what}",
        text=f"{event.why}. No entries leave; exits and stops go on. "
        f"{back}/shutdown and {copy} in its place.",
        choices=(STATUS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.HistoryRecovered) -> Reply:
    but = f", but for {plural(event.left, 'change')}" if event.left else ""
    return Reply(
        f"{DONE} History saves again after {long_duration(event.waited)}",
        text=f"What waited has been saved{but}.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.FactRefused) -> Reply:
    return Reply(
        f"{LOOK} History refuses one change and saves the others",
        text=f"{sentence(clipped(event.why, 160))} It holds {event.what}; it is kept in memory and "
        "tried again each minute. Until it is saved, a restart asks the venue instead.",
        choices=(STATUS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.DeskStopping) -> Reply:
    held = event.open_positions
    parts = ["No position is open."]
    if held:
        stay = "stays" if len(held) == 1 else "stay"
        names = listed([s.base for s in held[:8]])
        parts = [f"{plural(len(held), 'position')} {stay} open: {names}."]
    if event.unprotected:
        parts.append(f"Unprotected while down: {listed([s.base for s in event.unprotected[:8]])}.")
    return Reply(
        f"{WAIT} Shutting down, by {event.by}",
        text=" ".join([*parts, "Chats go silent."]),
        level=Level.CRITICAL if event.unprotected else Level.NOTICE,
    )


@describe.register
def _(event: events.StrangerSeen) -> Reply:
    return Reply(
        f"Stranger {clipped(event.who, 20)} tried on {clipped(event.where, 20)}",
        text="No answer, text not kept. Said once.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ChatLost) -> Reply:
    return Reply(
        f"{LOOK} {clipped(f'{event.chat} lost {duration(event.silent)} ago: {event.why}', 74)}",
        text=_means(event),
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


def _means(event: events.ChatLost) -> str:
    if not event.whole:
        return "Its alerts wait; the other chats hear theirs, trading goes on."
    if "another program" in event.why:
        return (
            "Commands typed there may reach it instead. Alerts still go there; trading goes on. "
            "End the other program, or give this desk a token of its own."
        )
    if "token" in event.why:
        return (
            "Commands and alerts there wait; trading goes on. "
            "They go out once the settings have a token that is taken."
        )
    return "Commands and alerts there wait; trading goes on. Tried on by itself."


@describe.register
def _(event: events.ChatBack) -> Reply:
    there = "Commands and alerts go there again." if event.whole else "Its alerts go out again."
    return Reply(
        f"{DONE} {clipped(event.chat, 40)} back after {long_duration(event.gap)}",
        text=there,
        choices=(STATUS,),
        level=Level.NOTICE,
    )


_SHOWN = 5


@describe.register
def _(event: events.SettingsReloaded) -> Reply:
    who = person(event.by)
    if not event.changes:
        return Reply(f"Settings reloaded by {who}: nothing has changed")
    if len(event.changes) == 1:
        place, _, change = event.changes[0].partition(" ")
        told = f"{place.rpartition('.')[2].replace('_', ' ')} {change}"
        return Reply(
            f"Settings reloaded by {who}: {clipped(told, 46)}",
            text=f"{clipped(place, 60)}. For new entries; what is open keeps its plan.",
        )
    return Reply(
        f"Settings reloaded by {who}: {plural(len(event.changes), 'change')}",
        text="\n".join([*_few(event.changes), "For new entries; what is open keeps its plan."]),
    )


@describe.register
def _(event: events.SettingsRefused) -> Reply:
    return Reply(
        f"{REFUSED} Settings refused, the old ones hold",
        text="\n".join(_few(event.mistakes)),
        level=Level.NOTICE,
    )


def _few(lines: Sequence[str]) -> list[str]:
    shown = [clipped(line, 72) for line in lines[:_SHOWN]]
    return [*shown, f"And {len(lines) - _SHOWN} more."] if len(lines) > _SHOWN else shown


@describe.register
def _(event: events.LoopLagged) -> Reply:
    return Reply(
        f"{LOOK} Busy: no answer for {took(event.seconds)}",
        text="Words and scans waited so long. What protects rests at the venue.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ClockJumped) -> Reply:
    ahead = event.by.total_seconds() > 0
    by = long_duration(abs(event.by))
    return Reply(
        f"{LOOK} The machine's clock jumped {by} {'ahead' if ahead else 'back'}",
        text="Waits are measured by another clock and go on. Days, rests and ages follow this "
        "one: look whether it is right.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )
