"""The stages of a stop: edited into its answer, told by alerts to the others, and to each once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from chatbot.app.backtests import ProcessBacktests
from chatbot.delivery.outbox import Outbox
from chatbot.delivery.waiting import Subscriber
from chatbot.frontends.talk import follow
from handlers import alerts, load_commands
from handlers.caller import Caller, Role
from handlers.confirmations import Confirmations
from handlers.context import Services
from handlers.dispatch import Dispatcher
from handlers.in_place import Stories
from handlers.message import Message
from handlers.reply import Level, Reply
from storage.memory import MemoryStore
from tests.builders import NOON
from tests.chatbot.delivery.test_outbox import Chats
from tests.fakes import Wish
from tests.handlers.story import checked, shown
from tests.world import World, a_world, settled, wish
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.execution.timeouts import OrderTimeouts

PHONE = Caller("telegram:2", "ben", Role.OPERATOR, "Telegram", "telegram:2", edits=True)
TERMINAL = replace(PHONE, edits=False)
OTHER = "telegram:3"
COMMANDS = load_commands()
QUICK = OrderTimeouts(
    answer=0.2, intent=0.1, stop=0.05, durable=0.2, first_retry=0.05, longest_retry=0.2
)


@dataclass
class OneMessage:
    """A message of a platform, and everything it has shown; edits fail when told to."""

    says: list[Reply] = field(default_factory=list)
    broken: bool = False

    async def show(self, reply: Reply) -> None:
        if self.broken:
            raise ConnectionError("down")
        self.says.append(checked(reply))

    @property
    def titles(self) -> list[str]:
        return [reply.title.replace("\u00a0", " ") for reply in self.says]


@dataclass
class Phone:
    """ben's chat and another one, before a real desk and the real outbox."""

    world: World
    platform: Chats
    dispatcher: Dispatcher
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def say(self, text: str, who: Caller = PHONE) -> OneMessage:
        """Say *text* and let its message follow what comes, as a platform does."""
        message = OneMessage()
        reply = await self.dispatcher.handle(Message(who, text, self.world.clock.now()))
        await message.show(reply)
        if who.edits:
            self.tasks.append(asyncio.create_task(follow(reply, message)))
        await settled()
        return message

    async def seconds(self, count: float, step: float = 1) -> None:
        for _ in range(round(count / step)):
            self.world.clock.advance(step)
            await settled(30)

    def alerts(self, to: str, about: str) -> list[str]:
        titles = [t.replace("\u00a0", " ") for t in self.platform.titles(to.partition(":")[2])]
        return [title for title in titles if about in title]


@asynccontextmanager
async def a_phone(*closes: float, wishes: Sequence[Wish] = ()) -> AsyncIterator[Phone]:
    clock = ManualClock(NOON)
    store, platform, bus, stories = MemoryStore(clock=clock), Chats("telegram"), Bus(), Stories()
    outbox = Outbox(
        store=store,
        speakers={"telegram": platform},
        subscribers=[
            Subscriber(key=key, speaker="telegram", chat=key.partition(":")[2])
            for key in (PHONE.chat, OTHER)
        ],
        clock=clock,
        describe=alerts.describe,
        fold=alerts.fold,
        stories=stories,
    )
    bus.subscribe(outbox.heard)
    world = a_world(
        *closes,
        wishes=wishes,
        clock=clock,
        store=store,
        announce_to=outbox.announce,
        bus=bus,
        timeouts=QUICK,
    )
    codes = itertools.count(10)
    dispatcher = Dispatcher(
        Services(
            name="harbour",
            version="0.1.0",
            desk=world.desk,
            store=store,
            clock=clock,
            commands=COMMANDS,
            confirmations=Confirmations(clock, lambda: f"AA{next(codes)}"),
            administration=cast("Any", None),
            backtests=ProcessBacktests(),
            notices=cast("Any", None),
            stories=stories,
        )
    )
    tasks = [asyncio.create_task(outbox.run()), asyncio.create_task(bus.run())]
    phone = Phone(world, platform, dispatcher)
    async with world.running():
        yield phone
    for task in (*tasks, *phone.tasks):
        task.cancel()
    await asyncio.gather(*tasks, *phone.tasks, return_exceptions=True)


async def test_a_stop_while_the_venue_is_down_is_confirmed_in_its_own_message() -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()
        phone.world.venue.faults.down = True
        message = await phone.say("/stop")
        await phone.seconds(17)
        assert message.titles == ["■ Stopped majors (paper): LATCHED, RETRYING"]

        phone.world.venue.faults.down = False
        await phone.seconds(1)

        assert message.titles[1:] == ["■ Stopped majors (paper), confirmed in 18 s"]
        assert shown(message.says[1]).split("\n")[1:] == [
            "  UTC       stage",
            "  12:00:00  requested, by ben",
            "  12:00:00  entries blocked",
            "  12:00:18  cancels confirmed, 1/1",
            "Not done: nothing; no position is open.",
            "[Status] [Resume]",
        ]
        await phone.seconds(60)
        assert phone.alerts(OTHER, "confirmed in") == message.titles[1:]
        assert phone.alerts(PHONE.chat, "confirmed in") == []
        assert all(task.done() for task in phone.tasks)


async def test_where_nothing_can_be_edited_an_alert_tells_the_asking_chat() -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()
        phone.world.venue.faults.down = True
        message = await phone.say("/stop", TERMINAL)
        await phone.seconds(17)
        phone.world.venue.faults.down = False
        await phone.seconds(10)

        assert len(message.says) == 1
        for chat in (PHONE.chat, OTHER):
            assert len(phone.alerts(chat, "confirmed in")) == 1


async def test_an_edit_that_fails_is_made_up_for_by_an_alert() -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()
        phone.world.venue.faults.down = True
        message = await phone.say("/stop")
        await phone.seconds(17)
        message.broken = True
        phone.world.venue.faults.down = False
        await phone.seconds(30)

        assert len(message.says) == 1
        assert len(phone.alerts(PHONE.chat, "confirmed in")) == 1


async def test_after_a_minute_without_an_answer_a_new_critical_message_comes_to_all() -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()
        phone.world.venue.faults.down = True
        message = await phone.say("/stop")
        await phone.seconds(70)

        for chat in (PHONE.chat, OTHER):
            assert phone.alerts(chat, "Not confirmed") == [
                "■ Not confirmed after 1 min: majors (paper)"
            ]
        assert any(r.level is Level.CRITICAL for r in phone.platform.replies)

        phone.world.venue.faults.down = False
        await phone.seconds(30)
        assert message.titles[-1].startswith("■ Stopped majors (paper), confirmed in")
        assert phone.alerts(PHONE.chat, "confirmed in") == []


async def test_a_stop_that_is_lifted_before_it_is_confirmed_waits_no_longer() -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()
        phone.world.venue.faults.down = True
        message = await phone.say("/stop")
        await phone.world.desk.resume(["H1"], by="anna, console")
        await settled()

        assert message.titles[1:] == ["✓ Lifted H1, by anna, console"]
        assert all(task.done() for task in phone.tasks)


async def test_a_message_is_followed_for_an_hour_then_an_alert_tells() -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()
        phone.world.venue.faults.down = True
        message = await phone.say("/stop")
        await phone.seconds(3_700, step=10)
        assert all(task.done() for task in phone.tasks)

        phone.world.venue.faults.down = False
        await phone.seconds(30)

        assert len(message.says) == 1
        assert len(phone.alerts(PHONE.chat, "confirmed in")) == 1


async def test_a_flatten_counts_its_closes_and_ends_flat_in_one_message() -> None:
    async with a_phone(wishes=[wish(2)]) as phone:
        await phone.world.minutes(2)
        question = await phone.say("/flatten")
        phone.world.venue.faults.place = ["lost"]
        message = await phone.say(question.says[0].choices[-1].command)
        await phone.seconds(30)

        assert message.titles[0] == "⚠ Flattening majors (paper): 0 of 1 closed"
        assert message.says[0].table is not None
        assert message.titles[-1].startswith("✓ Flat: majors (paper), confirmed in")
        last = message.says[-1]
        assert last.table is not None
        assert last.table.rows[0][-1] == "2nd try"
        assert "1 stop cancelled." in last.text
        assert len(phone.alerts(OTHER, "Flat: majors")) == 1
        assert phone.alerts(PHONE.chat, "Flat: majors") == []
        assert all(task.done() for task in phone.tasks)


@pytest.mark.parametrize("who", [PHONE, TERMINAL])
async def test_a_stop_that_is_confirmed_at_once_waits_for_nothing(who: Caller) -> None:
    async with a_phone() as phone:
        await phone.world.rest_an_entry()

        message = await phone.say("/stop", who)
        await phone.seconds(30)

        assert len(message.says) == 1
        assert message.says[0].then is None
        assert phone.alerts(PHONE.chat, "Stopped") == []
