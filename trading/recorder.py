"""Remember first, announce second: chats never hear of what history lacks.

Two ways to write.  `record` raises when history does not take it: what has not happened yet (an
entry) is then not done.  `keep` is for what has happened already (a fill, a cancelled order): it
stays in memory, is announced all the same, and is written again and again until history has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trading.bus import Bus
from trading.clocks import Clock
from trading.errors import StoreError
from trading.events import Event, HistoryFailed, HistoryRecovered
from trading.ports import Alert, Announce, Change, Lane, Meter, NoMeter, Store

log = logging.getLogger(__name__)

Offer = Callable[[Sequence[Alert]], None]
"""Takes alerts that history could not keep, to be delivered from memory."""


@dataclass(frozen=True, slots=True)
class _Unsaved:
    change: Change
    lane: Lane


class Recorder:
    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        announce: Announce,
        offer: Offer,
        meter: Meter = NoMeter(),  # noqa: B008  # holds nothing
        retry_after: float = 1.0,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._announce = announce
        self._offer = offer
        self._meter = meter
        self._retry_after = retry_after
        self._unsaved: list[_Unsaved] = []
        self._failed_since: datetime | None = None
        self._wake = asyncio.Event()
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def unsaved(self) -> int:
        """How many changes history has not taken yet."""
        return len(self._unsaved)

    async def record(self, change: Change, lane: Lane, *events: Event) -> None:
        """Write *change* and the alerts of *events* in one transaction, then announce.

        Raises `StoreError`: nothing was written, nothing was said.
        """
        if self._failed_since is not None:
            raise StoreError("history does not take writes")
        await self._store.commit(self._with_alerts(change, events), lane)
        self._publish(events)

    async def keep(self, change: Change, lane: Lane, *events: Event) -> bool:
        """Write facts that cannot be undone.  False: they wait in memory to be written.

        While others wait this one joins them: nothing is written before what it rests on, and
        exits do not wait each time for a disk that is known to fail.
        """
        change = self._with_alerts(change, events)
        try:
            if self._failed_since is not None:
                self._hold(change, lane)
                return False
            began = self._clock.monotonic()
            await self._store.commit(change, lane)
            self._meter.time("history", self._clock.monotonic() - began)
        except StoreError as error:
            self._hold(change, lane)
            self._tell_failure(error)
            return False
        finally:
            self._publish(events)
        return True

    def keep_soon(self, change: Change, lane: Lane, *events: Event) -> asyncio.Task[None]:
        """As `keep`, for callers that cannot wait (what a venue says unasked)."""
        task = asyncio.get_running_loop().create_task(self._kept(change, lane, events))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def settle(self) -> None:
        """Wait until everything begun by `keep_soon` is written or held."""
        while self._writing:
            await asyncio.gather(*self._writing, return_exceptions=True)

    async def say(self, *events: Event) -> None:
        """Announce what changes no books."""
        await self.keep(Change(), Lane.REST, *events)

    async def run(self) -> None:
        """Write what is held back, until cancelled."""
        while True:
            await self._wake.wait()
            await self._clock.sleep(self._retry_after)
            await self.retry()

    async def retry(self) -> None:
        """Try once to write all that waits, in the order in which it happened."""
        while self._unsaved:
            first = self._unsaved[0]
            try:
                await self._store.commit(first.change, first.lane)
            except StoreError:
                return
            if self._unsaved and self._unsaved[0] is first:
                del self._unsaved[0]
        self._wake.clear()
        await self._recovered()

    async def _kept(self, change: Change, lane: Lane, events: Sequence[Event]) -> None:
        await self.keep(change, lane, *events)

    async def _recovered(self) -> None:
        since, self._failed_since = self._failed_since, None
        if since is not None:
            now = self._clock.now()
            await self.say(HistoryRecovered(at=now, waited=now - since))

    def _hold(self, change: Change, lane: Lane) -> None:
        self._meter.count("history_errors")
        self._offer(change.alerts)
        self._unsaved.append(_Unsaved(change, lane))
        self._wake.set()

    def _tell_failure(self, error: StoreError) -> None:
        if self._failed_since is None:
            self._failed_since = now = self._clock.now()
            log.error("history does not take writes: %s", error)
            failed = HistoryFailed(at=now, why=str(error))
            self._offer(self._announce(failed))
            self._bus.publish(failed)

    def _with_alerts(self, change: Change, events: Sequence[Event]) -> Change:
        alerts = tuple(alert for event in events for alert in self._announce(event))
        return replace(change, alerts=(*change.alerts, *alerts)) if alerts else change

    def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self._bus.publish(event)
