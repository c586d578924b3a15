"""What every venue does, whatever is behind it: paper, and exchanges through the real ccxt.

Each test runs on all of `VENUES`.  What one of them cannot do is asked of its port (`cash`,
`targets`, `writes_off`, `costs`, the `stops` of a symbol's rules), and then the test shows that it
refuses in words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.venues import (
    BTC,
    NOWHERE,
    POORER,
    VENUES,
    Move,
    OpenWorld,
    World,
    allowed,
)
from tests.waiting import until
from trading.errors import (
    Halted,
    VenueError,
    VenueMisfit,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
)
from trading.types import (
    Costs,
    Depth,
    MarketRules,
    Order,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
    Stops,
    Symbol,
    Targets,
    Untraded,
)

D = Decimal
FILLED, CANCELLED, OPEN = OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.OPEN


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


@pytest.fixture(params=VENUES)
async def a_market(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(request.param, VENUES[request.param], stack)


def a_sentence(error: pytest.ExceptionInfo[VenueError]) -> bool:
    """Words for a person: no code alone, no object, no traceback."""
    said = str(error.value)
    return len(said.split()) >= 3 and not re.search(r"Traceback|<[a-z]|object at|\{", said)


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
        assert D(0) < fill.fee < fill.price * fill.quantity * D("0.01"), "in money"
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
    assert len({fill for report in told for fill in report.fills}) == len(told[1].fills)


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
    assert a_sentence(told)
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
    assert _as_sent(listed.order) == _as_sent(order)
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


async def test_what_may_not_take_is_refused_where_it_would(a_market: Opener) -> None:
    world = await a_market()
    rests, takes = (replace(world.buy(at=at), post_only=True) for at in (-5, 5))
    assert (await world.place(rests)).status is OPEN
    with pytest.raises(VenueRejected) as refused:
        await world.place(takes)
    assert a_sentence(refused)
    assert await world.held() == 0


# -- reductions -------------------------------------------------------------------------------


async def test_a_reduction_never_opens_anything(a_market: Opener) -> None:
    world = await a_market()
    with pytest.raises(VenueRejected) as refused:
        await world.place(await world.sell())
    assert a_sentence(refused)
    await world.filled(world.buy())
    too_much = await world.sell(3)
    try:
        await world.place(too_much)
        await world.ended(too_much)
    except VenueRejected as error:
        assert len(str(error).split()) >= 3  # noqa: PT017  # either is right, as long as it is not short
    assert D(0) <= await world.held() <= world.unit


async def test_nothing_that_only_reduces_outlives_its_position(a_market: Opener) -> None:
    world = await a_market(-10)
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
    if not (await world.venue()).cash:
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
        assert a_sentence(refused)
        assert await world.held() == 0
        return
    await world.filled(short)
    assert await world.held() == -world.unit
    await world.filled(await world.exits(Side.BUY))
    assert await world.held() == 0


# -- what waits for a price -------------------------------------------------------------------


async def test_a_stop_rests_and_sells_once_it_is_touched(a_market: Opener) -> None:
    world = await a_market(-4, -6)
    await world.filled(world.buy())
    stop = await world.stop(-5)
    assert (await world.place(stop)).status is OPEN
    (listed,) = await (await world.venue()).open_orders()
    assert listed.order is not None
    assert _as_sent(listed.order) == _as_sent(stop)
    await world.goes_on()
    assert await world.held() == world.unit
    await world.goes_on()
    report = await world.ended(stop)
    assert (report.status, report.filled) == (FILLED, world.unit)
    assert await world.held() == 0
    await until(lambda: sum(f.quantity for f in _heard(world, stop)) == world.unit)


async def test_a_stop_is_cancelled_and_waits_no_more(a_market: Opener) -> None:
    world = await a_market(-10)
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
    assert a_sentence(refused)
    assert await world.open_ids() == set()


async def test_a_target_rests_beside_the_stop_or_in_one_list_with_it(a_market: Opener) -> None:
    world = await a_market(6)
    await world.filled(world.buy())
    stop, target = await world.stop(-5), await world.target(5)
    await _put_both(world, stop, target)
    assert await world.open_ids() == {stop.id, target.id}
    told = {r.order_id: r.order for r in await (await world.venue()).open_orders()}
    assert [_as_sent(told[order.id]) for order in (stop, target)] == [
        *map(_as_sent, (stop, target))
    ]

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
        with pytest.raises(VenueRejected, match="one list"):
            await venue.place_pair(await world.stop(-5), await world.target(5), allowed)
        assert await world.open_ids() == set()
        return
    with pytest.raises(VenueRejected) as refused:
        await venue.place_pair(await world.stop(-5), await world.target(-6), allowed)
    assert a_sentence(refused)
    assert await world.open_ids() == set()
    stop, target = await world.stop(-5), await world.target(5)
    await _put_both(world, stop, target)
    await world.cancel(stop)
    assert (await world.ended(target)).status in {CANCELLED, OrderStatus.EXPIRED}
    assert await world.open_ids() == set()


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
    assert a_sentence(doubt)
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
    assert a_sentence(error)
    assert await world.find(order) is None
    assert (await world.held(), world.sent()) == (D(0), 0)
    assert (await world.place(order)).order_id == order.id, "so it may be sent again"
    await world.ended(order)
    assert await world.held() == world.unit


async def test_what_was_never_sent_is_not_found_and_not_cancelled(a_market: Opener) -> None:
    world = await a_market()
    for order in (world.buy(), world.buy(at=-5), await world.stop(-5)):
        assert await world.find(order) is None
        with pytest.raises(VenueRejected, match="does not know"):
            await world.cancel(order)


async def test_a_venue_that_remembers_nothing_finds_all_by_our_ids(a_market: Opener) -> None:
    world = await a_market()
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


# -- what is refused --------------------------------------------------------------------------


async def test_what_does_not_fit_the_rules_is_told_from_other_refusals(a_market: Opener) -> None:
    """Whoever hears of it reads the rules again, which may have changed."""
    world = await a_market()
    rules = (await world.venue()).rules(BTC)
    assert isinstance(rules, MarketRules)
    by_tick, by_stop = world.at(-5) + rules.tick / 2, world.at(5) + rules.tick / 2
    worthless = rules.quantity(rules.min_notional / world.at(-5) / 2)
    for odd in (
        replace(world.buy(), quantity=world.unit + rules.lot / 2),
        replace(world.buy(), quantity=D(0)),
        replace(world.buy(at=-5), price=by_tick),
        replace(world.buy(), type=OrderType.STOP, stop_price=by_stop),
        replace(world.buy(at=-5), quantity=worthless),
    ):
        with pytest.raises(VenueMisfit) as refused:
            await world.place(odd)
        assert a_sentence(refused)
        assert (await world.find(odd), world.sent()) == (None, 0)


async def test_what_cannot_be_paid_is_refused_or_is_on_margin(a_market: Opener) -> None:
    world = await a_market()
    venue, order = await world.venue(), world.buy(300)
    preview = await venue.preview(BTC, Side.BUY, order.quantity)
    assert preview.margin is not None
    assert preview.free is not None
    if not venue.cash:
        return
    assert preview.margin > preview.free
    with pytest.raises(VenueRejected) as refused:
        await world.place(order)
    assert a_sentence(refused)
    assert await world.held() == 0


async def test_a_symbol_that_is_not_traded_here_is_refused_in_its_own_words(
    a_market: Opener,
) -> None:
    world = await a_market()
    venue = await world.venue()
    rules = venue.rules(NOWHERE)
    assert isinstance(rules, Untraded)
    assert str(NOWHERE) in rules.why
    with pytest.raises(VenueRejected, match=re.escape(rules.why)):
        await world.place(replace(world.buy(), symbol=NOWHERE))
    with pytest.raises(VenueRejected, match=re.escape(rules.why)):
        await venue.preview(NOWHERE, Side.BUY, world.unit)
    assert world.sent() == 0


# -- what is asked ----------------------------------------------------------------------------


async def test_ours_are_listed_with_their_fills_ended_ones_too(a_market: Opener) -> None:
    world = await a_market()
    since = world.clock.now() - timedelta(seconds=1)
    bought, gone, rests = world.buy(), world.buy(at=-6), world.buy(at=-5)
    await world.filled(bought)
    for order in (gone, rests):
        await world.place(order)
    await world.cancel(gone)
    venue = await world.venue()

    told = {report.order_id: report for report in await venue.ours_since(BTC, since)}
    assert [(told[o.id].status, len(told[o.id].fills)) for o in (bought, gone, rests)] == [
        (FILLED, len((await world.ended(bought)).fills)), (CANCELLED, 0), (OPEN, 0),
    ]  # fmt: skip
    assert all(report.order is not None for report in told.values())
    assert await venue.ours_since(Symbol("ETH", "USDT"), since) == []


async def test_rules_are_steps_that_orders_keep_to(a_market: Opener) -> None:
    world = await a_market()
    venue = await world.venue()
    rules = venue.rules(BTC)
    assert isinstance(rules, MarketRules)
    assert rules.tick > 0
    assert rules.lot > 0
    assert rules.quantity(world.unit) == world.unit
    assert await venue.rules_now(BTC) == rules == venue.rules(BTC)
    await venue.reread()
    assert venue.rules(BTC) == rules


async def test_the_book_has_two_sides_or_there_is_none(a_market: Opener) -> None:
    world = await a_market()
    venue = await world.venue()
    depth = await venue.depth(BTC)
    if venue.costs is not None:
        assert isinstance(venue.costs, Costs)
        assert depth is None, "who makes up its fills has nobody on the other side"
        return
    assert isinstance(depth, Depth)
    assert depth.is_usable
    assert depth.bid <= world.first <= depth.ask


async def test_a_preview_tells_what_an_entry_then_meets_and_sends_nothing(
    a_market: Opener,
) -> None:
    world = await a_market()
    venue = await world.venue()
    preview = await venue.preview(BTC, Side.BUY, world.unit)
    assert world.sent() == 0
    report = await world.filled(world.buy())
    assert preview.price == report.average_price
    assert preview.fee == pytest.approx(sum(f.fee for f in report.fills), rel=D("0.3"))
    assert preview.margin is not None
    assert preview.free is not None
    assert D(0) < preview.margin <= preview.free


async def test_money_that_nobody_moved_has_not_moved(a_market: Opener) -> None:
    world = await a_market()
    since = world.clock.now() - timedelta(seconds=1)
    await world.filled(world.buy())
    await world.filled(await world.sell())
    assert list(await (await world.venue()).movements(since)) == []


async def test_what_nobody_trades_any_more_is_written_off_or_settled_there(
    a_market: Opener,
) -> None:
    world = await a_market()
    await world.filled(world.buy())
    venue, sent, order = await world.venue(), world.sent(), await world.sell()
    if not venue.writes_off:
        with pytest.raises(VenueRejected) as refused:
            await venue.write_off(order, world.first)
        assert a_sentence(refused)
        return
    report = await venue.write_off(order, world.first)
    assert (report.status, report.average_price) == (FILLED, world.first)
    (fill,) = report.fills
    assert (fill.quantity, fill.fee) == (world.unit, D(0))
    if venue.costs is None:
        assert world.sent() == sent, "nothing is sent"


# -- opening and closing ----------------------------------------------------------------------


async def test_what_is_closed_says_so_and_closing_twice_is_harmless(a_market: Opener) -> None:
    world = await a_market()
    venue = await world.venue()
    await venue.close()
    await venue.close()
    with pytest.raises(VenueUnavailable) as error:
        await venue.place(world.buy(), allowed)
    assert a_sentence(error)


async def test_a_venue_is_told_by_its_name_and_its_windows(a_market: Opener) -> None:
    world = await a_market()
    venue = await world.venue()
    assert venue.name
    assert venue.window >= 0
    assert venue.interruptions == 0
    assert venue.refuses_until is None
    assert venue.targets in Targets


# -- what some cannot do ----------------------------------------------------------------------


@pytest.fixture(params=POORER)
async def a_poorer_market(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(request.param, POORER[request.param], stack)


async def test_what_cannot_rest_here_is_refused_in_words_and_not_sent(
    a_poorer_market: Opener,
) -> None:
    world = await a_poorer_market()
    await world.filled(world.buy())
    venue, sent = await world.venue(), world.sent()
    rules = venue.rules(BTC)
    assert isinstance(rules, MarketRules)
    stop, target = await world.stop(-5), await world.target(5)
    limited = replace(stop, price=world.at(-6), id=world.buy().id)
    lacking = {
        "stop": rules.stops is not Stops.MARKET,
        "stop-limit": rules.stops is Stops.DESK,
        "target": venue.targets is Targets.DESK,
    }
    assert any(lacking.values())
    for name, order in (("stop", stop), ("stop-limit", limited), ("target", target)):
        if lacking[name]:
            with pytest.raises(VenueRejected, match="rest") as refused:
                await world.place(order)
            assert a_sentence(refused)
            assert world.sent() == sent


# -- helpers ----------------------------------------------------------------------------------


def _as_sent(order: Order | None) -> object:
    assert order is not None
    facts = (order.id, order.symbol, order.side, order.type, order.role, order.quantity)
    return (*facts, order.price, order.stop_price)


def _heard(world: World, order: Order) -> set[Any]:
    reports: list[OrderReport] = [r for r in world.heard if r.order_id == order.id]
    return {fill for report in reports for fill in report.fills}


async def _put_both(world: World, stop: Order, target: Order) -> None:
    venue = await world.venue()
    if venue.targets is Targets.PAIRED:
        reports = await venue.place_pair(stop, target, allowed)
    else:
        reports = await venue.place(stop, allowed), await venue.place(target, allowed)
    assert [report.status for report in reports] == [OPEN, OPEN]
