"""Every position has its exit: a stop at the venue, and the desk watching the rest of its plan.

`converge` is the one way in which stops are placed, resized, moved and taken away: it compares
what rests with what should, and repairs the difference.  It may be called at any time, any number
of times.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import islice

from trading.clocks import Clock
from trading.errors import Refused, VenueError
from trading.events import Protected, StopMoved, Unprotected
from trading.execution.orders import Orders
from trading.execution.plan import due, observe, stop_reason
from trading.ports import Change, Lane
from trading.recorder import Recorder
from trading.types import (
    ZERO,
    ExitPlan,
    ExitReason,
    Mode,
    Order,
    OrderRole,
    OrderStatus,
    Position,
    Symbol,
)
from trading.valuation import Valuer

log = logging.getLogger(__name__)

TOGETHER = 32
"""Symbols converged at a time: they share their commits, and none waits long for its own."""


class Protection:
    def __init__(
        self,
        *,
        trader: str,
        mode: Mode,
        orders: Orders,
        valuer: Valuer,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._trader = trader
        self._mode = mode
        self._orders = orders
        self._ledger = orders.ledger
        self._valuer = valuer
        self._recorder = recorder
        self._clock = clock
        self._locks: dict[Symbol, asyncio.Lock] = {}
        self._unprotected: set[Symbol] = set()

    def rests(self, symbol: Symbol) -> bool:
        """Whether a stop for the whole open quantity rests at the venue."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return False
        return any(_fits(o, position, plan) for o in self._stops(symbol))

    # -- stops at the venue ---------------------------------------------------------------

    async def converge(self, symbol: Symbol) -> None:
        """Make the resting stop equal the open quantity and the plan's price."""
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            try:
                await self._converge(symbol)
            except VenueError as error:
                await self._stay_unprotected(symbol, f"the venue does not answer: {error}")

    async def settle(self) -> None:
        """Converge every symbol that has changed, until nothing changes any more."""
        while touched := list(islice(self._orders.touched, TOGETHER)):
            self._orders.touched.difference_update(touched)
            await asyncio.gather(*map(self.converge, touched))

    async def watch(self) -> None:
        """Look again after every position whose stop does not rest as it should."""
        for symbol in list(self._ledger.positions):
            if not self.rests(symbol):
                await self.converge(symbol)
        for order in self._ledger.alive_of(OrderRole.PROTECT):
            if order.symbol not in self._ledger.positions:
                await self.converge(order.symbol)

    async def _converge(self, symbol: Symbol) -> None:
        for stop in self._stops(symbol):
            position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
            if position is None or plan is None or not _fits(stop, position, plan):
                await self._orders.cancel(stop)
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            self._unprotected.discard(symbol)
            await self._end_leftover_entries(symbol)
            return
        if plan.stop is None:
            await self._stay_unprotected(symbol, "it has no stop price")
        elif self.rests(symbol):
            await self._is_protected(symbol, plan.stop)
        elif not self._stops(symbol):  # else one is in doubt: a second must not join it
            await self._place(position, plan, plan.stop)

    async def _place(self, position: Position, plan: ExitPlan, stop: Decimal) -> None:
        if self._crossed(plan, position.symbol):
            await self._leave(
                position.symbol,
                abs(position.quantity),
                stop_reason(plan, self._orders.venue.rules(position.symbol)),
            )
            return
        order = await self._orders.reduce(
            self._orders.prepare(
                symbol=position.symbol,
                side=position.side.opposite,
                role=OrderRole.PROTECT,
                quantity=abs(position.quantity),
                stop_price=stop,
                reason=stop_reason(plan, self._orders.venue.rules(position.symbol)).value,
            )
        )
        if order.status in (OrderStatus.REJECTED, OrderStatus.NOT_SENT):
            await self._stay_unprotected(position.symbol, order.note)
        elif order.status is OrderStatus.OPEN:
            await self._is_protected(position.symbol, stop)

    def _stops(self, symbol: Symbol) -> list[Order]:
        return self._ledger.alive_of(OrderRole.PROTECT, symbol)

    def _crossed(self, plan: ExitPlan, symbol: Symbol) -> bool:
        quote = self._valuer.quote(symbol)
        if quote is None or plan.stop is None:
            return False
        return (quote.price - plan.stop) * plan.side.sign <= ZERO

    async def _stay_unprotected(self, symbol: Symbol, reason: str) -> None:
        position = self._ledger.positions.get(symbol)
        if position is None or symbol in self._unprotected:
            return
        self._unprotected.add(symbol)
        await self._recorder.say(
            Unprotected(
                at=self._clock.now(), trader=self._trader, mode=self._mode, symbol=symbol,
                quantity=abs(position.quantity), reason=reason,
            )
        )  # fmt: skip

    async def _is_protected(self, symbol: Symbol, stop: Decimal) -> None:
        if symbol not in self._unprotected:
            return
        self._unprotected.discard(symbol)
        await self._recorder.say(
            Protected(
                at=self._clock.now(), trader=self._trader, mode=self._mode, symbol=symbol,
                quantity=abs(self._ledger.positions[symbol].quantity), stop=stop,
            )
        )  # fmt: skip

    # -- what the desk keeps --------------------------------------------------------------

    async def exits(self, at: datetime) -> None:
        """Carry out what the plans want at market time *at*: trailing, target, time, partials."""
        for symbol in list(self._ledger.positions):
            quote = self._valuer.quote(symbol, at)
            if quote is not None and symbol in self._ledger.positions:
                await self._exit(symbol, quote.price, at)

    async def _exit(self, symbol: Symbol, price: Decimal, at: datetime) -> None:
        rules = self._orders.venue.rules(symbol)
        before = self._ledger.plans.get(symbol)
        if before is None:
            return  # closed while another symbol was being looked after
        plan = observe(before, price, rules)
        if plan != before:
            await self.change_plan(symbol, plan, why="trailing")
        wanted = due(plan, self._held(symbol), price=price, now=at, rules=rules)
        if wanted is None:
            return
        if wanted.quantity > ZERO:
            await self.close(symbol, wanted.quantity, wanted.reason)
        if symbol in self._ledger.positions and wanted.plan != plan:
            await self.change_plan(symbol, wanted.plan, why="entry")

    async def change_plan(
        self, symbol: Symbol, plan: ExitPlan, *, why: str, origin: str = ""
    ) -> None:
        """Store the new plan with its position; say so and move the stop if that changed."""
        before = self._ledger.plans[symbol]
        plan = replace(plan, size=before.size, entry=before.entry)
        self._ledger.set_plan(symbol, plan)
        change = Change(positions=((self._ledger.positions[symbol], plan),))
        await self._recorder.keep(change, Lane.REDUCTION)
        if plan.stop is None or plan.stop == before.stop:
            return
        await self.converge(symbol)
        await self._recorder.say(
            StopMoved(
                at=self._clock.now(), trader=self._trader, mode=self._mode, symbol=symbol,
                old=before.stop or ZERO, new=plan.stop, why=why, on_venue=self.rests(symbol),
                origin=origin,
            )
        )  # fmt: skip

    async def move_stop(self, symbol: Symbol, price: Decimal, *, by: str, origin: str = "") -> None:
        """Put the stop at *price*, as a person wishes.  Raises `Refused` if it would fill now.

        *origin* is the chat that is answered.
        """
        plan = self._plan_by_hand(symbol, price)
        mark = self._valuer.quote(symbol)
        if mark is not None and (mark.price - price) * plan.side.sign <= ZERO:
            raise Refused(f"A stop at {price} would fill at once: {symbol.base} is at {mark.price}")
        await self.change_plan(symbol, replace(plan, stop=price), why=by, origin=origin)

    async def move_target(self, symbol: Symbol, price: Decimal, *, by: str) -> None:
        """Put the target at *price*.  Raises `Refused` if it is reached already."""
        plan = self._plan_by_hand(symbol, price)
        mark = self._valuer.quote(symbol)
        if mark is not None and (mark.price - price) * plan.side.sign >= ZERO:
            raise Refused(
                f"A target of {price} is reached already: {symbol.base} is at {mark.price}; "
                f"/close {symbol.base} closes now"
            )
        await self.change_plan(symbol, replace(plan, target=price), why=by)

    def _plan_by_hand(self, symbol: Symbol, price: Decimal) -> ExitPlan:
        plan = self._ledger.plans.get(symbol)
        if plan is None:
            raise Refused(f"There is no open position in {symbol.base}")
        tick = self._orders.venue.rules(symbol).tick
        if price <= ZERO or price % tick != ZERO:
            raise Refused(f"A price of {symbol.base} is above 0, in steps of {tick}, not {price}")
        return plan

    async def close(
        self, symbol: Symbol, quantity: Decimal, reason: ExitReason, by: str = ""
    ) -> Order | None:
        """Close up to *quantity* at market, never more than is open and not being closed already.

        None: nothing was left to close.
        """
        order = await self._leave(symbol, quantity, reason, by)
        await self.converge(symbol)
        return order

    async def _leave(
        self, symbol: Symbol, quantity: Decimal, reason: ExitReason, by: str = ""
    ) -> Order | None:
        await self._end_leftover_entries(symbol)
        # Nothing is awaited from here to the reservation: two closes must not take the same part.
        position = self._ledger.positions.get(symbol)
        quantity = min(quantity, self._ledger.closable(symbol))
        if position is None or quantity <= ZERO:
            return None
        return await self._orders.reduce(
            self._orders.prepare(
                symbol=symbol,
                side=position.side.opposite,
                role=OrderRole.EXIT,
                quantity=quantity,
                reason=reason.value,
                by=by,
            )
        )

    async def _end_leftover_entries(self, symbol: Symbol) -> None:
        """What an entry has not filled yet must not add to a position that is being left.

        Entries that have filled nothing belong to a position still to come.
        """
        for order in self._ledger.alive_of(OrderRole.ENTRY, symbol):
            if order.filled > ZERO and order.status is OrderStatus.OPEN:
                try:
                    await self._orders.cancel(order)
                except VenueError as error:
                    log.warning("the rest of entry %s may still fill: %s", order.id, error)

    def _held(self, symbol: Symbol) -> Decimal:
        return self._ledger.closable(symbol)


def _fits(stop: Order, position: Position, plan: ExitPlan) -> bool:
    return (
        stop.status is not OrderStatus.UNKNOWN
        and stop.stop_price == plan.stop
        and stop.remaining == abs(position.quantity)
        and stop.side is position.side.opposite
    )
