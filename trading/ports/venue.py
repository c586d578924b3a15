"""Where orders go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from trading.model.halt import Permit
from trading.types import (
    Costs,
    Depth,
    Held,
    Movement,
    Order,
    OrderReport,
    Preview,
    Rules,
    Side,
    Symbol,
    Targets,
)

Leaving = Callable[[], None]
"""Told that a request leaves now; keeps nothing back."""


def unwatched() -> None:
    """Nobody asks when it leaves."""


class Venue(Protocol):
    """Where orders go.  One object per account.

    Every answer about an order is a `OrderReport`; each of its fills has the venue's id, so hearing
    twice changes nothing.  What the venue says unasked goes to the listener, in order.
    """

    name: str
    window: float
    """Seconds after which a request that is not found can no longer arrive: its validity plus
    the clocks' skew; 0 where nothing can be under way."""
    cash: bool
    """What is bought is paid in full and lies beside the operator's own coins (spot): a resting
    stop locks what it would sell."""
    targets: Targets
    """Where a target can rest."""
    shows_books: bool
    """It has order books to look at: one is looked at before each entry."""
    writes_off: bool
    """What it trades no more stays until a person books it out; else it is settled there."""

    @property
    def reduce_only(self) -> bool:
        """It can be told that an order must not open anything."""
        ...

    @property
    def costs(self) -> Costs | None:
        """By which fills are made up here; None: they are the market's, and `preview` asks."""
        ...

    @property
    def interruptions(self) -> int:
        """How often what the venue says unasked broke off: after each one, compare."""
        ...

    @property
    def refuses_until(self) -> datetime | None:
        """Wall time at which a ban ends, or a pause that the venue asked for; None: it listens."""
        ...

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        """Connect (or load the durable book)."""
        ...

    async def close(self) -> None: ...

    async def catch_up(self, until: datetime) -> None:
        """Let everything that happened up to market time *until* reach the listener."""
        ...

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        """Send *order*; call *permit* after the last wait, immediately before it leaves.

        Raises `Halted` (from the permit), `VenueRejected`, also for what cannot be done here,
        `VenueMisfit` for what its rules do not take, `VenueUnavailable` (nothing happened) or
        `VenueUncertain` (it may have); the latter also for an id that was sent before, and then
        nothing is sent.
        """
        ...

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        """As `place`, both in one list; refused or lost as a whole.

        Raises `VenueRejected` where `targets` is not PAIRED.
        """
        ...

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        """Cancel; an order that has already ended is reported as it ended.

        Call *leaving* after the last wait, immediately before the request leaves.

        Raises `VenueUnavailable`, `VenueUncertain`, or `VenueRejected` if it is not known.
        """
        ...

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        """Book *order* out at *price*, although nobody trades its symbol; nothing is sent.

        Raises `VenueRejected` where not `writes_off`.
        """
        ...

    async def find(self, order: Order) -> OrderReport | None:
        """Ask by our id in orders, open orders and trades.  None: not found in any of them."""
        ...

    async def open_orders(self) -> Sequence[OrderReport]:
        """All of them, regular and conditional; strangers' carry their `order`."""
        ...

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        """Orders in *symbol* that desks of ours created from wall time *since* on, by their ids.

        Ended ones too, as far back as the venue lists them; each with its `order` and its fills.
        Raises `VenueUnavailable`, `VenueUncertain`, or `VenueRejected` where it lists none.
        """
        ...

    async def positions(self) -> Mapping[Symbol, Held]:
        """What the venue holds for this account, unsigned and by side, zeros left out.

        Where `cash`: coins, locked ones too; some of them may be the operator's own.  Raises
        `VenueUnavailable` or `VenueUncertain`.
        """
        ...

    async def wallet(self) -> Decimal:
        """Money in quote currency without open profit; where `cash`, what is left of it."""
        ...

    async def movements(self, since: datetime) -> Sequence[Movement]:
        """Money that came or went without a fill from wall time *since* on, oldest first.

        One that is told again has the same id.  Raises `VenueUnavailable` or `VenueUncertain`.
        """
        ...

    async def depth(self, symbol: Symbol) -> Depth | None:
        """The order book; None where there is none to look at (paper on a recording).

        Raises `VenueUnavailable` or `VenueUncertain`: then it is unknown, and nothing is entered.
        """
        ...

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        """What an entry of *quantity* at market would meet now; asks, and sends nothing.

        What cannot be had is None in it.  Raises `VenueRejected` for a symbol not traded here.
        """
        ...

    def rules(self, symbol: Symbol) -> Rules:
        """What it accepts; `Untraded` where it takes no order in *symbol*, however that came."""
        ...

    async def reread(self) -> None:
        """Read again what is traded, and by which rules, unless that was done a moment ago.

        Raises `VenueError`: then what was known stays.
        """
        ...

    def include(self, symbols: Collection[Symbol]) -> None:
        """Answer about these too: they are in the books, though the settings name them no more."""
        ...

    async def rules_now(self, symbol: Symbol) -> Rules:
        """Ask for the rules of *symbol*, which may have changed; `rules` tells these from now on.

        Raises `VenueError` without an answer.
        """
        ...
