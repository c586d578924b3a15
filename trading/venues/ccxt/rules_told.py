"""The rules of a market, asked for again before something depends on them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.clocks import Clock
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.weights import Urgency


@dataclass(frozen=True, slots=True)
class _Answer:
    began: float
    """When it was asked for (monotonic)."""
    rows: Mapping[str, Any]
    """As the exchange tells each market, by its id."""


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
        quirks, exchange = self._connection.quirks, self._connection.exchange
        about = str(market["id"]) if quirks.rules_of_one else ""
        asked = self._clock.monotonic()
        async with self._asking:
            answer = self._answers.get(about)
            if answer is None or answer.began < asked:
                began = self._clock.monotonic()
                tell, params = getattr(exchange, quirks.rules), {"symbol": about} if about else {}
                info = await self._connection.ask(
                    "markets", tell, params, urgency=Urgency.REDUCTION
                )
                rows = {str(row["symbol"]): row for row in info["symbols"]}
                answer = self._answers[about] = _Answer(began, rows)
        row = answer.rows.get(str(market["id"]))
        if row is None:  # it is listed no more: all of them have to be read
            self._connection.markets.doubt()
            market["active"] = False
            return
        told = exchange.parse_market(row)
        market.update({key: value for key, value in told.items() if value is not None})
