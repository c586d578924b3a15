"""What the paper venue makes of bars, and how its account counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest

from storage.journal import FileJournal
from tests.trading.venues.paper_world import (
    BTC,
    ETH,
    FREE,
    QUIET,
    REDUCING,
    Bar,
    PaperWorld,
    at_limit,
    at_stop,
    buy,
    later,
    sell,
)
from trading.errors import Halted, VenueRejected, VenueUncertain
from trading.types import OrderStatus, Preview, Side, Symbol

D = Decimal


class OpenWorld(Protocol):
    """Opens a market that will print these bars, the first of them just closed."""

    def __call__(self, *bars: Bar, **settings: Any) -> PaperWorld: ...


def _on_a_file(folder: Path) -> OpenWorld:
    return lambda *bars, **settings: PaperWorld(
        *bars, journal=lambda: FileJournal(folder / "paper.journal"), **settings
    )


def _dying_between_steps(folder: Path) -> OpenWorld:
    return lambda *bars, **settings: PaperWorld(
        *bars, journal=lambda: FileJournal(folder / "paper.journal"), reopens=True, **settings
    )


WORLDS: dict[str, Callable[[Path], OpenWorld]] = {
    "paper": _on_a_file,
    "paper, reopened": _dying_between_steps,
}


@pytest.fixture(params=WORLDS)
async def open_world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenWorld]:
    opened: list[PaperWorld] = []
    make = WORLDS[request.param](tmp_path)

    def keep(*bars: Bar, **settings: Any) -> PaperWorld:
        opened.append(make(*bars, **settings))
        return opened[-1]

    yield keep
    for world in opened:
        await world.close()


# -- market orders ----------------------------------------------------------------------------


async def test_a_market_order_fills_at_once_at_the_quote_moved_against_us(
    open_world: OpenWorld,
) -> None:
    world = open_world(QUIET)
    bought = await world.place(buy("1"))
    assert bought.status is OrderStatus.FILLED
    assert bought.average_price == D("100.05")
    assert await world.positions() == {BTC: D(1)}


async def test_slippage_is_rounded_to_the_tick_against_us(open_world: OpenWorld) -> None:
    world = open_world((10.01, 10.01, 10.01, 10.01, 1000))
    assert (await world.place(buy("1"))).average_price == D("10.02")
    assert (await world.place(sell("1"))).average_price == D("10.00")


async def test_each_fill_carries_its_id_trader_fee_and_market_time(open_world: OpenWorld) -> None:
    world = open_world(QUIET, slippage=D(0))
    order = buy("2")
    (fill,) = (await world.place(order)).fills
    assert (fill.order_id, fill.trader, fill.symbol) == (order.id, "majors", BTC)
    assert (fill.quantity, fill.price, fill.fee) == (D(2), D(100), D("0.2"))
    assert fill.at == later(0)


async def test_commission_may_be_per_unit(open_world: OpenWorld) -> None:
    world = open_world(QUIET, slippage=D(0), commission=D(0), commission_per_unit=D("0.005"))
    (fill,) = (await world.place(buy("2"))).fills
    assert fill.fee == D("0.010")


async def test_a_large_order_takes_a_share_of_each_bar_until_it_is_filled(
    open_world: OpenWorld,
) -> None:
    thin: Bar = (100, 100, 100, 100, 10)
    world = open_world(thin, thin, thin, **FREE)
    order = buy("2.5")
    first = await world.place(order)
    assert (first.status, first.filled) == (OrderStatus.OPEN, D(1))
    (second,) = await world.next_bar()
    assert (second.status, second.filled) == (OrderStatus.OPEN, D(2))
    (third,) = await world.next_bar()
    assert (third.status, third.filled) == (OrderStatus.FILLED, D("2.5"))
    assert len({fill.id for fill in third.fills}) == 3
    assert third.fills[:2] == second.fills


async def test_orders_share_the_volume_of_a_bar(open_world: OpenWorld) -> None:
    world = open_world((100, 100, 100, 100, 10), **FREE)
    assert (await world.place(buy("0.8"))).filled == D("0.8")
    assert (await world.place(buy("0.8"))).filled == D("0.2")


async def test_the_rest_of_a_market_order_fills_at_the_close_of_the_next_bar(
    open_world: OpenWorld,
) -> None:
    world = open_world((100, 100, 100, 100, 10), (104, 109, 103, 108, 50), slippage=D("0.001"))
    await world.place(buy("2"))
    (report,) = await world.next_bar()
    assert [fill.price for fill in report.fills] == [D("100.10"), D("108.11")]
    assert report.average_price == D("104.105")
    assert report.fills[1].at == later(1)


async def test_a_preview_tells_what_the_order_then_meets_and_changes_nothing(
    open_world: OpenWorld,
) -> None:
    world = open_world(QUIET)
    preview = await (await world.venue()).preview(BTC, Side.BUY, D(2))
    assert await world.positions() == {}
    bought = await world.place(buy("2"))
    assert preview.price == bought.average_price == D("100.05")
    assert preview.fee == bought.fills[0].fee
    assert (preview.margin, preview.free) == (D("200.10"), D(10_000))
    after = await (await world.venue()).preview(BTC, Side.SELL, D(2))
    assert after.price == D("99.95")
    assert after.free == await world.wallet() - D("0.10") - D(200), "less what the position binds"


async def test_without_a_price_a_preview_is_unknown(open_world: OpenWorld) -> None:
    world = open_world(None, QUIET)
    assert await (await world.venue()).preview(BTC, Side.BUY, D(1)) == Preview()


# -- limit orders -----------------------------------------------------------------------------


async def test_a_limit_rests_until_a_bar_touches_it(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (99, 100, 98.01, 99, 1000), (99, 100, 98, 99, 1000))
    order = buy("1", **at_limit("98"))
    assert (await world.place(order)).status is OrderStatus.OPEN
    assert await world.next_bar() == []
    (report,) = await world.next_bar()
    assert (report.status, report.average_price) == (OrderStatus.FILLED, D(98))


async def test_a_limit_that_is_gapped_over_gets_the_better_open(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (95, 96, 94, 95, 1000))
    await world.place(buy("1", **at_limit("98")))
    (report,) = await world.next_bar()
    assert report.average_price == D(95)


async def test_a_sell_limit_works_the_other_way(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (101, 103, 101, 102, 1000), (105, 106, 104, 105, 1000))
    await world.place(sell("1", **at_limit("103")))
    await world.place(sell("1", **at_limit("104")))
    assert [r.average_price for r in await world.next_bar()] == [D(103)]
    assert [r.average_price for r in await world.next_bar()] == [D(105)]


async def test_a_marketable_limit_fills_at_once_and_never_beyond_its_price(
    open_world: OpenWorld,
) -> None:
    world = open_world(QUIET)
    assert (await world.place(buy("1", **at_limit("101")))).average_price == D("100.05")
    assert (await world.place(buy("1", **at_limit("100.02")))).average_price == D("100.02")
    assert (await world.place(sell("1", **at_limit("99.99")))).average_price == D("99.99")


async def test_a_bar_from_before_the_order_does_not_fill_it(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (100, 100, 90, 100, 1000), QUIET)
    world.clock.advance(60)
    order = buy("1", **at_limit("95"))
    await world.place(order)
    assert await world.next_bar() == []
    found = await world.find(order)
    assert found is not None
    assert found.status is OrderStatus.OPEN


# -- stop orders ------------------------------------------------------------------------------


async def test_a_stop_triggers_on_touch_and_slips(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (99, 99, 95.01, 99, 1000), (97, 98, 95, 98, 1000))
    await world.place(buy("1"))
    stop = sell("1", **at_stop("95"), **REDUCING)
    assert (await world.place(stop)).status is OrderStatus.OPEN
    assert await world.next_bar() == []
    (report,) = await world.next_bar()
    assert (report.status, report.average_price) == (OrderStatus.FILLED, D("94.95"))
    assert await world.positions() == {}


async def test_a_stop_that_is_gapped_over_fills_at_the_worse_open(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (90, 92, 89, 91, 1000), slippage=D(0))
    await world.place(buy("1"))
    await world.place(sell("1", **at_stop("95"), **REDUCING))
    (report,) = await world.next_bar()
    assert report.average_price == D(90)


async def test_a_buy_stop_works_the_other_way(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (101, 106, 101, 102, 1000), slippage=D(0))
    await world.place(buy("1", **at_stop("105")))
    (report,) = await world.next_bar()
    assert report.average_price == D(105)


async def test_the_rest_of_a_triggered_stop_goes_on_as_a_market_order(
    open_world: OpenWorld,
) -> None:
    bars: list[Bar] = [QUIET, (96, 97, 94, 96, 10), (99, 99, 99, 99, 10)]
    world = open_world(*bars, **FREE)
    await world.place(buy("2"))
    await world.place(sell("2", **at_stop("95"), **REDUCING))
    (first,) = await world.next_bar()
    assert (first.status, first.filled) == (OrderStatus.OPEN, D(1))
    (second,) = await world.next_bar()
    assert [fill.price for fill in second.fills] == [D(95), D(99)]


async def test_a_stop_that_is_crossed_already_is_rejected(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    await world.place(buy("1"))
    with pytest.raises(VenueRejected, match="would trigger immediately: the price is 100"):
        await world.place(sell("1", **at_stop("100"), **REDUCING))
    with pytest.raises(VenueRejected, match="would trigger immediately"):
        await world.place(buy("1", **at_stop("100")))


async def test_in_one_bar_the_stop_comes_before_the_target(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (100, 111, 94, 100, 1000), **FREE)
    target, stop = sell("1", **at_limit("110"), **REDUCING), sell("1", **at_stop("95"), **REDUCING)
    for order in (buy("1"), target, stop):
        await world.place(order)
    reports = {report.order_id: report for report in await world.next_bar()}
    assert reports[stop.id].status is OrderStatus.FILLED
    assert reports[target.id].status is OrderStatus.CANCELLED
    assert "no position left" in reports[target.id].note
    assert await world.wallet() == D(9_995)


# -- positions and money ----------------------------------------------------------------------


async def test_the_wallet_is_capital_and_realised_profit_less_fees(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (110, 110, 110, 110, 1000), slippage=D(0))
    await world.place(buy("1"))
    assert await world.wallet() == D("9999.9")
    await world.next_bar()
    await world.place(sell("0.4"))
    assert await world.wallet() == D("9999.9") + D(4) - D("0.044")
    assert await world.positions() == {BTC: D("0.6")}


async def test_a_position_may_pass_through_zero(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (90, 90, 90, 90, 1000), (80, 80, 80, 80, 1000), **FREE)
    await world.place(buy("1"))
    await world.next_bar()
    await world.place(sell("3"))
    assert await world.positions() == {BTC: D(-2)}
    assert await world.wallet() == D(9_990)
    await world.next_bar()
    await world.place(buy("2"))
    assert await world.positions() == {}
    assert await world.wallet() == D(10_010)


async def test_symbols_do_not_mix(open_world: OpenWorld) -> None:
    world = open_world(QUIET, **FREE)
    await world.place(buy("1"))
    await world.place(sell("5", symbol=ETH))
    assert await world.positions() == {BTC: D(1), ETH: D(-5)}


# -- reduce-only ------------------------------------------------------------------------------


async def test_reduce_only_needs_a_position_to_reduce(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    with pytest.raises(VenueRejected, match="no long position in BTC/USDT"):
        await world.place(sell("1", **REDUCING))
    await world.place(buy("1"))
    with pytest.raises(VenueRejected, match="no short position in BTC/USDT"):
        await world.place(buy("1", **REDUCING))


async def test_reduce_only_never_passes_flat(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    await world.place(buy("1"))
    report = await world.place(sell("3", **REDUCING))
    assert (report.status, report.filled) == (OrderStatus.CANCELLED, D(1))
    assert await world.positions() == {}


async def test_resting_reduce_only_orders_end_with_the_position(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    stop, entry = sell("1", **at_stop("95"), **REDUCING), buy("1", **at_limit("90"))
    for order in (buy("1"), stop, entry):
        await world.place(order)
    await world.place(sell("1", **REDUCING))
    assert [(r.order_id, r.status) for r in world.heard] == [(stop.id, OrderStatus.CANCELLED)]
    assert [r.order_id for r in await world.open_orders()] == [entry.id]


async def test_the_last_crumb_may_be_closed_below_the_least_notional(
    open_world: OpenWorld,
) -> None:
    world = open_world(QUIET)
    await world.place(buy("0.051"))
    await world.place(sell("0.05"))
    report = await world.place(sell("0.001", **REDUCING))
    assert report.status is OrderStatus.FILLED


# -- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (buy("0.049"), "4.9 USDT is below the least notional of 5 USDT"),
        (buy("0.0505"), "the quantity 0.0505 is not a multiple of the lot 0.001"),
        (buy("0"), "the quantity 0 is not a multiple"),
        (buy("1", **at_limit("99.005")), "the limit price 99.005 is not a multiple of the tick"),
        (sell("1", **at_stop("95.001")), "the stop price 95.001 is not a multiple of the tick"),
        (buy("1", **{**at_limit("1"), "price": None}), "a limit order needs a price"),
        (buy("1", symbol=Symbol("SOL", "USDT")), "SOL/USDT is not traded on paper"),
        (buy("0.05", **at_limit("99")), "4.95 USDT is below"),
    ],
)
async def test_what_a_venue_refuses_it_refuses_in_plain_words(
    open_world: OpenWorld, order: Any, reason: str
) -> None:
    world = open_world(QUIET)
    with pytest.raises(VenueRejected, match=reason):
        await world.place(order)
    assert await world.find(order) is None
    assert await world.open_orders() == []


async def test_without_a_price_nothing_is_accepted(open_world: OpenWorld) -> None:
    world = open_world(QUIET, eth=[None])
    with pytest.raises(VenueRejected, match="there is no price for ETH/USDT yet"):
        await world.place(buy("1", symbol=ETH))


async def test_the_same_order_id_is_never_accepted_twice(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    resting, filled = buy("1", **at_limit("90")), buy("1")
    for order in (resting, filled):
        await world.place(order)
        with pytest.raises(VenueUncertain, match="was sent already"):
            await world.place(order)
    assert await world.positions() == {BTC: D(1)}


async def test_a_permit_that_is_withdrawn_keeps_the_order_here(open_world: OpenWorld) -> None:
    def halted() -> None:
        raise Halted

    world = open_world(QUIET)
    order = buy("1")
    with pytest.raises(Halted):
        await (await world.venue()).place(order, halted)
    assert await world.find(order) is None
    assert await world.positions() == {}


# -- asking -----------------------------------------------------------------------------------


async def test_find_tells_every_fill_of_an_order_that_has_ended(open_world: OpenWorld) -> None:
    world = open_world(QUIET)
    order = buy("1")
    told = await world.place(order)
    assert await world.find(order) == told


async def test_find_does_not_know_what_was_never_sent(open_world: OpenWorld) -> None:
    assert await open_world(QUIET).find(buy("1")) is None


async def test_open_orders_show_the_order_as_the_venue_holds_it(open_world: OpenWorld) -> None:
    world = open_world((100, 100, 100, 100, 10), **FREE)
    order = buy("3")
    placed = await world.place(order)
    (report,) = await world.open_orders()
    assert report.order is not None
    assert report.order.status is OrderStatus.OPEN
    assert (report.order.quantity, report.order.filled) == (D(3), D(1))
    assert report.order.venue_id == placed.venue_id != ""


async def test_a_cancelled_order_never_fills(open_world: OpenWorld) -> None:
    world = open_world(QUIET, (90, 90, 90, 90, 1000))
    order = buy("1", **at_limit("95"))
    await world.place(order)
    assert (await world.cancel(order)).status is OrderStatus.CANCELLED
    assert await world.next_bar() == []
    assert await world.open_orders() == []


async def test_a_cancel_that_comes_too_late_tells_how_the_order_ended(
    open_world: OpenWorld,
) -> None:
    world = open_world(QUIET)
    order = buy("1")
    placed = await world.place(order)
    assert await world.cancel(order) == placed


async def test_an_order_that_is_not_known_cannot_be_cancelled(open_world: OpenWorld) -> None:
    with pytest.raises(VenueRejected, match="does not know"):
        await open_world(QUIET).cancel(buy("1"))


async def test_ours_are_listed_with_their_fills_ended_ones_too(open_world: OpenWorld) -> None:
    world = open_world(QUIET, QUIET)
    bought, gone, rests = buy("1"), buy("1", **at_limit("90")), buy("1", **at_limit("80"))
    for order in (bought, gone, rests):
        await world.place(order)
    await world.cancel(gone)
    await world.place(buy("1", symbol=ETH))
    venue, since = await world.venue(), bought.created_at

    told = await venue.ours_since(BTC, since)

    assert [(r.order_id, r.status, len(r.fills)) for r in told] == [
        (bought.id, OrderStatus.FILLED, 1),
        (gone.id, OrderStatus.CANCELLED, 0),
        (rests.id, OrderStatus.OPEN, 0),
    ]
    assert [r.order.id for r in told if r.order] == [bought.id, gone.id, rests.id]
    assert await venue.ours_since(BTC, since + timedelta(seconds=1)) == []


async def test_a_bar_is_handled_once(open_world: OpenWorld) -> None:
    thin: Bar = (100, 100, 100, 100, 10)
    world = open_world(thin, thin, **FREE)
    await world.place(buy("5"))
    await world.next_bar()
    await (await world.venue()).catch_up(world.clock.now())
    assert await world.positions() == {BTC: D(2)}


async def test_bars_missed_are_handled_in_order(open_world: OpenWorld) -> None:
    bars: list[Bar] = [QUIET, (100, 100, 94, 100, 1000), (100, 120, 100, 120, 1000)]
    world = open_world(*bars, **FREE)
    stop, target = sell("1", **at_stop("95"), **REDUCING), sell("1", **at_limit("110"), **REDUCING)
    for order in (buy("1"), target, stop):
        await world.place(order)
    reports = await world.next_bar(2)
    assert [(r.order_id, r.status) for r in reports] == [
        (stop.id, OrderStatus.FILLED),
        (target.id, OrderStatus.CANCELLED),
    ]
