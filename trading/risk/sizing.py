"""How large an entry may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

from trading.common.frozen import fast_frozen
from trading.risk.limits import Limits
from trading.risk.snapshot import Proposal
from trading.types import ZERO

_DOWN = Context(rounding=ROUND_DOWN)
"""No digit that is cut off makes an entry larger."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    quantity: Decimal
    """In whole lots; zero when not even one fits."""
    risk: Decimal
    notional: Decimal
    bound: str
    """What kept it small: `risk`, `position`, `room`, or `market` (its largest order)."""


def usual(proposal: Proposal, limits: Limits) -> Decimal:
    """Share of equity of an entry whose size is 1: its tier's, or the largest position."""
    base = None if proposal.tier is None else proposal.tier.base_size
    return limits.max_position if base is None else base


def size(proposal: Proposal, *, equity: Decimal, room: Decimal, limits: Limits) -> Size:
    """Return the largest whole number of lots inside all limits.

    The loss at the stop is at most `risk_per_trade` of *equity*, the notional at most what is
    `usual` in its tier, times the proposal's size, at most `max_position` of *equity*, and at most
    *room*, the money that may still be put to work; and the quantity is at most what the market
    takes in one order.  All prices and amounts must be finite and positive.
    """
    distance = abs(proposal.price - proposal.stop)
    budget = limits.risk_per_trade * equity * proposal.size
    cap = min(limits.max_position, usual(proposal, limits) * proposal.size) * equity
    most, bound = _DOWN.divide(budget, distance), "risk"
    for other, name in (
        (_DOWN.divide(cap, proposal.price), "position"),
        (_DOWN.divide(room, proposal.price), "room"),
        (proposal.rules.max_quantity, "market"),
    ):
        if other is not None and other < most:
            most, bound = other, name
    quantity = proposal.rules.quantity(max(ZERO, most), _DOWN)
    return Size(
        quantity=quantity,
        risk=quantity * distance,
        notional=quantity * proposal.price,
        bound=bound,
    )
