"""A Bot API server on loopback: the real client talks to it over real sockets.

    async with TelegramServer() as server:
        ...  # a desk with base_url=server.base_url and token=server.token
        said = await server.says(BEN, "/status")
        answer = await server.answer_to(said)
        pressed = await server.presses(BEN, answer, "Refresh")

It refuses what the real one refuses, and fails as told: `server.fail("sendMessage", Fault.DROP)`.
Everything it was asked stays in `server.requests`.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.servers.telegram_rules import (
    SCHEMA,
    TOAST_LIMIT,
    BadRequest,
    Entity,
    Flood,
    checked,
    checked_buttons,
    checked_commands,
    checked_text,
)
from tests.waiting import until

TOKEN = "7654321:AAexampleexampleexampleexampleexample"
USERNAME = "harbour_desk_bot"
OLD_QUERY = 15.0
"""Seconds after which a press can no longer be answered."""


class Fault(StrEnum):
    FLOOD = "429"
    BROKEN = "500"
    GATEWAY = "502"
    CONFLICT = "409"
    HANG = "hang"
    """Never answers; nothing happens."""
    DRIBBLE = "dribble"
    """Begins an answer, and sends a byte of it every now and then, for ever."""
    DROP = "drop"
    """Hangs up before anything happens."""
    DROP_AFTER = "drop after"
    """Does it, and hangs up without a word."""
    GARBAGE = "garbage"
    """Answers 200 with what is no JSON."""
    NO_MARKUP = "no markup"
    """Refuses any markup."""
    FORBIDDEN = "forbidden"
    """Has no right to do it in that chat: as where a group forbids pictures."""
    REFUSED = "refused"
    """Refuses for a reason of its own."""


_REASONS = {
    Fault.NO_MARKUP: 'can\'t parse entities: Unsupported start tag "b" at byte offset 0',
    Fault.FORBIDDEN: "not enough rights to send photos to the chat",
    Fault.REFUSED: "IMAGE_PROCESS_FAILED",
}


@dataclass
class _Plan:
    method: str
    fault: Fault
    times: float
    retry_after: float


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    is_bot: bool = False

    def json(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}


@dataclass
class Sent:
    """A message in a chat, as people see it now."""

    id: int
    chat: int
    date: int
    text: str = ""
    html: str = ""
    entities: list[Entity] = field(default_factory=list)
    rows: list[list[tuple[str, str]]] = field(default_factory=list)
    silent: bool = False
    thread: int | None = None
    reply_to: int | None = None
    photo: bytes | None = None
    deleted: bool = False
    edits: list[str] = field(default_factory=list)
    """Every text it had, the first one first."""
    by_bot: bool = True

    @property
    def buttons(self) -> dict[str, str]:
        """What each label types."""
        return {label: data for row in self.rows for label, data in row}


@dataclass
class Room:
    id: int
    messages: list[Sent] = field(default_factory=list)
    blocked: bool = False
    gone: bool = False
    moved_to: int | None = None
    forum: bool = False
    doing: list[str] = field(default_factory=list)
    """Chat actions."""

    @property
    def seen(self) -> list[Sent]:
        """The bot's messages that are there, oldest first."""
        return [m for m in self.messages if m.by_bot and not m.deleted]

    def json(self) -> dict[str, Any]:
        if self.id > 0:
            return {"id": self.id, "type": "private", "first_name": "somebody"}
        kind = "supergroup" if str(self.id).startswith("-100") else "group"
        about: dict[str, Any] = {"id": self.id, "type": kind, "title": "Harbour"}
        return about | ({"is_forum": True} if self.forum else {})


@dataclass
class Press:
    """A tap on a button, and what the person was shown at once."""

    id: str
    at: float
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    toast: str = ""
    alert: bool = False
    expired: bool = False
    """The platform takes no answer to it any more."""


class _Refusal(Exception):
    def __init__(self, code: int, words: str, **parameters: Any) -> None:
        super().__init__(words)
        self.code, self.words, self.parameters = code, words, parameters


class _HangUp(Exception):
    """The connection ends without an answer."""


class _Again(Exception):
    """What holds for requests has changed: a poll under way is looked at anew."""


CONFLICT = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
_ENDS: dict[str, Callable[[], Exception]] = {
    "conflict": lambda: _Refusal(409, CONFLICT),
    "drop": _HangUp,
    "again": _Again,
}
_PHOTO = {"file_id": "p", "file_unique_id": "p", "width": 900, "height": 600}
_T = TypeVar("_T")


class TelegramServer:
    """*period* scales flood limits: 0.01 is a hundredth; a chat takes *burst* messages at once."""

    def __init__(
        self,
        token: str = TOKEN,
        *,
        period: float = 0.01,
        burst: int = 20,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        self.revoked = False
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.rooms: dict[int, Room] = {}
        self.menus: dict[str, list[dict[str, str]]] = {}
        """By scope: `default`, `chat 111`."""
        self.polls = self.conflicts = self.refused = 0
        """Polls; those that came while another was held open; messages that came too often."""
        self.schema_errors: list[str] = []
        """What a client did that the schema does not know: a test asserts that there is none."""
        self._period = period
        self._now = now
        self._flood = Flood(period, burst)
        self._plans: list[_Plan] = []
        self._answers: list[tuple[str, bytes, int]] = []
        """Method, body and status of what is answered instead of anything else."""
        self._updates: list[dict[str, Any]] = []
        self._forced: list[dict[str, Any]] = []
        """Redelivered although they were confirmed."""
        self._taken: dict[int, dict[str, Any]] = {}
        self._last_update = 700_000_000
        self._last_message = 0
        self._presses: dict[str, Press] = {}
        self._poller: asyncio.Future[str] | None = None
        self._changed = asyncio.Event()
        self._releases: set[asyncio.Event] = set()
        self._runner: web.AppRunner | None = None
        self._port = 0

    # -- a server's life ------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_away()

    async def come_back(self) -> None:
        """Listen, again on the same port."""
        app = web.Application(client_max_size=50 * 2**20)
        app.router.add_post("/bot{token}/{method}", self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def go_away(self) -> None:
        """Refuse connections, and drop those there are."""
        self.release()
        if self._poller and not self._poller.done():
            self._poller.set_result("drop")
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    # -- what people do -------------------------------------------------------------------

    def room(self, chat: int) -> Room:
        return self.rooms.setdefault(chat, Room(chat))

    async def says(
        self,
        who: Person,
        text: str,
        *,
        chat: int | None = None,
        thread: int | None = None,
        ago: float = 0,
        **extra: Any,
    ) -> Sent:
        """*who* writes *text*, *ago* seconds ago; *extra* goes into the message as it is."""
        room = self.room(chat or who.id)
        sent = self._post(room, Sent(0, room.id, int(self._now() - ago), text, by_bot=False))
        body = self._message(room, sent) | {"from": who.json()}
        if text:
            body["text"] = text
        if command := re.match(r"/\w+(@\w+)?", text):
            body["entities"] = [{"type": "bot_command", "offset": 0, "length": command.end()}]
        if thread is not None:
            body |= {"message_thread_id": thread, "is_topic_message": True}
        kind = extra.pop("kind", "message")
        self._deliver({kind: body | extra})
        return sent

    async def presses(
        self, who: Person, message: Sent, label: str, *, inaccessible: bool = False
    ) -> Press:
        """*who* presses the button *label*, or one that is long gone: `/stop` as its data."""
        data = message.buttons.get(label, label)
        press = Press(str(10**15 + len(self._presses)), time.monotonic())
        self._presses[press.id] = press
        room = self.room(message.chat)
        body = self._message(room, message)
        if inaccessible:
            body = {"chat": room.json(), "message_id": message.id, "date": 0}
        query = {"id": press.id, "from": who.json(), "chat_instance": "1", "data": data}
        self._deliver({"callback_query": query | {"message": body}})
        return press

    async def migrates(self, old: int, new: int, *, tell: bool = True) -> None:
        """The group becomes a supergroup; *tell*: the service message arrives."""
        self.room(old).moved_to = new
        self.room(new)
        if tell:
            service = {"from": Person(5, "admin").json(), "migrate_to_chat_id": new}
            sent = self._post(self.room(old), Sent(0, old, int(self._now()), by_bot=False))
            self._deliver({"message": self._message(self.room(old), sent) | service})

    def redeliver(self) -> None:
        """The newest update comes once more, although it was confirmed."""
        self._forced.append(self._taken[max(self._taken)])
        self._stir()

    # -- what goes wrong ------------------------------------------------------------------

    def fail(
        self, method: str, fault: Fault, *, times: float = 1, retry_after: float = 1.0
    ) -> None:
        """The next *times* calls of *method* (`*`: any) fail so; *retry_after* is not scaled."""
        self._plans.append(_Plan(method, fault, times, retry_after))
        if method in ("getUpdates", "*") and self._poller and not self._poller.done():
            self._poller.set_result("again")

    def answer(self, method: str, body: bytes, *, status: int = 200) -> None:
        """The next call of *method* is answered with this alone; nothing happens."""
        self._answers.append((method, body, status))
        if method == "getUpdates" and self._poller and not self._poller.done():
            self._poller.set_result("again")

    def forget_flood(self) -> None:
        """As if a minute had passed in which nobody wrote."""
        self._flood.forget()

    def recover(self) -> None:
        """Whatever was planned to fail does not."""
        self._plans.clear()
        self._answers.clear()
        self.release()

    def release(self) -> None:
        """Hang up on whoever hangs."""
        for each in self._releases:
            each.set()

    def revoke(self) -> None:
        self.revoked = True
        if self._poller and not self._poller.done():
            self._poller.set_result("again")

    def restore(self) -> None:
        self.revoked = False

    # -- what a test asks -----------------------------------------------------------------

    def asked(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every call of *method* so far, refused ones included."""
        return [params for name, params in self.requests if name == method]

    async def until(self, look: Callable[[], _T | None], what: str) -> _T:
        """Wait until *look* returns something true, and return that."""
        return await until(look, lambda: f"{what}: {self._told()}", pause=0.005)

    async def answer_to(self, said: Sent) -> Sent:
        """The first message of the bot after *said*, in its chat."""
        room = self.room(said.chat)
        return await self.until(
            lambda: next((m for m in room.seen if m.id > said.id), None), f"answer to {said.text}"
        )

    async def seen(self, chat: int, words: str) -> Sent:
        """The newest message of the bot in *chat* that says *words*."""
        room = self.room(chat)
        return await self.until(
            lambda: next((m for m in reversed(room.seen) if words in m.text), None), words
        )

    async def confirmed(self) -> None:
        """Every update was taken in."""
        await self.until(lambda: not self._updates and not self._forced, "updates to be taken in")

    def _told(self) -> list[str]:
        recent = [f"{method} {params}"[:200] for method, params in self.requests[-8:]]
        return [*self.schema_errors, *recent]

    # -- how a request is served ----------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        form, files = await _read(request)
        try:
            params = self._understood(method, form, files)
            while True:
                try:
                    return await self._answer(request, method, params, files)
                except _Again:
                    continue
        except _HangUp:
            if request.transport:
                request.transport.abort()
            return web.Response()
        except BadRequest as error:
            return _refused(_Refusal(400, f"Bad Request: {error}"))
        except _Refusal as refusal:
            return _refused(refusal)

    def _understood(
        self, method: str, form: dict[str, str], files: dict[str, bytes]
    ) -> dict[str, Any]:
        if method not in SCHEMA["methods"]:
            self.schema_errors.append(f"no method {method}")
            raise _Refusal(404, "Not Found")
        try:
            params = checked(method, form, files)
        except BadRequest as error:
            self.schema_errors.append(str(error))
            raise
        self.requests.append((method, params))
        return params

    async def _answer(
        self,
        request: web.Request,
        method: str,
        params: dict[str, Any],
        files: dict[str, bytes],
    ) -> web.StreamResponse:
        if self.revoked or request.match_info["token"] != self.token:
            raise _Refusal(401, "Unauthorized")
        if planned := next((each for each in self._answers if each[0] == method), None):
            self._answers.remove(planned)
            _, body, status = planned
            return web.Response(body=body, status=status, content_type="application/json")
        plan = self._planned(method, params)
        if plan and plan.fault in (Fault.GARBAGE, Fault.DRIBBLE):
            return await self._nonsense(request, plan.fault)
        if plan and plan.fault is not Fault.DROP_AFTER:
            await self._fail(plan)
        if method == "getUpdates":
            result: Any = await self._get_updates(**params)
        else:
            result = _METHODS[method](self, params, files)
        if plan:
            raise _HangUp
        return web.json_response({"ok": True, "result": result})

    def _planned(self, method: str, params: dict[str, Any]) -> _Plan | None:
        for plan in self._plans:
            marked = "parse_mode" in params or "parse_mode" in params.get("media", {})
            if plan.method not in (method, "*") or plan.times < 1:
                continue
            if plan.fault is Fault.NO_MARKUP and not marked:
                continue
            plan.times -= 1
            return plan
        return None

    async def _fail(self, plan: _Plan) -> None:
        match plan.fault:
            case Fault.FLOOD:
                raise _flooded(plan.retry_after)
            case Fault.BROKEN:
                raise _Refusal(500, "Internal Server Error")
            case Fault.GATEWAY:
                raise _Refusal(502, "Bad Gateway")
            case Fault.CONFLICT:
                raise _Refusal(409, CONFLICT)
            case Fault.NO_MARKUP | Fault.FORBIDDEN | Fault.REFUSED:
                raise BadRequest(_REASONS[plan.fault])
            case Fault.HANG:
                await self._hang()
        raise _HangUp

    async def _nonsense(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault is Fault.GARBAGE:
            return web.Response(text="<html>proxy</html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    async def _hang(self) -> None:
        released = asyncio.Event()
        self._releases.add(released)
        try:
            await released.wait()
        finally:
            self._releases.discard(released)

    # -- updates --------------------------------------------------------------------------

    async def _get_updates(
        self,
        offset: int = 0,
        limit: int = 100,
        timeout: int = 0,
        allowed_updates: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        self.polls += 1
        if self._poller and not self._poller.done():
            self.conflicts += 1
            self._poller.set_result("conflict")
        mine = self._poller = asyncio.get_running_loop().create_future()
        try:
            return await self._news(mine, offset, limit, timeout, allowed_updates)
        finally:
            if not mine.done():  # it has its answer, or was left
                mine.set_result("over")

    async def _news(
        self,
        mine: asyncio.Future[str],
        offset: int,
        limit: int,
        timeout: int,
        allowed_updates: list[str] | None,
    ) -> list[dict[str, Any]]:
        if offset < 0:
            self._updates = self._updates[offset:]
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        until = time.monotonic() + timeout
        while True:
            batch, self._forced = [*self._forced, *self._updates][:limit], []
            left = until - time.monotonic()
            if batch or left <= 0:
                return [u for u in batch if allowed_updates is None or u.keys() & allowed_updates]
            self._changed.clear()
            changed = asyncio.ensure_future(self._changed.wait())
            waited: set[asyncio.Future[Any]] = {mine, changed}
            try:
                await asyncio.wait(waited, timeout=left, return_when="FIRST_COMPLETED")
            finally:
                changed.cancel()
            if mine.done():
                end = _ENDS[mine.result()]
                raise end()

    def _deliver(self, update: dict[str, Any]) -> None:
        self._last_update += 1
        whole = {"update_id": self._last_update, **update}
        self._updates.append(whole)
        self._taken[self._last_update] = whole
        self._stir()

    def _stir(self) -> None:
        self._changed.set()

    # -- messages -------------------------------------------------------------------------

    def _post(self, room: Room, sent: Sent) -> Sent:
        self._last_message += 1
        sent.id, sent.chat = self._last_message, room.id
        room.messages.append(sent)
        return sent

    def _message(self, room: Room, sent: Sent) -> dict[str, Any]:
        about: dict[str, Any] = {"message_id": sent.id, "date": sent.date, "chat": room.json()}
        if sent.thread is not None:
            about |= {"message_thread_id": sent.thread, "is_topic_message": True}
        if not sent.by_bot:
            return about
        about |= {"from": self._me()} | ({"text": sent.text} if sent.photo is None else {})
        if sent.photo is not None:
            about |= {"photo": [_PHOTO], "caption": sent.text}
        if sent.rows:
            keys = [[{"text": t, "callback_data": d} for t, d in row] for row in sent.rows]
            about["reply_markup"] = {"inline_keyboard": keys}
        return about

    def _me(self) -> dict[str, Any]:
        number = int(self.token.partition(":")[0])
        return {"id": number, "is_bot": True, "first_name": "harbour", "username": USERNAME}

    def _open_room(self, chat: Any) -> Room:
        room = self.rooms.get(int(chat)) if re.fullmatch(r"-?\d+", str(chat)) else None
        if room is None:
            raise BadRequest("chat not found")
        if room.moved_to is not None:
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            raise _Refusal(400, words, migrate_to_chat_id=room.moved_to)
        if room.blocked:
            raise _Refusal(403, "Forbidden: bot was blocked by the user")
        if room.gone:
            raise _Refusal(403, "Forbidden: bot was kicked from the supergroup chat")
        return room

    def _taking(self, chat: Any) -> Room:
        """The chat, if it takes a message now."""
        room = self._open_room(chat)
        wait = self._flood.wait(room.id)
        if wait:
            self.refused += 1
            raise _flooded(math.ceil(wait) if self._period == 1 else wait)
        return room

    def _get_me(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        return self._me() | {"can_join_groups": True, "can_read_all_group_messages": False}

    def _yes(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        return True

    def _send_message(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        text, entities = checked_text(params["text"], params.get("parse_mode"), caption=False)
        sent = Sent(0, 0, int(self._now()), text, params["text"], entities)
        return self._sent(sent, params)

    def _send_photo(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        words = params.get("caption", "")
        text, entities = checked_text(words, params.get("parse_mode"), caption=True)
        sent = Sent(0, 0, int(self._now()), text, words, entities)
        sent.photo = _image(params["photo"], files)
        return self._sent(sent, params)

    def _sent(self, sent: Sent, params: dict[str, Any]) -> Any:
        sent.rows = checked_buttons(params.get("reply_markup"))
        room = self._taking(params["chat_id"])
        sent.silent = params.get("disable_notification", False)
        sent.thread = params.get("message_thread_id")
        if sent.thread is not None and not room.forum:
            raise BadRequest("message thread not found")
        if wanted := params.get("reply_parameters"):
            there = any(m.id == wanted["message_id"] and not m.deleted for m in room.messages)
            if not there and not wanted.get("allow_sending_without_reply"):
                raise BadRequest("message to be replied not found")
            sent.reply_to = wanted["message_id"] if there else None
        sent.edits.append(sent.text)
        return self._message(room, self._post(room, sent))

    def _editable(self, params: dict[str, Any]) -> tuple[Room, Sent]:
        room = self._taking(params["chat_id"])
        for sent in room.seen:
            if sent.id == params["message_id"]:
                return room, sent
        raise BadRequest("message to edit not found")

    def _edit_text(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        text, entities = checked_text(params["text"], params.get("parse_mode"), caption=False)
        rows = checked_buttons(params.get("reply_markup"))
        room, sent = self._editable(params)
        if sent.photo is not None:
            raise BadRequest("there is no text in the message to edit")
        _require_change((sent.html, sent.rows) != (params["text"], rows))
        sent.text, sent.html, sent.entities, sent.rows = text, params["text"], entities, rows
        sent.edits.append(text)
        return self._message(room, sent)

    def _edit_caption(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        words = params.get("caption", "")
        text, entities = checked_text(words, params.get("parse_mode"), caption=True)
        rows = checked_buttons(params.get("reply_markup"))
        room, sent = self._editable(params)
        _require_change((sent.html, sent.rows) != (words, rows))
        sent.text, sent.html, sent.entities, sent.rows = text, words, entities, rows
        sent.edits.append(text)
        return self._message(room, sent)

    def _edit_media(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        media = params["media"]
        words = media.get("caption", "")
        text, entities = checked_text(words, media.get("parse_mode"), caption=True)
        rows = checked_buttons(params.get("reply_markup"))
        image = _image(media["media"], files)
        room, sent = self._editable(params)
        sent.photo, sent.rows = image, rows
        sent.text, sent.html, sent.entities = text, words, entities
        sent.edits.append(text)
        return self._message(room, sent)

    def _edit_buttons(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        rows = checked_buttons(params.get("reply_markup"))
        room, sent = self._editable(params)
        _require_change(sent.rows != rows)
        sent.rows = rows
        return self._message(room, sent)

    def _delete(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        for sent in self._open_room(params["chat_id"]).messages:
            if sent.id == params["message_id"] and not sent.deleted:
                sent.deleted = True
                return True
        raise BadRequest("message to delete not found")

    def _act(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        self._open_room(params["chat_id"]).doing.append(params["action"])
        return True

    def _toast(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        press = self._presses.get(params["callback_query_id"])
        if press is None or press.expired or time.monotonic() - press.at > OLD_QUERY:
            raise BadRequest("query is too old and response timeout expired or query ID is invalid")
        if len(params.get("text", "")) > TOAST_LIMIT:
            raise BadRequest("MESSAGE_TOO_LONG")
        press.toast, press.alert = params.get("text", ""), params.get("show_alert", False)
        press.answered.set()
        return True

    def _set_menu(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        checked_commands(params["commands"])
        self.menus[self._scope(params)] = params["commands"]
        return True

    def _delete_menu(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        self.menus.pop(self._scope(params), None)
        return True

    def _get_menu(self, params: dict[str, Any], files: dict[str, bytes]) -> Any:
        return self.menus.get(self._scope(params), [])

    def _scope(self, params: dict[str, Any]) -> str:
        scope = params.get("scope", {"type": "default"})
        if scope["type"] != "chat":
            return str(scope["type"])
        return f"chat {self._open_room(scope['chat_id']).id}"


_METHODS: dict[str, Callable[[TelegramServer, dict[str, Any], dict[str, bytes]], Any]] = {
    "getMe": TelegramServer._get_me,
    "deleteWebhook": TelegramServer._yes,
    "sendMessage": TelegramServer._send_message,
    "sendPhoto": TelegramServer._send_photo,
    "editMessageText": TelegramServer._edit_text,
    "editMessageCaption": TelegramServer._edit_caption,
    "editMessageMedia": TelegramServer._edit_media,
    "editMessageReplyMarkup": TelegramServer._edit_buttons,
    "deleteMessage": TelegramServer._delete,
    "sendChatAction": TelegramServer._act,
    "answerCallbackQuery": TelegramServer._toast,
    "setMyCommands": TelegramServer._set_menu,
    "deleteMyCommands": TelegramServer._delete_menu,
    "getMyCommands": TelegramServer._get_menu,
}


async def _read(request: web.Request) -> tuple[dict[str, str], dict[str, bytes]]:
    form: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, str):
            form[name] = value
        else:
            files[name] = value.file.read() if isinstance(value, web.FileField) else bytes(value)
    return form, files


def _refused(refusal: _Refusal) -> web.Response:
    body = {"ok": False, "error_code": refusal.code, "description": refusal.words}
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return web.json_response(body, status=refusal.code)


def _flooded(seconds: float) -> _Refusal:
    words = f"Too Many Requests: retry after {seconds:g}"
    return _Refusal(429, words, retry_after=seconds)


def _require_change(changed: bool) -> None:
    if not changed:
        raise BadRequest(
            "message is not modified: specified new message content and reply markup are exactly "
            "the same as a current content and reply markup of the message"
        )


def _image(value: Any, files: dict[str, bytes]) -> bytes:
    image = files.get(value.removeprefix("attach://")) if isinstance(value, str) else value
    if not image or not image.startswith(b"\x89PNG"):
        raise BadRequest("IMAGE_PROCESS_FAILED")
    return bytes(image)
