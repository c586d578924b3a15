"""The stop socket: it hears stops and nothing else, so that nobody's talk stands before one.

One short line, one answer, and the connection is over.  Who does not speak at once loses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chatbot.frontends.control.door import Door, Guest
from chatbot.frontends.control.face import LONGEST_LINE, is_stop
from chatbot.frontends.control.request import (
    Answering,
    Request,
    caller_behind,
    not_understood,
    refused,
)
from chatbot.ports import OnMessage
from handlers.reply import Reply
from trading.clocks import Clock
from trading.errors import Refused

SEATS = 32
SPOKEN_WITHIN = 1.0
"""Seconds until a caller must have said its line, and until it must have read the answer."""


class StopSocket:
    """Listens on *path*, beside the control socket and with a queue of its own."""

    name = "stop"

    def __init__(self, path: Path, render_plain: Callable[[Reply], str], clock: Clock) -> None:
        self._path = path
        self._render_plain = render_plain
        self._clock = clock
        self._door = Door(seats=SEATS, longest_line=LONGEST_LINE)

    async def run(self, on_message: OnMessage) -> None:
        """As `ControlSocket.run`."""
        answering = Answering(
            on_message=on_message, render_plain=self._render_plain, clock=self._clock
        )
        await self._door.keep(self._path, partial(self._hear, answering))

    async def _hear(self, answering: Answering, guest: Guest) -> None:
        try:
            caller = caller_behind(guest.connection)
            request = Request.parse(await guest.line(within=SPOKEN_WITHIN))
        except Refused as refusal:
            answer = not_understood(refusal)
        except asyncio.LimitOverrunError:
            answer = not_understood(f"the line is longer than {LONGEST_LINE // 1024} KiB")
        else:
            if is_stop(request.text):
                with self._door.answering(guest):
                    answer = await answering.answer(caller, request)
            else:
                answer = refused("Only a stop is heard here; say the rest with: quarterdeck say")
        await guest.tell(answer, within=SPOKEN_WITHIN)
