"""A trader's books against the venue's: at start, again and again, and what people accept.

Until the first comparison, and while something differs, no entry is taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.accounts.views import Gap
from trading.clocks import Clock
from trading.context.settings import TraderSettings
from trading.errors import Refused, StoreError, VenueError, VenueUnavailable
from trading.events import (
    BalanceAccepted,
    EntriesBlocked,
    EntriesFreed,
    OrdersAccepted,
    StartDelayed,
)
from trading.execution.evidence import Accepted, Evidence
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.execution.reconcile import SMALLEST_DIFFERENCE, Reconciled, Reconciler
from trading.execution.set_aside import Aside
from trading.model.halt import Verb
from trading.ports import Change, Store, WritePriority
from trading.safety.halting import Halter
from trading.types import Mode, Side, Symbol

log = logging.getLogger(__name__)

THE_DESK = "the desk"
"""Who makes a halt that neither a person nor a guard made."""


class AccountReconciler:
    ready = False
    """The books were compared with the venue; entries wait until then."""
    differs = ""
    """What our books and the venue's disagree about: no entries until they agree again."""
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
        trader: str,
        mode: Mode,
        quote: str,
        orders: Orders,
        protection: Protection,
        valuer: Valuer,
        store: Store,
        recorder: Recorder,
        halter: Halter,
        clock: Clock,
        busy: asyncio.Lock,
        settings: Callable[[], TraderSettings],
    ) -> None:
        """*quote*: the currency that the account counts in.  *busy* is held by a cycle too."""
        self._trader = trader
        self._mode = mode
        self._quote = quote
        self._orders = orders
        self._ledger = orders.ledger
        self._venue = orders.venue
        self._protection = protection
        self._valuer = valuer
        self._store = store
        self._recorder = recorder
        self._halter = halter
        self._clock = clock
        self._busy = busy
        self.aside = Aside(
            trader=trader, mode=mode, orders=orders, protection=protection, valuer=valuer,
            store=store, recorder=recorder, clock=clock,
            max_age=lambda: settings().limits.max_price_age,
        )  # fmt: skip
        self._evidence = Evidence(
            trader=trader, mode=mode, orders=orders, valuer=valuer, recorder=recorder, clock=clock,
            settings=settings, in_history=store.order, fills=partial(store.fills, trader),
        )  # fmt: skip
        self._reconciler = Reconciler(
            trader=trader, mode=mode, orders=orders, valuer=valuer, recorder=recorder, clock=clock,
            quote=quote, evidence=self._evidence,
        )  # fmt: skip

    # -- comparing ------------------------------------------------------------------------

    async def first(self, cursor: datetime) -> Reconciled:
        """Compare at start, everything up to market time *cursor*.

        Raises `VenueError` when the venue cannot be asked, and says why, once for each cause:
        call again.
        """
        try:
            await self._venue.open(self._orders.hear)
            await self._venue.catch_up(cursor)
            await self._load_accepted()
            await self.aside.look()
            result = await self._reconciler.run(deep=True) or Reconciled(
                unknown=0, missed_fills=0, problems=("an order is still in doubt",)
            )
            self._halt_on_old_history(result)
            await self._halt_beside_another()
        except VenueError as error:
            await self._tell_delay(str(error))
            raise
        self.delayed, self._heard_until = "", self._venue.interruptions
        await self._recorder.settle()
        await self._forget_noted()
        await self.aside.look()
        self._orders.touched.update(self._ledger.positions)
        await self._protection.settle()
        self.differs = result.problems[0] if result.problems else ""
        self._orders.strangers.on_reduced.append(self._note_reduced)
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
                log.warning("%s cannot compare its books: %s", self._trader, error)
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
        broke = self._venue.interruptions
        if (broke != self._heard_until or self._reduced) and await self.again():
            self._heard_until, self._reduced = broke, False

    def _note_reduced(self) -> None:
        self._reduced = True

    async def _halt_beside_another(self) -> None:
        """Two desks on one account would close each other's positions: start halted."""
        reports = await self._orders.open_at_venue()
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
        if all(h.by != THE_DESK for h in self._halter.latch.covering(self._trader)):
            self._halter.engage(scope=self._trader, verb=Verb.STOP, by=THE_DESK, why=why)

    async def _load_accepted(self) -> None:
        """Raises `VenueUnavailable`, as if the books could not be compared."""
        try:
            kept = await self._store.note(self._accepted_note)
        except StoreError as error:
            raise VenueUnavailable(f"history cannot be asked what was accepted: {error}") from error
        self._evidence.accepted = Accepted.loaded(kept)

    @property
    def _accepted_note(self) -> str:
        return f"books_accepted:{self._trader}"

    def unproven(self) -> str:
        """Why it may not be called flat although our books are; empty if it may."""
        return next((each.words for each in self._evidence.unproven.values()), "")

    # -- what differs ----------------------------------------------------------------------

    async def hold(self, why: str, *, origin: str = "") -> None:
        """Take no entries because of *why*, or take them again when it is empty; say so once.

        *origin* is the chat that is answered.
        """
        was, self.differs = self.differs, why
        if why and why != was:
            await self._recorder.say(EntriesBlocked(why=why, origin=origin, **self._about()))
        elif was and not why:
            await self._recorder.say(EntriesFreed(was=was, origin=origin, **self._about()))

    async def gap(self) -> Gap:
        """Compare now; return what differs, if a person may accept all of that.

        Raises `Refused` if it is not, or nothing does, and `VenueError`.
        """
        async with self._busy:
            result = await self._reconciler.run() if self.ready else None
        if result is None:
            raise Refused("The books cannot be compared now: orders are under way, or it starts")
        await self.hold(result.problems[0] if result.problems else "")
        if not result.problems:
            raise Refused("The books equal the venue's, there is nothing to accept")
        if not result.only_acceptable:
            raise Refused(f"Not only the wallet differs: {result.problems[0]}")
        unproven = tuple(each.words for each in result.unproven)
        return Gap(ours=result.ours, venue=result.ours + result.gap, unproven=unproven)

    async def accept(self, shown: Gap, *, by: str, origin: str = "") -> Gap:
        """Take over the venue's wallet, if the gap is still the one that was *shown*.

        It is no profit and no loss: baselines and peak move alike.  *origin* is the chat that is
        answered.  Raises `Refused` and `VenueError`; nothing is changed then.
        """
        gap = await self.gap()
        if gap.unproven != shown.unproven:
            raise Refused("What is not proven has changed since you were asked; ask again")
        if abs(gap.amount - shown.amount) >= SMALLEST_DIFFERENCE:
            raise Refused(
                f"The difference has changed since you were asked: {gap.amount:.2f}, "
                f"not {shown.amount:.2f}"
            )
        if gap.amount:
            await self._accept_wallet(gap, by=by, origin=origin)
        if gap.unproven:
            await self._accept_unproven(gap, by=by, origin=origin)
        await self.hold("", origin=origin)
        return gap

    async def _accept_unproven(self, gap: Gap, *, by: str, origin: str) -> None:
        """From now on a stranger's: left alone, and nothing waits for it."""
        self._evidence.accept()
        notes = ((self._accepted_note, self._evidence.accepted.dumped()),)
        told = OrdersAccepted(what=gap.unproven, by=by, origin=origin, **self._about())
        await self._recorder.keep(Change(notes=notes), WritePriority.FILL, told)

    async def _accept_wallet(self, gap: Gap, *, by: str, origin: str) -> None:
        account = self._ledger.account
        if min(account.peak, account.day_start, account.week_start) + gap.amount <= 0:
            raise Refused("Nothing would be left to measure losses from; begin anew with --fresh")
        account = self._ledger.move_balance(gap.amount)
        accepted = BalanceAccepted(
            amount=gap.amount, wallet=account.wallet, quote=self._quote, by=by,
            origin=origin, **self._about(),
        )  # fmt: skip
        note = f"{gap.amount} {accepted.quote} at {accepted.at.isoformat()} by {by}"
        change = Change(accounts=(account,), notes=((f"balance_accepted:{self._trader}", note),))
        await self._recorder.keep(change, WritePriority.FILL, accepted)
        self._valuer.note(self._clock.now())

    # -- inside ---------------------------------------------------------------------------

    async def _forget_noted(self) -> None:
        """What history has by now needs no note beside it."""

        async def is_known(order_id: str) -> bool:
            return await self._store.order(order_id) is not None

        try:
            await self._orders.intents.forget_noted(is_known)
        except StoreError as error:
            log.warning("the notes of %s stay: %s", self._trader, error)

    async def _tell_delay(self, why: str) -> None:
        self.delayed = why
        if why not in self._told_delays:
            self._told_delays |= {why}
            log.warning("%s cannot compare its books: %s", self._trader, why)
            await self._recorder.say(StartDelayed(why=why, **self._about()))

    def _about(self) -> dict[str, Any]:
        return {"at": self._clock.now(), "trader": self._trader, "mode": self._mode}
