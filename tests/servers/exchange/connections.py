"""WebSockets, whoever's protocol they speak: opened, listened to, written in order, cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True, eq=False, kw_only=True)
class Connection:
    """`names` are what is subscribed to; `is_user` when it is told about the account."""

    socket: web.WebSocketResponse
    transport: asyncio.BaseTransport | None
    path: str = ""
    key: str = ""
    """The API key that logged in here."""
    names: dict[str, Any] = field(default_factory=dict)
    outbox: asyncio.Queue[str | bytes] = field(default_factory=asyncio.Queue)

    @property
    def is_user(self) -> bool:
        return bool(self.key)

    def send(self, message: Any) -> None:
        self.outbox.put_nowait(json.dumps(message))

    def send_raw(self, message: str | bytes) -> None:
        """Text or bytes that are not JSON."""
        self.outbox.put_nowait(message)

    def cut(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def write(self) -> None:
        """Send in order, until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while not self.socket.closed:
                message = await self.outbox.get()
                if isinstance(message, bytes):
                    await self.socket.send_bytes(message)
                else:
                    await self.socket.send_str(message)
