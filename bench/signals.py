"""Signals per second, from the wish to the booked fill and the stop that protects it.

All signals come in one cycle of a real trader.

* *protected*: until every position is open, written down, and its stop rests at the venue and is
  written down too.  This is what the product does.
* *entries alone*: the same decisions, intents, fills and bookings, without the stops.

Run as a module it measures once more and prints JSON: so it can be started under the slow disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter, process_time

from bench.desk import BenchDesk, a_desk
from bench.figures import SLOW, Figure, median
from bench.slow_disk import MILLISECONDS, slowed
from storage.store import SqlStore
from trading.ports import Change, WritePriority
from trading.types import OrderRole

AT_ONCE = 300
ROUNDS, SLOW_ROUNDS = 5, 3
GOAL, CPU_GOAL = 1_000, 900.0
"""Signals a second, and us of the processor for each, both on a slow machine."""
SLOW_GOAL = 0.8
"""Of the rate without it, under the slow disk."""
PROTECTED = "protected"

Round = Callable[[BenchDesk], Awaitable[float]]


class History(SqlStore):
    """Remembers when a stop was first written down."""

    first_stop = 0.0

    def commit(
        self, change: Change, priority: WritePriority = WritePriority.REST
    ) -> Awaitable[None]:
        made = any(order.role is OrderRole.PROTECT for order in change.orders)
        if made and not History.first_stop:
            History.first_stop = perf_counter()
        return super().commit(change, priority)


def measure() -> list[Figure]:
    usual = asyncio.run(rates(ROUNDS))
    figures = _figures(usual, "")
    label = f", {MILLISECONDS} ms more per fsync"
    with slowed() as (environment, excuse):
        if excuse:
            return [*figures, Figure(name=f"signals{label}", value=None, unit="1/s", note=excuse)]
        done = subprocess.run(
            [sys.executable, "-m", "bench.signals", str(SLOW_ROUNDS)],
            env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    slow = json.loads(done.stdout)
    ratio = Figure(
        name=f"signals protected per second with {MILLISECONDS} ms more per fsync / without",
        value=slow[PROTECTED][0] / usual[PROTECTED][0],
        unit="x", goal=SLOW_GOAL, better="more", headline=True,
    )  # fmt: skip
    return [*figures, *_figures(slow, label), ratio]


def _figures(found: dict[str, tuple[float, float]], label: str) -> list[Figure]:
    rates = [
        Figure(
            name=f"signals, {AT_ONCE} at once, {name}{label}",
            value=rate, unit="1/s", goal=GOAL if name == PROTECTED else None, at=SLOW,
            better="more", headline=name == PROTECTED and not label,
        )
        for name, (rate, _) in found.items()
    ]  # fmt: skip
    _, processor = found[PROTECTED]
    cost = Figure(
        name=f"processor time of a protected signal: decided, durable, filled, stopped{label}",
        value=processor * 1e6, unit="us", goal=CPU_GOAL, at=SLOW, headline=True,
    )  # fmt: skip
    return [cost, *rates]


async def rates(rounds: int) -> dict[str, tuple[float, float]]:
    """Signals per second and processor seconds per signal: medians, after a round to warm up."""
    kinds: dict[str, Round] = {PROTECTED: protected, "entries alone": entries_alone}
    found: dict[str, tuple[float, float]] = {}
    for name, kind in kinds.items():
        times = [await _time(kind) for _ in range(rounds + 1)][1:]
        elapsed, processor = (median(column) for column in zip(*times, strict=True))
        found[name] = (AT_ONCE / elapsed, processor / AT_ONCE)
    return found


async def _time(kind: Round) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        History.first_stop = 0.0
        async with a_desk(Path(folder), symbols=AT_ONCE, store=History) as desk:
            used = process_time()
            seconds = await kind(desk)
            used = process_time() - used
            opened = len(desk.trader.ledger.positions)
            if opened != AT_ONCE:
                raise RuntimeError(f"{opened} of {AT_ONCE} signals became positions")
            return seconds, used


async def protected(desk: BenchDesk) -> float:
    """Seconds of one cycle, and until the last stop rests."""
    trader = desk.trader
    began = perf_counter()
    await desk.minute()
    while not all(map(trader.protection.rests, trader.symbols)):
        await asyncio.sleep(0.001)
    await desk.recorder.settle()
    return perf_counter() - began


async def entries_alone(desk: BenchDesk) -> float:
    """Seconds of the same cycle until the first stop is begun: every entry is booked by then."""
    desk.trader.orders.outcomes.on_touch.clear()  # else stops are placed while entries still wait
    desk.trader.orders.outcomes.on_held = None  # and made with their fills
    began = perf_counter()
    await desk.minute()
    return History.first_stop - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rates(int(sys.argv[1])))))
