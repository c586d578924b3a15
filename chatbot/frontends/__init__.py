"""Where people speak to the desk, one file per platform.

A frontend hears (`Frontend.run`) and, where a platform can be written to unasked, speaks
(`Speaker.send`).  The control socket only hears and answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from handlers.context import Message
from handlers.reply import Reply

OnMessage = Callable[[Message], Awaitable[Reply]]
"""Carries one line out.  Never raises: what breaks comes back as a reply that says so."""


class Frontend(Protocol):
    """Hears what is said, and shows the answer where it was said."""

    @property
    def name(self) -> str: ...

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled.  May raise when its platform fails; it is then run again."""
        ...


class Speaker(Protocol):
    """Says what nobody asked for: alerts."""

    @property
    def name(self) -> str: ...

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        """Deliver *reply* to *chat*.  Raises when it may not have arrived."""
        ...
