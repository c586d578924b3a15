"""What an account did: its orders, ended ones too, and its trades, window by window.

Binance lists at most a day of spot orders and trades, or a week of a perpetual's, at a time, and a
thousand of them; conditional orders of perpetuals have a list of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from trading.venues.ccxt.quirks import Quirks

PAGE = 1_000
"""Entries that one request brings."""
MOST_BACK = timedelta(days=90)
"""Older ones the venue does not list."""
_MS = timedelta(milliseconds=1)

Fetch = Callable[..., Awaitable[Any]]


class AccountHistory:
    """Of one account; nothing is kept."""

    def __init__(self, *, ask: Fetch, quirks: Quirks, now: Callable[[], int]) -> None:
        """*ask* sends a request with its arguments; *now*: milliseconds since 1970."""
        self._ask = ask
        self._quirks = quirks
        self._now = now

    async def orders(self, exchange: Any, market: str, since: int) -> list[Any]:
        """ccxt's, regular and conditional, created from *since* on (milliseconds), oldest first."""
        found = await self._all(exchange.fetch_orders, market, since)
        if self._quirks.conditional_apart:
            found += await self._all(exchange.fetch_orders, market, since, trigger=True)
        return found

    async def conditional(self, exchange: Any, market: str, since: int) -> list[Any]:
        return await self._all(exchange.fetch_orders, market, since, trigger=True)

    async def trades(self, exchange: Any, market: str, since: int) -> list[Any]:
        return await self._all(exchange.fetch_my_trades, market, since)

    async def _all(self, fetch: Fetch, market: str, since: int, **more: Any) -> list[Any]:
        """Once each, whatever pages and windows they stand on."""
        found: dict[str, Any] = {}
        width = self._quirks.history_window // _MS
        begin = max(since, self._now() - MOST_BACK // _MS)
        while begin <= self._now():
            end = begin + width - 1
            page = await self._ask(fetch, market, begin, PAGE, {"until": end, **more})
            found.update({str(each["id"]): each for each in page})
            last = max((int(each["timestamp"]) for each in page), default=end)
            is_cut = len(page) >= PAGE and last > begin
            begin = last if is_cut else end + 1
        return list(found.values())
