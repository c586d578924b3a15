"""A trader's books against the venue's: at start, and again and again.

Until the first comparison, and while something differs, no entry is taken.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.context.block import EntryBlock
from trading.context.trader import TraderContext
from trading.errors import StoreError, VenueError
from trading.events import (
    EntriesBlocked,
    EntriesFreed,
    StartDelayed,
)
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.execution.reconcile import Reconciled, Reconciler
from trading.execution.set_aside import Aside
from trading.model.halt import Verb
from trading.ports import Store
from trading.safety.halting import Halter
from trading.types import Side, Symbol

log = logging.getLogger(__name__)

THE_DESK = "the desk"
"""Who makes a halt that neither a person nor a guard made."""


class AccountReconciler:
    ready = False
    """The books were compared with the venue; entries wait until then."""
    delayed = ""
    """Why the books could not be compared at start; empty once they were."""
    _told_delays: frozenset[str] = frozenset()
    _heard_until = 0
    """Interruptions of the venue's line after which the books were compared."""
    _reduced = False
    """A stranger's fill made what we hold smaller: the books must be compared."""

    def __init__(
        self,
        *,
        context: TraderContext,
        orders: Orders,
        protection: Protection,
        reconciler: Reconciler,
        aside: Aside,
        store: Store,
        recorder: Recorder,
        halter: Halter,
        block: EntryBlock,
        busy: asyncio.Lock,
    ) -> None:
        """*busy* is held by a cycle too: the two never overlap."""
        self._context = context
        self._orders = orders
        self._protection = protection
        self._reconciler = reconciler
        self.aside = aside
        self._store = store
        self._recorder = recorder
        self._halter = halter
        self.block = block
        self._busy = busy

    # -- comparing ------------------------------------------------------------------------

    async def first(self, cursor: datetime) -> Reconciled:
        """Compare at start, everything up to market time *cursor*.

        Raises `VenueError` when the venue cannot be asked, and says why, once for each cause:
        call again.
        """
        try:
            await self._orders.venue.open(self._orders.outcomes.hear)
            await self._orders.venue.catch_up(cursor)
            await self._reconciler.evidence.load()
            await self.aside.look()
            result = await self._reconciler.run(deep=True) or Reconciled(
                unknown=0, missed_fills=0, problems=("an order is still in doubt",)
            )
            self._halt_on_old_history(result)
            await self._halt_beside_another()
        except VenueError as error:
            await self._tell_delay(str(error))
            raise
        self.delayed, self._heard_until = "", self._orders.venue.interruptions
        await self._recorder.settle()
        await self._forget_noted()
        await self.aside.look()
        self._orders.outcomes.touched.update(self._orders.ledger.positions)
        await self._protection.settle()
        self.block.differs = result.problems[0] if result.problems else ""
        self._orders.outcomes.foreign_orders.on_reduced.append(self._note_reduced)
        self._orders.outcomes.on_held = self._protection.reserve
        self.ready = True
        return result

    async def again(self) -> bool:
        """Compare the books with the venue again; what differs holds entries back.

        False: it could not be done now.
        """
        if not self.ready or self._busy.locked():
            return False
        async with self._busy:
            try:
                await self.aside.look()
                result = await self._reconciler.run()
            except VenueError as error:
                log.warning("%s cannot compare its books: %s", self._context.name, error)
                return False
        if result is not None:
            self._halt_on_old_history(result)
            await self.hold(result.problems[0] if result.problems else "")
        await self._forget_noted()
        return result is not None

    def foreign(self, symbol: Symbol, side: Side) -> Decimal:
        """What the last comparison found to be a stranger's, unsigned."""
        return self._reconciler.foreign(symbol, side)

    async def after_interruption(self) -> None:
        """Ask for what was not heard while the line was broken."""
        broke = self._orders.venue.interruptions
        if (broke != self._heard_until or self._reduced) and await self.again():
            self._heard_until, self._reduced = broke, False

    def _note_reduced(self) -> None:
        self._reduced = True

    async def _halt_beside_another(self) -> None:
        """Two desks on one account would close each other's positions: start halted."""
        reports = await self._orders.line.open_orders()
        theirs = [r for r in reports if self._orders.ids.is_another_desks(r.order_id)]
        if not theirs:
            return
        count = f"{len(theirs)} open order{'s' if len(theirs) > 1 else ''}"
        self._halt(f"another desk trades on this account: {count} at the venue carry its tag")

    def _halt_on_old_history(self, result: Reconciled) -> None:
        """What came after it is adopted as far as it is proven; a person looks first."""
        if result.lost:
            count = f"{result.lost} order{'s' if result.lost > 1 else ''}"
            self._halt(f"history is older than the account: it lacked {count} of ours there")

    def _halt(self, why: str) -> None:
        if all(h.by != THE_DESK for h in self._halter.latch.covering(self._context.name)):
            self._halter.engage(scope=self._context.name, verb=Verb.STOP, by=THE_DESK, why=why)

    def unproven(self) -> str:
        """Why it may not be called flat although our books are; empty if it may."""
        return next((each.words for each in self._reconciler.evidence.unproven.values()), "")

    # -- what differs ----------------------------------------------------------------------

    async def hold(self, why: str, *, origin: str = "") -> None:
        """Take no entries because of *why*, or take them again when it is empty; say so once.

        *origin* is the chat that is answered.
        """
        was, self.block.differs = self.block.differs, why
        if why and why != was:
            await self._recorder.say(
                EntriesBlocked(why=why, origin=origin, **self._context.about())
            )
        elif was and not why:
            await self._recorder.say(EntriesFreed(was=was, origin=origin, **self._context.about()))

    async def compare(self) -> Reconciled | None:
        """Compare now, for a person who waits; None: orders are under way, or it starts."""
        async with self._busy:
            result = await self._reconciler.run() if self.ready else None
        if result is not None:
            await self.hold(result.problems[0] if result.problems else "")
        return result

    # -- inside ---------------------------------------------------------------------------

    async def _forget_noted(self) -> None:
        """What history has by now needs no note beside it."""

        async def is_known(order_id: str) -> bool:
            return await self._store.order(order_id) is not None

        try:
            await self._orders.intents.forget_noted(is_known)
        except StoreError as error:
            log.warning("the notes of %s stay: %s", self._context.name, error)

    async def _tell_delay(self, why: str) -> None:
        self.delayed = why
        if why not in self._told_delays:
            self._told_delays |= {why}
            log.warning("%s cannot compare its books: %s", self._context.name, why)
            await self._recorder.say(StartDelayed(why=why, **self._context.about()))
