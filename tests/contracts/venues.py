"""The venues that the contract is tried on, each with a market around it.

A tenth venue joins by one row in `VENUES`: its name, and what opens a `World` of it.  An exchange
behind ccxt needs its loopback wire in `tests/servers` for that, and nothing else here.

What each test needs from a market is asked in words that hold for all of them: prices in percent
from where it begins, quantities in `unit`s.
"""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.servers.exchange import DROP_REPLY, Rules, spot_rules, swap_rules
from tests.servers.exchange.rules import LIMITS_ONLY
from tests.trading.venues.ccxt_world import CcxtWorld, a_world
from tests.trading.venues.paper_world import RULES, Bar, FaultyJournal, PaperWorld
from tests.waiting import PATIENCE
from trading.clocks import Clock
from trading.model.halt import Permit
from trading.ports import Venue
from trading.types import (
    MarketRules,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Stops,
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
        """Within it the next order is carried out, and its answer does not come back."""

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
        marked = not (await self.venue()).cash
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


# -- paper ------------------------------------------------------------------------------------


class OnPaper(World):
    unit = D(1)
    first = D(100)

    def __init__(self, moves: Sequence[Move], *, cash: bool, stops: Stops) -> None:
        self._journal = FaultyJournal()
        self._world = PaperWorld(
            *_bars(moves),
            journal=lambda: self._journal,
            slippage=D(0),
            cash=cash,
            rules=_with(RULES, stops),
        )
        self.clock = self._world.clock
        self.heard = self._world.heard

    async def venue(self) -> Venue:
        return await self._world.venue()

    async def another(self) -> Venue:
        return await self._world.another()

    async def goes_on(self) -> None:
        await self._world.next_bar()

    @asynccontextmanager
    async def loses_the_answer(self) -> AsyncIterator[None]:
        self._journal.writes_and_fails = True
        yield
        self._journal.writes_and_fails = False

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        self._journal.fails = True
        yield
        self._journal.fails = False

    def sent(self) -> int:
        return sum("placed" in step for record in self._journal.kept for step in _steps(record))

    async def close(self) -> None:
        await self._world.close()


def _steps(record: Mapping[str, object]) -> Sequence[Any]:
    steps = record.get("steps")
    return steps if isinstance(steps, list | tuple) else ()


def _with(rules: Mapping[Symbol, MarketRules], stops: Stops) -> Mapping[Symbol, MarketRules]:
    return {symbol: replace(each, stops=stops) for symbol, each in rules.items()}


def _bars(moves: Sequence[Move]) -> Iterator[Bar]:
    """Each trades all the way from the close of the one before; an order may have a tenth."""
    before = 100.0
    yield (before, before, before, before, 100_000)
    for percent, units in moves:
        price = 100 + percent
        volume = 100_000 if units is None else units * 10
        yield (before, max(before, price), min(before, price), price, volume)
        before = price


def on_paper(*, cash: bool, stops: Stops = Stops.MARKET) -> OpenWorld:
    @asynccontextmanager
    async def opened(moves: Sequence[Move]) -> AsyncIterator[World]:
        world = OnPaper(moves, cash=cash, stops=stops)
        yield world
        await world.close()

    return opened


# -- exchanges through ccxt -------------------------------------------------------------------


class OnLoopback(World):
    """The real ccxt over sockets, and an exchange of ours at the other end."""

    unit = D("0.01")
    first = D(50_000)

    def __init__(self, world: CcxtWorld, moves: Sequence[Move]) -> None:
        self._world = world
        self._moves = iter(moves)
        self.clock = world.clock
        self.heard = world.heard

    async def venue(self) -> Venue:
        return self._world.venue

    async def another(self) -> Venue:
        return self._world.another_venue()

    async def goes_on(self) -> None:
        percent, units = next(self._moves)
        quantity = None if units is None else self.unit * D(str(units))
        self._world.engine.trade_through("BTCUSDT", self.at(percent), quantity=quantity)

    @asynccontextmanager
    async def loses_the_answer(self) -> AsyncIterator[None]:
        self._world.faults.on("POST", "*", DROP_REPLY)
        yield
        self._world.faults.clear()

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        await self._world.server.stop_listening()
        yield
        await self._world.server.start_listening()

    def sent(self) -> int:
        return sum(request.is_new_order for request in self._world.server.requests)


def on_binance(market: str, *, targets: Targets | None = None, **rules: Any) -> OpenWorld:
    """*market* as in `a_world`; *targets*: as if the exchange took no others."""
    make: Callable[..., Rules] = spot_rules if market == "spot" else swap_rules

    @asynccontextmanager
    async def opened(moves: Sequence[Move]) -> AsyncIterator[World]:
        symbols = (make("BTC", **rules), make("ETH", **rules))
        access = {} if targets is None else {"targets": targets}
        async with a_world(market, symbols=symbols, access=access) as world:
            if market == "spot":  # whose coins the account has from elsewhere is another test's
                world.engine.balances |= {"BTC": D(0), "BNB": D(10)}
                world.engine.fee_asset = "BNB"
            yield OnLoopback(world, moves)

    return opened


OpenWorld = Callable[[Sequence[Move]], AbstractAsyncContextManager[World]]

VENUES: Mapping[str, OpenWorld] = {
    "paper": on_paper(cash=False),
    "paper, cash": on_paper(cash=True),
    "binance spot": on_binance("spot"),
    "binance swap": on_binance("swap"),
    "binance swap, hedged": on_binance("hedge"),
}
"""Every venue that trades, as it is opened."""

POORER: Mapping[str, OpenWorld] = {
    "paper, stop-limits only": on_paper(cash=True, stops=Stops.LIMIT),
    "paper, no stops": on_paper(cash=True, stops=Stops.DESK),
    "binance spot, stop-limits only": on_binance("spot", types=LIMITS_ONLY),
    "binance spot, no stops": on_binance("spot", types=("LIMIT", "LIMIT_MAKER", "MARKET")),
    "binance swap, no targets": on_binance("swap", targets=Targets.DESK),
}
"""Those that can do less than the others, for what they must refuse."""

__all__ = ["BTC", "NOWHERE", "POORER", "VENUES", "Move", "OpenWorld", "World", "allowed"]
