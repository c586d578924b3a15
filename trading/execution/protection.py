"""Every position has its exit: a stop at the venue, and the desk watching the rest of its plan.

`converge` is the one way in which stops are placed, resized, moved and taken away: it compares
what rests with what should, and repairs the difference.  It may be called at any time, any number
of times.

The target rests there too where the venue can hold it beside the stop (`trading.types.Targets`);
trailing, time limit and partial exits are the desk's.  When one of the two has filled, the other is
a leg too many, and goes.  A cash account's stop locks the coins: before a sale it is cancelled and
its end awaited, and what is left is protected again.  What the venue cannot sell (dust) is booked
out at the last price and stays there, the operator's from then on.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from trading.clocks import Clock
from trading.errors import Refused, VenueError, VenueUnavailable
from trading.events import DustLeft, Protected, ProtectionPaused, StopMoved, Unprotected
from trading.execution.legs import Difference, compare, legs
from trading.execution.orders import Orders
from trading.execution.plan import due, observe, stop_reason
from trading.ledger import exit_reason
from trading.ports import Change, Lane
from trading.recorder import Recorder
from trading.types import (
    CONDITIONAL,
    ZERO,
    ExitPlan,
    ExitReason,
    Fill,
    Held,
    Mode,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Report,
    Symbol,
    Targets,
)
from trading.valuation import Valuer
from trading.values import replace

log = logging.getLogger(__name__)

TOLD_PAUSE = 1.0
"""Seconds without a stop during a sale, after which people are told."""
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
        self._refused_targets: dict[Symbol, Decimal] = {}
        """Targets that the venue would not take: the desk keeps those."""
        self.dust: dict[Symbol, Decimal] = {}
        """What was left at the venue because it was too small to sell, latest of each symbol."""

    def rests(self, symbol: Symbol, kind: OrderType = OrderType.STOP) -> bool:
        """Whether stops (or targets) for all that is open, in whole lots, rest or are sent."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
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
        """Look again after every position whose legs do not rest as they should."""
        for symbol, position in list(self._ledger.positions.items()):
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
        wanted = self._slices(position.symbol, held - leaving)
        return wanted if wanted or leaving else [ZERO]

    def _slices(self, symbol: Symbol, quantity: Decimal) -> list[Decimal]:
        """*quantity* in whole lots, none larger than the venue takes at market."""
        rules = self._orders.venue.rules(symbol)
        left, slices = rules.quantity(quantity), list[Decimal]()
        most = rules.max_quantity or left
        while left > ZERO:
            slices.append(min(left, most))
            left -= slices[-1]
        return slices

    async def _cancel_wrong(self, symbol: Symbol, *kinds: OrderType) -> None:
        while True:
            position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
            resting = self._legs(symbol)
            if position is not None and plan is not None:
                resting = list(self._compared(position, plan).wrong)
            wrong = next((order for order in resting if order.type in kinds), None)
            if wrong is None or (await self._orders.cancel(wrong)).is_alive:
                return  # in doubt: asked again later

    async def _converge(self, symbol: Symbol) -> None:
        """The stop first, so that it is away no longer than its own move takes."""
        await self._cancel_wrong(symbol, *(CONDITIONAL if self._paired else (OrderType.STOP,)))
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            await self._cancel_wrong(symbol, OrderType.TARGET)
            self._unprotected.discard(symbol)
            self._refused_targets.pop(symbol, None)
            await self._end_leftover_entries(symbol)
            return
        await self._converge_stops(symbol, position, plan)
        if not self._paired:
            await self._cancel_wrong(symbol, OrderType.TARGET)
            await self._add_targets(symbol)

    async def _converge_stops(self, symbol: Symbol, position: Position, plan: ExitPlan) -> None:
        if self._is_left_over(position):
            await self._write_off(position, self._last_reason(symbol))
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
            rules = self._orders.venue.rules(position.symbol)
            await self._leave(position.symbol, abs(position.quantity), stop_reason(plan, rules))
            return
        for leg in stops.missing:
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
            reason=stop_reason(plan, self._orders.venue.rules(position.symbol)).value,
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
        for leg in () if targets.wrong else targets.missing:
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

    # -- what the desk keeps --------------------------------------------------------------

    async def exits(self, at: datetime) -> None:
        """Carry out what the plans want at market time *at*: trailing, target, time, partials."""
        for symbol in list(self._ledger.positions):
            quote = self._valuer.quote(symbol, at)
            if quote is not None and symbol in self._ledger.positions:
                try:
                    await self._exit(symbol, quote.price, at)
                except VenueError as error:  # the others go on, this one is tried again
                    log.warning("an exit of %s was not sent: %s", symbol.base, error)

    async def _exit(self, symbol: Symbol, price: Decimal, at: datetime) -> None:
        rules = self._orders.venue.rules(symbol)
        before = self._ledger.plans.get(symbol)
        if before is None:
            return  # closed while another symbol was being looked after
        plan = observe(before, price, rules)
        if plan != before:
            await self.change_plan(symbol, plan, why="trailing")
        wanted = due(
            plan, self._held(symbol), price=price, now=at, rules=rules,
            stop_rests=self.confirmed(symbol),
            target_rests=self.confirmed(symbol, OrderType.TARGET),
        )  # fmt: skip
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
        if (plan.stop, plan.target) != (before.stop, before.target):
            await self.converge(symbol)
        if plan.stop is None or plan.stop == before.stop:
            return
        await self._recorder.say(
            StopMoved(
                at=self._clock.now(), trader=self._trader, mode=self._mode, symbol=symbol,
                old=before.stop or ZERO, new=plan.stop, why=why, on_venue=self.confirmed(symbol),
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
        self,
        symbol: Symbol,
        quantity: Decimal,
        reason: ExitReason,
        by: str = "",
        *,
        origin: str = "",
    ) -> tuple[Order, ...]:
        """Close up to *quantity* at market, never more than is open and not being closed already.

        In as many orders as the venue's largest market order asks for.  *origin* is the chat that
        is answered.  Empty: nothing was left to close, or only dust.  Raises `VenueError` where a
        cash account's stop could not be cancelled first.
        """
        if not self._orders.venue.cash:
            orders = await self._leave(symbol, quantity, reason, by, origin=origin)
            await self.converge(symbol)
            return orders
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            try:
                return await self._leave(symbol, quantity, reason, by, origin=origin)
            finally:
                self._orders.touched.add(symbol)
                with suppress(VenueError):  # looked at again before long
                    await self._converge(symbol)

    async def _leave(
        self,
        symbol: Symbol,
        quantity: Decimal,
        reason: ExitReason,
        by: str = "",
        *,
        origin: str = "",
    ) -> tuple[Order, ...]:
        await self._end_leftover_entries(symbol)
        if not self._orders.venue.cash:
            return await self._sell(symbol, quantity, reason, by, origin=origin)
        if self._ledger.closable(symbol) == ZERO:
            return ()
        began = self._clock.monotonic()
        stopped = await self._free_coins(symbol)
        theirs = (await self._orders.venue.positions()).get(symbol, Held())
        if await self._is_all_dust(symbol, quantity, reason):
            return ()
        most = min(quantity, theirs.long)
        orders = await self._sell(symbol, most, reason, by, origin=origin)
        if stopped:
            await self._tell_pause(symbol, self._clock.monotonic() - began)
        return orders

    async def _sell(
        self, symbol: Symbol, quantity: Decimal, reason: ExitReason, by: str, *, origin: str
    ) -> tuple[Order, ...]:
        """Send it; nothing is awaited before the reservation: two must not take the same part."""
        position = self._ledger.positions.get(symbol)
        if position is None:
            return ()
        orders = [
            self._orders.prepare(
                symbol=symbol,
                side=position.side.opposite,
                role=OrderRole.EXIT,
                quantity=part,
                reason=reason.value,
                by=by,
            )
            for part in self._slices(symbol, min(quantity, self._ledger.closable(symbol)))
        ]
        sending = (self._orders.reduce(order, origin=origin) for order in orders)
        return tuple(await asyncio.gather(*sending))

    async def _free_coins(self, symbol: Symbol) -> bool:
        """End the stops that lock them; whether there were any.  Raises `VenueError`."""
        stops = self._legs(symbol)
        for stop in stops:
            if (await self._orders.cancel(stop)).is_alive:
                raise VenueUnavailable(f"the stop of {symbol.base} has not ended yet")
        return bool(stops)

    async def _tell_pause(self, symbol: Symbol, seconds: float) -> None:
        """A sale that took no longer than a moment left nothing to tell."""
        position = self._ledger.positions.get(symbol)
        if seconds > TOLD_PAUSE:
            await self._recorder.say(
                ProtectionPaused(
                    quantity=abs(position.quantity) if position else ZERO,
                    lasted=timedelta(seconds=seconds),
                    **self._about(symbol),
                )
            )

    # -- dust -----------------------------------------------------------------------------

    def _is_left_over(self, position: Position) -> bool:
        """Whether so little is left of a position after its exits that nobody can sell it."""
        return (
            self._orders.venue.cash
            and position.exited > ZERO
            and self._is_too_small(position)
            and not self._ledger.alive_of(OrderRole.EXIT, position.symbol)
        )

    def _is_too_small(self, position: Position) -> bool:
        """Less than a lot, or worth less than the venue takes: neither a sale nor a stop."""
        rules = self._orders.venue.rules(position.symbol)
        lots = rules.quantity(position.quantity)
        return lots == ZERO or lots * self._price(position) < rules.min_notional

    async def _is_all_dust(self, symbol: Symbol, quantity: Decimal, reason: ExitReason) -> bool:
        """Write off a whole position that the venue would not take; True if that was done."""
        position = self._ledger.positions.get(symbol)
        if position is None or quantity < position.quantity:
            return False
        if self._ledger.closable(symbol) < position.quantity:
            return False  # part of it is being sold
        if not self._is_too_small(position):
            return False
        await self._write_off(position, reason)
        return True

    async def _write_off(self, position: Position, reason: ExitReason) -> None:
        """Book it out at the last price: equity stays, the coins lie beside our money now."""
        price, quantity = self._price(position), abs(position.quantity)
        order = self._orders.prepare(
            symbol=position.symbol, side=position.side.opposite, role=OrderRole.EXIT,
            quantity=quantity, reason=reason.value,
        )  # fmt: skip
        self._ledger.shift_offset(-quantity * price)
        self.dust[position.symbol] = quantity
        fill = Fill(
            id=f"dust-{order.id}", order_id=order.id, trader=order.trader, symbol=order.symbol,
            side=order.side, quantity=quantity, price=price, fee=ZERO, at=self._clock.now(),
        )  # fmt: skip
        self._orders.hear(
            Report(
                order_id=order.id, status=OrderStatus.FILLED, filled=quantity, fills=(fill,),
                note="too small to sell: left at the venue",
            )
        )  # fmt: skip
        worth = quantity * price
        told = DustLeft(quantity=quantity, worth=worth, **self._about(position.symbol))
        await self._recorder.say(told)

    def _price(self, position: Position) -> Decimal:
        quote = self._valuer.quote(position.symbol)
        return quote.price if quote is not None else position.average_price

    def _last_reason(self, symbol: Symbol) -> ExitReason:
        """Of the latest exit: what is left over from it ended for the same reason."""
        left = (o for o in self._ledger.orders.values() if o.symbol == symbol and o.filled)
        exits = [o for o in left if o.role is not OrderRole.ENTRY]
        return exit_reason(exits[-1]) if exits else ExitReason.SIGNAL

    def _about(self, symbol: Symbol) -> dict[str, Any]:
        now = self._clock.now()
        return {"at": now, "trader": self._trader, "mode": self._mode, "symbol": symbol}

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
