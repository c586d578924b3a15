"""What can be done next for what rests of a position, and what one round has done so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trading.model.legs import Leg
from trading.types import Order, OrderType


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take away what should not rest."""

    order: Order


@dataclass(frozen=True, slots=True)
class AskRoom:
    """Ask the market's rules whether what should replace a stop could be sent, before it goes."""


@dataclass(frozen=True, slots=True)
class AskRules:
    """Ask the market's rules anew, and try once more."""


@dataclass(frozen=True, slots=True)
class AskTraded:
    """Ask whether what was not traded is by now."""


@dataclass(frozen=True, slots=True)
class Place:
    """Send what was written down with the fill that made it necessary."""

    orders: Sequence[Order]


@dataclass(frozen=True, slots=True)
class SendStop:
    leg: Leg


@dataclass(frozen=True, slots=True)
class SendTarget:
    leg: Leg


@dataclass(frozen=True, slots=True)
class PutBack:
    """Put back as much as is still open of the stops that went, as they were."""

    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Close at once: the price is beyond a stop that does not rest, and none is in doubt."""


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Book out what nobody can sell."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing is open, and nothing rests any more."""


@dataclass(frozen=True, slots=True)
class TellBare:
    why: str


@dataclass(frozen=True, slots=True)
class TellStays:
    why: str


@dataclass(frozen=True, slots=True)
class TellProtected:
    """All is as it should be."""


Step = (
    Cancel | AskRoom | AskRules | AskTraded | Place | SendStop | SendTarget | PutBack | Leave
    | WriteOff | Forget | TellBare | TellStays | TellProtected
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VenueRefusal:
    note: str
    misfit: bool = False


@dataclass(slots=True)
class Round:
    """What one convergence has done so far."""

    gone: list[Order] = field(default_factory=list)
    """Stops that it has taken away."""
    doubted: set[OrderType] = field(default_factory=set)
    """Kinds of which one was cancelled and may still rest: no more of them is taken away."""
    refused: VenueRefusal | None = None
    """Why a stop could not be sent."""
    asked_room: bool = False
    asked_rules: bool = False
    asked_traded: bool = False
    places: bool = False
    """A stop was sent: none is taken away any more."""
    adds: bool = False
    """The same of targets."""
    told: bool = False
    """It is told that the stops are not as they should be: nothing more can be done for them."""
    keeps: bool = False
    """They stay as they are, or what is open is being closed: nothing joins them."""
    stops_done: bool = False
    targets_done: bool = False
    over: bool = False
