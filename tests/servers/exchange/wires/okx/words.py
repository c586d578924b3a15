"""How OKX says no: `code` for a request as a whole, `sCode` for each order in it.

Source: the error codes of its v5 documentation as ccxt's class has them (`exceptions`).
"""

from __future__ import annotations

from tests.servers.exchange.faults import Refuse
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.wires.base import Said

WORDS: dict[str, tuple[str, str]] = {
    Why.UNKNOWN_SYMBOL: ("51001", "Instrument ID doesn't exist."),
    Why.HALTED: ("51022", "Contract suspended."),
    Why.BAD_TYPE: ("51000", "Parameter ordType error"),
    Why.DUPLICATE_ID: ("51016", "Client order ID already exists."),
    Why.UNKNOWN_ORDER: (
        "51400",
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
    ),
    Why.NO_FUNDS: ("51008", "Order failed. Insufficient USDT balance in account."),
    Why.TOO_MANY_ORDERS: ("51025", "Order count exceeds the limit."),
    Why.TOO_MANY_STOPS: ("51025", "Order count exceeds the limit."),
    Why.OFF_TICK: ("51000", "Parameter px error"),
    Why.OFF_LOT: ("51121", "Order quantity must be a multiple of the lot size."),
    Why.TOO_SMALL: ("51020", "Your order should meet or exceed the minimum order amount."),
    Why.TOO_LARGE: ("51005", "Order amount exceeds the limit."),
    Why.MARKET_TOO_LARGE: ("51202", "Market order amount exceeds the maximum amount."),
    Why.NOTIONAL: ("51020", "Your order should meet or exceed the minimum order amount."),
    Why.PRICE_TOO_HIGH: ("51137", "The highest price limit for buy orders is exceeded."),
    Why.PRICE_TOO_LOW: ("51138", "The lowest price limit for sell orders is exceeded."),
    Why.NOTHING_TO_REDUCE: (
        "51169",
        "Order failed because you don't have any positions to reduce in this direction.",
    ),
    Why.WRONG_POSITION_SIDE: ("51000", "Parameter posSide error"),
    Why.SAME_POSITION_MODE: ("0", ""),
    Why.POSITION_MODE_WITH_ORDERS: (
        "59000",
        "Settings failed. Close any open positions or orders before modifying settings.",
    ),
    Why.POSITION_MODE_WITH_POSITIONS: (
        "59000",
        "Settings failed. Close any open positions or orders before modifying settings.",
    ),
    Why.BAD_LEVERAGE: ("59102", "Leverage exceeds the maximum limit."),
}
PLIGHTS = {
    "too many": Refuse(429, "50011", "Too Many Requests"),
    "banned": Refuse(403, "403", "Forbidden"),
    "overloaded": Refuse(429, "50013", "Systems are busy. Please try again later."),
    "unknown outcome": Refuse(
        400,
        "50004",
        "API endpoint request timeout (does not mean that the request was successful or failed,"
        " please check the request result).",
    ),
    "maintenance": Refuse(503, "50001", "Service temporarily unavailable. Try again later."),
}
WRONG_SIDE = {
    ("sl", "SELL"): ("51280", "SL trigger price cannot be higher than the last price."),
    ("sl", "BUY"): ("51278", "SL trigger price cannot be lower than the last price."),
    ("tp", "SELL"): ("51279", "TP trigger price cannot be lower than the last price."),
    ("tp", "BUY"): ("51277", "TP trigger price cannot be higher than the last price."),
}


def worded(why: Refusal) -> Said:
    if why.why == Why.MALFORMED:
        return Said("51000", f"Parameter {why.about} error", 400)
    code, text = WORDS[why.why]
    return Said(code, text, 200)


def parameter(name: str) -> Said:
    return Said("51000", f"Parameter {name} error", 400)


def absent(name: str) -> Said:
    return Said("50014", f"Parameter {name} cannot be empty", 400)
