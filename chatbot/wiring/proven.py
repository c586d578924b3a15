"""Which venues of the settings are proven, and that nobody trades live on another unasked."""

from __future__ import annotations

from pathlib import Path

from chatbot.folder.proofs import Proof, ProvenMarket, proof_of
from chatbot.settings import Settings, TraderSection
from chatbot.settings.trading import CcxtVenueSettings
from trading.errors import SettingsError
from trading.types import Mode


def proof_for(section: CcxtVenueSettings, folder: Path) -> Proof | None:
    """Of that market of that exchange, with the versions that run; None: unproven."""
    return proof_of(folder, market_of(section))


def market_of(section: CcxtVenueSettings) -> ProvenMarket:
    return ProvenMarket.now(
        exchange=section.exchange, market=section.market.value, url=section.url or ""
    )


def is_unproven(settings: Settings, section: TraderSection, folder: Path) -> bool:
    """Whether real orders of that trader would go where nobody has seen them done."""
    venue = settings.venues[section.venue]
    if section.mode is not Mode.LIVE or not isinstance(venue, CcxtVenueSettings):
        return False
    return proof_for(venue, folder) is None


def refuse_unproven(settings: Settings, folder: Path) -> None:
    """Raises `SettingsError`: which venues of live traders are neither proven nor accepted."""
    wrong = {
        section.venue: sentence
        for section in settings.traders.values()
        if section.enabled and is_unproven(settings, section, folder)
        if (sentence := _unaccepted(settings, section.venue))
    }
    if wrong:
        raise SettingsError(list(wrong.values()))


def _unaccepted(settings: Settings, name: str) -> str:
    venue = settings.venues[name]
    if not isinstance(venue, CcxtVenueSettings) or venue.accept_unproven:
        return ""
    why = (
        f"{venue.place} is not proven with these versions of Quarterdeck and ccxt, and real orders"
        f" would go there; run quarterdeck prove {name}, or set accept_unproven = true in"
        f" [venues.{name}]"
    )
    return settings.mistake("venues", name, "accept_unproven", why=why)
