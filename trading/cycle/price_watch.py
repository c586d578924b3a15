"""Between the bars of a live market: guards go by each price, and so does what does not rest."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.context.trader import TraderContext
from trading.events import CycleFailed
from trading.execution.exits import Exits
from trading.ports import Change, WritePriority
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.loss_watch import LossWatch

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at live prices."""
MEASURES_EVERY = timedelta(minutes=1)


class PriceWatch:
    _looked_at: datetime | None = None
    """When the newest price was made that the last look went by."""
    _measured_at: datetime | None = None
    """When the measures were saved last."""

    def __init__(
        self,
        *,
        context: TraderContext,
        books: AccountReconciler,
        exits: Exits,
        losses: LossWatch,
        valuer: Valuer,
        recorder: Recorder,
    ) -> None:
        self._context = context
        self._books = books
        self._exits = exits
        self._losses = losses
        self._valuer = valuer
        self._recorder = recorder

    async def run(self) -> None:
        """Until cancelled; of a recording, prices come with its bars alone."""
        while self._valuer.feed.speed is None:
            await self._context.clock.beat(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Go by the prices that have come since the last look.

        Loss guards do, and exits only where a stop or target does not rest at the venue.
        """
        newest = self._valuer.newest_mark()
        if not self._books.ready or newest is None or newest == self._looked_at:
            return
        self._looked_at = newest
        now = self._valuer.feed.now()
        try:
            await self._exits.look(now)
            await self._losses.observe(now)
            await self._save_measures(now)
        except Exception:
            reference = secrets.token_hex(3)
            log.exception("a look at the prices failed, reference %s", reference)
            await self._recorder.say(CycleFailed(reference=reference, **self._context.about()))

    async def _save_measures(self, now: datetime) -> None:
        """What losses are measured from, and with which prices, now and then between bars."""
        if self._measured_at is None or now - self._measured_at >= MEASURES_EVERY:
            self._measured_at = now
            notes = self._books.aside.marks()
            await self._recorder.keep(
                Change(accounts=(self._valuer.ledger.account,), notes=notes), WritePriority.REST
            )
