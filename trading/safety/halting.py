"""Engaging, saving and lifting halts: the latch made durable.

`engage` is synchronous.  Saving starts at the same instant in two places that fail differently,
the database and the latch file; one of them is enough.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta

from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.common.tasks import Tasks
from trading.errors import StoreError
from trading.events import Event, HaltAdvanced, HaltDelayed, HaltEngaged, HaltLifted
from trading.model.halt import EVERYONE, Halt, Latch, Reached, Stage, Verb
from trading.ports import Change, LatchFile, WritePriority
from trading.types import Mode, Symbol, Trade

log = logging.getLogger(__name__)

FILE_RETRY = 1.0
SETTLED_WITHIN = 5.0
"""Seconds that a halt may take to be saved when the desk ends, before it ends without."""
ANSWERED_WITHIN = timedelta(seconds=2)
"""What a halt has reached by then, its answer tells: `OrderTimeouts.stop`."""


Reserve = Callable[[int], Awaitable[Iterable[range]]]
"""As `Store.halt_numbers`: numbers above the one given."""


class Halter:
    def __init__(
        self,
        *,
        latch: Latch,
        recorder: Recorder,
        latch_file: LatchFile,
        clock: Clock,
        modes: Mapping[str, Mode],
        reserve: Reserve | None = None,
    ) -> None:
        """*reserve*: asks the history for more numbers; None where nobody shares it."""
        self.latch = latch
        self._recorder = recorder
        self._file = latch_file
        self._clock = clock
        self._modes = modes
        self._reserve = reserve
        self._reserving = False
        self._saved: dict[str, asyncio.Event] = {}
        self._origins: dict[str, str] = {}
        """Which chat engaged a halt, and is answered there."""
        self._wakers: list[Callable[[], None]] = []
        self._tasks = Tasks()
        self.news = asyncio.Event()
        """Set when a halt is made, reaches a stage or is lifted; another one then takes its place.

        Whoever waits takes it first, then looks at the latch: nothing slips in between.
        """

    def on_engage(self, wake: Callable[[], None]) -> None:
        """*wake* is called, synchronously, whenever a halt is engaged."""
        self._wakers.append(wake)

    def engage(
        self, *, scope: str, verb: Verb, by: str, why: str, guard: str = "", origin: str = "",
        later: bool = False,
    ) -> Halt:  # fmt: skip
        """Halt now, begin to save, wake those who carry it out."""
        now = self._clock.now()
        above = self._above(scope, verb)
        halt = self.latch.engage(
            scope=scope, verb=verb, by=by, why=why, at=now, guard=guard, later=later
        )
        for trader in self._covered(halt):
            for stage in (Stage.REQUESTED, Stage.ENTRIES_BLOCKED):
                halt = self.latch.reach(halt.id, trader, Reached(stage=stage, at=now))
        self._origins[halt.id] = origin
        event = HaltEngaged(
            at=now, trader=scope, mode=self._mode(scope), halt=halt, origin=origin, above=above,
            hidden=all(any(h.covers(n) for h in above) for n in self._covered(halt)),
        )  # fmt: skip
        self._save(halt, event)
        self._tell_waiting()
        for wake in self._wakers:
            wake()
        self._reserve_soon()
        return halt

    def take_over(self, halt: Halt, *, told: bool = True) -> None:
        """Go on with a halt of the process before this one.

        Silent if it was *told*: history has it, and so its alert.  A trader that was added or
        renamed since is held from now on.
        """
        self.latch.adopt(halt)
        if halt.stages:
            blocked = Reached(stage=Stage.ENTRIES_BLOCKED, at=self._clock.now())
            for trader in self._covered(halt):
                if not halt.stages_of(trader):
                    halt = self.latch.reach(halt.id, trader, blocked)
        event = HaltEngaged(
            at=halt.at,
            trader=halt.scope,
            mode=self._mode_of(halt),
            halt=halt,
        )
        self._save(halt, *([] if told else [event]))
        for wake in self._wakers:
            wake()

    async def reserve_numbers(self) -> None:
        """At the start, so that the first halt has one."""
        if self._reserve is not None:
            await self._reserve_more(self._reserve)

    def reach(
        self, halt: Halt, trader: str, stage: Stage, *, note: str = "",
        left_open: tuple[Symbol, ...] = (), closes: tuple[Trade, ...] = (),
    ) -> Halt:  # fmt: skip
        """Note a stage, save it and tell."""
        reached = Reached(stage=stage, at=self._clock.now(), note=note)
        known = self.latch.get(halt.id) or halt  # *halt* may have moved on since it was looked at
        if known.has_reached(trader, stage):
            return known
        advanced = self.latch.reach(halt.id, trader, reached)
        event = HaltAdvanced(
            at=reached.at, trader=trader, mode=self._mode(trader), halt=advanced,
            reached=reached, left_open=left_open, closes=closes,
            origin=self._origin(advanced, reached),
        )  # fmt: skip
        self._save(advanced, event, of=trader)
        self._tell_waiting()
        return advanced

    async def remind(self, halt: Halt, trader: str, *, why: str, waited: timedelta) -> None:
        await self._recorder.say(
            HaltDelayed(
                at=self._clock.now(), trader=trader, mode=self._mode(trader),
                halt=halt, why=why, waited=waited,
            )
        )  # fmt: skip

    async def lift(self, halt: Halt, *, by: str, origin: str = "") -> Halt:
        """Lift *halt*.  Raises `StoreError`, and stays halted, if that cannot be remembered."""
        now = self._clock.now()
        others = [h for h in self.latch.active if h.id != halt.id]
        lifted = self.latch.lifted(halt.id, by=by, at=now)
        event = HaltLifted(
            at=now,
            trader=halt.scope,
            mode=self._mode_of(halt),
            halt=lifted,
            origin=origin,
        )
        await self._file.write(others, last_number=self.latch.numbers.used)
        try:
            await self._recorder.record(Change(halts=lifted.parts), WritePriority.HALT, event)
        except StoreError:
            await self._file.write(self.latch.active, last_number=self.latch.numbers.used)
            raise
        stands = self.latch.lift(lifted)
        self._tell_waiting()
        if stands != lifted:  # it reached a stage while it was being lifted
            await self._recorder.keep(Change(halts=stands.parts), WritePriority.HALT)
        # A stage saved meanwhile may have written the halt into the file again.
        self._tasks.start(self._write_file())
        return stands

    async def durable(self, halt: Halt, *, within: float) -> bool:
        """Whether the database or the latch file has *halt*, waiting for *within* seconds."""
        saved = self._saved.get(halt.id)
        if saved is None:
            return False
        try:
            async with asyncio.timeout(within):
                await saved.wait()
        except TimeoutError:
            return False
        return True

    async def settle(self, *, within: float = SETTLED_WITHIN) -> None:
        """Wait for the saving that is under way; for *within* seconds if the disk takes nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    def unsaved(self) -> tuple[Halt, ...]:
        """Halts in force that neither the database nor the latch file has."""
        return tuple(h for h in self.latch.active if not self._is_saved(h))

    def _is_saved(self, halt: Halt) -> bool:
        saved = self._saved.get(halt.id)
        return saved is not None and saved.is_set()

    def _tell_waiting(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    # -- inside ---------------------------------------------------------------------------

    def _save(self, halt: Halt, *events: Event, of: str = "") -> None:
        """What is new of it: the halt of one trader, or of all."""
        self._saved.setdefault(halt.id, asyncio.Event())
        parts = (halt.part(of),) if of else halt.parts
        self._tasks.start(self._save_in_database(halt, Change(halts=parts), events))
        self._tasks.start(self._save_in_file(halt))

    async def _save_in_database(
        self, halt: Halt, change: Change, events: tuple[Event, ...]
    ) -> None:
        if await self._recorder.keep(change, WritePriority.HALT, *events):
            self._note_saved(halt)
            self._reserve_soon()

    async def _save_in_file(self, halt: Halt) -> None:
        await self._write_file()
        self._note_saved(halt)

    async def _write_file(self) -> None:
        """Until the file has taken what is in force by then."""
        while True:
            try:
                await self._file.write(self.latch.active, last_number=self.latch.numbers.used)
            except StoreError as error:
                log.error("the latch file does not take the halt: %s", error)  # noqa: TRY400  # expected, and told
                await self._clock.sleep(FILE_RETRY)
            else:
                return

    def _note_saved(self, halt: Halt) -> None:
        """The first of the two has it: from here on a crash does not forget it."""
        saved = self._saved[halt.id]
        if saved.is_set():
            return
        saved.set()
        now = Reached(stage=Stage.SAVED, at=self._clock.now())
        for trader in self._covered(halt):
            halt = self.latch.reach(halt.id, trader, now)
        self._save(halt)
        self._tell_waiting()

    def _reserve_soon(self) -> None:
        if self.latch.numbers.few and self._reserve is not None and not self._reserving:
            self._reserving = True
            self._tasks.start(self._reserve_more(self._reserve))

    async def _reserve_more(self, reserve: Reserve) -> None:
        try:
            self.latch.numbers.add(await reserve(self.latch.numbers.used))
        except StoreError as error:
            # The next halt that is made, or saved, tries again; until then letters name it.
            log.warning("no numbers for halts could be reserved: %s", error)
        finally:
            self._reserving = False

    def _origin(self, halt: Halt, reached: Reached) -> str:
        """The chat whose answer tells this stage already: its `/stop` waited for it."""
        at_once = reached.at - halt.at <= ANSWERED_WITHIN
        told = reached.stage in (Stage.CANCELS_CONFIRMED, Stage.FLAT)
        return self._origins.get(halt.id, "") if told and at_once else ""

    def _above(self, scope: str, verb: Verb) -> tuple[Halt, ...]:
        """What holds traders of *scope* and does more than *verb*."""
        names = [name for name in self._modes if scope in (EVERYONE, name)]
        found = [h for h in self.latch.active if h.verb > verb and any(map(h.covers, names))]
        return tuple(sorted(found, key=lambda h: -h.verb))

    def _covered(self, halt: Halt) -> list[str]:
        return [name for name in self._modes if halt.covers(name)]

    def _mode_of(self, halt: Halt) -> Mode:
        return self._mode(EVERYONE if halt.is_for_all else halt.scope)

    def _mode(self, scope: str) -> Mode:
        """Of the riskiest trader covered."""
        covered = {mode for name, mode in self._modes.items() if scope in (EVERYONE, name)}
        return next((m for m in (Mode.LIVE, Mode.PAPER) if m in covered), Mode.DRY_RUN)
