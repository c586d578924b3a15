"""What the contract of venues asks of a market around one, in words that hold for all of them.

Prices are percent from where the market begins, quantities are `unit`s.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from decimal import Decimal
from typing import Any

import pytest

from tests.waiting import PATIENCE
from trading.clocks import Clock
from trading.errors import VenueError, VenueRejected
from trading.model.halt import Permit
from trading.ports import Venue
from trading.types import (
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    Targets,
)

BTC = Symbol("BTC", "USDT")
NOWHERE = Symbol("NOWHERE", "USDT")
D = Decimal
ENDED = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
_numbers = itertools.count(1)

Move = tuple[float, float | None]
"""To how many percent from the beginning the market goes, and how many units then trade there at
most; None: as many as anybody wants."""


def allowed() -> None:
    """A permit that lets everything pass."""


class World(ABC):
    """One account at one venue, in a market that makes the *moves* it was opened with."""

    unit: Decimal
    """Of BTC: an amount that can be bought ten times over."""
    first: Decimal
    """The price that the market begins with."""
    charges = True
    """Whether fills cost a fee."""
    clock: Clock
    heard: list[OrderReport]
    """What the listener was told."""

    # -- what a venue's world has to know ---------------------------------------------------------

    @abstractmethod
    async def venue(self) -> Venue:
        """The one under test, open."""

    @abstractmethod
    async def another(self) -> Venue:
        """Of the same account, open, as after a restart: it remembers nothing."""

    @abstractmethod
    async def goes_on(self) -> None:
        """The market makes its next move."""

    @abstractmethod
    def loses_the_answer(self) -> AbstractAsyncContextManager[None]:
        """Within it the next order or cancel is carried out, and its answer does not come back."""

    @abstractmethod
    def unreachable(self) -> AbstractAsyncContextManager[None]:
        """Within it nothing reaches the venue."""

    @abstractmethod
    def sent(self) -> int:
        """How many orders have left for the venue."""

    # -- words for tests --------------------------------------------------------------------------

    def at(self, percent: float) -> Decimal:
        """The price so far from the first."""
        return self.first + self.first * D(str(percent)) / 100

    def order(
        self, side: Side, units: float = 1, role: OrderRole = OrderRole.ENTRY, **more: Any
    ) -> Order:
        facts: dict[str, Any] = {
            "id": f"qd-1f3a-{role.value[0]}-{next(_numbers):016x}",
            "trader": "majors",
            "symbol": BTC,
            "side": side,
            "type": OrderType.MARKET,
            "role": role,
            "quantity": self.unit * D(str(units)),
            "created_at": self.clock.now(),
        }
        return Order(**(facts | more))

    def buy(self, units: float = 1, *, at: float | None = None, **more: Any) -> Order:
        """An entry; at market, or by limit."""
        return self.order(Side.BUY, units, **self._limit(at), **more)

    async def exits(
        self, side: Side, units: float = 1, role: OrderRole = OrderRole.EXIT, **more: Any
    ) -> Order:
        """What reduces, marked as such wherever that can be."""
        marked = (await self.venue()).reduce_only
        return self.order(side, units, role, **{"reduce_only": marked, **more})

    async def sell(self, units: float = 1, *, at: float | None = None) -> Order:
        return await self.exits(Side.SELL, units, **self._limit(at))

    async def stop(self, at: float, units: float = 1, *, side: Side = Side.SELL) -> Order:
        return await self._waits(OrderType.STOP, at, units, side)

    async def target(self, at: float, units: float = 1, *, side: Side = Side.SELL) -> Order:
        return await self._waits(OrderType.TARGET, at, units, side)

    async def _waits(self, kind: OrderType, at: float, units: float, side: Side) -> Order:
        role = OrderRole.PROTECT
        return await self.exits(side, units, role, type=kind, stop_price=self.at(at))

    def _limit(self, at: float | None) -> dict[str, Any]:
        return {} if at is None else {"type": OrderType.LIMIT, "price": self.at(at)}

    async def place(self, order: Order, permit: Permit = allowed) -> OrderReport:
        return await (await self.venue()).place(order, permit)

    async def cancel(self, order: Order) -> OrderReport:
        return await (await self.venue()).cancel(order)

    async def find(self, order: Order) -> OrderReport | None:
        return await (await self.venue()).find(order)

    async def open_ids(self) -> set[str]:
        return {report.order_id for report in await (await self.venue()).open_orders()}

    async def held(self) -> Decimal:
        """Of BTC, net."""
        positions = await (await self.venue()).positions()
        return positions[BTC].net if BTC in positions else D(0)

    async def ended(self, order: Order) -> OrderReport:
        """As it is found once it has ended."""
        found: OrderReport | None = None
        async with asyncio.timeout(PATIENCE):
            while found is None or found.status not in ENDED:
                found = await self.find(order)
        return found

    async def filled(self, order: Order) -> OrderReport:
        """*order* placed, and filled in full."""
        await self.place(order)
        report = await self.ended(order)
        assert report.status is OrderStatus.FILLED, report
        return report


OpenWorld = Callable[[Sequence[Move]], AbstractAsyncContextManager[World]]


class Opener:
    """Opens the market of one venue: `await a_market(-5, (3, 2))` goes to -5 %, then to 3 %, where
    2 units trade at most."""

    def __init__(self, name: str, open_world: OpenWorld, stack: AsyncExitStack) -> None:
        self.name = name
        self._open = open_world
        self._stack = stack

    async def __call__(self, *moves: float | Move) -> World:
        path = [move if isinstance(move, tuple) else (move, None) for move in moves]
        return await self._stack.enter_async_context(self._open(path))


def a_sentence(error: VenueError) -> bool:
    """Words for a person: no code alone, no object, no traceback."""
    said = str(error)
    return len(said.split()) >= 3 and not re.search(r"Traceback|<[a-z]|object at|\{", said)


def as_sent(order: Order | None) -> object:
    assert order is not None
    facts = (order.id, order.symbol, order.side, order.type, order.role, order.quantity)
    return (*facts, order.price, order.stop_price)


async def lists_are_refused(world: World) -> None:
    venue, sent = await world.venue(), world.sent()
    with pytest.raises(VenueRejected, match="one list"):
        await venue.place_pair(await world.stop(-5), await world.target(5), allowed)
    assert (await world.open_ids(), world.sent()) == (set(), sent)


async def put_both(world: World, stop: Order, target: Order) -> None:
    venue = await world.venue()
    if venue.targets is Targets.PAIRED:
        reports = await venue.place_pair(stop, target, allowed)
    else:
        reports = await venue.place(stop, allowed), await venue.place(target, allowed)
    assert [report.status for report in reports] == [OrderStatus.OPEN] * 2
