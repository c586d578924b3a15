"""What somebody asked to be told: prices, rules, and alerts that nobody acknowledged."""

from __future__ import annotations

from decimal import Decimal

from handlers.alerts.parts import RESUME, STATUS, STOP
from handlers.format import clock_time, duration, exact
from handlers.reply import Choice, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, LOOK, clipped, person, sentence
from trading import events


@describe.register
def _(event: events.PriceReached) -> Reply:
    base = event.symbol.base
    way = "above" if event.above else "below"
    return Reply(
        f"{base} is at {exact(event.price)}, {way} {exact(event.level)}",
        text=f"{sentence(person(event.by))[:-1]} asked to be told; said once.",
        choices=(Choice("Price", f"/price {base}"), STATUS),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.RuleBroken) -> Reply:
    did = {
        "pause": "Done: no new entries. Not done: resting entries, positions and stops stay.",
        "stop": "Done: entries blocked, cancels under way. Not done: positions and stops stay.",
    }.get(event.action, "Told only: nothing was paused or stopped.")
    undo = () if event.action == "notify" else (RESUME,)
    return Reply(
        f"{LOOK} Rule {clipped(event.name, 30)}: now {_reading(event.value)}",
        text=f"{clipped(event.condition, 120)}. {did}",
        choices=(STATUS, STOP, *undo),
        level=Level.URGENT,
    )


def _reading(value: Decimal | bool) -> str:  # noqa: FBT001  # what a rule compares
    if isinstance(value, bool):
        return "true" if value else "false"
    return exact(round(value, 4).normalize())


@describe.register
def _(event: events.RuleRestored) -> Reply:
    return Reply(
        f"{DONE} Rule {clipped(event.name, 30)} no longer holds, after {duration(event.lasted)}",
        text=f"{clipped(event.condition, 120)}. What it halted stays halted until /resume.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.AlertUnanswered) -> Reply:
    waited = duration(event.at - event.said_at)
    return Reply(
        f"{LOOK} Nobody has acknowledged an alert for {waited}",
        text=f"{clock_time(event.said_at)} UTC: {clipped(event.title, 160)}",
        choices=(Choice("Acknowledge", "/ack"), STATUS, STOP),
        level=Level.CRITICAL,
    )
