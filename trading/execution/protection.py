"""Every position has a stop at its venue, and a target where the venue can hold one beside it.

`converge` is the one way in which they are placed, resized, moved and taken away: it compares what
rests with what should, and repairs the difference.  It may be called at any time, any number of
times.  When one of the two has filled, the other is a leg too many, and goes.  What the desk keeps
of a plan is in `trading.execution.exits`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from trading.accounts.valuation import Valuer
from trading.clocks import Clock
from trading.errors import VenueError, VenueRejected
from trading.execution.closing import PositionCloser
from trading.execution.orders import Orders
from trading.execution.wanted import Wanted
from trading.model.legs import Leg
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

log = logging.getLogger(__name__)

STUCK = 60.0
"""Seconds before something is tried again that could not replace a stop that rests."""
IN_DOUBT = "it was cancelled for a sale that has no answer; none may join that until it is known"
NO_ANSWER = "it was sent, and may rest or not; a second must not join it"
NO_STOPS = "this market takes no stop orders"
TOGETHER = 32
"""Symbols converged at a time: they share their commits, and none waits long for its own."""


@dataclass(frozen=True, slots=True)
class _Stuck:
    wanted: list[Leg]
    until: float
    """Monotonic."""


@dataclass(frozen=True, slots=True)
class _Refused:
    note: str
    misfit: bool = False


class Protection:
    def __init__(
        self,
        *,
        orders: Orders,
        closing: PositionCloser,
        valuer: Valuer,
        clock: Clock,
        gap: Callable[[], Decimal],
    ) -> None:
        """*gap*: share of its price by which a stop that is a limit may fill worse."""
        self.covers = closing.covers
        self._orders = orders
        self._closing = closing
        self._ledger = orders.ledger
        self._valuer = valuer
        self._clock = clock
        self._locks: dict[Symbol, asyncio.Lock] = {}
        self.reached: set[Symbol] = set()
        """Those whose target did not rest, as the price was there already."""
        self._settling = 0
        self.idle = asyncio.Event()
        """Set while nobody settles anything."""
        self.idle.set()
        self._wanted = Wanted(orders=orders, covers=closing.covers, valuer=valuer, gap=gap)
        self._stuck: dict[Symbol, _Stuck] = {}
        """What could not replace an older stop that rests in its place."""

    def rests(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """Whether stops (or targets) for all that is open, in whole lots, rest or are sent."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return False
        if kind is OrderType.TARGET and self._wanted.target(plan, symbol) is None:
            return False
        is_leaving = self._orders.venue.cash and self._ledger.alive_of(OrderRole.EXIT, symbol)
        return not is_leaving and not self._wanted.compared(position, plan).of(kind)

    def confirmed(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """The venue has confirmed them for all that is open: when they fill is its business."""
        resting = [order for order in self._wanted.resting(symbol) if order.type is kind]
        confirmed = all(order.status is OrderStatus.OPEN for order in resting)
        return bool(resting) and confirmed and self.rests(symbol, kind)

    # -- stops at the venue ---------------------------------------------------------------

    async def converge(self, symbol: Symbol) -> None:
        """Make what rests equal the open quantity and the plan's prices."""
        async with self.held(symbol):
            try:
                await self.repair(symbol)
            except VenueRejected as refused:
                await self.covers.tell_bare(symbol, str(refused))
            except VenueError as error:
                await self.covers.tell_bare(symbol, f"the venue does not answer: {error}")

    @asynccontextmanager
    async def held(self, symbol: Symbol) -> AsyncIterator[None]:
        """Nobody else changes what rests for *symbol* meanwhile; see `repair`."""
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            yield

    async def settle(self) -> None:
        """Converge every symbol that has changed, until nothing changes any more."""
        if not self._orders.touched:
            return
        self._settling += 1
        self.idle.clear()
        try:
            while touched := list(islice(self._orders.touched, TOGETHER)):
                self._orders.touched.difference_update(touched)
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
            if plan is None or not self.rests(symbol) or self._wanted.compared(position, plan):
                await self.converge(symbol)
        for order in self._ledger.alive_of(OrderRole.PROTECT):
            if order.symbol not in self._ledger.positions:
                await self.converge(order.symbol)

    # -- taking away what is wrong ----------------------------------------------------------

    async def repair(self, symbol: Symbol) -> None:
        """As `converge`, for who has the symbol `held`.  Raises `VenueError`.

        The stop first, so that it is away no longer than its own move takes.
        """
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            await self._forget(symbol)
            return
        if any(order.triggered and order.price for order in self._wanted.resting(symbol)):
            return  # its limit works now: see `trading.execution.stop_limits`
        if not await self._is_traded(symbol, position, plan):
            return  # what rests there rests, and nothing can join it
        if self._is_due(symbol, position, plan):
            await self._leave_now(symbol, position, plan)
            await self._trim_targets(symbol)
            return
        gone = await self._make_room(symbol, position, plan)
        if gone is None:
            await self._trim_targets(symbol)
            return
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            await self._forget(symbol)
            return
        await self._converge_stops(position, plan, gone)
        await self._trim_targets(symbol)
        if not self._wanted.paired:
            await self._add_targets(symbol)

    async def _trim_targets(self, symbol: Symbol) -> None:
        """Whatever becomes of the stop, no target rests for more than is open.

        One in a list goes with its stop, and stays with it.
        """
        if not self._wanted.paired:
            await self._cancel_wrong(symbol, OrderType.TARGET)

    def _is_due(self, symbol: Symbol, position: Position, plan: ExitPlan) -> bool:
        """Whether the price is beyond a stop that does not rest: unless one is in doubt, it is
        closed at once."""
        if not self._crossed(plan, symbol) or self.rests(symbol):
            return False
        wrong = self._wanted.compared(position, plan).wrong
        return all(order.status is OrderStatus.OPEN for order in wrong)

    async def _leave_now(self, symbol: Symbol, position: Position, plan: ExitPlan) -> None:
        reason = stop_reason(plan, self._orders.venue.rules(symbol).shown)
        try:
            orders = await self._closing.leave(symbol, abs(position.quantity), reason)
            why = next((o.note for o in orders if o.status is OrderStatus.REJECTED), "")
        except VenueRejected as refused:
            why = str(refused)
        if symbol not in self._ledger.positions:
            await self._forget(symbol)
        elif why and plan.stop is not None and self.covers.stops(symbol):
            await self.covers.tell_stays(symbol, plan.stop, why)
        elif why:
            await self.covers.tell_bare(symbol, why)
        elif self._orders.venue.cash and self._is_sale_in_doubt(symbol):
            await self.covers.tell_bare(symbol, IN_DOUBT)

    async def _is_traded(self, symbol: Symbol, position: Position, plan: ExitPlan) -> bool:
        """Asked for again once in a while: what was not traded may be by now."""
        if not self._orders.untraded(symbol):
            return True
        if not self._is_stuck(position, plan):
            self._stick(symbol)
            await self._orders.rules_now(symbol)
        why = self._orders.untraded(symbol)
        if not why:
            self._stuck.pop(symbol, None)
            return True
        if plan.stop is None or not self.covers.stops(symbol):
            await self.covers.tell_bare(symbol, why)
        elif not self.confirmed(symbol):
            await self.covers.tell_stays(symbol, plan.stop, why)
        return False

    async def _forget(self, symbol: Symbol) -> None:
        """Nothing is open: nothing may rest for it."""
        stops_first = CONDITIONAL if self._wanted.paired else (OrderType.STOP,)
        await self._cancel_wrong(symbol, *stops_first)
        await self._cancel_wrong(symbol, OrderType.TARGET)
        self.covers.look(symbol)
        self._wanted.forget(symbol)
        self.reached.discard(symbol)
        self._stuck.pop(symbol, None)
        self._closing.freed.pop(symbol, None)
        await self._closing.end_leftover_entries(symbol)

    async def _make_room(
        self, symbol: Symbol, position: Position, plan: ExitPlan
    ) -> list[Order] | None:
        """Cancel the stops that should be others, and return those that went with this or with the
        latest sale.  None: they stay, because what should replace them could not be sent now."""
        kinds = tuple(CONDITIONAL) if self._wanted.paired else (OrderType.STOP,)
        wrong = [o for o in self._wanted.compared(position, plan).wrong if o.type in kinds]
        if plan.stop is not None and self._may_stay(position, wrong):
            if self._is_stuck(position, plan):
                return None
            why = await self._objection(symbol)
            if why:
                self._stick(symbol)
                await self.covers.tell_stays(symbol, plan.stop, why)
                return None
        freed = self._closing.freed.pop(symbol, ())
        return [*freed, *await self._cancel_wrong(symbol, *kinds)]

    def _may_stay(self, position: Position, wrong: list[Order]) -> bool:
        """Whether they protect, as far as they go, and harm nobody: on a cash account a stop for
        more than is ours would sell the operator's own coins."""
        stops = [order for order in wrong if order.type is OrderType.STOP]
        sound = all(o.status is OrderStatus.OPEN and o.side is not position.side for o in stops)
        total = sum((order.remaining for order in stops), ZERO)
        fits = not self._orders.venue.cash or total <= self._wanted.to_protect(position)
        return bool(stops) and sound and fits

    async def _objection(self, symbol: Symbol) -> str:
        """Why what should rest could not be sent, by the market's rules as they are now; empty:
        they do not speak against it."""
        rules = await self._orders.rules_now(symbol)
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return ""
        if rules.shown.stops is Stops.DESK:
            return NO_STOPS
        stops = self._wanted.compared(position, plan).of(OrderType.STOP)
        if not stops.wrong:
            return ""
        found = (
            rules.objection(leg.quantity, leg.price or ZERO, cash=self._orders.venue.cash)
            for leg in stops.missing
        )
        return next(filter(None, found), "")

    def _is_stuck(self, position: Position, plan: ExitPlan) -> bool:
        """Whether the same was refused a short while ago, by the same rules."""
        stuck = self._stuck.get(position.symbol)
        if stuck is None or self._clock.monotonic() >= stuck.until:
            return False
        return stuck.wanted == self._wanted.legs(position, plan)

    def _stick(self, symbol: Symbol) -> None:
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is not None and plan is not None:
            until = self._clock.monotonic() + STUCK
            self._stuck[symbol] = _Stuck(self._wanted.legs(position, plan), until)

    async def _cancel_wrong(self, symbol: Symbol, *kinds: OrderType) -> list[Order]:
        """Return what was taken away."""
        gone: list[Order] = []
        while True:
            position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
            resting = self._wanted.resting(symbol)
            if position is not None and plan is not None:
                resting = list(self._wanted.compared(position, plan).wrong)
            wrong = next((order for order in resting if order.type in kinds), None)
            if wrong is None:
                return gone
            ended = await self._orders.cancel(wrong)
            self.covers.look(symbol)
            if ended.is_alive:
                return gone  # in doubt: asked again later
            if ended.status is OrderStatus.CANCELLED:
                gone.append(ended)

    # -- placing what is missing ------------------------------------------------------------

    async def _converge_stops(self, position: Position, plan: ExitPlan, gone: list[Order]) -> None:
        symbol = position.symbol
        if self._closing.dust.is_left_over(position):
            await self._closing.dust.write_off(position)
        elif plan.stop is None:
            await self.covers.tell_bare(symbol, "it has no stop price")
        elif self.confirmed(symbol):
            await self._is_protected(symbol, plan.stop)
        elif not self.rests(symbol):
            await self._add_stops(position, plan, gone)
        # else one is on its way, or in doubt: a second must not join it
        if self._orders.venue.cash and self._is_sale_in_doubt(symbol):
            await self.covers.tell_bare(symbol, IN_DOUBT)

    def _is_sale_in_doubt(self, symbol: Symbol) -> bool:
        exits = self._ledger.alive_of(OrderRole.EXIT, symbol)
        return any(order.status is OrderStatus.UNKNOWN for order in exits)

    async def _add_stops(self, position: Position, plan: ExitPlan, gone: list[Order]) -> None:
        symbol, found = position.symbol, self._wanted.compared(position, plan)
        if found.of(OrderType.STOP).wrong or (found.wrong and self._wanted.paired):
            if any(order.status is OrderStatus.UNKNOWN for order in found.wrong):
                await self.covers.tell_bare(symbol, NO_ANSWER)
            return  # one is in doubt: a second must not join it
        refused = await self._send_missing(symbol)
        if refused is not None and (refused.misfit or gone):
            await self._orders.rules_now(symbol)
            refused = await self._send_missing(symbol)
        if refused is not None and gone:
            await self._put_back(symbol, gone, refused.note)
        elif refused is not None:
            await self.covers.tell_bare(symbol, refused.note)

    async def _send_missing(self, symbol: Symbol) -> _Refused | None:
        """Send each stop that is missing; return why one of them could not be."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None or plan.stop is None:
            return None
        for leg in list(self._wanted.compared(position, plan).of(OrderType.STOP).missing):
            if not leg.quantity:
                selling = self._ledger.closable(symbol) < abs(position.quantity)
                # What stays of a sale under way is booked out after it, if it is dust.
                return None if selling else _Refused("it is smaller than one lot")
            if self._orders.venue.rules(symbol).shown.stops is Stops.DESK:
                return _Refused(NO_STOPS)
            target = self._wanted.pairs_with(plan, symbol)
            stop = leg.price or plan.stop
            order = await self._wanted.send(position, plan, stop, leg.quantity, target)
            if order.status in (OrderStatus.REJECTED, OrderStatus.NOT_SENT):
                return _Refused(order.note, order.misfit)
        if self.confirmed(symbol):
            await self._is_protected(symbol, plan.stop)
        return None

    async def _put_back(self, symbol: Symbol, gone: list[Order], why: str) -> None:
        """The old stops, as they were, for as much of them as is still open."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return
        self._stick(symbol)
        left = self._wanted.to_protect(position) - sum(
            (
                stop.remaining
                for stop in self._wanted.resting(symbol)
                if stop.type is OrderType.STOP
            ),
            ZERO,
        )
        target = next((o.stop_price for o in gone if o.type is OrderType.TARGET), None)
        for old in gone:
            quantity = min(old.remaining, left)
            if old.type is not OrderType.STOP or old.stop_price is None or quantity <= ZERO:
                continue
            paired = target if self._wanted.paired else None
            order = await self._wanted.send(position, plan, old.stop_price, quantity, paired)
            left -= quantity
            if order.status in (OrderStatus.REJECTED, OrderStatus.NOT_SENT):
                again = f"{why}; the old one was not taken back either: {order.note}"
                await self.covers.tell_bare(symbol, again)
                return
        if plan.stop is not None and self.confirmed(symbol):
            await self._is_protected(symbol, plan.stop)
        elif plan.stop is not None:
            await self.covers.tell_stays(symbol, plan.stop, why)

    async def _add_targets(self, symbol: Symbol) -> None:
        """What is reached already is not sent: the desk closes in its next look."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return
        if self._wanted.is_reached(plan, symbol):
            self.reached.add(symbol)
            return
        self.reached.discard(symbol)
        targets = self._wanted.compared(position, plan).of(OrderType.TARGET)
        for leg in [] if targets.wrong else list(targets.missing):
            if leg.price is None or not leg.quantity:
                continue
            order = await self._orders.reduce(
                self._wanted.a_target(position, leg.price, leg.quantity)
            )
            if order.status is OrderStatus.REJECTED and plan.target is not None:
                self._wanted.keep_target(symbol, plan.target, order.note)

    def _crossed(self, plan: ExitPlan, symbol: Symbol) -> bool:
        quote = self._valuer.quote(symbol)
        if quote is None or plan.stop is None:
            return False
        return (quote.price - plan.stop) * plan.side.sign <= ZERO

    async def _is_protected(self, symbol: Symbol, stop: Decimal) -> None:
        self._stuck.pop(symbol, None)
        await self.covers.tell_protected(symbol, stop)
