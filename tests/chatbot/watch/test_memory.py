"""Memory that is not needed any more does not stay with the process."""

from __future__ import annotations

import asyncio
import gc
import platform
import weakref
from pathlib import Path

import pytest

from chatbot.watch.memory import EVERY, MemoryWatch, give_back, loaded, settle
from tests.builders import NOON
from trading.clocks import ManualClock

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other libraries give back by themselves"
)
MEGABYTE = 1_000_000


def resident() -> int:
    """Bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "RSS" in line)
    return int(line.split()[1]) * 1024


@needs_glibc
def test_what_was_freed_between_pieces_in_use_goes_back() -> None:
    pieces = [bytes(20_000) for _ in range(5_000)]  # 100 MB
    kept = pieces[::50]
    full = resident()
    del pieces

    assert give_back()
    assert full - resident() > 50 * MEGABYTE
    assert len(kept) == 100


class Knot:
    """It holds itself: only a search finds that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_start_has_loaded_is_never_searched_and_what_comes_after_it_is() -> None:
    stays = Knot()
    gc.disable()
    try:
        loaded()
        assert gc.isenabled()
        assert not any(each is stays for each in gc.get_objects())
        later = weakref.ref(Knot())
        settle()
        assert later() is None
    finally:
        gc.enable()
        gc.unfreeze()


def test_what_is_there_to_stay_is_not_searched_again_and_later_garbage_is_found() -> None:
    stays, earlier = Knot(), weakref.ref(Knot())
    try:
        settle()
        assert earlier() is None, "garbage of before does not stay"
        assert gc.is_tracked(stays)
        assert not any(each is stays for each in gc.get_objects())
        later = weakref.ref(Knot())
        gc.collect()
        assert later() is None
    finally:
        gc.unfreeze()


async def test_it_is_done_every_minute_until_the_end() -> None:
    clock = ManualClock(NOON)
    task = asyncio.create_task(MemoryWatch(clock=clock).run())
    for _ in range(3):
        await asyncio.sleep(0.01)
        clock.advance(EVERY)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
