"""Paper on real prices: bars close as time goes, orders come at any moment within one, and a live
feed begins, whenever it is asked, at the last bar that has closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from storage.memory import MemoryJournal
from tests.fakes import LivePrices
from tests.trading.venues.paper_world import (
    BTC,
    NOON,
    RULES,
    allowed,
    at_limit,
    at_stop,
    at_target,
    buy,
    sell,
)
from trading.clocks import ManualClock
from trading.market.candles import Candles
from trading.types import Costs, Order, OrderReport, OrderStatus
from trading.venues.paper.venue import PaperVenue

D = Decimal
FREE = Costs(slippage=D(0), commission=D(0))


class Minutes(LivePrices):
    """Each minute's low and high are told; it opens and closes at 100."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.reach: dict[datetime, tuple[float, float, float]] = {}
        """Low, high and close of the bar that closes then."""

    def candles(self, until: datetime, bars: int) -> Candles:
        ends = [until - timedelta(minutes=back) for back in reversed(range(bars))]
        told = [self.reach.get(at, (100, 100, 100)) for at in ends]
        low, high, close = np.array(told, dtype=np.float64).reshape(bars, 3).T[:, np.newaxis, :]
        return Candles(
            symbols=(BTC,),
            times=np.array([int(at.timestamp() * 1000) for at in ends], dtype=np.int64),
            open=np.full_like(close, 100), high=high, low=low, close=close,
            volume=np.full_like(close, 1e6),
        )  # fmt: skip


class RealWorld:
    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.feed = Minutes(self.clock)
        self.journal = MemoryJournal()
        self.heard: list[OrderReport] = []
        self.venue = self.another()

    def another(self) -> PaperVenue:
        return PaperVenue(
            name="paper", feed=self.feed, journal=self.journal, costs=FREE, rules=RULES,
            capital=D(10_000),
        )  # fmt: skip

    async def place(self, order: Order) -> Order:
        self.feed.tick("100")
        await self.venue.place(order, allowed)
        return order

    async def minute_ends(
        self, low: float = 100, high: float = 100, *, close: float = 100, after: float = 0
    ) -> None:
        """The minute that runs closes, and is handled *after* so many seconds, as a cycle does."""
        gone = (self.clock.now() - NOON).total_seconds() % 60
        self.clock.advance(60 - gone)
        at = self.clock.now()
        self.feed.reach[at] = low, high, close
        self.clock.advance(after)
        await self.venue.catch_up(at)

    async def status(self, order: Order) -> OrderStatus:
        report = await self.venue.find(order)
        assert report is not None
        return report.status


@pytest.fixture
async def world() -> AsyncIterator[RealWorld]:
    world = RealWorld()
    await world.venue.open(world.heard.append)
    yield world
    await world.venue.close()


REACHED: dict[str, tuple[Callable[[], Order], float, float]] = {
    "stop": (lambda: sell("1", **at_stop("97")), 96, 100),
    "target": (lambda: sell("1", **at_target("103")), 100, 104),
    "limit": (lambda: buy("1", **at_limit("98")), 97, 100),
}


@pytest.mark.parametrize("quiet", [0, 1, 3])
@pytest.mark.parametrize("kind", REACHED)
async def test_what_rests_is_filled_by_the_bar_that_reaches_it(
    world: RealWorld, kind: str, quiet: int
) -> None:
    made, low, high = REACHED[kind]
    await world.minute_ends(after=1)  # before the account has any order
    await world.place(buy("1"))
    order = await world.place(made())
    for _ in range(quiet):
        await world.minute_ends(after=1)
        assert await world.status(order) is OrderStatus.OPEN
    await world.minute_ends(low, high, after=1)
    assert await world.status(order) is OrderStatus.FILLED


@pytest.mark.parametrize("kind", REACHED)
async def test_also_by_another_process_on_its_journal(world: RealWorld, kind: str) -> None:
    made, low, high = REACHED[kind]
    await world.place(buy("1"))
    order = await world.place(made())
    await world.venue.close()
    world.venue = world.another()
    await world.venue.open(world.heard.append)
    await world.minute_ends(low, high, after=1)
    assert await world.status(order) is OrderStatus.FILLED
    await world.minute_ends(low, high, after=1)
    assert sum(report.order_id == order.id for report in world.heard) == 1


@pytest.mark.parametrize("kind", REACHED)
async def test_what_the_bar_did_before_it_was_placed_fills_nothing(
    world: RealWorld, kind: str
) -> None:
    made, low, high = REACHED[kind]
    await world.minute_ends(after=40)
    await world.place(buy("1"))
    order = await world.place(made())
    await world.minute_ends(low, high, after=1)
    assert await world.status(order) is OrderStatus.OPEN
    await world.minute_ends(low, high, after=1)
    assert await world.status(order) is OrderStatus.FILLED


@pytest.mark.parametrize("kind", REACHED)
async def test_its_close_came_after_and_does(world: RealWorld, kind: str) -> None:
    made, low, high = REACHED[kind]
    await world.minute_ends(after=40)
    await world.place(buy("1"))
    order = await world.place(made())
    await world.minute_ends(low, high, close=high if high > 100 else low, after=1)
    assert await world.status(order) is OrderStatus.FILLED
