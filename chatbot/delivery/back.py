"""What a chat hears first when it is back: what waited, in one message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from chatbot.delivery.waiting import Absence
from handlers.format import clock_time, long_duration, plural
from handlers.reply import Choice, Column, Level, Reply, Table
from handlers.texts.phrases import clipped

WAITED_LINES, LINE = 5, 22
"""How many of the alerts that waited are listed when a chat is back, and how wide."""


def back(speaker: str, absence: Absence, rest: Sequence[tuple[datetime, Reply]]) -> Reply:
    """What a chat hears when it is there again, instead of *rest*, one by one (oldest first)."""
    name, waited = speaker.capitalize(), absence.waited
    gap, alerts = long_duration(absence.away), plural(waited, "alert")
    shown = sorted(
        sorted(rest, key=lambda each: (each[1].level, each[0]))[-WAITED_LINES:],
        key=lambda each: each[0],
    )
    rows = tuple((clock_time(at), _short(reply.title)) for at, reply in shown)
    return Reply(
        title=f"✓ {name} back after {gap}: {alerts} waited",
        lead=_of_the_rest(absence.critical, len(shown), len(rest)),
        table=Table((Column(right=False), Column(right=False)), rows) if rows else None,
        choices=(Choice(f"All {waited}", f"/alerts last {waited}"),) if waited else (),
        level=max((reply.level for _, reply in rest), default=Level.NOTICE),
    )


def _of_the_rest(critical: int, shown: int, rest: int) -> str:
    """As in `1 critical went first. The rest, UTC:`."""
    first = f"{critical} critical went first." if critical else ""
    if not rest:
        return first
    listed = "The rest" if critical else "They were"
    if shown < rest:
        listed = f"{shown} of the other {rest}" if critical else f"{shown} of them"
    return f"{first} {listed}, UTC:".strip()


def _short(title: str) -> str:
    """A title for a narrow column: its first words, and what was won or lost."""
    plain = title.lstrip("✓…⚠?‖■✕ ")
    for end in (" (paper)", " (live)", " (dry run)", ": "):
        plain = plain.partition(end)[0] or plain
    gained = _GAIN.search(title.partition(plain)[2])
    if gained is None:
        return clipped(plain, LINE)
    return f"{clipped(plain, LINE - len(gained[0]) - 1)} {gained[0]}"


_GAIN = re.compile(r"[+-][\d,]+\.\d\d")
"""As in `+33.27`."""
