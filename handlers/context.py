"""What a command may touch.  Nothing else is in scope."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from handlers.caller import Caller, Role
from handlers.in_place import Stories, Watches
from handlers.message import Message

if TYPE_CHECKING:
    from handlers.alert_prefs import Notices
    from handlers.command import Commands
    from handlers.confirmations import Confirmations
    from trading.backtest.result import Summary
    from trading.clocks import Clock
    from trading.desk import Desk
    from trading.ports import Store
    from trading.trader import Trader


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a role, and where they may speak."""

    name: str
    role: Role
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A copy of the history that was made, and the oldest ones that went for it."""

    name: str
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSummary:
    """One venue of the settings, in words."""

    name: str
    place: str
    """As in `binance swap testnet`; a venue on paper says so."""
    uses: str
    offers: tuple[str, ...] = ()
    rests: str = ""
    """What stays there while the desk is down."""
    proof: str = ""
    """How and when, or what follows of there being none; empty: there is nothing to prove."""
    refuses_until: datetime | None = None
    """When a ban or pause ends; None: it listens, or nobody trades there."""


class Administration(Protocol):
    """What the process offers to those who look after it."""

    def settings(self) -> Sequence[tuple[str, str]]:
        """Every key with its value in force, in the order of the file; secrets masked."""
        ...

    def people(self) -> Sequence[Person]: ...

    def chats(self) -> Mapping[str, str]:
        """Each chat platform by name, with what is wrong with it; empty if nothing is."""
        ...

    def venues(self) -> Sequence[VenueSummary]:
        """Those of the settings, in their order."""
        ...

    async def reload(self, *, by: str) -> Sequence[str]:
        """Read the settings again; return what changed, one clause each.

        Raises `SettingsError` with every mistake, and changes nothing then.
        """
        ...

    async def backup(self) -> BackedUp:
        """Copy the history; remove the oldest copies above what is kept.  Raises `Refused`."""
        ...

    async def log(self, count: int) -> Sequence[str]:
        """The newest *count* log lines, oldest first, as `HH:MM:SS level text`."""
        ...


@dataclass(eq=False, kw_only=True)
class RunningBacktest:
    """One backtest on its way."""

    trader: str
    share: float = 0.0
    """Done."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: Summary | str = "It was ended"
    """At the end; a text says why there is no result."""


class Backtests(Protocol):
    """Works out backtests outside this process, one at a time."""

    @property
    def running(self) -> RunningBacktest | None: ...

    def start(self, trader: Trader, days: int) -> RunningBacktest:
        """The trader's settings over the last *days* of its candles.

        Raises `Refused` if its feed has too few.
        """
        ...

    async def end(self) -> RunningBacktest | None:
        """End the one that runs, and return it; None: none runs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The long-lived parts that commands share."""

    name: str
    """What the operator calls this desk: `harbour`."""
    version: str
    desk: Desk
    store: Store
    clock: Clock
    commands: Commands
    confirmations: Confirmations
    administration: Administration
    backtests: Backtests
    notices: Notices
    watches: Watches = field(default_factory=Watches)
    stories: Stories = field(default_factory=Stories)


@dataclass(frozen=True, slots=True)
class Context:
    """One invocation: who is asking, and what there is to ask."""

    message: Message
    services: Services

    @property
    def caller(self) -> Caller:
        return self.message.caller
