"""What is written on Discord beside slash commands, and events that nobody can read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from chatbot.delivery.budget import Crowded
from handlers.caller import Role
from handlers.reply import Outcome, Priority, Reply
from tests.chatbot.frontends.test_discord import (
    A_CHART,
    BEN,
    CHANNEL,
    CLEO,
    DECK,
    GUILD,
    MALLORY,
    OTHER_GUILD,
    QUICK,
    Harbour,
    running,
)
from tests.servers.discord import APPLICATION, DiscordServer

US = f"<@{APPLICATION}>"
IN_GUILD: dict[str, Any] = {"channel": CHANNEL, "guild": GUILD}
ATTACHED = {"id": "5", "filename": "a.png", "size": 3, "url": "", "proxy_url": ""}
STOPPED = Reply("■ Stopped", asked=Priority.STOP)


def snapshot(text: str) -> dict[str, Any]:
    inside = {
        "content": text,
        "type": 0,
        "timestamp": "2025-10-10T20:41:09+00:00",
        "edited_timestamp": None,
        "flags": 0,
        "embeds": [],
        "attachments": [],
        "mentions": [],
        "mention_roles": [],
    }
    return {
        "message_snapshots": [{"message": inside}],
        "message_reference": {"type": 1, "channel_id": "1", "message_id": "2"},
    }


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        server.gateway.guilds = {GUILD, OTHER_GUILD}
        server.channel(CHANNEL)
        yield server


@pytest.fixture
async def harbour(server: DiscordServer) -> AsyncIterator[Harbour]:
    async with running(server) as harbour:
        harbour.desk.answers["/stop"] = harbour.desk.answers["stop"] = STOPPED
        await harbour.until(lambda: server.gateway.is_listened_to, "the gateway")
        yield harbour


async def test_in_private_a_line_is_heard_without_a_slash_command(harbour: Harbour) -> None:
    number = await harbour.server.writes(BEN, "status")
    room = harbour.server.private(BEN.id)
    await harbour.until(lambda: room.seen, "the answer")
    (message,) = harbour.desk.heard
    assert (message.text, message.id) == ("status", f"discord:{number}")
    assert (message.caller.chat, message.caller.role) == (f"discord:@{BEN.id}", Role.OPERATOR)
    assert room.seen[0].silent


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (f"{US} stop", IN_GUILD),
        (f"<@!{APPLICATION}> /stop", IN_GUILD | {"answers": True}),
        ("stop", IN_GUILD | {"answers": True}),
        ("/stop", {}),
        ("/stop", {"attachments": [ATTACHED]}),
        ("", {"attachments": [ATTACHED | {"description": "/stop"}]}),
        ("", snapshot("/stop")),
    ],
)
@pytest.mark.parametrize("edits", [None, 77])
async def test_a_stop_is_heard_however_it_comes(
    harbour: Harbour, text: str, more: dict[str, Any], edits: int | None
) -> None:
    await harbour.server.writes(BEN, text, edits=edits, **more)
    await harbour.until(lambda: harbour.desk.heard, "the stop")
    (message,) = harbour.desk.heard
    assert message.text.removeprefix("/") == "stop"
    place = CHANNEL if "channel" in more else harbour.server.private(BEN.id).id
    await harbour.server.seen(place, "■ Stopped")


@pytest.mark.parametrize("line", ["/buy BTC 1", "/resume", "/confirm AAAA", "/status"])
@pytest.mark.parametrize("way", ["edit", "forward", "caption", "mention"])
async def test_what_spends_must_be_a_message_of_its_own(
    harbour: Harbour, line: str, way: str
) -> None:
    server = harbour.server
    for _ in range(2):
        if way == "edit":
            await server.writes(BEN, line, edits=77)
        elif way == "forward":
            await server.writes(BEN, "", **snapshot(line))
        elif way == "caption":
            await server.writes(BEN, line, attachments=[ATTACHED])
        else:
            await server.writes(BEN, f"{US} {line}", **IN_GUILD)
    place = CHANNEL if way == "mention" else server.private(BEN.id).id
    await server.seen(place, "only a stop is heard")
    await server.writes(BEN, "/help")
    await harbour.until(lambda: harbour.desk.heard, "the help")
    assert [m.text for m in harbour.desk.heard] == ["/help"]
    told = [m for m in server.channel(place).seen if "only a stop" in m.text]
    assert len(told) == 1


@pytest.mark.parametrize("more", [{}, {"attachments": [ATTACHED]}, {"edits": 77}, IN_GUILD])
async def test_a_cry_is_handed_on(harbour: Harbour, more: dict[str, Any]) -> None:
    text = f"{US} please stop" if more is IN_GUILD else "please stop"
    await harbour.server.writes(BEN, text, **more)
    await harbour.until(lambda: harbour.desk.heard, "the cry")
    assert harbour.desk.heard[0].text == "please stop"


async def test_what_is_not_for_us_is_not_heard(harbour: Harbour) -> None:
    server = harbour.server
    await server.writes(BEN, "stop", **IN_GUILD)
    await server.writes(BEN, "stop was too tight", **IN_GUILD, answers=True)
    await server.writes(BEN, f"{US} stop", channel=CHANNEL, guild=OTHER_GUILD)
    await server.writes(BEN, "/stop", webhook_id="5")
    await server.writes(BEN, "/stop", type=7)
    bot = BEN.json() | {"bot": True}
    await server.writes(BEN, "/stop", author=bot)
    await server.writes(BEN, "/help")
    await harbour.until(lambda: harbour.desk.heard, "the help")
    assert [m.text for m in harbour.desk.heard] == ["/help"]


async def test_strangers_get_nothing_and_a_role_counts_in_its_guild_only(
    harbour: Harbour,
) -> None:
    server, deckhand = harbour.server, replace(CLEO, roles=(DECK,))
    await server.writes(MALLORY, "/stop")
    await server.writes(deckhand, "/stop")
    await server.writes(deckhand, f"{US} stop", **IN_GUILD)
    await harbour.until(lambda: harbour.desk.heard, "whoever has a role")
    await harbour.until(lambda: len(harbour.desk.foreign_orders) == 2, "the strangers")
    (message,) = harbour.desk.heard
    assert message.caller.role is Role.VIEWER
    assert server.private(MALLORY.id).seen == []


async def test_a_stop_whose_words_are_mended_stops_once(harbour: Harbour) -> None:
    number = await harbour.server.writes(BEN, "/stop")
    await harbour.server.seen(harbour.server.private(BEN.id).id, "■ Stopped")
    await harbour.server.writes(BEN, "/stop news", edits=number)
    await harbour.server.writes(BEN, "/help")
    await harbour.until(lambda: harbour.desk.heard[-1].text == "/help", "the help")
    assert [m.text for m in harbour.desk.heard] == ["/stop", "/help"]


async def test_later_stages_take_the_answers_place(harbour: Harbour) -> None:
    done = asyncio.Event()

    async def later() -> Reply | None:
        await done.wait()
        return Reply("■ Stopped, confirmed in 18 s", asked=Priority.STOP)

    harbour.desk.answers["/stop"] = replace(STOPPED, then=later)
    await harbour.server.writes(BEN, "/stop")
    room = harbour.server.private(BEN.id)
    await harbour.until(lambda: room.seen, "the answer")
    done.set()
    await harbour.until(lambda: "confirmed" in room.seen[0].text, "the next stage")
    assert len(room.seen) == 1


# -- where a channel takes only so much -------------------------------------------------------


async def test_whoever_asks_much_silences_no_stop_and_no_critical_alert(
    server: DiscordServer,
) -> None:
    server.limit = (5, 3_600.0)
    waits = replace(QUICK, within=3_600.0)
    async with running(server, waits=waits) as harbour:
        harbour.desk.answers["stop"] = STOPPED
        looks = Priority.LOOK
        for number in range(20):
            line = f"status {number}"
            harbour.desk.answers[line] = Reply(f"Look {number}", asked=looks)
            await server.writes(BEN, line)
        await harbour.until(lambda: len(harbour.desk.heard) == 20, "the questions")
        room = server.private(BEN.id)
        await harbour.until(lambda: len(room.seen) == 2, "the looks")
        for number in range(2):
            await harbour.face.send(f"@{BEN.id}", Reply(f"Opened {number}"), silent=True)
        with pytest.raises(Crowded):
            await harbour.face.send(f"@{BEN.id}", Reply("Opened 3"), silent=True)
        await server.writes(BEN, "stop")
        await server.seen(room.id, "■ Stopped")
        assert len(room.seen) == 5
        assert harbour.face.problem == ""


async def test_a_refusal_that_is_withheld_is_for_one_person_alone(harbour: Harbour) -> None:
    no = Reply("✕ Too many requests", outcome=Outcome.REFUSED, withheld=True)
    harbour.desk.answers["/status"] = harbour.desk.answers["status"] = no
    _, told = await harbour.ask(BEN, "/status", **IN_GUILD)
    assert told.ephemeral
    await harbour.server.writes(BEN, "status")
    await harbour.server.writes(BEN, "/help")
    room = harbour.server.private(BEN.id)
    await harbour.until(lambda: room.seen, "the help")
    assert [m.text for m in room.seen] == ["You said /help"]


# -- pictures ---------------------------------------------------------------------------------


async def test_a_slow_picture_is_shown_to_be_on_its_way_at_once(server: DiscordServer) -> None:
    async with running(server, waits=replace(QUICK, defer=3_600.0)) as harbour:
        harbour.painter.waits = asyncio.Event()
        harbour.desk.answers["/equity"] = harbour.desk.answers["equity"] = Reply("E", chart=A_CHART)
        said = await server.says(BEN, "/equity")
        await harbour.until(lambda: said.deferred, "a sign")
        await server.writes(BEN, "equity")
        room = server.private(BEN.id)
        await harbour.until(lambda: room.typing, "a sign")
        assert room.seen == []
        harbour.painter.waits.set()
        await harbour.until(lambda: len(room.seen) == 2, "the pictures")
        assert all(message.photo for message in room.seen)


# -- what is malformed ------------------------------------------------------------------------

EVENTS: list[tuple[str, Any]] = [
    ("MESSAGE_CREATE", None),
    ("MESSAGE_CREATE", []),
    ("MESSAGE_CREATE", {"id": "x"}),
    ("MESSAGE_CREATE", {"id": "1", "channel_id": "?", "author": 7, "content": "/stop"}),
    ("MESSAGE_UPDATE", {"id": None}),
    ("INTERACTION_CREATE", None),
    ("INTERACTION_CREATE", "OK"),
    ("INTERACTION_CREATE", {}),
    ("INTERACTION_CREATE", {"id": "1", "type": "?", "token": 5}),
    ("INTERACTION_CREATE", {"id": -1, "type": 2, "application_id": "1", "version": 1}),
    ("GUILD_CREATE", {"id": "x"}),
    ("NO_SUCH_EVENT", 7),
    ("", {}),
]


@pytest.mark.parametrize("event", EVENTS, ids=[str(n) for n in range(len(EVENTS))])
async def test_what_cannot_be_read_is_passed_over_alone(
    harbour: Harbour, event: tuple[str, Any]
) -> None:
    gateway = harbour.server.gateway
    for _ in range(3):
        await gateway.dispatch(*event)
    said, _ = await harbour.ask(BEN, "/stop")
    assert [m.id for m in harbour.desk.heard] == [f"discord:{said.id}"]
    assert (gateway.identified, gateway.resumed) == (1, 0)
    assert harbour.face.problem == ""


@pytest.mark.parametrize("frame", ["null", "[]", '"OK"', "7", "{", "<html>", '{"op":"x"}', "{}"])
async def test_a_frame_that_is_no_event_is_passed_over(harbour: Harbour, frame: str) -> None:
    gateway = harbour.server.gateway
    for _ in range(3):
        await gateway.send_raw(frame)
    await harbour.ask(BEN, "/stop")
    assert (gateway.identified, gateway.resumed) == (1, 0)


async def test_a_stream_of_nothing_else_begins_anew(harbour: Harbour) -> None:
    gateway = harbour.server.gateway
    for _ in range(25):
        await gateway.send_raw("[]")
    await harbour.until(lambda: gateway.resumed, "a new stream")
    await harbour.ask(BEN, "/stop")
    await harbour.until(lambda: beating() == 1, "the end of the old stream")


def beating() -> int:
    """How many gateways are kept alive: the library has a thread for each."""
    return sum("keep-alive" in thread.name for thread in threading.enumerate())
