"""What `/venues` tells of each venue in the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chatbot.settings import Settings
from chatbot.settings.trading import CcxtVenueSettings
from chatbot.wiring.proven import proof_for
from handlers.context import VenueSummary
from trading.ports import Venue
from trading.venues.ccxt.row import Can
from trading.venues.offers import asked_of, resting


def venue_summaries(
    settings: Settings, folder: Path, open_venues: Mapping[str, Venue]
) -> tuple[VenueSummary, ...]:
    """Each in the order of the settings; *open_venues*: those that traders use, by name."""
    return tuple(
        _summary(name, section, folder, open_venues.get(name))
        if isinstance(section, CcxtVenueSettings)
        else VenueSummary(name=name, place="paper", uses="fills against the feed, no real order")
        for name, section in settings.venues.items()
    )


def _summary(
    name: str, section: CcxtVenueSettings, folder: Path, venue: Venue | None
) -> VenueSummary:
    row, proof = section.offer.row, proof_for(section, folder)
    accepted = "accepted" if section.accept_unproven else "live is refused"
    return VenueSummary(
        name=name,
        place=section.place,
        uses="reads only" if section.read_only else "takes orders",
        offers=tuple(
            what.value
            for what in asked_of(row)
            if what is not Can.SANDBOX and not row.lacking(what)
        ),
        rests=resting(row),
        proof=f"proven {proof.words}" if proof else f"not proven: {accepted}",
        refuses_until=None if venue is None else venue.refuses_until,
    )
