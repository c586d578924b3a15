"""The limits of one trader.  Shares are fractions of equity: 0.003 is 0.3 %.

A limit is one line: what it is called, what it may be set to, what is usual.  `bot.toml` takes its
keys from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from trading.risk.allowed import LONGEST_REST, Allowed, count, share, span
from trading.types import Order, Symbol

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
REST = span(timedelta(0), LONGEST_REST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Coins that rise and fall together, so that all of them are one risk."""

    name: str
    coins: frozenset[str]
    """Bases, as in `DOGE`; `PEPE` is also what an exchange lists by the thousand, `1000PEPE`."""
    max_exposure: Decimal
    """Share of equity in all positions and entries under way of the theme together."""

    def holds(self, symbol: Symbol) -> bool:
        return not self.coins.isdisjoint((symbol.base, symbol.coin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    max_positions: Annotated[int, count(50)] = 3
    risk_per_trade: Annotated[Decimal, share("0.05")] = Decimal("0.003")
    """Equity lost when the stop fills, fees and slippage aside."""
    max_position: Annotated[Decimal, share()] = Decimal("0.20")
    """Notional of one position."""
    max_exposure: Annotated[Decimal, share()] = Decimal("0.60")
    """Notional of all positions and all entries under way."""
    themes: tuple[Theme, ...] = ()
    """A coin may be in several."""
    min_notional: Annotated[Decimal, Allowed(ge=0, le=1_000_000)] = Decimal(10)
    """Smallest entry, in quote currency."""
    max_daily_loss: Annotated[Decimal, share("0.5")] = Decimal("0.03")
    max_weekly_loss: Annotated[Decimal, share("0.5")] = Decimal("0.07")
    max_drawdown: Annotated[Decimal, share("0.5")] = Decimal("0.10")
    loss_streak: Annotated[int, count(100)] = 3
    """Losses in a row that begin a rest."""
    loss_streak_rest: Annotated[timedelta, REST] = timedelta(minutes=60)
    symbol_rest: Annotated[timedelta, REST] = timedelta(minutes=15)
    """Between a symbol's exit and its next entry, at least."""
    symbol_rest_after_stop: Annotated[timedelta | None, REST] = None
    """The same after its stop was filled; None, here and below: no longer than after any exit."""
    symbol_rest_after_loss: Annotated[timedelta | None, REST] = None
    symbol_rest_after_win: Annotated[timedelta | None, REST] = None
    entries_per_cycle: Annotated[int | None, count(50)] = None
    """New entries at one bar, the most confident first; None, here and below: no limit."""
    entries_per_hour: Annotated[int | None, count(200)] = None
    """Entries in any 60 minutes (market time)."""
    entries_per_day: Annotated[int | None, count(200)] = None
    """Entries in any 24 hours (market time)."""
    entry_spacing: Annotated[timedelta | None, span(SECOND, DAY)] = None
    """Between two entries, of whatever symbols (market time)."""
    max_price_age: Annotated[timedelta, span(SECOND, DAY)] = timedelta(minutes=3)
    """No entry on a price older than this (market time)."""

    @property
    def paces(self) -> bool:
        """Whether it matters when entries were made."""
        is_counted = self.entries_per_hour is not None or self.entries_per_day is not None
        return is_counted or self.entry_spacing is not None

    @property
    def looks_back(self) -> timedelta:
        """How long a closed trade can matter to an answer, streaks of losses aside."""
        rests = (
            self.symbol_rest,
            self.symbol_rest_after_stop,
            self.symbol_rest_after_loss,
            self.symbol_rest_after_win,
            self.entry_spacing,
            None if self.entries_per_hour is None else timedelta(hours=1),
            None if self.entries_per_day is None else timedelta(days=1),
        )
        return max(rest for rest in rests if rest is not None)


class EntryStyle(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    """Rests at the signal's price, until it fills or is too old."""
    MAKER = "maker"
    """Rests at the best price without taking; what is not filled in time goes at market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """How a trader enters.  Shares are fractions of a price: 0.005 is 50 bps."""

    style: EntryStyle = EntryStyle.MARKET
    max_age: Annotated[timedelta, span(SECOND, 7 * DAY)] = timedelta(minutes=15)
    """Resting entries are cancelled after this (market time)."""
    max_spread: Annotated[Decimal, share("0.1")] = Decimal("0.002")
    """Between best bid and ask, of the middle; no entry in a wider market."""
    min_depth: Annotated[Decimal, Allowed(ge=0, le=1_000)] = Decimal(2)
    """What must lie within 20 bps on the side that an entry takes from, in entries' worth."""
    max_slippage: Annotated[Decimal, share("0.1")] = Decimal("0.005")
    """No entry at a price so much worse than its signal's."""
    max_quote_age: Annotated[timedelta | None, span(SECOND, HOUR)] = None
    """No entry on an order book, or where there is none a newest price, that is older (market
    time); None: only `max_price_age` counts.  A recording's prices are those of its bars."""
    maker_wait: Annotated[timedelta, span(SECOND, HOUR)] = timedelta(seconds=20)
    """How long a maker entry rests before its rest goes at market (market time)."""

    def ends(self, entry: Order) -> datetime:
        """Market time at which *entry*, if it still rests then, is cancelled."""
        begun = entry.market_at or entry.created_at
        return begun + (self.maker_wait if entry.post_only else self.max_age)
