"""Facts about halts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trading.events.base import TraderEvent
from trading.model.halt import Halt, Reached
from trading.types import Symbol, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltEngaged(TraderEvent):
    halt: Halt
    above: tuple[Halt, ...] = ()
    """Stricter halts that hold some of its traders already, the strictest first."""
    hidden: bool = False
    """Of every trader that it covers something stricter holds: it changes nothing by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltAdvanced(TraderEvent):
    halt: Halt
    reached: Reached
    left_open: tuple[Symbol, ...]
    closes: tuple[Trade, ...] = ()
    """Of FLAT: what was closed on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltDelayed(TraderEvent):
    """A stage is still unconfirmed after a minute, and then each hour."""

    halt: Halt
    why: str
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltLifted(TraderEvent):
    halt: Halt
