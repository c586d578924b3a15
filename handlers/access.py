"""Who may command, and how late a word may come."""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.command import Command
from handlers.context import Caller, Message
from handlers.format import duration
from trading.errors import Refused

FRESH = timedelta(seconds=60)


class TooLate(Refused):
    """The words are old, and acting on them would loosen or spend."""


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
    if age > FRESH:
        raise TooLate(f"/{name} was said {duration(age)} ago, too late to act on")
