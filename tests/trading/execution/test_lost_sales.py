"""A sale without an answer: bare at once told, joined by no stop, and sent again or given up."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.builders import BTC
from tests.trading.held import MINUTE, STOP, Told, holding
from tests.world import settled
from trading.events import ExitDropped, ExitSentAgain, Protected, Unprotected
from trading.model.exit_rules import ExitRules, PartialRule
from trading.types import ONE, ZERO, Order, OrderRole, OrderStatus

D = Decimal
BY = "ben, Telegram"
HALF = D("0.5")
MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])


def stops(told: Told) -> list[tuple[Decimal, Decimal]]:
    return [(price, quantity) for kind, price, quantity in told.resting if kind == STOP]


def exits(told: Told) -> list[Order]:
    orders = told.living.trader.ledger.orders.values()
    return [order for order in orders if order.role is OrderRole.EXIT]


async def close(told: Told, share: Decimal, fault: str) -> None:
    told.outside.exchange.faults.place = [fault]
    closing = asyncio.create_task(told.living.manual.close(BTC, share=share, by=BY))
    await settled()
    await closing


@pytest.mark.parametrize("fault", ["lost", "late", "hidden", "drop"])
async def test_bare_is_told_at_once_and_no_stop_joins_a_sale_in_doubt(fault: str) -> None:
    async with holding("spot") as told:
        told.outside.exchange.faults.tell = ["dropped"] * 20
        await close(told, HALF, fault)

        (bare,) = told.living.heard(Unprotected)
        assert isinstance(bare, Unprotected)
        assert bare.since == told.outside.clock.now()
        (held,) = told.living.view().holdings
        assert held.cover.bare_since == bare.since
        assert not held.stop_on_venue
        assert bare.quantity - bare.covered == D("14.985"), "the other half has its stop"
        await told.living.trader.protection.converge(BTC)
        assert stops(told) == [(D(95), D("14.985"))]

        for _ in range(4):
            await told.upkeep(6)
        assert told.size == stops(told)[0][1] == D("14.985")
        assert isinstance(told.living.said[-1], Protected | ExitSentAgain)


@MARKETS
@pytest.mark.parametrize("share", [HALF, ONE], ids=["half", "all"])
async def test_a_close_that_the_venue_never_had_is_sent_again(market: str, share: Decimal) -> None:
    """With an id of its own; the first one is known never to arrive."""
    async with holding(market) as told:
        size = told.size
        await close(told, share, "lost")
        assert told.size == size

        for _ in range(3):
            await told.upkeep(6)

        first, second = exits(told)
        assert (first.status, second.status) == (OrderStatus.ABSENT, OrderStatus.FILLED)
        assert first.id != second.id
        assert (first.quantity, first.by) == (second.quantity, second.by)
        assert len(told.living.heard(ExitSentAgain)) == 1
        assert sum((quantity for _, quantity in stops(told)), ZERO) == told.size
        assert told.size < size


@MARKETS
async def test_a_close_older_than_a_minute_puts_the_stop_back_and_says_so(market: str) -> None:
    async with holding(market) as told:
        size = told.size
        await close(told, ONE, "lost")
        told.outside.exchange.go_down(65)

        for _ in range(14):
            await told.upkeep(6)

        (dropped,) = told.living.heard(ExitDropped)
        assert isinstance(dropped, ExitDropped)
        assert dropped.stop == D(95)
        assert (told.size, stops(told)) == (size, [(D(95), size)])
        assert [order.status for order in exits(told)] == [OrderStatus.ABSENT]


PLANS = [
    ExitRules(time_limit=MINUTE),
    ExitRules(partials=(PartialRule(share=HALF, at_r=D("0.4")),)),
]


@MARKETS
@pytest.mark.parametrize("plan", PLANS, ids=["time", "partial"])
async def test_what_a_plan_wanted_sold_is_sent_again(market: str, plan: ExitRules) -> None:
    """Also when its price is not there any more: that it was due is decided."""
    async with holding(market, exits=plan) as told:
        size = told.size
        told.outside.exchange.faults.place = ["lost"]
        await told.minute(102.5)
        assert [order.status for order in exits(told)] == [OrderStatus.UNKNOWN]
        told.outside.ticker.next_bar({BTC: 100.0})

        for _ in range(3):
            await told.upkeep(6)

        assert exits(told)[-1].status is OrderStatus.FILLED
        assert told.size in {ZERO, size - exits(told)[-1].quantity}
        assert sum((quantity for _, quantity in stops(told)), ZERO) == told.size


@MARKETS
async def test_a_flatten_whose_sale_was_lost_ends_flat(market: str) -> None:
    async with holding(market) as told:
        told.outside.exchange.faults.place = ["lost"]
        await told.living.desk.flatten("all", by=BY, why="")
        assert told.size > ZERO

        for _ in range(6):
            await told.upkeep(6)

        assert (told.size, told.resting) == (ZERO, [])
        assert len({order.id for order in exits(told)}) == len(exits(told))


@MARKETS
async def test_after_a_restart_a_close_is_not_sent_again_and_the_stop_rests(market: str) -> None:
    """Nobody waits for its answer any more."""
    async with holding(market) as told:
        size = told.size
        await close(told, ONE, "lost")
        await told.die()
        for _ in range(20):
            told.outside.second()

        await told.live_again()
        await told.upkeep()
        await told.upkeep()

        assert (told.size, stops(told)) == (size, [(D(95), size)])
