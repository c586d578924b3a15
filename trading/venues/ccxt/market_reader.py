"""Markets read beside the event loop: thousands of them take ccxt a second to count, a stop waits.

A thread has an exchange object, a loop and a session of its own for it; what it asks is asked
within the budget of the loop that it is read for, and what it hears is told there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.transport import closed, new_session

Make = Callable[[aiohttp.ClientSession, "AnswerHooks"], Any]
"""A new exchange object of ccxt's on that session, which tells what it hears and waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHooks:
    """What an exchange object needs of whoever made it."""

    exchange: Exchange
    heard: Callable[[int, Mapping[str, str], str], None]
    """An answer came: its status, headers and body."""
    hear: Callable[[Any, Any, Callable[[Any, Any], None]], None]
    """A stream said something; the last has ccxt take it."""
    take: Callable[[float], Awaitable[None]]
    """Waits for room for a request of that weight."""

    def elsewhere(self, loop: asyncio.AbstractEventLoop) -> AnswerHooks:
        """For another thread; all is done in *loop*."""

        def heard(status: int, headers: Mapping[str, str], body: str) -> None:
            loop.call_soon_threadsafe(self.heard, status, headers, body)

        async def take(weight: float) -> None:
            async def taking() -> None:
                await self.take(weight)

            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(taking(), loop))

        return AnswerHooks(exchange=self.exchange, heard=heard, hear=self.hear, take=take)


async def read_markets(into: Any, make: Make, hooks: AnswerHooks) -> None:
    """Read the markets anew, and give them to ccxt's exchange *into*.  Raises what ccxt raises."""
    loop = asyncio.get_running_loop()
    there = hooks.elsewhere(loop)
    source, changed = await asyncio.to_thread(lambda: asyncio.run(_read(make, there)))
    into.set_markets_from_exchange(source)
    into.options.update(changed)


async def _read(make: Make, hooks: AnswerHooks) -> tuple[Any, dict[str, Any]]:
    """The exchange object that knows the markets, and the options that it has set meanwhile."""
    session = new_session()
    source = make(session, hooks)
    before = dict(source.options)
    try:
        await source.load_markets(True)
    finally:
        await source.close()
        await closed(session)
    return source, {
        name: value
        for name, value in source.options.items()
        if name not in before or before[name] is not value
    }
