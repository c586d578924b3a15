"""Our own request budget: who may use how much, who goes first, and bans."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from trading.clocks import ManualClock
from trading.venues.ccxt.breaker import Breaker, Open
from trading.venues.ccxt.weights import URGENCY, Banned, NoRoom, Urgency, WeightBudget


def a_clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def taken(budget: WeightBudget, urgency: Urgency, weight: float = 1.0) -> Urgency:
    token = URGENCY.set(urgency)
    try:
        await budget.take(weight)
    finally:
        URGENCY.reset(token)
    return urgency


async def breathe() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_data_leaves_room_that_an_entry_may_use_and_an_entry_leaves_some_for_exits() -> None:
    budget = WeightBudget(most=100, clock=a_clock())
    await taken(budget, Urgency.DATA, 60)
    data = asyncio.create_task(taken(budget, Urgency.DATA))
    await taken(budget, Urgency.ENTRY, 20)
    with pytest.raises(NoRoom):
        await taken(budget, Urgency.ENTRY)
    await taken(budget, Urgency.REDUCTION, 15)
    await taken(budget, Urgency.EMERGENCY, 5)
    await breathe()
    assert not data.done()
    data.cancel()


async def test_data_waits_until_the_minute_is_over() -> None:
    clock = a_clock()
    budget = WeightBudget(most=100, clock=clock)
    await taken(budget, Urgency.DATA, 60)
    waiting = asyncio.create_task(taken(budget, Urgency.DATA))
    await breathe()
    clock.advance(59)
    await breathe()
    assert not waiting.done()
    clock.advance(1)
    await waiting


async def test_the_more_urgent_goes_first_although_it_came_later() -> None:
    clock = a_clock()
    budget = WeightBudget(most=100, clock=clock, longest_wait=120)
    await taken(budget, Urgency.EMERGENCY, 100)
    order: list[Urgency] = []

    async def take(urgency: Urgency) -> None:
        order.append(await taken(budget, urgency))

    tasks = [asyncio.create_task(take(u)) for u in (Urgency.DATA, Urgency.ENTRY, Urgency.REDUCTION)]
    await breathe()
    for _ in range(620):
        clock.advance(0.1)
        await breathe()
    await asyncio.gather(*tasks)
    assert order == [Urgency.REDUCTION, Urgency.ENTRY, Urgency.DATA]


async def test_our_own_count_never_holds_a_reduction_back_for_good() -> None:
    clock = a_clock()
    budget = WeightBudget(most=100, clock=clock, longest_wait=2.0)
    await taken(budget, Urgency.EMERGENCY, 100)
    exit_ = asyncio.create_task(taken(budget, Urgency.REDUCTION))
    await breathe()
    assert not exit_.done()
    clock.advance(2.1)
    await breathe()
    assert exit_.done()
    await exit_


async def test_what_the_venue_counts_is_counted() -> None:
    budget = WeightBudget(most=100, clock=a_clock())
    budget.told(79)
    await taken(budget, Urgency.ENTRY)
    with pytest.raises(NoRoom):
        await taken(budget, Urgency.ENTRY)
    budget.told(10)
    assert budget.used == pytest.approx(0.80)


@pytest.mark.parametrize("urgency", list(Urgency))
async def test_a_ban_is_obeyed_by_everybody(urgency: Urgency) -> None:
    clock = a_clock()
    budget = WeightBudget(most=100, clock=clock)
    budget.ban(30)
    budget.ban(10)
    end = clock.now() + timedelta(seconds=30)
    assert budget.banned_until == end
    with pytest.raises(Banned, match=f"UNTIL {end:%H:%M:%S} UTC"):
        await taken(budget, urgency)
    clock.advance(31)
    await taken(budget, urgency)


async def test_who_gives_up_waiting_does_not_stand_in_the_way() -> None:
    clock = a_clock()
    budget = WeightBudget(most=100, clock=clock, longest_wait=120)
    await taken(budget, Urgency.EMERGENCY, 100)
    first = asyncio.create_task(taken(budget, Urgency.REDUCTION))
    second = asyncio.create_task(taken(budget, Urgency.ENTRY))
    await breathe()
    first.cancel()
    await breathe()
    clock.advance(61)
    await breathe()
    assert await second is Urgency.ENTRY


def test_a_family_that_fails_five_times_rests_and_is_tried_once() -> None:
    clock = a_clock()
    breaker = Breaker(clock=clock, failures=5, rest=60)
    for _ in range(4):
        breaker.failed("candles")
    breaker.check("candles")
    breaker.failed("candles")
    with pytest.raises(Open, match="candles failed 5 times"):
        breaker.check("candles")
    breaker.check("orders")
    assert breaker.open == ("candles",)
    clock.advance(60)
    breaker.check("candles")
    with pytest.raises(Open):
        breaker.check("candles")
    breaker.succeeded("candles")
    breaker.check("candles")
    assert not breaker.open


def test_a_trial_that_was_withheld_here_is_no_trial() -> None:
    clock = a_clock()
    breaker = Breaker(clock=clock, failures=1, rest=60)
    breaker.failed("candles")
    clock.advance(60)
    breaker.check("candles")
    breaker.unsent("candles")
    breaker.check("candles")
    breaker.failed("candles")
    with pytest.raises(Open):
        breaker.check("candles")


@pytest.mark.parametrize("gone", [0, 1, 25, 59])
def test_what_is_said_of_a_rest_stays_true_while_it_is_shown(gone: int) -> None:
    clock = a_clock()
    breaker = Breaker(clock=clock, failures=2, rest=60)
    breaker.failed("candles")
    breaker.failed("candles")
    clock.advance(gone)
    with pytest.raises(Open, match=r"^candles failed 2 times in a row, tried again every 60 s$"):
        breaker.check("candles")


def test_what_fails_is_told_with_its_reason_until_it_is_answered_again() -> None:
    clock = a_clock()
    breaker = Breaker(clock=clock, failures=3, rest=60)
    breaker.failed("candles", "no answer")
    assert breaker.troubles == {}, "one is lost now and then"
    breaker.failed("candles", "no answer")
    assert breaker.troubles == {"candles": "candles failed 2 times in a row: no answer"}
    breaker.failed("candles", "no answer")
    rests = "candles failed 3 times in a row, tried again in 60 s: no answer"
    assert breaker.troubles == {"candles": rests}
    breaker.succeeded("candles")
    assert breaker.troubles == {}
