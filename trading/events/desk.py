"""Facts about the process and everybody in it: rules, settings, chats, history, the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.events.base import Event
from trading.types import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReached(Event):
    """A price that somebody asked to be told about."""

    symbol: Symbol
    price: Decimal
    above: bool
    """Whether it had to rise to `level`; else to fall."""
    level: Decimal
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBroken(Event):
    """An alert rule of the settings holds."""

    name: str
    condition: str
    value: Decimal | bool
    action: str
    """`notify`, `pause` or `stop`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRestored(Event):
    name: str
    condition: str
    lasted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsReloaded(Event):
    by: str
    changes: tuple[str, ...]
    """As in `traders.majors.limits.risk_per_trade 0.003 to 0.0025`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRefused(Event):
    mistakes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLagged(Event):
    """The process was too busy to answer for a while."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """The machine's wall clock was set; waits are measured by another clock and go on."""

    by: timedelta
    """Positive: forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillAlive(Event):
    """A heartbeat: silence means that the desk is down."""

    since: timedelta
    scans: int
    errors: int
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertUnanswered(Event):
    """Nobody acknowledged a critical alert; the other owners hear of it."""

    title: str
    said_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLost(Event):
    """A chat platform, or one chat of it, is out of reach; the others hear of it."""

    chat: str
    """As in `Telegram`, or `Telegram chat 111`."""
    why: str
    """A clause: `its token is refused`."""
    silent: timedelta
    own: tuple[str, ...]
    """The chats that are lost, as in `telegram:111`: they are not told of themselves."""
    whole: bool = True
    """The whole platform; else one chat of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBack(Event):
    chat: str
    gap: timedelta
    own: tuple[str, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFailed(Event):
    """The database does not take what must be remembered."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLost(Event):
    """Its file is not where it was: what is written into it, no start will find."""

    why: str
    rescued: str
    """The name of a copy of all that was written; empty if none could be made."""
    is_damaged: bool = False
    """It is where it was, and nothing can be put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRefused(Event):
    """The database takes everything but one change; that one waits beside the others."""

    why: str
    what: str
    """As in `1 order, 2 fills`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecovered(Event):
    waited: timedelta
    left: int = 0
    """Changes that it still does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskStopping(Event):
    by: str
    open_positions: tuple[Symbol, ...]
    unprotected: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerSeen(Event):
    """Somebody without a role spoke to us; their words are not kept."""

    who: str
    where: str
