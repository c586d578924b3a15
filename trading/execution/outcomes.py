"""What becomes of orders: booked, written down and told, and who looks after it next.

`hear` is for what a venue says unasked, `absorb` for its answers.  Positions change in the ledger
alone; here follows what that brings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

from trading.accounts.applied import Applied
from trading.accounts.booking import Booked
from trading.accounts.ledger import Ledger
from trading.accounts.recorder import Recorder
from trading.common.tasks import Tasks
from trading.context.trader import TraderContext
from trading.errors import VenueUncertain
from trading.events import ForeignOrderSeen, OrderUnknown
from trading.execution.consequences import Consequences, Follows
from trading.execution.foreign_orders import ForeignOrders
from trading.execution.intents import Intents
from trading.execution.on_the_way import OnTheWay
from trading.ports import Change, Venue, WritePriority
from trading.types import Decision, Order, OrderReport, OrderRole, OrderStatus, Symbol

log = logging.getLogger(__name__)

STALE = "it had not left yet, and what is open has changed since"
"""Note of a protective order that was written down with a fill, and never sent."""


class Outcomes:
    """Of all orders of one trader's account."""

    def __init__(
        self,
        *,
        context: TraderContext,
        ledger: Ledger,
        venue: Venue,
        consequences: Consequences,
        on_the_way: OnTheWay,
        intents: Intents,
        is_ours: Callable[[str], bool],
        recorder: Recorder,
    ) -> None:
        """*is_ours* knows our orders by their ids."""
        self._ledger = ledger
        self._venue = venue
        self._consequences = consequences
        self._on_the_way = on_the_way
        self._intents = intents
        self._recorder = recorder
        self._clock = context.clock
        self._context = context
        self._background = Tasks()
        self.foreign_orders = ForeignOrders(ledger=ledger, is_ours=is_ours, tell=self._tell_foreign)
        self.on_absent: list[Callable[[Order], None]] = []
        """Called with each exit that this process sent, and that the venue never had."""
        self.touched: set[Symbol] = set()
        """Symbols whose position or stop changed since protection last looked."""
        self.on_touch: list[Callable[[], None]] = []
        """Called, synchronously, whenever `touched` grows."""
        self.on_held: Callable[[Symbol], tuple[Order, ...]] | None = None
        """Called, synchronously, with a symbol of which a fill has left something open; the orders
        that are returned are written in the same transaction."""
        self.on_booked: list[Callable[[Sequence[Booked]], tuple[tuple[str, str], ...]]] = []
        """Called, synchronously, with what fills did, before anybody sees it; the notes that are
        returned are written in the same transaction."""

    # -- what the venue tells ---------------------------------------------------------------

    def hear(self, report: OrderReport) -> None:
        """What the venue says unasked: booked at once, written as soon as possible."""
        applied = self._ledger.apply(report, now=self._clock.now())
        if applied is None:
            self.foreign_orders.see(report)
        elif applied.changed:
            self._keep_soon(self._what_follows(applied))
            self._hear_ripe(applied)

    def concede(self) -> list[tuple[Order, Decimal]]:
        """Reductions that found less of ours than they sold, and how much was not ours.

        Once everything that could have opened it is known.
        """
        beyond = []
        while (conceded := self._ledger.concede(cash=self._venue.cash)) is not None:
            report, excess = conceded
            self.hear(report)
            beyond.append((self._ledger.orders[report.order_id], excess))
        return beyond

    def _hear_ripe(self, applied: Applied) -> None:
        """Reductions that were told before the entry that they make smaller."""
        for early in self._ledger.ripe(applied.order.symbol) if applied.booked else ():
            self.hear(early)

    async def absorb(self, report: OrderReport, *, answered: bool = False) -> Order:
        """*answered*: to whoever sends the order, and looks at the books next."""
        applied = self._ledger.apply(report, now=self._clock.now())
        if applied is None:
            raise VenueUncertain(f"the venue answered about another order, {report.order_id}")
        if applied.changed:
            follows = self._what_follows(applied, answered=answered)
            if applied.booked:
                keeping = self._keep_soon(follows)
                self._hear_ripe(applied)
                await keeping
            else:
                await self._recorder.keep(follows.change, follows.priority, *follows.events)
        return applied.order

    def _keep_soon(self, follows: Follows) -> asyncio.Future[bool]:
        keeping = self._recorder.keep_soon(follows.change, follows.priority, *follows.events)
        self._intents.are_saved(follows.legs, keeping)
        return keeping

    async def absorb_all(self, reports: Sequence[OrderReport]) -> None:
        """Book what the venue says of several orders of ours, each fill when its turn comes:
        in the order in which they happened there."""
        whole = {report.order_id: report for report in reports}
        fills = sorted((f for report in reports for f in report.fills), key=lambda f: f.place)
        for order_id, together in groupby(fills, key=lambda f: f.order_id):
            part = OrderReport(order_id=order_id, status=OrderStatus.OPEN, fills=tuple(together))
            is_last = part.fills[-1].place == max(f.place for f in whole[order_id].fills)
            await self.absorb(whole.pop(order_id) if is_last else part)
        for report in whole.values():
            await self.absorb(report)

    # -- what we know by ourselves ------------------------------------------------------------

    async def lose(self, order: Order, *, waited: timedelta) -> Order:
        """No answer in *waited*: from now on the order counts in full until the venue tells."""
        lost = self.mark_unknown(order)
        if lost.status is not OrderStatus.UNKNOWN:
            return lost
        await self._recorder.keep(
            Change(orders=(lost,)),
            WritePriority.REDUCTION,
            OrderUnknown(
                order=lost,
                waited=waited,
                **self._context.about_order(order.symbol, self._on_the_way.origin_of(order)),
            ),
        )
        return lost

    def mark_unknown(self, order: Order) -> Order:
        now = self._ledger.orders[order.id]
        if now.status is not OrderStatus.INTENT:
            return now  # the stream told more than the answer would have
        self._on_the_way.lose(order)
        return self._ledger.update(
            now.changed(status=OrderStatus.UNKNOWN, updated_at=self._clock.now())
        )

    async def end(
        self,
        order: Order,
        status: OrderStatus,
        note: str,
        *,
        misfit: bool = False,
        decisions: Sequence[Decision] = (),
    ) -> Order:
        """*decisions*: those that made it, where none has written them down yet."""
        before = self._ledger.orders[order.id]
        if not before.is_alive:
            return before
        was_ours = self._on_the_way.found(order)
        ended = self._ledger.update(
            before.changed(status=status, note=note, misfit=misfit, updated_at=self._clock.now())
        )
        if order.role is OrderRole.ENTRY:
            # Who sent a reduction looks again in a while; told at once, it would try without end.
            self._touch(order.symbol)
        if was_ours and status is OrderStatus.ABSENT and order.role is OrderRole.EXIT:
            for hear in self.on_absent:
                hear(ended)
        told = self._consequences.ending(before, ended, self._on_the_way.origin_of(order))
        change = Change(orders=(ended,), decisions=tuple(decisions))
        await self._recorder.keep(change, WritePriority.FILL, *told)
        return ended

    def withdraw(self, order: Order) -> Order:
        """End an order that has not left: it never will."""
        self._on_the_way.leave((order,))
        return self._ledger.update(
            order.changed(status=OrderStatus.NOT_SENT, note=STALE, updated_at=self._clock.now())
        )

    # -- what follows -----------------------------------------------------------------------

    def _what_follows(self, applied: Applied, *, answered: bool = False) -> Follows:
        """What is written and said because of *applied*, with the stop that a fill asks for: made
        in the same instant, so that no crash leaves one without the other."""
        order = applied.order
        # An exit that finds nobody to trade with is tried again in a while; told at once, it would
        # be without end.  That a protective order rests, whoever sends it sees.
        rests = answered and order.role is OrderRole.PROTECT and order.is_alive
        if applied.booked or not (rests or order.role is OrderRole.EXIT):
            self._touch(order.symbol)
        notes = tuple(note for hear in self.on_booked for note in hear(applied.booked))
        legs = self._made_with(applied)
        self._on_the_way.make_with_fill(legs)
        origin = self._on_the_way.origin_of(order)
        return self._consequences.of(applied, legs=legs, notes=notes, origin=origin)

    def _made_with(self, applied: Applied) -> tuple[Order, ...]:
        if self.on_held is None or not applied.booked:
            return ()
        try:
            return self.on_held(applied.order.symbol)
        except Exception:
            log.exception("no stop could be made together with a fill: it is made after it")
            return ()

    def _tell_foreign(self, symbol: Symbol, order_id: str) -> None:
        told = ForeignOrderSeen(order_id=order_id, **self._context.about_symbol(symbol))
        self._background.start(self._recorder.say(told))

    def _touch(self, symbol: Symbol) -> None:
        self.touched.add(symbol)
        for hear in self.on_touch:
            hear()
