"""The latch: what stops trading, remembered first, synchronously, and lifted only by a person.

Halts form a set and the strictest wins.  `engage` returns before anything is awaited, so from that
instant no permit given earlier opens the gate again: every engagement moves the trader's epoch on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from trading.errors import Halted
from trading.model.halt_numbers import HaltNumbers, halt_number

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
_BEGUN = (Stage.REQUESTED, Stage.ENTRIES_BLOCKED)
_FLAT = (Stage.FLAT, Stage.FLAT_EXCEPT_DUST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A stage of one trader's halt, and when it was reached (wall time)."""

    stage: Stage
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderHalt:
    """The halt of one trader: what its machine keeps, carries out and writes down."""

    id: str
    """Shared with those of other traders that were made with it."""
    trader: str
    """`EVERYONE`: the part of a desk-wide halt that holds whoever is added or renamed later."""
    verb: Verb
    by: str
    why: str
    at: datetime
    guard: str = ""
    stages: tuple[Reached, ...] = ()
    """What it has reached, in order."""
    lifted_at: datetime | None = None
    lifted_by: str = ""

    @property
    def version(self) -> int:
        """Of two copies the one with the higher version knows more: stages are only added, and
        nothing takes back that it was lifted.
        """
        return 1 + len(self.stages) + (0 if self.lifted_at is None else _LIFTED)


_LIFTED = 1_000
"""More than there are stages: once lifted is lifted, whatever was reached meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """What people see and lift under one id: the halts of one trader or, made at once, of all."""

    id: str
    """H1, H2, ... in the order in which they were made; never used twice."""
    scope: str
    """A trader's name, or `EVERYONE`."""
    later: bool = False
    """Told by the name of the desk's only trader, it holds whoever is added or renamed, too."""
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

    @classmethod
    def of(cls, parts: Iterable[TraderHalt]) -> Halt:
        """The halt that these, of the same id, are together."""
        first, *rest = parts
        every = (first, *rest)
        noted = [(part.trader, reached) for part in every for reached in part.stages]
        lifted = next((part for part in every if part.lifted_at is not None), first)
        names = [part.trader for part in every if part.trader != EVERYONE]
        of_all = len(names) < len(every)
        of_one = len(names) == 1 or not of_all
        return cls(
            id=first.id,
            scope=names[0] if of_one else EVERYONE,
            later=of_all and of_one,
            verb=first.verb,
            by=first.by,
            why=first.why,
            at=first.at,
            guard=first.guard,
            stages=tuple(sorted(noted, key=lambda of: of[1].at)),
            lifted_at=lifted.lifted_at,
            lifted_by=lifted.lifted_by,
        )

    @property
    def parts(self) -> tuple[TraderHalt, ...]:
        """Each trader's own, and the one for whoever comes later if it is desk-wide."""
        of_all = [EVERYONE] if self.is_for_all else []
        owners = dict.fromkeys([*of_all, self.scope, *(name for name, _ in self.stages)])
        return tuple(map(self.part, owners))

    def part(self, trader: str) -> TraderHalt:
        return TraderHalt(
            id=self.id,
            trader=trader,
            verb=self.verb,
            by=self.by,
            why=self.why,
            at=self.at,
            guard=self.guard,
            stages=self.stages_of(trader),
            lifted_at=self.lifted_at,
            lifted_by=self.lifted_by,
        )

    def merged(self, other: Halt) -> Halt:
        """What both copies of the same halt know together."""
        known = {part.trader: part for part in self.parts}
        for part in other.parts:
            mine = known.get(part.trader)
            if mine is None or part.version > mine.version:
                known[part.trader] = part
        found = Halt.of(known.values())
        return self if found == self else found

    @property
    def is_for_all(self) -> bool:
        """It holds every trader of the desk, whoever that will be."""
        return self.later or self.scope == EVERYONE

    def covers(self, scope: str) -> bool:
        """Whether it holds the trader *scope*, or all where that is `EVERYONE`."""
        return self.is_for_all or self.scope == scope

    def stages_of(self, trader: str) -> tuple[Reached, ...]:
        return tuple(reached for name, reached in self.stages if name == trader)

    def since(self, trader: str) -> datetime:
        """From when on it holds *trader*, who may have been added later."""
        begun = (r.at for r in self.stages_of(trader) if r.stage in _BEGUN)
        return min(begun, default=self.at)

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
    """All halts of the desk.  Only memory: `Halter` makes them durable."""

    def __init__(self, halts: Iterable[Halt] = (), *, numbers: HaltNumbers | None = None) -> None:
        """*numbers*: None, those of a desk that shares its history with nobody."""
        self._halts: dict[str, Halt] = {h.id: h for h in halts}
        self.numbers = numbers or HaltNumbers([range(1, sys.maxsize)])
        self.numbers.skip(max((halt_number(name) for name in self._halts), default=0))
        self._epochs: dict[str, int] = {}
        self._again: dict[str, tuple[str, ...]] = {}
        self._lifting: set[str] = set()

    @property
    def active(self) -> tuple[Halt, ...]:
        if not self._halts:  # asked at every bar
            return ()
        return tuple(h for h in self._halts.values() if h.lifted_at is None)

    def covering(self, trader: str) -> tuple[Halt, ...]:
        if not self._halts:  # asked at every fill
            return ()
        return tuple(h for h in self.active if h.covers(trader))

    def strictest(self, trader: str) -> Halt | None:
        """The oldest of those that demand most."""
        found = self.covering(trader)
        return max(found, key=lambda h: (h.verb, -h.at.timestamp()), default=None)

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
        self, *, scope: str, verb: Verb, by: str, why: str, at: datetime, guard: str = "",
        later: bool = False,
    ) -> Halt:  # fmt: skip
        """Halt now.  Synchronous: when this returns, no entry can pass its permit."""
        halt = Halt(
            id=self.numbers.take(), scope=scope, later=later, verb=verb, by=by, why=why, at=at,
            guard=guard,
        )  # fmt: skip
        self._halts[halt.id] = halt
        self._spend_permits(halt)
        return halt

    def reach(self, halt_id: str, trader: str, reached: Reached) -> Halt:
        """Note that *trader* has reached a stage; the same stage is noted once."""
        halt = self._halts[halt_id]
        if not halt.has_reached(trader, reached.stage):
            if halt.later and trader != halt.scope:
                halt = replace(halt, scope=EVERYONE, later=False)  # it has become one of several
            halt = replace(halt, stages=(*halt.stages, (trader, reached)))
            self._halts[halt.id] = halt
        return halt

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
        return replace(self._halts[halt_id], lifted_at=at, lifted_by=by)

    def lift(self, lifted: Halt) -> Halt:
        """Lift for good, all its traders at once; who lifted first stays named.

        The halt as it stands then: other than *lifted* if it had moved on meanwhile.
        """
        now = self._halts[lifted.id]
        if now.lifted_at is None:
            self._halts[lifted.id] = replace(lifted, stages=now.stages)
        return self._halts[lifted.id]

    def adopt(self, halt: Halt) -> None:
        """Take over a halt that was made elsewhere (a file, a database, another process)."""
        known = self._halts.get(halt.id)
        merged = halt if known is None else known.merged(halt)
        if merged is known:
            return
        self._halts[halt.id] = merged
        self.numbers.skip(halt_number(halt.id))
        self._spend_permits(merged)

    def _spend_permits(self, halt: Halt) -> None:
        """What was permitted to whom it holds is so no more, even once it is lifted again."""
        scope = EVERYONE if halt.is_for_all else halt.scope
        self._epochs[scope] = self._epochs.get(scope, 0) + 1

    def _epoch(self, trader: str) -> int:
        return self._epochs.get(trader, 0) + self._epochs.get(EVERYONE, 0)
