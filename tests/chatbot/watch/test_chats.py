"""A chat that is out of reach is told to the others, once, with what it means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from chatbot.ports import OnMessage
from chatbot.watch.chats import BARRED, ChatWatch
from handlers import alerts
from handlers.reply import Level
from storage.memory import MemoryStore
from tests.builders import NOON
from tests.chatbot.delivery.test_outbox import Chats
from tests.handlers.story import reads
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.events import FeedBack
from trading.types import Mode

TOKEN, POLLED = "its token is refused", "another program polls with the same token"


class Forbidden(Exception):
    """As the libraries call it when a bot is blocked."""


class Platform(Chats):
    """A platform that says how it does, and blocks chats when told to."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.title = name.capitalize()
        self.problem = ""

    async def run(self, on_message: OnMessage) -> None:
        await asyncio.Event().wait()


SUBSCRIBERS = (
    Subscriber(key="telegram:111", speaker="telegram", chat="111"),
    Subscriber(key="telegram:222", speaker="telegram", chat="222"),
    Subscriber(key="discord:9", speaker="discord", chat="9"),
)


class World:
    def __init__(
        self,
        subscribers: Sequence[Subscriber] = SUBSCRIBERS,
        *,
        store: MemoryStore | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock(NOON)
        self.telegram, self.discord = Platform("telegram"), Platform("discord")
        self.store = store = store or MemoryStore(clock=self.clock)
        self.outbox = Outbox(
            store=store,
            speakers={"telegram": self.telegram, "discord": self.discord},
            subscribers=subscribers,
            clock=self.clock,
            describe=alerts.describe,
            fold=alerts.fold,
        )
        self.bus = Bus()
        self.bus.subscribe(self.outbox.heard)
        self.recorder = Recorder(
            store=store,
            bus=self.bus,
            clock=self.clock,
            announce=self.outbox.announce,
            offer=self.outbox.offer,
        )
        self.watch = ChatWatch(
            platforms=(self.telegram, self.discord),
            outbox=self.outbox,
            recorder=self.recorder,
            clock=self.clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        jobs = (self.outbox.run, self.bus.run, self.watch.run)
        tasks = [asyncio.create_task(job()) for job in jobs]
        await self.seconds(0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def seconds(self, count: int) -> None:
        for _ in range(max(1, count)):
            self.clock.advance(1 if count else 0)
            for _ in range(60):
                await asyncio.sleep(0)

    async def some_news(self) -> None:
        await self.recorder.say(
            FeedBack(at=self.clock.now(), trader="majors", mode=Mode.PAPER, gap=NOON - NOON)
        )


@pytest.fixture
def world() -> World:
    return World()


async def test_a_platform_that_is_lost_is_told_to_the_others_after_30_s(world: World) -> None:
    async with world.running():
        world.telegram.problem = TOKEN
        await world.seconds(34)
        assert world.discord.replies == []
        await world.seconds(1)

    (told,) = world.discord.replies
    reads(
        told,
        """\
⚠ Telegram lost 30 s ago: its token is refused
Commands and alerts there wait; trading goes on. \
They go out once the settings have a token that is taken.
[Status] [Stop]""",
    )
    assert world.discord.heard[0][2] is False  # it makes a sound
    assert world.telegram.heard == []


async def test_it_is_told_once_and_its_end_to_the_others_only(world: World) -> None:
    async with world.running():
        world.telegram.problem = TOKEN
        await world.seconds(14 * 60)
        world.telegram.problem = ""
        await world.seconds(30)

    assert [r.title.replace("\u00a0", " ") for r in world.discord.replies] == [
        "⚠ Telegram lost 30 s ago: its token is refused",
        "✓ Telegram back after 13 min",
    ]
    assert world.telegram.heard == []


async def test_a_second_poller_has_its_own_sentence(world: World) -> None:
    async with world.running():
        world.telegram.problem = POLLED
        await world.seconds(40)

    (told,) = world.discord.replies
    assert told.text.startswith("Commands typed there may reach it instead.")


async def test_trouble_of_another_kind_is_told_again(world: World) -> None:
    async with world.running():
        world.telegram.problem = "the connection is lost"
        await world.seconds(40)
        world.telegram.problem = TOKEN
        await world.seconds(40)

    assert [r.title.partition(": ")[2] for r in world.discord.replies] == [
        "the connection is lost",
        TOKEN,
    ]


async def test_a_short_trouble_is_not_told(world: World) -> None:
    async with world.running():
        for _ in range(5):
            world.telegram.problem = "the connection is lost"
            await world.seconds(20)
            world.telegram.problem = ""
            await world.seconds(20)

    assert world.discord.replies == []


async def test_a_line_that_comes_and_goes_is_one_trouble(world: World) -> None:
    async with world.running():
        world.telegram.problem = "the connection is lost"
        await world.seconds(40)
        for _ in range(10):
            world.telegram.problem = ""
            await world.seconds(5)
            world.telegram.problem = "the connection is lost"
            await world.seconds(10)

    assert len(world.discord.replies) == 1


async def test_one_chat_that_blocks_the_bot_is_told_to_all_others(world: World) -> None:
    world.telegram.blocks["111"] = Forbidden("bot was blocked by the user")
    async with world.running():
        await world.some_news()
        await world.seconds(40)

        assert {chat: said(why) for chat, why in world.watch.problems().items()} == {
            "Telegram": "",
            "Telegram chat 111": "lost 39 s ago, the bot may not write there",
            "Discord": "",
        }
        world.telegram.blocks.clear()
        await world.seconds(90)
        assert world.watch.problems() == {"Telegram": "", "Discord": ""}

    for titles in (world.discord.titles("9"), world.telegram.titles("222")):
        assert [t.replace("\u00a0", " ") for t in titles][1:] == [
            "⚠ Telegram chat 111 lost 34 s ago: the bot may not write there",
            "✓ Telegram chat 111 back after 59 s",
        ]
    assert not any("lost" in t or "chat 111" in t for t in world.telegram.titles("111"))


async def test_a_platform_whose_chats_all_fail_is_lost_although_it_sees_no_fault(
    world: World,
) -> None:
    async with world.running():
        world.telegram.broken = ConnectionError("down")
        await world.some_news()
        await world.seconds(40)

        assert world.watch.problems()["Telegram"] == "messages do not arrive there"

    assert world.discord.titles("9")[1:] == [
        "⚠ Telegram lost 30\u00a0s ago: messages do not arrive there"
    ]


async def test_a_platform_that_hangs_never_delays_the_others(world: World) -> None:
    world.telegram.hung |= {"111", "222"}
    async with world.running():
        await world.some_news()
        await world.seconds(1)

        assert len(world.discord.replies) == 1


def said(words: str) -> str:
    return words.replace("\u00a0", " ")


# -- owners hear of it wherever they can ----------------------------------------------------------


CHATS = {
    "telegram:-100": Subscriber(key="telegram:-100", speaker="telegram", chat="-100", owner=False),
    "discord:9": Subscriber(key="discord:9", speaker="discord", chat="9", owner=False),
    "telegram:111": Subscriber(key="telegram:111", speaker="telegram", chat="111", on_call=True),
    "discord:@5": Subscriber(key="discord:@5", speaker="discord", chat="@5", on_call=True),
    "discord:@6": Subscriber(
        key="discord:@6", speaker="discord", chat="@6", at_least=Level.CRITICAL
    ),
    "discord:7": Subscriber(
        key="discord:7", speaker="discord", chat="7", at_least=Level.CRITICAL, owner=False
    ),
}


@pytest.mark.parametrize("owners", [["telegram:111"], ["discord:@5"], ["discord:@6"]])
@pytest.mark.parametrize("others", [[], ["discord:9"], ["discord:7"]])
async def test_owners_hear_of_a_lost_chat_wherever_they_can(
    owners: list[str], others: list[str]
) -> None:
    world = World([CHATS[key] for key in ("telegram:-100", *owners, *others)])
    world.telegram.blocks["-100"] = Forbidden("bot was kicked from the group chat")
    async with world.running():
        await world.some_news()
        await world.seconds(40)
        world.telegram.blocks.clear()
        await world.seconds(90)

    for key in owners:
        platform, _, chat = key.partition(":")
        heard = [said(t) for t in getattr(world, platform).titles(chat) if "chat -100" in t]
        assert heard == [
            "⚠ Telegram chat -100 lost 34 s ago: the bot may not write there",
            "✓ Telegram chat -100 back after 59 s",
        ]
    assert world.discord.titles("7") == []  # not an owner's, and hears critical alerts only


async def test_an_owner_who_muted_it_is_not_told() -> None:
    world = World([CHATS["telegram:-100"], CHATS["discord:@6"]])
    world.outbox.hear("discord:@6", at_least=Level.CRITICAL, muted=frozenset({"ChatLost"}))
    world.telegram.blocks["-100"] = Forbidden()
    async with world.running():
        await world.some_news()
        await world.seconds(40)
    assert world.discord.titles("@6") == []


KINDS = sorted(BARRED)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_does_not_end_by_waiting_is_named_at_once(world: World, kind: str) -> None:
    world.telegram.blocks["111"] = type(kind, (Exception,), {})()
    async with world.running():
        await world.some_news()
        await world.seconds(2)
        lost = world.watch.problems()["Telegram chat 111"]
    assert said(lost) == f"lost 1 s ago, {BARRED[kind]}"


async def test_what_may_end_by_waiting_is_named_once_it_lasts(world: World) -> None:
    world.telegram.blocks["111"] = ConnectionError()
    async with world.running():
        await world.some_news()
        await world.seconds(20)
        assert "Telegram chat 111" not in world.watch.problems()
        await world.seconds(20)
        lost = world.watch.problems()["Telegram chat 111"]
    assert said(lost) == "lost 39 s ago, messages do not arrive there"


async def test_a_restart_does_not_forget_since_when_a_chat_is_lost(world: World) -> None:
    world.telegram.blocks["111"] = Forbidden()
    async with world.running():
        await world.some_news()
        await world.seconds(160)
    again = World(world.outbox.subscribers, store=world.store, clock=world.clock)
    again.telegram.blocks["111"] = Forbidden()
    async with again.running():
        await again.seconds(20)
        lost = again.watch.problems()["Telegram chat 111"]
    assert said(lost) == "lost 3 min ago, the bot may not write there"
