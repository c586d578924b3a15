"""What is special to the paper venue: its durable book, crashes, and many orders at once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.journal import FileJournal
from storage.memory import MemoryJournal
from tests.trading.venues.paper_world import (
    BTC,
    ETH,
    FREE,
    NOON,
    QUIET,
    REDUCING,
    Bar,
    FaultyJournal,
    PaperWorld,
    allowed,
    at_limit,
    at_stop,
    buy,
    sell,
)
from trading.clocks import ManualClock
from trading.errors import VenueError, VenueUnavailable, VenueUncertain
from trading.ports import Venue
from trading.types import ZERO, Held, Order, OrderReport, OrderStatus, traded
from trading.venues.paper.account import PaperAccount, replayed
from trading.venues.paper.venue import PaperVenue

D = Decimal


@pytest.fixture
def journal() -> FaultyJournal:
    return FaultyJournal()


def a_world(journal: FaultyJournal, *bars: Bar, **more: Any) -> PaperWorld:
    return PaperWorld(*(bars or (QUIET,)), journal=lambda: journal, **more)


async def test_it_is_a_venue(journal: FaultyJournal) -> None:
    port: Venue = await a_world(journal).venue()
    assert traded(port.rules(BTC)).tick == D("0.01")


# -- durability ---------------------------------------------------------------------------------


async def test_nothing_is_told_before_the_journal_has_it(journal: FaultyJournal) -> None:
    venue = await a_world(journal).venue()
    journal.gate.clear()
    order = buy("1")
    placing = asyncio.create_task(venue.place(order, allowed))
    asking = [asyncio.create_task(venue.find(order)), asyncio.create_task(venue.positions())]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(task.done() for task in (placing, *asking))
    journal.gate.set()
    assert (await placing).status is OrderStatus.FILLED
    assert await asking[1] == {BTC: Held(long=D(1))}


async def test_what_bars_did_is_told_after_it_is_durable(journal: FaultyJournal) -> None:
    world = a_world(journal, QUIET, (90, 90, 90, 90, 1000))
    await world.place(buy("1", **at_limit("95")))
    journal.gate.clear()
    passing = asyncio.create_task(world.next_bar())
    for _ in range(10):
        await asyncio.sleep(0)
    assert world.heard == []
    journal.gate.set()
    assert [report.status for report in await passing] == [OrderStatus.FILLED]


async def test_when_the_journal_fails_nothing_happened(journal: FaultyJournal) -> None:
    world = a_world(journal)
    resting = buy("1", **at_limit("90"))
    await world.place(resting)
    journal.fails = True
    order = buy("1")
    with pytest.raises(VenueUnavailable, match="no space left"):
        await world.place(order)
    with pytest.raises(VenueUnavailable, match="no space left"):
        await world.cancel(resting)
    assert await world.find(order) is None
    assert await world.positions() == {}
    assert [r.order_id for r in await world.open_orders()] == [resting.id]
    journal.fails = False
    assert (await world.place(order)).status is OrderStatus.FILLED
    assert (await world.cancel(resting)).status is OrderStatus.CANCELLED


async def test_bars_that_could_not_be_saved_are_handled_again(journal: FaultyJournal) -> None:
    world = a_world(journal, QUIET, (90, 90, 90, 90, 1000))
    order = buy("1", **at_limit("95"))
    await world.place(order)
    journal.fails = True
    with pytest.raises(VenueUnavailable):
        await world.next_bar()
    journal.fails = False
    await (await world.venue()).catch_up(world.clock.now())
    assert [report.filled for report in world.heard] == [D(1)]


async def test_a_write_that_failed_half_way_is_uncertain(journal: FaultyJournal) -> None:
    world = a_world(journal)
    journal.writes_and_fails = True
    order = buy("1")
    with pytest.raises(VenueUncertain):
        await world.place(order)
    journal.writes_and_fails = False
    found = await world.find(order)
    assert found is not None
    assert found.filled == D(1)


async def test_an_unreadable_journal_makes_a_failed_write_uncertain(
    journal: FaultyJournal,
) -> None:
    world = a_world(journal)
    await world.venue()
    journal.fails = journal.unreadable = True
    with pytest.raises(VenueUncertain, match="cannot be read"):
        await world.place(buy("1"))
    with pytest.raises(VenueUnavailable, match="cannot be read"):
        await world.positions()
    journal.fails = journal.unreadable = False
    assert await world.positions() == {}


async def test_orders_worked_out_on_top_of_a_lost_one_are_lost_with_it(
    journal: FaultyJournal,
) -> None:
    world = a_world(journal)
    venue = await world.venue()
    journal.gate.clear()
    journal.fails = True
    entry = asyncio.create_task(venue.place(buy("1"), allowed))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    exit_ = asyncio.create_task(venue.place(sell("1", **REDUCING), allowed))
    await asyncio.sleep(0)
    journal.gate.set()
    results = await asyncio.gather(entry, exit_, return_exceptions=True)
    assert [type(result) for result in results] == [VenueUnavailable, VenueUnavailable]
    assert await world.positions() == {}


async def test_a_caller_that_is_dropped_leaves_the_order_in_the_book(
    journal: FaultyJournal,
) -> None:
    world = a_world(journal)
    venue = await world.venue()
    journal.gate.clear()
    order = buy("1")
    placing = asyncio.create_task(venue.place(order, allowed))
    await asyncio.sleep(0)
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)
    journal.gate.set()
    found = await world.find(order)
    assert found is not None
    assert found.status is OrderStatus.FILLED
    assert replayed(journal.kept).quantity(BTC) == D(1)


async def test_an_answer_is_heard_before_what_happened_later(journal: FaultyJournal) -> None:
    """Also when one write holds both: the desk must not see an order go backwards."""
    thin: Bar = (100, 100, 100, 100, 10)
    world = a_world(journal, thin, thin, **FREE)
    venue = await world.venue()
    heard: list[Decimal] = []

    async def place() -> None:
        heard.append((await venue.place(buy("2"), allowed)).filled)

    world.clock.advance(0)
    journal.gate.clear()
    placing = asyncio.create_task(place())
    await asyncio.sleep(0)
    world.clock.advance(60)
    passing = asyncio.create_task(venue.catch_up(world.clock.now()))
    await asyncio.sleep(0)
    journal.gate.set()
    await asyncio.gather(placing, passing)
    assert heard + [report.filled for report in world.heard] == [D(1), D(2)]


async def test_many_orders_at_once_share_writes_and_lose_nothing(journal: FaultyJournal) -> None:
    world = a_world(journal)
    venue = await world.venue()
    orders = [buy("0.1") if n % 3 else sell("0.1") for n in range(300)]
    reports = await asyncio.gather(*(venue.place(order, allowed) for order in orders))
    assert {report.status for report in reports} == {OrderStatus.FILLED}
    assert await venue.positions() == {BTC: Held(long=D("10.0"))}
    assert replayed(journal.kept).profit_realised() == await venue.wallet() - 10_000


async def test_one_id_placed_twice_at_once_is_accepted_once(journal: FaultyJournal) -> None:
    venue = await a_world(journal).venue()
    order = buy("1")
    results = await asyncio.gather(
        *(venue.place(order, allowed) for _ in range(2)), return_exceptions=True
    )
    assert [type(result) for result in results] == [OrderReport, VenueUncertain]
    assert await venue.positions() == {BTC: Held(long=D(1))}


async def test_a_venue_that_is_not_open_says_so(journal: FaultyJournal) -> None:
    venue = a_world(journal).unopened()
    with pytest.raises(VenueUnavailable, match="paper is not open"):
        await venue.place(buy("1"), allowed)
    await venue.close()
    assert not journal.closed


async def test_closing_waits_for_what_is_being_written(journal: FaultyJournal) -> None:
    world = a_world(journal)
    venue = await world.venue()
    journal.gate.clear()
    placing = asyncio.create_task(venue.place(buy("1"), allowed))
    await asyncio.sleep(0)
    closing = asyncio.create_task(venue.close())
    await asyncio.sleep(0)
    assert not journal.closed
    journal.gate.set()
    await closing
    await placing
    assert journal.closed
    await venue.close()


async def test_a_journal_that_is_no_paper_book_is_refused(journal: FaultyJournal) -> None:
    journal.kept = [{"steps": [{"what": "else"}]}]
    with pytest.raises(VenueUnavailable, match="not a record of the paper book"):
        await a_world(journal).venue()


# -- gaps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("price", [{}, at_limit("100")], ids=["market", "limit"])
@pytest.mark.parametrize("gap", [1, 3])
async def test_in_a_bar_that_is_missing_nobody_trades(
    journal: FaultyJournal, price: dict[str, Any], gap: int
) -> None:
    """Whatever the last price was: the order waits for the bar in which somebody does."""
    back: Bar = (97, 98, 96, 97, 1000)
    world = a_world(journal, QUIET, *[None] * gap, back, **FREE)
    await world.next_bar(gap)
    order = buy("1", **price)
    assert (await world.place(order)).filled == 0
    await world.next_bar()
    found = await world.find(order)
    assert found is not None
    assert [(fill.quantity, fill.price) for fill in found.fills] == [(D(1), D(97))]
    assert {fill.at for fill in found.fills} == {world.clock.now()}


# -- compaction -----------------------------------------------------------------------------------


async def test_a_long_journal_becomes_one_record_that_says_the_same(
    journal: FaultyJournal,
) -> None:
    thin: Bar = (100, 101, 90, 100, 50)
    world = a_world(journal, *[thin] * 3, compact_after=10)
    resting, partial = sell("1", **at_limit("200"), symbol=ETH), buy("7")
    await world.place(resting)
    await world.place(partial)
    stop = sell("1", **at_stop("80"), **REDUCING)
    await world.place(stop)
    for _ in range(30):
        await world.place(buy("1", **at_limit("50")))
    await world.next_bar()
    assert len(journal.kept) <= 10
    venue, again = await world.venue(), await world.another()
    assert await again.open_orders() == await venue.open_orders()
    assert await again.positions() == await venue.positions()
    assert await again.wallet() == await venue.wallet()
    for order in (resting, partial, stop):
        assert await again.find(order) == await venue.find(order)
    with pytest.raises(VenueUncertain, match="was sent already"):
        await again.place(partial, allowed)
    await again.catch_up(world.clock.now())
    assert await again.positions() == await venue.positions()


async def test_ended_orders_are_remembered_long_but_not_for_ever(journal: FaultyJournal) -> None:
    world = a_world(journal, (100, 100, 100, 100, 1e9))
    orders = [buy("0.1") if n % 2 else sell("0.1") for n in range(2_500)]
    venue = await world.venue()
    for order in orders:
        await venue.place(order, allowed)
    assert await venue.find(orders[0]) is None
    assert await venue.find(orders[-1_000]) is not None


async def test_when_compaction_fails_nothing_is_lost(journal: FaultyJournal) -> None:
    world = a_world(journal, compact_after=3)
    for _ in range(3):
        await world.place(buy("1", **at_limit("50")))
    journal.fails = True
    with pytest.raises(VenueUnavailable):
        await world.place(buy("1", **at_limit("50")))
    journal.fails = False
    assert len(await world.open_orders()) == 3
    await world.place(buy("1", **at_limit("50")))
    assert len(await world.open_orders()) == 4


# -- the clock ------------------------------------------------------------------------------------


async def test_the_handed_in_clock_says_at_which_bar_orders_are_priced() -> None:
    """A cycle that comes late fills where a backtest would."""
    bars: list[Bar] = [QUIET, (110, 110, 110, 110, 1000)]
    at_the_bar = ManualClock(NOON)
    world = PaperWorld(*bars, journal=MemoryJournal, clock=at_the_bar, **FREE)
    world.clock.advance(60)
    assert (await world.place(buy("1"))).average_price == D(100)
    at_the_bar.advance(60)
    assert (await world.place(buy("1"))).average_price == D(110)


# -- crashes, at any byte -------------------------------------------------------------------------

kinds = st.sampled_from(["buy", "sell", "limit", "stop", "reduce", "cancel", "bar"])


async def act(world: PaperWorld, kind: str, size: int, placed: list[Order]) -> None:
    """Do one thing to the venue; what it refuses is refused."""
    quantity = str(size)
    made = {
        "buy": lambda: buy(quantity),
        "sell": lambda: sell(quantity),
        "limit": lambda: buy(quantity, **at_limit(str(100 - size))),
        "stop": lambda: sell(quantity, **at_stop(str(100 - size))),
        "reduce": lambda: sell(quantity, **at_limit(str(100 + size)), **REDUCING),
    }
    if kind == "bar":
        await world.next_bar()
    elif kind == "cancel":
        if placed:
            await world.cancel(placed[size % len(placed)])
    else:
        placed.append(made[kind]())
        try:
            await world.place(placed[-1])
        except VenueError:
            placed.pop()


def check(book: PaperAccount) -> None:
    """Every figure of the book follows from the fills of the orders in it."""
    orders = list(book._orders.values())
    fills = [fill for held in orders for fill in held.fills]
    assert len({fill.id for fill in fills}) == len(fills)
    for symbol in (BTC, ETH):
        mine = [fill.signed_quantity for fill in fills if fill.symbol == symbol]
        assert book.quantity(symbol) == sum(mine, ZERO)
    paid = sum((fill.signed_quantity * fill.price + fill.fee for fill in fills), ZERO)
    assert book.cash_flow == -paid
    for held in orders:
        assert ZERO <= held.filled <= held.order.quantity
        assert (held.filled == held.order.quantity) == (held.status is OrderStatus.FILLED)
        assert held.is_alive == (held in book.alive())


@settings(max_examples=60, deadline=None)
@given(
    script=st.lists(st.tuples(kinds, st.integers(1, 9)), min_size=1, max_size=25),
    share=st.floats(0, 1),
    compact_after=st.sampled_from([4, 5_000]),
)
def test_a_journal_cut_at_any_byte_is_an_earlier_state(
    script: list[tuple[str, int]], share: float, compact_after: int
) -> None:
    async def story(path: Path) -> None:
        bars: list[Bar] = [(100, 100 + n % 7, 100 - n % 11, 100, 60) for n in range(30)]
        world = PaperWorld(
            *bars, journal=lambda: FileJournal(path), compact_after=compact_after, **FREE
        )
        states, placed = [await state(world)], list[Order]()
        for kind, size in script:
            await act(world, kind, size, placed)
            states.append(await state(world))
        await world.close()
        whole = path.read_bytes() if path.exists() else b""
        path.write_bytes(whole[: round(share * len(whole))])
        journal = FileJournal(path)
        book = replayed(await journal.records())
        await journal.close()
        check(book)
        survived = await state(world)
        assert survived in states
        await act(world, "buy", 1, placed)  # and the venue goes on from there
        await world.close()

    with TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder) / "paper.journal"))


async def state(world: PaperWorld) -> object:
    venue: PaperVenue = await world.venue()
    return (await venue.wallet(), await venue.positions(), await venue.open_orders())
