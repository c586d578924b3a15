"""What the desk keeps of each exit plan: trailing, targets, time limits, partial exits, and closes.

A sale is followed by `Protection.converge`: whatever is left has its stop again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.common.frozen import replace
from trading.context.trader import TraderContext
from trading.errors import Refused, VenueError, VenueRejected
from trading.events import ExitDropped, ExitSentAgain, StopMoved
from trading.execution.closing import PositionCloser
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.model.plan import ExitOrder, due, observe, reached
from trading.ports import Change, WritePriority
from trading.types import (
    ZERO,
    ExitPlan,
    ExitReason,
    MarketRules,
    Order,
    OrderType,
    Symbol,
    Untraded,
    traded,
)

log = logging.getLogger(__name__)


TOO_LATE = timedelta(seconds=60)
"""Age at which a close that a person asked for is not sent again: words grow old."""


class Exits:
    def __init__(
        self,
        *,
        context: TraderContext,
        orders: Orders,
        protection: Protection,
        closing: PositionCloser,
        valuer: Valuer,
        recorder: Recorder,
    ) -> None:
        self.dust = closing.dust
        self._absent: list[Order] = []
        """Exits that the venue never had, and that nobody has looked after yet."""
        orders.outcomes.on_absent.append(self._absent.append)
        self._context = context
        self._orders = orders
        self._ledger = orders.ledger
        self.protection = protection
        self._closing = closing
        self._valuer = valuer
        self._recorder = recorder
        self._clock = context.clock

    async def carry_out(self, bar: datetime) -> None:
        """Carry out what the plans want at the close of *bar*: trailing, target, time, partials."""
        await self._of_each(self._exit, bar)

    async def look(self, at: datetime) -> None:
        """Between two bars: close only where a stop or target is reached that does not rest.

        All else moves with closed bars, live as in a backtest.
        """
        await self._of_each(self._close_reached, at)

    async def _of_each(
        self, act: Callable[[Symbol, Decimal, datetime], Awaitable[None]], at: datetime
    ) -> None:
        for symbol in list(self._ledger.positions):
            quote = self._valuer.quote(symbol, at)
            if quote is not None and symbol in self._ledger.positions:
                try:
                    await act(symbol, quote.price, at)
                except VenueError as error:  # the others go on, this one is tried again
                    log.warning("an exit of %s was not sent: %s", symbol.base, error)

    async def _close_reached(self, symbol: Symbol, price: Decimal, at: datetime) -> None:
        rules, plan = self._orders.venue.rules(symbol), self._ledger.plans.get(symbol)
        if plan is None or isinstance(rules, Untraded) or reached(plan, price, rules) is None:
            return
        reason = reached(plan, price, rules, **self._resting(symbol))
        held = self._ledger.closable(symbol)
        if reason is not None and held > ZERO:
            await self.close(symbol, held, reason, at=at)

    def _resting(self, symbol: Symbol) -> dict[str, bool]:
        return {
            "stop_rests": self.protection.confirmed(symbol),
            "target_rests": self.protection.confirmed(symbol, OrderType.TARGET),
        }

    async def _exit(self, symbol: Symbol, price: Decimal, at: datetime) -> None:
        rules = self._orders.venue.rules(symbol)
        before = self._ledger.plans.get(symbol)
        if before is None or isinstance(rules, Untraded):
            return  # closed while another symbol was being looked after
        plan = observe(before, price, rules)
        if plan != before:
            await self.change_plan(symbol, plan, why="trailing")
        wanted = self._wanted(symbol, plan, price, at, rules)
        if wanted is None:
            return
        if wanted.quantity > ZERO:
            await self.close(symbol, wanted.quantity, wanted.reason, at=at)
        if symbol in self._ledger.positions and wanted.plan != plan:
            await self.change_plan(symbol, wanted.plan, why="entry")

    def _wanted(
        self, symbol: Symbol, plan: ExitPlan, price: Decimal, at: datetime, rules: MarketRules
    ) -> ExitOrder | None:
        """What is due; what rests at the venue, and so is its business, is looked up only then."""
        held = self._ledger.closable(symbol)
        if due(plan, held, price=price, now=at, rules=rules) is None:
            return None
        return due(plan, held, price=price, now=at, rules=rules, **self._resting(symbol))

    # -- what the venue never had -----------------------------------------------------------

    async def send_again(self) -> None:
        """Send what was lost on its way again, with an id of its own, or say that it is not."""
        for order in list(self._absent):
            self._absent.remove(order)
            reason = ExitReason(order.reason)
            if reason is ExitReason.FLATTEN or order.symbol not in self._ledger.positions:
                continue  # its halt goes on until it is flat
            await self._again(order, reason)

    async def _again(self, order: Order, reason: ExitReason) -> None:
        if reason is ExitReason.HAND and self._clock.now() - order.created_at > TOO_LATE:
            seconds = int(TOO_LATE.total_seconds())
            await self._drop(order, f"it was asked for more than {seconds} s ago")
            return
        try:
            sent = await self.close(order.symbol, order.remaining, reason, order.by)
        except VenueRejected as why:
            await self._drop(order, str(why))
            return
        except VenueError as error:
            log.warning("the exit %s cannot be sent again yet: %s", order.id, error)
            self._absent.append(order)
            return
        for again in sent:
            told = ExitSentAgain(
                order=self._ledger.orders[again.id], **self._context.about_symbol(order.symbol)
            )
            await self._recorder.say(told)

    async def _drop(self, order: Order, why: str) -> None:
        await self.protection.converge(order.symbol)
        plan = self._ledger.plans.get(order.symbol)
        rests = plan is not None and self.protection.confirmed(order.symbol)
        stop = plan.stop if plan is not None and rests else None
        await self._recorder.say(
            ExitDropped(order=order, why=why, stop=stop, **self._context.about_symbol(order.symbol))
        )

    # -- changing the plan --------------------------------------------------------------------

    async def change_plan(
        self, symbol: Symbol, plan: ExitPlan, *, why: str, origin: str = ""
    ) -> None:
        """Store the new plan with its position; say so and move the stop if that changed."""
        before = self._ledger.plans[symbol]
        plan = replace(plan, size=before.size, entry=before.entry)
        self._ledger.set_plan(symbol, plan)
        change = Change(positions=((self._ledger.positions[symbol], plan),))
        await self._recorder.keep(change, WritePriority.REDUCTION)
        if (plan.stop, plan.target) != (before.stop, before.target):
            await self.protection.converge(symbol)
        if plan.stop is None or plan.stop == before.stop:
            return
        await self._recorder.say(
            StopMoved(
                **self._context.about_symbol(symbol),
                old=before.stop or ZERO, new=plan.stop, why=why,
                on_venue=self.protection.confirmed(symbol), origin=origin,
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
        tick = traded(self._orders.venue.rules(symbol)).tick
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
        at: datetime | None = None,
    ) -> tuple[Order, ...]:
        """Close up to *quantity* at market, never more than is open and not being closed already.

        In as many orders as the venue's largest market order asks for.  *origin* is the chat that
        is answered, *at* the close of the bar in whose cycle it is done.  Empty: nothing was left
        to close, or only dust.  Raises `VenueError` where a cash account's stop could not be
        cancelled first.
        """
        if not self._orders.venue.cash:
            orders = await self._closing.leave(symbol, quantity, reason, by, origin=origin, at=at)
            await self.protection.converge(symbol)
            return orders
        async with self.protection.held(symbol):
            try:
                return await self._closing.leave(symbol, quantity, reason, by, origin=origin, at=at)
            finally:
                self._orders.outcomes.touched.add(symbol)
                with suppress(VenueError):  # looked at again before long
                    await self.protection.repair(symbol)
