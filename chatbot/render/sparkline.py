"""A line of figures in one line of text, for where there are no pictures."""

from __future__ import annotations

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇"
COLUMNS = 32


def sparkline(values: Sequence[float], columns: int = COLUMNS) -> str:
    """As in `▁▂▃▅▇`: the lowest of *values* is the lowest bar, in at most *columns* of them.

    Where there are more values than columns, each shows the one of its own that lies furthest from
    the mean of all, so that a lonely peak is not lost.  What never moved stands in the middle.
    Empty of nothing.
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    if not high > low:
        return BARS[len(BARS) // 2] * min(len(values), columns)
    mean = sum(values) / len(values)
    shown = [_extreme(part, mean) for part in _parts(values, columns)]
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in shown)


def _parts(values: Sequence[float], columns: int) -> list[Sequence[float]]:
    count = len(values)
    parts = min(count, columns)
    edges = [count * n // parts for n in range(parts + 1)]
    return [values[edges[n] : edges[n + 1]] for n in range(parts)]


def _extreme(part: Sequence[float], mean: float) -> float:
    return max(part, key=lambda value: abs(value - mean))
