"""A venue on loopback that speaks an exchange's protocol: spot, or linear perpetuals.

    async with ExchangeServer(exchange="binance", market="swap") as venue:
        exchange = aim(ccxt.pro.binanceusdm(), venue)
        venue.engine.set_book("BTCUSDT", bids=[(50_000, 2)], asks=[(50_010, 2)])
        venue.faults.on("POST", "*/order", DROP_REPLY)

The engine needs no sockets: `SpotEngine` and `SwapEngine` are synchronous, on a clock of the
test's.  Each exchange is a wire (wires/README.md).  As a process of its own:
`python -m tests.servers.exchange` (see __main__.py).
"""

from tests.servers.exchange.access import NO_FUTURES, OWNER, READER, ApiKey
from tests.servers.exchange.aiming import aim
from tests.servers.exchange.faults import (
    BANNED,
    DROP_REPLY,
    MAINTENANCE,
    OVERLOADED,
    TOO_MANY,
    UNKNOWN_OUTCOME,
    Close,
    Fault,
    FaultPlan,
    Garble,
    Hold,
    Plight,
    Recorded,
    Refuse,
    Swallow,
)
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.rules import Rules, spot_rules, swap_rules
from tests.servers.exchange.server import ExchangeServer
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Wish

__all__ = [
    "BANNED",
    "DROP_REPLY",
    "MAINTENANCE",
    "NO_FUTURES",
    "OVERLOADED",
    "OWNER",
    "READER",
    "TOO_MANY",
    "UNKNOWN_OUTCOME",
    "ApiKey",
    "Close",
    "ExchangeServer",
    "Fault",
    "FaultPlan",
    "Garble",
    "Hold",
    "Plight",
    "Recorded",
    "Refusal",
    "Refuse",
    "Rules",
    "SpotEngine",
    "Swallow",
    "SwapEngine",
    "Why",
    "Wish",
    "aim",
    "spot_rules",
    "swap_rules",
]
