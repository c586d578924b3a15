"""Memory that is not needed any more does not stay with the process."""

from __future__ import annotations

import asyncio
import gc
import platform
import subprocess
import sys
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


ARENAS = """
import ctypes, threading
from chatbot.watch.memory import share_arena
if {shared}: assert share_arena()
together, kept = threading.Barrier(4), []
def allocate():
    together.wait()
    kept.append([bytes(20_000) for _ in range(500)])
threads = [threading.Thread(target=allocate) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@needs_glibc
@pytest.mark.parametrize("shared", [True, False])
def test_threads_allocate_where_all_others_do(shared: bool) -> None:
    code = ARENAS.format(shared=shared)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert (told.stdout.count("<heap nr=") == 1) is shared


LARGE_FREED = """
import numpy as np
from chatbot.watch.memory import share_arena
if {shared}: assert share_arena()
def resident():
    with open("/proc/self/statm") as told: return int(told.read().split()[1]) * 4096
np.ones(2 << 20)  # once a large array was freed, the next do not go to the machine by themselves
large, between = np.ones(1 << 20), bytes(20_000)
full = resident()
del large
print(full - resident())
"""


@needs_glibc
@pytest.mark.parametrize("shared", [True, False])
def test_a_large_array_goes_back_as_soon_as_it_is_freed(shared: bool) -> None:
    code = LARGE_FREED.format(shared=shared)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert (int(told.stdout) > 7 * MEGABYTE) is shared


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
