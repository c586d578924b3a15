"""How long until the desk can be spoken to, and until it trades."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figures import Figure, median
from bench.process import running

ROUNDS = 5
GOAL = 1.5


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        first, _ = _start(Path(folder))
        starts = [_start(Path(folder)) for _ in range(ROUNDS)]
    answers, ready = zip(*starts, strict=True)
    return [
        Figure(
            name="start until /status answers, warm",
            value=median(answers),
            unit="s",
            goal=GOAL,
            headline=True,
        ),
        Figure(
            name="start until the trader is ready, warm", value=median(ready), unit="s", goal=GOAL
        ),
        Figure(name="first start in an empty folder, until /status answers", value=first, unit="s"),
    ]


def _start(folder: Path) -> tuple[float, float]:
    with running(folder) as desk:
        return desk.first_answer(), desk.ready()
