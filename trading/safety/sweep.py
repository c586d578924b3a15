"""Cancelling, for a halt, what could still open something: our entries that rest, and strays.

Stops, exits and other people's orders are never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from trading.clocks import Clock
from trading.common.precedence import PRECEDENCE
from trading.execution.orders import Orders
from trading.model.halt import Halt, Stage, Verb
from trading.safety.halting import Halter
from trading.safety.obstacle import Obstacle, in_words
from trading.types import Order, OrderRole, OrderStatus

SWEPT = (Verb.STOP, Verb.FLATTEN)
"""The halts that cancel."""


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries that were alive when a halt came, and what has become of them."""

    ids: frozenset[str]
    ended: int
    cancelled: int
    alive: int
    unknown: int


class Sweep:
    """Of one trader; done when every entry ever sent is known to have ended."""

    def __init__(
        self, *, trader: str, halter: Halter, orders: Orders, clock: Clock, obstacle: Obstacle
    ) -> None:
        self._trader = trader
        self._halter = halter
        self._orders = orders
        self._ledger = orders.ledger
        self._clock = clock
        self._obstacle = obstacle
        self._still_here: set[str] = set()
        """Entries of this sweep whose cancel has not left yet."""
        self._entries: frozenset[str] = frozenset()
        """What rested when the latest halt came."""
        self.done_at: float | None = None
        """When the last one that found every entry ended began (monotonic)."""

    def begin(self) -> None:
        """A halt was engaged: note what rests now; nobody who computes holds its cancels up."""
        self._entries = frozenset(o.id for o in self._ledger.alive_of(OrderRole.ENTRY))
        if self._entries and self._cancelling():  # a pause sends nothing that could be held up
            PRECEDENCE.take(self)

    async def run(self) -> bool:
        """Cancel all our entries.  True: every entry ever sent is known to have ended."""
        began = self._clock.monotonic()
        entries = self._ledger.alive_of(OrderRole.ENTRY)
        self._still_here = {o.id for o in entries}
        PRECEDENCE.take(self)
        try:
            outcomes = await asyncio.gather(
                *(self._end_entry(o) for o in entries), return_exceptions=True
            )
        finally:
            PRECEDENCE.give_back(self)
        await self._cancel_strays()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                self._obstacle.said = in_words(outcome)
        alive = self._ledger.alive_of(OrderRole.ENTRY)
        if alive:
            self._obstacle.said = self._obstacle.said or "not every entry has ended yet"
            return False
        self.done_at = began
        return True

    async def _end_entry(self, order: Order) -> None:
        """What is on its way out ends by itself: its permit no longer holds."""
        if order.status is not OrderStatus.OPEN:
            order = await self._orders.resolve(order)
        if order.status is OrderStatus.OPEN:
            await self._orders.cancel(order, leaving=partial(self._cancel_leaves, order.id))

    def _cancel_leaves(self, order_id: str) -> None:
        """The last cancel that is still here is about to leave: that is a stage of its own."""
        self._still_here.discard(order_id)
        if not self._still_here:
            PRECEDENCE.give_back(self)
            self._reach_all(Stage.CANCELS_SENT, note=str(len(self._entries) or ""))

    def _reach_all(self, stage: Stage, *, note: str) -> None:
        """Of every halt that cancels."""
        for halt in self._cancelling():
            self._halter.reach(halt, self._trader, stage, note=note)

    def _cancelling(self) -> list[Halt]:
        covering = self._halter.latch.covering(self._trader)
        return [halt for halt in covering if halt.verb in SWEPT]

    async def _cancel_strays(self) -> None:
        """Entries with our tag that our books do not have, or believe to have ended."""
        for report in await self._orders.line.open_orders():
            known = self._ledger.orders.get(report.order_id)
            stray = known or report.order
            if stray is None or not self._orders.ids.is_ours(report.order_id):
                continue
            if (known and known.is_alive) or stray.role is not OrderRole.ENTRY:
                continue
            if known is None:
                self._ledger.adopt(stray)
            await self._orders.cancel(stray)

    def entries(self, ids: Iterable[str]) -> Entries:
        """What has become of the entries *ids*, and of any sent since."""
        known = [self._ledger.orders[i] for i in ids if i in self._ledger.orders]
        alive = self._ledger.alive_of(OrderRole.ENTRY)
        ended = [o for o in known if not o.is_alive]
        return Entries(
            ids=frozenset(o.id for o in known),
            ended=len(ended),
            cancelled=sum(o.status is not OrderStatus.FILLED for o in ended),
            alive=len(alive),
            unknown=sum(o.status is OrderStatus.UNKNOWN for o in alive),
        )

    def count(self) -> str:
        """As in `2/2`: of what rested when the halt came, so many are cancelled."""
        entries = self.entries(self._entries)
        return f"{entries.cancelled}/{len(entries.ids)}" if entries.ids else ""
