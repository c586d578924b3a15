"""What a venue says when it does not know, and that nothing leaves it without its permit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.contracts.venue_world import (
    BTC,
    Opener,
    a_sentence,
    allowed,
    lists_are_refused,
)
from trading.errors import (
    Halted,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
)
from trading.types import (
    OrderReport,
    OrderStatus,
    Targets,
)

D = Decimal
FILLED, CANCELLED, OPEN = OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.OPEN


# -- what is not known ------------------------------------------------------------------------


@pytest.mark.parametrize("at", [None, -5], ids=["at market", "at a limit"])
async def test_an_order_without_an_answer_is_in_doubt_and_is_found(
    a_market: Opener, at: float | None
) -> None:
    world = await a_market()
    order = world.buy(at=at)
    async with world.loses_the_answer():
        with pytest.raises(VenueUncertain) as doubt:
            await world.place(order)
    assert a_sentence(doubt.value)
    found = await world.find(order)
    assert found is not None
    assert found.status is (FILLED if at is None else OPEN)
    assert world.sent() == 1
    assert await world.held() == found.filled


async def test_where_nothing_arrives_nothing_happened(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy()
    async with world.unreachable():
        with pytest.raises(VenueUnavailable) as error:
            await world.place(order)
    assert a_sentence(error.value)
    assert await world.find(order) is None
    assert (await world.held(), world.sent()) == (D(0), 0)
    assert (await world.place(order)).order_id == order.id, "so it may be sent again"
    await world.ended(order)
    assert await world.held() == world.unit


async def test_a_cancel_without_an_answer_is_not_called_undone(a_market: Opener) -> None:
    world = await a_market(-10)
    order = world.buy(at=-5)
    await world.place(order)
    async with world.loses_the_answer():
        (told,) = await asyncio.gather(world.cancel(order), return_exceptions=True)
    if isinstance(told, OrderReport):
        assert told.status is CANCELLED, "it was asked for, and told so"
    else:
        assert isinstance(told, VenueUncertain)
        assert a_sentence(told)
    assert (await world.cancel(order)).status is CANCELLED
    await world.goes_on()
    assert await world.held() == 0


async def test_a_cancel_that_does_not_arrive_changes_nothing(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy(at=-5)
    await world.place(order)
    async with world.unreachable():
        with pytest.raises(VenueUnavailable) as error:
            await world.cancel(order)
    assert a_sentence(error.value)
    assert await world.open_ids() == {order.id}


@pytest.mark.parametrize("at", [None, -5], ids=["filled", "rests"])
async def test_while_nobody_answers_no_answer_is_made_up(
    a_market: Opener, at: float | None
) -> None:
    """Nothing held, nothing open, not found: that would be taken for true."""
    world = await a_market()
    order = world.buy(at=at)
    await world.place(order)
    venue = await world.venue()
    asks: tuple[Callable[[], Awaitable[object]], ...] = (
        venue.positions, venue.open_orders, venue.wallet, lambda: venue.find(order),
        lambda: venue.ours_since(BTC, order.created_at - timedelta(seconds=5)),
    )  # fmt: skip
    truth = [await ask() for ask in asks]
    async with world.unreachable():
        told = await asyncio.gather(*(ask() for ask in asks), return_exceptions=True)
    for answer, true in zip(told, truth, strict=True):
        assert answer == true or isinstance(answer, VenueUnavailable | VenueUncertain)


async def test_a_list_without_an_answer_is_found_leg_by_leg(a_market: Opener) -> None:
    world = await a_market()
    await world.filled(world.buy())
    venue = await world.venue()
    stop, target = await world.stop(-5), await world.target(5)
    if venue.targets is not Targets.PAIRED:
        await lists_are_refused(world)
        return
    async with world.loses_the_answer():
        with pytest.raises(VenueUncertain):
            await venue.place_pair(stop, target, allowed)
    for order in (stop, target):
        found = await venue.find(order)
        assert found is not None
        assert found.status is OPEN


async def test_what_was_never_sent_is_not_found_and_not_cancelled(a_market: Opener) -> None:
    world = await a_market()
    for order in (world.buy(), world.buy(at=-5), await world.stop(-5)):
        assert await world.find(order) is None
        with pytest.raises(VenueRejected, match="does not know"):
            await world.cancel(order)


async def test_a_venue_that_remembers_nothing_finds_all_by_our_ids(
    a_market_with_stops: Opener,
) -> None:
    world = await a_market_with_stops()
    bought, rests, gone = world.buy(), world.buy(at=-6), world.buy(at=-7)
    first = await world.filled(bought)
    stop = await world.stop(-5)
    for order in (rests, gone, stop):
        await world.place(order)
    await world.cancel(gone)

    venue = await world.another()
    told = [await venue.find(order) for order in (bought, rests, gone, stop)]
    assert [each.status if each else None for each in told] == [FILLED, OPEN, CANCELLED, OPEN]
    assert told[0] is not None
    assert told[0].fills == first.fills, "the same fills, by the same ids"
    assert {each.order_id for each in await venue.open_orders()} == {rests.id, stop.id}


# -- the permit -------------------------------------------------------------------------------


async def test_the_permit_is_asked_once_as_the_order_leaves(a_market: Opener) -> None:
    world = await a_market()
    asked: list[int] = []
    await world.place(world.buy(), lambda: asked.append(world.sent()))
    assert asked == [0]
    assert world.sent() == 1


async def test_without_its_permit_nothing_leaves(a_market: Opener) -> None:
    def halted() -> None:
        raise Halted

    world = await a_market()
    order = world.buy()
    with pytest.raises(Halted):
        await world.place(order, halted)
    venue = await world.venue()
    if venue.targets is Targets.PAIRED:
        await world.filled(world.buy())
        with pytest.raises(Halted):
            await venue.place_pair(await world.stop(-5), await world.target(5), halted)
        assert await world.open_ids() == set()
    assert await world.find(order) is None


async def test_who_cancels_hears_that_it_leaves(a_market: Opener) -> None:
    world = await a_market()
    order = world.buy(at=-5)
    await world.place(order)
    left: list[str] = []
    await (await world.venue()).cancel(order, lambda: left.append(order.id))
    assert left == [order.id]
