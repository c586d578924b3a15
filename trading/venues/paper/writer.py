"""Saves records in the order in which they came; those that come while it writes share the next
write.  Who waits for one may be dropped: the record is written all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trading.errors import StoreError
from trading.model.records import Record
from trading.ports import Journal
from trading.types import OrderReport

COMPACT_AFTER = 5_000
"""Records after which the journal is replaced by one snapshot."""


class _Entry(NamedTuple):
    records: Sequence[Record]
    """Empty: only wait for what came before."""
    reports: Sequence[OrderReport]
    saved: asyncio.Future[None]


class JournalWriter:
    """The only one that writes to the journal.

    `snapshot` returns one record that stands for all that has been put so far; `tell` hears the
    reports of each entry once that is durable; `failed` is called, before anybody else hears of
    it, when nothing that was put and not yet saved can be relied on.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        snapshot: Callable[[], Record],
        tell: Callable[[OrderReport], None],
        failed: Callable[[], None],
        compact_after: int = COMPACT_AFTER,
    ) -> None:
        self._journal = journal
        self._snapshot = snapshot
        self._tell = tell
        self._failed = failed
        self._compact_after = compact_after
        self._queue: list[_Entry] = []
        self._task: asyncio.Task[None] | None = None
        self.length = 0
        """Records in the journal now."""

    @property
    def is_idle(self) -> bool:
        return self._task is None

    def put(
        self, records: Sequence[Record], reports: Sequence[OrderReport] = ()
    ) -> asyncio.Future[None]:
        """Queue *records*.  The future raises `StoreError` if they could not be saved."""
        saved = asyncio.get_running_loop().create_future()
        self._queue.append(_Entry(records, reports, saved))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="paper journal")
        return saved

    async def _run(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                try:
                    await self._save([record for entry in batch for record in entry.records])
                except Exception as error:  # noqa: BLE001  # whatever it was: not saved
                    self._fail(batch, error)
                else:
                    self._succeed(batch)
        finally:
            self._task = None

    async def _save(self, records: list[Record]) -> None:
        if self.length + len(records) > self._compact_after:
            # The batch is the whole queue, so the snapshot holds exactly what it would add.
            self.length = 0
            await self._journal.rewrite([self._snapshot()])
            self.length = 1
        elif records:
            await self._journal.append(*records)
            self.length += len(records)

    def _succeed(self, batch: list[_Entry]) -> None:
        loop = asyncio.get_running_loop()
        for entry in batch:
            # In turn with the waiters' wake-ups, so that an order's answer is heard before what
            # happened to it later.
            for report in entry.reports:
                loop.call_soon(self._tell, report)
            if not entry.saved.done():
                entry.saved.set_result(None)

    def _fail(self, batch: list[_Entry], error: Exception) -> None:
        """Fail what came since as well: it was worked out on top of what is lost."""
        batch, self._queue = batch + self._queue, []
        self._failed()
        for entry in batch:
            if not entry.saved.done():
                entry.saved.set_exception(StoreError(f"the paper journal was not written: {error}"))
