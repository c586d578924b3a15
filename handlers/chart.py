"""Charts as data: what a picture shows, before any face draws it.

Figures are floats: a chart is looked at, nothing is booked from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class MarkKind(StrEnum):
    LONG = "long"
    """An entry that bought."""
    SHORT = "short"
    """An entry that sold."""
    WIN = "win"
    """An exit above zero after fees."""
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class ChartMark:
    """Something that was done, at a moment and a height."""

    at: datetime
    value: float
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """A horizontal line with its name: `stop`, `target`, `entry`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleChart:
    """Candles in order; all of `times`, `opens`, ... have one length.

    Raises `ValueError` without a candle, and for a figure that is none: a candle that is missing
    is left out.
    """

    title: str
    """As in `BTC/USDT 15m`."""
    times: tuple[datetime, ...]
    """When each candle closes."""
    opens: tuple[float, ...]
    highs: tuple[float, ...]
    lows: tuple[float, ...]
    closes: tuple[float, ...]
    volumes: tuple[float, ...]
    decimals: int
    """Of prices."""
    zone: str
    marks: tuple[ChartMark, ...] = ()
    levels: tuple[PriceLevel, ...] = ()

    def __post_init__(self) -> None:
        rows = (self.opens, self.highs, self.lows, self.closes, self.volumes)
        _check(self.times, *rows)
        _check(self.marks, [mark.value for mark in self.marks], some=False)
        _check(self.levels, [level.value for level in self.levels], some=False)

    @property
    def line(self) -> tuple[float, ...]:
        """The one row of figures that tells most."""
        return self.closes


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityChart:
    """Equity in quote currency and its fall from the highest so far, as a share <= 0.

    Raises `ValueError` without a point, and for a figure that is none.
    """

    title: str
    quote: str
    times: tuple[datetime, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]
    zone: str
    marks: tuple[ChartMark, ...] = ()

    def __post_init__(self) -> None:
        _check(self.times, self.equity, self.drawdown)
        _check(self.marks, [mark.value for mark in self.marks], some=False)

    @property
    def line(self) -> tuple[float, ...]:
        """The one row of figures that tells most."""
        return self.equity


def _check(along: Sequence[object], *rows: Sequence[float], some: bool = True) -> None:
    if some and not along:
        raise ValueError("a chart needs a point")
    if any(len(row) != len(along) for row in rows):
        raise ValueError("the rows of a chart have one length")
    if not all(math.isfinite(value) for row in rows for value in row):
        raise ValueError("a chart holds finite figures only")


Chart = CandleChart | EquityChart


def chart_to_dict(chart: Chart) -> dict[str, Any]:
    """For JSON: times as ISO 8601; `chart_from_dict` gives the same chart back."""
    raw = asdict(chart)
    raw["kind"] = "candles" if isinstance(chart, CandleChart) else "equity"
    raw["times"] = [time.isoformat() for time in chart.times]
    raw["marks"] = [[m.at.isoformat(), m.value, m.kind.value] for m in chart.marks]
    if isinstance(chart, CandleChart):
        raw["levels"] = [[level.name, level.value] for level in chart.levels]
    return raw


def chart_from_dict(raw: dict[str, Any]) -> Chart:
    values = {name: _tuple(value) for name, value in raw.items() if name != "kind"}
    values["times"] = tuple(datetime.fromisoformat(time) for time in raw["times"])
    values["marks"] = tuple(
        ChartMark(datetime.fromisoformat(at), value, MarkKind(kind))
        for at, value, kind in raw["marks"]
    )
    if raw["kind"] == "equity":
        return EquityChart(**values)
    values["levels"] = tuple(PriceLevel(name, value) for name, value in raw["levels"])
    return CandleChart(**values)


def _tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
