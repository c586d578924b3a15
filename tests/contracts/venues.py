"""The venues that the contract is tried on, each with a market around it.

A tenth venue joins by one row in `VENUES`: its name, and what opens a `World` of it.  An exchange
behind ccxt needs its loopback wire in `tests/servers` for that, and nothing else here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.contracts.venue_world import Move, OpenWorld, World
from tests.servers.exchange import DROP_REPLY
from tests.servers.exchange.rules import LIMITS_ONLY
from tests.servers.exchange.wires import WIRES
from tests.trading.venues.ccxt_world import CcxtWorld, a_world
from tests.trading.venues.paper_world import RULES, Bar, FaultyJournal, PaperWorld
from trading.ports import Venue
from trading.types import (
    MarketRules,
    Stops,
    Symbol,
    Targets,
)

D = Decimal

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
        self.charges = world.engine.taker_fee > 0
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
        for method in ("POST", "DELETE"):
            self._world.faults.on(method, "*", DROP_REPLY)
        yield
        self._world.faults.clear()

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        await self._world.server.stop_listening()
        yield
        await self._world.server.start_listening()

    def sent(self) -> int:
        return sum(request.is_new_order for request in self._world.server.requests)


def at_exchange(
    name: str,
    market: str,
    lacks: Mapping[str, Any] | None = None,
    *,
    fees_in: str = "",
    **rules: Any,
) -> OpenWorld:
    """*market* and *lacks* as in `a_world`; *rules*: what is otherwise than there, of each symbol.

    On spot a buy brings all that it says: fees are paid in *fees_in*, or there are none.
    """
    kind = "spot" if market == "spot" else "swap"

    @asynccontextmanager
    async def opened(moves: Sequence[Move]) -> AsyncIterator[World]:
        symbols = [replace(WIRES[name].rules(kind, base), **rules) for base in ("BTC", "ETH")]
        async with a_world(market, at=name, symbols=symbols, access={"lacks": lacks}) as world:
            if market == "spot":  # whose coins the account has from elsewhere is another test's
                world.engine.balances["BTC"] = D(0)
                if fees_in:
                    world.engine.balances[fees_in] = D(10)
                    world.engine.fee_asset = fees_in
                else:
                    world.engine.maker_fee = world.engine.taker_fee = D(0)
            yield OnLoopback(world, moves)

    return opened


def on_binance(market: str, lacks: Mapping[str, Any] | None = None, **rules: Any) -> OpenWorld:
    return at_exchange("binance", market, lacks, fees_in="BNB", **rules)


VENUES: Mapping[str, OpenWorld] = {
    "paper": on_paper(cash=False),
    "paper, cash": on_paper(cash=True),
    "binance spot": on_binance("spot"),
    "binance swap": on_binance("swap"),
    "binance swap, hedged": on_binance("hedge"),
    "bybit spot": at_exchange("bybit", "spot"),
    "bybit swap": at_exchange("bybit", "swap"),
    "kraken spot": at_exchange("kraken", "spot"),
    "okx spot": at_exchange("okx", "spot"),
    "okx swap": at_exchange("okx", "swap"),
    "okx swap, hedged": at_exchange("okx", "hedge"),
}
"""Every venue that trades, as it is opened."""
WITHOUT_STOPS = ("bybit spot", "okx spot")
"""Those where none rests: the desk keeps them."""

POORER: Mapping[str, OpenWorld] = {
    "paper, stop-limits only": on_paper(cash=True, stops=Stops.LIMIT),
    "paper, no stops": on_paper(cash=True, stops=Stops.DESK),
    "binance spot, stop-limits only": on_binance("spot", types=LIMITS_ONLY),
    "binance spot, no stops": on_binance("spot", types=("LIMIT", "LIMIT_MAKER", "MARKET")),
    "binance swap, no targets": on_binance("swap", {"targets": Targets.DESK}),
    "binance swap, no reduce-only": on_binance("swap", {"reduce_only": False}),
    **{name: VENUES[name] for name in WITHOUT_STOPS},
}
"""Those that can do less than the others, for what they must refuse."""
