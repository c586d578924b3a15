"""The Telegram face with the real client, over real sockets, against a server that refuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chatbot import logs
from chatbot.delivery.waiting import Throttled
from chatbot.frontends.shares import SHARE
from chatbot.frontends.talk import People
from chatbot.frontends.telegram import Polling, Telegram, TelegramFlood
from chatbot.frontends.telegram.failures import (
    BlockedByUser,
    ChatUnknown,
    NoTelegramAnswer,
    NotInChat,
)
from chatbot.ports import ChatPlatform, NoPicture
from handlers.caller import Role
from handlers.chart import Chart, EquityChart
from handlers.message import Message
from handlers.reply import Choice, Level, Outcome, Reply
from tests.handlers.fakes import House
from tests.handlers.story import COMMANDS, NOW
from tests.servers.telegram import TOKEN, USERNAME, Fault, Person, Sent, TelegramServer
from trading.clocks import ManualClock
from trading.errors import Refused

ANNA, BEN, CLEO = Person(1, "anna"), Person(2, "ben"), Person(3, "cleo")
MALLORY = Person(99817, "mallory")
PEOPLE = People(
    users={"1": Role.OWNER, "2": Role.OPERATOR, "3": Role.VIEWER}, names={"2": "ben", "3": "cleo"}
)
GROUP, FORUM, ELSEWHERE = -100500, -100600, -100700
PNG = b"\x89PNG\r\n\x1a\n"
CHART = EquityChart(
    title="Equity", quote="USDT", times=(NOW,), equity=(1.0,), drawdown=(0.0,), zone="UTC"
)
QUICK = Polling(wait=1, answer=4.0, connect=4.0)
AMPLE = TelegramFlood(overall_rate=10_000, group_rate=10_000)
"""The clock stands still here, and with it the budget."""
REFRESH = Choice("Refresh", "/status")


class Memory:
    """Notes that a store would keep."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def note(self, name: str) -> str | None:
        return self.kept.get(name)

    async def keep(self, name: str, value: str) -> None:
        self.kept[name] = value


@dataclass
class Painter:
    """Draws the same picture, each time with another last byte."""

    broken: bool = False
    drawn: int = 0
    waits: asyncio.Event | None = None
    """No picture is ready before it is set."""

    async def draw(self, chart: Chart) -> bytes:
        if self.waits is not None:
            await self.waits.wait()
        if self.broken:
            raise NoPicture
        self.drawn += 1
        return PNG + bytes([self.drawn])


Answer = Reply | Callable[[Message], Awaitable[Reply]]


@dataclass
class Chat:
    """A face, its server, and whoever answers: a house, or what a test puts into `answers`."""

    server: TelegramServer
    clock: ManualClock
    house: House
    telegram: Telegram
    painter: Painter
    foreign_orders: list[tuple[str, str]] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    history_hangs: bool = False

    async def on_message(self, message: Message) -> Reply:
        self.heard.append(message)
        answer = self.answers.get(message.text)
        if answer is None:
            return await self.house.dispatcher.handle(message)
        return answer if isinstance(answer, Reply) else await answer(message)

    async def stranger(self, platform: str, who: str) -> None:
        self.foreign_orders.append((platform, who))
        if self.history_hangs:
            await asyncio.Event().wait()

    async def ask(self, who: Person, text: str, **extra: Any) -> Sent:
        return await self.server.answer_to(await self.server.says(who, text, **extra))

    async def tick(self, look: Callable[[], Any], what: str) -> None:
        """Let time pass, a second at a time, until *look* is true."""

        def moved() -> bool:
            if look():
                return True
            self.clock.advance(1)
            return False

        await self.server.until(moved, what)

    def has_begun(self) -> bool:
        """A greeting that took too long is made again, once time has passed."""
        if self.telegram.problem == "it does not answer":
            self.clock.advance(1)
        return not self.telegram.problem

    async def trouble(self, words: str) -> None:
        await self.server.until(lambda: words in self.telegram.problem, words)

    async def recovered(self) -> None:
        await self.tick(lambda: not self.telegram.problem, "recovery")


@asynccontextmanager
async def a_chat(
    *,
    notes: Memory | None = None,
    server: TelegramServer | None = None,
    start: bool = True,
    flood: TelegramFlood | None = None,
) -> AsyncIterator[Chat]:
    house = House()
    async with server or TelegramServer(now=lambda: house.clock.now().timestamp()) as listening:
        for person in (ANNA, BEN, CLEO, MALLORY):
            listening.room(person.id)
        for group in (GROUP, FORUM, ELSEWHERE):
            listening.room(group)
        listening.room(FORUM).forum = True
        chat = a_face(listening, house, notes or Memory(), flood)
        running = asyncio.create_task(chat.telegram.run(chat.on_message))
        if start:
            await listening.until(chat.has_begun, "the first poll")
        try:
            yield chat
        finally:
            assert not running.done(), running
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await chat.telegram.close()
            assert listening.schema_errors == []


def a_face(
    server: TelegramServer, house: House, notes: Memory, flood: TelegramFlood | None = None
) -> Chat:
    painter = Painter()

    async def stranger(platform: str, who: str) -> None:
        await chat.stranger(platform, who)

    telegram = Telegram(
        token=TOKEN,
        base_url=f"{server.base_url}/",
        people=PEOPLE,
        groups=frozenset({str(GROUP), str(FORUM)}),
        commands=COMMANDS,
        clock=house.clock,
        pictures=painter,
        notes=notes,
        on_unauthorized=stranger,
        flood=flood or AMPLE,
        polling=QUICK,
    )
    chat = Chat(server, house.clock, house, telegram, painter)
    return chat


# -- commands -----------------------------------------------------------------------------


async def test_a_command_is_answered_silently_with_its_buttons() -> None:
    async with a_chat() as chat:
        answer = await chat.ask(BEN, "/status")
    assert answer.text.startswith("Trading (paper), nothing needs you\n")
    assert list(answer.buttons) == ["Positions", "Stats", "Pause", "Stop", "Refresh"]
    assert answer.buttons["Refresh"] == "/status"
    assert answer.silent
    assert answer.reply_to is None
    assert {entity.type for entity in answer.entities} >= {"bold", "pre"}


async def test_in_private_the_slash_may_be_missing() -> None:
    async with a_chat() as chat:
        assert (await chat.ask(BEN, "positions")).text.startswith("3 open")


async def test_the_desk_learns_who_speaks_and_where() -> None:
    async with a_chat() as chat:
        await chat.ask(BEN, "/status", ago=7)
    (message,) = chat.heard
    caller = message.caller
    assert (caller.user, caller.name, caller.role) == ("telegram:2", "ben", Role.OPERATOR)
    assert (caller.place, caller.chat, caller.edits) == ("Telegram", "telegram:2", True)
    assert message.sent_at == NOW - timedelta(seconds=7)
    assert message.id == "telegram:update:700000001"


async def test_a_slow_answer_delays_no_other_and_says_that_it_is_waited_for() -> None:
    venue = asyncio.Event()

    async def slow(message: Message) -> Reply:
        await venue.wait()
        return Reply("Orders at last")

    async with a_chat() as chat:
        chat.answers["/orders"] = slow
        asked = await chat.server.says(BEN, "/orders")
        stopped = await chat.ask(BEN, "/stop")
        assert stopped.text.startswith("■ Stopped")
        await chat.tick(lambda: chat.server.room(2).seen[-1].text.startswith("…"), "a word")
        venue.set()
        answer = await chat.server.seen(2, "Orders at last")
    assert answer.edits == ["… Asking the venue", "Orders at last"]
    assert asked.id < stopped.id < answer.id


async def test_later_stages_take_the_place_of_the_answer() -> None:
    done = asyncio.Event()

    async def later() -> Reply | None:
        await done.wait()
        return Reply("■ Stopped, confirmed in 18 s")

    async with a_chat() as chat:
        chat.answers["/stop"] = Reply("■ Stopped: LATCHED, RETRYING", then=later)
        answer = await chat.ask(BEN, "/stop")
        done.set()
        await chat.server.until(lambda: len(answer.edits) == 2, "the second stage")
    assert answer.text == "■ Stopped, confirmed in 18 s"
    assert len(chat.server.room(2).seen) == 1


async def test_a_long_answer_becomes_several_messages() -> None:
    lines = [f"line {n:04} " + "x" * 50 for n in range(150)]
    async with a_chat() as chat:
        chat.answers["/long"] = Reply("Long", text="\n".join(lines), choices=(REFRESH,))
        await chat.server.says(BEN, "/long")
        last = await chat.server.seen(2, "line 0149")
        first, *_, same = chat.server.room(2).seen
        assert same is last
        assert not first.buttons
        assert list(last.buttons) == ["Refresh"]
        assert "\n".join(m.text for m in chat.server.room(2).seen).split("\n") == ["Long", *lines]
        chat.answers["/status"] = Reply("Short", choices=(REFRESH,))
        await chat.server.presses(BEN, last, "Refresh")
        await chat.server.until(lambda: len(chat.server.room(2).seen) == 1, "the rest to go")
    assert (first.text, first.buttons) == ("Short", {"Refresh": "/status"})


# -- presses ------------------------------------------------------------------------------


async def test_reading_buttons_edit_in_place() -> None:
    async with a_chat() as chat:
        answer = await chat.ask(BEN, "/status")
        press = await chat.server.presses(BEN, answer, "Positions")
        await press.answered.wait()
        await chat.server.until(lambda: "3 open" in answer.text, "the positions")
        assert press.toast == ""
        await chat.server.presses(BEN, answer, "Refresh")
        await chat.server.confirmed()
        assert len(chat.server.room(2).seen) == 1


async def test_a_refresh_that_changes_nothing_is_no_failure() -> None:
    async with a_chat() as chat:
        answer = await chat.ask(BEN, "/status")
        press = await chat.server.presses(BEN, answer, "Refresh")
        await press.answered.wait()
        await chat.ask(BEN, "/help")
        assert len(chat.server.room(2).seen) == 2


async def test_acting_buttons_answer_anew_and_the_old_ones_go() -> None:
    async with a_chat() as chat:
        status = await chat.ask(BEN, "/status")
        press = await chat.server.presses(BEN, status, "Stop")
        stopped = await chat.server.seen(2, "■ Stopped")
        await chat.server.until(lambda: not status.buttons, "the old buttons to go")
        await press.answered.wait()
    assert stopped.reply_to == status.id
    assert status.text.startswith("Trading")
    assert len(chat.house.desk.asked) == 1


async def test_alerts_are_not_overwritten_but_by_their_own_refresh() -> None:
    alert = Reply("Opened SOL", choices=(Choice("Positions", "/positions"), REFRESH))
    async with a_chat() as chat:
        await chat.telegram.send("2", alert, silent=True)
        (message,) = chat.server.room(2).seen
        await chat.server.presses(BEN, message, "Positions")
        answer = await chat.server.seen(2, "3 open")
        assert message.text == "Opened SOL"
        assert list(message.buttons) == ["Positions", "Refresh"]
        assert answer.reply_to == message.id
        await chat.server.presses(BEN, message, "Refresh")
        await chat.server.until(lambda: "Trading" in message.text, "the refresh")


async def test_a_question_is_confirmed_with_one_thumb() -> None:
    async with a_chat() as chat:
        question = await chat.ask(BEN, "/flatten")
        await chat.server.presses(BEN, question, "Close 3 now")
        await chat.server.until(lambda: not question.buttons, "the buttons to go")
        assert [asked[0] for asked in chat.house.desk.asked] == ["flatten"]


async def test_somebody_elses_press_is_a_toast_and_the_buttons_stay() -> None:
    async with a_chat() as chat:
        question = await chat.ask(BEN, "/flatten", chat=GROUP)
        press = await chat.server.presses(ANNA, question, "Close 3 now")
        await press.answered.wait()
        assert press.toast == "✕ Only ben may confirm. Nothing was sent."
        assert not press.alert
        viewer = await chat.server.presses(CLEO, question, "/stop")
        await viewer.answered.wait()
        assert viewer.toast.startswith("✕ /stop needs operator, you are viewer\nNothing was sent.")
        assert question.buttons
        assert len(chat.server.room(GROUP).seen) == 1
        assert chat.house.desk.asked == []


async def test_an_expired_question_offers_to_ask_again() -> None:
    async with a_chat() as chat:
        question = await chat.ask(BEN, "/flatten")
        chat.clock.advance(61)
        press = await chat.server.presses(BEN, question, "Close 3 now")
        await press.answered.wait()
        assert press.toast == "✕ Expired. Nothing was sent."
        again = {"Ask again": "/flatten"}
        await chat.server.until(lambda: question.buttons == again, "the buttons to be replaced")


async def test_a_used_question_says_so_and_offers_to_ask_again() -> None:
    async with a_chat() as chat:
        question = await chat.ask(BEN, "/flatten")
        yes = question.buttons["Close 3 now"]
        await chat.server.presses(BEN, question, yes)
        await chat.server.until(lambda: not question.buttons, "the buttons to go")
        again = await chat.server.presses(BEN, question, yes)
        await again.answered.wait()
        assert again.toast.startswith("✕ Already used.")
        await chat.server.until(lambda: list(question.buttons) == ["Ask again"], "the button")
        assert [asked[0] for asked in chat.house.desk.asked] == ["flatten"]


async def test_a_live_message_goes_on_after_an_outage_and_ends_by_its_button() -> None:
    async with a_chat() as chat:
        live = await chat.ask(BEN, "/watch")
        assert "Live until" in live.text
        chat.server.fail("editMessageText", Fault.BROKEN, times=9)
        await chat.tick(lambda: len(chat.server.asked("editMessageText")) > 12, "edits")
        await chat.server.presses(BEN, live, "End watch")
        await chat.server.until(lambda: "Live until" not in live.text, "the end")
        edits = len(live.edits)
        chat.clock.advance(60)
        await chat.ask(BEN, "/help")
        assert len(live.edits) == edits


async def test_a_stop_is_heard_however_much_is_under_way() -> None:
    async with a_chat() as chat:
        chat.answers["/orders"] = stuck
        for _ in range(SHARE + 20):
            await chat.server.says(BEN, "/orders")
        await chat.server.confirmed()
        await chat.server.says(BEN, "/stop")
        await chat.server.seen(2, "■ Stopped")
        await chat.server.until(lambda: len(chat.heard) == SHARE + 1, "the others")
        assert said(chat, "Not heard") == 1
        told = next(m for m in chat.server.room(2).seen if "Not heard" in m.text)
        assert told.text == (
            f"✕ Not heard: {SHARE} of yours wait for answers\n"
            "Nothing was done. Say it again when they are there; a stop is always heard."
        )


async def test_nobody_s_crowd_keeps_another_from_being_heard() -> None:
    async with a_chat() as chat:
        chat.answers["/orders"] = stuck
        for _ in range(SHARE + 20):
            await chat.server.says(CLEO, "/orders")
        for said in ("/status", "/positions", "please stop"):
            await chat.ask(BEN, said)
        assert len(chat.heard) == SHARE + 3


async def test_a_refusal_that_would_cost_the_group_a_message_too_many_costs_none() -> None:
    async with a_chat() as chat:
        chat.answers["/orders"] = Reply("✕ No", outcome=Outcome.REFUSED, withheld=True)
        status = await chat.ask(CLEO, "/status", chat=GROUP)
        await chat.server.says(CLEO, "/orders", chat=GROUP)
        press = await chat.server.presses(CLEO, status, "/orders")
        await press.answered.wait()
        await chat.ask(CLEO, "/help", chat=GROUP)
        assert press.toast == "✕ No"
        assert not [m for m in chat.server.room(GROUP).seen if "✕ No" in m.text]


def said(chat: Chat, words: str) -> int:
    """How many messages ben has seen that say so."""
    return sum(words in message.text for message in chat.server.room(2).seen)


async def stuck(message: Message) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_refusal_too_late_for_a_toast_is_a_message() -> None:
    async with a_chat() as chat:
        status = await chat.ask(CLEO, "/status")
        press = await chat.server.presses(CLEO, status, "/flatten")
        press.expired = True
        assert (await chat.server.seen(3, "needs operator")).reply_to == status.id


async def test_two_taps_on_a_button_act_once() -> None:
    async with a_chat() as chat:
        status = await chat.ask(BEN, "/status")
        await chat.server.presses(BEN, status, "/flatten")
        await chat.server.presses(BEN, status, "/flatten")

        def asking() -> list[str]:
            return [m.buttons["Close 3 now"] for m in chat.server.room(2).seen if m is not status]

        await chat.server.until(lambda: len(asking()) == 2, "both answers")
        first, second = asking()
        assert first == second


async def test_a_press_that_was_refused_may_be_made_again() -> None:
    async with a_chat() as chat:
        status = await chat.ask(ANNA, "/status", chat=GROUP)
        chat.house.trader.broken = Refused("not yet")
        press = await chat.server.presses(BEN, status, "/close SOL")
        await press.answered.wait()
        assert press.toast.startswith("✕ Not yet")
        chat.house.trader.broken = None
        await chat.server.presses(BEN, status, "/close SOL")
        assert "Cancel" in (await chat.server.seen(GROUP, "Sell all 1.80 SOL")).buttons


async def test_a_refused_press_that_offers_choices_is_a_message_and_the_buttons_stay() -> None:
    async with a_chat() as chat:
        stopped = await chat.ask(BEN, "/stop")
        before = dict(stopped.buttons)
        chat.house.desk.refusals = {"H1": "day -3.01 % is past -3.00 %"}
        press = await chat.server.presses(BEN, stopped, "/resume")
        refused = await chat.server.seen(2, "Still halted")
        assert press.toast == ""
        assert "Status" in refused.buttons
        assert refused.reply_to == stopped.id
        assert dict(stopped.buttons) == before


async def test_a_stop_pressed_twice_stops_twice() -> None:
    async with a_chat() as chat:
        status = await chat.ask(BEN, "/status")
        await chat.server.presses(BEN, status, "Stop")
        await chat.server.presses(BEN, status, "/stop")
        await chat.server.seen(2, "Already stopped")
        assert len(chat.house.desk.asked) == 2


async def test_a_stop_works_from_a_message_too_old_to_be_read() -> None:
    async with a_chat() as chat:
        old = await chat.ask(BEN, "/status")
        await chat.server.presses(BEN, old, "Stop", inaccessible=True)
        await chat.server.seen(2, "■ Stopped")


@pytest.mark.parametrize(("age", "acts"), [(28, True), (61, False)])
async def test_after_a_restart_a_press_is_at_most_as_old_as_its_message(
    age: int, acts: bool
) -> None:
    notes = Memory()
    async with a_chat(notes=notes) as chat:
        before = await chat.ask(BEN, "/stop")
        server = chat.server
    async with TelegramServer(now=server._now) as server:
        server._updates.clear()
        server.rooms[2] = chat.server.room(2)
        server._last_message, server._last_update = 50, 700_000_900
        press = await server.presses(BEN, before, "/resume")
        stop = await server.presses(BEN, before, "/stop")
        house = House()
        house.clock.advance(age)
        chat = a_face(server, house, notes)
        running = asyncio.create_task(chat.telegram.run(chat.on_message))
        await press.answered.wait()
        await stop.answered.wait()
        assert ("is not known: it may be too late to act on" in press.toast) is not acts
        assert "ago" not in press.toast
        assert press.alert is not acts
        await server.seen(2, "■ Stopped")
        fresh = await server.presses(BEN, before, "/resume")
        await server.seen(2, "Resume")
        await fresh.answered.wait()
        assert fresh.toast == ""
        running.cancel()
        await asyncio.wait([running])
        await chat.telegram.close()


# -- the same and the late ----------------------------------------------------------------


async def test_the_same_update_twice_acts_and_answers_once() -> None:
    async with a_chat() as chat:
        await chat.ask(BEN, "/pause")
        chat.server.redeliver()
        await chat.server.confirmed()
        await chat.ask(BEN, "/status")
        assert len(chat.house.desk.asked) == 1
        assert len(chat.server.room(2).seen) == 2


async def test_a_late_resume_is_refused_and_a_late_stop_is_not() -> None:
    async with a_chat() as chat:
        assert "■ Stopped" in (await chat.ask(BEN, "/stop", ago=3_600)).text
        assert "too late to act on" in (await chat.ask(BEN, "/resume", ago=120)).text


# -- strangers, and words that are not for us ---------------------------------------------


async def test_strangers_get_nothing_at_all() -> None:
    async with a_chat() as chat:
        status = await chat.ask(BEN, "/status", chat=GROUP)
        press = await chat.server.presses(MALLORY, status, "Stop")
        await chat.server.says(MALLORY, "let me in")
        await chat.server.says(MALLORY, "/stop", chat=GROUP)
        await chat.server.says(BEN, "/stop", chat=ELSEWHERE)
        await chat.server.until(lambda: len(chat.foreign_orders) == 4, "the strangers")
        await chat.ask(BEN, "/help")
        assert not press.answered.is_set()
    told = {("Telegram", "99817"), ("Telegram", str(ELSEWHERE))}
    assert set(chat.foreign_orders) == told
    assert chat.server.room(99817).seen == []
    assert chat.server.room(ELSEWHERE).seen == []
    assert [m.text for m in chat.heard] == ["/status", "/help"]


async def test_strangers_in_crowds_keep_nobody_from_being_heard() -> None:
    async with a_chat() as chat:
        chat.history_hangs = True
        for number in range(SHARE + 20):
            await chat.server.says(Person(900_000 + number, "mallory"), "/start")
        await chat.server.confirmed()
        await chat.ask(BEN, "/status")
        assert len(chat.foreign_orders) < SHARE


async def test_in_groups_only_commands_to_us_are_heard() -> None:
    async with a_chat() as chat:
        say = chat.server.says
        await say(BEN, "stop", chat=GROUP)
        await say(BEN, "/stop@another_bot", chat=GROUP)
        await say(BEN, "/stop", via_bot=Person(9, "bot", is_bot=True).json())
        await say(BEN, "/stop", kind="channel_post")
        await say(Person(9, "bot", is_bot=True), "/stop", chat=GROUP)
        await say(MALLORY, "good morning", chat=GROUP)
        answer = await chat.ask(BEN, f"/status@{USERNAME.upper()}", chat=GROUP)
        assert answer.reply_to is not None
    assert [m.text for m in chat.heard] == [f"/status@{USERNAME.upper()}"]
    assert chat.foreign_orders == []
    assert chat.house.desk.asked == []


async def test_topics_are_chats_of_their_own() -> None:
    async with a_chat() as chat:
        said = await chat.server.says(BEN, "/status", chat=FORUM, thread=5)
        answer = await chat.server.answer_to(said)
        assert answer.thread == 5
        assert chat.heard[0].caller.chat == f"telegram:{FORUM}/5"
        await chat.server.presses(BEN, answer, "Stop")
        assert (await chat.server.seen(FORUM, "■ Stopped")).thread == 5
        await chat.telegram.send(f"{FORUM}/5", Reply("alert"), silent=True)
        assert (await chat.server.seen(FORUM, "alert")).thread == 5


# -- groups that move ---------------------------------------------------------------------

NEW = -100999


@pytest.mark.parametrize("told", [True, False])
async def test_a_group_that_moves_keeps_its_rights_and_its_name(told: bool) -> None:
    notes = Memory()
    async with a_chat(notes=notes) as chat:
        await chat.server.migrates(GROUP, NEW, tell=told)
        await chat.server.confirmed()
        await chat.telegram.send(str(GROUP), Reply("alert"), silent=True)
        await chat.server.seen(NEW, "alert")
        await chat.ask(BEN, "/status", chat=NEW)
        assert chat.heard[0].caller.chat == f"telegram:{GROUP}"
        server = chat.server
    assert str(NEW) in notes.kept["telegram:moved"]
    async with a_chat(notes=notes, server=server) as chat:
        await chat.telegram.send(str(GROUP), Reply("after a restart"), silent=True)
        await chat.server.seen(NEW, "after a restart")


async def test_nobody_moves_a_group_in_that_is_not_listed() -> None:
    async with a_chat() as chat:
        await chat.server.migrates(ELSEWHERE, NEW)
        await chat.server.says(BEN, "/stop", chat=NEW)
        await chat.server.until(lambda: chat.foreign_orders, "a stranger")
        assert chat.house.desk.asked == []


# -- alerts -------------------------------------------------------------------------------


async def test_an_alert_sounds_as_told() -> None:
    async with a_chat() as chat:
        await chat.telegram.send("2", Reply("loud", level=Level.CRITICAL), silent=False)
        await chat.telegram.send("2", Reply("quiet"), silent=True)
        loud, quiet = chat.server.room(2).seen
    assert (loud.silent, quiet.silent) == (False, True)


async def test_one_story_is_one_message_until_it_needs_a_person() -> None:
    async with a_chat() as chat:
        send = chat.telegram.send
        await send("2", Reply("? Unknown", story="o-1", level=Level.URGENT), silent=False)
        await send("2", Reply("✓ Resolved", story="o-1"), silent=True)
        await send("2", Reply("other", story="o-2"), silent=True)
        await send("2", Reply("⚠ Again", story="o-1", level=Level.URGENT), silent=False)
        first, other, again = chat.server.room(2).seen
    assert first.edits == ["? Unknown", "✓ Resolved"]
    assert (other.text, again.text) == ("other", "⚠ Again")


async def test_a_story_whose_message_was_deleted_goes_on_in_a_new_one() -> None:
    async with a_chat() as chat:
        await chat.telegram.send("2", Reply("one", story="H1"), silent=True)
        chat.server.room(2).seen[0].deleted = True
        await chat.telegram.send("2", Reply("two", story="H1"), silent=True)
        assert [m.text for m in chat.server.room(2).seen] == ["two"]


async def test_refused_markup_goes_out_plain() -> None:
    async with a_chat() as chat:
        chat.server.fail("sendMessage", Fault.NO_MARKUP, times=9)
        reply = Reply("A & B", text="1 < 2", choices=(REFRESH,))
        await chat.telegram.send("2", reply, silent=True)
        (message,) = chat.server.room(2).seen
    assert (message.text, message.entities) == ("A & B\n1 < 2", [])
    assert list(message.buttons) == ["Refresh"]


@pytest.mark.parametrize(
    ("what", "error"), [("blocked", BlockedByUser), ("gone", NotInChat), ("", ChatUnknown)]
)
async def test_a_chat_that_takes_nothing_is_no_trouble_of_the_platform(
    what: str, error: type[Exception]
) -> None:
    async with a_chat() as chat:
        if what:
            setattr(chat.server.room(2), what, True)
        else:
            del chat.server.rooms[2]
        with pytest.raises(error):
            await chat.telegram.send("2", Reply("alert"), silent=True)
        assert chat.telegram.problem == ""
        await chat.telegram.send("1", Reply("alert"), silent=True)


async def test_too_many_requests_are_the_outboxs_to_wait_for() -> None:
    async with a_chat() as chat:
        chat.server.fail("sendMessage", Fault.FLOOD, retry_after=17)
        with pytest.raises(Throttled) as told:
            await chat.telegram.send("2", Reply("alert"), silent=True)
        assert told.value.retry_after == 17
        assert chat.telegram.problem == "it refuses too many requests until 20:41:26 UTC"
        chat.clock.advance(17)
        assert chat.telegram.problem == ""
        chat.server.fail("sendMessage", Fault.FLOOD, retry_after=3_600)
        with pytest.raises(Throttled):
            await chat.telegram.send("2", Reply("alert"), silent=True)
        assert chat.telegram.problem == "it has banned the bot until 21:41:26 UTC"


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.GATEWAY, Fault.DROP, Fault.HANG])
async def test_an_alert_that_may_not_have_arrived_is_said_to_be_so(fault: Fault) -> None:
    async with a_chat() as chat:
        chat.server.fail("sendMessage", fault)
        with pytest.raises(NoTelegramAnswer):
            await chat.telegram.send("2", Reply("alert"), silent=True)
        await chat.telegram.send("2", Reply("alert"), silent=True)
        assert len(chat.server.room(2).seen) == 1


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.DROP, Fault.FLOOD, Fault.GARBAGE])
async def test_an_answer_is_tried_again(fault: Fault) -> None:
    async with a_chat() as chat:
        chat.server.fail("sendMessage", fault, times=2, retry_after=3)
        await chat.server.says(BEN, "/status")
        await chat.tick(lambda: chat.server.room(2).seen, "the answer")
        assert len(chat.server.room(2).seen) == 1


# -- pictures -----------------------------------------------------------------------------


async def test_a_chart_is_a_picture_with_its_facts_and_buttons_below() -> None:
    reply = Reply("Equity 9,789", text="As told.", chart=CHART, choices=(REFRESH,))
    async with a_chat() as chat:
        chat.answers["/equity"] = chat.answers["/status"] = reply
        answer = await chat.ask(BEN, "/equity")
        assert answer.photo == PNG + b"\x01"
        assert answer.text == "Equity 9,789\nAs told."
        assert list(answer.buttons) == ["Refresh"]
        await chat.server.presses(BEN, answer, "Refresh")
        await chat.server.until(lambda: answer.photo == PNG + b"\x02", "the new picture")
        assert len(chat.server.room(2).seen) == 1


async def test_what_is_too_long_for_a_caption_follows_the_picture() -> None:
    async with a_chat() as chat:
        chat.answers["/equity"] = Reply("T", text="y" * 1_500, chart=CHART, choices=(REFRESH,))
        await chat.server.says(BEN, "/equity")
        rest = await chat.server.seen(2, "yyy")
        picture, same = chat.server.room(2).seen
    assert same is rest
    assert (picture.text, list(picture.buttons)) == ("T", ["Refresh"])
    assert not rest.buttons


async def test_without_a_picture_the_text_says_so() -> None:
    async with a_chat() as chat:
        chat.painter.broken = True
        chat.answers["/equity"] = Reply("Equity 9,789", text="As told.", chart=CHART)
        answer = await chat.ask(BEN, "/equity")
    assert answer.text == "Equity 9,789\nAs told.\nThe picture could not be drawn."
    assert answer.photo is None


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.REFUSED])
async def test_an_alert_whose_picture_is_refused_arrives_in_words(fault: Fault) -> None:
    async with a_chat() as chat:
        chat.server.fail("sendPhoto", fault, times=9)
        reply = Reply("Day", text="As told.", chart=CHART, choices=(REFRESH,))
        await chat.telegram.send("2", reply, silent=True)
        (message,) = chat.server.room(2).seen
    assert message.text == "Day\nAs told.\nThe picture could not be drawn."
    assert list(message.buttons) == ["Refresh"]


async def test_an_alert_refused_for_an_unknown_reason_arrives_bare() -> None:
    async with a_chat() as chat:
        chat.server.fail("sendMessage", Fault.REFUSED)
        await chat.telegram.send("2", Reply("A & B", choices=(REFRESH,)), silent=True)
        (message,) = chat.server.room(2).seen
    assert (message.text, dict(message.buttons)) == ("A & B", {})


async def test_a_story_that_cannot_be_edited_goes_on_in_a_new_message() -> None:
    async with a_chat() as chat:
        await chat.telegram.send("2", Reply("one", story="H1"), silent=True)
        chat.server.fail("editMessageText", Fault.REFUSED, times=9)
        await chat.telegram.send("2", Reply("two", story="H1"), silent=True)
        assert [m.text for m in chat.server.room(2).seen] == ["one", "two"]


@pytest.mark.parametrize("title", ["", "\u200b", "half \ud83d of it"])
async def test_no_words_keep_an_alert_from_arriving(title: str) -> None:
    async with a_chat() as chat:
        await chat.telegram.send("2", Reply(title, text="half \udfff"), silent=True)
        (message,) = chat.server.room(2).seen
    assert message.text.endswith("half ")


async def test_a_text_in_the_place_of_a_picture_is_a_new_message() -> None:
    async with a_chat() as chat:
        chat.answers["/equity"] = Reply("E", chart=CHART, choices=(REFRESH,))
        picture = await chat.ask(BEN, "/equity")
        await chat.server.presses(BEN, picture, "Refresh")
        text = await chat.server.seen(2, "Trading")
        assert chat.server.room(2).seen == [text]
        assert text.silent
        chat.answers["/status"] = Reply("E", chart=CHART, choices=(REFRESH,))
        await chat.server.presses(BEN, text, "Refresh")
        await chat.server.until(lambda: chat.server.room(2).seen[-1:] != [text], "change")
        assert (await chat.server.seen(2, "E")).photo
        assert len(chat.server.room(2).seen) == 1


# -- the menu -----------------------------------------------------------------------------


async def test_each_role_has_its_menu_and_strangers_have_none() -> None:
    async with a_chat() as chat:
        menus = chat.server.menus
        await chat.server.until(lambda: len(menus) == 5, "the menus")
        names = {scope: [c["command"] for c in menu] for scope, menu in menus.items()}
    assert set(names) == {"chat 1", "chat 2", "chat 3", f"chat {GROUP}", f"chat {FORUM}"}
    assert "stop" in names["chat 2"]
    assert "stop" not in names["chat 3"]
    assert names[f"chat {GROUP}"] == names["chat 3"]
    assert set(names["chat 3"]) < set(names["chat 2"]) < set(names["chat 1"])
    assert {"start", "help"} <= set(names["chat 3"])
    assert not {"confirm", "cancel"} & set(names["chat 1"])
    described = {c["command"]: c["description"] for c in chat.server.menus["chat 1"]}
    assert described["status"] == COMMANDS["status"].summary


async def test_the_menu_is_sent_once_and_when_somebody_opens_the_chat() -> None:
    notes = Memory()
    async with a_chat(notes=notes, start=False) as chat:
        del chat.server.rooms[3]
        await chat.server.until(lambda: len(chat.server.menus) == 4, "the menus")
        await chat.server.until(lambda: "telegram:menu" in notes.kept, "the note")
        await chat.ask(CLEO, "/start")
        await chat.server.until(lambda: "chat 3" in chat.server.menus, "cleo's menu")
        await chat.server.until(lambda: '"3"' in notes.kept["telegram:menu"], "the note")
        asked = len(chat.server.asked("setMyCommands"))
        server = chat.server
    async with a_chat(notes=notes, server=server) as chat:
        await chat.ask(BEN, "/status")
        assert len(chat.server.asked("setMyCommands")) == asked


# -- what goes wrong ----------------------------------------------------------------------


async def test_a_revoked_token_is_said_and_a_restored_one_recovers() -> None:
    async with a_chat() as chat:
        chat.server.revoke()
        await chat.trouble("its token is refused")
        chat.server.restore()
        await chat.recovered()
        await chat.ask(BEN, "/status")


async def test_a_second_poller_is_said_and_recovers() -> None:
    async with a_chat() as chat:
        chat.server.fail("getUpdates", Fault.CONFLICT, times=3)
        await chat.trouble("another program polls with the same token")
        await chat.recovered()
        await chat.ask(BEN, "/status")


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.GATEWAY, Fault.DROP, Fault.GARBAGE])
async def test_polls_that_fail_are_said_and_recover(fault: Fault) -> None:
    async with a_chat() as chat:
        chat.server.fail("getUpdates", fault, times=2)
        await chat.trouble("it does not answer")
        await chat.recovered()
        await chat.ask(BEN, "/status")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIBBLE])
async def test_a_poll_that_hangs_is_given_up(fault: Fault) -> None:
    async with a_chat() as chat:
        chat.server.fail("getUpdates", fault)
        await chat.trouble("it does not answer")
        await chat.recovered()
        await chat.ask(BEN, "/status")
    assert chat.server.conflicts == 0


def test_a_poll_that_hangs_delays_a_stop_by_ten_seconds_at_most() -> None:
    usual = Polling()
    assert usual.longest <= 10
    assert usual.longest_delay <= 5
    assert usual.wait < usual.longest


async def test_a_flooded_poll_waits_as_told() -> None:
    async with a_chat() as chat:
        chat.server.fail("getUpdates", Fault.FLOOD, retry_after=9)
        await chat.trouble("it refuses too many requests until 20:41:18 UTC")
        await chat.recovered()
        await chat.ask(BEN, "/status")


async def test_a_server_that_is_gone_is_waited_for() -> None:
    async with a_chat() as chat:
        await chat.server.go_away()
        await chat.trouble("it does not answer")
        await chat.server.come_back()
        await chat.recovered()
        await chat.ask(BEN, "/status")


async def test_what_was_pressed_during_an_outage_is_old_after_it() -> None:
    async with a_chat() as chat:
        answer = await chat.ask(BEN, "/stop")
        await chat.server.go_away()
        await chat.trouble("it does not answer")
        press = await chat.server.presses(BEN, answer, "/resume")
        chat.clock.advance(120)
        await chat.server.come_back()
        await chat.recovered()
        await press.answered.wait()
        assert "too late to act on" in press.toast


async def test_the_desk_starts_with_telegram_down() -> None:
    async with a_chat(start=False, server=TelegramServer()) as chat:
        assert chat.telegram.problem == "it has not answered yet"
        await chat.server.go_away()
        await chat.server.until(lambda: "does not answer" in chat.telegram.problem, "trouble")
        await chat.server.come_back()
        await chat.recovered()


UNREADABLE = {"message": {"message_id": "?", "chat": 7, "from": []}}


async def test_not_even_the_first_update_of_all_shuts_out_the_next() -> None:
    server = TelegramServer(now=NOW.timestamp)
    server._deliver(UNREADABLE)
    async with a_chat(server=server) as chat:
        await chat.server.says(BEN, "/stop")
        await chat.server.seen(2, "■ Stopped")


async def test_updates_that_are_numbered_anew_after_a_week_are_heard() -> None:
    async with a_chat() as chat:
        await chat.ask(BEN, "/help")
        await chat.server.until(
            lambda: chat.server.asked("getUpdates")[-1]["offset"] > 0, "the poll after the answer"
        )
        chat.clock.advance(6 * 86_400)
        await chat.server.until(
            lambda: chat.server.asked("getUpdates")[-1]["offset"] == 0, "a new count"
        )
        chat.server._last_update = 5
        await chat.server.says(BEN, "/stop")
        await chat.server.seen(2, "■ Stopped")


# -- secrets ------------------------------------------------------------------------------


async def test_no_token_and_no_strangers_words_reach_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with logs.writing(tmp_path, level="debug", console="critical", secrets=()):
        async with a_chat() as chat:
            await chat.server.says(MALLORY, "psst, a secret")
            await chat.ask(BEN, "/status")
            for fault in (Fault.BROKEN, Fault.DROP, Fault.FLOOD, Fault.GARBAGE, Fault.CONFLICT):
                chat.server.fail("sendMessage", fault)
                with suppress(Throttled, Exception):
                    await chat.telegram.send("2", Reply("alert"), silent=True)
                chat.server.fail("getUpdates", fault)
                await chat.tick(lambda: not chat.server._plans[-1].times, "the fault")
                await chat.recovered()
            chat.server.revoke()
            # The last fault may reach the face only now, and it waits then by this clock.
            await chat.tick(lambda: "its token is refused" in chat.telegram.problem, "trouble")
            with pytest.raises(Exception, match="its token is refused") as refused:
                await chat.telegram.send("2", Reply("alert"), silent=True)
            assert refused.value.__cause__ is None
            assert refused.value.__context__ is None
            chat.server.restore()
            await chat.recovered()
    written = (tmp_path / logs.FILE).read_text("utf-8") + caplog.text
    written += "".join(str(record.__dict__) for record in caplog.records)
    assert "its token is refused" in written
    for secret in (TOKEN, TOKEN.partition(":")[2], "psst", "mallory"):
        assert secret not in written


def test_the_face_is_a_chat_platform_that_does_not_show_its_token() -> None:
    platform: ChatPlatform = a_face(TelegramServer(), House(), Memory()).telegram
    assert (platform.name, platform.title) == ("telegram", "Telegram")
    assert TOKEN not in repr(platform)
