"""Where on Telegram: a chat, a topic in it, and groups that have got a new id."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Self

from chatbot.ports import Notes
from trading.errors import StoreError

log = logging.getLogger(__name__)

READ, UNREADABLE = "read", "unreadable"
"""Keys, in `Update.api_kwargs`, of what was read on the wire: the whole update; or who said what
cannot be read, as in `{"chat": 2, "user": 2}`."""


@dataclass(frozen=True, slots=True)
class ChatPlace:
    """A chat, and a topic in it."""

    chat: int
    """As in our settings, also after a group has got a new id."""
    topic: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `111`, `-100123` or `-100123/5`."""
        chat, _, topic = text.partition("/")
        return cls(int(chat), int(topic) if topic else None)

    def __str__(self) -> str:
        return f"{self.chat}/{self.topic}" if self.topic else str(self.chat)


class Moves:
    """Groups that became supergroups: each has a new id then, and keeps its old name here."""

    _NOTE = "telegram:moved"

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._new_ids: dict[int, int] = {}
        self._loaded = False

    async def load(self) -> None:
        """Read what is remembered.  If history does not answer, the next call tries again."""
        if self._loaded:
            return
        try:
            found = await self._notes.note(self._NOTE)
        except StoreError:
            return
        known = json.loads(found) if found else {}
        self._new_ids = {int(old): new for old, new in known.items()} | self._new_ids
        self._loaded = True

    def id_now(self, chat: int) -> int:
        return self._new_ids.get(chat, chat)

    def known_as(self, chat: int) -> int:
        """The id that stands in our settings, of a group that has *chat* now."""
        return next((old for old, new in self._new_ids.items() if new == chat), chat)

    async def add(self, chat: int, new_id: int) -> None:
        self._new_ids[self.known_as(chat)] = new_id
        await self.load()
        try:
            await self._notes.keep(self._NOTE, json.dumps(self._new_ids))
        except StoreError:
            log.warning("a group's new id was not saved; Telegram will tell it again")
