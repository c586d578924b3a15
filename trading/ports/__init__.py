"""What the core needs from the outside world, and nothing more."""

from trading.ports.files import Journal, LatchFile
from trading.ports.history import (
    LONGEST_BAR,
    RECENT_TRADES,
    Alert,
    Announce,
    AuditEntry,
    Books,
    Change,
    Store,
    Tidied,
    WritePriority,
    recent,
)
from trading.ports.market import Feed, FeedState, MarketScanner
from trading.ports.process import Meter, NoMeter, Offload, at_once
from trading.ports.venue import Leaving, Venue, unwatched

__all__ = [
    "LONGEST_BAR",
    "RECENT_TRADES",
    "Alert",
    "Announce",
    "AuditEntry",
    "Books",
    "Change",
    "Feed",
    "FeedState",
    "Journal",
    "LatchFile",
    "Leaving",
    "MarketScanner",
    "Meter",
    "NoMeter",
    "Offload",
    "Store",
    "Tidied",
    "Venue",
    "WritePriority",
    "at_once",
    "recent",
    "unwatched",
]
