"""How an event reads: the functions that say so register here, each beside its family."""

from __future__ import annotations

from functools import singledispatch

from handlers.reply import Reply
from trading.events import Event


@singledispatch
def describe(event: Event) -> Reply | None:
    """Return how *event* reads, or None if it is silent."""
    return None
