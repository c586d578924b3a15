"""Which symbols may be traded, and how large: tiers by what their markets can bear.

Frozen values: each cycle `observe` returns the universe that follows from what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from trading.types import ZERO, Symbol

_MONEY = """
USDT USDC DAI FDUSD TUSD BUSD USDP PAX GUSD PYUSD USDD USDE SUSDE USDS SUSD USD1 USD0 USDB USDX
USDK USDN HUSD RLUSD XUSD BFUSD FRAX FRXUSD LUSD CRVUSD MIM GHO DOLA UST USTC USDG USDJ VAI USDQ
USDR EURC EURT EURS EURI EURCV EURQ EURR AEUR AGEUR GYEN XSGD IDRT BIDR BKRW BVND
USD EUR GBP JPY AUD CAD CHF TRY BRL ARS MXN ZAR UAH RUB NGN PLN CZK COP IDR SGD KRW
"""
STABLE = frozenset(_MONEY.split())
"""Bases that are money, or are meant to cost as much as money: they are never traded."""

CYCLES = 3
"""In a row, before a symbol enters, leaves or changes its tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a market must offer, and what may be done in it.  Money in the quote currency."""

    number: int
    name: str
    bases: frozenset[str] | None
    """None: any."""
    min_volume: Decimal
    """Of 24 hours."""
    max_spread_bps: Decimal
    min_depth: Decimal
    """Within 20 basis points of the middle, on the thinner side."""
    max_allocation: Decimal
    """Share of equity in all positions of the tier together."""
    base_size: Decimal
    """Share of equity of one entry, before its other factors."""

    def takes(self, symbol: Symbol, stats: MarketStats) -> bool:
        """Whether the market is good enough; what is unknown, or is no number, is not."""
        known = (stats.volume, stats.spread_bps, stats.depth)
        if not all(value is not None and value.is_finite() and value >= ZERO for value in known):
            return False
        return (
            (self.bases is None or symbol.base in self.bases)
            and (stats.volume or ZERO) >= self.min_volume
            and (stats.spread_bps or ZERO) <= self.max_spread_bps
            and (stats.depth or ZERO) >= self.min_depth
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketStats:
    """What was measured of one market; None: unknown."""

    volume: Decimal | None
    """Traded in 24 hours, in the quote currency."""
    spread_bps: Decimal | None
    """Between best bid and best ask."""
    depth: Decimal | None
    """Within 20 basis points of the middle, on the thinner side, in the quote currency."""


CORE = Tier(
    number=1,
    name="core",
    bases=frozenset({"BTC", "ETH", "SOL"}),
    min_volume=Decimal(10_000_000),
    max_spread_bps=Decimal(20),
    min_depth=Decimal(100_000),
    max_allocation=Decimal("0.40"),
    base_size=Decimal("0.03"),
)
ROTATIONAL = Tier(
    number=2,
    name="rotational",
    bases=None,
    min_volume=Decimal(5_000_000),
    max_spread_bps=Decimal(35),
    min_depth=Decimal(25_000),
    max_allocation=Decimal("0.20"),
    base_size=Decimal("0.02"),
)
EVENT = Tier(
    number=3,
    name="event",
    bases=None,
    min_volume=Decimal(2_000_000),
    max_spread_bps=Decimal(60),
    min_depth=Decimal(10_000),
    max_allocation=Decimal("0.10"),
    base_size=Decimal("0.007"),
)
TIERS = (CORE, ROTATIONAL, EVENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A symbol that has not been where it belongs for some cycles."""

    better: bool
    """It met a better tier than its own; otherwise it did not meet its own."""
    cycles: int
    worst: int | None
    """The worst tier it met in those cycles; None: none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """The symbols that may be traded at the moment, and those that are on their way in or out.

    A symbol moves after `cycles` observations in a row on the same side of its tier, and then to
    the worst tier that it met in them: so one good look lets nobody in, and swinging between two
    bad ones keeps nobody.  A symbol that was not measured counts as meeting no tier.
    """

    tiers: tuple[Tier, ...] = TIERS
    """The best first."""
    cycles: int = CYCLES
    members: Mapping[Symbol, int] = field(default_factory=dict)
    """Number of the tier by symbol, in the order of the symbols."""
    drifts: Mapping[Symbol, Drift] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cycles < 1:
            raise ValueError(f"cycles is {self.cycles}; it must be at least 1")
        numbers = [tier.number for tier in self.tiers]
        if not numbers or numbers != sorted(set(numbers)):
            raise ValueError(f"tiers are numbered {numbers}; each number once, the best first")

    def tier(self, symbol: Symbol) -> Tier | None:
        """Where *symbol* may be traded now; None: nowhere."""
        number = None if is_stable(symbol) else self.members.get(symbol)
        return next((tier for tier in self.tiers if tier.number == number), None)

    def observe(self, stats: Mapping[Symbol, MarketStats]) -> Universe:
        """The universe after one more cycle that measured *stats*."""
        members, drifts = dict[Symbol, int](), dict[Symbol, Drift]()
        for symbol in sorted({*stats, *self.members}):
            if is_stable(symbol):
                continue
            own = self.members.get(symbol)
            drift = self._drift(symbol, own, self._met(symbol, stats.get(symbol)))
            if drift is not None and drift.cycles >= self.cycles:
                own, drift = drift.worst, None
            if own is not None:
                members[symbol] = own
            if drift is not None:
                drifts[symbol] = drift
        return replace(self, members=members, drifts=drifts)

    def _met(self, symbol: Symbol, stats: MarketStats | None) -> int | None:
        """Number of the best tier that takes it; None: none."""
        if stats is None:
            return None
        return next((tier.number for tier in self.tiers if tier.takes(symbol, stats)), None)

    def _drift(self, symbol: Symbol, own: int | None, met: int | None) -> Drift | None:
        if met == own:
            return None
        better = _rank(met) < _rank(own)
        before = self.drifts.get(symbol)
        if before is None or before.better != better:
            return Drift(better=better, cycles=1, worst=met)
        worst = max(before.worst, met, key=_rank)
        return Drift(better=better, cycles=before.cycles + 1, worst=worst)


def is_stable(symbol: Symbol) -> bool:
    """Whether it is money for money: nothing to be won in it but the spread to be lost."""
    return symbol.base in STABLE


def _rank(number: int | None) -> float:
    return float("inf") if number is None else number
