"""How Kraken says no: a list of `E<category>:<text>`, nearly always with HTTP 200.

Source: the errors of its documentation as ccxt's class has them (`exceptions`), and its comments.
There is no document of what is said of a client id that is taken, and of a trigger that is reached
already: those words are ours.
"""

from __future__ import annotations

from tests.servers.exchange.faults import Refuse
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.wires.base import Said

TEXTS = {
    Why.UNKNOWN_SYMBOL: "EQuery:Unknown asset pair",
    Why.HALTED: "EService:Market in cancel_only mode",
    Why.BAD_TYPE: "EGeneral:Invalid arguments:ordertype",
    Why.DUPLICATE_ID: "EOrder:Duplicate cl_ord_id",
    Why.UNKNOWN_ORDER: "EOrder:Unknown order",
    Why.NO_FUNDS: "EOrder:Insufficient funds",
    Why.TOO_MANY_ORDERS: "EOrder:Orders limit exceeded",
    Why.TOO_MANY_STOPS: "EOrder:Orders limit exceeded",
    Why.OFF_TICK: "EOrder:Tick size check failed",
    Why.OFF_LOT: "EGeneral:Invalid arguments:volume",
    Why.TOO_SMALL: "EGeneral:Invalid arguments:volume minimum not met",
    Why.TOO_LARGE: "EGeneral:Invalid arguments:volume",
    Why.MARKET_TOO_LARGE: "EGeneral:Invalid arguments:volume",
    Why.NOTIONAL: "EOrder:Cost minimum not met",
    Why.PRICE_TOO_HIGH: "EOrder:Invalid price",
    Why.PRICE_TOO_LOW: "EOrder:Invalid price",
    Why.WOULD_TRIGGER: "EOrder:Invalid price",
}
PLIGHTS = {
    "too many": Refuse(200, "EAPI", "EAPI:Rate limit exceeded"),
    "banned": Refuse(200, "EGeneral", "EGeneral:Temporary lockout"),
    "overloaded": Refuse(200, "EService", "EService:Busy"),
    "unknown outcome": Refuse(200, "EService", "EService:Timeout"),
    "maintenance": Refuse(200, "EService", "EService:Unavailable"),
}
REASONS: dict[str, str] = {
    Why.WOULD_TAKE: "Post only order",
    Why.CANNOT_FILL: "Could not be filled",
    Why.NO_FUNDS: "Insufficient funds",
}
"""Of an order that was taken, and ended at once."""


def said(text: str) -> Said:
    return Said(text.partition(":")[0], text, 200)


def worded(why: Refusal) -> Said:
    if why.why == Why.MALFORMED:
        return malformed(str(why.about))
    return said(TEXTS[Why(why.why)])


def malformed(name: str) -> Said:
    return said(f"EGeneral:Invalid arguments:{name}")
