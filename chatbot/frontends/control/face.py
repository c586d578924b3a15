"""The control socket: `quarterdeck say` and scripts, any number of lines on one connection.

What a client does wrong costs that client its connection, and nothing else.  A crowd is answered
in turns; a stop among them waits for no turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chatbot.frontends.control.door import Door, Guest
from chatbot.frontends.control.request import (
    Answering,
    Request,
    caller_behind,
    not_understood,
    refused,
)
from chatbot.ports import OnMessage
from handlers.caller import Caller
from handlers.line import split
from handlers.reply import Reply
from trading.clocks import Clock
from trading.errors import Refused

LONGEST_LINE = 64 * 1024
SEATS, BUSY, AT_ONCE = 256, 128, 32
"""Connections at a time; how many of them may wait for an answer; how many are answered at once."""
TIMEOUT = 5.0
"""Seconds that a client may take to read its answer."""


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
        self._door = Door(seats=SEATS, longest_line=LONGEST_LINE)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled; answers under way are still given.

        Raises `Refused` when another process listens there, `OSError` when it cannot be opened.
        """
        answering = Answering(
            on_message=on_message, render_plain=self._render_plain, clock=self._clock
        )
        await self._door.keep(self._path, partial(self._talk, answering))

    async def _talk(self, answering: Answering, guest: Guest) -> None:
        try:
            caller = caller_behind(guest.connection)
            while True:
                line = await guest.line(within=self._idle)
                with self._door.answering(guest) as busy:
                    answer = await self._answer(answering, caller, line, busy)
                await guest.tell(answer, within=TIMEOUT)
        except Refused as refusal:
            await guest.tell(not_understood(refusal), within=TIMEOUT)
        except asyncio.LimitOverrunError:
            sentence = f"the line is longer than {LONGEST_LINE // 1024} KiB"
            await guest.tell(not_understood(sentence), within=TIMEOUT)

    async def _answer(self, answering: Answering, caller: Caller, line: bytes, busy: int) -> bytes:
        try:
            request = Request.parse(line)
        except Refused as refusal:
            return not_understood(refusal)
        if is_stop(request.text):
            return await answering.answer(caller, request)
        if busy > BUSY:
            return refused(f"Busy: {BUSY} others are being answered. Ask again")
        async with self._turns:
            return await answering.answer(caller, request)


def is_stop(text: str) -> bool:
    return split(text)[0] == "stop"
