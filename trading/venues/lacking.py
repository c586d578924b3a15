"""What a venue cannot do is refused before anything is sent, in the same words at each of them."""

from __future__ import annotations

from trading.errors import VenueRejected
from trading.ports import Venue
from trading.types import CONDITIONAL, MarketRules, Order, OrderType, Stops, Targets


def refuse_impossible(venue: Venue, order: Order, rules: MarketRules) -> None:
    """Raise `VenueRejected` where nothing that *venue* takes would be what *order* means."""
    if order.reduce_only and not venue.reduce_only:
        raise VenueRejected(
            f"nothing can be marked reduce-only on {venue.name}: it might open something"
        )
    if order.type is OrderType.TARGET and venue.targets is Targets.DESK:
        raise VenueRejected(f"no target can rest on {venue.name}: the desk keeps it")
    if order.type not in CONDITIONAL:
        return
    if rules.stops is Stops.DESK:
        raise VenueRejected(f"no {order.type} of {order.symbol} can rest on {venue.name}")
    if rules.stops is Stops.LIMIT and order.price is None:
        raise VenueRejected(
            f"a {order.type} of {order.symbol} can rest on {venue.name} as a limit only"
        )


def refuse_unpaired(venue: Venue) -> None:
    """Raise `VenueRejected` unless a stop and a target can go in one list."""
    if venue.targets is not Targets.PAIRED:
        raise VenueRejected(f"{venue.name} takes no stop and target in one list")
