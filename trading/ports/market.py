"""Where prices come from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from trading.market.candles import Candles
from trading.market.doubts import PriceDoubt
from trading.market.universe import MarketScan, Universe
from trading.types import (
    Quote,
    Symbol,
)


class FeedState(StrEnum):
    LIVE = "live"
    STALE = "stale"
    ENDED = "ended"
    """A replay that has no more candles; not a fault."""


class Feed(Protocol):
    """Where prices come from: closed candles on one timeframe, and the latest quote."""

    name: str

    @property
    def sources(self) -> Sequence[str]:
        """Names of the feeds that vote about its prices; empty: it is one by itself."""
        ...

    @property
    def speed(self) -> float | None:
        """Market time against wall time; None: they are the same, prices come at any moment."""
        ...

    @property
    def symbols(self) -> Sequence[Symbol]: ...

    @property
    def first_cursor(self) -> datetime:
        """Where a trader without a cursor begins: the warm-up lies before it."""
        ...

    def now(self) -> datetime:
        """Market time."""
        ...

    def resume(self, cursor: datetime) -> None:
        """Start (or go on) at *cursor*; a replay never shows a bar twice to a saved cursor."""
        ...

    def handled(self, bar: datetime) -> None:
        """All that *bar* brought about is done: a replay's time goes on to the close of the next.

        Until then it stands at the close of *bar*, as it does in a backtest; a live market waits
        for nobody.
        """
        ...

    async def closes(self, after: datetime) -> Sequence[datetime]:
        """Fetch what is missing; return the close times after *after* so far, in order.

        Of a replay also those of bars that have closed while its time stood at one of them.

        Raises `VenueUnavailable` when prices cannot be had.
        """
        ...

    def candles(self, until: datetime, bars: int) -> Candles:
        """The last *bars* candles closed at or before *until*, for all symbols."""
        ...

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The last price known at market time *at* (default: now); None if there is none.

        What is held is worth that, and exits go by it, whatever `objection` says.
        """
        ...

    def objection(self, symbol: Symbol) -> str:
        """Why nothing may be entered on its prices of *symbol* now, as a clause; empty: it may."""
        ...

    def doubts(self) -> Sequence[PriceDoubt]:
        """What is wrong with its prices now; those of one kind and source as one."""
        ...

    def state(self) -> FeedState: ...

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """Show *symbols* from now on, and no others; a recording shows all it has.

        One whose candles cannot be had joins when it is asked for again.
        """
        ...

    async def close(self) -> None:
        """Let go of whatever is open; harmless when nothing is."""
        ...


class MarketScanner(Protocol):
    """Looks at every market there is, so that a trader can find its symbols."""

    by_bars: bool
    """It knows every moment of its market and answers at once, as a recording does."""

    async def scan(self, at: datetime, of: Universe) -> MarketScan:
        """All markets at market time *at*; what costs much is asked for candidates of *of* only.

        Raises `VenueUnavailable` when it cannot be had: then nothing is known, not even a part.
        """
        ...

    async def close(self) -> None:
        """Let go of whatever is open; harmless when nothing is."""
        ...
