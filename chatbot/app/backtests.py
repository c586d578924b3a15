"""Backtests that somebody asked for in a chat: each in a process of its own, one at a time.

It gets no secret, and takes no more memory than an answer may have; how far it is comes back while
it works.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.context import RunningBacktest
from trading.errors import Refused
from trading.strategies import strategy
from trading.trader import Trader
from trading.types import Costs, Mode

if TYPE_CHECKING:
    from trading.backtest.asked import Backtest
    from trading.backtest.result import Summary

COMMAND = (sys.executable, "-P", "-m", "trading.backtest")
LARGEST = 8_000_000
"""Bytes of an answer: beyond any, so that a broken length takes no memory."""
_ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class ProcessBacktests:
    def __init__(self) -> None:
        self._running: RunningBacktest | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> RunningBacktest | None:
        return self._running

    def start(self, trader: Trader, days: int) -> RunningBacktest:
        test = _of_trader(trader, days)
        self._running = RunningBacktest(trader=trader.name)
        self._task = asyncio.create_task(self._work(self._running, test), name="backtest")
        return self._running

    async def end(self) -> RunningBacktest | None:
        running = self._running
        if running is None or self._task is None:
            return None
        self._task.cancel()
        await asyncio.wait({self._task})
        return running

    async def _work(self, running: RunningBacktest, test: Backtest) -> None:
        try:
            request = await asyncio.to_thread(pickle.dumps, test)
            running.outcome = await _in_a_process(running, request)
        except (OSError, EOFError, pickle.UnpicklingError):
            running.outcome = "It took more time or memory than it may, or its process was ended"
        finally:
            self._running = None
            running.ended.set()


def _of_trader(trader: Trader, days: int) -> Backtest:
    """Its settings over the candles that its feed has.  Raises `Refused` if there are too few."""
    from trading.backtest.asked import Backtest

    settings, feed = trader.settings, trader.feed
    made = strategy(trader.strategy.name, settings.parameters)
    wanted = timedelta(days=days) // settings.timeframe
    candles = feed.candles(feed.now(), wanted + made.warmup + 1)
    if candles.bars <= made.warmup + 1:
        raise Refused(
            f"The feed has {candles.bars} candles, and {made.name} needs {made.warmup + 2}"
        )
    return Backtest(
        trader=replace(settings, mode=Mode.PAPER, symbols=candles.symbols, drawdown_alert=None),
        strategy=made,
        candles=candles,
        rules={symbol: trader.steps(symbol) for symbol in candles.symbols},
        costs=trader.venue.costs or Costs(),
    )


async def _in_a_process(running: RunningBacktest, request: bytes) -> Summary | str:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,  # Ctrl-C is for the desk
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(request)
        await process.stdin.drain()
        process.stdin.close()
        while True:
            said = await _frame(process.stdout)
            if not isinstance(said, float):
                return said
            running.share = said
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _frame(stream: asyncio.StreamReader) -> float | str | Summary:
    size = int.from_bytes(await stream.readexactly(4), "big")
    if not 0 < size <= LARGEST:
        raise EOFError
    said: float | str | Summary = pickle.loads(await stream.readexactly(size))  # noqa: S301  # our own process
    return said


def _environment() -> Mapping[str, str]:
    """What it needs and no more: tokens and passwords stay here."""
    ours = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**ours, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path}
