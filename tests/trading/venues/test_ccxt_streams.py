"""What an account's stream says: twice, in another order, or never; the end is the same."""

from __future__ import annotations

import asyncio

import pytest

from tests.trading.venues.ccxt_world import BTC, CcxtWorld, D, a_world
from tests.waiting import until
from trading.types import Order, OrderReport, OrderRole, OrderStatus, Side

MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
BOTH = pytest.mark.parametrize("market", ["spot", "swap"])
UPDATE = {"spot": "executionReport", "swap": "ORDER_TRADE_UPDATE", "hedge": "ORDER_TRADE_UPDATE"}


def ended(world: CcxtWorld, order: Order) -> list[OrderReport]:
    return [report for report in world.told_of(order) if report.status is OrderStatus.FILLED]


def is_whole(world: CcxtWorld, order: Order) -> bool:
    """It has ended, and before that every one of its trades was told."""
    before: dict[str, object] = {}
    for report in world.told_of(order):
        before |= {fill.id: fill for fill in report.fills}
        if report.status is OrderStatus.FILLED:
            return len(before) == trades_of(world, order)
    return False


def trades_of(world: CcxtWorld, order: Order) -> int:
    placed = {o.id for o in world.engine.orders.values() if o.client_id == order.id}
    children = {a.order_id for a in getattr(world.engine, "algos", {}).values()
                if a.client_id == order.id}  # fmt: skip
    return sum(trade.order_id in placed | children for trade in world.engine.trades)


async def a_resting(world: CcxtWorld) -> Order:
    order = world.limit()
    await world.place(order)
    return order


@MARKETS
async def test_a_resting_order_that_fills_is_told_with_its_fills_before_its_end(
    market: str,
) -> None:
    async with a_world(market) as world:
        order = await a_resting(world)
        world.engine.trade_through("BTCUSDT", 40_000, quantity="0.004")
        await until(lambda: world.fills_of(order))
        assert not ended(world, order)
        world.engine.trade_through("BTCUSDT", 39_000)
        await until(lambda: is_whole(world, order))
        assert len(world.fills_of(order)) == 2
        assert world.asked("GET", "*/order") == 0


@MARKETS
async def test_a_stop_that_triggers_is_told_with_its_fills(market: str) -> None:
    async with a_world(market) as world:
        await world.place(world.order())
        stop = world.stop()
        await world.place(stop)
        world.engine.trade_through("BTCUSDT", 44_000)
        await until(lambda: is_whole(world, stop))
        await settled(world)
        assert {r.order_id for r in world.heard if r.order is not None} == set()


@MARKETS
@pytest.mark.parametrize("act", ["duplicate", "swap", "drop"])
async def test_what_happens_to_an_event_changes_nothing_in_the_end(market: str, act: str) -> None:
    async with a_world(market) as world:
        order = await a_resting(world)
        await until(lambda: world.told_of(order))
        world.engine.trade_through("BTCUSDT", 40_000, quantity="0.004")
        await until(lambda: world.fills_of(order))
        world.faults.on_event(UPDATE[market], act)
        world.engine.trade_through("BTCUSDT", 40_000, quantity="0.003")
        world.engine.trade_through("BTCUSDT", 39_000)
        await until(lambda: is_whole(world, order))
        assert len(world.fills_of(order)) == 3


@pytest.mark.parametrize("market", ["swap", "hedge"])
@pytest.mark.parametrize("lost", ["ALGO_UPDATE", "ORDER_TRADE_UPDATE"])
async def test_a_child_of_our_stop_is_no_stranger_whatever_was_lost(market: str, lost: str) -> None:
    async with a_world(market) as world:
        await world.place(world.order())
        stop = world.stop()
        await world.place(stop)
        await until(lambda: world.told_of(stop))
        world.faults.on_event(lost, "drop", times=None)
        world.engine.trade_through("BTCUSDT", 44_000)
        await until(lambda: is_whole(world, stop))
        world.faults.clear()
        await settled(world)
        assert [r for r in world.heard if r.order is not None] == []


async def settled(world: CcxtWorld) -> None:
    """Whatever is still to be looked at has been looked at: a stranger's order comes last."""
    world.put_by_hand(world.limit("30000", id="by-hand-last"))
    await until(lambda: any(r.order_id == "by-hand-last" for r in world.heard))
    world.heard[:] = [r for r in world.heard if r.order_id != "by-hand-last"]


@BOTH
async def test_a_strangers_order_is_told_with_what_it_is(market: str) -> None:
    async with a_world(market) as world:
        world.put_by_hand(world.limit("30000", id="somebody-else"))
        await until(lambda: world.heard)
        (report,) = world.heard
        assert report.order is not None
        assert (report.order_id, report.order.price) == ("somebody-else", D(30_000))


@pytest.mark.parametrize(
    ("force", "words"),
    [("liquidate", "a liquidation"), ("deleverage", "an automatic deleveraging")],
)
async def test_forced_closes_are_named_for_what_they_are(force: str, words: str) -> None:
    async with a_world("swap") as world:
        await world.place(world.order())
        arguments = ["0.01"] if force == "deleverage" else []
        getattr(world.engine, force)("BTCUSDT", *arguments)
        await until(lambda: any(r.order is not None for r in world.heard))
        (report,) = [r for r in world.heard if r.order is not None]
        assert report.note == f"it is {words} by the exchange"
        assert report.order is not None
        assert (report.order.symbol, report.order.side) == (BTC, Side.SELL)
        assert report.filled == D("0.01")


@BOTH
async def test_orders_that_end_without_us_are_told(market: str) -> None:
    async with a_world(market) as world:
        order = await a_resting(world)
        world.engine.cancel("BTCUSDT", client_id=order.id)
        await until(lambda: any(r.status is OrderStatus.CANCELLED for r in world.told_of(order)))


async def test_a_stop_that_is_refused_when_it_triggers_has_ended() -> None:
    async with a_world("swap") as world:
        await world.place(world.order())
        stop = world.stop()
        await world.place(stop)
        await world.place(world.order(OrderRole.EXIT))
        world.engine.trade_through("BTCUSDT", 44_000)
        await until(lambda: world.told_of(stop) and world.told_of(stop)[-1].status.is_terminal)
        assert world.fills_of(stop) == {}


@MARKETS
async def test_an_interruption_is_counted_when_it_begins_and_when_it_is_over(market: str) -> None:
    async with a_world(market) as world:
        order = await a_resting(world)
        assert world.venue.interruptions == 0
        world.server.disconnect()
        await until(lambda: world.venue.interruptions == 1)
        world.engine.trade_through("BTCUSDT", 39_000)  # nobody hears of this
        await until(lambda: world.venue.interruptions == 2)
        found = await world.venue.find(order)
        assert found is not None
        assert (found.status, len(found.fills)) == (OrderStatus.FILLED, 1)
        another = await a_resting(world)
        await until(lambda: world.told_of(another))


async def test_a_listen_key_that_has_run_out_is_an_interruption() -> None:
    async with a_world("swap") as world:
        world.server.wire.streams.expire_listen_keys()
        await until(lambda: world.venue.interruptions == 2)
        order = await a_resting(world)
        await until(lambda: world.told_of(order))


async def test_an_outage_of_the_whole_venue_ends_by_itself() -> None:
    async with a_world("swap") as world:
        await world.server.stop_listening()
        await until(lambda: world.venue.interruptions == 1)
        await world.server.start_listening()
        await until(lambda: world.venue.interruptions == 2)
        order = await a_resting(world)
        await until(lambda: world.told_of(order))


@BOTH
async def test_closing_leaves_nothing_behind(market: str) -> None:
    async with a_world(market) as world:
        before = {task.get_name() for task in asyncio.all_tasks()}
        assert {"binance: news", "binance: markets"} <= before
        await world.venue.close()
        after = {task.get_name() for task in asyncio.all_tasks()}
        assert not {"binance: news", "binance: markets"} & after
        await until(lambda: world.server.connections == [])
