"""Waiting for what goes on in threads, sockets and other processes, which answer in their own time.

Where nothing but tasks is waited for, `tests.world.settled` does without a clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which what did not come is given up.

It measures nothing: all takes ten times as long on a machine that is busy with something else, and
only a test that fails waits so long.
"""


async def until(
    look: Callable[[], T | None],
    what: str | Callable[[], str] = "it",
    *,
    meanwhile: Callable[[], None] = lambda: None,
    pause: float = 0.002,
) -> T:
    """What *look* returns, once that is true; *meanwhile* something happens at each look."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        meanwhile()
        await asyncio.sleep(pause)
    return found
