"""Counters and timings of what the desk does, and how its services fare.

The hot path adds to plain numbers (half a microsecond); prometheus-client reads them when
somebody asks.  Percentiles are those of the newest 1,000 of each timing.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.logs import TOLD, get_logger

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = get_logger(__name__)

FILE = "metrics.json"
KEPT = 1_000
"""Newest values of each timing that percentiles are taken from."""
BOUNDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
    300.0,
)  # fmt: skip
"""Upper bounds of the histogram's buckets, in seconds; above them: +Inf."""
DESK = ""
"""The owner of what belongs to no single trader."""


class Timing:
    """How long something took, each time: a histogram, and the newest values."""

    __slots__ = ("buckets", "count", "newest", "total", "worst")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.newest: deque[float] = deque(maxlen=KEPT)
        self.count = 0
        self.total = 0.0
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.newest.append(seconds)
        self.count += 1
        self.total += seconds
        self.worst = max(self.worst, seconds)

    def percentile(self, share: float) -> float | None:
        """The value below which *share* (0 to 1) of the newest lie; None without any."""
        ordered = sorted(self.newest)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def cumulative(self) -> Iterator[tuple[str, int]]:
        """(upper bound, how many lie at or below it), as Prometheus writes a histogram."""
        below = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.buckets, strict=True):
            below += count
            yield bound, below


class Figures:
    """A `Meter`: what one trader (or the desk itself) does."""

    __slots__ = ("counters", "timings")

    def __init__(self) -> None:
        self.counters: dict[str, float] = {}
        self.timings: dict[str, Timing] = {}

    def count(self, name: str, amount: float = 1.0) -> None:
        self.counters[name] = self.counters.get(name, 0.0) + amount

    def time(self, name: str, seconds: float) -> None:
        timing = self.timings.get(name)
        if timing is None:
            timing = self.timings[name] = Timing()
        timing.add(seconds)


class Metrics(Figures):
    """All figures of the process.  Itself the meter of what belongs to no trader.

    Used by one thread, the event loop's.
    """

    __slots__ = ("_gauges", "_healthy", "_traders")

    def __init__(self) -> None:
        super().__init__()
        self._traders: dict[str, Figures] = {}
        self._gauges: dict[str, float] = {}
        self._healthy: dict[str, bool] = {}

    def of(self, trader: str) -> Figures:
        """The meter of one trader."""
        return self._traders.setdefault(trader, Figures())

    def total(self, name: str) -> float:
        """A counter, of the desk and all traders together."""
        return sum(f.counters.get(name, 0.0) for _, f in self._owners())

    def times(self, name: str) -> int:
        """How often something was timed, of the desk and all traders together."""
        return sum(f.timings[name].count for _, f in self._owners() if name in f.timings)

    def gauge(self, name: str, value: float) -> None:
        """A number as it is now."""
        self._gauges[name] = value

    def health(self, services: Mapping[str, bool]) -> None:
        """Which services are well, as in `{"feed majors": True, "chat console:": False}`."""
        self._healthy = dict(services)

    # -- reading ----------------------------------------------------------------------------------

    def text(self) -> str:
        """Everything in Prometheus' own format."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self))
        return generate_latest(registry).decode()

    def families(self) -> Iterator[Metric]:
        """The same as values of prometheus-client."""
        from prometheus_client.core import GaugeMetricFamily

        yield from self._counter_families()
        yield from self._timing_families()
        for name, value in sorted(self._gauges.items()):
            yield GaugeMetricFamily(f"quarterdeck_{name}", _help(name), value=value)
        up = GaugeMetricFamily("quarterdeck_up", "1: the service is well", labels=["service"])
        for service, well in sorted(self._healthy.items()):
            up.add_metric([service], float(well))
        yield up

    def _counter_families(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        for name in _sorted_names(f.counters for _, f in self._owners()):
            family = CounterMetricFamily(f"quarterdeck_{name}", _help(name), labels=["trader"])
            for owner, figures in self._owners():
                if name in figures.counters:
                    family.add_metric([owner], figures.counters[name])
            yield family

    def _timing_families(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        for name in _sorted_names(f.timings for _, f in self._owners()):
            family = HistogramMetricFamily(
                f"quarterdeck_{name}_seconds", _help(name), labels=["trader"]
            )
            for owner, figures in self._owners():
                timing = figures.timings.get(name)
                if timing is not None:
                    family.add_metric([owner], list(timing.cumulative()), timing.total)
            yield family

    def summary(self, now: datetime) -> dict[str, Any]:
        """Counters, timings in milliseconds, gauges and health, by whose they are."""
        return {
            "at": now.isoformat(),
            "desk": _summed_up(self),
            "traders": {name: _summed_up(f) for name, f in sorted(self._traders.items())},
            "gauges": dict(sorted(self._gauges.items())),
            "health": dict(sorted(self._healthy.items())),
        }

    def _owners(self) -> Iterator[tuple[str, Figures]]:
        yield DESK, self
        yield from sorted(self._traders.items())


class _Collector:
    """What prometheus-client asks."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.families()


def write(path: Path, summary: Mapping[str, Any]) -> None:
    """Replace *path* at once, and log it.  A disk that takes nothing costs the file only."""
    text = json.dumps(summary, indent=1)
    log.info("figures at the end", figures=dict(summary), **{TOLD: True})
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, path)  # noqa: PTH105  # atomic, and known to be
    except OSError as error:
        log.warning("the figures cannot be written", file=path.name, why=error.strerror)


def _summed_up(figures: Figures) -> dict[str, Any]:
    return {
        "counters": dict(sorted(figures.counters.items())),
        "timings_ms": {name: _in_short(t) for name, t in sorted(figures.timings.items())},
    }


def _in_short(timing: Timing) -> dict[str, float | int | None]:
    return {
        "count": timing.count,
        "mean": _ms(timing.total / timing.count if timing.count else None),
        "p50": _ms(timing.percentile(0.5)),
        "p99": _ms(timing.percentile(0.99)),
        "worst": _ms(timing.worst),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _sorted_names(kept: Iterable[Mapping[str, object]]) -> list[str]:
    return sorted({name for each in kept for name in each})


def _help(name: str) -> str:
    return name.replace("_", " ")
