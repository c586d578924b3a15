"""Two promises by themselves: nothing enters past a halt, and nothing is spent twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import ADA, BTC, DOGE, ETH, NOON, XRP
from tests.fakes import Wish
from tests.loops import tell
from tests.properties.virtual import Ticker
from tests.world import World, a_world, settled
from trading.clocks import ManualClock
from trading.model.halt import EVERYONE
from trading.risk.limits import Limits
from trading.types import Order, OrderRole, Side, Symbol

D = Decimal
SYMBOLS = (BTC, ETH, XRP, ADA, DOGE)
BY = "ben, Telegram"
VERBS = ("pause", "stop", "flatten")

pytestmark = pytest.mark.slow


def a_busy_world(wishes: list[Wish], limits: Limits, prices: dict[Symbol, float]) -> World:
    clock = ManualClock(NOON)
    ticker = Ticker(clock, prices, start=NOON)
    ticker.next_bar(prices)
    return a_world(feed=ticker, clock=clock, symbols=SYMBOLS, wishes=wishes, limits=limits)


@settings(max_examples=150, derandomize=True)
@given(
    verb=st.sampled_from(VERBS),
    by_hand=st.lists(st.integers(0, 30), min_size=1, max_size=6),
    halted_after=st.integers(0, 60),
    lifted_after=st.one_of(st.none(), st.integers(0, 30)),
    held=st.booleans(),
)
def test_no_entry_leaves_while_halted_or_paused_whatever_the_interleaving(
    verb: str, by_hand: list[int], halted_after: int, lifted_after: int | None, held: bool
) -> None:
    """Entries by signal and by hand at any stage of their way when a halt falls between them."""
    at = NOON + timedelta(minutes=1)
    wishes = [Wish(at=at, symbol=symbol, stop=95.0) for symbol in SYMBOLS]
    world = a_busy_world(wishes, Limits(max_positions=9), dict.fromkeys(SYMBOLS, 100.0))
    latch, spent, past_a_halt = world.desk.latch, set[str](), list[Order]()

    def look(order: Order) -> None:
        if order.role is OrderRole.ENTRY and (latch.covering("majors") or order.id in spent):
            past_a_halt.append(order)

    async def story() -> None:
        async with world.running():
            world.clock.advance(60)
            busy = [asyncio.create_task(world.trader.cycle())]
            for turns in by_hand:
                await settled(turns)
                busy.append(asyncio.create_task(an_entry_by_hand(world)))
            await settled(halted_after)
            halting = asyncio.create_task(getattr(world.desk, verb)(EVERYONE, by=BY, why=""))
            while not latch.active:
                await asyncio.sleep(0)
            # Not even a lifted halt lets these through: their permits are spent.
            left = {order.id for order in world.venue.placed}
            spent.update({o.id for o in world.trader.ledger.alive_of(OrderRole.ENTRY)} - left)
            if lifted_after is not None:
                await settled(lifted_after)
                await world.halter.lift(latch.active[0], by=BY)
            world.venue.gate.set()
            await asyncio.gather(halting, *busy)

    world.venue.watch_leaving = look
    if held:
        world.venue.gate.clear()
    tell(story())

    assert past_a_halt == []


async def an_entry_by_hand(world: World) -> None:
    await world.rest_an_entry("90", "0.2")


@settings(max_examples=150, derandomize=True)
@given(
    stops=st.lists(st.floats(90.0, 99.5), min_size=5, max_size=5),
    prices=st.lists(st.sampled_from([0.5, 3.0, 100.0, 40_000.0]), min_size=5, max_size=5),
    exposure=st.sampled_from(["0.10", "0.35", "0.60"]),
    risk=st.sampled_from(["0.003", "0.02", "0.5"]),
    positions=st.integers(1, 5),
    faults=st.lists(st.sampled_from(["", "refuse", "drop", "unavailable", "lost"]), max_size=5),
)
def test_signals_that_come_together_never_spend_the_same_room(
    stops: list[float],
    prices: list[float],
    exposure: str,
    risk: str,
    positions: int,
    faults: list[str],
) -> None:
    limits = Limits(
        max_positions=positions,
        max_exposure=D(exposure),
        risk_per_trade=D(risk),
        max_position=D("0.5"),
    )
    market = dict(zip(SYMBOLS, prices, strict=True))
    wishes = [
        Wish(at=NOON + timedelta(minutes=1), side=Side.BUY, symbol=s, stop=p * stop / 100)
        for (s, p), stop in zip(market.items(), stops, strict=True)
    ]
    world = a_busy_world(wishes, limits, market)
    world.venue.faults.place = list(faults)
    beyond: list[Decimal] = []

    def look(order: Order) -> None:
        """All that is approved by now is reserved, sent or not."""
        valuer = world.trader.valuer
        equity = valuer.equity()
        assert equity is not None
        if valuer.exposure() > limits.max_exposure * equity:
            beyond.append(valuer.exposure())

    world.venue.watch_leaving = look

    async def story() -> None:
        async with world.running():
            world.clock.advance(60)
            await world.trader.cycle()
            await settled()

    tell(story())

    assert beyond == []
    assert len([o for o in world.venue.placed if o.role is OrderRole.ENTRY]) <= positions
