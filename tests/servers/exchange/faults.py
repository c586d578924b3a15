"""What goes wrong, and when: a plan that the server consults at every step.

A `Fault` waits for requests (method, path, parameters), lets `after` of them pass, and acts on the
next `times`.  An `EventFault` does the same to pushed events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

Params = Mapping[str, str]
Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request as it came; `method` is WS when it opens a stream.

    `arrived` is time.monotonic_ns() when its first bytes were read from the socket, comparable
    between processes of one machine; reading may be late by what the server's loop was busy.
    """

    arrived: int
    method: str
    path: str
    params: dict[str, str]
    key: str = ""
    purpose: str = ""
    """What it is for, in the words of `Route.purpose`."""

    @property
    def is_new_order(self) -> bool:
        return self.purpose == "place"


# --- what a fault does ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer instead of acting, in the exchange's form for an error.

    `retry_after` in seconds becomes the header.
    """

    status: int
    code: int | str
    text: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Plight:
    """A refusal that every exchange knows, in its own words (`Wire.plights`)."""

    name: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Garble:
    """Answer with something that is not JSON, as a proxy in between would."""

    status: int = 502
    body: str = "<html><head><title>502 Bad Gateway</title></head></html>"


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; `done` says whether the request was carried out before."""

    done: bool = False


@dataclass(frozen=True, slots=True)
class Swallow:
    """Never answer; `done` says whether the request was carried out before."""

    done: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait for `Fault.release`; with `done` the request is carried out first."""

    done: bool = False


Act = Refuse | Plight | Garble | Close | Swallow | Hold

DROP_REPLY = Close(done=True)
TOO_MANY = Plight("too many", retry_after=1)
BANNED = Plight("banned", retry_after=120)
OVERLOADED = Plight("overloaded")
UNKNOWN_OUTCOME = Plight("unknown outcome")
MAINTENANCE = Plight("maintenance")


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    method: str
    path: str
    act: Act
    where: Callable[[Params], bool] | None = None
    after: int = 0
    times: int | None = 1
    """None: every time."""
    seen: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def acted(self) -> int:
        """How many requests it has met."""
        return max(0, self.seen - self.after)

    def release(self) -> None:
        """Let those that are held go, and those that come."""
        self.gate.set()

    def meets(self, request: Recorded) -> bool:
        if self.method not in {"*", request.method}:
            return False
        if self.path != request.purpose and not fnmatch(request.path, self.path):
            return False
        if self.where is not None and not self.where(request.params):
            return False
        if self.times is not None and self.seen >= self.after + self.times:
            return False
        self.seen += 1
        return self.seen > self.after


@dataclass(slots=True, kw_only=True, eq=False)
class EventFault:
    """`act`: drop, duplicate, hold (until released), or swap (with the next one of the name)."""

    name: str
    act: str
    names_of: Callable[[Json], Collection[str]]
    where: Callable[[Json], bool] | None = None
    times: int | None = 1
    seen: int = 0
    held: list[Json] = field(default_factory=list)

    def fits(self, event: Json) -> bool:
        return self.name == "*" or self.name in self.names_of(event)

    def meets(self, event: Json) -> bool:
        if not self.fits(event) or (self.where and not self.where(event)):
            return False
        if self.times is not None and self.seen >= self.times:
            return False
        self.seen += 1
        return True


@dataclass(slots=True, kw_only=True)
class Hiding:
    """Orders not found although they are there, for some queries or until some time."""

    client_id: str
    queries: int | None
    until: int | None


class FaultPlan:
    """`now` gives the venue's time in milliseconds; `names_of` what a user event is called."""

    def __init__(
        self, *, now: Callable[[], int], names_of: Callable[[Json], Collection[str]]
    ) -> None:
        self.maintenance: Refuse | Plight | None = None
        self._names_of = names_of
        self._now = now
        self._faults: list[Fault] = []
        self._events: list[EventFault] = []
        self._hidings: list[Hiding] = []
        self._deliver: Callable[[Json], None] = _nobody

    def on(
        self,
        method: str,
        path: str,
        act: Act,
        *,
        where: Callable[[Params], bool] | Params | None = None,
        after: int = 0,
        times: int | None = 1,
    ) -> Fault:
        """*path* is a pattern such as "*/order", or a purpose, such as "place", which is the same
        for all exchanges; *where* a predicate, or parameters to be equal."""
        check = _equal(where) if isinstance(where, Mapping) else where
        fault = Fault(method=method, path=path, act=act, where=check, after=after, times=times)
        self._faults.append(fault)
        return fault

    def on_event(
        self,
        name: str,
        act: str,
        *,
        where: Callable[[Json], bool] | None = None,
        times: int | None = 1,
    ) -> EventFault:
        """*name* is the exchange's word for the event, or "order", "trade", ..., or "*"."""
        fault = EventFault(name=name, act=act, names_of=self._names_of, where=where, times=times)
        self._events.append(fault)
        return fault

    def hide(
        self, client_id: str = "*", *, queries: int | None = None, seconds: float | None = None
    ) -> None:
        """Queries do not find these orders (a pattern of client ids), nor their trades."""
        until = None if seconds is None else self._now() + int(seconds * 1000)
        self._hidings.append(Hiding(client_id=client_id, queries=queries, until=until))

    def clear(self) -> None:
        """Nothing goes wrong any more; what was held goes on."""
        for fault in self._faults:
            fault.release()
        for event_fault in self._events:
            self.release(event_fault)
        self._faults.clear()
        self._events.clear()
        self._hidings.clear()
        self.maintenance = None

    # --- asked by the server ---

    def meeting(self, request: Recorded) -> Fault | None:
        return next((fault for fault in self._faults if fault.meets(request)), None)

    def hidden(self) -> Callable[[str], bool]:
        """For one query: which client ids it does not find."""
        active = [hiding for hiding in self._hidings if self._is_active(hiding)]
        for hiding in active:
            if hiding.queries is not None:
                hiding.queries -= 1
        return lambda client_id: any(fnmatch(client_id, h.client_id) for h in active)

    def _is_active(self, hiding: Hiding) -> bool:
        if hiding.queries is not None and hiding.queries <= 0:
            return False
        return hiding.until is None or self._now() < hiding.until

    def shaped(self, event: Json) -> list[Json]:
        """What is pushed in place of *event*."""
        waiting = [f for f in self._events if f.act == "swap" and f.held and f.fits(event)]
        fault = next((fault for fault in self._events if fault.meets(event)), None)
        overtaken = [held for swap in waiting for held in swap.held]
        for swap in waiting:
            swap.held = []
        if fault is None:
            return [event, *overtaken]
        if fault.act in {"hold", "swap"}:
            fault.held.append(event)
            return overtaken
        return [event, event, *overtaken] if fault.act == "duplicate" else overtaken

    def deliver_by(self, deliver: Callable[[Json], None]) -> None:
        self._deliver = deliver

    def release(self, fault: EventFault) -> None:
        """Push what was held, late."""
        held, fault.held = fault.held, []
        for event in held:
            self._deliver(event)


def _equal(wanted: Params) -> Callable[[Params], bool]:
    return lambda params: all(params.get(name) == value for name, value in wanted.items())


def _nobody(_event: Json) -> None:
    """Before there are streams."""
