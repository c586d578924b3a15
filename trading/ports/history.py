"""What is written and read again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import IntEnum
from typing import Protocol

from trading.common.frozen import fast_frozen
from trading.events import Event
from trading.model.halt import Halt, TraderHalt
from trading.risk.allowed import LONGEST_REST
from trading.stats.daybook import DayBook
from trading.types import (
    AccountState,
    Decision,
    EquityPoint,
    ExitPlan,
    Fill,
    Movement,
    Order,
    Position,
    Symbol,
    Trade,
)


class WritePriority(IntEnum):
    """Who goes first when writes share a commit."""

    HALT = 1
    REDUCTION = 2
    FILL = 3
    ENTRY = 4
    REST = 5


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message for one subscriber, rendered when the fact was booked."""

    id: str
    """Event id and subscriber: writing it twice changes nothing."""
    to: str
    """The subscriber's key, as in `telegram:111`."""
    level: int
    kind: str
    """The event's class name; repeats of one kind are throttled together."""
    at: datetime
    body: str
    """The reply as JSON."""


Announce = Callable[[Event], Sequence[Alert]]
"""How an event reads, for each chat that asked; empty when it is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something said to the desk, and the answer: the audit."""

    id: str
    """The platform's own event id where it has one: a redelivered update acts once."""
    at: datetime
    who: str
    role: str
    where: str
    said: str
    outcome: str
    answer: str


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one transaction writes.  Every row is idempotent; the higher `version` wins."""

    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    positions: tuple[tuple[Position, ExitPlan], ...] = ()
    closed_positions: tuple[Position, ...] = ()
    """Positions that are flat now; their trades are in `trades`."""
    trades: tuple[Trade, ...] = ()
    decisions: tuple[Decision, ...] = ()
    accounts: tuple[AccountState, ...] = ()
    movements: tuple[tuple[str, Movement], ...] = ()
    """Each with the trader whose account it moved."""
    equity: tuple[EquityPoint, ...] = ()
    halts: tuple[TraderHalt, ...] = ()
    alerts: tuple[Alert, ...] = ()
    delivered: tuple[str, ...] = ()
    """Ids of alerts that reached their chat."""
    audit: tuple[AuditEntry, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """Small named values of the desk: `last_seen`, `clean_exit`."""


RECENT_TRADES = 200
"""Enough for streaks, and for figures of a day."""
LONGEST_BAR = timedelta(days=1)
"""By so much at most a rest may begin after the fill that brought it."""


def recent(trades: Sequence[Trade]) -> int:
    """How many of *trades*, newest first, matter to anything yet."""
    since = trades[0].closed_at - LONGEST_REST if len(trades) > RECENT_TRADES else None
    count = len(trades)
    while since is not None and count > RECENT_TRADES and trades[count - 1].rests_from < since:
        count -= 1
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a trader left behind: everything needed to go on."""

    account: AccountState | None = None
    orders: tuple[Order, ...] = ()
    """Those that had not ended."""
    positions: tuple[tuple[Position, ExitPlan], ...] = ()
    recent_fills: frozenset[str] = field(default_factory=frozenset)
    """Fill ids of the orders above and of open positions, so that none is booked twice."""
    recent_trades: tuple[Trade, ...] = ()
    """Newest first: the last `RECENT_TRADES`, and all of `LONGEST_REST`."""
    recent_movements: frozenset[str] = field(default_factory=frozenset)
    """Ids of money movements, so that none is booked twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a store has forgotten on purpose."""

    removed: Mapping[str, int]
    """Rows by table, as in `{"equity": 1380}`; tables without any are left out."""
    size: int
    """Bytes on the disk afterwards."""


class Store(Protocol):
    """History."""

    def commit(
        self, change: Change, priority: WritePriority = WritePriority.REST
    ) -> Awaitable[None]:
        """What is returned ends when *change* is durable, and raises `StoreError` if it is not.

        Whoever stops waiting for it stops nothing.
        """
        ...

    async def books(self, trader: str) -> Books: ...

    async def halts(self) -> Sequence[Halt]:
        """Those that are not lifted."""
        ...

    async def halt_numbers(self, owner: str, *, after: int) -> Sequence[range]:
        """Numbers that only *owner* makes halts with, all above *after* and above any in use.

        What is left of its last block and, if that is not much, a new one: reserved when this
        returns.  Raises `StoreError`.
        """
        ...

    async def orders(self, trader: str, *, limit: int) -> Sequence[Order]:
        """Newest first, ended ones included."""
        ...

    async def order(self, order_id: str) -> Order | None: ...

    async def fills(self, trader: str) -> Sequence[Fill]: ...

    async def trades(self, trader: str, *, limit: int, offset: int = 0) -> Sequence[Trade]:
        """Newest first."""
        ...

    async def decisions(self, trader: str, symbol: Symbol, *, limit: int) -> Sequence[Decision]:
        """Newest first."""
        ...

    async def decided(self, decision_id: str) -> Decision | None: ...

    async def equity(self, trader: str, *, since: datetime) -> Sequence[EquityPoint]: ...

    async def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        """Every trade and equity point so far, summed by days of *zone*.

        Quick however many there are, but for the first time after a start.  An equity point that
        is written after a later one may be missing until the next start; a trade never is.
        """
        ...

    async def waiting_alerts(self, *, limit: int) -> Sequence[Alert]:
        """Critical first, then oldest first."""
        ...

    async def alerts(self, to: str, *, limit: int) -> Sequence[Alert]:
        """Those for one chat, told or waiting, newest first."""
        ...

    async def audit(self, *, limit: int) -> Sequence[AuditEntry]: ...

    async def audited(self, message_id: str) -> AuditEntry | None: ...

    async def note(self, name: str) -> str | None: ...

    async def tidy(self, now: datetime) -> Tidied:
        """Forget what is old at wall time *now*; what was traded is kept for ever.

        Goes in small steps, so that others wait for one of them at most.  Raises `StoreError`
        when it cannot go on: what was done stays done, and calling again goes on from there.
        """
        ...

    def size(self) -> int:
        """Bytes on the disk now."""
        ...
