"""A request as a path's function sees it: parameters with types, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

from tests.servers.exchange.engine import Engine
from tests.servers.exchange.figures import DAY, INTERVALS, Candle, candles
from tests.servers.exchange.values import ZERO, Order, Trade, Wish
from tests.servers.exchange.wires.base import Ask as BaseAsk
from tests.servers.exchange.wires.base import Route as BaseRoute
from tests.servers.exchange.wires.binance import refusals
from tests.servers.exchange.wires.binance.rendering import Json, book_levels

E = TypeVar("E", bound=Engine)
T = TypeVar("T")

SIDES = {"BUY", "SELL"}
MOST = 1_000
"""Entries of one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(BaseAsk, Generic[E]):
    """`klines` are what tests have set."""

    engine: E
    may_trade: bool
    klines: Mapping[tuple[str, str], list[Candle]]

    @property
    def symbol(self) -> str:
        symbol = self.required("symbol")
        if symbol not in self.engine.listed:
            raise refusals.unknown_symbol()
        return symbol

    @property
    def optional_symbol(self) -> str | None:
        return self.symbol if self.text("symbol") else None

    def order(self) -> Order:
        """The order that `orderId` or `origClientOrderId` names; -2013 unless it is found."""
        order_id, client_id = self.integer("orderId"), self.text("origClientOrderId")
        if not order_id and not client_id:
            raise refusals.missing("orderId")
        order = self.engine.find(self.symbol, order_id=order_id, client_id=client_id)
        if order is None or self.hidden(order.client_id):
            raise refusals.no_such_order()
        return order

    def visible(self, orders: Iterable[Order]) -> list[Order]:
        return [order for order in orders if not self.hidden(order.client_id)]

    def in_a_day(self) -> Self:
        """Of spot: between two moments no more than 24 hours may lie.  Refused: -1127."""
        start, end = self.integer("startTime"), self.integer("endTime")
        if start and end and end - start > DAY:
            raise refusals.more_than_a_day()
        return self

    def in_a_week(self) -> Self:
        """Of perpetuals: seven days at most; without an end a week from the start, without either
        the last week.  Refused: -4165, and -1128 for an id beside times."""
        start, end, now = self.integer("startTime"), self.integer("endTime"), self.engine.now
        first = self.integer("fromId")
        if first and (start or end):
            raise refusals.bad_combination()
        if start and end and end - start > 7 * DAY:
            raise refusals.interval_too_long()
        if first or self.integer("orderId"):
            return self
        start = start or max(0, (end or now) - 7 * DAY)
        span = {"startTime": str(start), "endTime": str(end or start + 7 * DAY)}
        return replace(self, params={**self.params, **span})

    def all_orders(self) -> list[Order]:
        """Of a symbol, oldest first, as `allOrders` selects them."""
        symbol, first = self.symbol, self.integer("orderId")
        orders = [o for o in self.engine.orders.values() if o.symbol == symbol and o.id >= first]
        return self.page(self.visible(orders), time=lambda order: order.created)

    def my_trades(self) -> list[Trade]:
        symbol, order_id, first = self.symbol, self.integer("orderId"), self.integer("fromId")
        trades = [
            trade
            for trade in self.engine.trades
            if trade.symbol == symbol
            and order_id in {0, trade.order_id}
            and trade.id >= first
            and not self.hidden(self.engine.orders[trade.order_id].client_id)
        ]
        return self.page(trades, time=lambda trade: trade.time, from_start=bool(first))

    def page(
        self, found: list[T], *, time: Callable[[T], int], from_start: bool = False
    ) -> list[T]:
        """Between `startTime` and `endTime`, at most `limit`: the first of them, else the last."""
        start, end = self.integer("startTime"), self.integer("endTime")
        limit = min(self.integer("limit", 500), MOST)
        kept = [item for item in found if time(item) >= start and (not end or time(item) <= end)]
        return kept[:limit] if start or from_start else kept[-limit:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(BaseRoute):
    """`every` is the weight without a symbol, when that is another one; `orders` how many it may
    place."""

    every: int = 0
    orders: int = 0

    def weighs(self, params: Mapping[str, Any]) -> int:
        return self.every if self.every and "symbol" not in params else self.weight


Paths = dict[tuple[str, str], BaseRoute]


# --- what both markets answer alike --------------------------------------------------------------


def ping(ask: Ask[Any]) -> Json:
    return {}


def time(ask: Ask[Any]) -> Json:
    return {"serverTime": ask.engine.now}


def klines(ask: Ask[Any]) -> Json:
    """What the test has set; else the bars of the tape."""
    symbol, interval = ask.symbol, ask.required("interval")
    if interval not in INTERVALS:
        raise refusals.missing("interval")
    bars = ask.klines.get((symbol, interval))
    if bars is None:
        bars = candles(ask.engine.tape[symbol], INTERVALS[interval])
    return ask.page(bars, time=lambda bar: int(bar[0]))


def per_symbol(ask: Ask[E], show: Callable[[E, str], Json]) -> Json:
    """One symbol's, or a list of all."""
    if ask.text("symbol"):
        return show(ask.engine, ask.symbol)
    return [show(ask.engine, symbol) for symbol in ask.engine.listed]


def depth(ask: Ask[Any]) -> Json:
    book, limit = ask.engine.books[ask.symbol], ask.integer("limit", 100)
    return {
        "lastUpdateId": book.update_id,
        "bids": book_levels(book.depth("BUY", limit)),
        "asks": book_levels(book.depth("SELL", limit)),
    }


def price(engine: Engine, symbol: str) -> Json:
    return {"symbol": symbol, "price": f"{engine.price(symbol) or ZERO:f}"}


def api_restrictions(ask: Ask[Any]) -> Json:
    """What the key may do."""
    assert ask.key is not None
    return {
        "ipRestrict": False,
        "createTime": 1_698_645_219_000,
        "enableInternalTransfer": False,
        "enableFutures": ask.key.futures,
        "enablePortfolioMarginTrading": False,
        "enableVanillaOptions": False,
        "permitsUniversalTransfer": False,
        "enableReading": True,
        "enableSpotAndMarginTrading": ask.key.spot,
        "enableWithdrawals": ask.key.withdrawals,
        "enableMargin": False,
    }


def system_status(ask: Ask[Any]) -> Json:
    return {"status": 0, "msg": "normal"}


def wish_of(ask: Ask[Any], *, client_id: str) -> Wish:
    """What `POST order` says, as far as both markets say it alike."""
    side, kind = ask.required("side"), ask.required("type")
    if side not in SIDES:
        raise refusals.bad_side()
    if kind in {"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"}:
        ask.required("timeInForce")
        ask.required("price")
    return Wish(
        symbol=ask.symbol,
        side=side,
        type=kind,
        quantity=ask.decimal("quantity"),
        price=ask.decimal("price"),
        stop_price=ask.decimal("stopPrice"),
        time_in_force=ask.text("timeInForce", "GTC"),
        client_id=client_id,
    )
