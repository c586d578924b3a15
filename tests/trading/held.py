"""A desk that holds one position at an exchange in memory, its stop and target resting there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.builders import BTC
from tests.fakes import Wish
from tests.properties.engine_world import (
    Keeping,
    Living,
    Outside,
    a_keeping,
    a_life,
    an_outside,
)
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Algo
from tests.servers.exchange.values import Order as Theirs
from tests.servers.exchange.values import Wish as Wished
from tests.world import settled
from trading.events import PositionClosed
from trading.model.exit_rules import ExitRules
from trading.risk.limits import Limits
from trading.types import ZERO, ExitReason

MINUTE = timedelta(minutes=1)
STOP, TARGET = "stop", "target"


@dataclass
class Told:
    """A desk that holds BTC from 100, its stop at 95 and its target at 110."""

    outside: Outside
    keeping: Keeping
    living: Living
    exits: ExitRules
    lives: int = 1

    @property
    def size(self) -> Decimal:
        position = self.living.trader.ledger.positions.get(BTC)
        return abs(position.quantity) if position else ZERO

    @property
    def resting(self) -> list[tuple[str, Decimal, Decimal]]:
        """Kind, price and quantity of what waits at the venue, in order."""
        legs = self.legs()
        return sorted((_kind(o.wish), o.wish.stop_price, o.wish.quantity) for o in legs)

    def legs(self) -> Sequence[Theirs | Algo]:
        engine = self.outside.exchange.engine
        return engine.open_algos() if isinstance(engine, SwapEngine) else engine.open_orders()

    def id_of(self, kind: str) -> str:
        (found,) = [leg.client_id for leg in self.legs() if _kind(leg.wish) == kind]
        return found

    async def trades_at(self, price: float) -> None:
        """At the venue; no bar tells of it."""
        self.outside.set_price(BTC, price)
        await settled()

    async def minute(self, price: float) -> None:
        """A bar closes at *price* as the feed has it, and its cycle runs."""
        self.outside.clock.advance(60)
        self.outside.ticker.next_bar({BTC: price})
        await self.living.trader.cycle()
        await settled()

    async def upkeep(self, seconds: int = 12) -> None:
        for _ in range(seconds):
            self.outside.second()
        await self.living.trader.upkeep()
        await settled()

    def why_closed(self) -> list[ExitReason]:
        closed = self.living.heard(PositionClosed)
        return [e.trade.reason for e in closed if isinstance(e, PositionClosed)]

    async def die(self) -> None:
        for task in self.living.tasks:
            task.cancel()
        await asyncio.gather(*self.living.tasks, return_exceptions=True)
        await self.living.venue.close()

    async def live_again(self) -> None:
        self.lives += 1
        self.living = _a_life(self.outside, self.keeping, self.lives, self.exits, ())
        await _come_up(self.living)


def _kind(wish: Wished) -> str:
    return TARGET if wish.type.startswith("TAKE_PROFIT") else STOP


def _a_life(
    outside: Outside, keeping: Keeping, number: int, exits: ExitRules, wishes: Sequence[Wish]
) -> Living:
    limits = Limits(max_position=Decimal("0.3"), risk_per_trade=Decimal("0.02"))
    return a_life(outside, keeping, number=number, limits=limits, exits=exits, wishes=wishes)


async def _come_up(living: Living) -> None:
    await living.load()
    living.tasks.append(asyncio.create_task(living.recorder.run()))
    await living.start()
    living.tasks.append(asyncio.create_task(living.trader.run()))
    await settled()


@asynccontextmanager
async def holding(
    market: str = "swap",
    *,
    exits: ExitRules | None = None,
    place: Sequence[str] = (),
    target: float = 110.0,
    **rules: Any,
) -> AsyncIterator[Told]:
    """*place*: what becomes of the entry, the stop, the target.  *rules* are changed before."""
    outside = an_outside(market)
    outside.exchange.engine.change_rules("BTCUSDT", **rules)
    outside.exchange.faults.place = list(place)
    keeping, exits = a_keeping(outside), exits or ExitRules()
    wish = Wish(at=outside.clock.now() + MINUTE, target=target)
    told = Told(outside, keeping, _a_life(outside, keeping, 1, exits, [wish]), exits)
    try:
        await _come_up(told.living)
        await told.minute(100.0)
        assert told.size > ZERO
        yield told
        assert outside.witness.broken == []
    finally:
        await told.die()
