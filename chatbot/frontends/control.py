"""The control socket: `quarterdeck say` and scripts, one JSON line each way.

Request   {"v": 1, "text": "/status", "id": "7f3a", "plain": false}
Answer    a reply as `handlers.reply.to_json` writes it; asked `plain`, with its terminal text too

Whoever may open the socket (its user, and root) is the owner.  What a client does wrong costs
that client its connection, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import structlog

from chatbot.cli.say import VERSION, address, login
from chatbot.frontends import OnMessage
from handlers.caller import Caller, Message, Role
from handlers.reply import Outcome, Reply, to_json
from trading.clocks import Clock
from trading.errors import Refused

LONGEST_LINE = 64 * 1024
LONGEST_ID = 64
_FAREWELL = 0.5
"""Seconds that answers under way have when the desk ends."""
_CREDENTIALS = struct.Struct("3i")

log = structlog.stdlib.get_logger(__name__)


class ControlSocket:
    """Listens on *path*.  A client that is silent for *idle* seconds is hung up on."""

    name = "control"

    def __init__(
        self,
        path: Path,
        render_plain: Callable[[Reply], str],
        clock: Clock,
        *,
        idle: float = 60.0,
    ) -> None:
        self._path = path
        self._render_plain = render_plain
        self._clock = clock
        self._idle = idle
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled; answers under way are still given.

        Raises `Refused` when another process listens there, `OSError` when it cannot be opened.
        """
        with _listening(self._path) as listener:
            server = await asyncio.start_unix_server(
                partial(self._serve, on_message),
                sock=listener,
                limit=LONGEST_LINE,
                start_serving=False,
            )
            try:
                await server.start_serving()
                await asyncio.get_running_loop().create_future()  # until cancelled
            finally:
                server.close()
                await self._part()

    async def _part(self) -> None:
        if self._answering:
            await asyncio.wait(self._answering, timeout=_FAREWELL)
        for writer in self._connections.values():
            writer.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_FAREWELL)

    async def _serve(
        self, on_message: OnMessage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a stream is served by a task
        self._connections[task] = writer
        try:
            await self._talk(task, on_message, reader, writer)
        except TimeoutError:
            writer.transport.abort()  # it neither speaks nor listens
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it went away; what it asked for is done
        finally:
            self._answering.discard(task)
            del self._connections[task]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _talk(
        self,
        task: asyncio.Task[None],
        on_message: OnMessage,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            caller = _caller(writer.get_extra_info("socket"))
            while True:
                async with asyncio.timeout(self._idle):
                    line = await reader.readuntil(b"\n")
                self._answering.add(task)
                await self._write(writer, await self._answer(caller, line, on_message))
                self._answering.discard(task)
        except Refused as refusal:
            await self._write(writer, to_json(_not_understood(str(refusal))))
        except asyncio.LimitOverrunError:
            sentence = f"the line is longer than {LONGEST_LINE // 1024} KiB"
            await self._write(writer, to_json(_not_understood(sentence)))

    async def _answer(self, caller: Caller, line: bytes, on_message: OnMessage) -> str:
        try:
            request = _Request.parse(line)
        except Refused as refusal:
            return to_json(_not_understood(str(refusal)))
        message = Message(
            caller,
            request.text,
            self._clock.now(),
            f"{caller.user}:{request.id}" if request.id else "",
        )
        try:
            reply = await on_message(message)
            return self._encoded(reply, plain=request.plain)
        except Exception:  # noqa: BLE001  # the client is told, the desk goes on
            reference = os.urandom(3).hex()
            await log.aexception("control socket: no answer", reference=reference)
            return to_json(
                Reply(
                    f"✕ Failed, reference {reference}",
                    outcome=Outcome.FAILED,
                    reference=reference,
                )
            )

    def _encoded(self, reply: Reply, *, plain: bool) -> str:
        line = to_json(reply)
        if not plain:
            return line
        return json.dumps(
            {**json.loads(line), "plain": self._render_plain(reply)}, ensure_ascii=False
        )

    async def _write(self, writer: asyncio.StreamWriter, line: str) -> None:
        writer.write(line.encode() + b"\n")
        async with asyncio.timeout(self._idle):
            await writer.drain()


@dataclass(frozen=True, slots=True)
class _Request:
    text: str
    id: str
    plain: bool

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
        if not (isinstance(text, str) and text.strip()):
            raise Refused('"text" must be what is said, as in "/status"')
        if not (isinstance(id, str) and len(id) <= LONGEST_ID and isinstance(plain, bool)):
            raise Refused(f'"id" is text of at most {LONGEST_ID} characters, "plain" true or false')
        return cls(text, id, plain)


def _not_understood(why: str) -> Reply:
    return Reply(f"✕ Not understood: {why}", text="Nothing was done.", outcome=Outcome.REFUSED)


def _caller(connection: socket.socket) -> Caller:
    """Who is at the other end, as the kernel says.  Raises `Refused` for strangers."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    if uid not in (os.geteuid(), 0):
        log.warning("control socket: a stranger was refused", uid=uid)
        raise Refused("this desk belongs to another user")
    user = f"local:{uid}"
    return Caller(user, login(uid), Role.OWNER, "terminal", chat=user)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A bound socket at *path*, never open to others, not even for the instant of its making."""
    _clear(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.setblocking(False)
        with address(path) as name:
            mask = os.umask(0o177)
            try:
                listener.bind(name)
            finally:
                os.umask(mask)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove what a dead process left; refuse to remove anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Refused(f"{path} is in the way: it is no socket of ours")
    with socket.socket(socket.AF_UNIX) as probe, address(path) as name:
        probe.setblocking(False)
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # somebody is there, and busy
    raise Refused(f"Another process listens on {path}")
