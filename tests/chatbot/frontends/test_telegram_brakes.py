"""A stop is heard however it comes: as a caption, passed on, put right afterwards, to us by name.

What spends or loosens must be said in a message of its own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.chatbot.frontends.test_telegram import (
    BEN,
    CLEO,
    ELSEWHERE,
    GROUP,
    MALLORY,
    a_chat,
)
from tests.servers.telegram import USERNAME, Person

ORIGINS: list[dict[str, Any]] = [
    {"type": "hidden_user", "date": 1, "sender_user_name": "x"},
    {"type": "user", "date": 1, "sender_user": {"id": 5, "is_bot": False, "first_name": "x"}},
    {"type": "chat", "date": 1, "sender_chat": {"id": -7, "type": "supergroup", "title": "x"}},
    {"type": "channel", "date": 1, "chat": {"id": -8, "type": "channel"}, "message_id": 3},
]
PHOTO = [{"file_id": "p", "file_unique_id": "p", "width": 9, "height": 6}]
DOCUMENT = {"file_id": "d", "file_unique_id": "d"}
EDITED: dict[str, Any] = {"kind": "edited_message", "edit_date": 1_760_128_900}
OURS: dict[str, Any] = {
    "message_id": 1,
    "date": 1,
    "chat": {"id": GROUP, "type": "supergroup", "title": "Harbour"},
    "from": {"id": 7, "is_bot": True, "first_name": "harbour", "username": USERNAME},
}
WAYS: list[dict[str, Any]] = [
    *({"forward_origin": origin} for origin in ORIGINS),
    EDITED,
    {"caption": "", "photo": PHOTO},
    {"caption": "", "document": DOCUMENT},
    {"caption": "", "photo": PHOTO, **EDITED},
    {"caption": "", "photo": PHOTO, "forward_origin": ORIGINS[0]},
]


def as_said(way: dict[str, Any], line: str) -> tuple[str, dict[str, Any]]:
    """The text, and the rest of a message that says *line* in this *way*."""
    return ("", {**way, "caption": line}) if "caption" in way else (line, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("chat_id", [BEN.id, GROUP])
@pytest.mark.parametrize("line", ["/stop", f"/stop@{USERNAME}", "/pause"])
async def test_a_stop_is_heard_however_it_comes(
    way: dict[str, Any], chat_id: int, line: str
) -> None:
    async with a_chat() as chat:
        text, extra = as_said(way, line)
        await chat.server.says(BEN, text, chat=chat_id, **extra)
        await chat.server.seen(chat_id, "Stopped" if "stop" in line else "Paused")
        assert len(chat.house.desk.asked) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("line", ["/buy BTC 1", "/resume", "/flatten", "/confirm AAAA", "/status"])
async def test_what_spends_must_be_a_message_of_its_own(way: dict[str, Any], line: str) -> None:
    async with a_chat() as chat:
        text, extra = as_said(way, line)
        await chat.server.says(BEN, text, **extra)
        told = await chat.server.seen(2, "only a stop is heard")
        await chat.server.says(BEN, text, **extra)
        await chat.server.says(BEN, "", photo=PHOTO, caption="the harbour at night")
        await chat.ask(BEN, "/help")
        assert [m.text for m in chat.heard] == ["/help"]
        assert chat.server.room(2).seen[0] is told
        assert len(chat.server.room(2).seen) == 2


async def test_a_stop_whose_words_are_mended_stops_once() -> None:
    async with a_chat() as chat:
        typed = await chat.server.says(BEN, "/sotp")
        await chat.server.seen(2, "/sotp")
        for words in ("/stop", "/stop news", "/stop news at 20:45"):
            await chat.server.says(BEN, words, message_id=typed.id, **EDITED)
        await chat.server.seen(2, "■ Stopped")
        await chat.server.confirmed()
        await chat.ask(BEN, "/help")
        assert len(chat.house.desk.asked) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_strangers_and_viewers_stop_nothing_in_any_way(way: dict[str, Any]) -> None:
    async with a_chat() as chat:
        text, extra = as_said(way, "/stop")
        await chat.server.says(MALLORY, text, **extra)
        await chat.server.says(MALLORY, text, chat=GROUP, **extra)
        await chat.server.says(BEN, text, chat=ELSEWHERE, **extra)
        await chat.server.says(CLEO, text, chat=GROUP, **extra)
        assert "needs operator" in (await chat.server.seen(GROUP, "/stop")).text
        await chat.server.until(lambda: len(chat.foreign_orders) == 3, "the strangers")
        assert chat.house.desk.asked == []
        assert chat.server.room(MALLORY.id).seen == []


@pytest.mark.parametrize(
    ("text", "extra", "stops"),
    [
        (f"@{USERNAME} stop", {}, True),
        (f"@{USERNAME.upper()} /stop news", {}, True),
        ("stop", {"reply_to_message": OURS}, True),
        ("Stop", {"reply_to_message": OURS}, True),
        ("stop was too tight", {"reply_to_message": OURS}, False),
        ("stop", {}, False),
        ("stop", {"reply_to_message": {**OURS, "from": BEN.json()}}, False),
        ("@another_bot stop", {}, False),
        ("/stop@another_bot", {}, False),
        ("\uff0fstop\uff20another_bot", {}, False),
        (" / stop@another_bot!", {}, False),
        (f"Stop it now @{USERNAME}", {}, True),
        ("Stop was too tight @another_bot", {}, False),
        (f"we sell nothing @{USERNAME}", {}, False),
        (f"@{USERNAME} buy BTC 1", {}, False),
    ],
)
async def test_in_a_group_plain_words_to_us_stop(
    text: str, extra: dict[str, Any], stops: bool
) -> None:
    async with a_chat() as chat:
        await chat.server.says(BEN, text, chat=GROUP, **extra)
        await chat.ask(BEN, "/help")
        if stops:
            await chat.server.seen(GROUP, "■ Stopped")
        assert len(chat.house.desk.asked) == int(stops)


@pytest.mark.parametrize(
    "text",
    [
        "\uff0fstop", "\uff0f\uff33\uff34\uff2f\uff30", "\u2215stop", "\u2044stop", " / stop",
        "\n/stop", "\u200e/stop", "\ufeff\u00a0/stop", "//stop", "/stop!!!", f"/stop@{USERNAME}!!!",
        f"/stop@{USERNAME},please", f"\uff0fstop\uff20{USERNAME.upper()}", f"/ stop@{USERNAME} now",
        f"/stop @{USERNAME}",
    ],
)  # fmt: skip
async def test_in_a_group_a_stop_with_the_slash_of_any_keyboard_is_one(text: str) -> None:
    async with a_chat() as chat:
        await chat.server.says(BEN, text, chat=GROUP)
        await chat.server.seen(GROUP, "■ Stopped")


@pytest.mark.parametrize(
    ("text", "extra", "chat_id"),
    [
        ("", {"caption": "please stop", "photo": PHOTO}, BEN.id),
        ("please stop", EDITED, BEN.id),
        (f"@{USERNAME} please stop", {}, GROUP),
        ("/panic", EDITED, GROUP),
    ],
)
async def test_a_cry_that_comes_so_is_offered_a_stop(
    text: str, extra: dict[str, Any], chat_id: int
) -> None:
    async with a_chat() as chat:
        await chat.server.says(BEN, text, chat=chat_id, **extra)
        asked = await chat.server.seen(chat_id, "Nothing was stopped")
        assert asked.buttons["Stop now"] == "/stop"
        assert chat.house.desk.asked == []
        await chat.server.presses(BEN, asked, "Stop now")
        await chat.server.seen(chat_id, "■ Stopped")


ANONYMOUS = Person(1_087_968_824, "Group", is_bot=True)
CHANNEL_BOT = Person(136_817_688, "Channel", is_bot=True)
SERVICE = Person(777_000, "Telegram")
AS_GROUP: dict[str, Any] = {"sender_chat": {"id": GROUP, "type": "supergroup", "title": "Harbour"}}
AS_CHANNEL: dict[str, Any] = {"sender_chat": {"id": -9, "type": "channel", "title": "News"}}


@pytest.mark.parametrize(
    ("who", "extra"),
    [
        (ANONYMOUS, AS_GROUP),
        (CHANNEL_BOT, AS_CHANNEL),
        (SERVICE, AS_CHANNEL | {"is_automatic_forward": True}),
        (ANONYMOUS, AS_GROUP | EDITED),
    ],
)
async def test_whoever_has_no_name_in_a_listed_group_is_told_once_a_minute(
    who: Person, extra: dict[str, Any]
) -> None:
    async with a_chat() as chat:
        for _ in range(3):
            await chat.server.says(who, "/stop", chat=GROUP, **extra)
        told = await chat.server.seen(GROUP, "Use your name")
        await chat.server.says(who, "good morning", chat=GROUP, **extra)
        await chat.server.says(who, "/stop@another_bot", chat=GROUP, **extra)
        await chat.server.says(who, "/stop", chat=ELSEWHERE, **extra)
        await chat.ask(BEN, "/help")
        assert chat.server.room(GROUP).seen == [told]
        assert chat.server.room(ELSEWHERE).seen == []
        chat.clock.advance(61)
        await chat.server.says(who, "/status", chat=GROUP, **extra)
        await chat.server.until(lambda: len(chat.server.room(GROUP).seen) == 2, "it again")
        assert chat.house.desk.asked == []
        assert chat.foreign_orders == []
