"""What risk is asked, what it knows, and what it answers.  All times are market time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trading.common.frozen import fast_frozen, replace
from trading.market.universe import Tier
from trading.risk.limits import EntryRules
from trading.types import ZERO, Depth, MarketRules, Side, Symbol, Trade


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An entry that a signal asks for."""

    symbol: Symbol
    side: Side
    price: Decimal
    """Where it would be filled, as far as is known."""
    stop: Decimal
    rules: MarketRules
    at: datetime
    size: Decimal = Decimal(1)
    """Times the usual size."""
    cash: bool = False
    """The venue sells only what is held."""
    depth: Depth | None = None
    """The order book now; None: the venue shows none."""
    entries: EntryRules = EntryRules()
    tier: Tier | None = None
    """Of the universe; None: the trader's symbols are a fixed list, and have no tiers."""
    outside: str = ""
    """Why the universe does not let it in, as a clause; empty if it does, or there is none."""
    doubted: str = ""
    """Why its prices are not believed now, as a clause; empty if they are."""
    quote_age: timedelta | None = None
    """Of the order book, or where there is none of the newest price; None: of a recording."""
    unseen: str = ""
    """Why its order book could not be looked at, if that is so."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSnapshot:
    """One account at one instant: everything an answer depends on."""

    equity: Decimal | None
    """None while a held price is unknown: no entries then."""
    exposure: Decimal
    """Notional of positions and entries under way, as `exposure()` counts it."""
    exposures: Mapping[Symbol, Decimal] = field(default_factory=dict)
    """The same by symbol."""
    tiers: Mapping[Symbol, int] = field(default_factory=dict)
    """Numbers of the tiers in which the symbols at work are now, where there are tiers."""
    open_symbols: frozenset[Symbol] = frozenset()
    busy_symbols: frozenset[Symbol] = frozenset()
    """Symbols with an order alive, or one whose fate is unknown."""
    positions: int = 0
    """Open ones and entries under way, each symbol once."""
    losses_in_row: int = 0
    """As `streak()` counts them: the losses before the last rest ended are left out."""
    last_loss_at: datetime | None = None
    last_trades: Mapping[Symbol, Trade] = field(default_factory=dict)
    """Of each symbol the round trip that was closed last."""
    entered_at: tuple[datetime, ...] = ()
    """When the entries of the last 24 hours were made; one under way counts as made now."""
    entered_now: int = 0
    """Entries that were approved at this very bar."""
    price_age: timedelta | None = None
    """Of the proposal's price; None: unknown."""
    desk_headroom: Decimal | None = None
    """Exposure that the limits of the whole desk leave; None: they set none."""
    desk_objection: str = ""
    """What else the whole desk has against an entry, as a clause."""

    def without(self, symbol: Symbol, entered: datetime | None) -> RiskSnapshot:
        """As if nothing of *symbol* were open; *entered*: when that was, None: nothing is."""
        others = {s: at_work for s, at_work in self.exposures.items() if s != symbol}
        times = list(self.entered_at)
        if entered in times:
            times.remove(entered)
        room = self.desk_headroom
        return replace(
            self,
            exposure=sum(others.values(), ZERO),
            exposures=others,
            open_symbols=self.open_symbols - {symbol},
            positions=self.positions - (entered is not None),
            entered_at=tuple(times),
            desk_headroom=None if room is None else room + self.exposures.get(symbol, ZERO),
            desk_objection="" if entered else self.desk_objection,
        )


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    quantity: Decimal
    """In whole lots."""
    risk: Decimal
    """Loss at the stop, in quote currency, fees and slippage aside."""
    notional: Decimal
    """To be reserved at once, before anything is awaited."""
    tell: Callable[[], str] = field(compare=False)
    """Words its reason: only where somebody reads it."""
    bound: str = ""
    """What keeps it from being larger, as people call it: `risk per trade`, `theme meme`."""

    @property
    def reason(self) -> str:
        return self.tell()


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    reason: str
    """One clause with its figures, for a person."""
