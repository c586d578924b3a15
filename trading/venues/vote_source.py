"""One of the feeds that vote, asked beside the others: whoever is late holds up nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from trading.common.tasks import look_at
from trading.errors import TradingError
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.ports import Feed, FeedState

log = logging.getLogger(__name__)

LATE = "it does not answer"


@dataclass(slots=True, kw_only=True)
class VoteSource:
    """One of those that vote, and how its last question went."""

    feed: Feed
    weight: int
    asking: asyncio.Future[Sequence[datetime]] | None = field(default=None, init=False)
    trouble: str = field(default="", init=False)
    """Why it could not be had when it was asked last, as a clause."""

    @property
    def name(self) -> str:
        return self.feed.name

    @property
    def is_asked(self) -> bool:
        return self.asking is not None

    def doubt(self) -> PriceDoubt | None:
        """Silent is only who tells no prices either."""
        is_stale = self.feed.state() is FeedState.STALE
        if not is_stale and not self.trouble:
            return None
        kind = DoubtKind.SILENT if is_stale else DoubtKind.CANDLES
        return PriceDoubt(kind=kind, source=self.name, why=self.trouble)

    def ask(self, after: datetime) -> None:
        """Anew, unless it has not answered yet."""
        if self.asking is not None and self.asking.done():
            self.answer()
        if self.asking is None:
            asking = self.feed.closes(after)
            self.asking = asyncio.ensure_future(asking)
            self.asking.add_done_callback(look_at)

    def answer(self) -> Sequence[datetime] | None:
        """What it answered; None: nothing yet, or it could not be had."""
        asking = self.asking
        if asking is None or not asking.done():
            self.trouble = self.trouble or LATE
            return None
        self.asking = None
        error = None if asking.cancelled() else asking.exception()
        if error is None and not asking.cancelled():
            self.trouble = ""
            return asking.result()
        self.trouble = str(error) or type(error).__name__
        if not isinstance(error, TradingError):
            log.error("%s failed", self.name, exc_info=error)
        return None


async def all_answered(sources: Sequence[VoteSource]) -> None:
    await asyncio.wait([source.asking for source in sources if source.asking is not None])


async def one_answered(sources: Sequence[VoteSource]) -> None:
    under_way = [source.asking for source in sources if source.asking is not None]
    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
