"""What is sent, how it goes on, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading.common.frozen import fast_frozen, replace
from trading.types.kinds import OrderRole, OrderStatus, OrderType, Side
from trading.types.market import Symbol
from trading.types.numbers import ZERO
from trading.types.plans import ExitPlan


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of ours from intent to its end.  Changes by `replace`; `version` only grows."""

    id: str
    """Our client order id: random once, tagged with the desk, known to the venue."""
    trader: str
    symbol: Symbol
    side: Side
    type: OrderType
    role: OrderRole
    quantity: Decimal
    created_at: datetime
    price: Decimal | None = None
    """The limit; of a stop or target with one: what it goes by once it is touched."""
    stop_price: Decimal | None = None
    reduce_only: bool = False
    post_only: bool = False
    """Of a limit order: refused rather than filled at once.  Matters only on its way out, so
    history does not keep it."""
    reason: str = ""
    """Why it was sent: the signal's reason, or an `ExitReason`."""
    by: str = ""
    """Who asked for it, when a person did."""
    plan: ExitPlan | None = None
    """Of an ENTRY: how the position is meant to end; written down before it is sent."""
    status: OrderStatus = OrderStatus.INTENT
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    venue_id: str = ""
    note: str = ""
    """What the venue (or we) said of its end."""
    misfit: bool = False
    """It was refused for it did not fit the market's rules.  History does not keep it, nor"""
    triggered: bool = False
    """that the price it waited for was touched: its limit works now."""
    updated_at: datetime | None = None
    market_at: datetime | None = None
    """Market time of what caused it: the close of the bar in whose cycle it was sent, else when it
    was made; None: it is not one that we sent."""
    version: int = 1

    @property
    def level(self) -> Decimal | None:
        """The price that it waits for; None: it goes at market."""
        return self.price if self.stop_price is None else self.stop_price

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def is_alive(self) -> bool:
        return not self.status.is_terminal

    def changed(self, **changes: object) -> Order:
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]  # names are checked by replace itself


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A fact told by the venue.  `fee` is in quote currency, positive when paid."""

    id: str
    order_id: str
    trader: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    coins: Decimal = ZERO
    """What the venue kept of the coins that were bought, as a fee: they were filled, and are not
    in `quantity`.  History does not keep it."""
    fee_elsewhere: Decimal = ZERO
    """Of the fee, what was paid in another currency (BNB, say): the wallet does not show it.
    Matters when it is booked, so history does not keep it."""
    number: int = field(default=0, compare=False)
    """Its place among the fills of one moment, as the venue counts them; history does not keep it.
    0: the venue does not count."""

    @property
    def place(self) -> tuple[datetime, int]:
        """Fills sorted by this stand in the venue's order."""
        return self.at, self.number

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity * self.side.sign


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What a venue says of one order: its state and every fill it knows of."""

    order_id: str
    status: OrderStatus
    venue_id: str = ""
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    note: str = ""
    order: Order | None = None
    """The order as the venue holds it, for those that we do not know."""
    triggered: bool = False
    """Of what waited for a price: it was touched, and the order works now."""
