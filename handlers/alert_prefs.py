"""What the process keeps of what people hear: levels, answers, prices to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from handlers.reply import Level
from trading.ports import Alert
from trading.types import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPreferences:
    """What one chat hears."""

    chat: str
    """As in `telegram:111`, `console:`."""
    at_least: Level
    muted: frozenset[str]
    """Kinds, by their class names; critical alerts come all the same."""
    quiet: str
    """As in `23:00-07:00`; empty: no quiet hours."""
    zone: str
    queued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A critical alert that nobody has acknowledged."""

    id: str
    """A1, A2, ... in the order in which they were told."""
    title: str
    at: datetime
    chats: tuple[str, ...]
    """Where it was told."""
    escalated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceNotice:
    number: int
    symbol: Symbol
    above: bool
    level: Decimal
    by: str
    chat: str
    """Which chat is told; empty: all of them."""


class Notices(Protocol):
    """What people asked to be told, and what they have answered.  Outlives the process."""

    def preferences(self, chat: str) -> AlertPreferences | None:
        """What *chat* hears; None: no alert goes there."""
        ...

    async def hear(self, chat: str, *, at_least: Level, muted: frozenset[str]) -> None:
        """From now on *chat*, which hears something, hears no less than this."""
        ...

    async def told(self, chat: str, *, limit: int) -> Sequence[Alert]:
        """The newest alerts of *chat*, newest first."""
        ...

    def unanswered(self) -> Sequence[Unanswered]:
        """Oldest first."""
        ...

    async def acknowledge(self, ids: Sequence[str], *, by: str) -> None: ...

    def price_notices(self) -> Sequence[PriceNotice]: ...

    async def notify(
        self, symbol: Symbol, *, above: bool, level: Decimal, by: str, chat: str
    ) -> PriceNotice:
        """Remember it; the same asked twice in one chat is one.

        Its chat is empty where that one cannot be written to: then whoever hears alerts is told.
        Raises `Refused` when nobody would be.
        """
        ...

    async def forget(self, number: int) -> bool:
        """False: there is none with this number."""
        ...
