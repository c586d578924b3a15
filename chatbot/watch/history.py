"""Watches whether the file of the history is where it was, and rescues what it holds if not."""

from __future__ import annotations

import logging
from pathlib import Path

from chatbot.folder.history import RESCUED
from storage.store import SqlStore
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.errors import StoreError
from trading.events import HistoryLost

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0
AGAIN_EVERY = 60.0
"""Seconds between two copies while it stays lost."""


class HistoryWatch:
    """Says it once, and keeps a copy in *folder* up to date until the file is back.

    Entries are blocked by the store itself: it tells what is written as not durable.
    """

    def __init__(self, *, store: SqlStore, recorder: Recorder, folder: Path, clock: Clock) -> None:
        self._store = store
        self._recorder = recorder
        self._folder = folder
        self._clock = clock
        self._copy: Path | None = None
        """Of the loss that is known; None while nothing is lost."""
        self._copied_at = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.beat(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        why = self._store.lost()
        if not why:
            self._copy = None
        elif self._copy is None:
            self._copy = self._folder / f"{RESCUED}{self._clock.now():%Y-%m-%dT%H%M%S}.db"
            log.warning("the history is lost: %s", why)
            is_safe = await self._rescue(self._copy)
            event = HistoryLost(
                at=self._clock.now(),
                why=why,
                rescued=self._copy.name if is_safe else "",
                is_damaged=self._store.is_damaged,
            )
            await self._recorder.say(event)
        elif self._clock.monotonic() - self._copied_at >= AGAIN_EVERY:
            await self._rescue(self._copy)

    async def last_copy(self) -> str:
        """At the end, with all that waited: the copy's name; empty where nothing is lost."""
        if not self._store.lost():
            return ""
        target = self._copy or self._folder / f"{RESCUED}{self._clock.now():%Y-%m-%dT%H%M%S}.db"
        return target.name if await self._rescue(target) else ""

    async def _rescue(self, target: Path) -> bool:
        self._copied_at = self._clock.monotonic()
        await self._recorder.write_through()
        try:
            await self._store.rescue(target)
        except StoreError as error:
            log.error("%s", error)  # noqa: TRY400  # expected, and told
            return False
        return True
