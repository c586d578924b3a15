"""Every position has a stop at its venue, and a target where the venue can hold one beside it.

`converge` is the one way in which they are placed, resized, moved and taken away: it compares what
rests with what should, and repairs the difference.  It may be called at any time, any number of
times.  When one of the two has filled, the other is a leg too many, and goes.  What the desk keeps
of a plan is in `trading.execution.exits`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import islice

from trading.clocks import Clock
from trading.errors import VenueError
from trading.events import Protected, Unprotected
from trading.execution.closing import Closing, slices
from trading.execution.legs import Difference, compare, legs
from trading.execution.orders import Orders
from trading.execution.plan import stop_reason
from trading.recorder import Recorder
from trading.types import (
    CONDITIONAL,
    ZERO,
    ExitPlan,
    ExitReason,
    Mode,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Symbol,
    Targets,
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
        closing: Closing,
        valuer: Valuer,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._trader = trader
        self._mode = mode
        self._orders = orders
        self._closing = closing
        self._ledger = orders.ledger
        self._valuer = valuer
        self._recorder = recorder
        self._clock = clock
        self._locks: dict[Symbol, asyncio.Lock] = {}
        self._settling = 0
        self.idle = asyncio.Event()
        """Set while nobody settles anything."""
        self.idle.set()
        self._unprotected: set[Symbol] = set()
        self._refused_targets: dict[Symbol, Decimal] = {}
        """Targets that the venue would not take: the desk keeps those."""

    def rests(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """Whether stops (or targets) for all that is open, in whole lots, rest or are sent."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None or self._orders.untraded(symbol):
            return False
        if kind is OrderType.TARGET and self._target(plan, symbol) is None:
            return False
        is_leaving = self._orders.venue.cash and self._ledger.alive_of(OrderRole.EXIT, symbol)
        return not is_leaving and not self._compared(position, plan).of(kind)

    def confirmed(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """The venue has confirmed them for all that is open: when they fill is its business."""
        resting = [order for order in self._legs(symbol) if order.type is kind]
        confirmed = all(order.status is OrderStatus.OPEN for order in resting)
        return bool(resting) and confirmed and self.rests(symbol, kind)

    # -- stops at the venue ---------------------------------------------------------------

    async def converge(self, symbol: Symbol) -> None:
        """Make what rests equal the open quantity and the plan's prices."""
        async with self.held(symbol):
            try:
                await self.repair(symbol)
            except VenueError as error:
                await self._stay_unprotected(symbol, f"the venue does not answer: {error}")

    @asynccontextmanager
    async def held(self, symbol: Symbol) -> AsyncIterator[None]:
        """Nobody else changes what rests for *symbol* meanwhile; see `repair`."""
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            yield

    async def settle(self) -> None:
        """Converge every symbol that has changed, until nothing changes any more."""
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

    async def watch(self) -> None:
        """Look again after every position whose legs do not rest as they should."""
        for symbol, position in list(self._ledger.positions.items()):
            if self._orders.untraded(symbol):
                continue
            plan = self._ledger.plans.get(symbol)
            if plan is None or not self.rests(symbol) or self._compared(position, plan):
                await self.converge(symbol)
        for order in self._ledger.alive_of(OrderRole.PROTECT):
            if order.symbol not in self._ledger.positions:
                await self.converge(order.symbol)

    def _compared(self, position: Position, plan: ExitPlan) -> Difference:
        """What rests, against what should."""
        target = self._target(plan, position.symbol)
        wanted = legs(self._to_protect(position), stop=plan.stop, target=target)
        resting = self._legs(position.symbol)
        found = compare(resting, wanted, position.side.opposite)
        if found and target is not None and self._paired:
            return Difference(tuple(resting), tuple(wanted))  # a pair comes and goes as a whole
        return found

    @property
    def _paired(self) -> bool:
        return self._orders.venue.targets is Targets.PAIRED

    def _target(self, plan: ExitPlan, symbol: Symbol) -> Decimal | None:
        """Where the venue should keep the target; None: nowhere, the desk does."""
        if self._orders.venue.targets is Targets.DESK:
            return None
        return None if self._refused_targets.get(symbol) == plan.target else plan.target

    def _to_protect(self, position: Position) -> list[Decimal]:
        """Quantities of its legs; [0] if it is smaller than a lot.

        On a cash account less what is being sold: a stop for that would sell strangers' coins.
        """
        held, leaving = abs(position.quantity), ZERO
        if self._orders.venue.cash:
            leaving = held - self._ledger.closable(position.symbol)
        wanted = slices(self._orders.venue.rules(position.symbol).shown, held - leaving)
        return wanted if wanted or leaving else [ZERO]

    async def _cancel_wrong(self, symbol: Symbol, *kinds: OrderType) -> None:
        while True:
            position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
            resting = self._legs(symbol)
            if position is not None and plan is not None:
                resting = list(self._compared(position, plan).wrong)
            wrong = next((order for order in resting if order.type in kinds), None)
            if wrong is None or (await self._orders.cancel(wrong)).is_alive:
                return  # in doubt: asked again later

    async def repair(self, symbol: Symbol) -> None:
        """As `converge`, for who has the symbol `held`.  Raises `VenueError`.

        The stop first, so that it is away no longer than its own move takes.
        """
        if symbol in self._ledger.positions and self._orders.untraded(symbol):
            return  # what rests there rests, and nothing can join it
        await self._cancel_wrong(symbol, *(CONDITIONAL if self._paired else (OrderType.STOP,)))
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            await self._cancel_wrong(symbol, OrderType.TARGET)
            self._unprotected.discard(symbol)
            self._refused_targets.pop(symbol, None)
            await self._closing.end_leftover_entries(symbol)
            return
        await self._converge_stops(symbol, position, plan)
        if not self._paired:
            await self._cancel_wrong(symbol, OrderType.TARGET)
            await self._add_targets(symbol)

    async def _converge_stops(self, symbol: Symbol, position: Position, plan: ExitPlan) -> None:
        if self._closing.dust.is_left_over(position):
            await self._closing.dust.write_off(position)
            return
        if plan.stop is None:
            await self._stay_unprotected(symbol, "it has no stop price")
        elif self.confirmed(symbol):
            await self._is_protected(symbol, plan.stop)
        elif self.rests(symbol):
            return  # one is on its way, or in doubt: a second must not join it
        else:
            await self._add_stops(position, plan, plan.stop)

    async def _add_stops(self, position: Position, plan: ExitPlan, stop: Decimal) -> None:
        found = self._compared(position, plan)
        stops = found.of(OrderType.STOP)
        if stops.wrong or (found.wrong and self._paired):
            return  # one is in doubt: a second must not join it
        if not all(leg.quantity for leg in stops.missing):
            await self._stay_unprotected(position.symbol, "it is smaller than one lot")
            return
        if self._crossed(plan, position.symbol):
            rules = self._orders.venue.rules(position.symbol).shown
            await self._closing.leave(
                position.symbol, abs(position.quantity), stop_reason(plan, rules)
            )
            return
        for leg in list(stops.missing):
            await self._place(position, plan, stop, leg.quantity)

    async def _place(
        self, position: Position, plan: ExitPlan, stop: Decimal, quantity: Decimal
    ) -> None:
        target = self._pairs_with(plan, position.symbol)
        order = self._orders.prepare(
            symbol=position.symbol,
            side=position.side.opposite,
            role=OrderRole.PROTECT,
            quantity=quantity,
            stop_price=stop,
            reason=stop_reason(plan, self._orders.venue.rules(position.symbol).shown).value,
        )
        if target is None:
            order = await self._orders.reduce(order)
        else:
            leg = self._a_target(position, target, quantity)
            order = await self._orders.protect_by_pair(order, leg)
        if order.status is OrderStatus.REJECTED and target is not None:
            self._keep_target(position.symbol, target, order.note)
            await self._place(position, plan, stop, quantity)
        elif order.status in (OrderStatus.REJECTED, OrderStatus.NOT_SENT):
            await self._stay_unprotected(position.symbol, order.note)
        elif self.confirmed(position.symbol):
            await self._is_protected(position.symbol, stop)

    async def _add_targets(self, symbol: Symbol) -> None:
        """What is reached already is not sent: the desk closes in its next look."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None or self._is_reached(plan, symbol):
            return
        targets = self._compared(position, plan).of(OrderType.TARGET)
        for leg in [] if targets.wrong else list(targets.missing):
            if leg.price is None:
                continue
            order = await self._orders.reduce(self._a_target(position, leg.price, leg.quantity))
            if order.status is OrderStatus.REJECTED:
                self._keep_target(symbol, leg.price, order.note)

    def _pairs_with(self, plan: ExitPlan, symbol: Symbol) -> Decimal | None:
        """The target that goes in one list with the stop; one that is reached the desk keeps."""
        if self._paired and plan.target is not None and self._is_reached(plan, symbol):
            self._keep_target(symbol, plan.target, "it is reached")
        return self._target(plan, symbol) if self._paired else None

    def _keep_target(self, symbol: Symbol, price: Decimal, why: str) -> None:
        log.warning("the desk keeps the target %s of %s: %s", price, symbol.base, why)
        self._refused_targets[symbol] = price

    def _a_target(self, position: Position, price: Decimal, quantity: Decimal) -> Order:
        return self._orders.prepare(
            symbol=position.symbol,
            side=position.side.opposite,
            role=OrderRole.PROTECT,
            quantity=quantity,
            target_price=price,
            reason=ExitReason.TARGET.value,
        )

    def _legs(self, symbol: Symbol) -> list[Order]:
        return self._ledger.alive_of(OrderRole.PROTECT, symbol)

    def _is_reached(self, plan: ExitPlan, symbol: Symbol) -> bool:
        quote = self._valuer.quote(symbol)
        if quote is None or plan.target is None:
            return False
        return (quote.price - plan.target) * plan.side.sign >= ZERO

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
