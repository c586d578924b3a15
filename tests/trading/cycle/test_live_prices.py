"""Between the bars: guards and what does not rest go by each price; one wrong tick does nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.builders import BTC, NOON, a_quote, after, some_limits
from tests.fakes import LivePrices
from tests.world import World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.events import CycleFailed, HaltEngaged, PositionClosed
from trading.market.spike_filter import SpikeFilter
from trading.model.exit_rules import ExitRules, PartialRule
from trading.types import ExitReason, Quote, Side

D = Decimal


def a_live_desk(**changes: Any) -> tuple[World, LivePrices]:
    clock = ManualClock(NOON)
    prices = LivePrices(clock)
    wishes = [wish(1, target=110.0)]
    return a_world(**{"clock": clock, "feed": prices, "wishes": wishes, **changes}), prices


async def opened(world: World) -> None:
    await world.minutes(1)
    assert BTC in world.trader.ledger.positions


async def ticks(world: World, prices: LivePrices, *values: str) -> None:
    """One price a second."""
    for value in values:
        world.clock.advance(0.5)
        prices.tick(value)
        world.clock.advance(0.5)
        await settled()


def reasons(world: World) -> list[ExitReason]:
    return [e.trade.reason for e in world.said if isinstance(e, PositionClosed)]


async def test_a_target_that_the_desk_keeps_is_taken_between_the_bars() -> None:
    world, prices = a_live_desk()
    async with world.running():
        world.venue.faults.place = ["", "", "refuse"]
        await opened(world)
        await ticks(world, prices, "105", "109.9")
        assert reasons(world) == []
        await ticks(world, prices, "110")
        assert reasons(world) == [ExitReason.TARGET]


async def test_a_target_that_rests_is_left_to_its_venue() -> None:
    """On paper it is sold by the bar that touched it, at its own price."""
    world, prices = a_live_desk()
    async with world.running():
        await opened(world)
        await ticks(world, prices, "112")
        assert reasons(world) == []
        world.clock.advance(59)
        await world.trader.cycle()
        await settled()
        (trade,) = (e.trade for e in world.said if isinstance(e, PositionClosed))
        assert (trade.reason, trade.exit_price) == (ExitReason.TARGET, D(110))


async def test_a_stop_that_the_desk_keeps_is_looked_after_between_the_bars() -> None:
    world, prices = a_live_desk()
    async with world.running():
        world.venue.faults.place = ["", *["refuse"] * 50]
        await opened(world)
        assert not world.trader.protection.rests(BTC)
        world.venue.faults.place = []
        await ticks(world, prices, "94.9")
        assert reasons(world) == [ExitReason.STOP]


EVERYTHING = ExitRules(
    trail_r=D(1),
    partials=(PartialRule(share=D("0.5"), at_r=D("0.5")),),
    break_even=True,
    time_limit=timedelta(seconds=90),
)


async def test_trailing_break_even_partials_and_time_limits_move_on_closed_bars() -> None:
    """The same live and in a backtest, which sees nothing between two closes."""
    world, prices = a_live_desk(exit_rules=EVERYTHING)
    async with world.running():
        await opened(world)
        held, plan = world.trader.ledger.positions[BTC].quantity, world.trader.ledger.plans[BTC]
        await ticks(world, prices, "104", "108", *["104"] * 40, "103")
        assert world.trader.ledger.positions[BTC].quantity == held
        assert world.trader.ledger.plans[BTC] == plan
        await to_the_next_close(world)
        assert world.trader.ledger.positions[BTC].quantity == held / 2
        assert world.trader.ledger.plans[BTC].stop == D(100), "of the entry; trailing is at 98"
        assert world.trader.ledger.plans[BTC].best == D(103), "no higher than any close"
        await ticks(world, prices, *["103"] * 40)
        assert BTC in world.trader.ledger.positions, "its 90 s are over, its bar is not"
        await to_the_next_close(world)
        assert reasons(world) == [ExitReason.TIME]


async def to_the_next_close(world: World) -> None:
    world.clock.advance(60 - world.clock.now().second)
    await world.trader.cycle()
    await settled()


@pytest.mark.parametrize("wrong", ["0", "10000", "1", "NaN"])
async def test_one_wrong_tick_neither_closes_nor_halts(wrong: str) -> None:
    limits = some_limits(max_position=D("0.5"), max_daily_loss=D("0.01"))
    world, prices = a_live_desk(limits=limits)
    async with world.running():
        world.venue.faults.place = ["", *["refuse"] * 50]
        await opened(world)
        await ticks(world, prices, "100", wrong, "100.1", "100.2", wrong, "100")
        assert reasons(world) == []
        assert world.desk.latch.active == ()
        assert world.heard(CycleFailed) == []
        equity = world.view().equity
        assert equity is not None
        assert abs(equity - 10_000) < 20


async def test_a_price_that_stays_is_believed() -> None:
    world, prices = a_live_desk()
    async with world.running():
        await opened(world)
        world.venue.faults.place = ["refuse"] * 50
        await world.trader.exits.move_stop(BTC, D(96), by="ben")
        world.venue.faults.place = []
        await ticks(world, prices, "80")
        assert reasons(world) == []
        await ticks(world, prices, "80.5")
        assert reasons(world) == [ExitReason.STOP]


async def test_a_guard_halts_after_three_prices_and_not_by_looking_thrice_at_one() -> None:
    limits = some_limits(max_position=D("0.5"), max_daily_loss=D("0.0005"))
    world, prices = a_live_desk(limits=limits, wishes=[wish(1, stop=80.0)])
    async with world.running():
        await opened(world)
        await ticks(world, prices, "94")
        for _ in range(10):
            world.clock.advance(1)
            await settled()
        assert world.heard(HaltEngaged) == []
        await ticks(world, prices, "94", "93.9")
        (halt,) = (e.halt for e in world.said if isinstance(e, HaltEngaged))
        assert halt.guard == "day"


async def test_a_replay_is_not_looked_at_between_its_bars() -> None:
    async with a_world(wishes=[wish(2)]).running() as world:
        await world.minutes(2)
        before = list(world.said)
        for _ in range(5):
            world.clock.advance(1)
            await settled()
        assert world.said == before


async def test_feed_and_venue_are_let_go_of() -> None:
    world, prices = a_live_desk()
    async with world.running():
        await world.trader.close()
    assert prices.closed


def a_tick(price: str, seconds: float) -> Quote:
    return a_quote(price=D(price), at=after(seconds=seconds))


def test_a_jump_is_believed_once_a_later_price_bears_it_out() -> None:
    spike_filter = SpikeFilter()
    first, jump = a_tick("100", 0), a_tick("150", 1)
    assert spike_filter.of(first) is first
    assert spike_filter.of(jump) is first
    assert spike_filter.of(jump) is first, "the same price again bears nothing out"
    assert spike_filter.of(a_tick("151", 1.5)) is first, "nor does one of the same moment"
    later = a_tick("149", 2.1)
    assert spike_filter.of(later) is later
    assert spike_filter.of(a_tick("100", 3)) is later, "now the way back is the jump"


def test_two_different_jumps_bear_each_other_not_out() -> None:
    spike_filter = SpikeFilter()
    first = spike_filter.of(a_tick("100", 0))
    assert spike_filter.of(a_tick("1", 1)) is first
    assert spike_filter.of(a_tick("10000", 3)) is first
    assert spike_filter.of(a_tick("1", 5)) is first


def test_what_is_no_price_is_not_believed() -> None:
    spike_filter = SpikeFilter()
    assert spike_filter.of(a_tick("0", 0)) is None
    assert spike_filter.of(a_tick("NaN", 1)) is None
    known = a_tick("100", 2)
    assert spike_filter.of(known) is known
    assert spike_filter.of(a_tick("0", 3)) is known


async def late_minutes(world: World, count: int) -> None:
    """So many bars, each of them handled two seconds after its close."""
    for _ in range(count):
        world.clock.advance(60 - 2 * (world.clock.now().second != 0))
        world.clock.advance(2)
        await world.trader.cycle()
        await settled()


@pytest.mark.parametrize(
    "limits",
    [
        {"symbol_rest": timedelta(minutes=1)},
        {"symbol_rest": timedelta(0), "loss_streak": 1, "loss_streak_rest": timedelta(minutes=1)},
        {"symbol_rest": timedelta(0), "entry_spacing": timedelta(minutes=3)},
    ],
)
async def test_a_rest_of_whole_bars_ends_with_a_bar_however_late_it_was_filled(
    limits: dict[str, Any],
) -> None:
    """As in a backtest, where a bar's cycle takes no time."""
    wishes = [wish(1), wish(3, side=Side.SELL, stop=105.0), wish(4)]
    world, _ = a_live_desk(
        wishes=wishes, limits=some_limits(max_position=D("0.5"), **limits), commission="0.001"
    )
    async with world.running():
        await late_minutes(world, 4)
        (trade,) = (e.trade for e in world.said if isinstance(e, PositionClosed))
        assert (trade.closed_at, trade.rest_from) == (after(minutes=3, seconds=2), after(minutes=3))
        assert trade.paced_from == after(minutes=1)
        assert BTC in world.trader.ledger.positions
        assert world.trader.ledger.positions[BTC].paced_from == after(minutes=4)


async def test_what_a_person_closes_between_two_bars_rests_from_the_next_close() -> None:
    world, _ = a_live_desk(limits=some_limits(symbol_rest=timedelta(minutes=1)))
    async with world.running():
        await late_minutes(world, 1)
        await world.manual.close(BTC, share=D(1), by="ben")
        (trade,) = (e.trade for e in world.said if isinstance(e, PositionClosed))
        assert (trade.closed_at, trade.rest_from) == (after(seconds=62), after(minutes=2))
