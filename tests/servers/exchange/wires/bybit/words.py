"""How Bybit says no: `retCode` and `retMsg`, nearly always with HTTP 200.

Source: the error codes of its v5 documentation as ccxt's class has them (`exceptions`).  Spot has
codes of its own (170xxx), the perpetuals others (110xxx).
"""

from __future__ import annotations

from tests.servers.exchange.faults import Refuse
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.wires.base import Said

SPOT = {
    Why.UNKNOWN_SYMBOL: (170121, "Invalid symbol."),
    Why.HALTED: (170151, "The trading pair is not open yet."),
    Why.BAD_TYPE: (170116, "Invalid orderType."),
    Why.DUPLICATE_ID: (170141, "Duplicate clientOrderId"),
    Why.UNKNOWN_ORDER: (170213, "Order does not exist."),
    Why.NO_FUNDS: (170131, "Insufficient balance."),
    Why.TOO_MANY_ORDERS: (170005, "Too many new orders; current limit is 500 orders."),
    Why.TOO_MANY_STOPS: (170005, "Too many new orders; current limit is 30 orders."),
    Why.OFF_TICK: (170134, "Order price has too many decimals."),
    Why.OFF_LOT: (170137, "Order quantity has too many decimals."),
    Why.TOO_SMALL: (170136, "Order quantity exceeded lower limit."),
    Why.TOO_LARGE: (170135, "Order quantity exceeded upper limit."),
    Why.MARKET_TOO_LARGE: (170135, "Order quantity exceeded upper limit."),
    Why.NOTIONAL: (170140, "Order value exceeded lower limit."),
    Why.PRICE_TOO_HIGH: (170193, "Buy order price cannot be higher than the limit."),
    Why.PRICE_TOO_LOW: (170194, "Sell order price cannot be lower than the limit."),
}
SWAP = {
    Why.UNKNOWN_SYMBOL: (10001, "params error: symbol invalid"),
    Why.HALTED: (110066, "Trading is currently not allowed."),
    Why.BAD_TYPE: (10001, "params error: OrderType invalid"),
    Why.DUPLICATE_ID: (110072, "OrderLinkedID is duplicate"),
    Why.UNKNOWN_ORDER: (110001, "order not exists or too late to cancel"),
    Why.NO_FUNDS: (110007, "ab not enough for new order"),
    Why.TOO_MANY_ORDERS: (110020, "Not allowed to have more than 500 active orders."),
    Why.TOO_MANY_STOPS: (110009, "The number of stop orders exceeds the maximum allowable limit."),
    Why.OFF_TICK: (10001, "params error: Price invalid"),
    Why.OFF_LOT: (10001, "Qty invalid"),
    Why.TOO_SMALL: (10001, "The number of contracts below min limit allowed"),
    Why.TOO_LARGE: (10001, "The number of contracts exceeds maximum limit allowed"),
    Why.MARKET_TOO_LARGE: (10001, "The number of contracts exceeds maximum limit allowed"),
    Why.NOTIONAL: (110094, "Order does not meet minimum order value 5USDT"),
    Why.PRICE_TOO_HIGH: (110003, "Order price exceeds the allowable range."),
    Why.PRICE_TOO_LOW: (110003, "Order price exceeds the allowable range."),
    Why.NOTHING_TO_REDUCE: (110017, "current position is zero, cannot fix reduce-only order qty"),
    Why.WRONG_POSITION_SIDE: (10001, "position idx not match position mode"),
    Why.SAME_POSITION_MODE: (110025, "Position mode is not modified"),
    Why.POSITION_MODE_WITH_ORDERS: (110028, "You have existing open orders."),
    Why.POSITION_MODE_WITH_POSITIONS: (110024, "You have an existing position."),
    Why.BAD_LEVERAGE: (10001, "leverage invalid"),
}
PLIGHTS = {
    "too many": Refuse(200, 10006, "Too many visits. Exceeded the API Rate Limit."),
    "banned": Refuse(403, 403, "access too frequent, please try again in 10 minutes"),
    "overloaded": Refuse(200, 10429, "System level frequency protection"),
    "unknown outcome": Refuse(200, 10000, "Server Timeout"),
    "maintenance": Refuse(503, 10016, "Service is being upgraded. Please try again later."),
}
REJECTIONS: dict[str, str] = {
    Why.WOULD_TAKE: "EC_PostOnlyWillTakeLiquidity",
    Why.CANNOT_FILL: "EC_NoImmediateQtyToFill",
    Why.NOTHING_TO_REDUCE: "EC_InvalidAmount",
    Why.NO_FUNDS: "EC_NoEnoughBalance",
}
"""`rejectReason` of an order that was taken, and refused afterwards."""


def worded(why: Refusal, market: str) -> Said:
    if why.why == Why.MALFORMED:
        return malformed(str(why.about))
    code, text = (SPOT if market == "spot" else SWAP)[Why(why.why)]
    return Said(code, text, 200)


def malformed(name: str) -> Said:
    return Said(10001, f"params error: {name} invalid", 200)


def wrong_direction(*, falling: bool, trigger: object, price: object) -> Said:
    """To a trigger that is on the other side of the price."""
    if falling:
        text = f"expect Falling, but trigger_price[{trigger}] >= current[{price}]"
        return Said(110093, text, 200)
    return Said(110092, f"expect Rising, but trigger_price[{trigger}] <= current[{price}]", 200)
