"""How an event reads: the functions that say so register here, each beside its family."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from handlers.reply import Reply
from handlers.words import mode
from trading.events import Event, TraderEvent


@singledispatch
def describe(event: Event) -> Reply | None:
    """Return how *event* reads, or None if it is silent."""
    return None


def describe_with_name(event: Event) -> Reply | None:
    """As `describe`, on a desk of several traders: the title says whose news it is."""
    reply = describe(event)
    if reply is None or not isinstance(event, TraderEvent) or event.trader in reply.title:
        return reply
    word = mode(event.mode)
    return replace(reply, title=reply.title.replace(word, f"({event.trader}, {word[1:]}", 1))
