"""What an answer weighs where a chat takes only so much: what was asked, not what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers.reply import Level, Priority, Reply
from tests.handlers.commands.test_watch import later as next_of
from tests.handlers.fakes import BEN, CLEO, House


@pytest.mark.parametrize(
    ("said", "priority"),
    [
        ("/stop", Priority.STOP),
        ("/pause", Priority.STOP),
        ("/flatten", Priority.QUESTION),
        ("/close SOL", Priority.QUESTION),
        ("/resume", Priority.NEWS),
        ("/status", Priority.LOOK),
        ("/positions", Priority.LOOK),
        ("/help", Priority.LOOK),
        ("/xyzzy", Priority.LOOK),
        ("/confirm AAAA", Priority.LOOK),
        ("/cancel AAAA", Priority.LOOK),
    ],
)
async def test_an_answer_weighs_what_was_asked(house: House, said: str, priority: Priority) -> None:
    assert (await house.say(said)).priority is priority


async def test_a_stop_that_is_refused_or_breaks(house: House) -> None:
    assert (await house.say("/stop", CLEO)).priority is Priority.LOOK
    house.desk.broken = RuntimeError("boom")
    assert (await house.say("/stop")).priority is Priority.STOP


async def test_a_look_at_a_halted_desk_is_a_look(house: House) -> None:
    await house.say("/stop")
    seen = await house.say("/status", CLEO)
    assert (seen.level > Level.INFO, seen.priority) == (True, Priority.LOOK)


async def test_a_yes_and_a_no_are_confirmations(house: House) -> None:
    no = await house.press("Cancel", await house.say("/flatten"))
    asked = await house.say("/flatten")
    yes = await house.press("Close", asked)
    assert no.priority is Priority.QUESTION
    assert yes.priority >= Priority.QUESTION
    assert (await house.press("Close", asked)).priority is Priority.LOOK


async def test_the_same_stop_twice_weighs_the_same(house: House) -> None:
    await house.say("/stop", key="telegram:7")
    assert (await house.say("/stop", key="telegram:7")).priority is Priority.STOP


async def test_what_takes_an_answers_place_weighs_as_much(house: House) -> None:
    live = await house.say("/watch", replace(BEN, edits=True))
    later = await next_of(house, live, 10)
    assert later is not None
    assert later.then is not None
    assert later.priority is live.priority is Priority.LOOK


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (Level.INFO, Priority.NEWS),
        (Level.NOTICE, Priority.NEWS),
        (Level.URGENT, Priority.URGENT),
        (Level.CRITICAL, Priority.CRITICAL),
    ],
)
def test_what_nobody_asked_for_weighs_by_its_level(level: Level, priority: Priority) -> None:
    assert Reply("Fill", level=level).priority is priority


def test_the_order_in_which_a_chat_hears() -> None:
    assert sorted(Priority, reverse=True) == [
        Priority.STOP, Priority.CRITICAL, Priority.URGENT,
        Priority.QUESTION, Priority.NEWS, Priority.LOOK,
    ]  # fmt: skip
