"""Who goes first where a chat takes only so much, and that nobody ever sends more than it takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.delivery.budget import REDRAW, ChatBudget, Crowded, Folded, Rate
from handlers.reply import Priority
from tests.handlers.story import NOW
from trading.clocks import ManualClock

GROUP, OTHER = -1, -2
TWENTY = Rate(20, 60.0)
PLENTY = Rate(1_000, 1.0)
WEIGHTS = [REDRAW, *Priority]


class Crowd:
    """A budget, and what was sent by it: when, where and with what weight."""

    def __init__(self, *, overall: Rate = PLENTY, place: Rate = TWENTY) -> None:
        self.clock = ManualClock(NOW)
        self.folded: list[int] = []
        self.budget = ChatBudget(
            clock=self.clock,
            overall=overall,
            of_place=lambda _: place,
            on_folded=self.folded.append,
        )
        self.sent: list[tuple[float, int, int, str]] = []
        self.outdated = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def _say(self, place: int, weight: int, who: str, about: object) -> None:
        try:
            await self.budget.turn(place, weight, who=who, about=about)
        except Folded:
            self.outdated += 1
        else:
            self.sent.append((self.clock.monotonic(), place, weight, who))

    async def says(
        self,
        weight: int,
        *,
        times: int = 1,
        place: int = GROUP,
        who: str = "",
        about: object = None,
    ) -> None:
        for _ in range(times):
            self.tasks.append(asyncio.create_task(self._say(place, weight, who, about)))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    async def passes(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.advance(1)
            await self.settle()

    def weights(self, place: int = GROUP) -> list[int]:
        return [weight for _, where, weight, _ in self.sent if where == place]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.budget.close()


async def test_looks_get_no_more_than_half_and_never_what_is_kept_for_a_stop() -> None:
    crowd = Crowd()
    await crowd.says(Priority.LOOK, times=45, who="cleo")
    assert crowd.weights() == [Priority.LOOK] * 10
    await crowd.says(Priority.NEWS, times=45)
    assert len(crowd.weights()) == 16
    await crowd.says(Priority.CRITICAL, times=9)
    assert len(crowd.weights()) == 18
    await crowd.says(Priority.STOP, who="ben")
    await crowd.says(Priority.STOP, who="anna")
    assert crowd.weights()[-2:] == [Priority.STOP] * 2
    await crowd.end()


async def test_what_matters_most_goes_first_whenever_it_was_said() -> None:
    crowd = Crowd()
    await crowd.says(Priority.STOP, times=20)
    for weight in (Priority.LOOK, Priority.NEWS, Priority.QUESTION, Priority.URGENT):
        await crowd.says(weight)
    await crowd.says(Priority.STOP)
    await crowd.says(Priority.CRITICAL)
    await crowd.passes(61)
    assert crowd.weights()[20:] == [
        Priority.STOP, Priority.CRITICAL, Priority.URGENT,
        Priority.QUESTION, Priority.NEWS, Priority.LOOK,
    ]  # fmt: skip
    await crowd.end()


async def test_one_who_stops_again_and_again_leaves_what_is_kept_to_the_others() -> None:
    crowd = Crowd()
    await crowd.says(Priority.STOP, times=60, who="mallory")
    assert len(crowd.sent) <= 18
    await crowd.says(Priority.STOP, who="ben")
    assert crowd.sent[-1][3] == "ben"
    await crowd.end()


async def test_a_look_asked_again_is_answered_once() -> None:
    crowd = Crowd()
    await crowd.says(Priority.LOOK, times=10, who="cleo")
    await crowd.says(Priority.LOOK, times=45, who="cleo", about="/price BTC")
    assert crowd.outdated == 44
    assert (crowd.folded, crowd.budget.dropped(GROUP)) == ([], 0)
    await crowd.end()


async def test_of_too_many_looks_those_of_whoever_asks_most_are_dropped_and_counted() -> None:
    crowd = Crowd()
    await crowd.says(Priority.LOOK, times=10, who="cleo")
    await crowd.says(Priority.LOOK, who="ben")
    await crowd.says(Priority.LOOK, times=45, who="cleo")
    assert crowd.folded == [GROUP]
    assert crowd.budget.dropped(GROUP) == crowd.outdated == 36
    assert crowd.budget.dropped(GROUP) == 0
    await crowd.passes(61)
    assert "ben" in {who for _, _, _, who in crowd.sent}
    await crowd.end()


async def test_what_redraws_itself_gives_way_to_whoever_asks() -> None:
    crowd = Crowd()
    for _ in range(6):
        crowd.budget.take(GROUP, REDRAW)
    with pytest.raises(Crowded):
        crowd.budget.take(GROUP, REDRAW)
    await crowd.says(Priority.LOOK, times=9, who="cleo")
    assert crowd.weights() == [Priority.LOOK] * 4
    await crowd.end()


async def test_what_is_not_patient_is_told_how_long_and_passes_nobody() -> None:
    crowd = Crowd()
    await crowd.says(Priority.STOP, times=20)
    with pytest.raises(Crowded) as told:
        crowd.budget.take(GROUP, Priority.CRITICAL)
    assert told.value.retry_after == pytest.approx(60.6)
    await crowd.says(Priority.STOP)
    crowd.clock.advance(61)
    with pytest.raises(Crowded):
        crowd.budget.take(GROUP, Priority.CRITICAL)
    await crowd.settle()
    crowd.budget.take(GROUP, Priority.CRITICAL)
    await crowd.end()


async def test_after_the_platform_said_wait_the_most_important_goes_first() -> None:
    crowd = Crowd()
    await crowd.says(Priority.LOOK)
    crowd.budget.hold(GROUP, 17)
    await crowd.says(Priority.LOOK)
    await crowd.says(Priority.STOP)
    await crowd.says(Priority.STOP, place=OTHER)
    assert crowd.weights(OTHER) == [Priority.STOP]
    await crowd.passes(16)
    assert crowd.weights() == [Priority.LOOK]
    await crowd.passes(1)
    assert crowd.weights() == [Priority.LOOK, Priority.STOP, Priority.LOOK]
    await crowd.end()


async def test_who_no_longer_waits_takes_no_turn() -> None:
    crowd = Crowd(place=Rate(1, 10.0))
    await crowd.says(Priority.STOP)
    await crowd.says(Priority.STOP)
    crowd.tasks[-1].cancel()
    await crowd.says(Priority.NEWS)
    await crowd.passes(11)
    assert crowd.weights() == [Priority.STOP, Priority.NEWS]
    await crowd.end()


async def test_a_crowd_in_many_chats_leaves_room_for_a_stop_elsewhere() -> None:
    crowd = Crowd(overall=Rate(30, 1.0, halves_looks=False))
    for place in range(100):
        await crowd.says(Priority.LOOK, times=5, place=place, who=str(place))
    assert len(crowd.sent) == 24
    await crowd.says(Priority.STOP, place=OTHER, who="ben")
    assert crowd.sent[-1][1:3] == (OTHER, Priority.STOP)
    await crowd.end()


@given(st.integers(1, 100), st.sampled_from(WEIGHTS))
def test_of_any_rate_something_is_kept_and_everybody_gets_some(most: int, weight: int) -> None:
    rate = Rate(most, 60.0)
    assert 1 <= rate.room_of_looks(weight) <= most
    assert 1 <= rate.room(weight) <= most
    assert rate.room(Priority.STOP) == most
    assert most == 1 or rate.room(Priority.NEWS) < most
    rooms = [rate.room(each) for each in sorted(WEIGHTS)]
    assert all(low <= high for low, high in pairwise(rooms))


STEPS = st.lists(
    st.tuples(st.sampled_from(WEIGHTS), st.integers(0, 7), st.sampled_from(["ben", "cleo", ""])),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(1, 8))
def test_no_window_ever_holds_more_than_a_chat_takes(
    steps: list[tuple[int, int, str]], most: int
) -> None:
    async def run() -> None:
        crowd = Crowd(place=Rate(most, 10.0))
        for number, (weight, seconds, who) in enumerate(steps):
            await crowd.says(weight, who=who, about=number)
            await crowd.passes(seconds)
        await crowd.passes(11 * len(steps))
        times = [at for at, *_ in crowd.sent]
        for at in times:
            assert sum(1 for each in times if at <= each < at + 10) <= most
        assert len(crowd.sent) + crowd.outdated == len(steps)
        urgent = [w for w, _, _ in steps if w > Priority.LOOK]
        assert sorted(w for w in crowd.weights() if w > Priority.LOOK) == sorted(urgent)
        await crowd.end()

    asyncio.run(run())


async def test_refusals_do_not_set_others_free_to_be_refused_as_well() -> None:
    crowd = Crowd(overall=Rate(30, 1.0, halves_looks=False))
    for place in range(100):
        await crowd.says(Priority.LOOK, place=place, who=str(place))
    told = [place for _, place, _, _ in crowd.sent]
    for place in told:
        crowd.budget.hold(place, 5)
        await crowd.settle()
    assert len(crowd.sent) == len(told)
    await crowd.says(Priority.STOP, place=OTHER, who="ben")
    assert crowd.sent[-1][1:3] == (OTHER, Priority.STOP)
    await crowd.end()
