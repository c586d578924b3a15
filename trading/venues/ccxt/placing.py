"""From our orders to requests to an exchange, and what these must carry."""

from __future__ import annotations

from typing import Any

from trading.types import CONDITIONAL, ONE, Order, OrderRole, OrderType, Side
from trading.venues.ccxt.asking import Account, Api, VenueRequest
from trading.venues.ccxt.values import exact
from trading.venues.ccxt.wording import Wording


class Placing(Wording):
    """Part of `Exchange`.  It makes requests; the adapter sends them."""

    def placing(self, api: Api, order: Order, *, limit: str | None = None) -> VenueRequest:
        """*limit*: the price of a buy at market that has to go as a limit across the book."""
        price = exact(order.price) or limit
        params, carries = self.params(api.account, order), self.carries(api.account, order)
        if limit is not None:
            params["timeInForce"] = "IOC"
            carries |= self.row.crossing_fields
        return VenueRequest(
            call=api.ccxt.create_order,
            arguments=(
                self.row.market_of(order.symbol),
                "market" if price is None else "limit",
                order.side.value,
                self.amount(api, order),
                price,
                params,
            ),
            carries=carries,
        )

    def amount(self, api: Api, order: Order) -> str:
        """As the wire has it: in contracts where the exchange counts in these."""
        size = api.contract(self.row.market_of(order.symbol))
        return exact(order.quantity if size == ONE else (order.quantity / size).normalize()) or ""

    def params(self, account: Account, order: Order) -> dict[str, Any]:
        """Of ccxt: the id, the price that is waited for, what only reduces."""
        params = self.id_params(order)
        if order.type in CONDITIONAL:
            params |= self.trigger_params(order)
        if order.post_only:
            params["postOnly"] = True
        return params | self.side_params(account, order)

    def id_params(self, order: Order) -> dict[str, Any]:
        return {"clientOrderId": self.encode(order.id)}

    def trigger_params(self, order: Order) -> dict[str, Any]:
        price = "stopLossPrice" if order.type is OrderType.STOP else "takeProfitPrice"
        return {price: exact(order.stop_price), **self.row.trigger_params}

    def side_params(self, account: Account, order: Order) -> dict[str, Any]:
        """What makes a reduction one; in hedge mode every order names its side."""
        if account.hedged:
            return self.hedge_params(order)
        reduces = order.role is not OrderRole.ENTRY
        return {"reduceOnly": True} if self.row.reduce_only and reduces else {}

    def hedge_params(self, order: Order) -> dict[str, Any]:
        reduces = order.role is not OrderRole.ENTRY
        return {"hedged": True, **({"reduceOnly": True} if reduces else {})}

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        """What the request must say, or it would be another order."""
        row, waits = self.row, order.type in CONDITIONAL
        field = row.trigger_id_field if waits and row.trigger_id_field else row.id_field
        fields = {field: self.encode(order.id)}
        if waits:
            wanted = row.stop_fields if order.type is OrderType.STOP else row.target_fields
            rises = (order.type is OrderType.STOP) is (order.side is Side.BUY)
            known = {"trigger": exact(order.stop_price), "direction": "1" if rises else "2"}
            fields |= {name: value.format(**known) for name, value in wanted.items()}
        if order.role is not OrderRole.ENTRY and row.reduce_only and not account.hedged:
            fields |= row.reduce_fields
        return fields

    def cancelling(self, api: Api, order: Order) -> VenueRequest:
        return VenueRequest(
            call=api.ccxt.cancel_order,
            arguments=(
                order.venue_id or self.encode(order.id),
                self.row.market_of(order.symbol),
                {"clientOrderId": self.encode(order.id), **self.where(order)},
            ),
        )

    def where(self, order: Order) -> dict[str, Any]:
        """The parameters that lead to the endpoints on which *order* lives."""
        return {"trigger": True} if self.is_apart(order) else {}

    def pairing(self, api: Api, stop: Order, target: Order) -> VenueRequest:
        """Both in one list, of which only one can fill; where `targets` is PAIRED alone."""
        raise NotImplementedError

    def paired(self, api: Api, answer: Any, stop: Order, target: Order) -> tuple[Any, Any]:
        """*stop* and *target*, as ccxt tells orders, out of the answer to `pairing`."""
        raise NotImplementedError
