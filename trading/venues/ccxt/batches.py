"""Subscriptions of many markets, a batch each: few connections, whoever joins and leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from trading.types import Symbol

BATCH = 50
"""Symbols of one subscription."""
MOST_SMALL = 8
"""Subscriptions of a few symbols that joined later, before all are made anew."""

Listen = Callable[[Mapping[Symbol, str]], Coroutine[Any, Any, None]]
"""Hears the markets of a batch, until it is cancelled."""


class Batches:
    def __init__(self, listen: Listen, *, name: str) -> None:
        self._listen = listen
        self._name = name
        self._subscribed: list[tuple[Mapping[Symbol, str], asyncio.Task[None]]] = []
        """Batches of markets as they were subscribed, and who listens to each."""

    def follow(self, markets: Mapping[Symbol, str]) -> None:
        """A subscription stays as it is while one of its markets is followed: each other list of
        markets is another connection.  Those that are not heard any more end with their
        connection, within a day."""
        gone = [each for each in self._subscribed if not markets.keys() & each[0].keys()]
        for each in gone:
            self._subscribed.remove(each)
            each[1].cancel()
        if len(self._subscribed) > 2 * len(markets) / BATCH + MOST_SMALL:
            self._end()
        heard = {symbol for batch, _ in self._subscribed for symbol in batch}
        every = [(s, m) for s, m in markets.items() if s not in heard]
        for batch in (dict(every[n : n + BATCH]) for n in range(0, len(every), BATCH)):
            listening = asyncio.create_task(self._listen(batch), name=self._name)
            self._subscribed.append((batch, listening))

    async def close(self) -> None:
        ended = self._end()
        await asyncio.gather(*ended, return_exceptions=True)

    def _end(self) -> list[asyncio.Task[None]]:
        listening = [task for _, task in self._subscribed]
        self._subscribed = []
        for task in listening:
            task.cancel()
        return listening
