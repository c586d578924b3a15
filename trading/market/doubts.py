"""What may be wrong with prices: told once when it begins, and once when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trading.common.frozen import fast_frozen
from trading.types import Symbol


class DoubtKind(StrEnum):
    SILENT = "silent"
    """One of several sources cannot be had; the others go on."""
    ACCUSED = "accused"
    """One of several sources differs from two others that agree: it does not count there."""
    DIFFER = "differ"
    """Sources differ and nobody can tell who is right: entries wait."""
    FEW = "few"
    """Too few sources are left: entries wait."""
    GAP = "gap"
    """Bars are missing that the exchange does not have: entries wait."""
    STALE = "stale"
    """The exchange says nothing of some symbols: entries wait."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDoubt:
    kind: DoubtKind
    source: str = ""
    """Who is silent or accused; empty where nobody is."""
    symbols: tuple[Symbol, ...] = ()
    """Whom it is about; empty: all of them."""
    why: str = ""
    """As a clause: what was said, by whom."""

    @property
    def blocks(self) -> bool:
        """Whether nothing is entered meanwhile."""
        return self.kind not in (DoubtKind.SILENT, DoubtKind.ACCUSED)
