"""How fast this machine is, now: a figure without it is no figure.

Three units: a plain loop of ten million additions, a NumPy pass over the candles of a scan, and a
durable commit.  The first two count processor time, which a busy machine stretches far less than
time on the clock; the third waits for the disk.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import TypeVar

import numpy as np

from bench.figures import median

T = TypeVar("T")

ADDING = compile("total = 0\nfor number in range(10_000_000):\n    total += number", "loop", "exec")
"""On the level of a module, as whoever tries it types it: its names are looked up each time."""
PANEL = (5, 648, 200)
"""Prices and volume of a scan."""
PASSES, COMMITS = 9, 100
BUSY = 1.15
"""Seconds on the clock for one of the processor, above which others wanted it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Seconds each."""

    loop: float
    """Of the processor."""
    loop_on_the_clock: float
    numpy: float
    commit: float

    def __str__(self) -> str:
        busy = self.loop_on_the_clock / self.loop
        alone = f"; BUSY, {busy:.1f} s on the clock for each" if busy > BUSY else ""
        return (
            f"loop {self.loop:.2f} s, NumPy pass {self.numpy * 1000:.1f} ms, "
            f"durable commit {self.commit * 1000:.2f} ms{alone}"
        )


def speed() -> Speed:
    seconds, clock = _loop()
    return Speed(
        loop=seconds, loop_on_the_clock=clock, numpy=_numpy_pass(), commit=_durable_commit()
    )


def loop() -> float:
    """Seconds of the processor for ten million additions in plain Python."""
    return _loop()[0]


def in_loops(work: Callable[[], T]) -> tuple[float, float, T]:
    """Processor time of *work* in this process, all threads: in loops around it, and in seconds.

    And what came of it.
    """
    before, used = loop(), process_time()
    result = work()
    used = process_time() - used
    return used / ((before + loop()) / 2), used, result


def name() -> str:
    """As in `2 cores of Intel(R) Xeon(R) Processor, Python 3.11.7`."""
    return f"{os.cpu_count()} cores of {_model()}, Python {platform.python_version()}"


def _model() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    told = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(told, platform.machine())


def _loop() -> tuple[float, float]:
    """Of the processor, and on the clock."""
    clock, used = perf_counter(), thread_time()
    exec(ADDING, {})
    return thread_time() - used, perf_counter() - clock


def _numpy_pass() -> float:
    """Sums along time, their logarithms, and all in order: memory, arithmetic and branches."""
    panel = np.random.default_rng(1).lognormal(4, 0.1, PANEL)
    times = []
    for _ in range(PASSES):
        used = thread_time()
        np.sort(np.log(np.cumsum(panel, axis=-1)) - np.log(panel), axis=-1)
        times.append(thread_time() - used)
    return median(times)


def _durable_commit() -> float:
    """A row into SQLite by itself, written ahead and synced, as the store has it; on the clock."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "rows.db", isolation_level=None)) as database,
    ):
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, told TEXT)")
        times = []
        for _ in range(COMMITS):
            began = perf_counter()
            database.execute("INSERT INTO rows (told) VALUES ('x')")
            times.append(perf_counter() - began)
    return median(times)
