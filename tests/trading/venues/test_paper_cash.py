"""The paper venue as a spot account: paid in full, never short, and what rests is locked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from storage.memory import MemoryJournal
from tests.trading.venues.paper_world import (
    BTC,
    FREE,
    QUIET,
    RULES,
    Bar,
    PaperWorld,
    at_limit,
    at_stop,
    buy,
    sell,
)
from trading.errors import VenueRejected
from trading.types import OrderStatus

D = Decimal


def a_venue(*bars: Bar, **settings: Any) -> PaperWorld:
    kept = MemoryJournal()
    return PaperWorld(*(bars or (QUIET,)), journal=lambda: kept, **{**FREE, **settings})


def a_spot(*bars: Bar) -> PaperWorld:
    return a_venue(*bars, cash=True)


async def test_its_wallet_is_what_is_left_of_the_money() -> None:
    world = a_spot()
    await world.place(buy("2"))
    assert await world.wallet() == D(9_800)
    assert await world.positions() == {BTC: D(2)}
    await world.place(sell("2"))
    assert await world.wallet() == D(10_000)
    await world.close()


async def test_it_has_no_shorts() -> None:
    world = a_spot()
    with pytest.raises(VenueRejected, match="insufficient balance: 0 BTC are free"):
        await world.place(sell("1"))
    await world.place(buy("1"))
    with pytest.raises(VenueRejected, match="insufficient balance: 1 BTC are free"):
        await world.place(sell("1.001"))
    await world.close()


async def test_a_resting_stop_locks_its_coins() -> None:
    world = a_spot()
    await world.place(buy("2"))
    stop = sell("2", **at_stop("90"))
    await world.place(stop)
    with pytest.raises(VenueRejected, match="insufficient balance: 0 BTC are free"):
        await world.place(sell("2"))
    await world.cancel(stop)
    assert (await world.place(sell("2"))).status is OrderStatus.FILLED
    await world.close()


async def test_a_resting_purchase_locks_its_money() -> None:
    world = a_spot()
    await world.place(buy("90", **at_limit("99")))
    with pytest.raises(VenueRejected, match=r"insufficient balance: 1090\.00 USDT are free"):
        await world.place(buy("11"))
    await world.close()


async def test_what_is_small_cannot_be_sold() -> None:
    """A perpetual's reduce-only is exempt; spot knows no such thing."""
    world = a_spot()
    await world.place(buy("1"))
    with pytest.raises(VenueRejected, match="below the least notional"):
        await world.place(sell("0.01"))
    await world.close()


async def test_a_stop_sells_what_is_held() -> None:
    world = a_spot(QUIET, (100, 100, 89, 89, 1000))
    await world.place(buy("2"))
    await world.place(sell("2", **at_stop("90")))
    (report,) = await world.next_bar()
    assert (report.status, report.average_price) == (OrderStatus.FILLED, D(90))
    assert await world.positions() == {}
    await world.close()


async def test_post_only_is_refused_where_it_would_take() -> None:
    for cash in (False, True):
        world = a_venue(QUIET, cash=cash)
        with pytest.raises(VenueRejected, match="post-only"):
            await world.place(buy("1", **at_limit("100"), post_only=True))
        resting = await world.place(buy("1", **at_limit("99.99"), post_only=True))
        assert resting.status is OrderStatus.OPEN
        await world.close()


async def test_the_market_lot_bounds_market_orders_only() -> None:
    rules = {BTC: replace(RULES[BTC], max_quantity=D(2))}
    world = a_venue(QUIET, rules=RULES | rules)
    with pytest.raises(VenueRejected, match="the quantity 3 is above the market lot 2"):
        await world.place(buy("3"))
    assert (await world.place(buy("3", **at_limit("90")))).status is OrderStatus.OPEN
    await world.close()
