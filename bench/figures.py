"""What is measured, and whether it is good enough on the machine at hand."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

HOUSE = 0.4
"""Seconds of the loop (`machine.py`) where most goals stand as they are written."""
SLOW = 1.55
"""The same, of goals that were set on a slow machine: they are the harder ones."""
_SCALES = {"s": 1, "ms": 1, "us": 1, "% of a core": 1, "1/s": -1}
"""With which power of the loop a goal grows; goals in other units hold on every machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.  Without a goal it is there to read the others by."""

    name: str
    value: float | None
    """None: it could not be measured, and `note` says why."""
    unit: str
    goal: float | None = None
    """As it was set, where the loop takes `at`."""
    at: float = HOUSE
    better: Literal["less", "more"] = "less"
    note: str = ""
    headline: bool = False
    """It is in the README, too."""

    def on(self, loop: float, subject: str) -> Measured:
        """Return it held against its goal on a machine where the loop takes so many seconds."""
        allowed = self.goal
        if allowed is not None:
            allowed *= (loop / self.at) ** _SCALES.get(self.unit, 0)
        return Measured(
            subject=subject, name=self.name, value=self.value, unit=self.unit, goal=allowed,
            better=self.better, note=self.note, headline=self.headline, loop=loop,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure, and the goal it had on the machine where it was measured."""

    subject: str
    name: str
    value: float | None
    unit: str
    goal: float | None
    better: Literal["less", "more"]
    note: str
    headline: bool
    loop: float
    """Seconds of the loop around it."""

    @classmethod
    def read(cls, row: dict[str, Any]) -> Self:
        """From a row of latest.json.  Raises `TypeError` for one of another version."""
        return cls(**row)

    @property
    def share(self) -> float | None:
        """How much of what is allowed it took: up to 1 is good, whichever way is better.

        None: there is no goal, or nothing to hold against it.
        """
        if not self.goal or not self.value:
            return None
        return self.value / self.goal if self.better == "less" else self.goal / self.value

    @property
    def verdict(self) -> str:
        if self.share is None:
            return ""
        return "met" if self.share <= 1 else "MISSED"

    @property
    def measured(self) -> str:
        return "-" if self.value is None else f"{number(self.value)} {self.unit}".rstrip()

    @property
    def allowed(self) -> str:
        if self.goal is None:
            return ""
        sign = "<=" if self.better == "less" else ">="
        return f"{sign} {number(self.goal)} {self.unit}".rstrip()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of *values* that *share* of them (0 to 1) do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Measured]) -> str:
    """For a terminal."""
    rows = [("", "value", "goal here", "of it", ""), *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {goal:>{widths[2]}}  "
        f"{share:>{widths[3]}}  {said}".rstrip()
        for name, value, goal, share, said in rows
    )


def _row(figure: Measured) -> tuple[str, str, str, str, str]:
    share = "" if figure.share is None else f"{figure.share:.2f}"
    said = "; ".join(part for part in (figure.verdict, figure.note) if part)
    return figure.name, figure.measured, figure.allowed, share, said


def number(value: float) -> str:
    """Three figures that count, and none that do not."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
