"""What a venue answers when it is asked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.contracts.venue_world import (
    BTC,
    Opener,
    a_sentence,
    allowed,
)
from trading.errors import (
    VenueRejected,
    VenueUnavailable,
)
from trading.types import (
    Costs,
    Depth,
    MarketRules,
    OrderStatus,
    Side,
    Symbol,
    Targets,
)

D = Decimal
FILLED, CANCELLED, OPEN = OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.OPEN


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
    assert venue.shows_books is (depth is not None)
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
        assert a_sentence(refused.value)
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
    assert a_sentence(error.value)


async def test_a_venue_is_told_by_its_name_and_its_windows(a_market: Opener) -> None:
    world = await a_market()
    venue = await world.venue()
    assert venue.name
    assert venue.window >= 0
    assert venue.interruptions == 0
    assert venue.refuses_until is None
    assert venue.targets in Targets
