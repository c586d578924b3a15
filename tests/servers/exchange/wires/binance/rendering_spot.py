"""The spot exchange's answers and events.

Source: Binance's spot API documentation (developers.binance.com/docs/binance-spot-api-docs); the
shapes are compared with samples/spot.json.
"""

from __future__ import annotations

from tests.servers.exchange.figures import fixed, plain
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.values import (
    AccountTold,
    ListTold,
    MoneyMoved,
    Movement,
    Order,
    OrderList,
    OrderTold,
    Told,
    Trade,
)
from tests.servers.exchange.wires.binance.rendering import Json, book_ticker, ticker

STP = "EXPIRE_MAKER"


def exchange_info(engine: SpotEngine, only: str | None = None) -> Json:
    return {
        "timezone": "UTC",
        "serverTime": engine.now,
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            limit("ORDERS", "SECOND", 10, 100),
            limit("ORDERS", "DAY", 1, 200_000),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(engine, name) for name in engine.listed if only in {None, name}],
    }


def limit(kind: str, interval: str, number: int, most: int) -> Json:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": most}


def _symbol(engine: SpotEngine, name: str) -> Json:
    rules = engine.rules[name]
    return {
        "symbol": name,
        "status": "BREAK" if name in engine.halted else "TRADING",
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(rules.types),
        "icebergAllowed": False,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(engine, name),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": STP,
        "allowedSelfTradePreventionModes": [STP],
    }


def _filters(engine: SpotEngine, name: str) -> Json:
    rules = engine.rules[name]
    lot, least = fixed(rules.lot), fixed(rules.least)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": fixed(rules.tick),
            "maxPrice": "1000000.00000000",
            "tickSize": fixed(rules.tick),
        },
        {"filterType": "LOT_SIZE", "minQty": least, "maxQty": fixed(rules.most), "stepSize": lot},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": fixed(rules.market_most),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": plain(rules.band_up),
            "bidMultiplierDown": plain(rules.band_down),
            "askMultiplierUp": plain(rules.band_up),
            "askMultiplierDown": plain(rules.band_down),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": fixed(rules.notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.max_stops},
    ]


def day_ticker(engine: SpotEngine, symbol: str) -> Json:
    answer = ticker(engine, symbol) | book_ticker(engine, symbol)
    return answer | {"prevClosePrice": answer["openPrice"]}


def account(engine: SpotEngine, *, can_trade: bool) -> Json:
    maker, taker = fixed(engine.maker_fee), fixed(engine.taker_fee)
    return {
        "makerCommission": int(engine.maker_fee * 10_000),
        "takerCommission": int(engine.taker_fee * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": maker,
            "taker": taker,
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": can_trade,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": engine.now,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": fixed(engine.free(asset)),
                "locked": fixed(engine.locked(asset)),
            }
            for asset in engine.balances
        ],
        "permissions": ["SPOT"],
        "uid": 354937868,
    }


def _core(order: Order) -> Json:
    """What every answer about an order has."""
    wish = order.wish
    shown = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "price": fixed(wish.price),
        "origQty": fixed(order.quantity),
        "executedQty": fixed(order.filled),
        "cummulativeQuoteQty": fixed(order.quote_filled),
        "status": order.status,
        "timeInForce": wish.time_in_force,
        "type": wish.type,
        "side": order.side,
        "selfTradePreventionMode": STP,
    }
    if wish.stop_price:
        shown["stopPrice"] = fixed(wish.stop_price)
    if wish.trailing_delta:
        shown["trailingDelta"] = wish.trailing_delta
    return shown


def queried(order: Order) -> Json:
    """As `GET order`, `openOrders` and `allOrders` show it."""
    return _core(order) | {
        "stopPrice": fixed(order.wish.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created,
        "updateTime": order.updated,
        "isWorking": order.working,
        "workingTime": order.working_since,
        "origQuoteOrderQty": fixed(order.wish.quote_quantity),
    }


def placed(order: Order, fills: list[Trade] | None) -> Json:
    """As `POST order` answers; *fills* only with newOrderRespType FULL."""
    shown = _core(order) | {"transactTime": order.updated, "workingTime": order.working_since}
    if fills is not None:
        shown["fills"] = [
            {
                "price": fixed(trade.price),
                "qty": fixed(trade.quantity),
                "commission": fixed(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.id,
            }
            for trade in fills
        ]
    return shown


def acknowledged(order: Order) -> Json:
    """As `POST order` answers with newOrderRespType ACK."""
    whole = placed(order, None)
    keys = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
    return {key: whole[key] for key in keys}


def cancelled(order: Order, cancel_id: str) -> Json:
    return _core(order) | {
        "origClientOrderId": order.client_id,
        "clientOrderId": cancel_id or f"venue-cancel-{order.id}",
        "transactTime": order.updated,
    }


def traded(trade: Trade) -> Json:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": fixed(trade.price),
        "qty": fixed(trade.quantity),
        "quoteQty": fixed(trade.quote),
        "commission": fixed(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def listed(engine: SpotEngine, both: OrderList) -> Json:
    return {
        "orderListId": both.id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if both.status == "EXECUTING" else "ALL_DONE",
        "listOrderStatus": both.status,
        "listClientOrderId": both.client_id,
        "transactionTime": both.time,
        "symbol": both.symbol,
        "orders": [
            {
                "symbol": both.symbol,
                "orderId": order_id,
                "clientOrderId": engine.orders[order_id].client_id,
            }
            for order_id in both.order_ids
        ],
    }


def deposited(movement: Movement) -> Json:
    return {
        "id": str(movement.id),
        "amount": plain(movement.amount),
        "coin": movement.asset,
        "network": "ETH",
        "status": 1,
        "address": "0x0",
        "addressTag": "",
        "txId": f"0x{movement.id:064x}",
        "insertTime": movement.time,
        "transferType": 0,
        "confirmTimes": "1/1",
        "unlockConfirm": 0,
        "walletType": 0,
    }


def withdrawn(movement: Movement, when: str) -> Json:
    """*when* as the exchange writes it here: "2019-10-12 11:12:02"."""
    return {
        "id": f"{movement.id:032x}",
        "amount": plain(-movement.amount),
        "transactionFee": "0",
        "coin": movement.asset,
        "status": 6,
        "address": "0x0",
        "txId": f"0x{movement.id:064x}",
        "applyTime": when,
        "network": "ETH",
        "transferType": 0,
        "info": "",
        "confirmNo": 2,
        "walletType": 0,
        "txKey": "",
        "completeTime": when,
    }


# --- the user data stream ------------------------------------------------------------------------


def user_events(engine: SpotEngine, told: Told) -> list[Json]:
    """What the account's owner is pushed about it; nothing about the public market."""
    match told:
        case OrderTold():
            return [_execution(told)]
        case AccountTold():
            return [_position(engine, told)]
        case MoneyMoved(movement=movement):
            return [_balance_update(movement)]
        case ListTold(orders=both):
            return [_list_status(engine, both)]
    return []


def _execution(told: OrderTold) -> Json:
    order, wish, trade = told.order, told.order.wish, told.trade
    nothing = fixed(wish.price * 0)
    return {
        "e": "executionReport",
        "E": told.time,
        "s": order.symbol,
        "c": told.cancel_id or order.client_id,
        "S": order.side,
        "o": wish.type,
        "f": wish.time_in_force,
        "q": fixed(order.quantity),
        "p": fixed(wish.price),
        "P": fixed(wish.stop_price),
        "F": nothing,
        "g": order.list_id,
        "C": order.client_id if told.cancel_id else "",
        "x": told.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": fixed(trade.quantity) if trade else nothing,
        "z": fixed(order.filled),
        "L": fixed(trade.price) if trade else nothing,
        "n": fixed(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": told.time,
        "t": trade.id if trade else -1,
        "I": order.id,
        "w": order.working and order.is_open,
        "m": trade.maker if trade else False,
        "M": False,
        "O": order.created,
        "Z": fixed(order.quote_filled),
        "Y": fixed(trade.quote) if trade else nothing,
        "Q": fixed(wish.quote_quantity),
        "W": order.working_since,
        "V": STP,
    }


def _position(engine: SpotEngine, told: AccountTold) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": told.time,
        "u": told.time,
        "B": [
            {"a": asset, "f": fixed(engine.free(asset)), "l": fixed(engine.locked(asset))}
            for asset in told.assets
        ],
    }


def _balance_update(movement: Movement) -> Json:
    return {
        "e": "balanceUpdate",
        "E": movement.time,
        "a": movement.asset,
        "d": fixed(movement.amount),
        "T": movement.time,
    }


def _list_status(engine: SpotEngine, both: OrderList) -> Json:
    return {
        "e": "listStatus",
        "E": both.time,
        "s": both.symbol,
        "g": both.id,
        "c": "OCO",
        "l": "EXEC_STARTED" if both.status == "EXECUTING" else "ALL_DONE",
        "L": both.status,
        "r": "NONE",
        "C": both.client_id,
        "T": both.time,
        "O": [
            {"s": both.symbol, "i": order_id, "c": engine.orders[order_id].client_id}
            for order_id in both.order_ids
        ],
    }
