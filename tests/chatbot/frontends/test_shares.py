"""Each person has a share of what is under way; what is not heard is told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chatbot.frontends.shares import PersonShare, Shares
from handlers.caller import Role
from handlers.message import read
from tests.handlers.story import COMMANDS
from trading.common.tasks import Tasks

VIEWER, OPERATOR = ("3", Role.VIEWER), ("2", Role.OPERATOR)
STRANGER = ("99", None)


class Crowd:
    """Answers that are under way until they are let go."""

    def __init__(self) -> None:
        self.tasks = Tasks()
        self.shares = Shares(self.tasks, share=3)
        self.gate = asyncio.Event()

    def say(self, who: tuple[str, Role | None], text: str = "/orders") -> PersonShare:
        room = self.shares.room(*who, read(COMMANDS, text))
        if room is not PersonShare.DROPPED:
            self.shares.start(*who, self._answer(), name="test")
        return room

    async def _answer(self) -> None:
        await self.gate.wait()

    async def let_go(self) -> None:
        self.gate.set()
        await asyncio.gather(*self.tasks)
        await asyncio.sleep(0)
        self.gate.clear()


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    made = Crowd()
    yield made
    await made.let_go()


async def test_beyond_a_share_it_is_told_once(crowd: Crowd) -> None:
    said = [crowd.say(VIEWER) for _ in range(10)]
    assert said == [*[PersonShare.HEARD] * 3, PersonShare.TOLD, *[PersonShare.DROPPED] * 6]


async def test_it_is_told_again_once_all_of_it_was_answered(crowd: Crowd) -> None:
    first = [crowd.say(VIEWER) for _ in range(10)]
    await crowd.let_go()
    second = [crowd.say(VIEWER) for _ in range(10)]
    assert first == second


async def test_others_have_shares_of_their_own(crowd: Crowd) -> None:
    for _ in range(10):
        crowd.say(VIEWER)
    for number in range(10):
        crowd.say((f"99{number}", None))
    assert crowd.say(OPERATOR) is crowd.say(("4", Role.VIEWER)) is PersonShare.HEARD


async def test_strangers_share_one_and_are_told_nothing(crowd: Crowd) -> None:
    said = [crowd.say((f"99{number}", None)) for number in range(5)]
    assert said == [*[PersonShare.HEARD] * 3, *[PersonShare.DROPPED] * 2]


@pytest.mark.parametrize(
    "said",
    ["/stop", "stop,please", "STOP now!", "/pause", "/flatten", "/close SOL", "/confirm 7K3Q",
     "/cancel 7K3Q", "please stop", "/panic", "🛑"],
)  # fmt: skip
async def test_what_makes_safer_is_always_heard_from_who_may(crowd: Crowd, said: str) -> None:
    for _ in range(10):
        crowd.say(OPERATOR)
    assert [crowd.say(OPERATOR, said) for _ in range(5)] == [PersonShare.HEARD] * 5


@pytest.mark.parametrize("said", ["/stop", "/pause", "/flatten", "/close SOL", "please stop"])
@pytest.mark.parametrize("who", [VIEWER, STRANGER], ids=["viewer", "stranger"])
async def test_it_is_none_of_who_may_not(
    crowd: Crowd, who: tuple[str, Role | None], said: str
) -> None:
    for _ in range(10):
        crowd.say(who)
    assert crowd.say(who, said) is PersonShare.DROPPED
