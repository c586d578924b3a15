"""The nouns of trading.  Immutable, exact (`Decimal`), and free of I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Self

from trading.common.frozen import fast_frozen, replace
from trading.errors import InvalidSymbol, Refused

ZERO = Decimal(0)
ONE = Decimal(1)


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


class Symbol(NamedTuple):
    """A tuple, as all books are kept by symbol: to hash a dataclass takes seven times as long."""

    base: str
    quote: str

    @classmethod
    def parse(cls, text: str) -> Self:
        base, slash, quote = text.strip().upper().partition("/")
        if not (base.isalnum() and slash and quote.isalnum()):
            raise InvalidSymbol(text)
        return cls(base, quote)

    @property
    def coin(self) -> str:
        """What its base is made of: PEPE, also of 1000PEPE."""
        return _coin(self.base)

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


_BY_THE_THOUSAND = re.compile(r"^(10{3,}|1M)(?=[A-Z])")
"""How perpetuals are called whose coin costs next to nothing: 1000SHIB, 1MBABYDOGE."""


@lru_cache(maxsize=4096)
def _coin(base: str) -> str:
    return _BY_THE_THOUSAND.sub("", base)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """What a venue accepts for one symbol.  Units: price in quote, lot in base."""

    tick: Decimal
    lot: Decimal
    min_notional: Decimal = ZERO
    max_quantity: Decimal | None = None
    """Largest market order; what is more goes in slices.  None: any."""
    min_quantity: Decimal = ZERO
    """Smallest order."""
    stops: Stops = Stops.MARKET

    def price(self, value: Decimal | float) -> Decimal:
        """Round *value* to the tick, half to even."""
        return _to_step(Decimal(repr(value)) if isinstance(value, float) else value, self.tick)

    def shown_price(self, value: Decimal) -> Decimal:
        """As `price`; where nobody told the tick, with as many decimals as it needs."""
        price = self.price(value)
        return plain(price) if self.tick == FINEST.tick else price

    def quantity(self, value: Decimal) -> Decimal:
        """Round *value* towards zero to the lot: never more than was asked."""
        return (value / self.lot).to_integral_value(ROUND_DOWN) * self.lot

    def tightest(self, stop: Decimal, side: Side) -> Decimal:
        """Bring the *stop* of a position on *side* on to the tick, towards the market."""
        rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
        return (stop / self.tick).to_integral_value(rounding) * self.tick

    def objection(self, quantity: Decimal, price: Decimal, *, cash: bool) -> str:
        """Why no order of *quantity* that reduces at *price* would be taken, as a clause.

        Empty: nothing here speaks against it.  What is marked reduce-only may be worth little.
        """
        least = max(self.lot, self.min_quantity)
        if quantity < least:
            return f"{quantity:f} is less than the venue's smallest order, {least:f}"
        if cash and quantity * price < self.min_notional:
            worth = (quantity * price).quantize(Decimal("0.01"))
            return f"it is worth {worth}, less than the venue's least of {self.min_notional:f}"
        return ""

    @property
    def shown(self) -> MarketRules:
        """The steps to show figures by."""
        return self


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Untraded:
    """In place of rules: the venue does not trade the symbol now, and nothing can be sent.

    Delisted, renamed, moved, halted: what it is called there does not matter to our money.
    """

    why: str
    """A clause, as in `OLD/USDT is not traded on binance: it is not listed there`."""
    shown: MarketRules
    """The steps to show figures by: the last ones known, else as fine as any."""

    def objection(self, quantity: Decimal, price: Decimal, *, cash: bool) -> str:
        """As that of rules: no order at all is taken."""
        return self.why


Rules = MarketRules | Untraded
"""Of one symbol at one venue.  Who sends something has to decide what to do without any."""


def traded(rules: Rules) -> MarketRules:
    """To act by.  Raises `Refused` where nothing can be sent."""
    if isinstance(rules, Untraded):
        raise Refused(rules.why)
    return rules


FINEST = MarketRules(tick=Decimal("1e-8"), lot=Decimal("1e-8"))
"""To show figures by where nobody has told their steps; nothing can be sent by these."""


def plain(value: Decimal) -> Decimal:
    """The same without zeros at its end."""
    short = value.normalize()
    return short.quantize(ONE) if int(short.as_tuple().exponent) > 0 else short


def _to_step(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_HALF_EVEN) * step


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The last known price of a symbol, and when the market made it (aware UTC)."""

    symbol: Symbol
    price: Decimal
    at: datetime


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
class Depth:
    """The near side of an order book: best prices, and what lies within 20 bps of the middle."""

    bid: Decimal
    ask: Decimal
    bids: Decimal
    """Value of the bids there, in quote currency."""
    asks: Decimal
    at: datetime

    @property
    def is_usable(self) -> bool:
        """Whether both sides have prices, and in their order; a side without any has 0."""
        return ZERO < self.bid <= self.ask

    @property
    def spread(self) -> Decimal:
        """As a share of the middle."""
        return (self.ask - self.bid) * 2 / (self.ask + self.bid)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an order at market would meet at its venue now; in quote currency, None: unknown."""

    price: Decimal | None = None
    """Average of its fills, if nobody else comes first."""
    fee: Decimal | None = None
    """Of those fills, before discounts that the venue does not tell."""
    margin: Decimal | None = None
    """Money that it binds while it is open; what is bought in full binds all it is worth."""
    free: Decimal | None = None
    """Money that nothing binds yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What trading on paper costs; the defaults are those of the settings."""

    slippage: Decimal = Decimal("0.0005")
    """Share of the price lost by each market order."""
    commission: Decimal = Decimal("0.001")
    """Share of each fill's value."""
    commission_per_unit: Decimal = ZERO
    """Quote currency per base unit."""
    participation: Decimal = Decimal("0.10")
    """Share of a candle's volume that one order can take."""


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
        if not (_is_price(self.share) and self.share <= ONE):
            raise ValueError(f"a partial exit is a share above 0 and at most 1, not {self.share}")
        if not _is_price(self.price):
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
            if value is not None and not _is_price(value):
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


def _is_price(value: Decimal) -> bool:
    return value.is_finite() and value > ZERO
