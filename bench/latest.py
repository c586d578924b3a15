"""bench/latest.json: the last run, and what it did not measure from the runs before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.figures import Measured

LATEST = Path(__file__).with_name("latest.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    machine: str
    """As `machine.name` tells it, and how fast it was before the last run and after it."""
    figures: Sequence[Measured]


def read() -> Latest:
    """Return what is there; nothing, where there is no file or one of another version."""
    try:
        found = json.loads(LATEST.read_text())
        return Latest(
            machine=found["machine"], figures=[Measured.read(row) for row in found["figures"]]
        )
    except (FileNotFoundError, TypeError):
        return Latest(machine="", figures=())


def write(machine: str, figures: Sequence[Measured], subjects: Iterable[str]) -> None:
    """Put *figures* in the place of those that their subjects had."""
    rows = [asdict(figure) for figure in merged(read().figures, figures, subjects)]
    LATEST.write_text(json.dumps({"machine": machine, "figures": rows}, indent=1) + "\n")


def merged(
    old: Sequence[Measured], new: Sequence[Measured], subjects: Iterable[str]
) -> list[Measured]:
    """What is new, and what is old of all other subjects, in the order of *subjects*."""
    known = _by_subject(old) | _by_subject(new)
    return [figure for subject in subjects for figure in known.get(subject, ())]


def _by_subject(figures: Sequence[Measured]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {}
    for figure in figures:
        found.setdefault(figure.subject, []).append(figure)
    return found
