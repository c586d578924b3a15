"""Signals per second, from the wish to the booked fill and the stop that protects it.

All signals come in one cycle of a real trader.  A second's worth of one figure:

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
from time import perf_counter

from bench.desk import MINUTE, NOON, TRADER, AllAtOnce, BenchDesk, a_desk
from bench.figures import Figure, median
from bench.slow_disk import MILLISECONDS, slowed
from trading.deciding import Decider, approvals
from trading.execution.exit_rules import ExitRules
from trading.types import Mode

AT_ONCE = 300
ROUNDS, SLOW_ROUNDS = 5, 3
GOAL, FLOOR = 2_500, 1_000

Round = Callable[[BenchDesk], Awaitable[float]]


def measure() -> list[Figure]:
    figures = _figures(asyncio.run(rates(ROUNDS)), "")
    label = f", {MILLISECONDS} ms more per fsync"
    with slowed() as (environment, excuse):
        if excuse:
            return [*figures, Figure(name=f"signals{label}", value=None, unit="1/s", note=excuse)]
        done = subprocess.run(
            [sys.executable, "-m", "bench.signals", str(SLOW_ROUNDS)],
            env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    return [*figures, *_figures(json.loads(done.stdout), label)]


def _figures(found: dict[str, float], label: str) -> list[Figure]:
    return [
        Figure(
            name=f"signals, {AT_ONCE} at once, {name}{label}",
            value=value, unit="1/s", goal=GOAL, better="more", note=_note(value),
        )
        for name, value in found.items()
    ]  # fmt: skip


def _note(value: float) -> str:
    if value >= GOAL:
        return ""
    return f"{'above' if value >= FLOOR else 'BELOW'} the floor of {FLOOR:,}"


async def rates(rounds: int) -> dict[str, float]:
    """Signals per second, the median of *rounds* after one to warm up."""
    kinds: dict[str, Round] = {"protected": protected, "entries alone": entries_alone}
    return {
        name: median([await _rate(kind) for _ in range(rounds + 1)][1:])
        for name, kind in kinds.items()
    }


async def _rate(kind: Round) -> float:
    with tempfile.TemporaryDirectory() as folder:
        async with a_desk(Path(folder), symbols=AT_ONCE) as desk:
            seconds = await kind(desk)
            opened = len(desk.trader.ledger.positions)
            if opened != AT_ONCE:
                raise RuntimeError(f"{opened} of {AT_ONCE} signals became positions")
            return AT_ONCE / seconds


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
    """Seconds of the same without the stops: what a cycle does between prices and protection."""
    trader = desk.trader
    trader.orders.on_touch.clear()  # nobody mends
    desk.market.advance(MINUTE.total_seconds())
    decider = Decider(
        trader=TRADER, mode=Mode.PAPER, strategy=AllAtOnce(NOON + MINUTE), limits=trader.settings.limits,
        exit_rules=ExitRules(), orders=trader.orders, valuer=trader.valuer, feed=trader.feed,
        latch=desk.desk.latch,
    )  # fmt: skip
    began = perf_counter()
    answers = [
        decider.decide(signal, now=desk.clock.now()) for signal in decider.signals(NOON + MINUTE)
    ]
    sending = [trader.orders.enter(a.order, a.permit, a.decision) for a in approvals(answers)]
    await asyncio.gather(*sending)
    return perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rates(int(sys.argv[1])))))
