"""The paths of the spot exchange (api and sapi): each a function of what was asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tests.servers.exchange.figures import fixed
from tests.servers.exchange.spot import STOPS, SpotEngine
from tests.servers.exchange.values import ZERO, Movement, Order, OrderList, Wish
from tests.servers.exchange.wires.base import READ, TRADE
from tests.servers.exchange.wires.binance import asking, refusals, rendering_spot
from tests.servers.exchange.wires.binance.asking import Ask, Paths, Route, wish_of
from tests.servers.exchange.wires.binance.rendering import Json, book_ticker

Spot = Ask[SpotEngine]


def exchange_info(ask: Spot) -> Json:
    return rendering_spot.exchange_info(ask.engine, ask.optional_symbol)


def day_ticker(ask: Spot) -> Json:
    return asking.per_symbol(ask, rendering_spot.day_ticker)


def best_prices(ask: Spot) -> Json:
    return asking.per_symbol(ask, book_ticker)


def last_price(ask: Spot) -> Json:
    return asking.per_symbol(ask, asking.price)


# --- the account ---------------------------------------------------------------------------------


def account(ask: Spot) -> Json:
    return rendering_spot.account(ask.engine, can_trade=ask.may_trade)


def trade_fee(ask: Spot) -> Json:
    maker, taker = fixed(ask.engine.maker_fee), fixed(ask.engine.taker_fee)
    only = ask.optional_symbol
    return [
        {"symbol": symbol, "makerCommission": maker, "takerCommission": taker}
        for symbol in ask.engine.listed
        if only in {None, symbol}
    ]


def deposits(ask: Spot) -> Json:
    return [rendering_spot.deposited(movement) for movement in _movements(ask, "DEPOSIT")]


def withdrawals(ask: Spot) -> Json:
    return [
        rendering_spot.withdrawn(
            movement, datetime.fromtimestamp(movement.time / 1000, UTC).strftime("%F %T")
        )
        for movement in _movements(ask, "WITHDRAW")
    ]


def transfers(ask: Spot) -> Json:
    """Only those of the kind and direction that was asked for."""
    into = ask.required("type").endswith("_MAIN")
    rows = [
        {
            "asset": movement.asset,
            "amount": str(abs(movement.amount)),
            "type": ask.text("type"),
            "status": "CONFIRMED",
            "tranId": movement.id,
            "timestamp": movement.time,
        }
        for movement in _movements(ask, "TRANSFER")
        if (movement.amount > 0) == into
    ]
    return {"total": len(rows), "rows": rows}


def _movements(ask: Spot, kind: str) -> list[Movement]:
    asset = ask.text("coin")
    found = [m for m in ask.engine.movements if m.kind == kind and asset in {"", m.asset}]
    return ask.page(found, time=lambda movement: movement.time)


# --- orders --------------------------------------------------------------------------------------


def place(ask: Spot) -> Json:
    order = ask.engine.place(_wish(ask))
    usual = "FULL" if order.wish.type in {"LIMIT", "MARKET"} else "ACK"
    kind = ask.text("newOrderRespType", usual)
    if kind == "ACK":
        return rendering_spot.acknowledged(order)
    fills = [trade for trade in ask.engine.trades if trade.order_id == order.id]
    return rendering_spot.placed(order, fills if kind == "FULL" else None)


def _wish(ask: Spot) -> Wish:
    wish = wish_of(ask, client_id=ask.text("newClientOrderId"))
    wish = replace(
        wish,
        quote_quantity=ask.decimal("quoteOrderQty"),
        trailing_delta=ask.integer("trailingDelta"),
    )
    if not wish.quantity and not (wish.quote_quantity and wish.type == "MARKET"):
        raise refusals.missing("quantity")
    if wish.type in STOPS and not (wish.stop_price or wish.trailing_delta):
        raise refusals.missing("stopPrice")
    return wish


def order(ask: Spot) -> Json:
    return rendering_spot.queried(ask.order())


def cancel(ask: Spot) -> Json:
    order_id, client_id = ask.integer("orderId"), ask.text("origClientOrderId")
    cancel_id = ask.text("newClientOrderId")
    gone = ask.engine.cancel(
        ask.symbol, order_id=order_id, client_id=client_id, cancel_id=cancel_id
    )
    return rendering_spot.cancelled(gone, cancel_id)


def open_orders(ask: Spot) -> Json:
    found = ask.visible(ask.engine.open_orders(ask.optional_symbol))
    return [rendering_spot.queried(order) for order in found]


def cancel_all(ask: Spot) -> Json:
    gone = ask.engine.cancel_all(ask.symbol)
    if not gone:
        raise refusals.unknown_order()
    return [rendering_spot.cancelled(order, "") for order in gone]


def all_orders(ask: Spot) -> Json:
    return [rendering_spot.queried(order) for order in ask.in_a_day().all_orders()]


def my_trades(ask: Spot) -> Json:
    return [rendering_spot.traded(trade) for trade in ask.in_a_day().my_trades()]


# --- order lists ---------------------------------------------------------------------------------


def place_oco(ask: Spot) -> Json:
    """`orderList/oco`: two legs, described by what is above and what is below the market."""
    legs = [_leg(ask, "above"), _leg(ask, "below")]
    return _placed_list(ask, *legs)


def place_old_oco(ask: Spot) -> Json:
    """`order/oco`: a limit and a stop; which is above follows from the side."""
    limit = Wish(
        symbol=ask.symbol,
        side=ask.required("side"),
        quantity=ask.decimal("quantity"),
        type="LIMIT_MAKER",
        price=ask.decimal("price"),
        client_id=ask.text("limitClientOrderId"),
    )
    priced = ask.decimal("stopLimitPrice")
    stop = replace(
        limit,
        type="STOP_LOSS_LIMIT" if priced else "STOP_LOSS",
        price=priced,
        stop_price=ask.decimal("stopPrice"),
        time_in_force=ask.text("stopLimitTimeInForce", "GTC"),
        client_id=ask.text("stopClientOrderId"),
    )
    above, below = (limit, stop) if limit.side == "SELL" else (stop, limit)
    return _placed_list(ask, above, below)


def _leg(ask: Spot, which: str) -> Wish:
    return Wish(
        symbol=ask.symbol,
        side=ask.required("side"),
        type=ask.required(f"{which}Type"),
        quantity=ask.decimal("quantity"),
        price=ask.decimal(f"{which}Price"),
        stop_price=ask.decimal(f"{which}StopPrice"),
        trailing_delta=ask.integer(f"{which}TrailingDelta"),
        time_in_force=ask.text(f"{which}TimeInForce", "GTC"),
        client_id=ask.text(f"{which}ClientOrderId"),
    )


def _placed_list(ask: Spot, above: Wish, below: Wish) -> Json:
    if above.quantity == ZERO:
        raise refusals.missing("quantity")
    both = ask.engine.place_oco(above, below, client_id=ask.text("listClientOrderId"))
    reports = [rendering_spot.placed(leg, None) for leg in _legs(ask, both)]
    return rendering_spot.listed(ask.engine, both) | {"orderReports": reports}


def _legs(ask: Spot, both: OrderList) -> list[Order]:
    return [ask.engine.orders[order_id] for order_id in both.order_ids]


def order_list(ask: Spot) -> Json:
    return rendering_spot.listed(ask.engine, _found_list(ask, "origClientOrderId"))


def cancel_list(ask: Spot) -> Json:
    both = ask.engine.cancel_list(_found_list(ask, "listClientOrderId"))
    reports = [rendering_spot.cancelled(leg, "") for leg in _legs(ask, both)]
    return rendering_spot.listed(ask.engine, both) | {"orderReports": reports}


def _found_list(ask: Spot, name: str) -> OrderList:
    both = ask.engine.find_list(list_id=ask.integer("orderListId"), client_id=ask.text(name))
    if both is None:
        raise refusals.no_such_order()
    return both


def open_lists(ask: Spot) -> Json:
    lists = ask.engine.lists.values()
    return [rendering_spot.listed(ask.engine, both) for both in lists if both.status == "EXECUTING"]


def all_lists(ask: Spot) -> Json:
    return [rendering_spot.listed(ask.engine, both) for both in ask.engine.lists.values()]


ROUTES: Paths = {
    ("GET", "/api/v3/ping"): Route(asking.ping),
    ("GET", "/api/v3/time"): Route(asking.time),
    ("GET", "/api/v3/exchangeInfo"): Route(exchange_info, weight=20, purpose="rules"),
    ("GET", "/api/v3/ticker/24hr"): Route(day_ticker, weight=2, every=80),
    ("GET", "/api/v3/ticker/bookTicker"): Route(best_prices, weight=2, every=4),
    ("GET", "/api/v3/ticker/price"): Route(last_price, weight=2, every=4),
    ("GET", "/api/v3/depth"): Route(asking.depth, weight=5),
    ("GET", "/api/v3/klines"): Route(asking.klines, weight=2, purpose="candles"),
    ("GET", "/api/v3/account"): Route(account, READ, weight=20, purpose="balance"),
    ("POST", "/api/v3/order"): Route(place, TRADE, orders=1, purpose="place"),
    ("GET", "/api/v3/order"): Route(order, READ, weight=4, purpose="find"),
    ("DELETE", "/api/v3/order"): Route(cancel, TRADE, purpose="cancel"),
    ("GET", "/api/v3/openOrders"): Route(open_orders, READ, weight=6, every=80, purpose="open"),
    ("DELETE", "/api/v3/openOrders"): Route(cancel_all, TRADE, purpose="cancel"),
    ("GET", "/api/v3/allOrders"): Route(all_orders, READ, weight=20, purpose="history"),
    ("GET", "/api/v3/myTrades"): Route(my_trades, READ, weight=20, purpose="trades"),
    ("POST", "/api/v3/orderList/oco"): Route(place_oco, TRADE, orders=2, purpose="place"),
    ("POST", "/api/v3/order/oco"): Route(place_old_oco, TRADE, orders=2, purpose="place"),
    ("GET", "/api/v3/orderList"): Route(order_list, READ, weight=4, purpose="find"),
    ("DELETE", "/api/v3/orderList"): Route(cancel_list, TRADE, purpose="cancel"),
    ("GET", "/api/v3/openOrderList"): Route(open_lists, READ, weight=6, purpose="open"),
    ("GET", "/api/v3/allOrderList"): Route(all_lists, READ, weight=20, purpose="history"),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(asking.api_restrictions, READ),
    ("GET", "/sapi/v1/system/status"): Route(asking.system_status),
    ("GET", "/sapi/v1/asset/tradeFee"): Route(trade_fee, READ),
    ("GET", "/sapi/v1/asset/transfer"): Route(transfers, READ),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): Route(deposits, READ),
    ("GET", "/sapi/v1/capital/withdraw/history"): Route(withdrawals, READ),
}
