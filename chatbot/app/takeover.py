"""Halts that outlive the process: taken over at the start, and asked for through the latch file."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from chatbot.folder.history import HISTORY, history, rescued_in
from chatbot.folder.state import StateFolder
from storage import backup, latch
from storage.store import SqlStore
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.errors import StoreError
from trading.model.halt import EVERYONE, Halt, Verb
from trading.ports import Change, WritePriority
from trading.safety.halting import Halter

log = logging.getLogger(__name__)

LAST_SEEN = "last_seen"
"""The note of when a desk last lived: made once its latch file is."""
REQUEST_EVERY = 1.0
"""Seconds between two looks for a stop that was asked for through the latch file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    folder: StateFolder
    store: SqlStore
    latch_file: latch.SlotLatch
    halter: Halter
    recorder: Recorder
    clock: Clock
    history_is_new: bool
    """No start before this one has found it, not even one that was cut."""

    async def take_over(self) -> None:
        """Halted if the database or the latch file says so, or cannot be read."""
        path = latch.path_in(self.folder.path)
        kept = latch.read(path)
        known = {halt.id: halt for halt in kept.halts}
        old, unreadable = await self._old_halts()
        in_history = [*await self._stored_halts(), *old]
        for halt in in_history:
            known[halt.id] = known[halt.id].merged(halt) if halt.id in known else halt
        for halt in known.values():
            self.halter.take_over(halt, told=halt.id in {h.id for h in in_history})
        self.halter.latch.numbers.skip(kept.last_number)
        await self.halter.reserve_numbers()
        unreadable = await self._missing(kept) or unreadable
        if unreadable and not any(h.verb >= Verb.STOP for h in self._of_all()):
            self.halter.engage(
                scope=EVERYONE,
                verb=Verb.STOP,
                by="the desk",
                why=f"{unreadable}, so a halt may have been forgotten",
            )
        await self._obey(kept.request)
        await self._preallocate()
        await self._halt_if_restored()
        if self.folder.not_taken_over:
            await self.halter.settle()
            self.folder.halts_taken_over()

    async def _missing(self, kept: latch.LatchContents) -> str:
        """What is not here though a desk has run here; empty at a first start, and a fresh one."""
        if kept.damaged:
            return "the latch file cannot be read"
        if not kept.began and await self.store.note(LAST_SEEN) is not None:
            return "the latch file is gone or was emptied"
        if kept.began and self.history_is_new and not self.folder.not_taken_over:
            return "the history is gone"
        return ""

    async def _halt_if_restored(self) -> None:
        """A desk on a backup does not know what came after it: a person looks first."""
        if await self.store.note(backup.RESTORED):
            halt = self.halter.engage(
                scope=EVERYONE,
                verb=Verb.STOP,
                by="the desk",
                why="the history was restored from a backup",
            )
            if await self.halter.durable(halt, within=5.0):
                note = Change(notes=((backup.RESTORED, ""),))
                await self.recorder.keep(note, WritePriority.REST)

    async def _preallocate(self, *, again: bool = False) -> None:
        """Make the latch file now, while the disk has room; what was told is not told *again*."""
        try:
            await self.latch_file.write(
                self.halter.latch.active, last_number=self.halter.latch.numbers.used
            )
        except StoreError as error:
            if not again:
                log.error("the latch file cannot be made: %s", error)  # noqa: TRY400  # told by each halt

    async def _stored_halts(self) -> list[Halt]:
        return list(await self.store.halts())

    async def _old_halts(self) -> tuple[list[Halt], str]:
        """Halts in databases that `--fresh` has set aside, and what of them cannot be read."""
        found: list[Halt] = []
        unreadable = ""
        for folder in self.folder.not_taken_over:
            if (folder / HISTORY).exists() or rescued_in(folder):
                try:
                    async with history(folder, self.clock) as old:
                        found += await old.halts()
                except StoreError as error:
                    log.warning("no halts are taken over from %s: %s", folder, error)
                    unreadable = "the old history cannot be read"
        return found, unreadable

    async def watch_requests(self) -> None:
        is_gone = False
        while True:
            await self.clock.beat(REQUEST_EVERY)
            try:
                request = await self.latch_file.request()
                is_gone = False
            except FileNotFoundError:
                path = latch.path_in(self.folder.path)
                if not is_gone:
                    log.warning("the latch file was taken away; it is written anew")
                request = await asyncio.to_thread(latch.read_request, path)
                await self._preallocate(again=is_gone)
                is_gone = True
            await self._obey(request)

    def _of_all(self) -> list[Halt]:
        """The halts that whoever is added or renamed later is held by, too."""
        return [h for h in self.halter.latch.firm if h.is_for_all]

    async def _obey(self, request: latch.StopRequest | None) -> None:
        """Take over a stop that was asked for through the latch file."""
        if request is None:
            return
        manual = [h for h in self._of_all() if h.verb >= Verb.STOP and not h.guard] or [
            self.halter.engage(scope=EVERYONE, verb=Verb.STOP, by=request.by, why=request.why)
        ]
        for halt in manual:
            if not await self.halter.durable(halt, within=5.0):
                return  # the request stays where it is, and is found again
        try:
            await self.latch_file.clear_request(request)
        except StoreError as error:  # it is found again, and rests on the same halt
            log.warning("the stop that was asked for is taken over, and stays written: %s", error)
