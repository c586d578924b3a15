"""What the desks before this one got wrong, one test for each: `docs/strategies.md` names them.

Those that have a test elsewhere are named there, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.builders import BTC, ETH
from tests.trading.execution.test_reconcile import Files
from tests.world import World, a_world, settled, wish
from trading.events import CycleFailed, PositionClosed, PositionReduced
from trading.model.exit_rules import ExitRules, PartialRule
from trading.risk.limits import Limits
from trading.types import ExitReason, OrderRole, OrderStatus, Side, Trade

D = Decimal
BY = "ben, Telegram"


def closed(world: World) -> list[Trade]:
    return [e.trade for e in world.said if isinstance(e, PositionClosed)]


# -- stops stood after early returns of the cycle, so they never fired -----------------------

Early = Callable[[World], Awaitable[object]]


async def nothing_is_proposed(world: World) -> None:
    """The strategy wishes nothing any more."""


async def the_strategy_breaks(world: World) -> None:
    """At every bar from now on: the market has no such symbol."""
    world.strategy.wishes.append(wish(3, symbol=ETH))


async def everything_is_stopped(world: World) -> None:
    await world.desk.stop("all", by=BY, why="")


async def the_trader_is_paused(world: World) -> None:
    await world.desk.pause("majors", by=BY, why="")


async def entries_are_blocked(world: World) -> None:
    world.trader.broken = "its loops broke"


async def every_entry_is_refused(world: World) -> None:
    limits = replace(world.trader.settings.limits, max_positions=1)
    world.trader.use(replace(world.trader.settings, limits=limits))
    world.strategy.wishes += [wish(n, stop=50.0) for n in range(3, 9)]


EARLY: Sequence[Early] = (
    nothing_is_proposed, the_strategy_breaks, everything_is_stopped, the_trader_is_paused,
    entries_are_blocked, every_entry_is_refused,
)  # fmt: skip


@pytest.mark.parametrize("early", EARLY, ids=lambda early: early.__name__)
@pytest.mark.parametrize(
    ("closes", "target", "exits", "reason"),
    [
        ((100, 94, 94), None, ExitRules(), ExitReason.STOP),
        ((100, 111, 111), 110.0, ExitRules(), ExitReason.TARGET),
        ((100, 100, 100), None, ExitRules(time_limit=timedelta(minutes=2)), ExitReason.TIME),
        ((108, 101, 101), None, ExitRules(trail_r=D(1)), ExitReason.TRAIL),
    ],
    ids=["stop", "target", "time limit", "trailing"],
)
async def test_exits_fire_in_cycles_that_decide_nothing(
    early: Early,
    closes: Sequence[float],
    target: float | None,
    exits: ExitRules,
    reason: ExitReason,
) -> None:
    """Kept by the desk alone: the venue takes no stop."""
    entry = wish(2) if target is None else wish(2, target=target)
    world = a_world(100, 100, 100, *closes, wishes=[entry], exit_rules=exits)
    async with world.running():
        world.venue.faults.place = ["", *["refuse"] * 50]
        await world.minutes(2)
        assert not world.trader.protection.rests(BTC)
        world.venue.faults.place = []
        await early(world)
        await world.minutes(3)

        assert [trade.reason for trade in closed(world)] == [reason]
        assert not await world.venue.positions()


@pytest.mark.parametrize("early", EARLY, ids=lambda early: early.__name__)
async def test_partial_exits_go_on_in_cycles_that_decide_nothing(early: Early) -> None:
    rules = ExitRules(partials=(PartialRule(share=D("0.5"), at_r=D(1)),))
    world = a_world(100, 100, 100, 106, 106, wishes=[wish(2)], exit_rules=rules)
    async with world.running():
        await world.minutes(2)
        await early(world)
        await world.minutes(1)

        assert len(world.heard(PositionReduced)) == 1
        assert world.trader.ledger.positions[BTC].quantity == D(3)


async def test_a_strategy_that_breaks_holds_no_later_bar_up() -> None:
    """Several bars have closed at once: each has its exits, and the failure is told once."""
    closes = (100, 100, 100, 100, 111, 100, 100)
    async with a_world(*closes, wishes=[wish(2, target=110.0)]).running() as world:
        await world.minutes(2)
        await the_strategy_breaks(world)
        world.clock.advance(4 * 60)
        found = await world.trader.scan()
        await settled()

        assert [trade.reason for trade in closed(world)] == [ExitReason.TARGET]
        assert found.problem.startswith("an error of ours, reference ")
        assert len(world.heard(CycleFailed)) == 1
        assert world.trader.cycles.cursor == world.feed.now()


# -- a retry across a minute boundary made a second order ------------------------------------


@pytest.mark.parametrize("fault", ["lost", "drop"])
async def test_an_entry_without_an_answer_is_not_sent_again_in_the_next_minutes(fault: str) -> None:
    """Whether it never arrived or was accepted: one wish is one order, with one id."""
    async with a_world(wishes=[wish(2)]).running() as world:
        world.venue.faults.place = [fault]
        await world.minutes(8)

        (entry,) = (order for order in world.venue.placed if order.role is OrderRole.ENTRY)
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.order_id == entry.id
        assert world.trader.ledger.unknown() == []
        assert (BTC in world.trader.ledger.positions) is (fault == "drop")


# -- wins were booked as losses --------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "last", "profit"),
    [
        (Side.BUY, 104.0, D(24)),
        (Side.BUY, 96.0, D(-24)),
        (Side.SELL, 96.0, D(24)),
        (Side.SELL, 104.0, D(-24)),
    ],
    ids=["long won", "long lost", "short won", "short lost"],
)
async def test_a_win_is_booked_as_a_win_on_either_side(
    side: Side, last: float, profit: Decimal
) -> None:
    stop = 95.0 if side is Side.BUY else 105.0
    out = wish(3, side=side.opposite, stop=200.0 if side is Side.BUY else 1.0)
    limits = Limits(symbol_rest=timedelta(hours=1))
    world = a_world(100, 100, 100, last, wishes=[wish(2, side=side, stop=stop), out], limits=limits)
    async with world.running():
        await world.minutes(3)

        (trade,) = closed(world)
        assert trade.profit == profit
        assert (
            world.trader.ledger.account.wallet == D(10_000) + profit == await world.venue.wallet()
        )
        assert world.view().losses_in_row == (0 if profit > 0 else 1)


# -- a restart adopted positions with new stops on top of the old ----------------------------


async def test_a_restart_keeps_the_plan_and_the_one_stop_and_target_that_rest() -> None:
    """Also with other settings: what is open keeps what it was opened with."""
    files = Files()
    async with files.a_desk(wishes=[wish(2, target=110.0)]).running() as world:
        await world.minutes(3)
        plan = world.trader.ledger.plans[BTC]
        resting = [report.order for report in await world.venue.open_orders()]

    again = files.a_desk(first_id=100)
    rules = ExitRules(trail_r=D(1), time_limit=timedelta(minutes=1))
    again.trader.use(replace(again.trader.settings, exit_rules=rules))
    async with again.running():
        await again.minutes(2)
        assert again.trader.ledger.plans[BTC] == plan
        assert [report.order for report in await again.venue.open_orders()] == resting
        assert len(resting) == 2, "its stop, and its target"
        assert again.venue.placed == []


# -- close results were ignored --------------------------------------------------------------


async def test_a_close_that_was_refused_leaves_the_position_where_it_is() -> None:
    """In the books as at the venue, with its stop; and the next cycle wishes it away again."""
    wishes = [wish(2), *(wish(n, side=Side.SELL, stop=200.0) for n in (3, 4))]
    async with a_world(wishes=wishes).running() as world:
        await world.minutes(2)
        world.venue.faults.place = ["refuse"]
        await world.minutes(1)
        assert closed(world) == []
        assert world.trader.ledger.positions[BTC].quantity == D(6)
        assert (await world.venue.positions())[BTC].long == D(6)
        assert world.trader.protection.rests(BTC)

        await world.minutes(1)
        assert [trade.reason for trade in closed(world)] == [ExitReason.SIGNAL]


# -- the kill switch cancelled nothing -------------------------------------------------------


async def test_the_stop_cancels_what_rests() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        order = await world.rest_an_entry()
        await world.desk.stop("all", by=BY, why="")
        await settled()

        assert world.trader.ledger.orders[order.id].status is OrderStatus.CANCELLED
        (rests,) = await world.venue.open_orders()
        assert rests.order is not None
        assert rests.order.role is OrderRole.PROTECT
