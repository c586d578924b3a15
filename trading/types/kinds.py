"""The kinds of what is traded and sent, one word each."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def held(self) -> str:
        """What a position opened on this side is called."""
        return "long" if self is Side.BUY else "short"


class Mode(StrEnum):
    """How far an approved decision goes: recorded only, to the paper venue, to a real one."""

    DRY_RUN = "dry_run"
    PAPER = "paper"
    LIVE = "live"


class OrderRole(StrEnum):
    """Why an order exists.  A stop cancels ENTRY orders only."""

    ENTRY = "entry"
    PROTECT = "protect"
    EXIT = "exit"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    """Becomes an order at market, or at `price`, when `stop_price` is touched, against us."""
    TARGET = "target"
    """Becomes an order at market, or at `price`, when `stop_price` is touched, for a profit."""


CONDITIONAL = frozenset({OrderType.STOP, OrderType.TARGET})
"""Types that wait for a price."""


class Targets(StrEnum):
    """Where the target of a position can rest."""

    DESK = "desk"
    """Nowhere: the desk keeps it."""
    BESIDE = "beside"
    """At the venue, as an order of its own beside the stop; both only reduce."""
    PAIRED = "paired"
    """At the venue, in one list with the stop: when one of them triggers or goes, so does the
    other."""


class Stops(StrEnum):
    """What a stop can be where a symbol is traded."""

    MARKET = "market"
    """An order at market once it is touched."""
    LIMIT = "limit"
    """Only an order with a limit once it is touched: beyond the limit nothing fills."""
    DESK = "desk"
    """None can rest: the desk keeps it."""


class OrderStatus(StrEnum):
    INTENT = "intent"
    """Written down, about to be sent.  After a crash: ask the venue."""
    OPEN = "open"
    UNKNOWN = "unknown"
    """Sent, and no answer.  Counts as full exposure until proven otherwise."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ABSENT = "absent"
    """The venue never had it, proven by repeated queries."""
    NOT_SENT = "not_sent"
    """Withheld by us (a halt, a full disk) before anything left."""

    is_terminal: bool
    """Nothing can happen to it any more."""


for _status in OrderStatus:
    _status.is_terminal = _status not in {
        OrderStatus.INTENT,
        OrderStatus.OPEN,
        OrderStatus.UNKNOWN,
    }


class ExitReason(StrEnum):
    STOP = "stop"
    TARGET = "target"
    TIME = "time"
    TRAIL = "trail"
    SIGNAL = "signal"
    HAND = "hand"
    FLATTEN = "flatten"
    EXTERNAL = "external"
    WRITTEN_OFF = "written_off"
    """Nobody trades it any more: booked out at nothing."""
    FORGOTTEN = "forgotten"
    """An order of ours did it, and the history that knew why is not there any more."""
