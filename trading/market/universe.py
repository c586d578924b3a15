"""Which symbols may be traded, and how large: tiers by what their markets can bear.

Frozen values: each survey that is observed returns the universe that follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeGuard

from trading.common import words
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
VOLUME, SPREAD, DEPTH = "volume", "spread", "depth"
EVERYTHING = frozenset({VOLUME, SPREAD, DEPTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketStats:
    """What was measured of one market; None: unknown.  Money in the quote currency."""

    volume: Decimal | None
    """Traded in 24 hours."""
    spread_bps: Decimal | None
    """Between best bid and best ask, in basis points of the middle."""
    depth: Decimal | None
    """Within 20 basis points of the middle, on the thinner side."""
    tradable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketScan:
    """All markets of one quote currency as they were at one moment."""

    at: datetime
    """Market time."""
    stats: Mapping[Symbol, MarketStats]
    measured: frozenset[str] = EVERYTHING
    """What can be measured there at all: a recording of candles has volumes only."""
    _met: dict[object, Mapping[Symbol, int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Who meets which tier, by the rules of a universe: worked out once, asked for each symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a market must offer, and what may be done in it.  Money in the quote currency."""

    number: int
    name: str
    bases: frozenset[str] | None = None
    """None: any."""
    min_volume: Decimal
    """Of 24 hours."""
    max_spread_bps: Decimal | None = None
    """None, here and below: it does not matter, or has no limit."""
    min_depth: Decimal | None = None
    """Within 20 basis points of the middle, on the thinner side."""
    max_allocation: Decimal | None = None
    """Share of equity in all positions of the tier together."""
    base_size: Decimal | None = None
    """Share of equity of one entry, before its other factors."""

    def admits(self, symbol: Symbol) -> bool:
        """Whether *symbol* may be in it, if its market is good enough."""
        return self.bases is None or symbol.base in self.bases

    def takes(
        self, symbol: Symbol, stats: MarketStats, measured: frozenset[str] = EVERYTHING
    ) -> bool:
        return (
            self.admits(symbol)
            and stats.tradable
            and _is_enough(stats.volume, self.min_volume)
            and (SPREAD not in measured or _is_narrow(stats.spread_bps, self.max_spread_bps))
            and (DEPTH not in measured or _is_enough(stats.depth, self.min_depth))
        )

    def shortfall(self, stats: MarketStats, measured: frozenset[str] = EVERYTHING) -> str:
        """What the market lacks, as in `volume 3.1 M < 5 M`; empty: nothing, so that it is taken.

        What is unknown, or is no number, is not enough; what nobody could measure is not asked for.
        """
        if not stats.tradable:
            return "not traded now"
        return (
            _too_little("volume", stats.volume, self.min_volume)
            or (_too_wide(stats.spread_bps, self.max_spread_bps) if SPREAD in measured else "")
            or (_too_little("depth", stats.depth, self.min_depth) if DEPTH in measured else "")
        )


def _is_enough(value: Decimal | None, least: Decimal | None) -> bool:
    return least is None or (_is_figure(value) and value >= least)


def _is_narrow(value: Decimal | None, most: Decimal | None) -> bool:
    return most is None or (_is_figure(value) and value <= most)


def _too_little(name: str, value: Decimal | None, least: Decimal | None) -> str:
    if least is None or _is_enough(value, least):
        return ""
    if not _is_figure(value):
        return f"{name} unknown"
    return f"{name} {words.short(value)} < {words.short(least)}"


def _too_wide(value: Decimal | None, most: Decimal | None) -> str:
    if most is None or _is_narrow(value, most):
        return ""
    if not _is_figure(value):
        return "spread unknown"
    return f"spread {words.bps(value)} > {words.bps(most)} bps"


def _is_figure(value: Decimal | None) -> TypeGuard[Decimal]:
    return value is not None and value.is_finite() and value >= ZERO


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
    """A symbol that has not been where it belongs for some surveys."""

    better: bool
    """It met a better tier than its own; otherwise it did not meet its own."""
    cycles: int
    worst: int | None
    """The worst tier it met in those surveys; None: none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """The symbols that may be traded at the moment, and those that are on their way in or out.

    A symbol moves after `cycles` surveys in a row on the same side of its tier, and then to the
    worst tier that it met in them: so one good look lets nobody in, and swinging between two bad
    ones keeps nobody.  A symbol that was not measured counts as meeting no tier.
    """

    tiers: tuple[Tier, ...] = TIERS
    """The best first."""
    cycles: int = CYCLES
    most: int | None = None
    """At most so many members, those in the best tiers and with the largest volumes."""
    never: frozenset[str] = frozenset()
    """Bases that are not traded here, besides money and what costs as much."""
    members: Mapping[Symbol, int] = field(default_factory=dict)
    """Number of the tier by symbol, in the order of the symbols."""
    drifts: Mapping[Symbol, Drift] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cycles < 1:
            raise ValueError(f"cycles is {self.cycles}; it must be at least 1")
        if self.most is not None and self.most < 1:
            raise ValueError(f"most is {self.most}; it must be at least 1")
        numbers = [tier.number for tier in self.tiers]
        if not numbers or numbers != sorted(set(numbers)):
            raise ValueError(f"tiers are numbered {numbers}; each number once, the best first")

    def tier(self, symbol: Symbol) -> int | None:
        """Number of the tier in which *symbol* may be traded now; None: it may not."""
        number = self.members.get(symbol)
        return None if number is None or self.never_trades(symbol) else number

    def terms(self, symbol: Symbol) -> Tier | None:
        """What may be done in *symbol* now; None: nothing."""
        number = self.tier(symbol)
        if number is None:
            return None
        return next((tier for tier in self.tiers if tier.number == number), None)

    def _is_refused(self, symbol: Symbol) -> bool:
        return not self.never.isdisjoint((symbol.base, symbol.coin))

    def never_trades(self, symbol: Symbol) -> bool:
        """Whether *symbol* is never traded, whatever its market."""
        return is_stable(symbol) or self._is_refused(symbol)

    def observe(self, scan: MarketScan) -> Universe:
        """The universe after one more survey."""
        met = self._met(scan)
        if not self.drifts and met == self.members:
            return self
        members, drifts = dict[Symbol, int](), dict[Symbol, Drift]()
        for symbol in sorted({*met, *self.members, *self.drifts}):
            if self.never_trades(symbol):
                continue
            own = self.members.get(symbol)
            drift = self._drift(symbol, own, met.get(symbol))
            if drift is not None and drift.cycles >= self.cycles:
                own, drift = drift.worst, None
            if own is not None:
                members[symbol] = own
            if drift is not None:
                drifts[symbol] = drift
        for symbol in self._too_many(members, scan):
            drifts[symbol] = Drift(better=True, cycles=self.cycles, worst=members.pop(symbol))
        return replace(self, members=members, drifts=drifts)

    def why_not(self, symbol: Symbol, scan: MarketScan | None) -> str:
        """Why *symbol* is no member, as a clause; *scan*: the last one, None: unknown."""
        if is_stable(symbol):
            return "it is money, or meant to cost as much"
        if self._is_refused(symbol):
            return "the settings say never"
        drift = self.drifts.get(symbol)
        if drift is not None and drift.better:
            left = self.cycles - drift.cycles
            return f"good in {drift.cycles} of {self.cycles} surveys" if left else "no room yet"
        if scan is None:
            return "not surveyed yet"
        return self.lacks(symbol, scan) or "good in 0 surveys yet"

    def lacks(self, symbol: Symbol, scan: MarketScan, *, own: bool = False) -> str:
        """Why the survey alone lets *symbol* into no tier, as in `volume 3.1 M < 5 M`.

        *own*: into its own tier; empty, there too, if it does let it in.
        """
        stats = scan.stats.get(symbol)
        if stats is None:
            return "not on the market's list"
        easiest = next((tier for tier in reversed(self.tiers) if tier.admits(symbol)), None)
        tier = self.terms(symbol) if own else easiest
        if tier is None:
            return "in none of the lists of the tiers"
        short = tier.shortfall(stats, scan.measured)
        if short or self._met(scan).get(symbol) is not None:
            return short
        return f"volume {words.short(_volume(stats))} is not among the {self.most} largest"

    # -- inside ---------------------------------------------------------------------------

    def _met(self, scan: MarketScan) -> Mapping[Symbol, int]:
        """Number of the best tier that takes each symbol; those that none takes are left out."""
        rules = (self.tiers, self.most, self.never)
        known = scan._met.get(rules)  # noqa: SLF001  # written here alone
        if known is None:
            known = scan._met[rules] = self._measured(scan)  # noqa: SLF001  # as above
        return known

    def _measured(self, scan: MarketScan) -> Mapping[Symbol, int]:
        met = {
            symbol: tier.number
            for symbol, stats in scan.stats.items()
            if not self.never_trades(symbol)
            for tier in [self._best(symbol, stats, scan.measured)]
            if tier is not None
        }
        if self.most is None or len(met) <= self.most:
            return met
        return {symbol: met[symbol] for symbol in _ranked(met, met, scan)[: self.most]}

    def _best(self, symbol: Symbol, stats: MarketStats, measured: frozenset[str]) -> Tier | None:
        return next((tier for tier in self.tiers if tier.takes(symbol, stats, measured)), None)

    def _too_many(self, members: Mapping[Symbol, int], scan: MarketScan) -> list[Symbol]:
        """Newcomers for whom there is no room as long as nobody leaves."""
        if self.most is None or len(members) <= self.most:
            return []
        new = _ranked((s for s in members if s not in self.members), members, scan)
        return new[max(0, len(new) - (len(members) - self.most)) :]

    def _drift(self, symbol: Symbol, own: int | None, met: int | None) -> Drift | None:
        if met == own:
            return None
        better = _rank(met) < _rank(own)
        before = self.drifts.get(symbol)
        if before is None or before.better != better:
            return Drift(better=better, cycles=1, worst=met)
        worst = max(before.worst, met, key=_rank)
        return Drift(better=better, cycles=before.cycles + 1, worst=worst)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversePlan:
    """How a trader finds its symbols."""

    empty: Universe
    """Its tiers, with nobody in them yet."""
    listed: tuple[Symbol, ...]
    """Those that the settings name: they are entered although the survey is too old."""
    every: timedelta
    """Between two surveys (market time)."""
    max_age: timedelta
    """With an older survey nothing is entered that was only discovered."""


def is_stable(symbol: Symbol) -> bool:
    """Whether it is money for money: nothing to be won in it but the spread to be lost."""
    return symbol.base in STABLE


def _ranked(
    symbols: Iterable[Symbol], tiers: Mapping[Symbol, int], scan: MarketScan
) -> list[Symbol]:
    """The best tier and the largest volume first."""
    stats = scan.stats
    return sorted(symbols, key=lambda s: (tiers[s], -_volume(stats.get(s)), s))


def _volume(stats: MarketStats | None) -> Decimal:
    return ZERO if stats is None or stats.volume is None else stats.volume


def _rank(number: int | None) -> float:
    return float("inf") if number is None else number
