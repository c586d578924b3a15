"""Group commit: callers wait together for one trip to the disk.

While one group is being written the next gathers by itself, so a lone caller never waits for
company and a crowd shares its commits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from trading.errors import StoreError
from trading.ports import WritePriority

Item = TypeVar("Item")


class Groups(Generic[Item]):
    """Hands what was `put` to *write*, most urgent first, one group at a time.

    *write* tells for each item whether it is durable; *most* bounds a group, and so how long
    whatever comes next has to wait.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[StoreError | None]]],
        *,
        most: int,
    ) -> None:
        self._write = write
        self._most = most
        self._queues: dict[WritePriority, deque[tuple[Item, asyncio.Future[None]]]] = {
            priority: deque() for priority in WritePriority
        }
        self._running: asyncio.Task[None] | None = None

    def put(self, item: Item, priority: WritePriority) -> asyncio.Future[None]:
        """Return the future of *item*.  Whoever stops waiting for it does not stop the write."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues[priority].append((item, done))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return done

    async def drain(self) -> None:
        """Wait until all that was put is written or refused."""
        while self._running is not None:
            await asyncio.shield(self._running)

    async def _run(self) -> None:
        try:
            while group := self._take():
                await self._write_group(group)
        finally:
            self._running = None

    def _take(self) -> list[tuple[Item, asyncio.Future[None]]]:
        group: list[tuple[Item, asyncio.Future[None]]] = []
        for priority, waiting in self._queues.items():
            while waiting and len(group) < self._most:
                group.append(waiting.popleft())
            if group and priority is WritePriority.HALT:
                break  # a halt shares its commit with nobody
        return group

    async def _write_group(self, group: list[tuple[Item, asyncio.Future[None]]]) -> None:
        try:
            errors = await self._write([item for item, _ in group])
        except Exception as error:  # noqa: BLE001  # whatever it is, the waiters must hear of it
            failed = StoreError(f"history could not be written: {error!r}")
            failed.__cause__ = error
            errors = [failed] * len(group)
        for (_, done), refused in zip(group, errors, strict=True):
            if done.done():
                continue  # whoever waited was cancelled
            if refused is None:
                done.set_result(None)
            else:
                done.set_exception(refused)
