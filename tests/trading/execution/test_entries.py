"""How entries are made: what the order book allows, how long they rest, and makers' rests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.builders import BTC, ETH, NOON
from tests.fakes import LivePrices, Wish
from tests.trading.execution.test_reconcile import Files
from tests.world import World, a_world, at_minute, settled, wish
from trading.clocks import ManualClock
from trading.errors import Refused
from trading.events import EntryGivenUp, HaltEngaged
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.safety.desk_limits import DeskLimits
from trading.types import Depth, Order, OrderRole, OrderStatus, OrderType, Side, Symbol

D = Decimal
BY = "ben, Telegram"
MAKER = EntryRules(style=EntryStyle.MAKER)


def a_book(bid: str = "99.99", ask: str = "100.01", **changes: Any) -> Depth:
    there = {"bids": D(100_000), "asks": D(100_000), **changes}
    return Depth(bid=D(bid), ask=D(ask), at=NOON, **there)


async def why_refused(world: World, book: Depth) -> str:
    async with world.running():
        world.venue.depths[BTC] = book
        await world.minutes(2)
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert world.venue.placed == []
        return decision.reason


def entries(world: World) -> list[Order]:
    return [o for o in world.trader.ledger.orders.values() if o.role is OrderRole.ENTRY]


@pytest.mark.parametrize(
    ("book", "why"),
    [
        (a_book("99.5", "100.5"), "spread 1.00 % is above 0.20 %"),
        (
            a_book("101.19", "101.2"),
            "the price has run 1.20 % since the signal, the limit is 0.50 %",
        ),
        (
            a_book(asks=D(500)),
            "500.00 within 20 bps is less than 2 times the entry of 600.00",
        ),
        (a_book("0", "100"), "the order book is not usable"),
        (a_book("101", "100"), "the order book is not usable"),
    ],
)  # fmt: skip
async def test_a_poor_market_is_refused_in_words(book: Depth, why: str) -> None:
    assert await why_refused(a_world(wishes=[wish(2)]), book) == why


async def test_a_good_market_is_entered() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        world.venue.depths[BTC] = a_book(bids=D(0))  # a long takes from the asks
        await world.minutes(2)
        assert BTC in world.trader.ledger.positions


async def test_an_order_book_that_cannot_be_had_is_a_reason() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(1)
        world.venue.faults.down = True
        world.clock.advance(60)
        await world.trader.cycle()
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.reason == "the order book cannot be had: connection refused"


FRESH = EntryRules(max_quote_age=timedelta(seconds=5))


@pytest.mark.parametrize(("seconds", "why"), [(5, ""), (6, "6 s"), (600, "10 min")])
async def test_an_old_order_book_is_refused(seconds: int, why: str) -> None:
    async with a_world(wishes=[wish(2)], entries=FRESH).running() as world:
        world.venue.depths[BTC] = replace(a_book(), at=at_minute(2) - timedelta(seconds=seconds))
        await world.minutes(2)
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.approved is not bool(why)
        if why:
            assert decision.reason == f"the last quote is {why} old, the limit is 5 s"


@pytest.mark.parametrize(("seconds", "approved"), [(5, True), (6, False)])
async def test_on_paper_an_old_price_of_a_live_market_is_refused(
    seconds: int, approved: bool
) -> None:
    clock = ManualClock(NOON)
    prices = LivePrices(clock)
    world = a_world(clock=clock, feed=prices, wishes=[wish(1)], entries=FRESH)
    async with world.running():
        clock.advance(60 - seconds)
        prices.tick("100")
        clock.advance(seconds)
        await world.trader.cycle()
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.approved is approved
        assert approved or decision.reason == "the last quote is 6 s old, the limit is 5 s"


async def test_a_recordings_candles_are_as_old_as_they_are() -> None:
    async with a_world(wishes=[wish(2)], entries=FRESH).running() as world:
        await world.minutes(2)
        assert BTC in world.trader.ledger.positions


async def test_by_hand_the_same_market_is_looked_at() -> None:
    async with a_world().running() as world:
        await world.minutes(1)
        world.venue.depths[BTC] = a_book("99.5", "100.5")
        with pytest.raises(Refused, match=r"Risk says no: spread 1.00 % is above 0.20 %"):
            await world.manual.enter(BTC, Side.BUY, D(500), by=BY)
        assert world.venue.placed == []


# -- resting ------------------------------------------------------------------------------


async def test_an_entry_rests_for_so_long_and_exits_for_ever() -> None:
    async with on_a_live_market().running() as world:
        await world.minutes(2)
        order = await world.rest_an_entry()
        world.clock.advance(14 * 60)
        await world.trader.upkeep()
        assert world.trader.ledger.orders[order.id].status is OrderStatus.OPEN
        world.clock.advance(61)
        await world.trader.upkeep()
        assert world.trader.ledger.orders[order.id].status is OrderStatus.CANCELLED
        assert world.trader.protection.rests(BTC)


async def test_a_limit_entry_rests_at_the_price_of_its_signal() -> None:
    rules = EntryRules(style=EntryStyle.LIMIT)
    async with a_world(wishes=[wish(2)], entries=rules).running() as world:
        world.venue.depths[BTC] = a_book()
        await world.minutes(2)
        (order,) = entries(world)
        assert (order.type, order.price, order.post_only) == (OrderType.LIMIT, D(100), False)


HOUR = timedelta(hours=1)


def on_a_live_market(
    entries: EntryRules | None = None,
    *,
    limits: Limits | None = None,
    symbols: Sequence[Symbol] = (BTC,),
) -> World:
    clock = ManualClock(NOON)
    feed = LivePrices(clock, symbols=symbols)
    return a_world(
        clock=clock, feed=feed, wishes=[wish(2)], entries=entries, limits=limits, symbols=symbols
    )


async def a_maker_rests(world: World) -> Order:
    world.venue.depths[BTC] = a_book()
    await world.minutes(2)
    (order,) = entries(world)
    assert (order.type, order.price, order.post_only) == (OrderType.LIMIT, D("99.99"), True)
    assert order.status is OrderStatus.OPEN
    return order


async def waited(world: World, seconds: float = 21) -> None:
    world.clock.advance(seconds)
    await settled()
    await world.trader.upkeep()
    await settled()


async def test_what_a_maker_did_not_get_in_time_goes_at_market() -> None:
    async with on_a_live_market(MAKER).running() as world:
        first = await a_maker_rests(world)
        await waited(world, 10)
        assert len(entries(world)) == 1
        await waited(world, 11)
        one, two = entries(world)
        assert (one.id, one.status, one.filled) == (first.id, OrderStatus.CANCELLED, D(0))
        assert (two.type, two.quantity) == (OrderType.MARKET, first.quantity)
        assert world.trader.ledger.positions[BTC].quantity == first.quantity
        assert world.trader.ledger.plans[BTC].stop == D(95)
        assert world.trader.protection.rests(BTC)
        kept = [o.id for o in await world.store.orders("majors", limit=9)]
        assert {one.id, two.id} <= set(kept), "each leg is an intent of its own"


async def test_a_price_that_ran_away_is_not_run_after() -> None:
    async with on_a_live_market(MAKER).running() as world:
        await a_maker_rests(world)
        world.venue.depths[BTC] = a_book("100.59", "100.6")
        await waited(world)
        assert len(entries(world)) == 1
        assert world.trader.ledger.positions == {}
        (given_up,) = (e for e in world.said if isinstance(e, EntryGivenUp))
        assert given_up.why == "the price has run 0.61 %"
        assert (given_up.filled, given_up.ordered) == (D(0), entries(world)[0].quantity)


@pytest.mark.parametrize(("bid", "ask"), [("0", "0"), ("0", "100.01"), ("99.99", "0")])
async def test_into_an_empty_market_no_second_leg_is_sent(bid: str, ask: str) -> None:
    """A price of 0 would look like a bargain."""
    async with on_a_live_market(MAKER).running() as world:
        await a_maker_rests(world)
        world.venue.depths[BTC] = a_book(bid, ask)
        await waited(world)
        assert len(entries(world)) == 1
        (given_up,) = (e for e in world.said if isinstance(e, EntryGivenUp))
        assert given_up.why == "the order book is not usable"


async def test_after_a_stop_no_second_leg_is_sent() -> None:
    async with on_a_live_market(MAKER).running() as world:
        await a_maker_rests(world)
        await world.desk.stop("all", by=BY, why="")
        await waited(world)
        assert len(entries(world)) == 1
        assert world.trader.ledger.positions == {}


async def test_while_the_first_leg_is_in_doubt_there_is_no_second() -> None:
    async with on_a_live_market(MAKER).running() as world:
        await a_maker_rests(world)
        world.venue.faults.cancel = ["unavailable"] * 2
        await waited(world)
        assert len(entries(world)) == 1
        world.venue.faults.cancel = []
        await waited(world, 6)
        assert len(entries(world)) == 2


async def test_a_maker_that_would_have_taken_goes_at_market_at_once() -> None:
    async with a_world(wishes=[wish(2)], entries=MAKER).running() as world:
        world.venue.depths[BTC] = a_book("100.00", "100.01")  # the paper venue's price is 100
        await world.minutes(2)
        one, two = entries(world)
        assert (one.status, two.status) == (OrderStatus.REJECTED, OrderStatus.FILLED)
        assert len({one.id, two.id}) == 2


async def test_a_makers_rest_is_cut_to_the_room_that_is_left_by_then() -> None:
    """What it would put to work at market is dearer than what was approved."""
    limits = Limits(max_position=D("0.5"), max_exposure=D("0.06"))
    async with on_a_live_market(MAKER, limits=limits).running() as world:
        first = await a_maker_rests(world)
        assert first.quantity == D(6)
        world.feed.tick("100.2")  # type: ignore[attr-defined]  # the live market's
        world.venue.depths[BTC] = a_book("100.19", "100.25")
        await waited(world)
        _, rest = entries(world)
        assert rest.quantity == D("5.985"), "600 at 100.25"
        assert rest.plan is not None
        assert rest.plan.size == rest.quantity


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(max_position=D("0.5"), max_positions=1), "1 of 1 positions open"),
        (
            Limits(max_position=D("0.5"), max_exposure=D("0.06")),
            "exposure 6.00 % of 6.00 %, no room left for the rest",
        ),
        (
            Limits(max_position=D("0.5"), entry_spacing=timedelta(minutes=5)),
            "entries are at least 5 min apart: none before 12:08",
        ),
    ],
)
async def test_a_place_that_was_taken_meanwhile_is_not_taken_twice(
    limits: Limits, why: str
) -> None:
    """Between the cancel and the rest others decide: the entry holds no place then."""
    world = on_a_live_market(MAKER, limits=limits, symbols=(BTC, ETH))
    async with world.running():
        await a_maker_rests(world)
        book = world.venue.faults.slow_books[BTC] = asyncio.Event()
        world.clock.advance(21)
        await settled()
        upkeep = asyncio.create_task(world.trader.upkeep())
        await settled()
        await world.manual.enter(ETH, Side.BUY, D(600), by=BY)
        book.set()
        await upkeep
        await settled()
        assert set(world.trader.ledger.positions) == {ETH}
        (given_up,) = (e for e in world.said if isinstance(e, EntryGivenUp))
        assert given_up.why == why


async def test_a_makers_own_part_is_no_reason_against_its_rest() -> None:
    """What it has filled is counted once: not as a position, a pace or a symbol that is open."""
    limits = Limits(
        max_position=D("0.0602"), max_positions=1, max_exposure=D("0.0602"), entries_per_hour=1
    )
    world = a_world(
        100, 100, 100, 99.99, 99.99, 99.99, wishes=[wish(2)], entries=MAKER, limits=limits,
        volume=THIN, desk_limits=DeskLimits(max_positions=1, max_exposure=D("0.0602")),
    )  # fmt: skip
    async with world.running():
        first = await a_maker_rests(world)
        world.trader.use(replace(world.trader.settings, entries=replace(MAKER, maker_wait=HOUR)))
        await world.minutes(1)
        part = world.trader.ledger.orders[first.id]
        assert D(0) < part.filled < part.quantity
        world.trader.use(replace(world.trader.settings, entries=MAKER))
        await world.minutes(1)
        one, two = entries(world)
        assert (one.status, two.type) == (OrderStatus.CANCELLED, OrderType.MARKET)
        assert two.quantity == one.remaining


async def test_on_a_recording_an_entry_ends_with_the_bar_in_which_it_grows_too_old() -> None:
    """As in a backtest: its age is market time, and no look between two bars comes before."""
    rules = EntryRules(max_age=timedelta(minutes=3))
    async with a_world(entries=rules).running() as world:
        await world.minutes(2)
        order = await world.rest_an_entry()
        await world.minutes(2)
        world.clock.advance(59)
        await settled()
        assert world.trader.ledger.orders[order.id].status is OrderStatus.OPEN
        world.clock.advance(1)
        await world.trader.cycle()
        assert world.trader.ledger.orders[order.id].status is OrderStatus.CANCELLED


async def test_a_makers_rest_on_a_recording_goes_at_market_with_the_next_bar() -> None:
    async with a_world(wishes=[wish(2)], entries=MAKER).running() as world:
        first = await a_maker_rests(world)
        await waited(world, 30)
        assert len(entries(world)) == 1
        await waited(world, 30)
        await world.trader.cycle()
        one, two = entries(world)
        assert (one.id, one.status) == (first.id, OrderStatus.CANCELLED)
        assert (two.type, two.status) == (OrderType.MARKET, OrderStatus.FILLED)


# -- two desks on one account -------------------------------------------------------------


async def test_orders_with_another_desks_tag_start_the_trader_halted() -> None:
    files = Files()
    world = files.a_desk(wishes=[wish(2)])
    other = Order(
        id="qd-beef-e-0011223344556677", trader="theirs", symbol=BTC, side=Side.BUY,
        type=OrderType.LIMIT, role=OrderRole.ENTRY, quantity=D(1), price=D(90), created_at=NOON,
    )  # fmt: skip
    world.feed.resume(world.clock.now())
    await world.venue.open(lambda report: None)
    await world.venue._venue.place(other, lambda: None)
    async with world.running():
        await settled()
        (halt,) = (e.halt for e in world.said if isinstance(e, HaltEngaged))
        assert halt.by == "the desk"
        assert halt.why == (
            "another desk trades on this account: 1 open order at the venue carry its tag"
        )
        await world.minutes(2)
        assert world.venue.placed == []
        assert [r.order_id for r in await world.venue.open_orders()] == [other.id], "untouched"


async def test_a_strangers_order_is_no_other_desk() -> None:
    world = Files().a_desk()
    stranger = Order(
        id="web_1", trader="theirs", symbol=BTC, side=Side.BUY, type=OrderType.LIMIT,
        role=OrderRole.ENTRY, quantity=D(1), price=D(90), created_at=NOON,
    )  # fmt: skip
    world.feed.resume(world.clock.now())
    await world.venue.open(lambda report: None)
    await world.venue._venue.place(stranger, lambda: None)
    async with world.running():
        await settled()
        assert world.heard(HaltEngaged) == []


# -- doubt --------------------------------------------------------------------------------


async def lost(world: World) -> Order:
    """An entry that left, and of which nothing was heard: the venue never had it."""
    world.venue.window = 10.0
    order = world.trader.orders.prepare(
        symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(1)
    )
    world.venue.faults.place = ["lost"]
    return await world.trader.orders.enter(order, world.desk.latch.permit("majors"))


async def test_absent_takes_two_answers_the_second_after_the_window() -> None:
    async with a_world().running() as world:
        order = await lost(world)
        assert order.status is OrderStatus.UNKNOWN
        await world.trader.orders.resolve(order)
        world.clock.advance(9)
        await settled()
        assert (await world.trader.orders.resolve(order)).status is OrderStatus.UNKNOWN
        world.clock.advance(2)
        assert (await world.trader.orders.resolve(order)).status is OrderStatus.ABSENT


async def test_a_silent_venue_proves_nothing() -> None:
    async with a_world().running() as world:
        order = await lost(world)
        world.venue.faults.down = True
        for _ in range(20):
            world.clock.advance(5)
            await settled()
        assert world.trader.ledger.orders[order.id].status is OrderStatus.UNKNOWN
        assert len(world.venue.placed) == 1, "and nothing is sent again"


async def test_what_is_in_doubt_blocks_its_symbol() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        world.venue.faults.hide = {(await lost(world)).id}
        world.venue.window = 1e9
        await world.minutes(2)
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.reason == "BTC has an order under way"
        assert len(world.venue.placed) == 1


async def test_a_clock_that_jumps_proves_nothing_either() -> None:
    """The window of what this process sent is measured by the clock that nobody sets."""
    async with a_world().running() as world:
        order = await lost(world)
        early = order.changed(created_at=order.created_at - timedelta(days=1))
        world.trader.ledger.update(early)
        await world.trader.orders.resolve(early)
        assert world.trader.ledger.orders[order.id].status is OrderStatus.UNKNOWN


# -- what is left of an entry when its position ends -------------------------------------------

THIN, EMPTY = 40.0, 0.005
"""Volumes of a bar, of which a tenth is ours: an entry of six takes two bars, or for ever."""
LONG = wish(2, target=110.0)
SHORT = wish(2, side=Side.SELL, stop=105.0, target=90.0)


@pytest.mark.parametrize("volume", [THIN, EMPTY])
@pytest.mark.parametrize(("wishes", "price"), [(LONG, 94), (LONG, 111), (SHORT, 106), (SHORT, 89)])
async def test_in_the_bar_of_its_stop_or_target_what_is_left_of_an_entry_does_not_fill(
    wishes: Wish, price: float, volume: float
) -> None:
    """It would be bought below its own stop, or above its own target."""
    world = a_world(100, 100, 100, price, price, 100, wishes=[wishes], volume=volume)
    async with world.running():
        await world.minutes(2)
        (entry,) = entries(world)
        assert (entry.status, entry.filled) == (OrderStatus.OPEN, D(4) if volume == THIN else D(0))
        await world.minutes(3)
        ended = world.trader.ledger.orders[entry.id]
        assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, entry.filled)
        assert world.trader.ledger.positions == {}
        (told,) = (e for e in world.said if isinstance(e, EntryGivenUp))
        assert (told.filled, told.ordered) == (entry.filled, entry.quantity)
        assert told.why == "its stop or target was touched first"


async def test_a_bar_between_stop_and_target_fills_what_is_left() -> None:
    async with a_world(100, 100, 100, 96, wishes=[LONG], volume=THIN).running() as world:
        await world.minutes(3)
        assert world.trader.ledger.positions[BTC].quantity == D(6)


async def test_the_bar_that_brought_the_signal_ends_no_entry() -> None:
    """What it touched came before the entry."""
    async with a_world(100, 100, 94, 94, 100, 100, wishes=[wish(3, stop=93.0)]).running() as world:
        await world.minutes(3)
        assert BTC in world.trader.ledger.positions


async def test_a_limit_that_has_filled_nothing_fills_before_its_stop() -> None:
    """Its own price lies before it: the bar that goes through both fills it, and it is a loss."""
    rules = EntryRules(style=EntryStyle.LIMIT)
    async with a_world(
        100, 100, 100, 100, 94, 94, wishes=[wish(2)], entries=rules, volume=EMPTY
    ).running() as world:
        await world.minutes(2)
        (entry,) = entries(world)
        await world.minutes(2)
        assert world.trader.ledger.orders[entry.id].status is OrderStatus.OPEN
