"""What every venue does, whatever is behind it: paper, and exchanges through the real ccxt.

Each test runs on all of `VENUES`.  What one of them cannot do is asked of its port (`cash`,
`targets`, `writes_off`, `costs`, the `stops` of a symbol's rules), and then the test shows that it
refuses in words.  Beside this file: what is in doubt, what is refused, what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.venue_world import (
    BTC,
    Opener,
    World,
    a_sentence,
    allowed,
    as_sent,
    lists_are_refused,
    put_both,
)
from tests.waiting import until
from trading.errors import (
    VenueRejected,
    VenueUncertain,
)
from trading.types import (
    Order,
    OrderReport,
    OrderStatus,
    Side,
    Targets,
)

D = Decimal
FILLED, CANCELLED, OPEN = OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.OPEN


# -- orders at market -------------------------------------------------------------------------


async def test_an_order_at_market_fills_and_each_fill_has_an_id(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy(2)
    report = await world.filled(order)

    assert (report.order_id, report.filled) == (order.id, order.quantity)
    assert report.venue_id
    assert sum(fill.quantity for fill in report.fills) == order.quantity
    assert len({fill.id for fill in report.fills}) == len(report.fills) > 0
    for fill in report.fills:
        told = (fill.order_id, fill.trader, fill.symbol, fill.side)
        assert told == (order.id, "majors", BTC, Side.BUY)
        assert abs(fill.price / world.first - 1) < D("0.001")
        assert (fill.fee > 0) is world.charges
        assert fill.fee < fill.price * fill.quantity * D("0.01"), "in money"
        assert fill.at.tzinfo is UTC
    assert await world.held() == order.quantity


async def test_money_goes_as_the_fills_say(a_market: Opener) -> None:
    world = await a_market()
    venue, before = await world.venue(), await (await world.venue()).wallet()
    report = await world.filled(world.buy())
    paid = sum((f.price * f.quantity for f in report.fills), D(0)) if venue.cash else D(0)
    fee = sum((f.fee for f in report.fills), D(0))
    left = await (await world.venue()).wallet()
    assert before - paid - fee <= left <= before - paid, "a fee may be paid in another coin"
    assert venue.cash or left == before - fee


async def test_what_is_told_again_is_the_same_fill(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy()
    told = [await world.place(order), await world.ended(order), await world.ended(order)]
    told += [await world.cancel(order)]
    told += await (await world.venue()).ours_since(BTC, order.created_at - timedelta(seconds=5))
    told += [report for report in world.heard if report.order_id == order.id]
    fills = {(f.id, f.quantity, f.price, f.fee) for report in told for f in report.fills}
    assert len(fills) == len(told[1].fills), "whoever books by the ids books each once"


# -- ids --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["rests", "has filled", "was cancelled", "is in doubt"])
async def test_an_id_is_never_used_twice(a_market: Opener, fate: str) -> None:
    world = await a_market()
    order = world.buy(at=None if fate == "has filled" else -5)
    if fate == "is in doubt":
        async with world.loses_the_answer():
            with pytest.raises(VenueUncertain):
                await world.place(order)
    else:
        await world.place(order)
    if fate == "was cancelled":
        await world.cancel(order)
    held, resting, sent = await world.held(), await world.open_ids(), world.sent()

    with pytest.raises(VenueUncertain, match=order.id) as told:  # so it is asked for, and found
        await world.place(order)
    assert a_sentence(told.value)
    assert (await world.held(), await world.open_ids(), world.sent()) == (held, resting, sent)


async def test_an_id_that_is_sent_twice_at_once_is_taken_once(a_market: Opener) -> None:
    world = await a_market()
    venue, order = await world.venue(), world.buy()
    answers = await asyncio.gather(
        *(venue.place(order, allowed) for _ in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers].count(VenueUncertain) == 2
    await world.ended(order)
    assert (await world.held(), world.sent()) == (world.unit, 1)


async def test_two_with_the_same_words_are_two(a_market: Opener) -> None:
    world = await a_market()
    first, second = world.buy(), world.buy()
    assert first.id != second.id
    fills = [fill for order in (first, second) for fill in (await world.filled(order)).fills]
    assert len({fill.id for fill in fills}) == len(fills)
    assert await world.held() == 2 * world.unit


# -- limits -----------------------------------------------------------------------------------


async def test_an_entry_rests_is_listed_found_and_cancelled(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy(2, at=-5)
    placed = await world.place(order)
    assert (placed.status, placed.filled, placed.fills) == (OPEN, D(0), ())

    (listed,) = await (await world.venue()).open_orders()
    assert listed.order is not None
    assert (listed.order_id, listed.venue_id) == (order.id, placed.venue_id)
    assert as_sent(listed.order) == as_sent(order)
    found = await world.find(order)
    assert found is not None
    assert (found.status, found.venue_id) == (OPEN, placed.venue_id)

    assert (await world.cancel(order)).status is CANCELLED
    assert await world.open_ids() == set()
    assert (await world.ended(order)).status is CANCELLED


async def test_an_entry_that_rests_fills_at_its_price_when_the_market_comes(
    a_market: Opener,
) -> None:
    world = await a_market(-4, -6)
    order = world.buy(at=-5)
    await world.place(order)
    await world.goes_on()
    assert await world.open_ids() == {order.id}
    await world.goes_on()
    report = await world.ended(order)
    assert (report.status, report.average_price) == (FILLED, world.at(-5))
    await until(lambda: order.id in {report.order_id for report in world.heard})
    assert await world.held() == world.unit


async def test_what_was_cancelled_never_fills(a_market: Opener) -> None:
    world = await a_market(-10)
    order = world.buy(at=-5)
    await world.place(order)
    await world.cancel(order)
    await world.goes_on()
    assert await world.held() == 0
    assert (await world.ended(order)).fills == ()


async def test_what_filled_before_the_cancel_stays_filled(a_market: Opener) -> None:
    world = await a_market((-5, 1))
    order = world.buy(3, at=-5)
    await world.place(order)
    await world.goes_on()
    report = await world.cancel(order)
    assert (report.status, report.filled) == (CANCELLED, world.unit), "not FILLED, not nothing"
    assert sum(fill.quantity for fill in report.fills) == world.unit
    assert await world.ended(order) == report
    assert await world.held() == world.unit


async def test_a_cancel_that_comes_too_late_tells_how_it_ended(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy()
    report = await world.filled(order)
    assert await world.cancel(order) == report


async def test_what_may_not_take_comes_to_nothing_where_it_would(a_market: Opener) -> None:
    """Refused, or taken and ended at once: some answer before they look at the book."""
    world = await a_market()
    rests, takes = (replace(world.buy(at=at), post_only=True) for at in (-5, 5))
    assert (await world.place(rests)).status is OPEN
    with contextlib.suppress(VenueRejected):
        await world.place(takes)
        ended = await world.ended(takes)
        assert (ended.status is FILLED, ended.fills) == (False, ())
    assert await world.held() == 0


# -- reductions -------------------------------------------------------------------------------


async def test_a_reduction_never_opens_anything(a_market: Opener) -> None:
    world = await a_market()
    with pytest.raises(VenueRejected) as refused:
        await world.place(await world.sell())
    assert a_sentence(refused.value)
    await world.filled(world.buy())
    too_much = await world.sell(3)
    (told,) = await asyncio.gather(world.place(too_much), return_exceptions=True)
    if isinstance(told, OrderReport):
        assert (await world.ended(too_much)).filled == world.unit, "as far as there was something"
        assert await world.held() == 0
    else:
        assert isinstance(told, VenueRejected)
        assert await world.held() == world.unit


async def test_nothing_that_only_reduces_outlives_its_position(a_market_with_stops: Opener) -> None:
    world = await a_market_with_stops(-10)
    await world.filled(world.buy())
    stop = await world.stop(-5)
    await world.place(stop)
    if (await world.venue()).cash:
        await world.cancel(stop)  # it holds the coins
    await world.filled(await world.sell())
    await world.goes_on()
    assert await world.held() == 0
    found = await world.ended(stop)
    assert found.fills == ()


async def test_where_nothing_can_be_marked_what_is_marked_is_refused(a_market: Opener) -> None:
    """Sent without its mark it would be another order than the one that was meant."""
    world = await a_market()
    await world.filled(world.buy())
    marked = replace(await world.sell(), reduce_only=True)
    if (await world.venue()).reduce_only:
        assert (await world.filled(marked)).filled == world.unit
        return
    with pytest.raises(VenueRejected, match="reduce-only"):
        await world.place(marked)
    assert await world.held() == world.unit


async def test_cash_is_never_short_and_a_perpetual_may_be(a_market: Opener) -> None:
    world = await a_market()
    short = world.order(Side.SELL)
    if (await world.venue()).cash:
        with pytest.raises(VenueRejected) as refused:
            await world.place(short)
        assert a_sentence(refused.value)
        assert await world.held() == 0
        return
    await world.filled(short)
    assert await world.held() == -world.unit
    await world.filled(await world.exits(Side.BUY))
    assert await world.held() == 0


# -- what waits for a price -------------------------------------------------------------------


async def test_a_stop_rests_and_sells_once_it_is_touched(a_market_with_stops: Opener) -> None:
    world = await a_market_with_stops(-4, -6)
    await world.filled(world.buy())
    stop = await world.stop(-5)
    assert (await world.place(stop)).status is OPEN
    (listed,) = await (await world.venue()).open_orders()
    assert listed.order is not None
    assert as_sent(listed.order) == as_sent(stop)
    await world.goes_on()
    assert await world.held() == world.unit
    await world.goes_on()
    report = await world.ended(stop)
    assert (report.status, report.filled) == (FILLED, world.unit)
    assert await world.held() == 0
    await until(lambda: sum(f.quantity for f in _heard(world, stop)) == world.unit)


async def test_a_stop_is_cancelled_and_waits_no_more(a_market_with_stops: Opener) -> None:
    world = await a_market_with_stops(-10)
    await world.filled(world.buy())
    stop = await world.stop(-5)
    await world.place(stop)
    assert (await world.cancel(stop)).status is CANCELLED
    await world.goes_on()
    assert (await world.held(), await world.open_ids()) == (world.unit, set())


@pytest.mark.parametrize("make", [World.stop, World.target])
async def test_what_is_reached_already_is_refused(
    a_market: Opener, make: Callable[..., Any]
) -> None:
    world = await a_market()
    await world.filled(world.buy())
    reached = await make(world, 5 if make is World.stop else -5)
    with pytest.raises(VenueRejected) as refused:
        await world.place(reached)
    assert a_sentence(refused.value)
    assert await world.open_ids() == set()


async def test_a_target_rests_beside_the_stop_or_in_one_list_with_it(
    a_market_with_stops: Opener,
) -> None:
    world = await a_market_with_stops(6)
    await world.filled(world.buy())
    stop, target = await world.stop(-5), await world.target(5)
    if (await world.venue()).targets is Targets.DESK:
        with pytest.raises(VenueRejected, match="can rest"):
            await world.place(target)
        return
    await put_both(world, stop, target)
    assert await world.open_ids() == {stop.id, target.id}
    told = {r.order_id: r.order for r in await (await world.venue()).open_orders()}
    assert [as_sent(told[order.id]) for order in (stop, target)] == [*map(as_sent, (stop, target))]

    await world.goes_on()
    assert (await world.ended(target)).filled == world.unit
    if (await world.venue()).targets is not Targets.PAIRED:
        await world.cancel(stop)
    assert (await world.ended(stop)).fills == ()
    assert await world.held() == 0


async def test_of_a_list_no_half_is_left(a_market: Opener) -> None:
    world = await a_market()
    await world.filled(world.buy())
    venue = await world.venue()
    if venue.targets is not Targets.PAIRED:
        await lists_are_refused(world)
        return
    with pytest.raises(VenueRejected) as refused:
        await venue.place_pair(await world.stop(-5), await world.target(-6), allowed)
    assert a_sentence(refused.value)
    assert await world.open_ids() == set()
    stop, target = await world.stop(-5), await world.target(5)
    await put_both(world, stop, target)
    await world.cancel(stop)
    assert (await world.ended(target)).status in {CANCELLED, OrderStatus.EXPIRED}
    assert await world.open_ids() == set()


def _heard(world: World, order: Order) -> set[Any]:
    reports: list[OrderReport] = [r for r in world.heard if r.order_id == order.id]
    return {fill for report in reports for fill in report.fills}
