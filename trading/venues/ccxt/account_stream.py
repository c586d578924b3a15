"""The account's stream, kept open for ever: what the venue says unasked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from trading.clocks import Clock
from trading.common.tasks import together
from trading.venues.ccxt.answers import said
from trading.venues.ccxt.connection import Connection, forget_login

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between two tries."""
LOOK_EVERY = 0.02
"""Seconds between two looks whether the stream has begun."""
ORDERS, TRADES = "orders", "myTrades"
"""What ccxt calls them among the things that it waits for."""

Hear = Callable[[Any], None]


class AccountStream:
    """Orders and trades, as ccxt words them, in the order in which it tells them."""

    def __init__(
        self, *, name: str, connection: Connection, clock: Clock, on_order: Hear, on_trade: Hear
    ) -> None:
        self.interruptions = 0
        """Counted when the stream breaks off, and when it is back: what happened between is
        not told."""
        self._name = name
        self._connection = connection
        self._clock = clock
        self._on_order = on_order
        self._on_trade = on_trade
        self._began = asyncio.Event()
        self._broke = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, within: float) -> None:
        """Return when the stream has begun, or after *within* seconds without."""
        if self._task is not None:
            return
        self._task = asyncio.create_task(self._keep(), name=f"{self._name}: news")
        try:
            async with asyncio.timeout(within):
                await self._began.wait()
        except TimeoutError:
            self._broke = True  # when it begins, what happened since is to be compared
            log.warning("the stream of %s has not begun yet; it is tried on", self._name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                await self._listen()
            except* Exception as broken:  # noqa: BLE001  # whatever ccxt's streams raise
                first = broken.exceptions[0]
                words = said(first, self._connection.quirks) if isinstance(first, Exception) else ""
                log.warning("the stream of %s broke off: %s", self._name, words)
            if self._began.is_set():
                delay = FIRST_DELAY
                self._began.clear()
                self._broke = True
                self.interruptions += 1
            forget_login(self._connection.exchange)
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _listen(self) -> None:
        """Never returns; raises a group when the stream breaks."""
        exchange = self._connection.exchange
        await together(
            partial(self._hear, exchange.watch_orders, self._on_order),
            partial(self._hear, exchange.watch_my_trades, self._on_trade),
            self._notice,
        )

    async def _hear(self, watch: Callable[[], Awaitable[Iterable[Any]]], hear: Hear) -> None:
        while True:
            for raw in await watch():
                hear(raw)

    async def _notice(self) -> None:
        """Wait until both are waited for on a connection that stands."""
        while not all(map(self._is_awaited, (ORDERS, TRADES))):
            await self._clock.sleep(LOOK_EVERY)
        self._began.set()
        if self._broke:
            self.interruptions += 1

    def _is_awaited(self, what: str) -> bool:
        clients = self._connection.exchange.clients.values()
        return any(what in c.futures and c.connected.done() for c in clients)
