"""What `quarterdeck check` looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from chatbot.settings import Settings
from trading.clocks import Clock


class Verdict(StrEnum):
    OK = "ok"
    LOOK = "look"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.  `todo` says what to do; empty when nothing is."""

    what: str
    verdict: Verdict
    said: str
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the checks look at, and what they measure it by."""

    settings: Settings
    clock: Clock
    least_free: int
    little_free: int
    within: float
    """Seconds that a chat may take to answer."""

    @property
    def state(self) -> Path:
        return self.settings.state_dir


Check = Callable[[Looked], Iterator[Finding]]
