"""What is wished, what is decided on it, and how what is open is left again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.common.frozen import fast_frozen
from trading.types.kinds import Side
from trading.types.market import Symbol
from trading.types.numbers import ONE, ZERO, is_price


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A strategy's wish for one symbol at one bar.  Risk decides what becomes of it.

    `side` is the direction to hold; `stop` and `target` are prices; `confidence` is 0..100.
    """

    symbol: Symbol
    side: Side
    bar: datetime
    price: Decimal
    stop: Decimal
    target: Decimal | None
    confidence: int
    reason: str
    limit: Decimal | None = None
    """Enter at this price or better, and rest until then; None: at market."""
    maker: bool = False
    """Rest at `limit` without taking, and take what is not filled in time."""
    size: Decimal = ONE
    """Times the usual size of an entry."""
    hold: timedelta | None = None
    """Market time after which the position is closed; None: as the trader's settings say."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class PartialExit:
    share: Decimal
    """Of the original size, above 0 and at most 1."""
    price: Decimal
    done: bool = False

    def __post_init__(self) -> None:
        if not (is_price(self.share) and self.share <= ONE):
            raise ValueError(f"a partial exit is a share above 0 and at most 1, not {self.share}")
        if not is_price(self.price):
            raise ValueError(f"a partial exit needs a price, not {self.price}")


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPlan:
    """Raises `ValueError` for what could never be carried out."""

    side: Side
    """Of the position: BUY for a long."""
    size: Decimal
    """Original quantity, unsigned: all that was ever entered; grows while the entry is filling."""
    entry: Decimal
    """Average entry price."""
    stop: Decimal | None
    target: Decimal | None = None
    deadline: datetime | None = None
    """Market time from which on the position is closed."""
    trail: Decimal | None = None
    """Distance that the stop keeps from the best price seen; None: it does not trail."""
    best: Decimal | None = None
    partials: tuple[PartialExit, ...] = ()
    break_even: bool = False
    """Move the stop to the entry after each partial exit."""
    confidence: int = 0
    """Of the signal that opened it, 0..100."""

    def __post_init__(self) -> None:
        if not self.size.is_finite() or self.size < ZERO:
            raise ValueError(f"a plan needs a size, not {self.size}")
        prices = (self.entry, self.stop, self.target, self.trail, self.best)
        for name, value in zip(_PRICES_OF_A_PLAN, prices, strict=True):
            if value is not None and not is_price(value):
                raise ValueError(f"{name} must be above 0, not {value}")
        if self.partials and sum((p.share for p in self.partials), ZERO) > ONE:
            raise ValueError("partial exits add up to more than the whole")


_PRICES_OF_A_PLAN = ("entry", "stop", "target", "trail", "best")
LEAVE = "|leave"


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Risk's answer to a signal, with its reason; recorded whether yes or no.

    Or what became of a strategy's wish to leave what is open: see `leaves`.
    """

    id: str
    """`trader|symbol|bar`: one answer per signal, also after a crash and a second look; of a wish
    to leave it ends in `LEAVE`."""
    trader: str
    symbol: Symbol
    bar: datetime
    at: datetime
    side: Side
    approved: bool
    reason: str
    signal: str
    confidence: int
    quantity: Decimal = ZERO
    risk: Decimal = ZERO
    """Loss at the stop, in quote currency."""
    order_id: str = ""

    @property
    def leaves(self) -> bool:
        """It is about closing what is open; `approved` says whether that was done."""
        return self.id.endswith(LEAVE)
