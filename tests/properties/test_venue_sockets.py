"""Twenty schedules of trade, faults and crashes through the real ccxt, over real sockets.

The same promises as in test_venue_machine.py, with what the protocol adds: requests signed and
cut off, streams that break.  Each schedule follows from its number.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import waiting
from tests.fakes import Wish
from tests.properties import quiet
from tests.properties.engine_world import (
    MARKETS,
    SYMBOLS,
    TRADER,
    Living,
    Outside,
    a_keeping,
    a_life,
    an_outside,
)
from tests.properties.test_venue_machine import EXITS, LIMITS
from tests.servers.exchange import (
    DROP_REPLY,
    OVERLOADED,
    UNKNOWN_OUTCOME,
    Close,
    ExchangeServer,
    Refuse,
)
from tests.servers.exchange.swap import SwapEngine
from tests.trading.venues.ccxt_world import connect
from tests.world import settled
from trading.clocks import ManualClock, SystemClock
from trading.errors import NotDone, Refused, VenueError
from trading.events import CycleFailed
from trading.execution.timeouts import OrderTimeouts
from trading.model.halt import EVERYONE
from trading.types import ONE, Quote, Side, Symbol
from trading.venues.ccxt.venue import CcxtVenue

pytestmark = pytest.mark.slow

BY = "ben, Telegram"
SCHEDULES, STEPS = range(20), 9
PATIENCE = OrderTimeouts(answer=2.0, stop=2.0, first_retry=0.05, longest_retry=0.2)
BEHIND = timedelta(hours=1)
"""The desk's clock is moved by hand, and never overtakes the venue's."""

REFUSED = Refuse(400, -1000, "An unknown error occurred while processing the request.")
FAULTS: tuple[Any, ...] = (DROP_REPLY, UNKNOWN_OUTCOME, OVERLOADED, Close(done=False), REFUSED)
EVENTS = ("drop", "duplicate", "swap")
ORDERS = ("/api/v3/order", "/fapi/v1/order", "/fapi/v1/algoOrder")


class Schedule:
    """One trader on two symbols, behind the real ccxt."""

    def __init__(self, server: ExchangeServer, outside: Outside, number: int) -> None:
        self.server = server
        self.outside = outside
        self.dice = random.Random(number)  # the same schedule each time
        self.keeping = a_keeping(outside)
        self.lives = self.bars = 0
        self.living: Living
        self.told: list[str] = []
        """What was done, for whoever reads a failure."""

    # -- lives ---------------------------------------------------------------------------------

    async def begin_a_life(self) -> None:
        self.lives += 1
        clock = SystemClock()
        venue = CcxtVenue(
            name="binance",
            trader=TRADER,
            connection=connect(self.server, clock, timeout=1.5),
            symbols=SYMBOLS,
            price=self.price,
            read_only=False,
            clock=clock,
        )
        self.living = a_life(
            self.outside,
            self.keeping,
            number=self.lives,
            limits=LIMITS,
            exits=EXITS,
            venue=venue,
            timeouts=PATIENCE,
        )
        await self.living.load()
        self.go_on(self.living.recorder.run())
        async with asyncio.timeout(waiting.PATIENCE):
            while not self.living.trader.ready:
                with suppress(VenueError):
                    await self.living.start()
        self.go_on(self.living.trader.run())

    def price(self, symbol: Symbol) -> Quote | None:
        return self.outside.ticker.quote(symbol)

    def go_on(self, work: Coroutine[Any, Any, Any]) -> None:
        self.living.tasks.append(asyncio.create_task(work))

    async def die(self) -> None:
        for task in self.living.tasks:
            task.cancel()
        await asyncio.gather(*self.living.tasks, return_exceptions=True)
        await self.living.venue.close()

    # -- steps ---------------------------------------------------------------------------------

    async def tell(self) -> None:
        await self.begin_a_life()
        await self.bar()
        steps: tuple[Callable[[], Awaitable[None]], ...] = (
            *(self.bar, self.bar, self.bar, self.spike, self.close, self.halt),
            *(self.resume, self.restart, self.by_hand, self.reconcile),
        )
        for _ in range(STEPS):
            self.disturb()
            step = self.dice.choice(steps)
            self.told.append(step.__name__)
            await step()
            self.assert_promises_are_kept()

    def disturb(self) -> None:
        if self.dice.random() < 0.5:  # every second time
            return
        fault, path = self.dice.choice(FAULTS), self.dice.choice(ORDERS)
        method = self.dice.choice(("POST", "POST", "DELETE", "GET"))
        self.server.faults.on(method, path, fault, times=self.dice.randint(1, 2))
        event = self.dice.choice(EVENTS)
        self.server.faults.on_event("*", event)
        self.told.append(f"{method} {path}: {fault}; an event: {event}")

    async def bar(self) -> None:
        ticker = self.outside.ticker
        moves = [self.dice.choice((0.0, 0.5, -0.5, 3.0, -3.0, 6.0, -6.0)) for _ in SYMBOLS]
        prices = {
            symbol: round(ticker.last(symbol) * (1 + move / 100), 2)
            for symbol, move in zip(SYMBOLS, moves, strict=True)
        }
        self.bars += 1
        self.outside.clock.advance(59)
        self.outside.second()
        for symbol, price in prices.items():
            self.outside.set_price(symbol, price)
        ticker.next_bar(prices)
        self.wish(self.dice.choice(SYMBOLS), prices)
        await self.living.trader.cycle()

    def wish(self, symbol: Symbol, prices: dict[Symbol, float]) -> None:
        side = self.dice.choice(tuple(Side))
        stop = round(prices[symbol] * (1 - 0.02 * side.sign) + self.bars * 0.01, 2)
        wish = Wish(at=self.outside.clock.now(), side=side, symbol=symbol, stop=stop)
        self.living.strategy.wishes.append(wish)

    async def spike(self) -> None:
        """There and back: what rests fills, and no bar tells of it."""
        symbol = self.dice.choice(SYMBOLS)
        last = self.outside.ticker.last(symbol)
        self.outside.set_price(symbol, last * self.dice.choice((0.97, 1.03)))
        self.outside.set_price(symbol, last)
        await settled()

    async def close(self) -> None:
        share = self.dice.choice((Decimal("0.5"), ONE))
        with suppress(Refused, NotDone, VenueError):
            await self.living.manual.close(self.dice.choice(SYMBOLS), share=share, by=BY)

    async def halt(self) -> None:
        verb = self.dice.choice((self.living.desk.stop, self.living.desk.flatten))
        await verb(EVERYONE, by=BY, why="")
        self.go_on(self.resume_soon())

    async def resume_soon(self) -> None:
        await self.outside.clock.sleep(100)
        await self.resume()

    async def resume(self) -> None:
        for halt in self.living.desk.latch.active:
            with suppress(Refused):
                await self.living.desk.resume([halt.id], by=BY)

    async def restart(self) -> None:
        await self.die()
        await self.begin_a_life()

    async def by_hand(self) -> None:
        """Somebody closes half on the venue's own page."""
        self.outside.operator.close(self.dice.choice(SYMBOLS), Decimal("0.5"))
        await settled()

    async def reconcile(self) -> None:
        await self.living.trader.reconcile()

    # -- what holds ----------------------------------------------------------------------------

    def assert_promises_are_kept(self) -> None:
        witness = self.outside.witness
        witness.remember(self.living.trader.ledger.orders.values())
        assert witness.broken == []
        assert self.living.heard(CycleFailed) == []

    async def be_quiet(self) -> None:
        """Sooner or later everything is right; until the deadline it may still be under way."""
        self.server.faults.clear()
        async with asyncio.timeout(waiting.PATIENCE):
            while True:
                await self.let_time_pass()
                try:
                    await quiet.assert_all_is_right(self.living)
                except AssertionError as error:
                    wrong = error
                else:
                    return
                self.assert_promises_are_kept()
                self.told.append(f"not yet: {wrong}")

    async def let_time_pass(self) -> None:
        for _ in range(6):
            self.outside.second()
            await asyncio.sleep(0.01)  # sockets take their time
        await self.living.trader.upkeep()
        await self.living.trader.reconcile()


@pytest.mark.parametrize("number", SCHEDULES)
async def test_a_schedule_over_sockets_ends_with_books_that_equal_the_venue(number: int) -> None:
    market = MARKETS[number % len(MARKETS)]
    clock = ManualClock(SystemClock().now() - BEHIND)
    outside = an_outside(market, clock=clock, engine_clock=SystemClock())
    outside.witness.venue_name = "binance"
    kind = "swap" if isinstance(outside.exchange.engine, SwapEngine) else "spot"
    async with ExchangeServer(market=kind, engine=outside.exchange.engine) as server:
        schedule = Schedule(server, outside, number)
        try:
            await schedule.tell()
            await schedule.be_quiet()
        except (AssertionError, TimeoutError) as error:
            error.add_note("\n".join(schedule.told))
            raise
        finally:
            server.faults.clear()
            await schedule.die()
        entries = [o for o in schedule.outside.witness.taken if "-e-" in o]
        assert entries, "a schedule without an entry shows nothing"
