"""A venue on loopback that speaks Binance's protocol: spot, or USDT-margined perpetuals.

    async with ExchangeServer(market="swap") as venue:
        exchange = aim(ccxt.binanceusdm(), venue)
        venue.engine.set_book("BTCUSDT", bids=[(50_000, 2)], asks=[(50_010, 2)])
        venue.faults.on("POST", "*/order", DROP_REPLY)

The engine needs no sockets: `SpotEngine` and `SwapEngine` are synchronous, on a clock of the
test's.  As a process of its own: `python -m tests.servers.exchange` (see __main__.py).
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
    Recorded,
    Refuse,
    Swallow,
)
from tests.servers.exchange.refusals import Refusal
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
    "Recorded",
    "Refusal",
    "Refuse",
    "Rules",
    "SpotEngine",
    "Swallow",
    "SwapEngine",
    "Wish",
    "aim",
    "spot_rules",
    "swap_rules",
]
