"""What an exchange's file is given, and what it hands back: questions to ask, requests to send.

It asks by itself, and never sends: what changes something is a `VenueRequest`, which the adapter
checks against the halt and against what it must carry before the first byte leaves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from trading.venues.ccxt.weights import Urgency


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What an account is, as it was asked for when it was opened; never guessed from an error."""

    hedged: bool = False
    """Positions are kept by side."""
    refused: str = ""
    """Why it cannot be traded as it is, a sentence that says what to change; empty: it can."""
    kind: str = ""
    """In the exchange's words, as in `unified`; empty where there is one kind alone."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What people are shown: margin mode, position mode, leverage, each in words."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of ccxt, from now on: what it would find out by itself, and guess if nobody answered."""


UNASKED = Account()
"""Before an account was asked about, and of who only reads prices."""


class Api(Protocol):
    """One account at one exchange, to be asked."""

    @property
    def ccxt(self) -> Any:
        """ccxt's exchange, for its unified and its raw methods; only ever through `ask`."""
        ...

    @property
    def account(self) -> Account: ...

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...

    def contract(self, market: str) -> Decimal:
        """Coins in one of the wire's units at ccxt's *market*; 1 where amounts are coins.

        Raises `VenueUnavailable` where nobody told.
        """
        ...

    async def ask(
        self,
        request: Callable[..., Awaitable[Any]],
        *arguments: Any,
        about: str = "orders",
        urgency: Urgency | None = Urgency.REDUCTION,
    ) -> Any:
        """Make a request that changes nothing; *about* is the family that its failures count for.

        Raises `NotFound` where there is no such order, `VenueRejected` when it is refused, and
        `VenueUnavailable` without a clear answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRequest:
    """One that changes something, ready to be sent."""

    call: Callable[..., Awaitable[Any]]
    """Of ccxt."""
    arguments: tuple[Any, ...]
    carries: Mapping[str, str] = field(default_factory=dict)
    """Fields that must stand in the address or the body, with these values, or nothing is sent: a
    name, or the end of a path of names, as in `trigger.price`.  Numbers are compared as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWatch:
    """One of the account's streams."""

    call: Callable[[], Awaitable[Any]]
    """Of ccxt: waits for what is new, and returns it."""
    awaits: str
    """What ccxt calls it among the things it waits for; `*` stands for anything."""
    tells_orders: bool
    """Else fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """The exchange takes nothing from us for a while."""

    seconds: float
    only_orders: bool = False
    """New orders alone; all else may be asked."""
