"""Answers under way, so many of each person: nobody's crowd keeps another's word from being heard.

What makes safer, and is allowed, is heard whatever else is under way.  What is not heard is told
to its sender, once until all of theirs has been answered.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any

from handlers.access import is_limited
from handlers.alarm import is_cry
from handlers.caller import Role
from handlers.message import CommandLine, Message
from handlers.reply import Choice, Level, Outcome, Priority, Reply
from handlers.texts.phrases import REFUSED
from trading.common.tasks import Tasks

log = logging.getLogger(__name__)

SHARE = 64
"""Answers of one person that are under way at once."""
UNAUTHORIZED = "strangers"
"""All who have no role share one share: how many of them there are, nobody knows."""


class PersonShare(Enum):
    HEARD = auto()
    TOLD = auto()
    """Not heard; its sender is to be told so."""
    DROPPED = auto()
    """Not heard, as its sender was told before."""


class Shares:
    """Who has how many answers under way in *tasks*."""

    def __init__(self, tasks: Tasks, *, share: int = SHARE) -> None:
        self._tasks = tasks
        self._share = share
        self._under_way: Counter[str] = Counter()
        self._told: set[str] = set()

    def room(self, person: str, role: Role | None, line: CommandLine) -> PersonShare:
        """What becomes of *line*, said by *person*; None: a stranger."""
        owner = UNAUTHORIZED if role is None else person
        if self._under_way[owner] < self._share or _is_always_heard(role, line):
            return PersonShare.HEARD
        if role is None or owner in self._told:
            return PersonShare.DROPPED
        log.warning("too much of %s is under way, something was not heard", owner)
        self._told.add(owner)
        return PersonShare.TOLD

    def start(
        self, person: str, role: Role | None, work: Coroutine[Any, Any, None], *, name: str
    ) -> None:
        """Answer by *work*, on the account of *person*."""
        owner = UNAUTHORIZED if role is None else person
        self._under_way[owner] += 1
        task = self._tasks.start(work, name=name)
        task.add_done_callback(lambda _: self._ended(owner))

    def _ended(self, owner: str) -> None:
        self._under_way[owner] -= 1
        if not self._under_way[owner]:
            del self._under_way[owner]
            self._told.discard(owner)


def _is_always_heard(role: Role | None, line: CommandLine) -> bool:
    if role is None:
        return False
    if line.command is None:
        return role >= Role.OPERATOR and is_cry(line.text)
    return not is_limited(line.command, role)


async def not_heard(message: Message) -> Reply:
    """Instead of an answer, to whoever has too many under way."""
    stop = (Choice("Stop", "/stop"),) if message.caller.role >= Role.OPERATOR else ()
    return Reply(
        f"{REFUSED} Not heard: {SHARE} of yours wait for answers",
        text="Nothing was done. Say it again when they are there; a stop is always heard.",
        choices=stop,
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
        asked=Priority.LOOK,
    )
