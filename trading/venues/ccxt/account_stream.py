"""The account's stream, kept open for ever: what the venue says unasked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from trading.clocks import Clock
from trading.common.tasks import together
from trading.venues.ccxt.asking import AccountWatch
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.exchange import Exchange

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between two tries."""
LOOK_EVERY = 0.02
"""Seconds between two looks whether the stream has begun."""

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
                words = self._exchange.said(first) if isinstance(first, Exception) else ""
                log.warning("the stream of %s broke off: %s", self._name, words)
            if self._began.is_set():
                delay = FIRST_DELAY
                self._began.clear()
                self._broke = True
                self.interruptions += 1
            self._exchange.forget_login(self._connection.ccxt)
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _listen(self) -> None:
        """Never returns; raises a group when the stream breaks."""
        watches = self._exchange.streams(self._connection.ccxt)
        hearing = (partial(self._hear, watch) for watch in watches)
        await together(*hearing, partial(self._notice, watches))

    async def _hear(self, watch: AccountWatch) -> None:
        incoming = self._connection.incoming
        while True:
            for raw in await watch.call():
                if watch.tells_orders:
                    self._on_order(incoming.order(raw))
                else:
                    self._on_trade(incoming.fill(raw))

    async def _notice(self, watches: Sequence[AccountWatch]) -> None:
        """Wait until all are heard."""
        while not self._all_heard(watches):
            await self._clock.sleep(LOOK_EVERY)
        self._began.set()
        if self._broke:
            self.interruptions += 1

    def _all_heard(self, watches: Sequence[AccountWatch]) -> bool:
        """Waited for on connections that stand, which were told of each that it has begun."""
        heard = 0
        for client in self._connection.ccxt.clients.values():
            here = sum(_is_awaited(watch.awaits, client) for watch in watches)
            told = self._connection.streams_begun(client)
            heard += min(here, told) if self._connection.row.acknowledges else here
        return heard >= len(watches)

    @property
    def _exchange(self) -> Exchange:
        return self._connection.exchange


def _is_awaited(what: str, client: Any) -> bool:
    return client.connected.done() and any(fnmatchcase(name, what) for name in client.futures)
