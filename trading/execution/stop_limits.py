"""Where a market takes stops as limits only: what was touched and does not fill goes at market.

The venue says that one was touched; our own price is but a reason to ask.  Below the limit nothing
fills there while the desk is down: that is told at the start.
"""

from __future__ import annotations

import logging

from trading.accounts.round_trips import exit_reason
from trading.accounts.valuation import Valuer
from trading.clocks import Clock
from trading.errors import VenueError
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.types import CONDITIONAL, ZERO, Order, OrderRole, OrderStatus, OrderType

log = logging.getLogger(__name__)

LOOK_EVERY, SELDOM = 0.5, 1.0
"""Seconds between two looks, and where none rests."""
UNFILLED = 2.0
"""Seconds that a limit has to fill once it was touched."""


class StopLimits:
    def __init__(self, *, orders: Orders, exits: Exits, valuer: Valuer, clock: Clock) -> None:
        self._orders = orders
        self._exits = exits
        self._valuer = valuer
        self._clock = clock
        self._since: dict[str, float] = {}
        """When each was first known to work (monotonic)."""

    async def run(self) -> None:
        """What was touched has two seconds to fill: it is looked at more often than prices."""
        while True:
            await self._clock.beat(LOOK_EVERY if self.rest else SELDOM)
            await self.watch()

    @property
    def rest(self) -> bool:
        """There are some to look after."""
        return bool(self._limits())

    async def watch(self) -> None:
        """Look after all of them once."""
        limits = self._limits()
        self._since = {o.id: self._since[o.id] for o in limits if o.id in self._since}
        for order in limits:
            try:
                await self._look_at(order)
            except VenueError as error:  # looked at again in a moment
                log.warning("the stop %s was touched and may not have filled: %s", order.id, error)

    def _limits(self) -> list[Order]:
        legs = self._orders.ledger.alive_of(OrderRole.PROTECT)
        return [o for o in legs if o.type in CONDITIONAL and o.price is not None]

    async def _look_at(self, order: Order) -> None:
        if not order.triggered and self._seems_touched(order):
            order = await self._orders.resolve(order)
        if not order.triggered or not order.is_alive:
            return
        since = self._since.setdefault(order.id, self._clock.monotonic())
        if self._clock.monotonic() - since >= UNFILLED:
            await self._exits.close(order.symbol, order.remaining, exit_reason(order))

    def _seems_touched(self, order: Order) -> bool:
        quote = self._valuer.quote(order.symbol)
        if quote is None or order.stop_price is None or order.status is not OrderStatus.OPEN:
            return False
        against = -order.side.sign if order.type is OrderType.STOP else order.side.sign
        return (quote.price - order.stop_price) * against <= ZERO
