"""How Binance words what goes wrong with the whole of it."""

from __future__ import annotations

from tests.servers.exchange.faults import Refuse

PLIGHTS = {
    "too many": Refuse(429, -1003, "Too many requests."),
    "banned": Refuse(418, -1003, "Way too many requests; IP banned."),
    "overloaded": Refuse(503, -1008, "Request throttled by system-level protection."),
    "unknown outcome": Refuse(
        503,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution"
        " status unknown.",
    ),
    "maintenance": Refuse(503, -1016, "This service is no longer available."),
}
