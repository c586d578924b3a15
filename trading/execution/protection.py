"""Every position has a stop at its venue, and a target where the venue can hold one beside it.

`converge` is the one way in which they are placed, resized, moved and taken away: it asks for the
next step (`trading.execution.next_step`), takes it, and asks again, until there is none.  It may be
called at any time, any number of times.  When one of the two has filled, the other is a leg too
many, and goes.  What the desk keeps of a plan is in `trading.execution.exits`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from trading.accounts.valuation import Valuer
from trading.clocks import Clock
from trading.context.settings import SettingsInForce
from trading.errors import VenueError, VenueRejected
from trading.execution import steps
from trading.execution.closing import PositionCloser
from trading.execution.next_step import IN_DOUBT, NO_STOPS, NextStep
from trading.execution.orders import Orders
from trading.execution.outcomes import STALE
from trading.execution.steps import Round, Step
from trading.execution.wanted import Wanted
from trading.model.plan import stop_reason
from trading.types import (
    CONDITIONAL,
    ZERO,
    ExitPlan,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Stops,
    Symbol,
)

TOGETHER = 256
"""Symbols converged at a time: they share their commits, and none waits long for its own."""


class Protection:
    def __init__(
        self,
        *,
        orders: Orders,
        closing: PositionCloser,
        valuer: Valuer,
        clock: Clock,
        settings: SettingsInForce,
    ) -> None:
        self.covers = closing.covers
        self._orders = orders
        self._closing = closing
        self._ledger = orders.ledger
        self._locks: dict[Symbol, asyncio.Lock] = {}
        self.reached: set[Symbol] = set()
        """Those whose target did not rest, as the price was there already."""
        self._settling = 0
        self.idle = asyncio.Event()
        """Set while nobody settles anything."""
        self.idle.set()
        self._wanted = Wanted(orders=orders, valuer=valuer, settings=settings)
        self._next = NextStep(
            orders=orders, wanted=self._wanted, closing=closing, valuer=valuer, clock=clock
        )

    def rests(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """Whether stops (or targets) for all that is open, in whole lots, rest or are sent."""
        return self._next.rests(symbol, kind)

    def confirmed(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """The venue has confirmed them for all that is open: when they fill is its business."""
        return self._next.confirmed(symbol, kind)

    def basis(self, symbol: Symbol) -> tuple[object, ...]:
        """All that `confirmed` and `covers.of` go by: as long as it is the same, so are they."""
        return (
            self._ledger.positions.get(symbol),
            self._ledger.plans.get(symbol),
            self._orders.venue.rules(symbol),
            self._wanted.refused_target(symbol),
            self.covers.noted(symbol),
            *self._ledger.alive_in(symbol),
        )

    # -- when -----------------------------------------------------------------------------

    def reserve(self, symbol: Symbol) -> tuple[Order, ...]:
        """Make the stop that a fill of *symbol* asks for, in the instant in which that is booked.

        What was made for an earlier fill and has not left is made anew, for all that is open now.
        Return what changed, to be written together with the fill; `converge` sends it.  Where
        somebody converges at this moment, and where more than one step is needed, nothing is made.
        """
        resting = self._wanted.resting(symbol)
        unsent = self._orders.unsent(resting)
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None or (self._is_held(symbol) and not unsent):
            return ()
        wrong = self._wanted.compared(position, plan, resting).wrong if unsent else ()
        stale = tuple(self._orders.outcomes.withdraw(order) for order in unsent if order in wrong)
        step = self._next.of(symbol, Round())
        if not isinstance(step, steps.SendStop):
            return stale
        return stale + self._wanted.stop(position, plan, step.leg)

    async def converge(self, symbol: Symbol) -> None:
        """Make what rests equal the open quantity and the plan's prices."""
        async with self.held(symbol):
            try:
                await self.repair(symbol)
            except VenueRejected as refused:
                await self.covers.tell_bare(symbol, str(refused))
            except VenueError as error:
                await self.covers.tell_bare(symbol, f"the venue does not answer: {error}")

    def held(self, symbol: Symbol) -> asyncio.Lock:
        """While it is locked nobody else changes what rests for *symbol*; see `repair`."""
        lock = self._locks.get(symbol)
        if lock is None:
            lock = self._locks[symbol] = asyncio.Lock()
        return lock

    def _is_held(self, symbol: Symbol) -> bool:
        lock = self._locks.get(symbol)
        return lock is not None and lock.locked()

    async def settle(self) -> None:
        """Converge every symbol that has changed, until nothing changes any more."""
        if not self._orders.outcomes.touched:
            return
        self._settling += 1
        self.idle.clear()
        try:
            while touched := sorted(self._orders.outcomes.touched)[:TOGETHER]:
                self._orders.outcomes.touched.difference_update(touched)
                await asyncio.gather(*map(self.converge, touched))
        finally:
            self._settling -= 1
            if not self._settling:
                self.idle.set()

    async def rest_targets(self) -> None:
        """Look again after targets that were reached when they were to be placed."""
        for symbol in list(self.reached):
            await self.converge(symbol)

    async def watch(self) -> None:
        """Look again after every position whose legs do not rest as they should."""
        for symbol, position in list(self._ledger.positions.items()):
            plan = self._ledger.plans.get(symbol)
            if plan is None or not self._next.are_all_well(position, plan):
                await self.converge(symbol)
        for order in self._ledger.alive_of(OrderRole.PROTECT):
            if order.symbol not in self._ledger.positions:
                await self.converge(order.symbol)

    # -- step by step -----------------------------------------------------------------------

    async def repair(self, symbol: Symbol) -> None:
        """As `converge`, for who has the symbol `held`.  Raises `VenueError`."""
        done = Round()
        while (step := self._next.of(symbol, done)) is not None:
            await self._take(step, symbol, done)
        if done.stops_done and not done.keeps:
            self._closing.freed.pop(symbol, None)
            self._note_reached(symbol)

    async def _take(self, step: Step, symbol: Symbol, done: Round) -> None:
        """Nothing is awaited between the look at the books that led to *step* and what it reserves:
        of two at the same time one sees what the other has reserved."""
        match step:
            case steps.Cancel():
                await self._cancel(step.order, done)
            case steps.Place():
                await self._place(step.orders, done)
            case steps.SendStop():
                position, plan = self._ledger.positions[symbol], self._ledger.plans[symbol]
                await self._place(self._wanted.stop(position, plan, step.leg), done)
            case steps.SendTarget():
                await self._send_target(symbol, step, done)
            case steps.Leave() | steps.WriteOff() | steps.Forget():
                await self._end(step, symbol, done)
            case steps.AskRoom() | steps.AskRules() | steps.AskTraded():
                await self._ask(step, symbol, done)
            case _:
                done.told = True
                await self._tell(step, symbol, done)

    async def _cancel(self, order: Order, done: Round) -> None:
        ended = await self._orders.cancel(order)
        self.covers.look(order.symbol)
        if ended.is_alive:  # in doubt: asked again later
            done.doubted |= CONDITIONAL if self._wanted.paired else {order.type}
        elif ended.status is OrderStatus.CANCELLED and not done.stops_done:
            done.gone.append(ended)

    async def _place(self, legs: Sequence[Order], done: Round) -> None:
        """A stop, or a stop and its target in one list; alone if that is refused."""
        done.places = True
        symbol, target = legs[0].symbol, self._ledger.plans[legs[0].symbol].target
        sent = await self._sent(legs)
        if sent.status is OrderStatus.REJECTED and len(legs) > 1 and target is not None:
            self._wanted.keep_target(symbol, target, sent.note)
        elif _is_refused(sent):
            done.refused = steps.VenueRefusal(sent.note, sent.misfit)

    async def _sent(self, legs: Sequence[Order]) -> Order:
        """What became of the stop among *legs*."""
        stop, *target = legs
        sending = (
            self._orders.protect_by_pair(stop, *target) if target else self._orders.reduce(stop)
        )
        sent = await sending
        self.covers.look(stop.symbol)
        return sent

    async def _send_target(self, symbol: Symbol, step: steps.SendTarget, done: Round) -> None:
        done.adds = True
        position, plan = self._ledger.positions[symbol], self._ledger.plans[symbol]
        sent = await self._orders.reduce(self._wanted.a_target(position, step.leg))
        if sent.status is OrderStatus.REJECTED and plan.target is not None:
            self._wanted.keep_target(symbol, plan.target, sent.note)
        done.targets_done = sent.status in _REFUSED

    async def _ask(
        self, step: steps.AskRoom | steps.AskRules | steps.AskTraded, symbol: Symbol, done: Round
    ) -> None:
        match step:
            case steps.AskRules():
                done.asked_rules, done.refused = True, None
                await self._orders.line.rules_now(symbol)
            case steps.AskTraded():
                done.asked_traded = True
                self._next.stick(symbol)
                await self._orders.line.rules_now(symbol)
                if not self._orders.line.untraded(symbol):
                    self._next.unstick(symbol)
            case steps.AskRoom():
                done.asked_room = True
                why, plan = await self._objection(symbol), self._ledger.plans.get(symbol)
                if why and plan is not None and plan.stop is not None:
                    done.keeps = True
                    self._next.stick(symbol)
                    await self.covers.tell_stays(symbol, plan.stop, why)

    async def _objection(self, symbol: Symbol) -> str:
        """Why what should rest could not be sent, by the market's rules as they are now; empty:
        they do not speak against it."""
        rules = await self._orders.line.rules_now(symbol)
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return ""
        if rules.shown.stops is Stops.DESK:
            return NO_STOPS
        resting = self._wanted.resting(symbol)
        stops = self._wanted.compared(position, plan, resting).of(OrderType.STOP)
        if not stops.wrong:
            return ""
        found = (
            rules.objection(leg.quantity, leg.price or ZERO, cash=self._orders.venue.cash)
            for leg in stops.missing
        )
        return next(filter(None, found), "")

    async def _tell(self, step: Step, symbol: Symbol, done: Round) -> None:
        plan = self._ledger.plans[symbol]
        match step:
            case steps.TellBare():
                await self.covers.tell_bare(symbol, step.why)
            case steps.TellStays() if plan.stop is not None:
                await self.covers.tell_stays(symbol, plan.stop, step.why)
            case steps.TellProtected():
                await self._is_protected(symbol, plan)
            case steps.PutBack():
                gone = [*self._closing.freed.pop(symbol, ()), *done.gone]
                await self._put_back(symbol, gone, step.why)

    # -- what ends a position, or takes more than one order --------------------------------

    async def _end(
        self, step: steps.Leave | steps.WriteOff | steps.Forget, symbol: Symbol, done: Round
    ) -> None:
        match step:
            case steps.Leave():
                done.keeps = True
                await self._leave(symbol)
            case steps.WriteOff():
                done.told = True
                await self._closing.dust.write_off(self._ledger.positions[symbol])
            case steps.Forget():
                await self._forget(symbol)

    async def _leave(self, symbol: Symbol) -> None:
        position, plan = self._ledger.positions[symbol], self._ledger.plans[symbol]
        reason = stop_reason(plan, self._orders.venue.rules(symbol).shown)
        try:
            orders = await self._closing.leave(symbol, abs(position.quantity), reason)
            why = next((o.note for o in orders if o.status is OrderStatus.REJECTED), "")
        except VenueRejected as refused:
            why = str(refused)
        if symbol not in self._ledger.positions:
            return
        if why and plan.stop is not None and self.covers.stops(symbol):
            await self.covers.tell_stays(symbol, plan.stop, why)
        elif why or self._next.is_sale_in_doubt(symbol):
            await self.covers.tell_bare(symbol, why or IN_DOUBT)

    async def _put_back(self, symbol: Symbol, gone: list[Order], why: str) -> None:
        """The old stops, as they were, for as much of them as is still open."""
        self._next.stick(symbol)
        paired = next((o.stop_price for o in gone if o.type is OrderType.TARGET), None)
        for old in (o for o in gone if o.type is OrderType.STOP and o.stop_price is not None):
            position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
            if position is None or plan is None:
                return
            quantity = min(old.remaining, self._uncovered(position))
            if quantity <= ZERO:
                continue
            price, target = old.stop_price or ZERO, paired if self._wanted.paired else None
            sent = await self._sent(self._wanted.stop_at(position, plan, price, quantity, target))
            if sent.status is OrderStatus.REJECTED and target is not None:
                alone = self._wanted.stop_at(position, plan, price, quantity)
                sent = await self._sent(alone)
            if _is_refused(sent):
                both = f"{why}; the old one was not taken back either: {sent.note}"
                await self.covers.tell_bare(symbol, both)
                return
        plan = self._ledger.plans.get(symbol)
        if plan is None or plan.stop is None:
            return
        if self.confirmed(symbol):
            await self._is_protected(symbol, plan)
        else:
            await self.covers.tell_stays(symbol, plan.stop, why)

    def _uncovered(self, position: Position) -> Decimal:
        stops = (o for o in self._wanted.resting(position.symbol) if o.type is OrderType.STOP)
        return self._wanted.to_protect(position) - sum((stop.remaining for stop in stops), ZERO)

    async def _is_protected(self, symbol: Symbol, plan: ExitPlan) -> None:
        self._next.unstick(symbol)
        await self.covers.tell_protected(symbol, plan.stop or ZERO)

    async def _forget(self, symbol: Symbol) -> None:
        self.covers.look(symbol)
        self._wanted.forget(symbol)
        self.reached.discard(symbol)
        self._next.unstick(symbol)
        self._closing.freed.pop(symbol, None)
        await self._closing.end_leftover_entries(symbol)

    def _note_reached(self, symbol: Symbol) -> None:
        plan = self._ledger.plans.get(symbol)
        if plan is None or self._wanted.paired:
            return
        reached = self._wanted.is_reached(plan, symbol)
        (self.reached.add if reached else self.reached.discard)(symbol)


def _is_refused(sent: Order) -> bool:
    """Not if it was withdrawn, for another fill had made it stale."""
    return sent.status in _REFUSED and sent.note != STALE


_REFUSED = (OrderStatus.REJECTED, OrderStatus.NOT_SENT)
