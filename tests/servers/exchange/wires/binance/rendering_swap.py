"""The perpetuals' answers and events.

Source: Binance's USDS-margined futures documentation
(developers.binance.com/docs/derivatives/usds-margined-futures); the shapes are compared with
samples/swap.json.
"""

from __future__ import annotations

from decimal import Decimal

from tests.servers.exchange.figures import fixed, plain
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.rules import Rules
from tests.servers.exchange.swap import SIDES, SwapEngine
from tests.servers.exchange.values import (
    AccountTold,
    Algo,
    AlgoTold,
    LeverageTold,
    Movement,
    Order,
    OrderTold,
    Position,
    Told,
    Trade,
)
from tests.servers.exchange.wires.binance.refusals import worded
from tests.servers.exchange.wires.binance.rendering import Json, book_ticker
from tests.servers.exchange.wires.binance.rendering_spot import STP, limit

EIGHT_HOURS = 28_800_000
_MARGIN_WORDS = {"CROSSED": "cross", "ISOLATED": "isolated"}
FOREVER = 4_133_404_800_000
"""The delivery date of what is never delivered."""


def exchange_info(engine: SwapEngine) -> Json:
    return {
        "exchangeFilters": [],
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
            limit("ORDERS", "MINUTE", 1, 1_200),
            limit("ORDERS", "SECOND", 10, 300),
        ],
        "serverTime": engine.now,
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": 0}],
        "symbols": [_symbol(engine, rules) for rules in engine.listed.values()],
        "timezone": "UTC",
    }


def _symbol(engine: SwapEngine, rules: Rules) -> Json:
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": FOREVER,
        "onboardDate": 1_569_398_400_000,
        "status": "SETTLING" if rules.symbol in engine.halted else "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.quote,
        "pricePrecision": rules.price_places,
        "quantityPrecision": rules.quantity_places,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "filters": _filters(rules),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
    }


def _filters(rules: Rules) -> Json:
    lot, least = plain(rules.lot), plain(rules.least)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(rules.tick),
            "maxPrice": "4529764",
            "tickSize": plain(rules.tick),
        },
        {"filterType": "LOT_SIZE", "minQty": least, "maxQty": plain(rules.most), "stepSize": lot},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": least,
            "maxQty": plain(rules.market_most),
            "stepSize": lot,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": rules.max_stops},
        {"filterType": "MIN_NOTIONAL", "notional": plain(rules.notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": fixed(rules.band_up, 4),
            "multiplierDown": fixed(rules.band_down, 4),
            "multiplierDecimal": 4,
        },
    ]


def timed_book_ticker(engine: SwapEngine, symbol: str) -> Json:
    return book_ticker(engine, symbol) | {
        "lastUpdateId": engine.books[symbol].update_id,
        "time": engine.now,
    }


def premium_index(engine: SwapEngine, symbol: str) -> Json:
    mark = fixed(_mark(engine, symbol))
    return {
        "symbol": symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": fixed(engine.funding_rate),
        "nextFundingTime": next_funding(engine.now),
        "interestRate": "0.00010000",
        "time": engine.now,
    }


def next_funding(now: int) -> int:
    return now - now % EIGHT_HOURS + EIGHT_HOURS


def queried(engine: SwapEngine, order: Order) -> Json:
    """As `GET order`, `openOrders` and `allOrders` show it."""
    wish = order.wish
    rules = engine.rules[order.symbol]
    quantity = rules.quantity_places
    return {
        "orderId": order.id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": fixed(wish.price, rules.price_places),
        "avgPrice": fixed(order.average, 5),
        "origQty": fixed(order.quantity, quantity),
        "executedQty": fixed(order.filled, quantity),
        "cumQuote": fixed(order.quote_filled, 5),
        "timeInForce": wish.time_in_force,
        "type": wish.type,
        "reduceOnly": wish.reduce_only,
        "closePosition": wish.close_position,
        "side": order.side,
        "positionSide": wish.position_side,
        "stopPrice": fixed(wish.stop_price, rules.price_places),
        "workingType": wish.working_type,
        "priceProtect": False,
        "origType": wish.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": STP,
        "goodTillDate": 0,
        "time": order.created,
        "updateTime": order.updated,
    }


def placed(engine: SwapEngine, order: Order) -> Json:
    """As `POST order` and `DELETE order` answer."""
    shown = queried(engine, order)
    del shown["time"]
    return shown | {"cumQty": shown["executedQty"]}


def acknowledged(engine: SwapEngine, order: Order) -> Json:
    """As `POST order` answers without newOrderRespType: before anything has traded."""
    nothing = fixed(Decimal(0), engine.rules[order.symbol].quantity_places)
    return placed(engine, order) | {
        "status": "NEW",
        "executedQty": nothing,
        "cumQty": nothing,
        "cumQuote": "0.00000",
        "avgPrice": "0.00",
    }


def algo_placed(engine: SwapEngine, algo: Algo) -> Json:
    """As `POST algoOrder` answers."""
    wish = algo.wish
    rules = engine.rules[wish.symbol]
    return {
        "algoId": algo.id,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": wish.type,
        "symbol": wish.symbol,
        "side": wish.side,
        "positionSide": wish.position_side,
        "timeInForce": "GTE_GTC" if wish.close_position else wish.time_in_force,
        "quantity": fixed(wish.quantity, rules.quantity_places),
        "algoStatus": algo.status,
        "triggerPrice": fixed(wish.stop_price, rules.price_places),
        "price": fixed(wish.price, rules.price_places),
        "icebergQuantity": None,
        "selfTradePreventionMode": STP,
        "workingType": wish.working_type,
        "priceMatch": "NONE",
        "closePosition": wish.close_position,
        "priceProtect": False,
        "reduceOnly": wish.reduce_only,
        "activatePrice": fixed(wish.stop_price, rules.price_places) if wish.callback_rate else "",
        "callbackRate": plain(wish.callback_rate) if wish.callback_rate else "",
        "createTime": algo.created,
        "updateTime": algo.updated,
        "triggerTime": algo.triggered,
        "goodTillDate": 0,
    }


def algo_queried(engine: SwapEngine, algo: Algo) -> Json:
    """As `GET algoOrder`, `openAlgoOrders` and `allAlgoOrders` show it."""
    child = engine.orders.get(algo.order_id)
    shown = algo_placed(engine, algo) | {
        "actualOrderId": str(algo.order_id or ""),
        "actualPrice": fixed(child.average, 5) if child else "0.00000",
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
    }
    if child:
        places = engine.rules[child.symbol].quantity_places
        shown |= {"actualQty": fixed(child.filled, places), "actualType": child.wish.type}
    return shown


def algo_cancelled(algo: Algo) -> Json:
    return {
        "algoId": algo.id,
        "clientAlgoId": algo.client_id,
        "code": "200",
        "msg": "success",
    }


def traded(trade: Trade) -> Json:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "realizedPnl": fixed(trade.realized),
        "quoteQty": plain(trade.quote),
        "commission": fixed(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time,
        "positionSide": trade.position_side,
        "maker": trade.maker,
        "buyer": trade.side == "BUY",
    }


def income(movement: Movement) -> Json:
    return {
        "symbol": movement.symbol,
        "incomeType": movement.kind,
        "income": fixed(movement.amount),
        "asset": movement.asset,
        "info": movement.kind,
        "time": movement.time,
        "tranId": str(movement.id),
        "tradeId": str(movement.trade_id or ""),
    }


# --- the account ---------------------------------------------------------------------------------


def held(engine: SwapEngine) -> list[Position]:
    return [position for position in engine.positions() if position.amount]


def listed_positions(engine: SwapEngine, symbol: str) -> list[Position]:
    """Every side of the symbol, flat ones included."""
    return [engine.position(symbol, side) for side in SIDES[engine.hedge]]


def risk_v2(engine: SwapEngine, position: Position) -> Json:
    isolated = engine.margin_types[position.symbol] == "ISOLATED"
    margin = fixed(engine.margin_of(position) if isolated else Decimal(0))
    return _risk(engine, position) | {
        "leverage": str(engine.leverages[position.symbol]),
        "maxNotionalValue": "40000000",
        "marginType": "isolated" if isolated else "cross",
        "isolatedMargin": margin,
        "isAutoAddMargin": "false",
        "isolatedWallet": margin,
    }


def risk_v3(engine: SwapEngine, position: Position) -> Json:
    margin = engine.margin_of(position)
    return _risk(engine, position) | {
        "isolatedMargin": "0",
        "isolatedWallet": "0",
        "marginAsset": "USDT",
        "initialMargin": fixed(margin),
        "maintMargin": fixed(engine.maintenance_of(position)),
        "positionInitialMargin": fixed(margin),
        "openOrderInitialMargin": "0",
        "adl": 2,
        "bidNotional": "0",
        "askNotional": "0",
    }


def _risk(engine: SwapEngine, position: Position) -> Json:
    mark = _mark(engine, position.symbol)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": fixed(position.amount, engine.rules[position.symbol].quantity_places),
        "entryPrice": plain(position.entry),
        "breakEvenPrice": plain(position.entry),
        "markPrice": fixed(mark),
        "unRealizedProfit": fixed(position.profit(mark)),
        "liquidationPrice": plain(round(engine.liquidation_price(position), 8)),
        "notional": fixed(position.amount * mark),
        "updateTime": position.updated,
    }


def balance(engine: SwapEngine) -> Json:
    return [
        {
            "accountAlias": "SgsR",
            "asset": "USDT",
            "balance": fixed(engine.wallet),
            "crossWalletBalance": fixed(engine.wallet),
            "crossUnPnl": fixed(engine.profit()),
            "availableBalance": fixed(engine.available()),
            "maxWithdrawAmount": fixed(engine.available()),
            "marginAvailable": True,
            "updateTime": engine.now,
        }
    ]


def account_v3(engine: SwapEngine) -> Json:
    asset = _asset(engine)
    whole = {f"total{key[0].upper()}{key[1:]}": value for key, value in asset.items()}
    keys = (
        "totalInitialMargin",
        "totalMaintMargin",
        "totalWalletBalance",
        "totalUnrealizedProfit",
        "totalMarginBalance",
        "totalPositionInitialMargin",
        "totalOpenOrderInitialMargin",
        "totalCrossWalletBalance",
        "totalCrossUnPnl",
    )
    return {key: whole[key] for key in keys} | {
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"],
        "assets": [asset | {"asset": "USDT", "updateTime": engine.now}],
        "positions": [_account_position(engine, position) for position in held(engine)],
    }


def account_v2(engine: SwapEngine, *, can_trade: bool) -> Json:
    positions = [
        _account_position(engine, position)
        | {
            "leverage": str(engine.leverages[symbol]),
            "isolated": engine.margin_types[symbol] == "ISOLATED",
            "entryPrice": plain(position.entry),
            "maxNotional": "40000000",
            "positionInitialMargin": fixed(engine.margin_of(position)),
            "openOrderInitialMargin": "0",
        }
        for symbol in engine.listed
        for position in listed_positions(engine, symbol)
    ]
    return (
        account_v3(engine) | account_config(engine, can_trade=can_trade) | {"positions": positions}
    )


def account_config(engine: SwapEngine, *, can_trade: bool) -> Json:
    return {
        "feeTier": 0,
        "canTrade": can_trade,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": engine.hedge,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(engine: SwapEngine, symbol: str) -> Json:
    return {
        "symbol": symbol,
        "marginType": engine.margin_types[symbol],
        "isAutoAddMargin": "false",
        "leverage": engine.leverages[symbol],
        "maxNotionalValue": "40000000",
    }


def brackets(engine: SwapEngine, symbol: str) -> Json:
    rules = engine.rules[symbol]
    return {
        "symbol": symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": 1,
                "initialLeverage": rules.max_leverage,
                "notionalCap": 40_000_000,
                "notionalFloor": 0,
                "maintMarginRatio": float(rules.maintenance),
                "cum": 0,
            }
        ],
    }


def _asset(engine: SwapEngine) -> dict[str, str]:
    positions = sum((engine.margin_of(p) for p in engine.positions()), Decimal(0))
    orders = engine.orders_margin()
    return {
        "walletBalance": fixed(engine.wallet),
        "unrealizedProfit": fixed(engine.profit()),
        "marginBalance": fixed(engine.wallet + engine.profit()),
        "maintMargin": fixed(engine.maintenance()),
        "initialMargin": fixed(positions + orders),
        "positionInitialMargin": fixed(positions),
        "openOrderInitialMargin": fixed(orders),
        "crossWalletBalance": fixed(engine.wallet),
        "crossUnPnl": fixed(engine.profit()),
        "availableBalance": fixed(engine.available()),
        "maxWithdrawAmount": fixed(engine.available()),
    }


def _account_position(engine: SwapEngine, position: Position) -> Json:
    mark = _mark(engine, position.symbol)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": fixed(position.amount, engine.rules[position.symbol].quantity_places),
        "unrealizedProfit": fixed(position.profit(mark)),
        "isolatedMargin": "0",
        "notional": fixed(position.amount * mark),
        "isolatedWallet": "0",
        "initialMargin": fixed(engine.margin_of(position)),
        "maintMargin": fixed(engine.maintenance_of(position)),
        "updateTime": position.updated,
    }


def _mark(engine: SwapEngine, symbol: str) -> Decimal:
    return engine.mark(symbol) or Decimal(0)


# --- the user data stream ------------------------------------------------------------------------


def user_events(engine: SwapEngine, told: Told) -> list[Json]:
    """What the account's owner is pushed about it; nothing about the public market."""
    match told:
        case OrderTold():
            return [_order_update(engine, told)]
        case AccountTold():
            return [_account_update(engine, told)]
        case AlgoTold():
            return [_algo_update(engine, told)]
        case LeverageTold():
            return [_config_update(told)]
    return []


def _order_update(engine: SwapEngine, told: OrderTold) -> Json:
    order, wish, trade = told.order, told.order.wish, told.trade
    detail = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": "LIQUIDATION" if order.forced == "LIQUIDATION" else wish.type,
        "f": wish.time_in_force,
        "q": plain(order.quantity),
        "p": plain(wish.price),
        "ap": plain(order.average),
        "sp": plain(wish.stop_price),
        "x": told.kind,
        "X": order.status,
        "i": order.id,
        "l": plain(trade.quantity) if trade else "0",
        "z": plain(order.filled),
        "L": plain(trade.price) if trade else "0",
        "T": told.time,
        "t": trade.id if trade else 0,
        "b": "0",
        "a": "0",
        "m": trade.maker if trade else False,
        "R": wish.reduce_only,
        "wt": wish.working_type,
        "ot": wish.type,
        "ps": wish.position_side,
        "cp": wish.close_position,
        "pP": False,
        "si": 0,
        "ss": 0,
        "rp": fixed(trade.realized) if trade else "0",
        "V": STP,
        "pm": "NONE",
        "gtd": 0,
    }
    if trade:
        detail |= {"N": trade.fee_asset, "n": fixed(trade.fee)}
    return {"e": "ORDER_TRADE_UPDATE", "E": told.time, "T": told.time, "o": detail}


def _account_update(engine: SwapEngine, told: AccountTold) -> Json:
    wallet = fixed(engine.wallet)
    return {
        "e": "ACCOUNT_UPDATE",
        "E": told.time,
        "T": told.time,
        "a": {
            "m": told.reason,
            "B": [{"a": asset, "wb": wallet, "cw": wallet, "bc": "0"} for asset in told.assets],
            "P": [
                {
                    "s": position.symbol,
                    "pa": plain(position.amount),
                    "ep": plain(position.entry),
                    "bep": plain(position.entry),
                    "cr": fixed(position.realized),
                    "up": fixed(position.profit(_mark(engine, position.symbol))),
                    "mt": _MARGIN_WORDS[engine.margin_types[position.symbol]],
                    "iw": "0",
                    "ps": position.side,
                }
                for position in told.positions
            ],
        },
    }


def _algo_update(engine: SwapEngine, told: AlgoTold) -> Json:
    algo, wish = told.algo, told.algo.wish
    child = engine.orders.get(algo.order_id)
    detail = {
        "caid": algo.client_id,
        "aid": algo.id,
        "at": "CONDITIONAL",
        "o": wish.type,
        "s": wish.symbol,
        "S": wish.side,
        "ps": wish.position_side,
        "f": "GTE_GTC" if wish.close_position else wish.time_in_force,
        "q": plain(wish.quantity),
        "X": algo.status,
        "ai": str(algo.order_id or ""),
        "ap": fixed(child.average, 5) if child else "0.00000",
        "aq": fixed(child.filled, 5) if child else "0.00000",
        "act": child.wish.type if child else "0",
        "tp": plain(wish.stop_price),
        "p": plain(wish.price),
        "V": STP,
        "wt": wish.working_type,
        "pm": "NONE",
        "cp": wish.close_position,
        "pP": False,
        "R": wish.reduce_only,
        "tt": algo.triggered,
        "gtd": 0,
    }
    if algo.failure:
        detail["rm"] = worded(Refusal(algo.failure), "swap").text
    return {"e": "ALGO_UPDATE", "T": told.time, "E": told.time, "o": detail}


def _config_update(told: LeverageTold) -> Json:
    return {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "E": told.time,
        "T": told.time,
        "ac": {"s": told.symbol, "l": told.leverage},
    }


# --- market streams ------------------------------------------------------------------------------


def mark_event(engine: SwapEngine, symbol: str) -> Json:
    mark = fixed(_mark(engine, symbol))
    return {
        "e": "markPriceUpdate",
        "E": engine.now,
        "s": symbol,
        "p": mark,
        "i": mark,
        "P": mark,
        "r": fixed(engine.funding_rate),
        "T": next_funding(engine.now),
    }


def force_order_event(told: OrderTold) -> Json:
    """A liquidation, as everybody sees it."""
    order, wish = told.order, told.order.wish
    return {
        "e": "forceOrder",
        "E": told.time,
        "o": {
            "s": order.symbol,
            "S": order.side,
            "o": "LIMIT",
            "f": "IOC",
            "q": plain(order.quantity),
            "p": plain(wish.price),
            "ap": plain(order.average),
            "X": order.status,
            "l": plain(order.filled),
            "z": plain(order.filled),
            "T": told.time,
        },
    }
