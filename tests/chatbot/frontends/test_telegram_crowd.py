"""A group takes 20 messages a minute: whoever asks much silences nothing that must be heard.

The server counts as the real one does, in its own time; the desk's clock moves only where a test
says so.  That no request was refused shows that the desk kept to the limit by itself.
"""

from __future__ import annotations

import asyncio

import pytest

from chatbot.delivery.budget import Crowded
from chatbot.frontends.telegram import TelegramFlood
from handlers.message import Message
from handlers.reply import Choice, Level, Priority, Reply
from tests.chatbot.frontends.test_telegram import (
    ANNA,
    BEN,
    CHART,
    CLEO,
    GROUP,
    Chat,
    a_chat,
)
from tests.handlers.story import NOW
from tests.servers.telegram import Fault, TelegramServer

ALARM = Reply("■ Halted by guard", level=Level.CRITICAL)


def strict() -> TelegramServer:
    """Counts whole minutes; only a group has a limit of its own."""
    return TelegramServer(now=NOW.timestamp, period=1, burst=1_000)


def said(chat: Chat, words: str) -> int:
    return sum(words in message.text for message in chat.server.room(GROUP).seen)


@pytest.mark.parametrize("line", ["/price BTC", "/confirm AAAA", "/xyzzy", "/stats", "/stop"])
@pytest.mark.parametrize("varied", [False, True])
async def test_a_flood_of_questions_silences_no_stop_and_no_critical_alert(
    line: str, varied: bool
) -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        for number in range(60):
            await chat.server.says(CLEO, f"{line} {number}" if varied else line, chat=GROUP)
        await chat.server.until(lambda: len(chat.heard) == 60, "the questions")
        await chat.server.says(BEN, "/stop", chat=GROUP)
        await chat.server.seen(GROUP, "■ Stopped")
        await chat.telegram.send(str(GROUP), ALARM, silent=False)
        await chat.server.says(ANNA, "/stop", chat=GROUP)
        await chat.server.seen(GROUP, "Already stopped")
        assert len(chat.server.room(GROUP).seen) <= 14
        assert chat.server.refused == 0


async def test_what_was_not_answered_is_told_in_one_sentence() -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        for number in range(45):
            await chat.server.says(CLEO, f"/price {number}", chat=GROUP)
        await chat.server.until(lambda: len(chat.heard) == 45, "the questions")
        await chat.server.until(lambda: len(chat.server.room(GROUP).seen) == 10, "ten answers")
        chat.server.forget_flood()
        chat.clock.advance(61)
        await chat.server.until(lambda: len(chat.server.room(GROUP).seen) == 20, "ten more")
        chat.server.forget_flood()
        chat.clock.advance(61)
        told = await chat.server.seen(GROUP, "not answered here")
        assert told.text.startswith("✕ 25 questions not answered here")
        assert said(chat, "not answered here") == 1


async def test_edits_count_and_leave_what_is_kept() -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        status = await chat.ask(CLEO, "/status", chat=GROUP)
        for number in range(40):
            shown = Reply(f"Look {number}", choices=(Choice("Refresh", "/status"),))
            chat.answers["/status"] = shown
            await chat.server.presses(CLEO, status, "/status")
        await chat.server.until(lambda: len(chat.heard) == 41, "the presses")
        await chat.server.says(BEN, "/stop", chat=GROUP)
        await chat.server.seen(GROUP, "■ Stopped")
        assert len(status.edits) <= 10
        assert chat.server.refused == 0


async def test_what_follows_a_stop_leaves_room_for_the_next_ones_answer() -> None:
    stages = 0

    async def later() -> Reply | None:
        nonlocal stages
        stages += 1
        return Reply(f"■ Stopped: stage {stages}", then=later, asked=Priority.STOP)

    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        chat.answers["/stop"] = Reply("■ Stopped", then=later, asked=Priority.STOP)
        first = await chat.ask(BEN, "/stop", chat=GROUP)
        await chat.server.until(lambda: len(first.edits) == 16, "stages")
        chat.answers["/stop"] = Reply("■ Already stopped", asked=Priority.STOP)
        await chat.server.says(ANNA, "/stop", chat=GROUP)
        await chat.server.seen(GROUP, "Already stopped")
        assert chat.server.refused == 0


async def test_a_refusal_that_is_withheld_costs_the_chat_nothing() -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        chat.answers["/resume"] = Reply("✕ Too often", withheld=True)
        await chat.server.says(CLEO, "/resume", chat=GROUP)
        await chat.ask(BEN, "/status", chat=GROUP)
        assert said(chat, "Too often") == 0


async def test_an_alert_that_must_wait_lets_a_more_important_one_go() -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        for number in range(16):
            await chat.telegram.send(str(GROUP), Reply(f"Opened {number}"), silent=True)
        with pytest.raises(Crowded) as told:
            await chat.telegram.send(str(GROUP), Reply("Opened 16"), silent=True)
        assert 59 < told.value.retry_after < 62
        await chat.telegram.send(str(GROUP), ALARM, silent=False)
        assert chat.telegram.problem == ""
        assert chat.server.refused == 0


async def test_after_a_flood_wait_a_stops_answer_still_goes_first() -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        chat.server.fail("sendMessage", Fault.FLOOD, retry_after=17)
        await chat.server.says(CLEO, "/status", chat=GROUP)
        await chat.server.until(lambda: len(chat.server.asked("sendMessage")) == 1, "a refusal")
        await chat.server.says(CLEO, "/positions", chat=GROUP)
        await chat.server.says(BEN, "/stop", chat=GROUP)
        waiting = chat.telegram._budget.waiting
        await chat.server.until(lambda: waiting(GROUP) == 3, "all of them to wait")
        chat.clock.advance(16)
        await chat.server.confirmed()
        assert chat.server.room(GROUP).seen == []
        chat.clock.advance(2)
        await chat.server.until(lambda: len(chat.server.room(GROUP).seen) == 3, "the answers")
        first, *_ = chat.server.room(GROUP).seen
        assert first.text.startswith("■ Stopped")


async def test_a_stops_answer_is_never_given_up() -> None:
    async with a_chat(server=strict(), flood=TelegramFlood()) as chat:
        chat.server.fail("sendMessage", Fault.BROKEN, times=12)
        await chat.server.says(BEN, "/stop", chat=GROUP)
        await chat.tick(lambda: said(chat, "■ Stopped"), "the answer")


async def test_a_slow_picture_is_shown_to_be_on_its_way_at_once() -> None:
    async with a_chat() as chat:
        chat.painter.waits = asyncio.Event()
        chat.answers["/chart BTC"] = Reply("BTC", chart=CHART)
        await chat.server.says(BEN, "/chart BTC")
        room = chat.server.room(2)
        await chat.server.until(lambda: room.doing == ["upload_photo"], "a sign")
        await chat.tick(lambda: len(room.doing) >= 3, "the sign to be kept up")
        assert room.seen == []
        chat.painter.waits.set()
        await chat.server.until(lambda: room.seen, "the picture")
        shown = len(room.doing)
        chat.clock.advance(60)
        await chat.ask(BEN, "/help")
        assert (room.seen[0].photo is not None, len(room.doing)) == (True, shown)


async def test_an_answer_that_takes_a_moment_is_shown_to_be_on_its_way() -> None:
    ready = asyncio.Event()

    async def slow(message: Message) -> Reply:
        await ready.wait()
        return Reply("BTC", chart=CHART)

    async with a_chat() as chat:
        chat.answers["/chart BTC"] = slow
        await chat.server.says(BEN, "/chart BTC", chat=GROUP)
        room = chat.server.room(GROUP)
        await chat.tick(lambda: room.doing, "a sign")
        assert room.doing[0] == "typing"
        ready.set()
        await chat.server.seen(GROUP, "BTC")
