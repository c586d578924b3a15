"""Discord on loopback, REST and gateway: the real client talks to it over real sockets.

    async with DiscordServer() as server:
        ...  # a desk with api_url=server.api_url, gateway_url=server.gateway_url, server.token
        said = await server.says(BEN, "/close", {"symbol": "SOL"})
        question = await server.answer_to(said)
        pressed = await server.presses(BEN, question, "Cancel")

It refuses what the real one refuses, and fails as told: `server.fail("POST", Fault.DROP)`.
Everything it was asked stays in `server.requests`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.servers.discord_gateway import Gateway, bot_user, guild_json
from tests.servers.discord_rules import (
    EPHEMERAL,
    SILENT,
    SUPPRESS_EMBEDS,
    Refusal,
    check,
    check_commands,
    check_message,
    check_typed,
)
from tests.waiting import until

TOKEN = "MTA.example.exampleexampleexampleexampleexample"
APPLICATION = 900
ANSWER, LIFE = 3.0, 900.0
"""Seconds in which an interaction must be answered, and in which it may be followed up."""
_EPOCH = 1_420_070_400_000
"""Milliseconds: when Discord's ids begin."""
_COMMAND, _PRESS, _TYPING = 2, 3, 4
_GUILD_MESSAGES, _PRIVATE_MESSAGES = 1 << 9, 1 << 12
"""Intents, https://discord.com/developers/docs/events/gateway#list-of-intents."""
_NEW, _THINK, _LATER, _UPDATE, _SUGGEST = 4, 5, 6, 7, 8


class Fault(StrEnum):
    FLOOD = "429"
    BROKEN = "500"
    GATEWAY = "502"
    UNAVAILABLE = "503"
    BANNED = "429 without Via"
    """By Cloudflare, which answers in HTML."""
    HANG = "hang"
    """Never answers; nothing happens."""
    DROP = "drop"
    """Hangs up before anything happens."""
    DROP_AFTER = "drop after"
    """Does it, and hangs up without a word."""
    NO_EMBEDS = "no embeds"
    """Refuses any message with an embed."""


@dataclass
class _Plan:
    path: str
    fault: Fault
    times: float
    retry_after: float


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    roles: tuple[int, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "username": self.name,
            "discriminator": "0",
            "global_name": self.name,
            "avatar": None,
        }


@dataclass
class Sent:
    """A message in a channel, as people see it now."""

    id: int
    channel: int
    body: dict[str, Any] = field(default_factory=dict)
    """Content, embeds, components, attachments, flags."""
    files: dict[str, bytes] = field(default_factory=dict)
    edits: list[str] = field(default_factory=list)
    """Every text it had, the first one first."""
    thinking: bool = False
    late: bool = False
    """It took the place of `thinking`: an edit, which makes no sound."""
    deleted: bool = False

    @property
    def title(self) -> str:
        return unmarked(next((e.get("title") or "" for e in self._embeds), ""))

    @property
    def description(self) -> str:
        """As it was sent, with its markup."""
        return next((e.get("description") or "" for e in self._embeds), "")

    @property
    def colour(self) -> int:
        return next((e.get("color") or 0 for e in self._embeds), 0)

    @property
    def text(self) -> str:
        """What people read: title and description without markup."""
        body = re.sub(r"```\n(.*?)\n```", _fence, self.description, flags=re.DOTALL)
        shown = "".join(
            part if inside else unmarked(part)
            for inside, part in zip(itertools.cycle((False, True)), body.split("\0"), strict=False)
        )
        bare = unmarked(self.body.get("content") or "")
        return "\n".join(part for part in (bare, self.title, shown) if part)

    @property
    def buttons(self) -> dict[str, str]:
        """What each label types."""
        rows = self.body.get("components") or []
        return {b["label"]: b["custom_id"] for row in rows for b in row["components"]}

    @property
    def styles(self) -> dict[str, int]:
        rows = self.body.get("components") or []
        return {b["label"]: b["style"] for row in rows for b in row["components"]}

    @property
    def silent(self) -> bool:
        return self.late or bool((self.body.get("flags") or 0) & SILENT)

    @property
    def ephemeral(self) -> bool:
        return bool((self.body.get("flags") or 0) & EPHEMERAL)

    @property
    def photo(self) -> bytes | None:
        return next(iter(self.files.values()), None)

    @property
    def _embeds(self) -> list[dict[str, Any]]:
        return self.body.get("embeds") or []

    def change(self, body: Mapping[str, Any], files: dict[str, bytes]) -> None:
        flags = (self.body.get("flags") or 0) | (body.get("flags") or 0)
        self.body = self.body | dict(body) | {"flags": flags}
        if "attachments" in body or files:
            self.files = files
        self.late = self.late or self.thinking
        self.thinking = False
        self.edits.append(self.text)


def _fence(found: re.Match[str]) -> str:
    return f"\0{found[1]}\0"


def unmarked(text: str) -> str:
    """Backslashes taken away, as a screen shows it."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


@dataclass
class Room:
    id: int
    recipient: int | None = None
    """Whose private messages these are."""
    messages: list[Sent] = field(default_factory=list)
    readable: bool = True
    writable: bool = True
    takes_files: bool = True
    nonces: dict[str, Sent] = field(default_factory=dict)
    typing: int = 0
    """How often it was shown that the bot writes."""

    @property
    def seen(self) -> list[Sent]:
        """What stands there, oldest first."""
        return [m for m in self.messages if not m.deleted and not m.thinking]

    def json(self) -> dict[str, Any]:
        if self.recipient is not None:
            someone = Person(self.recipient, "somebody").json()
            return {"id": str(self.id), "type": 1, "recipients": [someone], "flags": 0}
        return {"id": str(self.id), "type": 0, "name": "desk", "position": 0, "permissions": "0"}


@dataclass
class Interaction:
    """Something a person did, and what they saw of it."""

    id: int
    token: str
    type: int
    channel: int
    at: float
    """Seconds of the monotonic clock, as far as Discord counts."""
    after: int
    """The newest message before it."""
    payload: dict[str, Any]
    answered: bool = False
    deferred: int = 0
    """The kind of the acknowledgement, if that is what came first."""
    shown: Sent | None = None
    """`@original`: the message that its own edits go to."""
    toast: Sent | None = None
    suggestions: list[str] | None = None
    refused: list[int] = field(default_factory=list)
    """Codes with which its answers were refused."""

    @property
    def failed(self) -> bool:
        """Nothing came in time: people read that the application did not respond."""
        return not self.answered


T = TypeVar("T")


class DiscordServer:
    """*period* scales how long interactions live: 0.1 is a tenth of the real 3 s and 15 min."""

    def __init__(
        self, token: str = TOKEN, *, period: float = 1.0, heartbeat: float = 41.25
    ) -> None:
        self.token = token
        self.gateway = Gateway(application=APPLICATION, token=token, heartbeat=heartbeat)
        self.requests: list[tuple[str, Any]] = []
        """Method and path, and the body."""
        self.rooms: dict[int, Room] = {}
        self.interactions: dict[str, Interaction] = {}
        self.commands: dict[str, dict[str, Any]] = {}
        self.declared = 0
        """How often commands were written."""
        self.refusals: list[str] = []
        """What was refused as malformed: a test asserts that there is none."""
        self.limit: tuple[int, float] | None = None
        """Messages that a channel takes, in how many seconds."""
        self._period = period
        self._plans: list[_Plan] = []
        self._posted: dict[int, list[float]] = {}
        self._numbers = itertools.count(1)
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    # -- a server's life ------------------------------------------------------------------

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/gateway"

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_away()

    async def come_back(self) -> None:
        """Listen, again on the same port."""
        app = web.Application(client_max_size=50 * 2**20)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_route("*", "/api/v10/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.gateway.url = self.gateway_url

    async def go_away(self) -> None:
        """Refuse connections, and drop those there are."""
        self.release()
        self.gateway.cut()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    # -- what people do -------------------------------------------------------------------

    def channel(self, channel: int) -> Room:
        return self.rooms.setdefault(channel, Room(channel))

    def private(self, user: int) -> Room:
        """Where *user* and the bot write privately."""
        found = next((r for r in self.rooms.values() if r.recipient == user), None)
        return found or self.rooms.setdefault(10**6 + user, Room(10**6 + user, recipient=user))

    async def says(
        self,
        who: Person,
        command: str,
        options: Mapping[str, Any] | None = None,
        *,
        channel: int | None = None,
        guild: int | None = None,
        ago: float = 0,
        unchecked: bool = False,
    ) -> Interaction:
        """*who* sends a slash command, *ago* seconds ago.

        *unchecked*: from a client that still shows commands as they were.
        """
        name = command.removeprefix("/")
        given = dict(options or {})
        if unchecked:
            typed = [{"name": n, "type": 3, "value": v} for n, v in given.items()]
        else:
            await self.until(lambda: name in self.commands, f"/{name} to be declared")
            typed = check_typed(self.commands[name], given)
        data = {"id": "77", "name": name, "type": 1, "options": typed}
        return await self._happens(_COMMAND, who, data, channel, guild, ago)

    async def writes(
        self,
        who: Person,
        text: str,
        *,
        channel: int | None = None,
        guild: int | None = None,
        edits: int | None = None,
        **more: Any,
    ) -> int:
        """*who* writes *text*, or puts the message *edits* right; return its number.

        The bot is told what its intents let it hear: in a guild words only where it is named.
        """
        room = self.private(who.id) if channel is None else self.channel(channel)
        number = edits or self._snowflake()
        bit = _PRIVATE_MESSAGES if room.recipient is not None else _GUILD_MESSAGES
        if not self.gateway.intents & bit:
            return number
        payload = self._json(Sent(number, room.id)) | {"author": who.json(), "content": text}
        if f"<@{APPLICATION}>" in text or more.pop("answers", False):
            payload["mentions"] = [bot_user(APPLICATION)]
        elif room.recipient is None:
            payload |= {"content": "", "attachments": []}
        if guild is not None:
            payload |= {"guild_id": str(guild), "member": _member(who)}
        if edits is not None:
            payload["edited_timestamp"] = "2025-10-10T20:42:09+00:00"
        name = "MESSAGE_CREATE" if edits is None else "MESSAGE_UPDATE"
        await self.gateway.dispatch(name, payload | more)
        return number

    async def presses(
        self, who: Person, message: Sent, label: str, *, guild: int | None = None, ago: float = 0
    ) -> Interaction:
        """*who* presses the button *label*, or one that is long gone: `/stop` as its data."""
        data = {"component_type": 2, "custom_id": message.buttons.get(label, label), "id": 2}
        return await self._happens(
            _PRESS, who, data, message.channel, guild, ago, message=self._json(message)
        )

    async def types(
        self,
        who: Person,
        command: str,
        options: Mapping[str, str],
        *,
        focused: str,
        guild: int | None = None,
        channel: int | None = None,
    ) -> Interaction:
        """*who* is typing the option *focused*."""
        name = command.removeprefix("/")
        await self.until(lambda: name in self.commands, f"/{name} to be declared")
        typed = [
            {"name": n, "type": 3, "value": v} | ({"focused": True} if n == focused else {})
            for n, v in options.items()
        ]
        data = {"id": "77", "name": name, "type": 1, "options": typed}
        return await self._happens(_TYPING, who, data, channel, guild, 0)

    async def _happens(
        self,
        kind: int,
        who: Person,
        data: dict[str, Any],
        channel: int | None,
        guild: int | None,
        ago: float,
        **more: Any,
    ) -> Interaction:
        room = self.private(who.id) if channel is None else self.channel(channel)
        number = self._snowflake(ago)
        payload = _payload(kind, who, data, room, guild) | more
        payload |= {"id": str(number), "token": secrets.token_hex(20)}
        newest = max((m.id for m in room.messages), default=0)
        happened = Interaction(
            number, payload["token"], kind, room.id, time.monotonic() - ago, newest, payload
        )
        self.interactions[happened.token] = happened
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        return happened

    async def again(self, interaction: Interaction) -> None:
        """Discord tells of it a second time."""
        await self.gateway.dispatch("INTERACTION_CREATE", interaction.payload)

    def expire(self, interaction: Interaction) -> None:
        """Its 15 minutes are over."""
        interaction.at -= LIFE

    # -- what goes wrong ------------------------------------------------------------------

    def fail(self, path: str, fault: Fault, *, times: float = 1, retry_after: float = 1.0) -> None:
        """The next *times* requests whose `METHOD /path` begins so (`*`: any) fail."""
        self._plans.append(_Plan(path, fault, times, retry_after))

    def recover(self) -> None:
        """Whatever was planned to fail does not."""
        self._plans.clear()
        self.release()

    def release(self) -> None:
        """Hang up on whoever hangs."""
        self._released.set()
        self._released = asyncio.Event()

    async def revoke(self) -> None:
        """The token is worth nothing any more."""
        self.gateway.token = None
        await self.gateway.close(4004)

    def restore(self) -> None:
        self.gateway.token = self.token

    # -- what a test asks -----------------------------------------------------------------

    def asked(self, path: str) -> list[Any]:
        """The bodies of all requests whose `METHOD /path` begins so, refused ones included."""
        return [body for name, body in self.requests if name.startswith(path)]

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until *look* returns something true, and return that."""

        def told() -> str:
            newest = [f"{name} {body}"[:300] for name, body in self.requests[-8:]]
            return f"{what}: {[*self.refusals, *newest]}"

        return await until(look, told, pause=0.005)

    async def listened_to(self) -> None:
        await self.until(lambda: self.gateway.is_listened_to, "somebody at the gateway")

    async def answer_to(self, said: Interaction) -> Sent:
        """The message that shows its answer: new, or the pressed one in its new form."""
        room = self.rooms[said.channel]

        def look() -> Sent | None:
            if said.toast is not None:
                return said.toast
            if said.shown is not None and said.shown.edits and not said.shown.thinking:
                pressed = said.type == _PRESS and said.shown.id <= said.after
                if not pressed:
                    return said.shown
            return next((m for m in room.seen if m.id > said.after), None)

        return await self.until(look, "an answer")

    async def edited(self, message: Sent, words: str) -> Sent:
        """*message*, once it says *words*."""
        return await self.until(lambda: message if words in message.text else None, words)

    async def seen(self, channel: int, words: str) -> Sent:
        """The newest message in *channel* that says *words*."""
        room = self.rooms[channel]
        return await self.until(
            lambda: next((m for m in reversed(room.seen) if words in m.text), None), words
        )

    # -- how a request is served ----------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        try:
            body, files = await _read(request)
            self.requests.append((f"{request.method} {path}", body))
            plan = self._planned(f"{request.method} {path}", body)
            if plan is not None and plan.fault is not Fault.DROP_AFTER:
                return await self._failed(request, plan)
            status, answer = self._answered(request, path, body, files)
        except Refusal as refusal:
            return self._refused(path, refusal)
        if plan is not None:
            return _hang_up(request)
        return _json(answer, status) if answer is not None else web.Response(status=status)

    def _planned(self, name: str, body: Any) -> _Plan | None:
        for plan in self._plans:
            if plan.fault is Fault.NO_EMBEDS and '"embeds": [{' not in json.dumps(body):
                continue
            if plan.times >= 1 and (plan.path == "*" or name.startswith(plan.path)):
                plan.times -= 1
                return plan
        return None

    async def _failed(self, request: web.Request, plan: _Plan) -> web.StreamResponse:
        if plan.fault is Fault.HANG:
            await self._released.wait()
            return _hang_up(request)
        if plan.fault is Fault.DROP:
            return _hang_up(request)
        if plan.fault is Fault.NO_EMBEDS:
            return _json({"code": 50_035, "message": "Invalid Form Body"}, 400)
        if plan.fault is Fault.FLOOD:
            return _flooded(plan.retry_after)
        if plan.fault is Fault.BANNED:
            return web.Response(status=429, text="<html>", content_type="text/html")
        return web.Response(status=int(plan.fault), text="upstream", content_type="text/plain")

    def _refused(self, path: str, refusal: Refusal) -> web.Response:
        if refusal.code in (50_035, 50_006):
            self.refusals.append(f"{path}: {refusal.words} {refusal.more}")
        if refusal.status == 429:
            return _flooded(refusal.more["retry_after"])
        told = {"message": refusal.words, "code": refusal.code} | refusal.more
        return _json(told, refusal.status)

    def _answered(
        self, request: web.Request, path: str, body: Any, files: dict[str, bytes]
    ) -> tuple[int, Any]:
        for method, pattern, needs_token, serve in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == request.method:
                if (
                    needs_token
                    and request.headers.get("Authorization") != f"Bot {self.gateway.token}"
                ):
                    raise Refusal(401, 0, "401: Unauthorized")
                asked = _Asked(
                    found.groups(), body, files, request.query.get("with_response") == "1"
                )
                return serve(self, asked)
        raise Refusal(404, 0, "404: Not Found")

    # -- what there is to ask -------------------------------------------------------------

    def _me(self, asked: _Asked) -> tuple[int, Any]:
        return 200, bot_user(APPLICATION)

    def _application(self, asked: _Asked) -> tuple[int, Any]:
        return 200, {
            "id": str(APPLICATION),
            "name": "harbour",
            "description": "",
            "icon": None,
            "bot_public": False,
            "bot_require_code_grant": False,
            "owner": Person(1, "anna").json(),
            "verify_key": "0",
            "team": None,
            "flags": 0,
        }

    def _gateway_bot(self, asked: _Asked) -> tuple[int, Any]:
        return 200, {"url": self.gateway_url, "shards": 1}

    def _declare(self, asked: _Asked) -> tuple[int, Any]:
        check_commands(asked.body)
        self.declared += 1
        self.commands = {command["name"]: command for command in asked.body}
        return 200, [
            command | {"id": str(number), "application_id": str(APPLICATION), "version": "1"}
            for number, command in enumerate(asked.body, 100)
        ]

    def _open_private(self, asked: _Asked) -> tuple[int, Any]:
        check("private", asked.body)
        return 200, self.private(int(asked.body["recipient_id"])).json()

    def _post(self, asked: _Asked) -> tuple[int, Any]:
        check("create", asked.body)
        room = self._room(int(asked.words[0]))
        check_message(
            asked.body, flags=SILENT | SUPPRESS_EMBEDS, is_new=True, files=set(asked.files)
        )
        nonce = asked.body.get("nonce") if asked.body.get("enforce_nonce") else None
        if nonce in room.nonces:
            return 200, self._json(room.nonces[nonce])
        self._count(room)
        if asked.files and not room.takes_files:
            raise Refusal(403, 50_013, "Missing Permissions")
        sent = self._write(room, asked.body, asked.files)
        if nonce is not None:
            room.nonces[nonce] = sent
        return 200, self._json(sent)

    def _type(self, asked: _Asked) -> tuple[int, Any]:
        self._room(int(asked.words[0])).typing += 1
        return 204, None

    def _change(self, asked: _Asked) -> tuple[int, Any]:
        check("edit", asked.body)
        room = self._room(int(asked.words[0]))
        return 200, self._json(self._edit(self._message(room, int(asked.words[1])), asked))

    def _callback(self, asked: _Asked) -> tuple[int, Any]:
        happened = self._interaction(asked.words[1], code=10_062)
        if time.monotonic() - happened.at > ANSWER * self._period:
            happened.refused.append(10_062)
            raise Refusal(404, 10_062, "Unknown interaction")
        if happened.answered:
            happened.refused.append(40_060)
            raise Refusal(400, 40_060, "Interaction has already been acknowledged.")
        kind = asked.body["type"]
        self._take(happened, kind, asked)
        happened.answered = True
        return (200, self._told(happened, kind)) if asked.with_response else (204, None)

    def _take(self, happened: Interaction, kind: int, asked: _Asked) -> None:
        data = asked.body.get("data") or {}
        if kind == _SUGGEST and happened.type == _TYPING:
            check("suggest", asked.body)
            happened.suggestions = [choice["value"] for choice in data["choices"]]
        elif kind in (_NEW, _THINK) and happened.type != _TYPING:
            check("new", asked.body)
            self._take_new(happened, kind, data, asked.files)
        elif kind in (_LATER, _UPDATE) and happened.type == _PRESS:
            check("update", asked.body)
            happened.deferred = kind if kind == _LATER else 0
            pressed = int(happened.payload["message"]["id"])
            happened.shown = self._message(self.rooms[happened.channel], pressed)
            if kind == _UPDATE:
                self._edit(happened.shown, _Asked((), data, asked.files, False))
        else:
            raise Refusal(400, 50_035, "Invalid Form Body")

    def _take_new(
        self, happened: Interaction, kind: int, data: dict[str, Any], files: dict[str, bytes]
    ) -> None:
        room = self.rooms[happened.channel]
        if kind == _THINK:
            if (data.get("flags") or 0) & ~EPHEMERAL:
                raise Refusal(400, 50_035, "Invalid Form Body")
            happened.deferred = kind
            happened.shown = Sent(self._snowflake(), room.id, dict(data), thinking=True)
            room.messages.append(happened.shown)
            return
        flags = SILENT | EPHEMERAL | SUPPRESS_EMBEDS
        check_message(data, flags=flags, is_new=True, files=set(files))
        happened.shown = self._say(happened, data, files)

    def _say(self, happened: Interaction, body: dict[str, Any], files: dict[str, bytes]) -> Sent:
        """A message of its answer; an ephemeral one is seen by that person only."""
        if (body.get("flags") or 0) & EPHEMERAL:
            sent = happened.toast = Sent(self._snowflake(), happened.channel)
            sent.change(body, files)
            return sent
        return self._write(self.rooms[happened.channel], body, files)

    def _told(self, happened: Interaction, kind: int) -> dict[str, Any]:
        about = {"id": str(happened.id), "type": happened.type}
        if happened.shown is None:
            return {"interaction": about}
        about["response_message_id"] = str(happened.shown.id)
        resource: dict[str, Any] = {"type": kind}
        if kind in (_NEW, _UPDATE):
            resource["message"] = self._json(happened.shown)
        return {"interaction": about, "resource": resource}

    def _follow(self, asked: _Asked) -> tuple[int, Any]:
        check("follow", asked.body)
        happened = self._alive(asked.words[1])
        flags = SILENT | EPHEMERAL | SUPPRESS_EMBEDS
        check_message(asked.body, flags=flags, is_new=True, files=set(asked.files))
        shown = happened.shown
        if shown is not None and shown.thinking:
            shown.change(asked.body, asked.files)
            return 200, self._json(shown)
        return 200, self._json(self._say(happened, asked.body, asked.files))

    def _change_own(self, asked: _Asked) -> tuple[int, Any]:
        check("hook edit", asked.body)
        happened = self._alive(asked.words[1])
        if asked.words[2] != "@original":
            message = self._message(self.rooms[happened.channel], int(asked.words[2]))
        elif happened.shown is not None:
            message = happened.shown
        else:
            raise Refusal(404, 10_008, "Unknown Message")
        return 200, self._json(self._edit(message, asked))

    # -- what all of them share -----------------------------------------------------------

    def _alive(self, token: str) -> Interaction:
        happened = self._interaction(token, code=10_015)
        if time.monotonic() - happened.at > LIFE * self._period:
            raise Refusal(401, 50_027, "Invalid Webhook Token")
        if not happened.answered:
            raise Refusal(404, 10_015, "Unknown Webhook")
        return happened

    def _interaction(self, token: str, *, code: int) -> Interaction:
        if token not in self.interactions:
            raise Refusal(404, code, "Unknown")
        return self.interactions[token]

    def _room(self, channel: int) -> Room:
        room = self.rooms.get(channel)
        if room is None:
            raise Refusal(404, 10_003, "Unknown Channel")
        if not room.readable:
            raise Refusal(403, 50_001, "Missing Access")
        if not room.writable:
            raise Refusal(403, 50_007 if room.recipient else 50_013, "Missing Permissions")
        return room

    def _message(self, room: Room, number: int) -> Sent:
        found = next((m for m in room.messages if m.id == number and not m.deleted), None)
        if found is None:
            raise Refusal(404, 10_008, "Unknown Message")
        return found

    def _count(self, room: Room) -> None:
        """Refuse more messages than the channel takes; the oldest make room."""
        if self.limit is None:
            return
        count, seconds = self.limit
        now = time.monotonic()
        recent = [at for at in self._posted.get(room.id, []) if at > now - seconds]
        if len(recent) >= count:
            wait = recent[0] + seconds - now
            raise Refusal(429, 0, "You are being rate limited.", retry_after=wait)
        self._posted[room.id] = [*recent, now]

    def _write(self, room: Room, body: Mapping[str, Any], files: dict[str, bytes]) -> Sent:
        sent = Sent(self._snowflake(), room.id)
        sent.change(body, files)
        room.messages.append(sent)
        return sent

    def _edit(self, message: Sent, asked: _Asked) -> Sent:
        kept = set(asked.files)
        check_message(asked.body, flags=SUPPRESS_EMBEDS, is_new=False, files=kept)
        message.change(asked.body, asked.files)
        return message

    def _snowflake(self, ago: float = 0) -> int:
        milliseconds = int((time.time() - ago) * 1000) - _EPOCH
        return (milliseconds << 22) | (next(self._numbers) & 0xFFF)

    def _json(self, message: Sent) -> dict[str, Any]:
        attachments = [
            {
                "id": str(message.id + n),
                "filename": name,
                "size": len(raw),
                "url": "",
                "proxy_url": "",
            }
            for n, (name, raw) in enumerate(message.files.items())
        ]
        return {
            "id": str(message.id),
            "channel_id": str(message.channel),
            "author": bot_user(APPLICATION),
            "timestamp": "2025-10-10T20:41:09+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "pinned": False,
            "type": 0,
            "content": message.body.get("content") or "",
            "embeds": [{"type": "rich"} | e for e in message.body.get("embeds") or []],
            "components": message.body.get("components") or [],
            "flags": message.body.get("flags") or 0,
            "attachments": attachments,
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    words: tuple[str, ...]
    """What stands in the path."""
    body: Any
    files: dict[str, bytes]
    with_response: bool


_Serve = Callable[[DiscordServer, _Asked], tuple[int, Any]]
_ID, _SECRET = r"(\d+)", r"([\w.-]+)"
_ROUTES: list[tuple[str, str, bool, _Serve]] = [
    ("GET", "/users/@me", True, DiscordServer._me),
    ("GET", "/oauth2/applications/@me", True, DiscordServer._application),
    ("GET", "/applications/@me", True, DiscordServer._application),
    ("GET", "/gateway/bot", True, DiscordServer._gateway_bot),
    ("PUT", rf"/applications/{_ID}/commands", True, DiscordServer._declare),
    ("PUT", rf"/applications/{_ID}/guilds/{_ID}/commands", True, DiscordServer._declare),
    ("POST", "/users/@me/channels", True, DiscordServer._open_private),
    ("POST", rf"/channels/{_ID}/messages", True, DiscordServer._post),
    ("POST", rf"/channels/{_ID}/typing", True, DiscordServer._type),
    ("PATCH", rf"/channels/{_ID}/messages/{_ID}", True, DiscordServer._change),
    ("POST", rf"/interactions/{_ID}/{_SECRET}/callback", False, DiscordServer._callback),
    ("POST", rf"/webhooks/{_ID}/{_SECRET}", False, DiscordServer._follow),
    ("PATCH", rf"/webhooks/{_ID}/{_SECRET}/messages/([@\w]+)", False, DiscordServer._change_own),
]


async def _read(request: web.Request) -> tuple[Any, dict[str, bytes]]:
    """The body, and files by the name of their field."""
    kind = request.headers.get("Content-Type", "")
    if kind.startswith("multipart/form-data"):
        form = await request.post()
        files = {
            name: value.file.read()
            for name, value in form.items()
            if isinstance(value, web.FileField)
        }
        return json.loads(str(form["payload_json"])), files
    if request.method in ("GET", "DELETE") or not request.can_read_body:
        return None, {}
    if kind != "application/json":  # exactly: a charset is refused
        raise Refusal(400, 50_035, "Invalid Form Body", content_type=kind)
    return await request.json(), {}


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _flooded(retry_after: float) -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": False}
    return _json(body, 429, Via="1.1 google")


def _json(body: Any, status: int, **headers: str) -> web.Response:
    """Its type is named without a charset: with one, the client would not read it."""
    raw = json.dumps(body).encode()
    return web.Response(body=raw, status=status, content_type="application/json", headers=headers)


def _member(who: Person) -> dict[str, Any]:
    return {
        "roles": list(map(str, who.roles)),
        "joined_at": "2024-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "nick": None,
        "avatar": None,
    }


def _payload(
    kind: int, who: Person, data: dict[str, Any], room: Room, guild: int | None
) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "application_id": str(APPLICATION),
        "type": kind,
        "version": 1,
        "data": data,
        "channel_id": str(room.id),
        "channel": room.json(),
        "app_permissions": "2048",
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {},
        "attachment_size_limit": 10_485_760,
        "context": 1 if guild is None else 0,
    }
    if guild is None:
        return payload | {"user": who.json()}
    member = _member(who) | {"user": who.json(), "permissions": "2048"}
    about = guild_json(guild)
    partial = {key: about[key] for key in ("id", "features", "preferred_locale")}
    return payload | {"guild_id": str(guild), "guild": partial, "member": member}
