"""In-process publish/subscribe.  A slow or broken listener never slows trading."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from trading.common.tasks import together
from trading.events import Event

log = logging.getLogger(__name__)

Listener = Callable[[Event], Awaitable[None]]


class Bus:
    def __init__(self) -> None:
        self._queues: list[tuple[Listener, asyncio.Queue[Event]]] = []

    def subscribe(self, listener: Listener) -> None:
        self._queues.append((listener, asyncio.Queue()))

    def publish(self, event: Event) -> None:
        for _, queue in self._queues:
            queue.put_nowait(event)

    async def run(self) -> None:
        await together(*(partial(self._pump, *of) for of in self._queues))

    async def _pump(self, listener: Listener, queue: asyncio.Queue[Event]) -> None:
        while True:
            event = await queue.get()
            try:
                await listener(event)
            except Exception:
                log.exception("a listener failed on %s", type(event).__name__)
            finally:
                queue.task_done()
