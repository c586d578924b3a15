"""Who speaks to the desk, from where, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    VIEWER = 1
    OPERATOR = 2
    OWNER = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks, from where.  `chat` and `user` are the platform's own ids, never names."""

    user: str
    """As in `telegram:111`, `local:1000`."""
    name: str
    """As people are called in answers: `ben`."""
    role: Role
    place: str
    """The platform by name: `Telegram`, `console`, `socket`."""
    chat: str
    """Where confirmations hold, as in `telegram:-100123`."""
    edits: bool = False
    """Messages there can be edited: a live message, or stages, can stand in one place."""
    shared: bool = False
    """Others read there, and all of them together may only have so many answers."""

    @property
    def signature(self) -> str:
        return f"{self.name}, {self.place}"
