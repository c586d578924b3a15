"""How long the event loop was busy, measured where it waits."""

from __future__ import annotations

import asyncio
import time

from chatbot.watch.turns import Turns
from trading.clocks import SystemClock

BUSY = 0.05


async def busy_once() -> None:
    await asyncio.sleep(0)
    time.sleep(BUSY)  # what is measured
    await asyncio.sleep(0)


def test_a_turn_that_keeps_the_loop_busy_is_measured_once() -> None:
    turns = Turns(SystemClock())
    with asyncio.Runner(loop_factory=turns.new_loop) as runner:
        runner.run(busy_once())
        assert turns.longest() >= BUSY
        assert turns.longest() < BUSY
