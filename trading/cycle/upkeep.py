"""What goes on between the cycles: stops repaired, doubts resolved, old entries ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from trading.common.tasks import Work, together
from trading.context.trader import TraderContext
from trading.cycle.outages import VenueWatch
from trading.cycle.resting import RestingEntries
from trading.errors import VenueError
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.execution.timeouts import OrderTimeouts
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.enforce import Enforcer

log = logging.getLogger(__name__)


class Upkeep:
    def __init__(
        self,
        *,
        context: TraderContext,
        timeouts: OrderTimeouts,
        venue_watch: VenueWatch,
        books: AccountReconciler,
        orders: Orders,
        resting_entries: RestingEntries,
        exits: Exits,
        enforcer: Enforcer,
        others: Sequence[Work],
    ) -> None:
        """*others* go on as long as this does."""
        self._context = context
        self._timeouts = timeouts
        self._venue_watch = venue_watch
        self._books = books
        self._orders = orders
        self._resting_entries = resting_entries
        self._exits = exits
        self._enforcer = enforcer
        self._others = others
        self._touched = asyncio.Event()
        orders.outcomes.on_touch.append(self._touched.set)

    async def run(self) -> None:
        """All that goes on, halts carried out first, until cancelled."""
        await together(self._enforcer.run, self._mend, self._look_again, *self._others)

    async def _look_again(self) -> None:
        while True:
            await self._context.clock.beat(self._timeouts.upkeep)
            await self.look()

    async def _mend(self) -> None:
        """Set right what protects whenever a position or a stop has changed."""
        while True:
            await self._touched.wait()
            self._touched.clear()
            await self._exits.send_again()
            await self._exits.protection.settle()

    async def look(self) -> None:
        """Ask about orders in doubt, end old entries, and repair what protects."""
        await self._venue_watch.look()
        await self._books.aside.look()
        await self._books.after_interruption()
        for order in self._orders.in_doubt():
            try:
                await self._orders.resolve(order)
            except VenueError as error:
                log.warning("%s stays unknown: %s", order.id, error)
        await self._resting_entries.look()
        await self._exits.send_again()
        await self._enforcer.look_for_buyers()
        await self._exits.protection.watch()
