"""What is there to stay is not searched again; what was needed for a moment goes back.

Python looks through all that lives for garbage now and then, and everything waits meanwhile, a
stop too: with an exchange's markets in memory for 0.13 s.  What a start has made is left out of it.

glibc keeps freed memory between pieces that are in use, for as long as the process lives: with
hundreds of symbols a quarter of the process.  It also has each thread keep memory of its own, so
that threads need not wait for each other; Python's wait anyway.  And once a large array was freed,
the next that are as large lie among the small, and leave holes there.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc

from trading.clocks import Clock

EVERY = 60.0
"""Seconds."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Source: glibc's malloc.h."""
LARGE = 1 << 20
"""Bytes: an array as large is memory of its own, and goes back to the machine when it is freed."""
SPARE = 32 << 20
"""Bytes that may stay free above all others until the next time that memory is given back: what a
scan computes with next would be asked for again at once, a page at a time."""
RARELY = (20_000, 20, 20)
"""New objects until the newest are looked through, and so on: few things here form a ring."""


class MemoryWatch:
    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def run(self) -> None:
        """Give back now and then, until cancelled."""
        while True:
            await self._clock.beat(EVERY)
            await asyncio.to_thread(give_back)


def loaded() -> None:
    """The process has loaded what it answers with: from now on there is garbage to look for.

    What was loaded is never looked through, not even once: that would be a tenth of a second.  What
    was needed to load it goes back.
    """
    give_back()
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()


def settle() -> None:
    """All that lives now lives on: look through it once more, then never again."""
    share_arena()  # for whoever trades without having begun as `run` does
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)


def share_arena() -> bool:
    """From now on new threads allocate where all others do, and large arrays by themselves.

    False: the library has no such say.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    options = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: SPARE}
    return all(set_option(option, value) for option, value in options.items())


def give_back() -> bool:
    """Milliseconds, for a thread.  False: the machine's library does not know how."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False
    trim(0)
    return True
