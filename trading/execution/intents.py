"""How the intents of reductions are saved: the disk may not hold back what protects or closes.

A reduction waits a moment for history, then leaves and is noted in the fallback journal, too.
Whichever has it first is enough: a disk that is slow is told now and then.  Only where neither has
it in time could a crash forget what left, and that is critical.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from trading.accounts.recorder import Recorder
from trading.common.frozen import replace
from trading.common.tasks import Tasks
from trading.context.trader import TraderContext
from trading.errors import StoreError
from trading.events import ReductionLate, ReductionUnsaved
from trading.model import records
from trading.ports import Change, Journal, WritePriority
from trading.types import Order

if TYPE_CHECKING:
    from trading.execution.timeouts import OrderTimeouts

log = logging.getLogger(__name__)

TOLD_EVERY = 3_600.0
"""Seconds between two words on a disk that is slow."""


class Intents:
    """Of one trader's reductions."""

    def __init__(
        self,
        *,
        context: TraderContext,
        recorder: Recorder,
        journal: Journal,
        timeouts: OrderTimeouts,
    ) -> None:
        self._context = context
        self._recorder = recorder
        self._journal = journal
        self._clock = context.clock
        self._timeouts = timeouts
        self._noted: set[str] = set()
        """Ids of ours in the fallback journal."""
        self._late_since_told = 0
        self._told_late: float | None = None
        """Monotonic time at which a slow disk was last told."""
        self._watching = Tasks()
        self._with_fills: dict[str, asyncio.Future[bool]] = {}
        """What saves the fills that orders were made with, by the ids of those."""

    def are_saved(self, orders: Sequence[Order], saving: asyncio.Future[bool]) -> None:
        """*saving* writes *orders* together with the fill that made them necessary."""
        for order in orders:
            if order.is_alive:
                self._with_fills[order.id] = saving
            else:
                self._with_fills.pop(order.id, None)

    async def save(self, *orders: Order) -> None:
        """Wait for a moment at most, now that they could leave: the disk may not hold them back."""
        began, saving = self._clock.monotonic(), self._saving(orders)
        if not saving.done():
            await asyncio.wait({saving}, timeout=self._timeouts.intent)
        if not _says_yes(saving):
            for order in orders:
                self._watching.start(self._watch(order, saving, began))

    def _saving(self, orders: Sequence[Order]) -> asyncio.Future[bool]:
        found = [self._with_fills.pop(order.id, None) for order in orders]
        if found[0] is not None:
            return found[0]
        return self._recorder.keep_soon(Change(orders=tuple(orders)), WritePriority.REDUCTION)

    async def noted(self) -> Sequence[Order]:
        """Reductions that left before history had them, in this life or an earlier one."""
        found = [
            replace(records.to_order(record), by=str(record["by"]))
            for record in await self._journal.records()
            if record["trader"] == self._context.name
        ]
        self._noted.update(order.id for order in found)
        return found

    async def forget_noted(self, is_known: Callable[[str], Awaitable[bool]]) -> None:
        """Take those out of the fallback journal that history has by now.

        Raises `StoreError` when history or the journal cannot be asked.
        """
        noted = tuple(self._noted)  # while history is asked, another reduction may be noted
        known = frozenset([order_id for order_id in noted if await is_known(order_id)])
        if known:
            await self._journal.drop(lambda record: record["id"] in known)
            self._noted -= known

    async def _watch(self, order: Order, saving: asyncio.Future[bool], began: float) -> None:
        """Note it beside history, and tell what came of both."""
        noting = asyncio.ensure_future(self._note(order))
        left = self._timeouts.unsaved - self._timeouts.intent
        saved = await _any(saving, noting, within=left)
        if not saved and saving.done():
            saved = self._recorder.unsaved == 0  # history has caught up
        if not saved and noting.done():
            saved = await self._note(order)
        if saved:
            await self._tell_late(order, began)
            return
        waited = timedelta(seconds=self._clock.monotonic() - began)
        await self._recorder.say(
            ReductionUnsaved(order=order, waited=waited, **self._context.about_symbol(order.symbol))
        )

    async def _note(self, order: Order) -> bool:
        try:
            await self._journal.append({**records.of_order(order), "by": order.by})
        except StoreError as error:
            log.warning("the fallback journal failed for %s: %s", order.id, error)
            return False
        self._noted.add(order.id)
        return True

    async def _tell_late(self, order: Order, began: float) -> None:
        now = self._clock.monotonic()
        self._late_since_told += 1
        if self._told_late is not None and now - self._told_late < TOLD_EVERY:
            return
        others, self._late_since_told, self._told_late = self._late_since_told - 1, 0, now
        about = self._context.about_symbol(order.symbol)
        waited = timedelta(seconds=now - began)
        await self._recorder.say(ReductionLate(order=order, waited=waited, others=others, **about))


def _says_yes(saving: asyncio.Future[bool]) -> bool:
    """Not if whoever booked the fill has broken off: then it is not known here, and noted, too."""
    return saving.done() and not saving.cancelled() and saving.result()


async def _any(*saving: asyncio.Future[bool], within: float) -> bool:
    """Whether one of *saving* says yes within so many seconds; all of them when none does.

    Where each has failed before: what failed may still be made good.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            waiting = set(saving)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(map(_says_yes, done)):
                    return True
            await asyncio.Event().wait()
    return False
