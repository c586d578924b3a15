"""What a trader goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from decimal import Decimal

from trading.market.universe import UniversePlan
from trading.model.exit_rules import ExitRules
from trading.risk.limits import EntryRules, Limits
from trading.types import Mode, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderSettings:
    name: str
    mode: Mode
    symbols: tuple[Symbol, ...]
    """Those that the settings name; with a universe, others are found."""
    timeframe: timedelta
    capital: Decimal
    """In quote currency; what the account begins with."""
    limits: Limits
    exit_rules: ExitRules
    zone: tzinfo
    """Where the risk day begins at 00:00."""
    drawdown_alert: Decimal | None
    """Share of the peak at which people are told, long before a halt."""
    cycle_every: timedelta
    """Wall time between two cycles."""
    replay_speed: float | None
    slow_scan: timedelta = timedelta(seconds=300)
    manual_stop: Decimal = Decimal("0.02")
    """Distance of the stop of an entry by hand, as a share of its price."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Of the strategy, as they were set; for people to see."""
    entries: EntryRules = EntryRules()
    universe: UniversePlan | None = None
    """How it finds its symbols; None: they are a fixed list."""
    place: str = ""
    """Where real orders go, as in `binance swap`; empty where none do."""
    unproven: bool = False
    """Nobody has seen done there what it relies on, and the operator has accepted that."""

    @property
    def quote(self) -> str:
        """The currency that the account counts in."""
        return self.symbols[0].quote


@dataclass(slots=True)
class SettingsInForce:
    """The settings that a trader goes by now: whoever needs one asks here, and keeps none.

    `/reload` replaces them as a whole, and so does the choice of another strategy.
    """

    now: TraderSettings
