"""The recorded markets that come with the package: what each shows, without reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from trading.market.rules import BINANCE_PERPETUALS_2021, BINANCE_PERPETUALS_2025
from trading.types import MarketRules, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRecording:
    """A file of `data/`, which `data/PROVENANCE.md` describes."""

    timeframe: str
    """Of its candles, as in settings."""
    start: datetime
    """The close time at which a replay begins: warm-up lies before."""
    rules: Mapping[Symbol, MarketRules]
    """Of its symbols, in their order."""


CRASH = "crash_2021_05_19"
HOURS = "hours_2026_03"
RECORDINGS: Mapping[str, ShownRecording] = {
    CRASH: ShownRecording(
        timeframe="1m", start=datetime(2021, 5, 19, 12, tzinfo=UTC), rules=BINANCE_PERPETUALS_2021
    ),
    HOURS: ShownRecording(
        timeframe="1h", start=datetime(2026, 3, 8, tzinfo=UTC), rules=BINANCE_PERPETUALS_2025
    ),
}
