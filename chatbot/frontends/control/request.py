"""One JSON line each way, and who is at the other end.

Request   {"v": 1, "text": "/status", "id": "7f3a", "plain": false}
Answer    a reply as `handlers.reply.to_json` writes it; asked `plain`, with its terminal text too

Whoever may open a socket of the desk (its user, and root) is the owner.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from chatbot.folder.calling import VERSION, login, uid_behind
from chatbot.logs import get_logger
from chatbot.ports import OnMessage
from handlers.caller import Caller, Role
from handlers.message import Message
from handlers.reply import Outcome, Reply, to_json
from trading.clocks import Clock
from trading.common.text import clean
from trading.errors import Refused

LONGEST_ID = 64

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    text: str
    id: str = ""
    plain: bool = False

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Raises `Refused` with what is wrong."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            raise Refused("the line is not JSON") from None
        if not isinstance(said, dict) or said.get("v") != VERSION:
            raise Refused(f'the line must be an object with "v": {VERSION}')
        text, id, plain = said.get("text"), said.get("id", ""), said.get("plain", False)
        if not (isinstance(text, str) and clean(text).strip()):
            raise Refused('"text" must be what is said, as in "/status"')
        if not (isinstance(id, str) and len(id) <= LONGEST_ID and isinstance(plain, bool)):
            raise Refused(f'"id" is text of at most {LONGEST_ID} characters, "plain" true or false')
        return cls(clean(text), clean(id), plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What a socket answers with."""

    on_message: OnMessage
    render_plain: Callable[[Reply], str]
    clock: Clock

    async def answer(self, caller: Caller, request: Request) -> bytes:
        """The line to send.  Never raises: what breaks is told with a reference."""
        key = f"{caller.user}:{request.id}" if request.id else ""
        message = Message(caller, request.text, self.clock.now(), key)
        try:
            return self._encoded(await self.on_message(message), plain=request.plain)
        except Exception:  # noqa: BLE001  # the client is told, the desk goes on
            reference = os.urandom(3).hex()
            await log.aexception("control socket: no answer", reference=reference)
            title = f"✕ Failed, reference {reference}"
            return encoded(Reply(title, outcome=Outcome.FAILED, reference=reference))

    def _encoded(self, reply: Reply, *, plain: bool) -> bytes:
        if not plain:
            return encoded(reply)
        told = {**json.loads(to_json(reply)), "plain": self.render_plain(reply)}
        return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def encoded(reply: Reply) -> bytes:
    return to_json(reply).encode() + b"\n"


def refused(title: str, text: str = "Nothing was done.") -> bytes:
    return encoded(Reply(f"✕ {title}", text=text, outcome=Outcome.REFUSED))


def not_understood(why: object) -> bytes:
    return refused(f"Not understood: {why}")


def caller_behind(connection: socket.socket) -> Caller:
    """Who is at the other end, as the kernel says.  Raises `Refused` for strangers."""
    uid = uid_behind(connection)
    if uid not in (os.geteuid(), 0):
        log.warning("control socket: a stranger was refused", uid=uid)
        raise Refused("this desk belongs to another user")
    user = f"local:{uid}"
    return Caller(user, login(uid), Role.OWNER, "terminal", chat=user)
