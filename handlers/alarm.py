"""Whoever cries for a stop in words of their own gets it as a button, safest first.

What is certain (`/stop` and anything after it) stops at once; this is for all that only may have
meant it: `/panic`, `please stop`, `close everything`.
"""

from __future__ import annotations

from collections.abc import Sequence

from handlers.caller import Caller
from handlers.command import Command
from handlers.line import bare
from handlers.reply import Choice, Level, Outcome, Priority, Reply
from handlers.texts.phrases import LOOK, clipped

_IN_ANY_TONGUE = (
    "abort alarm bail cease danger emergency enough escape estop exit freeze halt kill mayday quit",
    "scram sos stahp stop suspend terminate",
    "abbrechen anhalten aufhören halten hilfe notaus notfall nothalt",
    "alto arret arrete arretez arrêt arrête arrêtez basta detener fermare ferma parar pare",
    "стой стоп хватит 停 停止 止めて やめて",
)
_CRIES = frozenset(word for line in _IN_ANY_TONGUE for word in line.split())
_BEGINNINGS = ("emergenc", "killswitch", "panic", "panik", "stop")
_SIGNS = frozenset("🛑✋⛔🚨🆘🚫⏹")
_CLOSES = frozenset(["cancel", "close", "dump", "end", "get", "liquidate", "sell", "unwind"])
_EVERYTHING = frozenset(["all", "alles", "everything", "out", "tout", "todo"])


def is_cry(text: str) -> bool:
    """Whether *text*, which is no command, may have been meant as a stop."""
    words = _words(text)
    cries = any(word in _CRIES or word.startswith(_BEGINNINGS) for word in words)
    return cries or not _SIGNS.isdisjoint(text) or closes_everything(text)


def closes_everything(text: str) -> bool:
    """As in `close all`, `get me out`."""
    words = _words(text)
    return not _CLOSES.isdisjoint(words) and not _EVERYTHING.isdisjoint(words)


def _words(text: str) -> list[str]:
    return [bare(part) for word in text.split() for part in word.split("_")]


def stop_offered(text: str, caller: Caller, stop: Command | None) -> Reply:
    """Ask whether *text* meant a stop; nothing was done yet."""
    title = f"{LOOK} Nothing was stopped by “{clipped(text.lstrip('/ '), 20)}”"
    if stop is None or caller.role < stop.role:
        needed = stop.role.name.lower() if stop is not None else "operator"
        told = f"A stop needs {needed}, you are {caller.role.name.lower()}: call one."
        return Reply(title, text=told, level=Level.NOTICE, outcome=Outcome.REFUSED)
    return Reply(
        title,
        text="Stop: new entries are blocked and resting ones cancelled, at once; positions stay.\n"
        "Flatten: closes them as well, and asks first.",
        choices=stop_choices(),
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
        asked=Priority.QUESTION,
    )


def stop_choices() -> tuple[Choice, ...]:
    return (
        Choice("Stop now", "/stop"),
        Choice("Flatten", "/flatten all"),
        Choice("Status", "/status"),
    )


def with_stop(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """What was offered, behind a stop."""
    return (*stop_choices()[:2], *choices)
