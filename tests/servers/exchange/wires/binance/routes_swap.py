"""The paths of the perpetuals (fapi): each a function of what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tests.servers.exchange.figures import DAY, fixed
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.swap import SIDES, SwapEngine
from tests.servers.exchange.values import Algo, Wish
from tests.servers.exchange.wires.base import READ, TRADE, Said
from tests.servers.exchange.wires.binance import asking, refusals, rendering_swap
from tests.servers.exchange.wires.binance.asking import Ask, Paths, Route, wish_of
from tests.servers.exchange.wires.binance.rendering import Json, ticker

Swap = Ask[SwapEngine]

DONE = {"code": 200, "msg": "success"}
ALL_CANCELLED = {"code": 200, "msg": "The operation of cancel all open order is done."}


def exchange_info(ask: Swap) -> Json:
    return rendering_swap.exchange_info(ask.engine)


def day_ticker(ask: Swap) -> Json:
    return asking.per_symbol(ask, ticker)


def best_prices(ask: Swap) -> Json:
    return asking.per_symbol(ask, rendering_swap.timed_book_ticker)


def last_price(ask: Swap) -> Json:
    return asking.per_symbol(ask, asking.price)


def depth(ask: Swap) -> Json:
    return asking.depth(ask) | {"E": ask.engine.now, "T": ask.engine.now}


def premium_index(ask: Swap) -> Json:
    return asking.per_symbol(ask, rendering_swap.premium_index)


# --- the account ---------------------------------------------------------------------------------


def balance(ask: Swap) -> Json:
    return rendering_swap.balance(ask.engine)


def account_v2(ask: Swap) -> Json:
    return rendering_swap.account_v2(ask.engine, can_trade=ask.may_trade)


def account_v3(ask: Swap) -> Json:
    return rendering_swap.account_v3(ask.engine)


def account_config(ask: Swap) -> Json:
    return rendering_swap.account_config(ask.engine, can_trade=ask.may_trade)


def risk_v2(ask: Swap) -> Json:
    """Every symbol and side, flat ones included."""
    symbols = [ask.symbol] if ask.text("symbol") else list(ask.engine.listed)
    return [
        rendering_swap.risk_v2(ask.engine, position)
        for symbol in symbols
        for position in rendering_swap.listed_positions(ask.engine, symbol)
    ]


def risk_v3(ask: Swap) -> Json:
    """Only what is held."""
    only = ask.optional_symbol
    return [
        rendering_swap.risk_v3(ask.engine, position)
        for position in rendering_swap.held(ask.engine)
        if only in {None, position.symbol}
    ]


def adl_ranks(ask: Swap) -> Json:
    return [
        {"symbol": symbol, "adlQuantile": dict.fromkeys(SIDES[ask.engine.hedge], 1)}
        for symbol in ask.engine.listed
    ]


def position_mode(ask: Swap) -> Json:
    return {"dualSidePosition": ask.engine.hedge}


def set_position_mode(ask: Swap) -> Json:
    ask.required("dualSidePosition")
    ask.engine.set_hedge(ask.flag("dualSidePosition"))
    return DONE


def set_leverage(ask: Swap) -> Json:
    leverage = ask.integer("leverage")
    ask.engine.set_leverage(ask.symbol, leverage)
    return {"leverage": leverage, "maxNotionalValue": "40000000", "symbol": ask.symbol}


def set_margin_type(ask: Swap) -> Json:
    ask.engine.set_margin_type(ask.symbol, ask.required("marginType"))
    return DONE


def leverage_brackets(ask: Swap) -> Json:
    only = ask.optional_symbol
    symbols = [symbol for symbol in ask.engine.listed if only in {None, symbol}]
    return [rendering_swap.brackets(ask.engine, symbol) for symbol in symbols]


def symbol_config(ask: Swap) -> Json:
    only = ask.optional_symbol
    symbols = [symbol for symbol in ask.engine.listed if only in {None, symbol}]
    return [rendering_swap.symbol_config(ask.engine, symbol) for symbol in symbols]


def commission_rate(ask: Swap) -> Json:
    return {
        "symbol": ask.symbol,
        "makerCommissionRate": fixed(ask.engine.maker_fee, 6),
        "takerCommissionRate": fixed(ask.engine.taker_fee, 6),
    }


def income(ask: Swap) -> Json:
    symbol, kind = ask.text("symbol"), ask.text("incomeType")
    found = [
        movement
        for movement in ask.engine.movements
        if symbol in {"", movement.symbol} and kind in {"", movement.kind}
    ]
    return [rendering_swap.income(m) for m in ask.page(found, time=lambda movement: movement.time)]


def forced_orders(ask: Swap) -> Json:
    wanted = ask.text("autoCloseType")
    symbol = ask.optional_symbol
    found = [
        order
        for order in ask.engine.orders.values()
        if order.forced and wanted in {"", order.forced} and symbol in {None, order.symbol}
    ]
    return [rendering_swap.queried(ask.engine, order) for order in found]


# --- orders --------------------------------------------------------------------------------------


def place(ask: Swap) -> Json:
    order = ask.engine.place(_wish(ask, client_id=ask.text("newClientOrderId")))
    if ask.text("newOrderRespType", "ACK") == "ACK":
        return rendering_swap.acknowledged(ask.engine, order)
    return rendering_swap.placed(ask.engine, order)


def _wish(ask: Swap, *, client_id: str) -> Wish:
    wish = replace(
        wish_of(ask, client_id=client_id),
        position_side=ask.text("positionSide", "BOTH"),
        reduce_only=ask.flag("reduceOnly"),
        close_position=ask.flag("closePosition"),
        working_type=ask.text("workingType", "CONTRACT_PRICE"),
    )
    if not wish.quantity and not wish.close_position:
        raise refusals.missing("quantity")
    if wish.close_position and (wish.quantity or wish.reduce_only):
        raise refusals.not_required("quantity" if wish.quantity else "reduceonly")
    if ask.engine.hedge and "reduceOnly" in ask.params:
        raise refusals.not_required("reduceonly")
    return wish


def order(ask: Swap) -> Json:
    return rendering_swap.queried(ask.engine, ask.order())


def open_order(ask: Swap) -> Json:
    found = ask.order()
    if not found.is_open:
        raise refusals.no_such_order()
    return rendering_swap.queried(ask.engine, found)


def cancel(ask: Swap) -> Json:
    gone = ask.engine.cancel(
        ask.symbol, order_id=ask.integer("orderId"), client_id=ask.text("origClientOrderId")
    )
    return rendering_swap.placed(ask.engine, gone)


def open_orders(ask: Swap) -> Json:
    found = ask.visible(ask.engine.open_orders(ask.optional_symbol))
    return [rendering_swap.queried(ask.engine, order) for order in found]


def cancel_all(ask: Swap) -> Json:
    ask.engine.cancel_all(ask.symbol)
    return ALL_CANCELLED


def arm_countdown(ask: Swap) -> Json:
    """Dead man's switch: the symbol's orders are cancelled unless it is asked again in time."""
    ask.required("countdownTime")
    symbol, wait = ask.symbol, ask.integer("countdownTime")
    ask.engine.deadlines.pop(symbol, None)
    if wait:
        ask.engine.deadlines[symbol] = ask.engine.now + wait
    return {"symbol": symbol, "countdownTime": str(wait)}


def all_orders(ask: Swap) -> Json:
    """Those that ended without a trade are not listed any more after three days."""
    gone = ask.engine.now - 3 * DAY
    found = ask.in_a_week().all_orders()
    kept = [o for o in found if o.is_open or o.filled or o.created >= gone]
    return [rendering_swap.queried(ask.engine, order) for order in kept]


def user_trades(ask: Swap) -> Json:
    return [rendering_swap.traded(trade) for trade in ask.in_a_week().my_trades()]


def place_batch(ask: Swap) -> Json:
    """At most five; each succeeds or is refused on its own."""
    orders = json.loads(ask.required("batchOrders"))
    return _each(ask, orders, place)


def cancel_batch(ask: Swap) -> Json:
    symbol = ask.symbol
    ids = json.loads(ask.text("orderidlist", "[]") or ask.text("orderIdList", "[]"))
    client_ids = json.loads(ask.text("origclientorderidlist", "[]"))
    asked = [{"symbol": symbol, "orderId": str(order_id)} for order_id in ids]
    asked += [{"symbol": symbol, "origClientOrderId": client_id} for client_id in client_ids]
    return _each(ask, asked, cancel)


def _each(ask: Swap, asked: Iterable[dict[str, Any]], answer: Callable[[Swap], Json]) -> list[Json]:
    answers = []
    for params in asked:
        try:
            answers.append(answer(replace(ask, params={k: str(v) for k, v in params.items()})))
        except Said as said:
            answers.append({"code": said.code, "msg": said.text})
        except Refusal as why:
            worded = refusals.worded(why, "swap")
            answers.append({"code": worded.code, "msg": worded.text})
    return answers


# --- conditional orders --------------------------------------------------------------------------


def place_algo(ask: Swap) -> Json:
    if ask.required("algoType") != "CONDITIONAL":
        raise refusals.missing("algoType")
    wish = _wish(ask, client_id=ask.text("clientAlgoId"))
    trailing = wish.type == "TRAILING_STOP_MARKET"
    stop = ask.decimal("activatePrice" if trailing else "triggerPrice")
    rate = ask.decimal("callbackRate")
    if trailing and not rate:
        raise refusals.missing("callbackRate")
    if not trailing and not stop:
        raise refusals.missing("triggerPrice")
    algo = ask.engine.place_algo(replace(wish, stop_price=stop, callback_rate=rate))
    return rendering_swap.algo_placed(ask.engine, algo)


def algo(ask: Swap) -> Json:
    return rendering_swap.algo_queried(ask.engine, _algo(ask))


def cancel_algo(ask: Swap) -> Json:
    gone = ask.engine.cancel_algo(algo_id=ask.integer("algoId"), client_id=ask.text("clientAlgoId"))
    return rendering_swap.algo_cancelled(gone)


def open_algos(ask: Swap) -> Json:
    found = _visible(ask, ask.engine.open_algos(ask.optional_symbol))
    return [rendering_swap.algo_queried(ask.engine, algo) for algo in found]


def all_algos(ask: Swap) -> Json:
    symbol = ask.symbol
    found = [algo for algo in ask.engine.algos.values() if algo.wish.symbol == symbol]
    page = ask.in_a_week().page(_visible(ask, found), time=lambda algo: algo.created)
    return [rendering_swap.algo_queried(ask.engine, algo) for algo in page]


def cancel_algos(ask: Swap) -> Json:
    ask.engine.cancel_algos(ask.symbol)
    return ALL_CANCELLED


def _algo(ask: Swap) -> Algo:
    found = ask.engine.find_algo(algo_id=ask.integer("algoId"), client_id=ask.text("clientAlgoId"))
    if found is None or ask.hidden(found.client_id):
        raise refusals.no_such_order()
    return found


def _visible(ask: Swap, algos: Iterable[Algo]) -> list[Algo]:
    return [algo for algo in algos if not ask.hidden(algo.client_id)]


ROUTES: Paths = {
    ("GET", "/fapi/v1/ping"): Route(asking.ping),
    ("GET", "/fapi/v1/time"): Route(asking.time),
    ("GET", "/fapi/v1/exchangeInfo"): Route(exchange_info, purpose="rules"),
    ("GET", "/fapi/v1/ticker/24hr"): Route(day_ticker, every=40),
    ("GET", "/fapi/v1/ticker/bookTicker"): Route(best_prices, weight=2, every=5),
    ("GET", "/fapi/v1/ticker/price"): Route(last_price),
    ("GET", "/fapi/v1/depth"): Route(depth, weight=5),
    ("GET", "/fapi/v1/klines"): Route(asking.klines, weight=2, purpose="candles"),
    ("GET", "/fapi/v1/premiumIndex"): Route(premium_index, every=10),
    ("GET", "/fapi/v2/balance"): Route(balance, READ, weight=5, purpose="balance"),
    ("GET", "/fapi/v3/balance"): Route(balance, READ, weight=5, purpose="balance"),
    ("GET", "/fapi/v2/account"): Route(account_v2, READ, weight=5, purpose="balance"),
    ("GET", "/fapi/v3/account"): Route(account_v3, READ, weight=5, purpose="balance"),
    ("GET", "/fapi/v1/accountConfig"): Route(account_config, READ, weight=5),
    ("GET", "/fapi/v2/positionRisk"): Route(risk_v2, READ, weight=5, purpose="positions"),
    ("GET", "/fapi/v3/positionRisk"): Route(risk_v3, READ, weight=5, purpose="positions"),
    ("GET", "/fapi/v1/adlQuantile"): Route(adl_ranks, READ, weight=5),
    ("GET", "/fapi/v1/positionSide/dual"): Route(position_mode, READ, weight=30),
    ("POST", "/fapi/v1/positionSide/dual"): Route(set_position_mode, TRADE),
    ("POST", "/fapi/v1/leverage"): Route(set_leverage, TRADE),
    ("POST", "/fapi/v1/marginType"): Route(set_margin_type, TRADE),
    ("GET", "/fapi/v1/leverageBracket"): Route(leverage_brackets, READ),
    ("GET", "/fapi/v1/symbolConfig"): Route(symbol_config, READ, weight=5),
    ("GET", "/fapi/v1/commissionRate"): Route(commission_rate, READ, weight=20),
    ("GET", "/fapi/v1/income"): Route(income, READ, weight=30),
    ("GET", "/fapi/v1/forceOrders"): Route(forced_orders, READ, weight=20, purpose="history"),
    ("POST", "/fapi/v1/order"): Route(place, TRADE, weight=0, orders=1, purpose="place"),
    ("GET", "/fapi/v1/order"): Route(order, READ, purpose="find"),
    ("DELETE", "/fapi/v1/order"): Route(cancel, TRADE, purpose="cancel"),
    ("GET", "/fapi/v1/openOrder"): Route(open_order, READ, purpose="find"),
    ("GET", "/fapi/v1/openOrders"): Route(open_orders, READ, every=40, purpose="open"),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(cancel_all, TRADE, purpose="cancel"),
    ("POST", "/fapi/v1/countdownCancelAll"): Route(arm_countdown, TRADE, weight=10),
    ("GET", "/fapi/v1/allOrders"): Route(all_orders, READ, weight=5, purpose="history"),
    ("GET", "/fapi/v1/userTrades"): Route(user_trades, READ, weight=5, purpose="trades"),
    ("POST", "/fapi/v1/batchOrders"): Route(
        place_batch, TRADE, weight=5, orders=5, purpose="place"
    ),
    ("DELETE", "/fapi/v1/batchOrders"): Route(cancel_batch, TRADE, purpose="cancel"),
    ("POST", "/fapi/v1/algoOrder"): Route(place_algo, TRADE, weight=0, orders=1, purpose="place"),
    ("GET", "/fapi/v1/algoOrder"): Route(algo, READ, purpose="find"),
    ("DELETE", "/fapi/v1/algoOrder"): Route(cancel_algo, TRADE, purpose="cancel"),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(open_algos, READ, every=40, purpose="open"),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(all_algos, READ, weight=5, purpose="history"),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(cancel_algos, TRADE, purpose="cancel"),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(asking.api_restrictions, READ),
    ("GET", "/sapi/v1/system/status"): Route(asking.system_status),
}
