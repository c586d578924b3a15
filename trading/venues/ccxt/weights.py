"""Our own share of a venue's request limits: weight per minute, and who may use how much of it.

What makes positions smaller or takes entries away always finds room that entries and market data
cannot use up.  What the venue itself counts, and its bans, are obeyed whoever asks.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import MappingProxyType

from trading.clocks import Clock
from trading.common.tasks import set_within
from trading.errors import VenueUnavailable

MINUTE = 60.0


class Urgency(IntEnum):
    """Who goes first."""

    EMERGENCY = 1
    """Cancels of entries, and closes of a halt."""
    REDUCTION = 2
    """Exits, stops, and questions about orders in doubt."""
    ENTRY = 3
    DATA = 4


SHARES: Mapping[Urgency, float] = MappingProxyType(
    {
        Urgency.EMERGENCY: 1.0,
        Urgency.REDUCTION: 0.95,
        Urgency.ENTRY: 0.80,
        Urgency.DATA: 0.60,
    }
)
"""How much of a window's weight may be used up before each has to wait."""

URGENCY: ContextVar[Urgency] = ContextVar("urgency", default=Urgency.DATA)
"""Of the requests that the running task makes."""


class Banned(VenueUnavailable):
    """The venue takes no requests from us for a while; nothing was sent."""

    def __init__(self, seconds: float, until: datetime) -> None:
        """*until*: wall time, for people."""
        super().__init__(
            f"BANNED UNTIL {until.astimezone(UTC):%H:%M:%S} UTC: "
            "the venue takes no requests from us before that"
        )
        self.seconds = seconds


class NoRoom(VenueUnavailable):
    """Our own budget is used up for longer than one may wait; nothing was sent."""


class WeightBudget:
    """Call `take` before each request."""

    def __init__(
        self,
        *,
        most: float,
        clock: Clock,
        window: float = MINUTE,
        longest_wait: float = 2.0,
        shares: Mapping[Urgency, float] = SHARES,
    ) -> None:
        """*most*: weight within *window* seconds; *longest_wait*: seconds until an order goes
        without an answer."""
        self._most = most
        self._window = window
        self._clock = clock
        self._longest_wait = longest_wait
        self._shares = shares
        self._spent: deque[tuple[float, float]] = deque()
        self._used = 0.0
        self._banned_until = 0.0
        self._numbers = itertools.count()
        self._waiting: list[tuple[Urgency, int]] = []
        self._moved = asyncio.Event()

    @property
    def used(self) -> float:
        """Share of the window's weight that is used up."""
        self._forget()
        return self._used / self._most

    @property
    def banned_for(self) -> float:
        """Seconds for which the venue refuses everything; 0: it does not."""
        return max(0.0, self._banned_until - self._clock.monotonic())

    @property
    def banned_until(self) -> datetime | None:
        """The wall time at which that ends; None: it refuses nothing."""
        seconds = self.banned_for
        return self._clock.now() + timedelta(seconds=seconds) if seconds else None

    def ban(self, seconds: float) -> None:
        """The venue said so; a longer ban that is known already stays."""
        self._banned_until = max(self._banned_until, self._clock.monotonic() + seconds)

    def told(self, used: float) -> None:
        """The venue counts *used* weight by now: others may ask from our address."""
        self._forget()
        if used > self._used:
            self._note(used - self._used)

    async def take(self, weight: float) -> None:
        """Wait for room, in the order of urgency.  Raises `Banned` or `NoRoom`."""
        urgency = URGENCY.get()
        if not self._waiting and self._until_room(weight, urgency) <= 0:
            self._note(weight)  # nearly always: a hundred cancels queue behind nobody
            return
        began = self._clock.monotonic()
        ticket = (urgency, next(self._numbers))
        heapq.heappush(self._waiting, ticket)
        try:
            while (left := self._wait_of(ticket, weight, urgency)) > 0:
                waited = self._clock.monotonic() - began
                if urgency is Urgency.ENTRY and waited + left > self._longest_wait:
                    raise NoRoom(f"our request budget is used up for another {left:.1f} s")
                if urgency <= Urgency.REDUCTION:
                    left = min(left, self._longest_wait - waited)
                    if left <= 0:
                        break  # our own count never holds a reduction back; the venue may
                await set_within(self._clock, left, self._moved)
            self._note(weight)
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._tell()

    def _wait_of(self, ticket: tuple[Urgency, int], weight: float, urgency: Urgency) -> float:
        """Seconds until it is worth looking again; 0: go.  Raises `Banned`."""
        room_in = self._until_room(weight, urgency)
        return 0.05 if self._waiting[0] < ticket else room_in

    def _until_room(self, weight: float, urgency: Urgency) -> float:
        """Seconds; 0: there is.  Raises `Banned`."""
        until = self.banned_until
        if until is not None:
            raise Banned(self.banned_for, until)
        self._forget()
        room = self._most * self._shares[urgency] - self._used
        if weight <= room or not self._spent:
            return 0.0
        return max(0.01, self._spent[0][0] + self._window - self._clock.monotonic())

    def _note(self, weight: float) -> None:
        self._spent.append((self._clock.monotonic(), weight))
        self._used += weight

    def _forget(self) -> None:
        since = self._clock.monotonic() - self._window
        while self._spent and self._spent[0][0] <= since:
            self._used -= self._spent.popleft()[1]
        if not self._spent:
            self._used = 0.0  # rounding does not add up

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


class Budgets:
    """One budget for each address that counts us: limits go by address, whoever connects."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._budgets: dict[object, WeightBudget] = {}

    def of(self, host: object, *, most: float) -> WeightBudget:
        """The budget of *host*, made when it is first asked for: *most* weight per minute."""
        budget = self._budgets.get(host)
        if budget is None:
            budget = self._budgets[host] = WeightBudget(most=most, clock=self._clock)
        return budget
