"""Charts as data: what a picture shows, before any face draws it.

Figures are floats: a chart is looked at, nothing is booked from it.
"""

from __future__ import annotations

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
class Mark:
    """Something that was done, at a moment and a height."""

    at: datetime
    value: float
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with its name: `stop`, `target`, `entry`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleChart:
    """Candles in order; all of `times`, `opens`, ... have one length."""

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
    marks: tuple[Mark, ...] = ()
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityChart:
    """Equity in quote currency and its fall from the highest so far, as a share <= 0."""

    title: str
    quote: str
    times: tuple[datetime, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]
    zone: str
    marks: tuple[Mark, ...] = ()


Chart = CandleChart | EquityChart


def chart_to_dict(chart: Chart) -> dict[str, Any]:
    """For JSON: times as ISO 8601; `load_chart` gives the same chart back."""
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
        Mark(datetime.fromisoformat(at), value, MarkKind(kind)) for at, value, kind in raw["marks"]
    )
    if raw["kind"] == "equity":
        return EquityChart(**values)
    values["levels"] = tuple(Level(name, value) for name, value in raw["levels"])
    return CandleChart(**values)


def _tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
