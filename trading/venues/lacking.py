"""What a venue cannot do is refused before anything is sent, in the same words at each of them."""

from __future__ import annotations

from trading.errors import VenueRejected
from trading.types import CONDITIONAL, MarketRules, Order, OrderType, Stops, Targets


def refuse_impossible(
    order: Order, rules: MarketRules, *, venue: str, marks: bool, targets: Targets
) -> None:
    """Raise `VenueRejected` where nothing that *venue* takes would be what *order* means.

    *marks*: it can be told that an order must not open anything.
    """
    if order.reduce_only and not marks:
        raise VenueRejected(
            f"nothing can be marked reduce-only on {venue}: it might open something"
        )
    if order.type is OrderType.TARGET and targets is Targets.DESK:
        raise VenueRejected(f"no target can rest on {venue}: the desk keeps it")
    if order.type not in CONDITIONAL:
        return
    if rules.stops is Stops.DESK:
        raise VenueRejected(f"no {order.type} of {order.symbol} can rest on {venue}")
    if rules.stops is Stops.LIMIT and order.price is None:
        raise VenueRejected(f"a {order.type} of {order.symbol} can rest on {venue} as a limit only")


def refuse_unpaired(*, venue: str, targets: Targets) -> None:
    """Raise `VenueRejected` unless a stop and a target can go in one list."""
    if targets is not Targets.PAIRED:
        raise VenueRejected(f"{venue} takes no stop and target in one list")
