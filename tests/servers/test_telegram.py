"""The Bot API server refuses what the real one refuses, and fails as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.servers.telegram import Fault, Person, TelegramServer

BEN = Person(2, "ben")
PNG = b"\x89PNG\r\n\x1a\n"


class Bot:
    """A client that says what it likes."""

    def __init__(self, server: TelegramServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session
        self.token = server.token

    async def __call__(self, method: str, **params: Any) -> Any:
        """The result; of what was refused, its code and words."""
        form = aiohttp.FormData()
        for name, value in params.items():
            if isinstance(value, bytes):
                form.add_field(name, value, filename="x.png")
            else:
                form.add_field(name, value if isinstance(value, str) else json.dumps(value))
        url = f"{self.server.base_url}/bot{self.token}/{method}"
        async with self._session.post(url, data=form) as response:
            body = await response.json()
        assert body["ok"] is (response.status == 200)
        return body["result"] if body["ok"] else f"{response.status} {body['description']}"


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with TelegramServer() as server, aiohttp.ClientSession() as session:
        server.room(2)
        yield Bot(server, session)


def keyboard(data: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "a", "callback_data": data}]]}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": "x" * 4_097}, "message is too long"),
        ({"text": "😀" * 2_049}, "message is too long"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "<b>x</i>", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "<h1>x</h1>", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "1 < 2", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "x <b", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "<tg-time>x</tg-time>", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "x", "reply_markup": keyboard("d" * 65)}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "reply_markup": keyboard("é" * 33)}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "chat_id": 3}, "chat not found"),
        ({"text": "x", "chat_id": "@somebody"}, "chat not found"),
        ({"text": "x", "message_thread_id": 5}, "message thread not found"),
        ({"text": "x", "reply_parameters": {"message_id": 7}}, "message to be replied not found"),
    ],
)
async def test_messages_that_are_refused(bot: Bot, params: dict[str, Any], words: str) -> None:
    answer = await bot("sendMessage", **({"chat_id": 2} | params))
    assert answer.startswith("400 Bad Request: ")
    assert words in answer
    assert bot.server.room(2).seen == []
    assert bot.server.schema_errors == []


@pytest.mark.parametrize(
    "params",
    [
        {"chat_id": 2},
        {"chat_id": 2, "text": "x", "colour": "red"},
        {"chat_id": 2, "text": "x", "disable_notification": "maybe"},
        {"chat_id": 2, "text": "x", "reply_markup": {"inline_keyboard": [[{"label": "a"}]]}},
        {"chat_id": 2, "text": "x", "message_thread_id": "five"},
    ],
)
async def test_the_schema_is_kept(bot: Bot, params: dict[str, Any]) -> None:
    assert (await bot("sendMessage", **params)).startswith("400 ")
    assert bot.server.schema_errors


async def test_markup_is_read_as_people_see_it(bot: Bot) -> None:
    text = '<b>A &amp; B</b> <pre>1</pre> <tg-time unix="1" format="r">now</tg-time> &quot;'
    sent = await bot("sendMessage", chat_id=2, text=text, parse_mode="HTML")
    assert sent["text"] == 'A & B 1 now "'
    (message,) = bot.server.room(2).seen
    assert [(e.type, e.text) for e in message.entities] == [
        ("bold", "A & B"),
        ("pre", "1"),
        ("date_time", "now"),
    ]


async def test_edits_that_are_refused(bot: Bot) -> None:
    number = (await bot("sendMessage", chat_id=2, text="x"))["message_id"]
    same = await bot("editMessageText", chat_id=2, message_id=number, text="x")
    assert "message is not modified" in same
    gone = await bot("editMessageText", chat_id=2, message_id=99, text="x")
    assert "message to edit not found" in gone
    photo = await bot("sendPhoto", chat_id=2, photo=PNG, caption="c")
    as_text = await bot("editMessageText", chat_id=2, message_id=photo["message_id"], text="x")
    assert "there is no text in the message to edit" in as_text
    long = await bot("sendPhoto", chat_id=2, photo=PNG, caption="c" * 1_025)
    assert "message caption is too long" in long


async def test_a_picture_is_replaced_by_its_attachment(bot: Bot) -> None:
    number = (await bot("sendPhoto", chat_id=2, photo=PNG + b"1"))["message_id"]
    media = {"type": "photo", "media": "attach://file", "caption": "new"}
    await bot("editMessageMedia", chat_id=2, message_id=number, media=media, file=PNG + b"2")
    (message,) = bot.server.room(2).seen
    assert (message.photo, message.text) == (PNG + b"2", "new")
    lost = await bot("editMessageMedia", chat_id=2, message_id=number, media=media)
    assert "IMAGE_PROCESS_FAILED" in lost


async def test_updates_come_again_until_they_are_confirmed(bot: Bot) -> None:
    await bot.server.says(BEN, "one")
    await bot.server.says(BEN, "two")
    first, second = await bot("getUpdates")
    assert [u["message"]["text"] for u in (first, second)] == ["one", "two"]
    assert await bot("getUpdates", offset=first["update_id"] + 1) == [second]
    assert await bot("getUpdates", offset=second["update_id"] + 1) == []
    bot.server.redeliver()
    for text in ("three", "four"):
        await bot.server.says(BEN, text)
    assert [u["message"]["text"] for u in await bot("getUpdates", offset=-1)] == ["two", "four"]
    bot.server.redeliver()
    assert len(await bot("getUpdates", offset=second["update_id"] + 3)) == 1


async def test_a_poll_is_held_open_until_something_is_said(bot: Bot) -> None:
    poll = asyncio.create_task(bot("getUpdates", timeout=20))
    await bot.server.until(lambda: bot.server.polls, "the poll")
    await bot.server.says(BEN, "hello")
    assert [u["message"]["text"] for u in await poll] == ["hello"]


async def test_of_two_pollers_the_older_one_is_refused(bot: Bot) -> None:
    older = asyncio.create_task(bot("getUpdates", timeout=20))
    await bot.server.until(lambda: bot.server.polls == 1, "the poll")
    newer = asyncio.create_task(bot("getUpdates", timeout=20))
    assert (await older).startswith("409 Conflict: terminated by other getUpdates request")
    await bot.server.says(BEN, "hello")
    assert len(await newer) == 1


async def test_a_press_is_answered_in_time_or_never(bot: Bot) -> None:
    await bot("sendMessage", chat_id=2, text="x", reply_markup=keyboard("/stop"))
    (message,) = bot.server.room(2).seen
    press = await bot.server.presses(BEN, message, "a")
    (update,) = await bot("getUpdates")
    assert update["callback_query"]["data"] == "/stop"
    assert await bot("answerCallbackQuery", callback_query_id=press.id, text="no") is True
    assert (press.toast, press.alert) == ("no", False)
    long = await bot("answerCallbackQuery", callback_query_id=press.id, text="n" * 201)
    assert "MESSAGE_TOO_LONG" in long
    press.expired = True
    assert "query is too old" in await bot("answerCallbackQuery", callback_query_id=press.id)


async def test_blocked_kicked_moved(bot: Bot) -> None:
    bot.server.room(2).blocked = True
    blocked = await bot("sendMessage", chat_id=2, text="x")
    assert blocked == "403 Forbidden: bot was blocked by the user"
    bot.server.room(-100).gone = True
    assert "kicked" in await bot("sendMessage", chat_id=-100, text="x")
    await bot.server.migrates(-5, -1005)
    assert "upgraded to a supergroup" in await bot("sendMessage", chat_id=-5, text="x")


async def test_tokens_are_looked_at(bot: Bot) -> None:
    bot.server.revoke()
    assert await bot("getMe") == "401 Unauthorized"
    bot.server.restore()
    assert (await bot("getMe"))["is_bot"] is True
    bot.token = "7654321:another"
    assert await bot("getMe") == "401 Unauthorized"


async def test_floods_are_held_back() -> None:
    async with TelegramServer(period=1, burst=3) as server, aiohttp.ClientSession() as session:
        bot = Bot(server, session)
        server.room(2)
        answers = [await bot("sendMessage", chat_id=2, text="x") for _ in range(4)]
        assert answers[-1].startswith("429 Too Many Requests: retry after ")
        assert len(server.room(2).seen) == 3
    async with TelegramServer(period=1) as server, aiohttp.ClientSession() as session:
        bot = Bot(server, session)
        server.room(-100)
        answers = [await bot("sendMessage", chat_id=-100, text="x") for _ in range(21)]
        assert answers[-1].startswith("429 ")
        assert len(server.room(-100).seen) == 20


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_AFTER])
async def test_a_dropped_request_may_have_been_done(bot: Bot, fault: Fault) -> None:
    bot.server.fail("sendMessage", fault)
    with pytest.raises(aiohttp.ClientError):
        await bot("sendMessage", chat_id=2, text="x")
    assert len(bot.server.room(2).seen) == (fault is Fault.DROP_AFTER)


async def test_faults_end(bot: Bot) -> None:
    bot.server.fail("*", Fault.BROKEN, times=2)
    assert (await bot("getMe")).startswith("500 ")
    assert (await bot("sendMessage", chat_id=2, text="x")).startswith("500 ")
    assert (await bot("getMe"))["is_bot"] is True


async def test_it_goes_away_and_comes_back_on_its_port(bot: Bot) -> None:
    address = bot.server.base_url
    await bot.server.go_away()
    with pytest.raises(aiohttp.ClientError):
        await bot("getMe")
    await bot.server.come_back()
    assert bot.server.base_url == address
    assert (await bot("getMe"))["is_bot"] is True


async def test_menus_are_checked(bot: Bot) -> None:
    good = [{"command": "stop", "description": "Stop it."}]
    assert await bot("setMyCommands", commands=good) is True
    assert await bot("getMyCommands") == good
    bad = [{"command": "Stop!", "description": "x"}]
    assert "BOT_COMMAND_INVALID" in await bot("setMyCommands", commands=bad)
    assert "BOT_COMMANDS_TOO_MUCH" in await bot("setMyCommands", commands=good * 101)
    assert await bot("deleteMyCommands") is True
    assert await bot("getMyCommands") == []
