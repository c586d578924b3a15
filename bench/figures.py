"""What is measured, and whether it is good enough."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.  Without a goal it is there to read the others by."""

    name: str
    value: float | None
    """None: it could not be measured, and `note` says why."""
    unit: str
    goal: float | None = None
    better: Literal["less", "more"] = "less"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None: there is no goal, or nothing to hold against it."""
        if self.goal is None or self.value is None:
            return None
        return self.value <= self.goal if self.better == "less" else self.value >= self.goal


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of *values* that *share* of them (0 to 1) do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Figure]) -> str:
    rows = [("", "value", "unit", "goal", ""), *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {unit:<{widths[2]}}  "
        f"{goal:>{widths[3]}}  {verdict}".rstrip()
        for name, value, unit, goal, verdict in rows
    )


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
    goal = ""
    if figure.goal is not None:
        goal = f"{'<=' if figure.better == 'less' else '>='} {_number(figure.goal)}"
    value = "-" if figure.value is None else _number(figure.value)
    said = "; ".join(part for part in (verdict, figure.note) if part)
    return figure.name, value, figure.unit, goal, said


def _number(value: float) -> str:
    """Three figures that count, and none that do not."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
