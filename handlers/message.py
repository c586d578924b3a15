"""One line that somebody said: read once, where it comes in, and handed on as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handlers.caller import Caller
from handlers.command import Command
from handlers.line import LONGEST, split
from trading.common.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What a line calls for: all who ask whether it acts, or stops, ask the same reading."""

    text: str
    """Clean, and in one line."""
    name: str
    """Empty where there is no letter in any word."""
    words: tuple[str, ...]
    """After the name."""
    command: Command | None
    """None: there is none of that name."""
    is_cut: bool = False
    """It was longer than anything that is looked at."""

    @property
    def acts(self) -> bool:
        """It does something: its answer is a new message, its buttons go."""
        return self.command is not None and self.command.acts

    @property
    def instant(self) -> bool:
        """It only makes things safer, and at once: a stop, a pause."""
        return self.command is not None and self.command.instant


def read(commands: Mapping[str, Command], text: str) -> CommandLine:
    """Read *text*; what is said is one of *commands*, or none."""
    kept = one_line(text[:LONGEST])
    name, words = split(kept)
    return CommandLine(
        text=kept,
        name=name,
        words=tuple(words),
        command=commands.get(name),
        is_cut=len(text) > LONGEST,
    )


@dataclass(frozen=True, slots=True)
class Message:
    """One line said to the desk.  A pressed button is the line it stands for."""

    caller: Caller
    text: str
    sent_at: datetime
    """Wall time by the platform: what loosens or spends is refused when it is old."""
    id: str = ""
    """The platform's event id; the same one twice acts once.  Empty: it cannot come twice."""
    timed: bool = True
    """False: it was said after `sent_at`; how long after, the platform does not tell."""
    line: CommandLine | None = None
    """As whoever brought it has read `text`; None: the dispatcher does."""
