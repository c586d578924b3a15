"""The rules of a market, asked for again before something depends on them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.clocks import Clock
from trading.venues.ccxt.connection import Connection


@dataclass(frozen=True, slots=True)
class _Answer:
    began: float
    """When it was asked for (monotonic)."""
    markets: Mapping[str, Any]
    """As ccxt describes each, by the exchange's ids."""


class PostedRules:
    def __init__(self, *, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._answers: dict[str, _Answer] = {}
        """By the id of the market that was asked about; empty: of all together."""
        self._asking = asyncio.Lock()

    async def read(self, market: Any) -> None:
        """Bring *market* (ccxt's) up to date.  An answer that was asked for since is shared: many
        positions may be closed at once, and one answer may tell all markets.

        Raises as `Connection.ask`.
        """
        row = self._connection.row
        about = str(market["id"]) if row.rules_of_one else ""
        asked = self._clock.monotonic()
        async with self._asking:
            answer = self._answers.get(about)
            if answer is None or answer.began < asked:
                began = self._clock.monotonic()
                told = await self._connection.exchange.markets_now(self._connection, market["id"])
                answer = self._answers[about] = _Answer(began, told)
        now = answer.markets.get(str(market["id"]))
        if now is None:  # it is listed no more: all of them have to be read
            self._connection.markets.doubt()
            market["active"] = False
            return
        market.update({key: value for key, value in now.items() if value is not None})
