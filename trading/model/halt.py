"""The latch: what stops trading, remembered first, synchronously, and lifted only by a person.

Halts form a set and the strictest wins.  `engage` returns before anything is awaited, so from that
instant no permit given earlier opens the gate again: every engagement moves the trader's epoch on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from trading.errors import Halted

EVERYONE = "all"
"""The scope of a halt that covers every trader of the desk."""


class Verb(IntEnum):
    """What a halt demands, mildest first."""

    PAUSE = 1
    STOP = 2
    FLATTEN = 3


class Stage(StrEnum):
    REQUESTED = "requested"
    ENTRIES_BLOCKED = "entries blocked"
    """Latched in memory: from here on nothing that would open something leaves."""
    SAVED = "saved"
    """The database or the latch file has it: a crash does not forget it."""
    CANCELS_SENT = "cancels sent"
    """Of all that rested the cancel has left, or the end is known; not noted if nothing did."""
    CANCELS_CONFIRMED = "cancels confirmed"
    """By the venue: every entry ever sent has ended."""
    FLATTENING = "flattening"
    """The first closes were begun."""
    FLAT = "flat"
    """By the venue: nothing of ours is open, nothing is on its way."""
    FLAT_EXCEPT_DUST = "flat except dust"
    FLAT_BLOCKED = "flat blocked"


_DEMANDED = {
    Verb.PAUSE: (Stage.ENTRIES_BLOCKED, Stage.SAVED),
    Verb.STOP: (Stage.ENTRIES_BLOCKED, Stage.SAVED, Stage.CANCELS_CONFIRMED),
    Verb.FLATTEN: (Stage.ENTRIES_BLOCKED, Stage.SAVED, Stage.CANCELS_CONFIRMED, Stage.FLAT),
}
_FLAT = (Stage.FLAT, Stage.FLAT_EXCEPT_DUST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A stage of one trader's halt, and when it was reached (wall time)."""

    stage: Stage
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    id: str
    """H1, H2, ... in the order in which they were made; never used twice."""
    scope: str
    """A trader's name, or `EVERYONE`."""
    verb: Verb
    by: str
    """Who, with the chat: `ben, Telegram`; or the guard: `guard: day -3.01 %`."""
    why: str
    at: datetime
    guard: str = ""
    """The guard that made it (`day`, `week`, `drawdown`), empty for a person's."""
    stages: tuple[tuple[str, Reached], ...] = ()
    """What has been reached, per trader, in order."""
    lifted_at: datetime | None = None
    lifted_by: str = ""
    version: int = 1

    def covers(self, trader: str) -> bool:
        return self.scope in (EVERYONE, trader)

    def stages_of(self, trader: str) -> tuple[Reached, ...]:
        return tuple(reached for name, reached in self.stages if name == trader)

    def has_reached(self, trader: str, stage: Stage) -> bool:
        return any(reached.stage is stage for reached in self.stages_of(trader))

    def is_flat(self, trader: str) -> bool:
        return any(self.has_reached(trader, stage) for stage in _FLAT)

    @property
    def closing(self) -> tuple[str, ...]:
        """The traders whose positions it goes on closing: a flatten's that is not done yet."""
        if self.verb is not Verb.FLATTEN:
            return ()
        named = (self.scope,) if self.scope != EVERYONE else ()
        of = dict.fromkeys([*named, *(trader for trader, _ in self.stages)])
        return tuple(trader for trader in of if not self.is_flat(trader))

    def missing(self, trader: str) -> tuple[Stage, ...]:
        """What is not confirmed of *trader* yet, in order; empty: all that the verb demands is."""
        return tuple(s for s in _DEMANDED[self.verb] if not self._is_done(trader, s))

    def _is_done(self, trader: str, stage: Stage) -> bool:
        return self.is_flat(trader) if stage is Stage.FLAT else self.has_reached(trader, stage)


Permit = Callable[[], None]
"""Called by a venue immediately before it writes an entry; raises `Halted` to withhold it."""


class Latch:
    """All halts of the desk.  Only memory: `HaltKeeper`s outside make them durable."""

    def __init__(self, halts: Iterable[Halt] = (), *, last_number: int = 0) -> None:
        self._halts: dict[str, Halt] = {h.id: h for h in halts}
        self._last = max([last_number, *(_number(h.id) for h in self._halts.values())])
        self._epochs: dict[str, int] = {}
        self._again: dict[str, tuple[str, ...]] = {}
        self._lifting: set[str] = set()

    @property
    def active(self) -> tuple[Halt, ...]:
        return tuple(h for h in self._halts.values() if h.lifted_at is None)

    @property
    def last_number(self) -> int:
        return self._last

    def covering(self, trader: str) -> tuple[Halt, ...]:
        if not self._halts:  # asked at every fill
            return ()
        return tuple(h for h in self.active if h.covers(trader))

    def strictest(self, trader: str) -> Halt | None:
        return max(self.covering(trader), key=lambda h: (h.verb, -_number(h.id)), default=None)

    def get(self, halt_id: str) -> Halt | None:
        return self._halts.get(halt_id.upper())

    def permit(self, trader: str) -> Permit:
        """Return the check to be made at the last moment before an entry leaves.

        Raises `Halted` at once when the trader is halted now.
        """
        epoch = self._epoch(trader)

        def check() -> None:
            if self._epoch(trader) != epoch or self.covering(trader):
                raise Halted

        check()
        return check

    def engage(  # a halt is these facts
        self, *, scope: str, verb: Verb, by: str, why: str, at: datetime, guard: str = ""
    ) -> Halt:
        """Halt now.  Synchronous: when this returns, no entry can pass its permit."""
        self._last += 1
        halt = Halt(id=f"H{self._last}", scope=scope, verb=verb, by=by, why=why, at=at, guard=guard)
        self._halts[halt.id] = halt
        self._epochs[scope] = self._epochs.get(scope, 0) + 1
        return halt

    def reach(self, halt_id: str, trader: str, reached: Reached) -> Halt:
        """Note that *trader* has reached a stage; the same stage is noted once."""
        halt = self._halts[halt_id]
        if halt.has_reached(trader, reached.stage):
            return halt
        return self._keep(replace(halt, stages=(*halt.stages, (trader, reached))))

    def ask_again(self, halt_id: str, by: str) -> None:
        """Somebody wants it although it is in force already: who lifts it has to know."""
        self._again[halt_id] = (*self._again.get(halt_id, ()), by)

    def asked_again(self, halt_id: str) -> tuple[str, ...]:
        """By whom since it was made, in order."""
        return self._again.get(halt_id, ())

    @contextmanager
    def lifting(self, halt_ids: Iterable[str]) -> Iterator[None]:
        """They hold until they are gone, and are not `firm` any more."""
        going = set(halt_ids)
        self._lifting |= going
        try:
            yield
        finally:
            self._lifting -= going

    @property
    def firm(self) -> tuple[Halt, ...]:
        """Those in force that nobody is about to lift: what a new stop may rest on."""
        return tuple(h for h in self.active if h.id not in self._lifting)

    def lifted(self, halt_id: str, *, by: str, at: datetime) -> Halt:
        """The halt as it will stand once lifted; it holds until `lift` is called with that."""
        halt = self._halts[halt_id]
        return replace(halt, lifted_at=at, lifted_by=by, version=halt.version + 1)

    def lift(self, lifted: Halt) -> Halt:
        """Lift for good; who lifted first stays named, and stages reached meanwhile are kept.

        The halt as it stands then: its version is above *lifted*'s if it had moved on meanwhile.
        """
        now = self._halts[lifted.id]
        if now.lifted_at is None:
            version = lifted.version if now.version < lifted.version else now.version + 1
            self._halts[lifted.id] = replace(lifted, stages=now.stages, version=version)
        return self._halts[lifted.id]

    def adopt(self, halt: Halt) -> None:
        """Take over a halt that was made elsewhere (a file, a database, another process)."""
        known = self._halts.get(halt.id)
        if known is not None and known.version >= halt.version:
            return
        self._halts[halt.id] = halt
        self._last = max(self._last, _number(halt.id))
        self._epochs[halt.scope] = self._epochs.get(halt.scope, 0) + 1

    def number_from(self, last_number: int) -> None:
        """Numbers up to *last_number* are used: no halt is ever named like an earlier one."""
        self._last = max(self._last, last_number)

    def _keep(self, halt: Halt) -> Halt:
        halt = replace(halt, version=halt.version + 1)
        self._halts[halt.id] = halt
        return halt

    def _epoch(self, trader: str) -> int:
        return self._epochs.get(trader, 0) + self._epochs.get(EVERYONE, 0)


def _number(halt_id: str) -> int:
    return int(halt_id[1:]) if halt_id[1:].isdigit() else 0
