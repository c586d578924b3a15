"""What an account did: all its orders and fills, over more than a request brings at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.servers.exchange import Wish
from tests.servers.exchange.figures import DAY
from tests.trading.venues.ccxt_world import BTC, CcxtWorld, a_world
from trading.types import Order, OrderReport, OrderRole, OrderStatus, OrderType, Side

D = Decimal
MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])


def age(world: CcxtWorld, days: float) -> None:
    """All that happened there so far happened so many days earlier."""
    back, engine = int(days * DAY), world.engine
    for kept in (engine.orders, getattr(engine, "algos", {})):
        for key, order in list(kept.items()):
            kept[key] = replace(order, created=order.created - back)
    engine.trades[:] = [replace(trade, time=trade.time - back) for trade in engine.trades]


async def told(world: CcxtWorld, *, days: float) -> dict[str, OrderReport]:
    """By a venue that remembers nothing."""
    since = world.clock.now() - timedelta(days=days)
    reports = await world.another_venue().ours_since(BTC, since)
    assert all(r.order is not None and r.order.id == r.order_id for r in reports)
    assert len({r.order_id for r in reports}) == len(reports)
    return {report.order_id: report for report in reports}


def filled(report: OrderReport) -> Decimal:
    """Less a fee that was taken of the coin."""
    return sum((fill.quantity for fill in report.fills), D(0)).quantize(D("0.0001"))


@MARKETS
async def test_ours_are_listed_with_their_fills_ended_ones_too_over_weeks(market: str) -> None:
    async with a_world(market) as world:
        bought, sold, gone = world.order(), world.order(OrderRole.EXIT), world.limit("40000")
        stop = world.stop("45000", quantity=D("0.005"))
        await world.place(bought)
        age(world, 12)
        await world.place(replace_quantity(sold, "0.005"))
        await world.place(stop)
        age(world, 9)
        world.engine.trade_through("BTCUSDT", 44_000)
        world.engine.quote("BTCUSDT", 50_000)
        await world.place(gone)
        await world.venue.cancel(gone)
        age(world, 0.5)
        rests = world.limit("39000")
        await world.place(rests)
        world.engine.place(
            Wish(
                symbol="BTCUSDT", side="BUY", type="MARKET", quantity=D("0.01"), client_id="mine",
                position_side="LONG" if market == "hedge" else "BOTH",
            )
        )  # fmt: skip

        found = await told(world, days=30)

        assert set(found) == {o.id for o in (bought, sold, stop, gone, rests)}, "not a stranger's"
        assert {i: filled(r) for i, r in found.items() if r.fills} == {
            bought.id: D("0.0100"), sold.id: D("0.0050"), stop.id: D("0.0050")
        }  # fmt: skip
        assert [found[o.id].status for o in (bought, stop, gone, rests)] == [
            OrderStatus.FILLED, OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.OPEN
        ]  # fmt: skip
        assert stop.id not in await told(world, days=3), "it was created before"
        kinds = {i: (r.order.role, r.order.type) for i, r in found.items() if r.order}
        assert kinds[stop.id] == (OrderRole.PROTECT, OrderType.STOP)
        fills = sorted((f for r in found.values() for f in r.fills), key=lambda f: f.place)
        assert [f.order_id for f in fills] == [bought.id, sold.id, stop.id]


def replace_quantity(order: Order, quantity: str) -> Order:
    return replace(order, quantity=D(quantity))


@pytest.mark.parametrize("market", ["spot", "swap"])
async def test_of_more_than_one_page_none_is_passed_over(market: str) -> None:
    """Twelve hundred on one day: each at a moment of its own."""
    async with a_world(market) as world:
        bought = world.order()
        await world.place(bought)
        (made,) = (o for o in world.engine.orders.values() if o.client_id == bought.id)
        others = {}
        for n in range(1, 1_200):
            wish = replace(made.wish, client_id=f"qd-1f3a-e-{n:016x}-")
            others[f"{n}"] = replace(
                made, id=made.id + n, wish=wish, client_id=f"qd-1f3a-e-{n + 99:016x}",
                created=made.created + n, status="CANCELED", filled=D(0), quote_filled=D(0),
            )  # fmt: skip
        world.engine.orders.update({o.id: o for o in others.values()})
        age(world, 0.1)

        found = await told(world, days=1)

        assert len(found) == 1_200
        assert sum(bool(r.fills) for r in found.values()) == 1


async def test_a_sale_that_history_lacks_is_told_by_its_side() -> None:
    async with a_world("hedge") as world:
        short = world.order(side=Side.SELL)
        await world.place(short)
        found = await told(world, days=1)
        told_of = found[short.id].order
        assert told_of is not None
        assert told_of.side is Side.SELL
