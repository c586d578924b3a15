"""Who shares a commit with whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from storage.groups import Groups
from trading.errors import StoreError
from trading.ports import WritePriority


class SlowDisk:
    """Takes groups one at a time, each when told to; remembers them."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.refused: set[str] = set()
        self._turns = asyncio.Semaphore(0)

    async def write(self, group: Sequence[str]) -> list[StoreError | None]:
        self.groups.append(list(group))
        await self._turns.acquire()
        return [StoreError(item) if item in self.refused else None for item in group]

    def go_on(self, times: int = 1) -> None:
        for _ in range(times):
            self._turns.release()


async def test_what_comes_while_the_disk_is_busy_shares_the_next_commit() -> None:
    disk = SlowDisk()
    groups = Groups(disk.write, most=99)
    first = groups.put("first", WritePriority.REST)
    await asyncio.sleep(0)
    others = [groups.put(name, WritePriority.REST) for name in ("second", "third")]
    disk.go_on(2)
    await asyncio.gather(first, *others)

    assert disk.groups == [["first"], ["second", "third"]]


async def test_a_halt_goes_next_and_alone_then_the_lanes_in_order() -> None:
    disk = SlowDisk()
    groups = Groups(disk.write, most=99)
    waiting = [groups.put("busy with this", WritePriority.REST)]
    await asyncio.sleep(0)
    waiting += [groups.put(priority.name, priority) for priority in reversed(WritePriority)]
    disk.go_on(3)
    await asyncio.gather(*waiting)

    assert disk.groups == [["busy with this"], ["HALT"], ["REDUCTION", "FILL", "ENTRY", "REST"]]


async def test_a_group_is_bounded_so_that_the_next_halt_waits_shortly() -> None:
    disk = SlowDisk()
    groups = Groups(disk.write, most=2)
    waiting = [groups.put(str(n), WritePriority.REST) for n in range(5)]
    disk.go_on(3)
    await asyncio.gather(*waiting)

    assert disk.groups == [["0", "1"], ["2", "3"], ["4"]]


async def test_each_hears_of_its_own_fate() -> None:
    disk = SlowDisk()
    disk.refused = {"bad"}
    groups = Groups(disk.write, most=9)
    good, bad = groups.put("good", WritePriority.REST), groups.put("bad", WritePriority.REST)
    disk.go_on()

    await good
    with pytest.raises(StoreError, match="bad"):
        await bad


async def test_a_broken_writer_is_heard_of_and_the_next_group_is_tried() -> None:
    calls: list[Sequence[str]] = []

    async def write(group: Sequence[str]) -> list[StoreError | None]:
        calls.append(group)
        if len(calls) == 1:
            raise MemoryError("no room")
        return [None] * len(group)

    groups = Groups(write, most=9)
    with pytest.raises(StoreError, match="no room"):
        await groups.put("one", WritePriority.REST)
    await groups.put("two", WritePriority.REST)


async def test_draining_waits_for_all_and_for_nothing_when_there_is_nothing() -> None:
    disk = SlowDisk()
    groups = Groups(disk.write, most=1)
    await groups.drain()
    waiting = [groups.put(str(n), WritePriority.REST) for n in range(3)]
    disk.go_on(3)
    await groups.drain()

    assert all(done.done() for done in waiting)
