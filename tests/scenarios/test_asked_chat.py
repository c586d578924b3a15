"""Who acts by hand is answered once: the chat that asked gets no alert of it, the others do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from handlers import alerts
from storage.memory import MemoryStore
from tests.builders import NOON
from tests.chatbot.delivery.test_outbox import Chats
from tests.fakes import Wish
from tests.scenarios.test_by_hand import BEN, Chat
from tests.world import World, a_world, settled, wish
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.types import Side

ASKED, OTHER = BEN.chat, "telegram:3"


@dataclass
class Heard:
    """A desk behind the real outbox, with ben's chat and another."""

    world: World
    chat: Chat
    platform: Chats

    async def alerts(self, to: str) -> list[str]:
        """Titles of all that this chat was alerted of, oldest first."""
        await settled()
        return self.platform.titles(to.partition(":")[2])


@asynccontextmanager
async def a_heard_desk(*closes: float, wishes: Sequence[Wish] = ()) -> AsyncIterator[Heard]:
    clock = ManualClock(NOON)
    store, platform = MemoryStore(clock=clock), Chats("telegram")
    outbox = Outbox(
        store=store,
        speakers={"telegram": platform},
        subscribers=[
            Subscriber(key=key, speaker="telegram", chat=key.partition(":")[2])
            for key in (ASKED, OTHER)
        ],
        clock=clock,
        describe=alerts.describe,
        fold=alerts.fold,
    )
    bus = Bus()
    bus.subscribe(outbox.heard)
    world = a_world(
        *closes, wishes=wishes, clock=clock, store=store, announce_to=outbox.announce, bus=bus
    )
    delivering, speaking = asyncio.create_task(outbox.run()), asyncio.create_task(bus.run())
    async with world.running():
        yield Heard(world, Chat(world), platform)
    for task in (delivering, speaking):
        task.cancel()
    await asyncio.gather(delivering, speaking, return_exceptions=True)


async def test_an_entry_and_a_close_by_hand_are_told_to_the_others_only() -> None:
    async with a_heard_desk() as heard:
        await heard.chat.yes(await heard.chat.say("/buy BTC 1000"))
        await heard.chat.yes(await heard.chat.say("/close BTC 50%"))
        await heard.chat.yes(await heard.chat.say("/close BTC"))

        assert [title.split()[0] for title in await heard.alerts(OTHER)][1:] == [
            "Opened", "Partly", "Closed",
        ]  # fmt: skip
        assert (await heard.alerts(ASKED))[1:] == []


async def test_a_stop_moved_by_hand_is_told_to_the_others_only() -> None:
    async with a_heard_desk() as heard:
        await heard.chat.yes(await heard.chat.say("/sell BTC 1000"))
        await heard.chat.say("/stop_loss BTC 101")
        await heard.chat.say("/take_profit BTC 90")

        assert "stop moved" in (await heard.alerts(OTHER))[-1]
        assert (await heard.alerts(ASKED))[1:] == []


async def test_what_a_cancel_by_hand_found_is_told_to_the_others_only() -> None:
    async with a_heard_desk() as heard:
        heard.world.venue.faults.place = ["drop"]
        order = await heard.world.rest_an_entry("90")
        told = await heard.chat.say(f"/cancel_order {order.id[-6:]}")

        assert told.title.startswith("✓ Cancelled")
        assert any("Resolved" in title for title in await heard.alerts(OTHER))
        assert not any("Resolved" in title for title in await heard.alerts(ASKED))


async def test_what_happens_after_the_answer_is_told_to_everybody() -> None:
    """Its target was set by hand, but nobody is waiting for an answer when it is reached."""
    async with a_heard_desk(100.0, 100.0, 112.0, 112.0) as heard:
        await heard.chat.yes(await heard.chat.say("/buy BTC 1000"))
        await heard.chat.say("/take_profit BTC 110")
        await heard.world.minutes(3)

        assert any(title.startswith("Closed") for title in await heard.alerts(ASKED))


async def test_an_entry_without_an_answer_is_resolved_for_everybody() -> None:
    async with a_heard_desk() as heard:
        heard.world.venue.faults.place = ["drop"]
        told = await heard.chat.yes(await heard.chat.say("/buy BTC 1000"))
        assert told.title.startswith("? Unknown")
        assert not [t for t in await heard.alerts(ASKED) if "Unknown" in t]

        await heard.world.trader.upkeep()

        assert [t for t in await heard.alerts(ASKED) if "Resolved" in t or "Opened" in t]


async def test_what_the_strategy_does_is_told_to_everybody() -> None:
    async with a_heard_desk(wishes=(wish(2, side=Side.BUY),)) as heard:
        await heard.world.minutes(3)

        assert any(t.startswith("Opened") for t in await heard.alerts(ASKED))
        assert any(t.startswith("Opened") for t in await heard.alerts(OTHER))
