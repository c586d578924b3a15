"""The server that stands for Discord refuses what the real one refuses."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import zstandard

from tests.servers.discord import APPLICATION, TOKEN, DiscordServer, Fault, Person, Sent
from tests.servers.discord_gateway import HEARTBEAT, HELLO, IDENTIFY, RESUME
from tests.waiting import PATIENCE

BEN, CHANNEL = Person(111, "ben"), 456
MESSAGES = f"/channels/{CHANNEL}/messages"
COMMANDS = f"/applications/{APPLICATION}/commands"
HELLO_ALL = {"embeds": [{"title": "Hello"}]}


class Client:
    """Speaks plain HTTP, as no library would let us."""

    def __init__(self, server: DiscordServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def asks(
        self, method: str, path: str, body: Any = None, *, token: str = TOKEN, **headers: str
    ) -> tuple[int, Any]:
        """Return the status, and the code of the error or else the answer."""
        given = {"Authorization": f"Bot {token}", "Content-Type": "application/json"} | headers
        url = f"{self.server.api_url}/api/v10{path}"
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, url, data=data, headers=given) as response:
            raw = await response.read()
            answer: Any = json.loads(raw) if response.content_type == "application/json" else None
            return response.status, answer["code"] if _is_error(answer) else answer

    async def answers(self, said: Any, kind: int, **data: Any) -> tuple[int, Any]:
        path = f"/interactions/{said.id}/{said.token}/callback?with_response=1"
        return await self.asks(
            "POST", path, {"type": kind, "data": data} if data else {"type": kind}
        )


def _is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and "message" in answer and "code" in answer


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with DiscordServer() as server, aiohttp.ClientSession() as session:
        server.channel(CHANNEL)
        await Client(server, session).asks("PUT", COMMANDS, [{"name": "stop", "description": "x"}])
        yield Client(server, session)


def button(command: str = "/stop", **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 2, "label": "Stop", "custom_id": command} | more


def row(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": [*buttons]}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 50_006),
        ({"content": ""}, 50_006),
        ({"content": "x" * 4_001}, 50_035),
        ({"embeds": [{"title": "x" * 257}]}, 50_035),
        ({"embeds": [{"description": "x" * 4_097}]}, 50_035),
        ({"embeds": [{"description": "x" * 3_001}, {"description": "x" * 3_000}]}, 50_035),
        ({"embeds": [{}]}, 50_035),
        ({"embeds": [{"title": "x", "image": {"url": "attachment://a.png"}}]}, 50_035),
        ({"embeds": [{"title": "x", "color": 2**24}]}, 50_035),
        ({"content": "x", "components": [row(button(label="x" * 81))]}, 50_035),
        ({"content": "x", "components": [row(button("x" * 101))]}, 50_035),
        ({"content": "x", "components": [row(button(), button())]}, 50_035),
        ({"content": "x", "components": [row(button(custom_id=None))]}, 50_035),
        ({"content": "x", "components": [row(button(label=None))]}, 50_035),
        ({"content": "x", "components": [row()]}, 50_035),
        ({"content": "x", "components": [row(*(button(f"{n}") for n in range(6)))]}, 50_035),
        ({"content": "x", "components": [row(button(f"{n}")) for n in range(6)]}, 50_035),
        ({"content": "x", "flags": 64}, 50_035),
        ({"content": "x", "attachments": [{"id": 0}]}, 50_035),
        ({"content": "x", "nonce": "x" * 26}, 50_035),
        ({"content": "x", "allowed_mentions": {"parse": ["everybody"]}}, 50_035),
    ],
)
async def test_malformed_messages_are_refused(
    client: Client, body: dict[str, Any], code: int
) -> None:
    assert await client.asks("POST", MESSAGES, body) == (400, code)
    assert client.server.refusals


async def test_what_is_well_formed_is_shown(client: Client) -> None:
    rows = [row(*(button(f"/why {n}{m}") for m in range(5))) for n in range(5)]
    body = {"embeds": [{"title": "x" * 256, "description": "y" * 4_096}], "components": rows}

    status, answer = await client.asks("POST", MESSAGES, body)
    assert status == 200
    (message,) = client.server.channel(CHANNEL).seen
    assert (str(message.id), message.title) == (answer["id"], "x" * 256)

    await client.asks("PATCH", f"{MESSAGES}/{message.id}", {"embeds": [{"title": "y"}]})
    assert message.edits[1] == "y"
    assert client.server.refusals == []


async def test_the_same_nonce_is_one_message(client: Client) -> None:
    body = HELLO_ALL | {"nonce": "n1", "enforce_nonce": True}

    first, second = [await client.asks("POST", MESSAGES, body) for _ in range(2)]

    assert first == second
    assert len(client.server.channel(CHANNEL).seen) == 1


async def test_what_is_not_there_or_not_allowed_has_its_code(client: Client) -> None:
    room = client.server.channel(CHANNEL)
    assert await client.asks("POST", "/channels/9/messages", HELLO_ALL) == (404, 10_003)
    assert await client.asks("PATCH", f"{MESSAGES}/9", HELLO_ALL) == (404, 10_008)
    room.writable = False
    assert await client.asks("POST", MESSAGES, HELLO_ALL) == (403, 50_013)
    room.readable = False
    assert await client.asks("POST", MESSAGES, HELLO_ALL) == (403, 50_001)
    client.server.private(111).writable = False
    _, room_of_ben = await client.asks("POST", "/users/@me/channels", {"recipient_id": "111"})
    path = f"/channels/{room_of_ben['id']}/messages"
    assert await client.asks("POST", path, HELLO_ALL) == (403, 50_007)
    assert await client.asks("POST", MESSAGES, HELLO_ALL, token="wrong") == (401, 0)
    assert await client.asks("GET", "/elsewhere") == (404, 0)


async def test_a_charset_in_the_type_of_a_body_is_refused(client: Client) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert await client.asks("POST", MESSAGES, HELLO_ALL, **headers) == (400, 50_035)


@pytest.mark.parametrize(
    "command",
    [
        {"name": "Stop", "description": "x"},
        {"name": "stop", "description": ""},
        {"name": "stop", "description": "x" * 101},
        {"name": "x" * 33, "description": "x"},
        {"name": "s", "description": "x", "options": [{"type": 3, "name": "a", "description": ""}]},
        {
            "name": "s",
            "description": "x",
            "options": [{"type": 3, "name": "A", "description": "x"}],
        },
        {
            "name": "s",
            "description": "x",
            "options": [
                {"type": 3, "name": "a", "description": "x"},
                {"type": 3, "name": "b", "description": "x", "required": True},
            ],
        },
    ],
)
async def test_malformed_commands_are_refused(client: Client, command: dict[str, Any]) -> None:
    assert await client.asks("PUT", COMMANDS, [command]) == (400, 50_035)
    assert set(client.server.commands) == {"stop"}


async def test_at_most_100_commands_and_each_once(client: Client) -> None:
    many = [{"name": f"c{n}", "description": "x"} for n in range(101)]
    assert await client.asks("PUT", COMMANDS, many) == (400, 30_032)
    assert await client.asks("PUT", COMMANDS, [many[0], many[0]]) == (400, 50_035)
    assert (await client.asks("PUT", COMMANDS, many[:100]))[0] == 200


async def test_an_interaction_is_answered_once_and_in_time(client: Client) -> None:
    said = await client.server.says(BEN, "/stop")
    late = await client.server.says(BEN, "/stop", ago=3.5)
    hook = f"/webhooks/{APPLICATION}/{said.token}"

    assert await client.asks("POST", hook, HELLO_ALL) == (404, 10_015)
    assert (await client.answers(said, 4, content="x"))[0] == 200
    assert await client.answers(said, 4, content="x") == (400, 40_060)
    assert await client.answers(late, 4, content="x") == (404, 10_062)
    assert (said.refused, late.refused) == ([40_060], [10_062])
    assert late.failed

    assert (await client.asks("PATCH", f"{hook}/messages/@original", {"content": "y"}))[0] == 200
    client.server.expire(said)
    assert await client.asks("PATCH", f"{hook}/messages/@original", {}) == (401, 50_027)


async def test_what_an_answer_may_be_depends_on_what_was_done(client: Client) -> None:
    said = await client.server.says(BEN, "/stop")
    for kind in (6, 7, 8, 99):
        assert await client.answers(said, kind) == (400, 50_035)
    assert await client.answers(said, 5, flags=4096) == (400, 50_035)
    assert (await client.answers(said, 5))[1]["resource"] == {"type": 5}
    assert said.shown is not None
    assert said.shown.thinking


async def test_a_press_may_be_acknowledged_by_nothing_but_an_edit(client: Client) -> None:
    await client.asks("POST", MESSAGES, HELLO_ALL | {"components": [row(button())]})
    (message,) = client.server.channel(CHANNEL).seen
    assert isinstance(message, Sent)

    pressed = await client.server.presses(BEN, message, "Stop")
    assert (await client.answers(pressed, 7, content="Stopped", components=[]))[0] == 200
    assert (message.edits[-1], message.buttons) == ("Stopped\nHello", {})


async def test_too_many_messages_are_told_when_to_come_again(client: Client) -> None:
    client.server.limit = (2, 60.0)

    statuses = [(await client.asks("POST", MESSAGES, HELLO_ALL))[0] for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert len(client.server.channel(CHANNEL).seen) == 2


async def test_it_fails_as_it_was_told(client: Client) -> None:
    server = client.server
    server.fail("POST /channels", Fault.FLOOD, retry_after=2.5)
    server.fail("POST /channels", Fault.BROKEN)
    server.fail("POST /channels", Fault.BANNED)
    assert (await client.asks("POST", MESSAGES, HELLO_ALL))[1]["retry_after"] == 2.5
    assert (await client.asks("POST", MESSAGES, HELLO_ALL))[0] == 500
    assert await client.asks("POST", MESSAGES, HELLO_ALL) == (429, None)

    for fault, shown in ((Fault.DROP, 0), (Fault.DROP_AFTER, 1)):
        server.fail("POST /channels", fault)
        with pytest.raises(aiohttp.ClientError):
            await client.asks("POST", MESSAGES, HELLO_ALL)
        assert len(server.channel(CHANNEL).seen) == shown

    server.fail("POST /channels", Fault.HANG)
    hanging = asyncio.create_task(client.asks("POST", MESSAGES, HELLO_ALL))
    await server.until(lambda: len(server.asked("POST /channels")) == 6, "the request")
    server.release()
    with pytest.raises(aiohttp.ClientError):
        await hanging
    assert (await client.asks("POST", MESSAGES, HELLO_ALL))[0] == 200


async def test_people_can_only_send_what_their_client_lets_them(client: Client) -> None:
    option = {"type": 4, "name": "n", "description": "x", "min_value": 1, "max_value": 8}
    body = [{"name": "trades", "description": "x", "options": [option]}]
    await client.asks("PUT", COMMANDS, body)

    await client.server.says(BEN, "/trades", {"n": 8})
    for wrong in ({"n": 9}, {"n": "8"}, {"m": 1}):
        with pytest.raises(ValueError, match=r"take|type"):
            await client.server.says(BEN, "/trades", wrong)


@pytest.mark.parametrize("compression", ["", "zlib-stream", "zstd-stream"])
async def test_the_gateway_greets_beats_and_resumes(client: Client, compression: str) -> None:
    gateway = client.server.gateway
    gateway.guilds = {700}
    async with listening(client, compression) as line:
        assert (await line.hears())["op"] == HELLO
        await line.says(HEARTBEAT, None)
        assert (await line.hears())["op"] == 11
        await line.says(IDENTIFY, {"token": TOKEN, "intents": 1})
        ready = await line.hears()
        assert (ready["t"], ready["s"]) == ("READY", 1)
        assert (await line.hears())["t"] == "GUILD_CREATE"

    await client.server.until(lambda: not gateway.is_listened_to, "nobody")
    said = await client.server.says(BEN, "/stop")
    async with listening(client, compression) as line:
        await line.hears()
        session = ready["d"]["session_id"]
        await line.says(RESUME, {"token": TOKEN, "session_id": session, "seq": 2})
        missed, resumed = await line.hears(), await line.hears()
        assert (missed["d"]["id"], missed["s"]) == (str(said.id), 3)
        assert resumed["t"] == "RESUMED"


async def test_the_gateway_refuses_tokens_and_sessions(client: Client) -> None:
    async with listening(client) as line:
        await line.hears()
        await line.says(RESUME, {"token": TOKEN, "session_id": "gone", "seq": 2})
        told = await line.hears()
        assert (told["op"], told["d"]) == (9, False)
        await line.says(IDENTIFY, {"token": "wrong", "intents": 1})
        assert await line.closed_with() == 4004


class _Listener:
    """A gateway client that does only what it is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, compression: str) -> None:
        self.socket = socket
        self.unpacker: Any = None
        if compression == "zlib-stream":
            self.unpacker = zlib.decompressobj()
        elif compression == "zstd-stream":
            self.unpacker = zstandard.ZstdDecompressor().decompressobj()

    async def says(self, op: int, data: Any) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": data}))

    async def hears(self) -> Any:
        message = await self.socket.receive(timeout=PATIENCE)
        raw = message.data
        return json.loads(self.unpacker.decompress(raw) if self.unpacker else raw)

    async def closed_with(self) -> int | None:
        await self.socket.receive(timeout=PATIENCE)
        return self.socket.close_code


@asynccontextmanager
async def listening(client: Client, compression: str = "") -> AsyncIterator[_Listener]:
    url = f"{client.server.gateway_url}?v=10&encoding=json"
    url += f"&compress={compression}" if compression else ""
    async with client.session.ws_connect(url) as socket:
        yield _Listener(socket, compression)
