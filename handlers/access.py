"""Who may command, how often, and how late a word may come."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from handlers.caller import Caller, Role
from handlers.command import Command, Commands
from handlers.format import duration
from handlers.message import Message
from trading.clocks import Clock
from trading.errors import Refused

FRESH = timedelta(seconds=60)
ALWAYS = frozenset(
    {"cancel", "close", "confirm", "flatten", "help", "pause", "start", "status", "stop"}
)
"""No settings can take these from anybody: to see what is true, and to stop it."""
UNLIMITED = frozenset({"cancel", "close", "confirm", "flatten"})
"""Never too often, beside what is instant."""
REFUSED_EVERY = 60.0
"""Seconds between two refusals that a person is told."""
LOCAL = "local:"
"""Whoever speaks from the machine itself."""


class TooLate(Refused):
    """The words are old, and acting on them would loosen or spend."""


class TooOften(Refused):
    """Somebody asks faster than they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the settings say of commands."""

    off: Collection[str] = frozenset()
    raised: Mapping[str, Role] = field(default_factory=dict)

    def apply(self, commands: Commands) -> Commands:
        """Return *commands* as they hold here: menus, /help and checks all go by these."""
        return Commands(self._raised(c) for c in commands.values() if c.name not in self.off)

    def _raised(self, found: Command) -> Command:
        return replace(found, role=max(found.role, self.raised.get(found.name, found.role)))


class RateLimit:
    """So many requests in so many seconds, for each person; a sliding window.

    In a chat that others share, which takes only so much of all of them, a person may ask less.
    Refusals count as well, and cost a shared chat one message a minute (`withholds`), so that
    nobody can fill it by being refused.
    """

    def __init__(
        self, clock: Clock, *, most: int, seconds: float, most_shared: int | None = None
    ) -> None:
        self._clock = clock
        self._most = most
        self._most_shared = most if most_shared is None else min(most, most_shared)
        self._seconds = seconds
        self._asked: dict[str, deque[float]] = {}
        """When each person's last requests were; monotonic.  What was too often does not count."""
        self._refused: dict[tuple[str, str], tuple[float, str]] = {}
        """When each person was last told a refusal in each chat, and which."""

    def check(self, command: Command | None, caller: Caller) -> None:
        """Count a request of *caller*; None is a command that there is not.

        Raises `TooOften`.  What acts without loosening is never counted for who may use it, nor is
        whoever sits at the machine.
        """
        if is_local(caller) or not is_limited(command, caller.role):
            return
        now, asked = self._clock.monotonic(), self._within(caller)
        if len(asked) >= self._room(caller):
            oldest = asked[-self._room(caller)]
            wait = timedelta(seconds=max(1, math.ceil(oldest + self._seconds - now)))
            raise TooOften(f"Too many requests, again in {duration(wait)}")
        asked.append(now)

    def withholds(self, command: Command | None, caller: Caller, told: str) -> bool:
        """Whether the refusal *told* costs *caller*'s chat a message too many.  Counts it.

        Within a minute after another one it does for who asks too often; and where others read
        too, for who only looks, and where it says nothing new.
        """
        if is_local(caller):
            return False
        now, asked = self._clock.monotonic(), self._within(caller)
        often = len(asked) >= self._room(caller)
        if not is_limited(command, caller.role) and not often:
            asked.append(now)
        where = caller.user, caller.chat
        at, before = self._refused.get(where, (-math.inf, ""))
        lately = now - at < REFUSED_EVERY
        for_others = caller.shared and (told == before or caller.role < Role.OPERATOR)
        if lately and (often or for_others):
            return True
        self._refused[where] = (now, told)
        return False

    def _room(self, caller: Caller) -> int:
        return self._most_shared if caller.shared else self._most

    def _within(self, caller: Caller) -> deque[float]:
        now, asked = self._clock.monotonic(), self._asked.setdefault(caller.user, deque())
        while asked and now - asked[0] >= self._seconds:
            asked.popleft()
        return asked


def is_local(caller: Caller) -> bool:
    return caller.user.startswith(LOCAL)


def is_limited(command: Command | None, role: Role) -> bool:
    """Whether a person of this *role* may ask for it only so often."""
    if command is None or command.role > role:
        return True
    if command.instant or command.name in UNLIMITED:
        return False
    return not command.acts or command.loosens


def check_on(name: str, off: Collection[str]) -> None:
    if name in off:
        raise Refused(f"/{name} is switched off in the settings")


def check_role(command: Command, caller: Caller) -> None:
    if caller.role < command.role:
        needed, has = command.role.name.lower(), caller.role.name.lower()
        raise Refused(f"/{command.name} needs {needed}, you are {has}")


def check_fresh(command: Command, message: Message, now: datetime) -> None:
    """What loosens or spends counts for a minute; a stop always does."""
    if command.loosens:
        require_fresh(command.name, message, now)


def require_fresh(name: str, message: Message, now: datetime) -> None:
    """For a command that loosens only at times: raises `TooLate` if its words are old."""
    age = now - message.sent_at
    if age <= FRESH:
        return
    if not message.timed:
        raise TooLate(f"When /{name} was pressed is not known: it may be too late to act on")
    raise TooLate(f"/{name} was said {duration(age)} ago, too late to act on")
