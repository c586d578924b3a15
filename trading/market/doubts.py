"""What may be wrong with prices: told once when it begins, and once when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trading.common.frozen import fast_frozen
from trading.types import Symbol


class DoubtKind(StrEnum):
    SILENT = "silent"
    """One of several sources tells no prices; the others go on."""
    CANDLES = "candles"
    """One of several sources tells prices, but its candles cannot be had; the others' go on."""
    ACCUSED = "accused"
    """One of several sources differs from two others that agree: it does not count there."""
    DIFFER = "differ"
    """Sources differ and nobody can tell who is right: entries wait."""
    FEW = "few"
    """Too few sources are left: entries wait."""
    ENDPOINT = "endpoint"
    """Requests of one kind fail; they are tried again."""
    GAP = "gap"
    """Candles could not be had, and are asked for again: entries wait."""
    MISSING = "missing"
    """Candles that the exchange does not have: strategies go on without them."""


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
    def needs_look(self) -> bool:
        """Whether somebody should: a quiet market has no candle of a minute without trades."""
        return self.kind is not DoubtKind.MISSING

    @property
    def blocks(self) -> bool:
        """Whether nothing is entered meanwhile."""
        return self.kind in (DoubtKind.DIFFER, DoubtKind.FEW, DoubtKind.GAP)
