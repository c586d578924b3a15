"""Discord's gateway: sessions, heartbeats, resuming, compression.

https://discord.com/developers/docs/events/gateway
"""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
BAD_TOKEN = 4004


@dataclass
class Session:
    id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    """All that were dispatched, for whoever resumes."""
    line: Line | None = None
    """None: nobody listens."""


class Line:
    """One connection, compressed as the client asked."""

    def __init__(self, socket: web.WebSocketResponse, compression: str) -> None:
        self.socket = socket
        self._squeeze = _compressor(compression)

    async def send(self, op: int, data: Any = None, **more: Any) -> None:
        await self.send_text(json.dumps({"op": op, "d": data, "s": None, "t": None} | more))

    async def send_text(self, text: str) -> None:
        if self._squeeze is None:
            await self.socket.send_str(text)
        else:
            await self.socket.send_bytes(self._squeeze(text.encode()))

    async def close(self, code: int) -> None:
        await self.socket.close(code=code)

    def cut(self) -> None:
        """The network is gone: no closing words."""
        if self.socket._req is not None and self.socket._req.transport is not None:
            self.socket._req.transport.abort()


def _compressor(kind: str) -> Any:
    if kind == "zlib-stream":
        packer = zlib.compressobj()
        return lambda raw: packer.compress(raw) + packer.flush(zlib.Z_SYNC_FLUSH)
    if kind == "zstd-stream":
        import zstandard

        stream = zstandard.ZstdCompressor().compressobj()
        return lambda raw: stream.compress(raw) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return None


class Gateway:
    """*heartbeat*: seconds between two beats that clients are told."""

    def __init__(self, *, application: int, token: str, heartbeat: float) -> None:
        self.token: str | None = token
        """None: whatever comes is refused."""
        self.url = ""
        self.guilds: set[int] = set()
        self.identified = self.resumed = self.beats = self.connections = 0
        self.is_mute = False
        """Accepts, and says nothing at all."""
        self.refusals: list[bool] = []
        """Answers to the next IDENTIFY or RESUME: invalid session, True if resumable."""
        self.intents = 0
        self.compression = ""
        self._application = application
        self._heartbeat = heartbeat
        self._sessions: dict[str, Session] = {}
        self._current: Session | None = None

    @property
    def is_listened_to(self) -> bool:
        return self._current is not None and self._current.line is not None

    async def dispatch(self, event: str, data: dict[str, Any]) -> None:
        """Tell the current session; whoever resumes it hears of it later."""
        session = self._current
        if session is None:
            return
        told = {"t": event, "s": len(session.events) + 1, "d": data}
        session.events.append(told)
        if session.line is not None:
            try:
                await session.line.send(DISPATCH, told["d"], t=told["t"], s=told["s"])
            except ConnectionError:  # cut a moment ago; whoever resumes hears of it
                session.line = None

    async def send_raw(self, frame: str) -> None:
        """Send what is no event."""
        if line := self._line():
            await line.send_text(frame)

    async def again(self, number: int = -1) -> None:
        """Dispatch an event once more, as after a resumption that went too far back."""
        assert self._current is not None
        old = self._current.events[number]
        await self.dispatch(old["t"], old["d"])

    # -- what goes wrong

    async def close(self, code: int = 1001) -> None:
        if line := self._line():
            await line.close(code)

    def cut(self) -> None:
        if line := self._line():
            line.cut()

    async def ask_to_reconnect(self) -> None:
        if line := self._line():
            await line.send(RECONNECT)

    async def invalidate(self, *, resumable: bool) -> None:
        if line := self._line():
            if not resumable:
                self._sessions.clear()
            await line.send(INVALID, resumable)

    def _line(self) -> Line | None:
        return self._current.line if self._current else None

    # -- the protocol

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True, timeout=0.1)
        await socket.prepare(request)
        self.connections += 1
        self.compression = request.query.get("compress", "")
        line = Line(socket, self.compression)
        if not self.is_mute:
            await line.send(HELLO, {"heartbeat_interval": int(self._heartbeat * 1000)})
        session: Session | None = None
        async for message in socket:
            if message.type is not WSMsgType.TEXT or self.is_mute:
                continue
            session = await self._understand(line, json.loads(message.data)) or session
        if session is not None and session.line is line:
            session.line = None
        return socket

    async def _understand(self, line: Line, said: dict[str, Any]) -> Session | None:
        if said["op"] == HEARTBEAT:
            self.beats += 1
            await line.send(ACK)
        elif said["op"] in (IDENTIFY, RESUME):
            if said["d"]["token"] != self.token:
                await line.close(BAD_TOKEN)
            elif self.refusals:
                await line.send(INVALID, self.refusals.pop(0))
            elif said["op"] == IDENTIFY:
                return await self._identify(line, said["d"])
            else:
                return await self._resume(line, said["d"])
        return None

    async def _identify(self, line: Line, asked: dict[str, Any]) -> Session:
        self.identified += 1
        self.intents = asked["intents"]
        session = self._current = Session(secrets.token_hex(16), line=line)
        self._sessions[session.id] = session
        ready = {
            "v": 10,
            "user": bot_user(self._application),
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "guilds": [{"id": str(guild), "unavailable": True} for guild in self.guilds],
            "application": {"id": str(self._application), "flags": 0},
        }
        await self.dispatch("READY", ready)
        for guild in self.guilds:
            await self.dispatch("GUILD_CREATE", guild_json(guild))
        return session

    async def _resume(self, line: Line, asked: dict[str, Any]) -> Session | None:
        session = self._sessions.get(asked["session_id"])
        if session is None:
            await line.send(INVALID, False)
            return None
        self.resumed += 1
        self._current = session
        for event in session.events[asked["seq"] or 0 :]:
            await line.send(DISPATCH, event["d"], t=event["t"], s=event["s"])
        session.line = line
        await self.dispatch("RESUMED", {"_trace": []})
        return session


def bot_user(application: int) -> dict[str, Any]:
    return {
        "id": str(application),
        "username": "harbour",
        "discriminator": "0",
        "global_name": None,
        "avatar": None,
        "bot": True,
    }


def guild_json(guild: int) -> dict[str, Any]:
    return {
        "id": str(guild),
        "name": "Harbour",
        "icon": None,
        "owner_id": "1",
        "roles": [],
        "emojis": [],
        "features": [],
        "channels": [],
        "members": [],
        "threads": [],
        "voice_states": [],
        "presences": [],
        "stickers": [],
        "member_count": 3,
        "preferred_locale": "en-US",
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "system_channel_flags": 0,
        "afk_timeout": 300,
    }
