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

from chatbot.frontends.talk import Tasks
from handlers.access import is_limited
from handlers.alarm import is_cry
from handlers.caller import Message, Role
from handlers.command import Commands
from handlers.line import split
from handlers.reply import Choice, Level, Outcome, Priority, Reply
from handlers.texts.phrases import REFUSED

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

    def __init__(self, tasks: Tasks, commands: Commands, *, share: int = SHARE) -> None:
        self._tasks = tasks
        self._commands = commands
        self._share = share
        self._under_way: Counter[str] = Counter()
        self._told: set[str] = set()

    def room(self, person: str, role: Role | None, text: str) -> PersonShare:
        """What becomes of *text*, said by *person*; None: a stranger."""
        owner = UNAUTHORIZED if role is None else person
        if self._under_way[owner] < self._share or self._is_always_heard(role, text):
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

    def _is_always_heard(self, role: Role | None, text: str) -> bool:
        if role is None:
            return False
        found = self._commands.get(split(text)[0])
        if found is None:
            return role >= Role.OPERATOR and is_cry(text)
        return not is_limited(found, role)


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
