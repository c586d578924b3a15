"""What is told by editing one message: who is being followed, and where.

Nothing of it outlives the process: a live message then just stays, and its age line tells; a stage
that was not shown is told by its alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

REMEMBERED = 256
"""Stories that are followed in some chat."""


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """One live message."""

    until: datetime
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody ended it, or asked for another one in the same chat."""


class Watches:
    """The live messages of one desk, at most one in each chat.  Void after a restart."""

    def __init__(self) -> None:
        self._by_chat: dict[str, Watch] = {}

    def begin(self, chat: str, until: datetime) -> Watch:
        """The new one of *chat*; the one before it ends."""
        self.end(chat)
        self._by_chat[chat] = made = Watch(until)
        return made

    def end(self, chat: str) -> None:
        """End the one of *chat*, if there is one, at once."""
        watch = self._by_chat.pop(chat, None)
        if watch is not None:
            watch.ended.set()

    def over(self, chat: str, watch: Watch) -> None:
        """*watch* has ended by itself; a newer one of the chat goes on."""
        if self._by_chat.get(chat) is watch:
            del self._by_chat[chat]


# -- stages of a story ----------------------------------------------------------------------


class InPlace(Enum):
    """How a stage comes to a chat whose message waits for it."""

    FOLLOWED = "followed"
    """It will be edited in."""
    SHOWN = "shown"
    """It was edited in: an alert would tell it a second time."""


class Stories:
    """Which stories are told in which chat by editing, so that no alert tells them as well."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], InPlace] = {}

    def follow(self, chat: str, stories: Sequence[str]) -> None:
        for story in stories:
            self._states[chat, story] = InPlace.FOLLOWED
        while len(self._states) > REMEMBERED:
            del self._states[next(iter(self._states))]

    def shown(self, chat: str, stories: Sequence[str]) -> None:
        """The last stage stands in the message."""
        for story in stories:
            self._states[chat, story] = InPlace.SHOWN

    def leave(self, chat: str, stories: Sequence[str]) -> None:
        """Nothing more is edited in: alerts tell it."""
        for story in stories:
            self._states.pop((chat, story), None)

    def state(self, chat: str, story: str) -> InPlace | None:
        """None: alerts tell it."""
        return self._states.get((chat, story))
