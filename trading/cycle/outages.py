"""Tells once when prices or the venue fall silent, and once when they are back."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from trading.accounts.recorder import Recorder
from trading.context.trader import TraderContext
from trading.errors import VenueError
from trading.events import FeedBack, FeedEnded, FeedLost, VenueBack, VenueLost
from trading.execution.orders import Orders
from trading.ports import Feed, FeedState

log = logging.getLogger(__name__)


class FeedWatch:
    def __init__(self, *, context: TraderContext, feed: Feed, recorder: Recorder) -> None:
        self._context = context
        self._feed = feed
        self._recorder = recorder
        self._clock = context.clock
        self._heard_at = context.clock.now()
        self._lost_at: datetime | None = None
        self._ended = False

    @property
    def state(self) -> FeedState:
        return FeedState.STALE if self._lost_at is not None else self._feed.state()

    async def answered(self, *, last_bar: datetime, all_done: bool, open_positions: int) -> None:
        """Prices came (or the replay said that there are no more).

        *all_done*: every bar that has closed was handled, so an ended feed may be told as ended.
        """
        now = self._clock.now()
        self._heard_at = now
        if self._lost_at is not None:
            gap, self._lost_at = now - self._lost_at, None
            await self._recorder.say(FeedBack(gap=gap, **self._context.about()))
        if all_done and self._feed.state() is FeedState.ENDED and not self._ended:
            self._ended = True
            await self._recorder.say(
                FeedEnded(last_bar=last_bar, open_positions=open_positions, **self._context.about())
            )

    async def failed(self, error: VenueError) -> None:
        """Prices could not be had."""
        log.warning("no prices: %s", error)
        if self._lost_at is None:
            self._lost_at = self._heard_at
            silent = self._clock.now() - self._heard_at
            await self._recorder.say(FeedLost(silent=silent, **self._context.about()))


class VenueWatch:
    def __init__(self, *, context: TraderContext, orders: Orders, recorder: Recorder) -> None:
        self._context = context
        self._orders = orders
        self._recorder = recorder
        self._clock = context.clock
        self._lost_at: datetime | None = None
        self._refused = False
        """People have heard that the venue refuses us, and until when."""

    @property
    def silent(self) -> timedelta | None:
        """For how long the venue has not answered; None: it does."""
        since = self._orders.line.silent_since
        return None if since is None else timedelta(seconds=self._clock.monotonic() - since)

    async def look(self) -> None:
        """Tell once that the venue is silent or refuses us, and once that it is back."""
        silent, until, now = self.silent, self._orders.venue.refuses_until, self._clock.now()
        about = self._context.about()
        if silent is None and until is None:
            if self._lost_at is not None:
                gap, self._lost_at, self._refused = now - self._lost_at, None, False
                await self._recorder.say(VenueBack(gap=gap, **about))
        elif self._lost_at is None or (until is not None and not self._refused):
            silent = silent or timedelta(0)
            self._lost_at, self._refused = self._lost_at or now - silent, until is not None
            await self._recorder.say(VenueLost(silent=silent, refused_until=until, **about))
