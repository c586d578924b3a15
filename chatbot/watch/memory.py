"""What was needed for a moment goes back to the machine: a universe that is read, an analysis.

glibc keeps freed memory between pieces that are in use, for as long as the process lives: with
hundreds of symbols a quarter of the process.
"""

from __future__ import annotations

import asyncio
import ctypes

from trading.clocks import Clock

EVERY = 60.0
"""Seconds."""


class MemoryWatch:
    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def run(self) -> None:
        """Give back now and then, until cancelled."""
        while True:
            await self._clock.sleep(EVERY)
            await asyncio.to_thread(give_back)


def give_back() -> bool:
    """Milliseconds, for a thread.  False: the machine's library does not know how."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim(0)
    return True
