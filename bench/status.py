"""`/status` while 100 positions are open, each with its stop."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from time import perf_counter

from bench.desk import BenchDesk, a_desk
from bench.figures import Figure, median, percentile
from chatbot.folder.calling import ask
from chatbot.frontends.control import ControlSocket
from chatbot.render.plain import plain

OPEN = 100
ASKED, WARM_UP = 200, 20
GOAL = 20


def measure() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        async with a_desk(Path(folder), symbols=OPEN) as desk:
            await desk.minute()
            if len(desk.trader.ledger.positions) != OPEN:
                raise RuntimeError("the positions were not opened")
            direct = [await _dispatched(desk) for _ in range(WARM_UP + ASKED)][WARM_UP:]
            socket = (await _over_the_socket(desk, Path(folder) / "control.sock"))[WARM_UP:]
    return [
        Figure(
            name=f"/status, {OPEN} positions, {how}, {what}",
            value=value * 1000,
            unit="ms",
            goal=GOAL,
            headline=what == "p99" and how == "dispatcher",
        )
        for how, times in (("dispatcher", direct), ("over the socket", socket))
        for what, value in (("median", median(times)), ("p99", percentile(times, 0.99)))
    ]


async def _dispatched(desk: BenchDesk) -> float:
    began = perf_counter()
    await desk.say("/status")
    return perf_counter() - began


async def _over_the_socket(desk: BenchDesk, path: Path) -> list[float]:
    """A connection for each, as `quarterdeck say` makes it, and the terminal's text asked for."""
    control = ControlSocket(path, lambda reply: plain(reply, now=desk.clock.now()), desk.clock)
    serving = asyncio.ensure_future(control.run(desk.dispatcher.handle))
    try:
        while not path.exists():
            await asyncio.sleep(0.001)
        return await asyncio.to_thread(lambda: [_asked(path) for _ in range(WARM_UP + ASKED)])
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _asked(path: Path) -> float:
    began = perf_counter()
    answer = ask(path, "/status", timeout=5)
    seconds = perf_counter() - began
    if answer["outcome"] != "done":
        raise RuntimeError(f"/status: {answer}")
    return seconds
