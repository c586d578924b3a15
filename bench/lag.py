"""How late the event loop is while the default desk trades.

The desk of `quarterdeck run`, in a process of its own, and a metronome in the same loop.  Every
tick counts, those that fell due while the loop was busy too: a loop that hangs for 100 ms is late
50 times, not once.

Run as a module it is that process: `python -m bench.lag FOLDER SPEED SECONDS`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

from bench.figures import SLOW, Figure, percentile
from bench.process import SETTINGS, wait_until_ready
from chatbot import logs
from chatbot.app.signals import EndSignals
from chatbot.folder.state import StateFolder
from chatbot.settings import load
from chatbot.wiring.build import run

TICK = 0.002
"""Seconds between two beats."""
SPEEDS = {60: 12.0, 3600: 7.0}
"""How fast the replay runs, and for how many seconds we look; at 3600 it has 8 to show."""
GOAL = 10
"""Ms, on a slow machine."""


def measure() -> list[Figure]:
    return [
        figure
        for speed, seconds in SPEEDS.items()
        for figure in _figures(speed, _late(speed, seconds))
    ]


def _figures(speed: int, late: list[float]) -> list[Figure]:
    at = f"cycles at {speed}x"
    return [
        Figure(
            name=f"event loop lag p99, {at}", value=percentile(late, 0.99) * 1000,
            unit="ms", goal=GOAL, at=SLOW, headline=True,
        ),
        Figure(name=f"event loop lag, the worst, {at}", value=max(late) * 1000, unit="ms"),
    ]  # fmt: skip


def _late(speed: int, seconds: float) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "bench.lag", folder, str(speed), str(seconds)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the desk at {speed}x ended with {done.returncode}")
        late: list[float] = json.loads((Path(folder) / "late.json").read_text())
    return late


# -- in the child ---------------------------------------------------------------------------------


def desk_with_metronome(place: Path, *, speed: int, seconds: float) -> None:
    config = place / SETTINGS.name
    shutil.copyfile(SETTINGS, config)
    settings = load(config, {**os.environ, "QUARTERDECK__FEEDS__CRASH__SPEED": str(speed)})
    with (
        StateFolder(settings.state_dir) as folder,
        logs.writing(folder.logs, level=settings.bot.log_level, console=settings.bot.log_level),
    ):
        desk = lambda: run(settings, folder, for_seconds=seconds + 2, signals=EndSignals())  # noqa: E731  # one line
        late = asyncio.run(_listened(desk, folder.socket, seconds))
    (place / "late.json").write_text(json.dumps(late))


async def _listened(
    desk: Callable[[], Awaitable[int]], socket: Path, seconds: float
) -> list[float]:
    trading = asyncio.ensure_future(desk())
    waiting = asyncio.ensure_future(asyncio.to_thread(wait_until_ready, socket))
    await asyncio.wait({trading, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await waiting
    late: list[float] = []
    began = due = perf_counter()
    while due < began + seconds:
        due += TICK
        await asyncio.sleep(max(0.0, due - perf_counter()))
        now = perf_counter()
        late.append(now - due)
        while due + TICK <= now:
            due += TICK
            late.append(now - due)
    await trading
    return late


if __name__ == "__main__":
    desk_with_metronome(Path(sys.argv[1]), speed=int(sys.argv[2]), seconds=float(sys.argv[3]))
