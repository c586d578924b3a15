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
    used: Decimal = ZERO
    """Money at work within it."""
    limit: Decimal | None = None
    """Share of equity that may be; None: that is told of the whole desk alone."""
    equity: Decimal = ZERO
    within: str = ""
    """As in `in theme meme`."""

    @property
    def told(self) -> str:
        """What is used of it, as a clause: `theme meme 4.80 % of 5.00 %`."""
        if self.limit is None:
            return self.name
        share = words.percent(self.used / self.equity)
        return f"{self.name} {share} of {words.percent(self.limit)}"

    @property
    def bound(self) -> str:
        """How an entry is told that was kept to it: `5.00 % in theme meme`."""
        return self.name if self.limit is None else f"{words.percent(self.limit)} {self.within}"


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
        yield Headroom(name=desk, left=max(ZERO, book.desk_headroom))
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
    left = max(ZERO, limit * equity - used)
    return Headroom(name=name, left=left, used=used, limit=limit, equity=equity, within=within)
