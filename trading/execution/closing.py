"""Selling what is open: at market, never more than is open and not being sold already.

A cash account's stop locks the coins: before a sale it is cancelled and its end awaited.  Who calls
has the stop put back for whatever is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.context.trader import TraderContext
from trading.errors import VenueError, VenueRejected, VenueUnavailable
from trading.events import ProtectionPaused
from trading.execution.cover import Covers
from trading.execution.dust import Dust
from trading.execution.orders import Orders
from trading.model.legs import slices
from trading.types import (
    ZERO,
    ExitReason,
    Held,
    Order,
    OrderRole,
    OrderStatus,
    Rules,
    Symbol,
)

log = logging.getLogger(__name__)

TOLD_PAUSE = 1.0
"""Seconds without a stop during a sale, after which people are told."""
NOT_YET_SOLD = "it was cancelled to sell the coins, and the venue has not answered yet"


class PositionCloser:
    def __init__(
        self,
        *,
        context: TraderContext,
        orders: Orders,
        dust: Dust,
        covers: Covers,
        recorder: Recorder,
    ) -> None:
        self.dust = dust
        self.covers = covers
        self.freed: dict[Symbol, Sequence[Order]] = {}
        """Stops that were taken away for the latest sale, for whoever puts them back."""
        self._context = context
        self._orders = orders
        self._ledger = orders.ledger
        self._recorder = recorder
        self._clock = context.clock

    async def leave(
        self,
        symbol: Symbol,
        quantity: Decimal,
        reason: ExitReason,
        by: str = "",
        *,
        origin: str = "",
        at: datetime | None = None,
    ) -> tuple[Order, ...]:
        """Sell up to *quantity*; return the orders that did, or tried to.

        Raises `VenueError` where nothing could be sent; `VenueRejected` before anything was
        touched, where the market's rules speak against it, or it is not traded.
        """
        await self._look_again(symbol)
        await self.end_leftover_entries(symbol)
        if self._ledger.closable(symbol) == ZERO:
            return ()
        if not self._orders.venue.cash:
            await self._check_lots(symbol, quantity)
            return await self._sell(symbol, quantity, reason, by, origin=origin, at=at)
        self._check(symbol, quantity, await self._orders.line.rules_now(symbol))
        async with self._without_stops(symbol):
            theirs = (await self._orders.venue.positions()).get(symbol, Held())
            if await self._is_all_dust(symbol, quantity, reason):
                return ()
            most = min(quantity, theirs.long)
            return await self._sell(symbol, most, reason, by, origin=origin, at=at)

    async def _check_lots(self, symbol: Symbol, quantity: Decimal) -> None:
        """What does not fit the rules that are known may fit those of now: lots grow and shrink.

        Raises `VenueRejected` where not even one lot can be sold.
        """
        sold = min(quantity, self._ledger.closable(symbol))
        if self._orders.venue.rules(symbol).shown.quantity(sold) == sold:
            return
        why = _objection((await self._orders.line.rules_now(symbol)).shown, sold, ZERO, cash=False)
        if why:
            raise VenueRejected(f"{why}; its stop was not touched")

    def _check(self, symbol: Symbol, quantity: Decimal, told: Rules) -> None:
        """Raises `VenueRejected` for a sale that could not be made, and for one that would leave
        something without a stop that has one now."""
        position, plan = self._ledger.positions.get(symbol), self._ledger.plans.get(symbol)
        if position is None or plan is None:
            return
        rules = told.shown
        held, price = abs(position.quantity), self.dust.price(position)
        sold = rules.quantity(min(quantity, held))
        why = _objection(told, min(quantity, held), price, cash=True)
        goes = quantity >= held and told is rules and self.dust.is_dust(position, held)
        if why and not goes:
            raise VenueRejected(f"{why}; its stop was not touched")
        rest = held - sold
        if quantity >= held or self.dust.is_dust(position, rest):
            return
        why = _objection(rules, rest, plan.stop or price, cash=True)
        if why:
            raise VenueRejected(f"the {rest:f} that would stay could have no stop: {why}")

    @asynccontextmanager
    async def _without_stops(self, symbol: Symbol) -> AsyncIterator[None]:
        """End the stops that lock the coins; say so if it takes longer than a moment."""
        stops = self._ledger.alive_of(OrderRole.PROTECT, symbol)
        began = self._clock.monotonic()
        waiting = asyncio.create_task(self._tell_late(symbol)) if stops else None
        try:
            self.freed[symbol] = await self._free_coins(symbol, stops)
            yield
        finally:
            if waiting is not None:
                waiting.cancel()
        if stops:
            await self._tell_pause(symbol, self._clock.monotonic() - began)

    async def _tell_late(self, symbol: Symbol) -> None:
        await self._clock.sleep(TOLD_PAUSE)
        while self.covers.stops(symbol):
            await self._clock.sleep(TOLD_PAUSE)
        await asyncio.shield(self.covers.tell_bare(symbol, NOT_YET_SOLD))

    async def _look_again(self, symbol: Symbol) -> None:
        """What was not traded when that was read last may be by now.

        Raises `VenueRejected` if it is not: before anything is cancelled for the sale.
        """
        if self._orders.line.untraded(symbol):
            await self._orders.venue.reread()
        if self._orders.line.untraded(symbol):
            raise VenueRejected(self._orders.line.untraded(symbol))

    async def _sell(
        self,
        symbol: Symbol,
        quantity: Decimal,
        reason: ExitReason,
        by: str,
        *,
        origin: str,
        at: datetime | None,
    ) -> tuple[Order, ...]:
        """What does not fit the rules goes once more, by the rules as they are then."""
        orders = await self._send(symbol, quantity, reason, by, origin=origin, at=at)
        misfits = sum((order.quantity for order in orders if order.misfit), ZERO)
        if not misfits:
            return orders
        await self._orders.line.rules_now(symbol)
        again = await self._send(symbol, misfits, reason, by, origin=origin, at=at)
        return (*(order for order in orders if not order.misfit), *again) if again else orders

    async def _send(
        self,
        symbol: Symbol,
        quantity: Decimal,
        reason: ExitReason,
        by: str,
        *,
        origin: str,
        at: datetime | None,
    ) -> tuple[Order, ...]:
        """Send it; nothing is awaited before the reservation: two must not take the same part."""
        position = self._ledger.positions.get(symbol)
        if position is None:
            return ()
        rules = self._orders.venue.rules(symbol).shown
        orders = [
            self._orders.prepare(
                symbol=symbol,
                side=position.side.opposite,
                role=OrderRole.EXIT,
                quantity=part,
                reason=reason.value,
                by=by,
                at=at,
            )
            for part in slices(rules, min(quantity, self._ledger.closable(symbol)))
        ]
        sending = (self._orders.reduce(order, origin=origin) for order in orders)
        return tuple(await asyncio.gather(*sending))

    async def _free_coins(self, symbol: Symbol, stops: Sequence[Order]) -> Sequence[Order]:
        """Return those that were taken away.  Raises `VenueError`."""
        gone = []
        for stop in stops:
            ended = await self._orders.cancel(stop)
            self.covers.look(symbol)
            if ended.is_alive:
                raise VenueUnavailable(f"the stop of {symbol.base} has not ended yet")
            if ended.status is OrderStatus.CANCELLED:
                gone.append(ended)
        return gone

    async def _tell_pause(self, symbol: Symbol, seconds: float) -> None:
        """A sale that took no longer than a moment left nothing to tell."""
        position = self._ledger.positions.get(symbol)
        if seconds > TOLD_PAUSE:
            await self._recorder.say(
                ProtectionPaused(
                    quantity=abs(position.quantity) if position else ZERO,
                    lasted=timedelta(seconds=seconds),
                    **self._context.about_symbol(symbol),
                )
            )

    async def _is_all_dust(self, symbol: Symbol, quantity: Decimal, reason: ExitReason) -> bool:
        """Write off a whole position that the venue would not take; True if that was done."""
        position = self._ledger.positions.get(symbol)
        if position is None or quantity < position.quantity:
            return False
        if self._ledger.closable(symbol) < position.quantity:
            return False  # part of it is being sold
        if not self.dust.is_dust(position, abs(position.quantity)):
            return False
        await self.dust.write_off(position, reason)
        return True

    async def end_leftover_entries(self, symbol: Symbol) -> None:
        """What an entry has not filled yet must not add to a position that is being left.

        Entries that have filled nothing belong to a position still to come.
        """
        for order in self._ledger.alive_of(OrderRole.ENTRY, symbol):
            if order.filled > ZERO and order.status is OrderStatus.OPEN:
                try:
                    await self._orders.cancel(order)
                except VenueError as error:
                    log.warning("the rest of entry %s may still fill: %s", order.id, error)


def _objection(rules: Rules, quantity: Decimal, price: Decimal, *, cash: bool) -> str:
    """Why the whole lots of *quantity* would not be taken; what is named is what was wished."""
    why = rules.objection(rules.shown.quantity(quantity), price, cash=cash)
    return why and (rules.objection(quantity, price, cash=cash) or why)
