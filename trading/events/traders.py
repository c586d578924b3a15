"""Facts about a trader's way: its start, its cycles, its feed, its venue, its universe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.events.base import TraderEvent
from trading.market.doubts import PriceDoubt
from trading.model.halt import Halt
from trading.types import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSlow(TraderEvent):
    seconds: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLost(TraderEvent):
    silent: timedelta
    refused_until: datetime | None = None
    """Wall time at which the venue's ban ends; None: it is only silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueBack(TraderEvent):
    gap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderCrashed(TraderEvent):
    """Its loops broke on our side; stops at the venue stay, it is started again."""

    reference: str
    again_in: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderRestarted(TraderEvent):
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChange:
    """A symbol that has entered a universe, left it, or changed its tier."""

    symbol: Symbol
    before: int | None
    """Number of its tier; None, here and below: outside."""
    after: int | None
    why: str
    """Why it is outside, as a clause; empty if it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseChanged(TraderEvent):
    changes: tuple[TierChange, ...]
    size: int
    """Symbols that may be entered now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFailed(TraderEvent):
    """The last survey of the market is too old by now: what was only discovered is not entered."""

    why: str
    age: timedelta | None
    """Of the last survey (market time); None: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRecovered(TraderEvent):
    size: int
    """Symbols that may be entered now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEnded(TraderEvent):
    """A replay has no more candles."""

    last_bar: datetime
    open_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLost(TraderEvent):
    silent: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedBack(TraderEvent):
    gap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesDoubted(TraderEvent):
    """Something is wrong with prices; told once, however long it lasts."""

    doubt: PriceDoubt


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesCleared(TraderEvent):
    """What was wrong with prices is over."""

    doubt: PriceDoubt
    lasted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFailed(TraderEvent):
    """A cycle broke on our side."""

    reference: str
    protected: bool = False
    """Exits and stops were seen to before it broke; else they are tried again in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleEnded(TraderEvent):
    bars: int
    decisions: int
    seconds: float
    equity: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDelayed(TraderEvent):
    """Its books cannot be compared with the venue's, so it does not trade; tried on and on."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderStarted(TraderEvent):
    took: timedelta
    down_for: timedelta | None
    """None: the first start with this state folder."""
    clean: bool
    """Whether the process before this one ended by itself."""
    positions: int
    orders: int
    unknown: int
    """Orders that were in doubt, and are resolved now."""
    missed_fills: int
    differs: str
    """What our books and the venue's still disagree about; empty if they are equal."""
    halt: Halt | None
    place: str = ""
    """Where real orders go, as in `binance swap`; empty where none do."""
    unproven: bool = False
    """Nobody has seen done there what it relies on, and the operator has accepted that."""
