"""How often: Kraken's counters rise by what is asked, and fall by themselves.

Those of an account of the middle tier: 20 and 0.5 a second for questions, 125 and 2.34 a second for
the orders and cancels of one pair.  A cancel costs the more the younger the order is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.wires.kraken.market import Market
from tests.servers.exchange.wires.kraken.rendering import number_of
from tests.servers.exchange.wires.kraken.words import said

QUESTIONS, ORDERS = (20.0, 0.5), (125.0, 2.34)
"""The most, and by how much it falls in a second."""
YOUNG = {5: 8, 10: 6, 15: 5, 45: 4, 90: 2}
"""What a cancel costs of an order that is not so many seconds old."""


class Counters:
    def __init__(self, engine: Any, market: Market) -> None:
        self._engine = engine
        self._market = market
        self._at: dict[str, tuple[int, float]] = {}

    def ask(self, key: str, weight: int) -> None:
        if self._add(key, weight, *QUESTIONS):
            raise said("EAPI:Rate limit exceeded")

    def act(self, key: str, params: Mapping[str, Any], *, places: bool) -> None:
        """What is refused costs nothing."""
        pair, cost = (params.get("pair", ""), 1) if places else self._cancels(params)
        if self._add(f"{key} {pair}", cost, *ORDERS):
            raise said("EOrder:Rate limit exceeded")

    def used(self, name: str, falls: float) -> float:
        now: int = self._engine.now
        when, level = self._at.get(name, (now, 0.0))
        return max(0.0, level - falls * (now - when) / 1000)

    def _add(self, name: str, cost: float, most: float, falls: float) -> bool:
        """Whether it would be too much."""
        level = self.used(name, falls) + cost
        if level > most:
            return True
        self._at[name] = (self._engine.now, level)
        return False

    def _cancels(self, params: Mapping[str, Any]) -> tuple[str, int]:
        shown = orders.find(
            self._engine,
            order_id=number_of(str(params.get("txid", ""))),
            client_id=str(params.get("cl_ord_id", "")),
        )
        if shown is None or not shown.is_open:
            return "", 0
        age = (self._engine.now - shown.created) / 1000
        return self._market.name(shown.symbol), next(
            (cost for limit, cost in YOUNG.items() if age < limit), 0
        )
