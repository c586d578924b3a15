"""Whatever await of an order's way the process dies at, the next desk gets its books right.

A crash takes memory and leaves what is durable: history, the notes, the latch, and the exchange.
A story is told once to see after which rounds of the loop any of that has changed; all rounds in
between leave the same behind.  For each of them the story is told anew on a world of its own, up
to that round, and its loop is never run again: nothing of the dead one tidies up.  The next desk
starts in a loop of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from storage.memory import MemoryJournal
from tests.builders import BTC
from tests.fakes import Wish
from tests.loops import SkippingLoop
from tests.properties import quiet
from tests.properties.engine_venue import TAG, Exchange, role_of
from tests.properties.engine_world import (
    TRADER,
    Keeping,
    Living,
    Outside,
    SlowStore,
    a_life,
    an_outside,
)
from tests.world import settled
from trading.errors import NotDone, Refused, VenueError
from trading.model.exit_rules import ExitRules, PartialRule
from trading.model.halt import EVERYONE
from trading.risk.limits import EntryStyle, Limits
from trading.types import ONE, OrderRole, Side

pytestmark = pytest.mark.slow

BY = "ben, Telegram"
LIMITS = Limits(max_position=Decimal("0.3"), symbol_rest=timedelta(0), loss_streak=100)
EXITS = ExitRules(
    trail_r=ONE, partials=(PartialRule(share=Decimal("0.5"), at_r=ONE),), break_even=True
)


class CountedJournal(MemoryJournal):
    notes = 0

    async def append(self, *records: Mapping[str, object]) -> None:
        await asyncio.sleep(0)
        await super().append(*records)
        self.notes += 1
        await asyncio.sleep(0)


@dataclass
class World:
    """What no crash takes, and the desk that lives on it now."""

    outside: Outside
    keeping: Keeping
    journal: CountedJournal
    story: Story
    lives: int = 0
    said_there: int = 0
    loops: list[SkippingLoop] = field(default_factory=list)

    @property
    def exchange(self) -> Exchange:
        return self.outside.exchange

    def begin_a_life(self) -> tuple[SkippingLoop, Living]:
        """The one before is dead: it hears nothing any more, and its loop stands still."""
        self.exchange.subscriber = _nobody
        self.lives += 1
        self.loops.append(SkippingLoop())
        living = a_life(
            self.outside,
            self.keeping,
            number=self.lives,
            limits=LIMITS,
            exits=EXITS,
            style=self.story.style,
            wishes=self.story.wishes,
        )
        return self.loops[-1], living

    def durable(self) -> tuple[object, ...]:
        """Changes whenever something changes that a crash leaves behind."""
        store = self.keeping.store
        assert isinstance(store, SlowStore)
        return (store.commits, self.journal.notes, self.keeping.latch_file.halts, self.said_there)

    def bury(self) -> None:
        """End what the dead have left in memory; only once nothing is looked at any more."""
        for loop in self.loops:
            loop.run_until_complete(_end_all())
            loop.close()


@dataclass(frozen=True)
class Story:
    tell: Callable[[Living], Awaitable[None]]
    wishes: tuple[Wish, ...] = ()
    style: EntryStyle = EntryStyle.MARKET
    entries: int = 1
    """As many orders as may open something, at most."""
    place: tuple[str, ...] = ()
    tell_faults: tuple[str, ...] = ()
    least: int = 10
    """So many different crash points at least, or the test checks less than it says."""


def a_world(market: str, story: Story) -> World:
    outside = an_outside(market)
    journal = CountedJournal()
    world = World(outside, Keeping(SlowStore(clock=outside.clock), journal), journal, story)

    def count(told: object) -> None:
        world.said_there += 1

    outside.exchange.engine.listen(count)
    return world


# -- stories -----------------------------------------------------------------------------------


async def minute(living: Living, percent: float = 0.0) -> None:
    """A bar closes so much higher or lower, and its cycle runs."""
    outside = living.outside
    ticker = outside.ticker
    price = round(ticker.last(BTC) * (1 + percent / 100), 2)
    outside.clock.advance(59)
    outside.second()
    outside.set_price(BTC, price)
    ticker.next_bar({BTC: price})
    await living.trader.cycle()
    await settled()


async def seconds(living: Living, count: int) -> None:
    for _ in range(count):
        living.outside.second()
        await asyncio.sleep(1)


async def enter(living: Living) -> None:
    await minute(living)


async def enter_and_resolve(living: Living) -> None:
    """The answer is lost: found by asking, then protected."""
    await minute(living)
    await living.trader.upkeep()
    await seconds(living, 12)
    await living.trader.upkeep()


async def rest_and_stop(living: Living) -> None:
    orders, latch = living.trader.orders, living.desk.latch
    for price in ("97", "98"):
        order = orders.prepare(
            symbol=BTC,
            side=Side.BUY,
            role=OrderRole.ENTRY,
            quantity=ONE,
            price=Decimal(price),
        )
        await orders.enter(order, latch.permit(TRADER))
    await living.desk.stop(EVERYONE, by=BY, why="")


async def close_by_hand(living: Living) -> None:
    await minute(living)
    await living.manual.close(BTC, share=Decimal("0.5"), by=BY)
    await settled()
    await living.manual.close(BTC, share=ONE, by=BY)


async def flatten(living: Living) -> None:
    await minute(living)
    await living.desk.flatten(EVERYONE, by=BY, why="")
    await settled()


async def stopped_out(living: Living) -> None:
    await minute(living)
    living.outside.set_price(BTC, 94.0)
    await settled()
    await minute(living, -6.0)


async def reach_the_target(living: Living) -> None:
    """The venue closes it, unless the desk has to."""
    await minute(living)
    living.outside.set_price(BTC, 111.0)
    await settled()
    await minute(living, 11.0)


async def move_both(living: Living) -> None:
    await minute(living)
    exits = living.trader.exits
    await exits.move_target(BTC, Decimal(112), by=BY)
    await exits.move_stop(BTC, Decimal(97), by=BY)


async def carry_out_the_plan(living: Living) -> None:
    """A partial exit, break-even, the stop trailing after it."""
    await minute(living)
    await minute(living, 5.5)
    await minute(living, 2.0)


async def compare(living: Living) -> None:
    """A fill that nobody told of, half closed by hand, a stranger's order."""
    await minute(living)
    living.outside.operator.close(BTC, Decimal("0.5"))
    living.outside.operator.rest(BTC, Side.BUY)
    await settled()
    await living.trader.reconcile()
    await settled()


def wish(minutes: int = 1, stop: float = 95.0) -> Wish:
    at = an_outside("swap").clock.now() + timedelta(minutes=minutes)
    return Wish(at=at, stop=stop, target=110.0)


ENTRY = (wish(),)
STORIES = {
    "submit": Story(enter, ENTRY),
    "submit, maker first": Story(enter_and_resolve, ENTRY, style=EntryStyle.MAKER, entries=2),
    "submit, no answer": Story(enter_and_resolve, ENTRY, place=("drop",)),
    "submit, arrives late": Story(enter_and_resolve, ENTRY, place=("late",)),
    "submit, no answer about the stop": Story(enter_and_resolve, ENTRY, place=("", "hidden")),
    "submit, no answer about the target": Story(enter_and_resolve, ENTRY, place=("", "", "hidden")),
    "cancel": Story(rest_and_stop, entries=2),
    "close": Story(close_by_hand, ENTRY),
    "close, no answer": Story(close_by_hand, ENTRY, place=("", "", *("drop",) * 3)),
    "flatten": Story(flatten, ENTRY),
    "stopped out": Story(stopped_out, ENTRY),
    "target": Story(reach_the_target, ENTRY),
    "stop and target moved": Story(move_both, ENTRY),
    "plan": Story(carry_out_the_plan, ENTRY),
    "reconcile": Story(compare, ENTRY, tell_faults=("dropped",) * 4),
}


# -- telling, dying, coming back ---------------------------------------------------------------


async def live(living: Living, story: Story) -> None:
    """Start, and go through the story; what people ask for may be refused."""
    await come_up(living)
    faults = living.outside.exchange.faults
    faults.place, faults.tell = list(story.place), list(story.tell_faults)
    with suppress(Refused, NotDone, VenueError):
        await story.tell(living)


async def come_up(living: Living) -> None:
    await living.load()
    living.tasks.append(asyncio.create_task(living.recorder.run()))
    await living.start()
    living.tasks.append(asyncio.create_task(living.trader.run()))
    await settled()


def die_after(count: int, work: Coroutine[Any, Any, None], loop: SkippingLoop) -> None:
    """Drive *work* and all that it starts for so many rounds of the loop, and never again."""
    left = count

    def hear() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            loop.stop()

    loop.create_task(work)
    loop.each_round(hear)
    loop.run_forever()
    loop.each_round(_nothing)


def crash_points(world: World, work: Coroutine[Any, Any, None], loop: SkippingLoop) -> list[int]:
    """The first rounds after which a crash leaves something else behind."""
    found: list[int] = []
    number, before = 0, world.durable()

    def hear() -> None:
        nonlocal number, before
        now = world.durable()
        if now != before:
            found.append(number)
        number, before = number + 1, now

    loop.each_round(hear)
    loop.run_until_complete(work)
    loop.each_round(_nothing)
    return found


def come_back(world: World) -> None:
    loop, living = world.begin_a_life()
    world.exchange.become_well()
    loop.run_until_complete(_come_back(living))
    loop.run_until_complete(assert_books_are_right(world, living))


async def _come_back(living: Living) -> None:
    await come_up(living)
    await seconds(living, 12)
    for _ in range(2):
        await minute(living)
        await living.trader.reconcile()
        await settled()
    await seconds(living, 6)


async def assert_books_are_right(world: World, living: Living) -> None:
    assert world.outside.witness.broken == []
    assert world.outside.operator.still_resting()
    taken = [i for i in world.outside.witness.taken if i.startswith(TAG)]
    assert sum(role_of(i) is OrderRole.ENTRY for i in taken) <= world.story.entries
    await quiet.assert_all_is_right(living)
    await assert_no_alert_is_lost(world)


async def assert_no_alert_is_lost(world: World) -> None:
    """What was booked was written together with its alert, in whichever life."""
    store = world.keeping.store
    told = Counter(alert.kind for alert in await store.alerts("test:", limit=100_000))
    trades = await store.trades(TRADER, limit=1_000)
    opened = len(trades) + len((await store.books(TRADER)).positions)
    assert told["PositionClosed"] == len(trades)
    assert told["PositionOpened"] >= opened


def lives_of(market: str, story: Story, *, after: int = 0) -> list[int]:
    """Where a crash leaves something new: in the story, or in coming back after its round so."""
    world = a_world(market, story)
    try:
        loop, living = world.begin_a_life()
        if not after:
            return crash_points(world, live(living, story), loop)
        die_after(after, live(living, story), loop)
        loop, living = world.begin_a_life()
        world.exchange.become_well()
        return crash_points(world, _come_back(living), loop)
    finally:
        world.bury()


def crash(market: str, story: Story, *, after: int, again_after: int = 0) -> None:
    world = a_world(market, story)
    try:
        loop, living = world.begin_a_life()
        die_after(after, live(living, story), loop)
        if again_after:
            loop, living = world.begin_a_life()
            world.exchange.become_well()
            die_after(again_after, _come_back(living), loop)
        come_back(world)
    except AssertionError as error:
        error.add_note(f"{market}, killed after round {after}, then {again_after}")
        raise
    finally:
        world.bury()


@pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
@pytest.mark.parametrize("name", STORIES)
def test_after_a_crash_at_any_await_books_equal_the_venue(name: str, market: str) -> None:
    story = STORIES[name]
    points = lives_of(market, story)
    for point in points:
        crash(market, story, after=point)

    print(f"{name}, {market}: {len(points)} crashes")  # noqa: T201  # shown with -s: how much was looked at
    assert len(points) >= story.least


@pytest.mark.parametrize("market", ["spot", "swap"])
@pytest.mark.parametrize("name", ["submit, no answer", "flatten", "reconcile"])
def test_a_crash_while_coming_back_changes_nothing(name: str, market: str) -> None:
    """Die, come back, die at any await of coming back, and come back again."""
    story = STORIES[name]
    firsts = lives_of(market, story)
    crashes = 0
    for first in firsts[:: max(1, len(firsts) // 3)]:
        for second in lives_of(market, story, after=first)[:25]:
            crash(market, story, after=first, again_after=second)
            crashes += 1

    print(f"{name}, {market}: {crashes} second crashes")  # noqa: T201  # as above
    assert crashes >= story.least


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _nobody(told: object) -> None:
    return None


def _nothing() -> None:
    return None
