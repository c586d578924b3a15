"""How events read in a chat.  One function per event; what is in `SILENT` is not told."""

from __future__ import annotations

from handlers.alerts import (
    asked,
    books,
    desk,
    halts,
    limits,
    orders,
    positions,
    reports,
    traders,
    universe,
)
from handlers.alerts.fold import fold
from handlers.texts.describe import describe
from trading import events
from trading.events import Event

__all__ = [
    "SILENT",
    "asked",
    "books",
    "describe",
    "desk",
    "fold",
    "halts",
    "limits",
    "orders",
    "positions",
    "reports",
    "traders",
    "universe",
]

SILENT: frozenset[type[Event]] = frozenset({events.OrderSent, events.CycleEnded})
"""Each would be noise: what comes of it is told."""
