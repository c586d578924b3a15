"""Questions to one trader's venue: how long an answer is awaited, and whether any comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import TypeVar

from trading.clocks import Clock
from trading.errors import VenueError, VenueUnavailable, VenueUncertain
from trading.execution.timeouts import OrderTimeouts
from trading.ports import Meter, Venue
from trading.types import OrderReport, Rules, Symbol, Untraded

log = logging.getLogger(__name__)

T = TypeVar("T")


class VenueLine:
    answered_at: datetime | None = None
    """Wall time of the venue's last answer."""
    silent_since: float | None = None
    """Monotonic time since which the venue has not answered; None: it answers."""

    def __init__(
        self, *, venue: Venue, clock: Clock, timeouts: OrderTimeouts, meter: Meter
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._timeouts = timeouts
        self._meter = meter

    async def answer(self, asking: Awaitable[T]) -> T:
        """Wait for the venue.  Raises `VenueUncertain` where none comes in time."""
        began = self._clock.monotonic()
        self._meter.count("api_requests")
        try:
            async with asyncio.timeout(self._timeouts.answer):
                answer = await asking
        except TimeoutError:
            self._fell_silent()
            raise VenueUncertain("no answer") from None
        except (VenueUnavailable, VenueUncertain):
            self._fell_silent()
            raise
        self._meter.time("api", self._clock.monotonic() - began)
        self.silent_since = None
        self.answered_at = self._clock.now()
        return answer

    def _fell_silent(self) -> None:
        self._meter.count("api_errors")
        if self.silent_since is None:
            self.silent_since = self._clock.monotonic()

    async def open_orders(self) -> Sequence[OrderReport]:
        return await self.answer(self._venue.open_orders())

    def untraded(self, symbol: Symbol) -> str:
        """Why the venue takes no order in *symbol*, as it was last heard; empty: it does."""
        rules = self._venue.rules(symbol)
        return rules.why if isinstance(rules, Untraded) else ""

    async def rules_now(self, symbol: Symbol) -> Rules:
        """The market's rules as the venue tells them now; those that are known if it does not.

        It is given a moment only: whoever asks is about to make a position smaller.
        """
        try:
            async with asyncio.timeout(self._timeouts.rules):
                return await self._venue.rules_now(symbol)
        except (VenueError, TimeoutError) as why:
            log.warning("the rules of %s cannot be asked for: %s", symbol, why)
            return self._venue.rules(symbol)
