"""Point a ccxt exchange at the venue."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.access import OWNER, ApiKey
from tests.servers.exchange.server import ExchangeServer


def aim(exchange: Any, server: ExchangeServer, key: ApiKey = OWNER) -> Any:
    """Rewrite every URL to the venue's and set the key; returns the same exchange."""
    server.wire.aim(exchange, server, key)
    return exchange
