"""Where an exchange tells orders and fills again.  Each list is told to its end, or raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trading.errors import VenueUnavailable
from trading.types import Order, Symbol
from trading.venues.ccxt.answers import NotFound
from trading.venues.ccxt.asking import Api
from trading.venues.ccxt.paging import in_windows
from trading.venues.ccxt.placing import Placing
from trading.venues.ccxt.values import millis_of


class Searching(Placing):
    """Part of `Exchange`."""

    async def by_our_id(self, api: Api, order: Order) -> Any:
        """None: there is none such, or it cannot be asked for by our id."""
        params = {"clientOrderId": self.encode(order.id), **self.where(order)}
        return await self._one(api, order.venue_id or self.encode(order.id), order, params)

    async def by_venue_id(
        self, api: Api, venue_id: str, order: Order, *, child: bool = False
    ) -> Any:
        """None: there is none such.  *child*: it is, or may be, what *order* has become."""
        return await self._one(api, venue_id, order, {} if child else self.where(order))

    async def _one(self, api: Api, venue_id: str, order: Order, params: Mapping[str, Any]) -> Any:
        market = self.row.market_of(order.symbol)
        try:
            return await api.ask(api.ccxt.fetch_order, venue_id, market, dict(params))
        except NotFound:
            return None

    async def open_orders(self, api: Api, symbol: Symbol | None) -> list[Any]:
        """All that rest, on every list; of all symbols without *symbol*."""
        market, most = None if symbol is None else self.row.market_of(symbol), self.row.open_page
        apart = self.row.trigger_lists if self.row.triggers_apart else ()
        found: list[Any] = []
        for params in ({}, *apart):
            told = await api.ask(api.ccxt.fetch_open_orders, market, None, most, dict(params))
            if most is not None and len(told) >= most:
                raise VenueUnavailable(f"more may rest than the {most} orders told at once")
            found += told
        return found

    async def orders_since(
        self, api: Api, symbol: Symbol, since: int, *, triggers_only: bool = False
    ) -> list[Any]:
        """All that were created from *since* on (milliseconds), open and ended, oldest first."""
        apart = [dict(params) for params in self.row.trigger_lists if self.row.triggers_apart]
        found: list[Any] = []
        for params in apart if triggers_only else [{}, *apart]:
            for fetch in self.order_lists(api):
                found += await self.listed(api, fetch, symbol, since, params)
        return found

    def order_lists(self, api: Api) -> Iterable[Any]:
        """ccxt's methods that together list orders of every state."""
        exchange = api.ccxt
        if exchange.has.get("fetchOrders") is True:
            return [exchange.fetch_orders]
        parts = {
            "fetchOpenOrders": exchange.fetch_open_orders,
            "fetchClosedOrders": exchange.fetch_closed_orders,
            "fetchCanceledOrders": exchange.fetch_canceled_orders,
        }
        return [fetch for name, fetch in parts.items() if exchange.has.get(name) is True]

    async def trades_since(self, api: Api, symbol: Symbol, since: int) -> list[Any]:
        """All fills of the account in *symbol* from *since* on (milliseconds), oldest first."""
        return await self.listed(api, api.ccxt.fetch_my_trades, symbol, since, {})

    async def listed(
        self, api: Api, fetch: Any, symbol: Symbol, since: int, params: Mapping[str, Any]
    ) -> list[Any]:
        row, market = self.row, self.row.market_of(symbol)

        async def page(begin: int, end: int) -> list[Any]:
            more = {"until": end, **params}
            return list(await api.ask(fetch, market, begin, row.page, more))

        back = api.now() - millis_of(row.history_back)
        return await in_windows(
            page, since=max(since, back), now=api.now(), window=row.history_window,
            page=row.page, cut=row.cut,
        )  # fmt: skip

    async def fills(self, api: Api, raw: Any, order: Order) -> list[Any]:
        """Those of *raw*, which *order* is or has become, maybe among others: whoever asks filters
        them, and looks at all fills of the time where some are missing."""
        if not self.row.fills_by:
            return []
        market, asked = self.row.market_of(order.symbol), {self.row.fills_by: str(raw["id"])}
        return list(await api.ask(api.ccxt.fetch_my_trades, market, None, self.row.page, asked))
