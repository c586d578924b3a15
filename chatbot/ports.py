"""Where people speak to the desk, one file per platform.

A frontend hears (`Frontend.run`) and, where a platform can be written to unasked, speaks
(`Speaker.send`).  The control socket only hears and answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from handlers.chart import Chart
from handlers.message import Message
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


class ChatPlatform(Frontend, Speaker, Protocol):
    """Telegram, Discord: hears and speaks, and can tell how its connection does."""

    @property
    def title(self) -> str:
        """As people call it: `Telegram`."""
        ...

    @property
    def problem(self) -> str:
        """What is wrong with its connection, as in `its token is refused`; empty if nothing is."""
        ...


class Pictures(Protocol):
    """Draws charts, somewhere else: the event loop never waits for one."""

    async def draw(self, chart: Chart) -> bytes:
        """Return a PNG for the width of a phone.  Raises `NoPicture`."""
        ...


class NoPicture(Exception):
    """The chart could not be drawn; what it would have shown stands in the text."""


class Notes(Protocol):
    """Small named values that outlive the process."""

    async def note(self, name: str) -> str | None: ...

    async def keep(self, name: str, value: str) -> None: ...
