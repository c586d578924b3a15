"""Who spoke to us without a role: told once, never answered; neither names nor words are kept."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque

from chatbot.ports import Notes
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.errors import StoreError
from trading.events import StrangerSeen

log = logging.getLogger(__name__)

NOTE = "strangers"
REMEMBERED = 1_000
"""Ids; of more, the oldest are forgotten and may be told again."""
TOLD, WITHIN = 10, 3_600.0
"""So many new ones in so many seconds are told; the others only in the log."""


class Unauthorized:
    """Implements `chatbot.frontends.talk.OnUnauthorized` with `seen`."""

    def __init__(self, *, recorder: Recorder, notes: Notes, clock: Clock) -> None:
        self._recorder = recorder
        self._notes = notes
        self._clock = clock
        self._known: dict[str, None] = {}
        """Oldest first."""
        self._is_read = False
        self._told: deque[float] = deque(maxlen=TOLD)
        self._turn = asyncio.Lock()

    async def seen(self, platform: str, id: str) -> None:  # noqa: A002  # what it is
        """Somebody with the numeric *id* spoke on *platform*, as in `Telegram`."""
        if not re.fullmatch(r"-?[0-9]{1,20}", id):
            return
        async with self._turn:
            is_told = await self._is_told(f"{platform}:{id}")
        if is_told:
            await self._recorder.say(StrangerSeen(at=self._clock.now(), who=id, where=platform))

    async def _is_told(self, key: str) -> bool:
        known = await self._remembered()
        if key in known:
            return False
        known[key] = None
        while len(known) > REMEMBERED:
            del known[next(iter(known))]
        now = self._clock.monotonic()
        if len(self._told) == TOLD and now - self._told[0] < WITHIN:
            log.warning("another stranger tried (%s); not told, as %d were lately", key, TOLD)
            return False
        self._told.append(now)
        await self._keep(known)
        return True

    async def _remembered(self) -> dict[str, None]:
        if not self._is_read:
            try:
                written = await self._notes.note(NOTE)
            except StoreError:
                log.warning("history does not say which strangers were told already")
                return self._known
            self._is_read = True
            self._known = dict.fromkeys(json.loads(written or "[]")) | self._known
        return self._known

    async def _keep(self, known: dict[str, None]) -> None:
        if not self._is_read:
            return  # what history has is more than we know
        try:
            await self._notes.keep(NOTE, json.dumps(list(known)))
        except StoreError:
            log.warning("history does not take which strangers were told")
