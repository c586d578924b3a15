"""Selling what is open: at market, never more than is open and not being sold already.

A cash account's stop locks the coins: before a sale it is cancelled and its end awaited.  Who calls
has the stop put back for whatever is left.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from decimal import Decimal

from trading.clocks import Clock
from trading.errors import VenueError, VenueRejected, VenueUnavailable
from trading.events import ProtectionPaused
from trading.execution.dust import Dust
from trading.execution.orders import Orders
from trading.recorder import Recorder
from trading.types import (
    ZERO,
    ExitReason,
    Held,
    MarketRules,
    Mode,
    Order,
    OrderRole,
    OrderStatus,
    Symbol,
)
from trading.valuation import Valuer

log = logging.getLogger(__name__)

TOLD_PAUSE = 1.0
"""Seconds without a stop during a sale, after which people are told."""


def slices(rules: MarketRules, quantity: Decimal) -> list[Decimal]:
    """*quantity* in whole lots, none larger than the venue takes at market."""
    left, parts = rules.quantity(quantity), list[Decimal]()
    most = rules.max_quantity or left
    while left > ZERO:
        parts.append(min(left, most))
        left -= parts[-1]
    return parts


class Closing:
    def __init__(
        self,
        *,
        trader: str,
        mode: Mode,
        orders: Orders,
        dust: Dust,
        valuer: Valuer,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self.dust = dust
        self._trader = trader
        self._mode = mode
        self._orders = orders
        self._ledger = orders.ledger
        self._valuer = valuer
        self._recorder = recorder
        self._clock = clock

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
        """As `Exits.close`."""
        await self._look_again(symbol)
        await self.end_leftover_entries(symbol)
        if not self._orders.venue.cash:
            return await self._sell(symbol, quantity, reason, by, origin=origin, at=at)
        if self._ledger.closable(symbol) == ZERO:
            return ()
        began = self._clock.monotonic()
        stopped = await self._free_coins(symbol)
        theirs = (await self._orders.venue.positions()).get(symbol, Held())
        if await self._is_all_dust(symbol, quantity, reason):
            return ()
        most = min(quantity, theirs.long)
        orders = await self._sell(symbol, most, reason, by, origin=origin, at=at)
        if stopped:
            await self._tell_pause(symbol, self._clock.monotonic() - began)
        return orders

    async def _look_again(self, symbol: Symbol) -> None:
        """What was not traded when that was read last may be by now.

        Raises `VenueRejected` if it is not: before anything is cancelled for the sale.
        """
        if self._orders.untraded(symbol):
            await self._orders.venue.reread()
        if self._orders.untraded(symbol):
            raise VenueRejected(self._orders.untraded(symbol))

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

    async def _free_coins(self, symbol: Symbol) -> bool:
        """End the stops that lock them; whether there were any.  Raises `VenueError`."""
        stops = self._ledger.alive_of(OrderRole.PROTECT, symbol)
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
                    at=self._clock.now(),
                    trader=self._trader,
                    mode=self._mode,
                    symbol=symbol,
                )
            )

    async def _is_all_dust(self, symbol: Symbol, quantity: Decimal, reason: ExitReason) -> bool:
        """Write off a whole position that the venue would not take; True if that was done."""
        position = self._ledger.positions.get(symbol)
        if position is None or quantity < position.quantity:
            return False
        if self._ledger.closable(symbol) < position.quantity:
            return False  # part of it is being sold
        if not self.dust.is_too_small(position):
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
