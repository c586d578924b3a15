"""How much more may be put to work: in all, in a theme, in a tier, and on the whole desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading.common import words
from trading.common.frozen import fast_frozen
from trading.risk.limits import Limits, Theme
from trading.risk.snapshot import Proposal, RiskSnapshot
from trading.types import ZERO, Symbol


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """One bound on the money at work, in quote currency."""

    name: str
    """As in `theme meme`."""
    left: Decimal
    """Never below zero."""
    told: str
    """What is used of it, as a clause: `theme meme 4.80 % of 5.00 %`."""
    bound: str
    """How an entry is told that was kept to it: `5.00 % in theme meme`."""


def narrowest(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> Headroom:
    """The room that leaves an entry the least.  Equity must be known and above zero."""
    return min(_headrooms(proposal, book, limits), key=lambda headroom: headroom.left)


def in_theme(theme: Theme, exposures: Mapping[Symbol, Decimal]) -> Decimal:
    """What of *exposures* is at work in *theme*, in quote currency."""
    return sum((at_work for s, at_work in exposures.items() if theme.holds(s)), ZERO)


def in_tier(number: int, book: RiskSnapshot) -> Decimal:
    """What is at work in that tier, in quote currency."""
    return sum((at for s, at in book.exposures.items() if book.tiers.get(s) == number), ZERO)


def _headrooms(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> Iterator[Headroom]:
    """Of those that leave the same, the first is told."""
    if book.desk_headroom is not None:
        desk = "the whole desk's exposure"
        yield Headroom(name=desk, left=max(ZERO, book.desk_headroom), told=desk, bound=desk)
    yield _headroom("exposure", "exposure", book.exposure, limits.max_exposure, book)
    for theme in limits.themes:
        if theme.holds(proposal.symbol):
            name, used = f"theme {theme.name}", in_theme(theme, book.exposures)
            yield _headroom(name, f"in {name}", used, theme.max_exposure, book)
    if proposal.tier is not None and proposal.tier.max_allocation is not None:
        name, used = f"tier {proposal.tier.name}", in_tier(proposal.tier.number, book)
        yield _headroom(name, f"in {name}", used, proposal.tier.max_allocation, book)


def _headroom(
    name: str, within: str, used: Decimal, limit: Decimal, book: RiskSnapshot
) -> Headroom:
    equity = book.equity or ZERO
    return Headroom(
        name=name,
        left=max(ZERO, limit * equity - used),
        told=f"{name} {words.percent(used / equity)} of {words.percent(limit)}",
        bound=f"{words.percent(limit)} {within}",
    )
