"""What an account has: what is open, what is closed, what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from trading.common.frozen import fast_frozen
from trading.types.kinds import ExitReason, Side
from trading.types.market import Symbol
from trading.types.numbers import ZERO


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a venue holds of one symbol for an account, by side; unsigned.

    Only in hedge mode can both be above 0.
    """

    long: Decimal = ZERO
    short: Decimal = ZERO

    @classmethod
    def of(cls, signed: Decimal) -> Self:
        return cls(long=max(signed, ZERO), short=max(-signed, ZERO))

    def on(self, side: Side) -> Decimal:
        return self.long if side is Side.BUY else self.short

    @property
    def net(self) -> Decimal:
        """Signed; what both sides come to together."""
        return self.long - self.short


class MovementKind(StrEnum):
    FUNDING = "funding"
    """Paid or received for holding a perpetual."""
    TRANSFER = "transfer"
    """A deposit, a withdrawal, or money moved between accounts by hand."""
    LIQUIDATION = "liquidation"
    """A fee or loss that a forced close brought, beside its fills."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that came or went without a fill of ours, in quote currency; negative when it went."""

    id: str
    kind: MovementKind
    amount: Decimal
    at: datetime
    symbol: Symbol | None = None
    """Of funding."""


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open position: signed quantity, and the sums that make a `Trade` of it when flat."""

    trader: str
    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    opened_at: datetime
    id: str
    """The id of the order whose fill opened it."""
    entered: Decimal
    """Total quantity that was ever added, unsigned."""
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    """Sum of quantity x price over the exits."""
    profit: Decimal = ZERO
    """Realised so far, before fees."""
    fees: Decimal = ZERO
    paced_from: datetime | None = None
    """Close of the bar in which its entry counts; None: `opened_at` is all that is known."""
    version: int = 1

    @property
    def side(self) -> Side:
        return Side.BUY if self.quantity > ZERO else Side.SELL

    def open_profit(self, price: Decimal) -> Decimal:
        """Unrealised profit at *price*, before fees, in quote currency."""
        return self.quantity * (price - self.average_price)

    def notional(self, price: Decimal) -> Decimal:
        return abs(self.quantity) * price

    def ends_at(self, price: Decimal) -> Decimal:
        """What its trade comes to if all that is open ends at *price*, after the fees so far."""
        return self.profit + self.open_profit(price) - self.fees


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A closed round trip.  `profit` is after fees, in quote currency."""

    id: str
    trader: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    opened_at: datetime
    closed_at: datetime
    profit: Decimal
    fees: Decimal
    reason: ExitReason
    by: str = ""
    """Who closed it, when a person did."""
    rest_from: datetime | None = None
    """Close of the bar from which rests run: the one whose cycle closed it, else the one that holds
    the fill; None: it was closed before this was kept."""
    paced_from: datetime | None = None
    """As of its position."""

    @property
    def rests_from(self) -> datetime:
        """Market time from which the rests after it run, the same live and in a backtest."""
        return self.rest_from or self.closed_at

    @property
    def share(self) -> Decimal:
        """Profit after fees over the money put in."""
        cost = self.quantity * self.entry_price
        return self.profit / cost if cost else ZERO


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What a trader must remember besides orders and positions."""

    trader: str
    capital: Decimal
    wallet: Decimal
    """Capital plus all realised profit, less fees; open profit is not in it."""
    peak: Decimal
    """Highest equity seen, the base of the drawdown."""
    day: date
    day_start: Decimal
    """Equity at 00:00 of `day` in the desk's time zone."""
    week: date
    """The Monday of the running week."""
    week_start: Decimal
    cursor: datetime | None = None
    """Close time of the last bar handled."""
    offset: Decimal | None = None
    """Money at the venue that is not this trader's, in quote currency; None: never measured."""
    equal_at: datetime | None = None
    """Wall time at which the venue's money was last explained in full: what moved later is news."""
    version: int = 1


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    trader: str
    at: datetime
    equity: Decimal
    wallet: Decimal
    exposure: Decimal
