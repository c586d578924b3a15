"""What a command may touch.  Nothing else is in scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from handlers.in_place import Stories, Watches

if TYPE_CHECKING:
    from handlers.command import Commands
    from handlers.confirm import Confirmations
    from handlers.notices import Notices
    from trading.clocks import Clock
    from trading.desk import Desk
    from trading.ports import Store


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

    @property
    def signature(self) -> str:
        return f"{self.name}, {self.place}"


@dataclass(frozen=True, slots=True)
class Message:
    """One line said to the desk.  A pressed button is the line it stands for."""

    caller: Caller
    text: str
    sent_at: datetime
    """Wall time by the platform: what loosens or spends is refused when it is old."""
    id: str = ""
    """The platform's event id; the same one twice acts once.  Empty: it cannot come twice."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a role, and where they may speak."""

    name: str
    role: Role
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A copy of the history that was made, and the oldest ones that went for it."""

    name: str
    removed: tuple[str, ...] = ()


class Administration(Protocol):
    """What the process offers to those who look after it."""

    def settings(self) -> Sequence[tuple[str, str]]:
        """Every key with its value in force, in the order of the file; secrets masked."""
        ...

    def people(self) -> Sequence[Person]: ...

    def chats(self) -> Mapping[str, str]:
        """Each chat platform by name, with what is wrong with it; empty if nothing is."""
        ...

    async def reload(self, *, by: str) -> Sequence[str]:
        """Read the settings again; return what changed, one clause each.

        Raises `SettingsError` with every mistake, and changes nothing then.
        """
        ...

    async def backup(self) -> BackedUp:
        """Copy the history; remove the oldest copies above what is kept.  Raises `Refused`."""
        ...

    async def log(self, count: int) -> Sequence[str]:
        """The newest *count* log lines, oldest first, as `HH:MM:SS level text`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The long-lived parts that commands share."""

    name: str
    """What the operator calls this desk: `harbour`."""
    version: str
    desk: Desk
    store: Store
    clock: Clock
    commands: Commands
    confirmations: Confirmations
    administration: Administration
    notices: Notices
    watches: Watches = field(default_factory=Watches)
    stories: Stories = field(default_factory=Stories)


@dataclass(frozen=True, slots=True)
class Context:
    """One invocation: who is asking, and what there is to ask."""

    message: Message
    services: Services

    @property
    def caller(self) -> Caller:
        return self.message.caller
