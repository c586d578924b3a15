"""What bars do to targets on paper: at the touch, at their price, the stop first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.memory import MemoryJournal
from tests.trading.venues.paper.test_fills import OpenWorld, open_world
from tests.trading.venues.paper_world import (
    BTC,
    FREE,
    QUIET,
    REDUCING,
    Bar,
    PaperWorld,
    allowed,
    an_order,
    at_stop,
    at_target,
    buy,
    sell,
)
from trading.errors import Halted, VenueRejected
from trading.types import Order, OrderReport, OrderStatus, Side, Targets
from trading.venues.paper.account import replayed

__all__ = ["open_world"]
D = Decimal
CASH: dict[str, Any] = {**FREE, "cash": True}


async def in_position(
    world: PaperWorld, side: Side = Side.BUY, *, of: str = "1"
) -> tuple[Order, Order]:
    """1 BTC at 100 on *side*; its stop 5 against it and its target 10 for it, both resting."""
    against, aim = (D(95), D(110)) if side is Side.BUY else (D(105), D(90))
    stop = an_order(side.opposite, of, **at_stop(str(against)), **REDUCING)
    target = an_order(side.opposite, of, **at_target(str(aim)), **REDUCING)
    for order in (an_order(side, of), stop, target):
        await world.place(order)
    return stop, target


def mirrored(bar: Bar) -> Bar:
    assert bar is not None
    opened, high, low, close, volume = bar
    return 200 - opened, 200 - low, 200 - high, 200 - close, volume


BARS = pytest.mark.parametrize(
    ("bar", "filled", "price"),
    [
        ((100, 109.99, 95.01, 109, 1000), "", 0),
        ((100, 110, 99, 100, 1000), "target", 110),  # touched, and left again
        ((100, 118, 99, 117, 1000), "target", 110),  # not at the close, nor at the high
        ((112, 118, 111, 117, 1000), "target", 110),  # never better than its price
        ((112, 118, 94, 94, 1000), "target", 110),  # what opens beyond it came first
        ((110, 110, 94, 94, 1000), "target", 110),
        ((100, 111, 94, 100, 1000), "stop", 95),  # of both the stop
        ((94, 111, 94, 111, 1000), "stop", 94),
    ],
)


@BARS
@pytest.mark.parametrize("side", Side)
async def test_a_target_is_sold_at_its_price_by_the_bar_that_touches_it(
    open_world: OpenWorld, bar: Bar, filled: str, price: float, side: Side
) -> None:
    world = open_world(QUIET, bar if side is Side.BUY else mirrored(bar), **FREE)
    stop, target = await in_position(world, side)
    reports = {report.order_id: report for report in await world.next_bar()}
    if not filled:
        assert reports == {}
        return
    done, other = (target, stop) if filled == "target" else (stop, target)
    expected = D(repr(price)) if side is Side.BUY else 200 - D(repr(price))
    assert [fill.price for fill in reports[done.id].fills] == [expected]
    assert (reports[other.id].status, reports[other.id].fills) == (OrderStatus.CANCELLED, ())
    assert await world.positions() == {}
    assert await world.open_orders() == []


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "109.94"), (Side.SELL, "90.05")])
async def test_a_target_costs_slippage_and_commission(
    open_world: OpenWorld, side: Side, price: str
) -> None:
    bar: Bar = (112, 118, 111, 117, 1000)
    world = open_world(QUIET, bar if side is Side.BUY else mirrored(bar))
    _, target = await in_position(world, side)
    await world.next_bar()
    report = await world.find(target)
    assert report is not None
    (fill,) = report.fills
    assert (fill.price, fill.fee) == (D(price), D(price) * D("0.001"))


async def test_the_bar_of_the_entry_sells_nothing_at_the_target(open_world: OpenWorld) -> None:
    world = open_world((100, 130, 100, 100, 1000), QUIET, **FREE)
    await in_position(world)
    assert await world.next_bar() == []


async def test_what_a_bar_is_too_thin_for_goes_on_and_never_gets_better(
    open_world: OpenWorld,
) -> None:
    bars: list[Bar] = [(100, 111, 99, 108, 10), (120, 121, 119, 120, 10), (107, 107, 107, 107, 99)]
    world = open_world(QUIET, *bars, **FREE)
    _, target = await in_position(world, of="3")
    await world.next_bar(3)
    report = await world.find(target)
    assert report is not None
    assert [(f.quantity, f.price) for f in report.fills] == [(D(1), D(p)) for p in (110, 110, 107)]


async def test_a_stop_that_still_sells_lets_no_target_be_touched(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (96, 97, 94, 96, 10), (96, 111, 96, 97, 1000), **FREE)
    stop, target = await in_position(world, of="3")
    await world.next_bar(2)
    sold, kept = await world.find(stop), await world.find(target)
    assert sold is not None
    assert kept is not None
    assert [(f.quantity, f.price) for f in sold.fills] == [(D(1), D(95)), (D(2), D(97))]
    assert kept.fills == ()


async def test_a_target_that_is_reached_already_is_rejected(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    await world.place(buy("1"))
    with pytest.raises(VenueRejected, match="the target at 100 would trigger immediately"):
        await world.place(sell("1", **at_target("100"), **REDUCING))
    with pytest.raises(VenueRejected, match="not a multiple of the tick"):
        await world.place(sell("1", **at_target("110.001"), **REDUCING))


# -- two in one list, where they lock the coins ---------------------------------------------------


async def listed(world: PaperWorld) -> tuple[Order, Order]:
    await world.place(buy("1"))
    stop, target = sell("1", **at_stop("95")), sell("1", **at_target("110"))
    reports = await (await world.venue()).place_pair(stop, target, allowed)
    assert [report.status for report in reports] == [OrderStatus.OPEN, OrderStatus.OPEN]
    return stop, target


async def told(world: PaperWorld, order: Order) -> OrderReport:
    found = await world.find(order)
    assert found is not None
    return found


async def test_a_cash_account_pairs_them_and_another_keeps_them_apart() -> None:
    cash, other = (PaperWorld(QUIET, journal=MemoryJournal, **more) for more in (CASH, FREE))
    assert (await cash.venue()).targets is Targets.PAIRED
    assert (await other.venue()).targets is Targets.BESIDE


async def test_both_lock_the_coins_once(open_world: OpenWorld) -> None:
    world = open_world(QUIET, **CASH)
    stop, target = await listed(world)
    with pytest.raises(VenueRejected, match="0 BTC are free"):
        await world.place(sell("1"))
    await world.cancel(stop)
    assert (await told(world, target)).status is OrderStatus.CANCELLED
    assert (await world.place(sell("1"))).status is OrderStatus.FILLED


@BARS
async def test_of_two_in_a_list_one_fills_and_the_other_ends(
    open_world: OpenWorld, bar: Bar, filled: str, price: float
) -> None:
    world = open_world(QUIET, bar, **CASH)
    stop, target = await listed(world)
    await world.next_bar()
    if not filled:
        assert len(await world.open_orders()) == 2
        return
    done, other = (target, stop) if filled == "target" else (stop, target)
    assert [fill.price for fill in (await told(world, done)).fills] == [D(repr(price))]
    assert (await told(world, other)).status is OrderStatus.CANCELLED
    assert await world.positions() == {}


async def test_a_pair_is_refused_or_withheld_as_a_whole(open_world: OpenWorld) -> None:
    world = open_world(QUIET, **CASH)
    await world.place(buy("1"))
    venue, stop = await world.venue(), sell("1", **at_stop("95"))
    with pytest.raises(VenueRejected, match="would trigger immediately"):
        await venue.place_pair(stop, sell("1", **at_target("99")), allowed)
    with pytest.raises(VenueRejected, match="1 BTC are free"):
        await venue.place_pair(sell("2", **at_stop("95")), sell("2", **at_target("110")), allowed)

    def withheld() -> None:
        raise Halted

    with pytest.raises(Halted):
        await venue.place_pair(stop, sell("1", **at_target("110")), withheld)
    assert await world.open_orders() == []


def test_a_book_from_before_there_were_pairs_is_read() -> None:
    stop = sell("1", **at_stop("95"), **REDUCING)
    step = {"placed": {**_written(stop)}, "since": stop.created_at.isoformat()}
    (held,) = replayed([{"steps": [step]}]).alive(BTC)
    assert (held.beside, held.order.market_at) == ("", None)


def _written(order: Order) -> dict[str, object]:
    return {
        "id": order.id, "trader": order.trader, "symbol": "BTC/USDT", "side": "sell",
        "type": "stop", "role": "exit", "quantity": "1", "price": None, "stop_price": "95",
        "reduce_only": True, "reason": "", "created_at": order.created_at.isoformat(),
    }  # fmt: skip


# -- of whatever bar -----------------------------------------------------------------------------

PRICES = st.integers(80, 130)


@given(prices=st.tuples(PRICES, PRICES, PRICES, PRICES), side=st.sampled_from(Side))
async def test_no_bar_gives_more_than_the_target_or_less_than_the_stop_or_the_open(
    prices: tuple[int, int, int, int], side: Side
) -> None:
    opened, close = prices[0], prices[3]
    bar: Bar = (opened, max(prices), min(prices), close, 1000)
    shown = bar if side is Side.BUY else mirrored(bar)
    world = PaperWorld(QUIET, shown, journal=MemoryJournal, **FREE)
    await in_position(world, side)
    await world.next_bar()
    fills = [f for r in world.heard for f in r.fills]
    won = [(fill.price - 100) * side.sign for fill in fills]
    assert won == ([10] if opened >= 110 else [min(opened - 100, -5)] if min(prices) <= 95
                   else [10] if max(prices) >= 110 else [])  # fmt: skip
