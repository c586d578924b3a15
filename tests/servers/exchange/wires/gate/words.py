"""How Gate says no: a `label` and a message, with HTTP 400 and the like.

Source: the labels of its v4 documentation as ccxt's class has them (`exceptions`).
"""

from __future__ import annotations

from tests.servers.exchange.faults import Refuse
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.wires.base import Said

BOTH: dict[str, tuple[str, str]] = {
    Why.BAD_TYPE: ("INVALID_PARAM_VALUE", "Invalid order type"),
    Why.TOO_MANY_ORDERS: ("TOO_MANY_ORDERS", "too many orders"),
    Why.TOO_MANY_STOPS: ("TOO_MANY_ORDERS", "too many trigger orders"),
    Why.OFF_TICK: ("INVALID_PRECISION", "Invalid price precision"),
    Why.OFF_LOT: ("INVALID_PRECISION", "Invalid amount precision"),
}
SPOT: dict[str, tuple[str, str]] = {
    Why.UNKNOWN_SYMBOL: ("INVALID_CURRENCY_PAIR", "Invalid currency pair"),
    Why.HALTED: ("TRADE_RESTRICTED", "Trading is suspended for this pair"),
    Why.DUPLICATE_ID: ("REPEATED_CREATION", "Duplicate order text"),
    Why.UNKNOWN_ORDER: ("ORDER_NOT_FOUND", "Order not found"),
    Why.NO_FUNDS: ("BALANCE_NOT_ENOUGH", "Not enough balance"),
    Why.WOULD_TAKE: (
        "POC_FILL_IMMEDIATELY",
        "Order would match and take immediately so its cancelled",
    ),
    Why.WOULD_TRIGGER: ("INVALID_PARAM_VALUE", "Trigger condition is already met"),
    Why.TOO_SMALL: ("AMOUNT_TOO_LITTLE", "Your order size is too small"),
    Why.TOO_LARGE: ("AMOUNT_TOO_MUCH", "Your order size is too large"),
    Why.MARKET_TOO_LARGE: ("AMOUNT_TOO_MUCH", "Your order size is too large"),
    Why.NOTIONAL: (
        "INVALID_PARAM_VALUE",
        "Your order size is too small. The minimum is 3 USDT",
    ),
    Why.PRICE_TOO_HIGH: ("PRICE_TOO_DEVIATED", "price is too high"),
    Why.PRICE_TOO_LOW: ("PRICE_TOO_DEVIATED", "price is too low"),
}
SWAP: dict[str, tuple[str, str]] = {
    Why.UNKNOWN_SYMBOL: ("CONTRACT_NOT_FOUND", "contract not found"),
    Why.HALTED: ("CONTRACT_IN_DELISTING", "contract is not tradable"),
    Why.DUPLICATE_ID: ("REPEATED_CREATION", "duplicate text"),
    Why.UNKNOWN_ORDER: ("ORDER_NOT_FOUND", "order not found"),
    Why.NO_FUNDS: ("INSUFFICIENT_AVAILABLE", "insufficient available balance"),
    Why.WOULD_TAKE: ("ORDER_POC_IMMEDIATE", "order would be filled immediately"),
    Why.CANNOT_FILL: ("ORDER_FOK", "order cannot be filled as a whole"),
    Why.TOO_SMALL: ("SIZE_TOO_SMALL", "size too small"),
    Why.TOO_LARGE: ("SIZE_TOO_LARGE", "size too large"),
    Why.MARKET_TOO_LARGE: ("SIZE_TOO_LARGE", "size too large"),
    Why.NOTIONAL: ("SIZE_TOO_SMALL", "size too small"),
    Why.PRICE_TOO_HIGH: ("PRICE_TOO_DEVIATED", "price is too deviated"),
    Why.PRICE_TOO_LOW: ("PRICE_TOO_DEVIATED", "price is too deviated"),
    Why.NOTHING_TO_REDUCE: ("POSITION_EMPTY", "empty position"),
    Why.WRONG_POSITION_SIDE: ("INVALID_PARAM_VALUE", "position mode"),
    Why.SAME_POSITION_MODE: ("NO_CHANGE", "No change is made"),
    Why.POSITION_MODE_WITH_ORDERS: ("POSITION_HOLDING", "has position or orders"),
    Why.POSITION_MODE_WITH_POSITIONS: ("POSITION_HOLDING", "has position or orders"),
    Why.BAD_LEVERAGE: ("LEVERAGE_TOO_HIGH", "leverage too high"),
}
PLIGHTS = {
    "too many": Refuse(429, "TOO_MANY_REQUESTS", "Request Rate limit Exceeded"),
    "banned": Refuse(403, "FORBIDDEN", "Request forbidden"),
    "overloaded": Refuse(503, "TOO_BUSY", "System is busy"),
    "unknown outcome": Refuse(500, "SERVER_ERROR", "Internal server error"),
    "maintenance": Refuse(503, "SERVER_ERROR", "Service is under maintenance"),
}


def worded(why: Refusal, market: str) -> Said:
    if why.why == Why.MALFORMED:
        return invalid(str(why.about))
    label, text = (BOTH | (SPOT if market == "spot" else SWAP))[why.why]
    return Said(label, text, 404 if why.why == Why.UNKNOWN_ORDER else 400)


def invalid(name: str) -> Said:
    return Said("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value", 400)


def missing(name: str) -> Said:
    return Said("MISSING_REQUIRED_PARAM", f"Missing required parameter: {name}", 400)
