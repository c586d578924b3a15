"""From the wire to us, in one place: our ids in place of theirs, coins in place of contracts.

Whatever tells orders, fills or books passes here first; nobody behind it knows that an exchange
counts otherwise, or writes our ids in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from trading.errors import VenueUnavailable
from trading.types import ONE
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.values import number

_AMOUNTS = ("amount", "filled", "remaining")


class Incoming:
    def __init__(self, *, exchange: Exchange, market: Callable[[str], Any]) -> None:
        """*market*: ccxt's description by its name; None: it is not listed."""
        self._exchange = exchange
        self._market = market
        self._sizes: dict[str, Decimal] = {}
        """As they were last told: what is listed no more may still have orders."""

    def order(self, raw: Any) -> Any:
        """Of ccxt.  Its fills, where it names them, without those of other orders."""
        told = self._counted(raw)
        told["id"] = self._exchange.venue_id(raw)
        told["clientOrderId"] = self._exchange.decode(self._exchange.our_id(raw))
        mine = {None, "", told["id"]}
        fills = [fill for fill in raw.get("trades") or () if fill.get("order") in mine]
        told["trades"] = [self._counted(fill, of=raw) for fill in fills]
        return told

    def fill(self, raw: Any) -> Any:
        return self._counted(raw)

    def position(self, raw: Any) -> Any:
        """With what is held in `coins`, unsigned."""
        counts = self._exchange.row.contracts
        size = (
            self.size_of(str(raw["symbol"])) if counts else number(raw.get("contractSize")) or ONE
        )
        return {**raw, "coins": abs(number(raw["contracts"]) * size)}

    def book(self, raw: Any, market: str) -> Any:
        size = self.size_of(market)
        if size == ONE:
            return raw
        sides = ("bids", "asks")
        told = {side: [(price, number(q) * size) for price, q, *_ in raw[side]] for side in sides}
        return {**raw, **told}

    def size_of(self, market: str) -> Decimal:
        """Coins in one of the wire's units.  Raises `VenueUnavailable` where nobody told."""
        if not self._exchange.row.contracts:
            return ONE
        known = self._market(market)
        if known is not None and number(known.get("contractSize")):
            self._sizes[market] = number(known["contractSize"])
        if market not in self._sizes:
            raise VenueUnavailable(f"how much one contract of {market} is has not been told")
        return self._sizes[market]

    def _counted(self, raw: Any, of: Any = None) -> dict[str, Any]:
        """An answer that names ids alone has nothing to be counted."""
        named = [name for name in _AMOUNTS if raw.get(name) is not None]
        if not named or not self._exchange.row.contracts:
            return dict(raw)
        size = self.size_of(str(raw.get("symbol") or (of or raw).get("symbol")))
        return {**raw, **{name: number(raw[name]) * size for name in named}}
