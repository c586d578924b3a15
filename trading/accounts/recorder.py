"""Remember first, announce second: chats never hear of what history lacks.

Two ways to write.  `record` raises when history does not take it: what has not happened yet (an
entry) is then not done.  `keep` is for what has happened already (a fill, a cancelled order): it
stays in memory, is announced all the same, and is written again and again until history has it.

What waits is written in the order in which it happened.  A change that history never takes, while
it takes others, is set aside: it stays in memory and announced, and holds back nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial

from trading.bus import Bus
from trading.clocks import Clock
from trading.common.frozen import replace
from trading.errors import StoreError
from trading.events import Event, FactRefused, HistoryFailed, HistoryRecovered
from trading.ports import Alert, Announce, Change, Meter, NoMeter, Store, WritePriority

log = logging.getLogger(__name__)

Offer = Callable[[Sequence[Alert]], None]
"""Takes alerts that history could not keep, to be delivered from memory."""


POISONED = 3
"""Failures of one change before it is asked whether the trouble is the change itself."""
PROBE = "history_probe"
"""A note that is written to ask whether history takes anything at all."""


@dataclass(slots=True)
class _Unsaved:
    change: Change
    priority: WritePriority
    since: datetime
    failures: int = 0
    again_at: float = 0.0
    """Of one that was set aside; monotonic."""


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
        poison_after: float = 60.0,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._announce = announce
        self._offer = offer
        self._meter = meter
        self._retry_after = retry_after
        self._poison_after = poison_after
        self._unsaved: list[_Unsaved] = []
        self._aside: list[_Unsaved] = []
        """What history refuses although it takes the rest."""
        self._failed_since: datetime | None = None
        self._wake = asyncio.Event()
        self._writing: set[asyncio.Future[None]] = set()

    @property
    def unsaved(self) -> int:
        """How many changes history has not taken yet."""
        return len(self._unsaved) + len(self._aside)

    async def record(self, change: Change, priority: WritePriority, *events: Event) -> None:
        """Write *change* and the alerts of *events* in one transaction, then announce.

        Raises `StoreError`: nothing was written, nothing was said.
        """
        if self._failed_since is not None:
            raise StoreError("history does not take writes")
        await self._commit(self._with_alerts(change, events), priority)
        self._publish(events)

    async def keep(self, change: Change, priority: WritePriority, *events: Event) -> bool:
        """Write facts that cannot be undone.  False: they wait in memory to be written.

        While others wait this one joins them: nothing is written before what it rests on, and
        exits do not wait each time for a disk that is known to fail.
        """
        change = self._with_alerts(change, events)
        try:
            if self._failed_since is not None:
                self._hold(change, priority)
                return False
            began = self._clock.monotonic()
            await self._commit(change, priority)
            self._meter.time("history", self._clock.monotonic() - began)
        except StoreError as error:
            self._hold(change, priority)
            self._tell_failure(error)
            return False
        finally:
            self._publish(events)
        return True

    def keep_soon(
        self, change: Change, priority: WritePriority, *events: Event
    ) -> asyncio.Future[bool]:
        """As `keep`, begun before this returns: for callers that cannot wait, or may break off.

        Whoever stops waiting for the future stops nothing.
        """
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        change = self._with_alerts(change, events)
        if self._failed_since is not None:
            self._hold(change, priority)
            self._publish(events)
            kept.set_result(False)
            return kept
        writing = self._begin(change, priority)
        self._writing.add(writing)
        written = partial(self._written, kept, change, priority, events, self._clock.monotonic())
        writing.add_done_callback(written)
        return kept

    def _written(
        self,
        kept: asyncio.Future[bool],
        change: Change,
        priority: WritePriority,
        events: Sequence[Event],
        began: float,
        writing: asyncio.Future[None],
    ) -> None:
        """What `keep_soon` began has come to its end."""
        self._writing.discard(writing)
        error = None if writing.cancelled() else writing.exception()
        if error is not None:
            self._hold(change, priority)
            self._tell_failure(_as_refusal(error))
        self._meter.time("history", self._clock.monotonic() - began)
        self._publish(events)
        if not kept.done():
            kept.set_result(error is None)

    def _begin(self, change: Change, priority: WritePriority) -> asyncio.Future[None]:
        try:
            return asyncio.ensure_future(self._store.commit(change, priority))
        except Exception as error:  # noqa: BLE001  # whatever it is: a fact is kept all the same
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    async def settle(self) -> None:
        """Wait until everything begun by `keep_soon` is written or held."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def say(self, *events: Event) -> None:
        """Announce what changes no books."""
        await self.keep(Change(), WritePriority.REST, *events)

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
            error = await self._refused(first)
            if error is not None:
                first.failures += 1
                if first.failures < POISONED or not await self._takes_others():
                    return
                error = await self._refused(first)  # it may have come back just now
            self._unsaved.remove(first)
            if error is not None:
                await self._set_aside(first, error)
        await self._recovered()
        await self._retry_aside()
        if not self._unsaved and not self._aside:
            self._wake.clear()

    async def write_through(self) -> None:
        """Hand all that waits to history once, in order, even if it tells each as not written.

        For a history that is lost: a copy that is made of it then has everything.
        """
        for waiting in (*self._unsaved, *self._aside):
            await self._refused(waiting)

    async def _commit(self, change: Change, priority: WritePriority) -> None:
        """Raises `StoreError` whatever breaks: a fact is kept, and an exit leaves, all the same."""
        try:
            await self._store.commit(change, priority)
        except Exception as error:  # noqa: BLE001  # see above
            raise _as_refusal(error) from error.__cause__

    async def _refused(self, waiting: _Unsaved) -> StoreError | None:
        try:
            await self._commit(waiting.change, waiting.priority)
        except StoreError as error:
            return error
        return None

    async def _takes_others(self) -> bool:
        probe = Change(notes=((PROBE, self._clock.now().isoformat()),))
        return await self._refused(_Unsaved(probe, WritePriority.REST, self._clock.now())) is None

    async def _set_aside(self, waiting: _Unsaved, error: StoreError) -> None:
        waiting.again_at = self._clock.monotonic() + self._poison_after
        self._aside.append(waiting)
        log.error("history never takes one change, %s: %s", _contents(waiting.change), error)
        now = self._clock.now()
        await self.say(FactRefused(at=now, why=str(error), what=_contents(waiting.change)))

    async def _retry_aside(self) -> None:
        for waiting in list(self._aside):
            if self._clock.monotonic() < waiting.again_at:
                continue
            waiting.again_at = self._clock.monotonic() + self._poison_after
            if await self._refused(waiting) is None:
                self._aside.remove(waiting)
                now = self._clock.now()
                waited = now - waiting.since
                await self.say(HistoryRecovered(at=now, waited=waited, left=len(self._aside)))

    async def _recovered(self) -> None:
        since, self._failed_since = self._failed_since, None
        if since is not None:
            now = self._clock.now()
            left = len(self._aside)
            await self.say(HistoryRecovered(at=now, waited=now - since, left=left))

    def _hold(self, change: Change, priority: WritePriority) -> None:
        self._meter.count("history_errors")
        self._offer(change.alerts)
        self._unsaved.append(_Unsaved(change, priority, self._clock.now()))
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


def _as_refusal(error: BaseException) -> StoreError:
    if isinstance(error, StoreError):
        return error
    log.error("a change could not be written, by an error of ours", exc_info=error)
    refusal = StoreError(f"an error of ours, see the log: {error}")
    refusal.__cause__ = error
    return refusal


def _contents(change: Change) -> str:
    """As in `1 order, 2 fills`; alerts went out all the same."""
    counts = ((f.name, len(getattr(change, f.name))) for f in fields(change))
    found = [(name.replace("_", " "), count) for name, count in counts if count]
    named = [(name if count > 1 else name.removesuffix("s"), count) for name, count in found]
    return ", ".join(f"{count} {name}" for name, count in named if "alert" not in name) or "alerts"
