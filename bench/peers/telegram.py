"""A Bot API server for freqtrade: as that of the tests, but for its messages.

freqtrade writes old Markdown and keyboards of texts, which the server of the tests does not know.
Here its messages are taken as they are, at once, without limits: what it costs to refuse is not
what is measured.
"""

from __future__ import annotations

import asyncio
import time
from time import perf_counter

from aiohttp import web

from bench.chats import ANNA, WatchedTelegram
from bench.process import LONGEST
from tests.servers.telegram import Sent

_TAKEN = {"sendMessage", "setMyCommands", "sendChatAction"}


class PeerTelegram(WatchedTelegram):
    """Notes when the last message arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["method"] not in _TAKEN:
            return await super()._serve(request)
        if request.match_info["method"] != "sendMessage":
            return web.json_response({"ok": True, "result": True})
        self.arrived = perf_counter()
        text = str((await request.post()).get("text", ""))
        self.messages.append(text)
        room = self.room(ANNA.id)
        sent = self._post(room, Sent(0, room.id, int(time.time()), text))
        return web.json_response({"ok": True, "result": self._message(room, sent) | {"text": text}})

    async def asks(self, text: str, messages: int) -> tuple[float, str]:
        """Seconds from the moment *text* was handed out until so many messages were here."""
        before = len(self.messages)
        await self.says(ANNA, text)
        await self.have(before + messages, text)
        return self.arrived - self.handed, self.messages[before]

    async def have(self, count: int, what: str) -> None:
        until = perf_counter() + LONGEST
        while len(self.messages) < count:
            if perf_counter() > until:
                raise TimeoutError(f"{len(self.messages)} of {count} messages after {what}")
            await asyncio.sleep(0.001)

    async def silence(self, seconds: float) -> None:
        """Wait until nothing was said for so long: what it tells at its start is over."""
        while perf_counter() - self.arrived < seconds:
            await asyncio.sleep(0.05)
