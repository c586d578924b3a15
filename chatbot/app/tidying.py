"""Once a day history forgets what nobody needs any more; how large it is, is always told."""

from __future__ import annotations

from datetime import datetime, timedelta

from chatbot.logs import get_logger
from chatbot.watch.metrics import Metrics
from trading.clocks import Clock
from trading.errors import StoreError
from trading.ports import Change, Store

log = get_logger(__name__)

DAY = timedelta(days=1)
AFTER_START = 60.0
"""Seconds that a start has for itself."""
EVERY = 3600.0
"""Seconds between two looks whether a day is over: whoever restarts each night is tidied too."""
TIDIED_AT = "tidied_at"
"""The note that says when, in wall time."""


class Tidying:
    """Looks after the size of history."""

    def __init__(self, *, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Tidy once a day, until cancelled."""
        await self._clock.sleep(AFTER_START)
        while True:
            await self.look()
            await self._clock.sleep(EVERY)

    async def look(self) -> None:
        """Tidy if it is time.  What fails is tried again at the next look."""
        try:
            await self._tidy_if_due(self._clock.now())
        except StoreError as error:
            log.warning("history is tidied later", why=str(error))
        self._metrics.gauge("history_bytes", self._store.size())

    async def _tidy_if_due(self, now: datetime) -> None:
        if not is_due(await self._store.note(TIDIED_AT), now):
            return
        tidied = await self._store.tidy(now)
        await self._store.commit(Change(notes=((TIDIED_AT, now.isoformat()),)))
        log.info("history is tidied", removed=dict(tidied.removed), size=tidied.size)


def is_due(tidied_at: str | None, now: datetime) -> bool:
    """Whether the last time is a day ago; a clock that was set back makes it due as well."""
    if not tidied_at:
        return True
    return not timedelta(0) <= now - datetime.fromisoformat(tidied_at) < DAY
