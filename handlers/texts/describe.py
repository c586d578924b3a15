"""How an event reads: the functions that say so register here, each beside its family."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from handlers.reply import Choice, Reply, offer
from handlers.texts.phrases import mode
from trading.events import Event, TraderEvent
from trading.model.halt import EVERYONE


@singledispatch
def describe(event: Event) -> Reply | None:
    """Return how *event* reads, or None if it is silent."""
    return None


_OF_ONE = frozenset(
    ["close", "flatten", "orders", "position", "positions", "risk", "stats", "trades", "why"]
)
"""Commands whose buttons carry the trader that an alert is about; a stop stays one of all."""


def describe_with_name(event: Event) -> Reply | None:
    """As `describe`, on a desk of several traders: title and buttons say whose news it is."""
    reply = describe(event)
    if reply is None or not isinstance(event, TraderEvent):
        return reply
    if event.trader == EVERYONE:
        return reply
    choices = tuple(c for choice in reply.choices for c in _named(choice, event.trader))
    reply = replace(reply, choices=choices)
    if event.trader in reply.title:
        return reply
    word = mode(event.mode)
    return replace(reply, title=reply.title.replace(word, f"({event.trader}, {word[1:]}", 1))


def _named(choice: Choice, trader: str) -> tuple[Choice, ...]:
    name = choice.command.split()[0].removeprefix("/")
    if name not in _OF_ONE or "trader=" in choice.command:
        return (choice,)
    return offer(choice.label, f"{choice.command} trader={trader}") or (choice,)
