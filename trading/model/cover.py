"""What rests against a position, as a value: who places stops makes it, who looks reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.common.frozen import fast_frozen
from trading.types import ZERO


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What rests against a position now, as far as its venue has confirmed it."""

    quantity: Decimal = ZERO
    """Of all stops that rest, unsigned."""
    price: Decimal | None = None
    """Theirs; None: none rests."""
    in_doubt: bool = False
    """One was sent, or is being taken away, and the venue has not answered."""
    bare_since: datetime | None = None
    """Wall time since which not all of it has a stop that rests; None: all has."""
    why: str = ""
    """Why it is not as it should be, as a clause; empty if nothing is known to be wrong."""
