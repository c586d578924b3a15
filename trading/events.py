"""Facts about what has happened.  Past tense, frozen, dated by the wall clock, never vetoed.

Each carries what its announcement needs, already rounded to the market's tick and lot.
`handlers/alerts/` decides how each reads, or that it is silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from trading.market.doubts import PriceDoubt
from trading.model.halt import Halt, Reached
from trading.stats.curve import Curve
from trading.types import ExitReason, Mode, Order, OrderStatus, Side, Symbol, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: datetime
    origin: str = ""
    """The chat that did it and was answered there, as in `telegram:111`: it is not told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderEvent(Event):
    trader: str
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolEvent(TraderEvent):
    symbol: Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSent(SymbolEvent):
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionOpened(SymbolEvent):
    side: Side
    quantity: Decimal
    ordered: Decimal
    """What was asked for; more than `quantity` while the entry is still filling."""
    price: Decimal
    equity: Decimal
    stop: Decimal | None
    target: Decimal | None
    risk: Decimal
    """Loss at the stop, in quote currency."""
    confidence: int
    placing: bool = False
    """The stop was written down with the fill, and goes to the venue next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReduced(SymbolEvent):
    side: Side
    quantity: Decimal
    left: Decimal
    price: Decimal
    profit: Decimal
    """Of this part, after its exit fee."""
    reason: ExitReason
    by: str
    next_price: Decimal | None
    """Where the rest is meant to go, if the plan has a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionClosed(SymbolEvent):
    trade: Trade
    today: Decimal | None
    """Change of equity since the day began; None while a price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMoved(SymbolEvent):
    old: Decimal
    new: Decimal
    why: str
    """`entry`, `trailing` or who moved it."""
    on_venue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused(SymbolEvent):
    """The venue refused an order, for good."""

    order: Order
    said: str
    open_quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnknown(SymbolEvent):
    order: Order
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResolved(SymbolEvent):
    order: Order
    outcome: OrderStatus
    took: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprotected(SymbolEvent):
    """No stop rests at the venue for (all of) what is open; the desk keeps watch itself."""

    quantity: Decimal
    """All that is open."""
    reason: str
    covered: Decimal = Decimal(0)
    """Of it, what a stop rests for all the same."""
    since: datetime | None = None
    """Wall time since which nothing rests; None: something does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStays(SymbolEvent):
    """An older stop rests, because the one that is wanted could not replace it."""

    quantity: Decimal
    price: Decimal
    wanted: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsAreLimits(TraderEvent):
    """These take no stop at market: beyond the limit nothing is sold while the desk is down."""

    symbols: tuple[Symbol, ...]
    gap: Decimal
    """Share of the stop's price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitSentAgain(SymbolEvent):
    """The venue never had an exit that was sent: another one was, with an id of its own."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitDropped(SymbolEvent):
    """The venue never had an exit that was sent, and it was not sent again."""

    order: Order
    why: str
    stop: Decimal | None
    """Where the stop rests that was put back; None: none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected(SymbolEvent):
    """A stop rests again after an `Unprotected`."""

    quantity: Decimal
    stop: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionUnsaved(SymbolEvent):
    """An exit or a stop was sent, and neither history nor the fallback journal has it in time."""

    order: Order
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionLate(SymbolEvent):
    """An exit or a stop was sent before it was saved, and is saved by now.  Told once an hour."""

    order: Order
    waited: timedelta
    others: int
    """How many more there were since this was last told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside(SymbolEvent):
    """A symbol that is held is not traded now: it counts at 0, or at its loss."""

    why: str
    """A clause."""
    quantity: Decimal
    """Unsigned."""
    cost: Decimal
    """What was paid for it, in quote currency."""
    moved: Decimal
    """By how much equity, day, week and peak moved, in quote currency."""
    written_off: bool
    """A person may book it out; else the venue settles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedAgain(SymbolEvent):
    """What was set aside is traded again."""

    moved: Decimal
    """By how much day, week and peak moved back, in quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksDiffered(SymbolEvent):
    ours: Decimal
    venue: Decimal
    done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrderSeen(SymbolEvent):
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersFound(SymbolEvent):
    """The venue has orders of ours that history lacked; what they did is booked now."""

    orders: int
    held: Decimal
    """Signed, afterwards: entries less exits, by fills."""
    stop: Decimal | None
    stop_made: bool
    """None rested: it is as far away as for an entry by hand."""
    lost: tuple[str, ...]
    """What the plan had besides, as in `trailing stop`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersUnproven(SymbolEvent):
    """An order of ours rests for what no fill proves to be ours: left alone, entries wait."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignHoldingSeen(SymbolEvent):
    """Coins on a cash account beside ours: the operator's own, left alone."""

    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingBooked(SymbolEvent):
    """Paid or received for holding a perpetual; it counts as profit or loss."""

    amount: Decimal
    """In quote currency, negative when paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSeen(TraderEvent):
    """A deposit or withdrawal: it lies beside our money and changes no figure of ours."""

    amount: Decimal
    """In quote currency, negative when it went."""
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationBooked(TraderEvent):
    """A forced close cost money beside its fills."""

    amount: Decimal
    """In quote currency, negative when it went."""
    quote: str
    symbol: Symbol | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DustLeft(SymbolEvent):
    """What was too small for the venue to sell is booked out at the last price and stays there."""

    quantity: Decimal
    worth: Decimal
    """In quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryGivenUp(SymbolEvent):
    """An entry did not fill in time, and its rest is not taken any more."""

    filled: Decimal
    ordered: Decimal
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionPaused(SymbolEvent):
    """A cash account's stop had to go before the sale, and it took longer than a moment."""

    quantity: Decimal
    lasted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownReached(TraderEvent):
    drawdown: Decimal
    """Share of the peak, positive: 0.05 is a fall of 5 %."""
    equity: Decimal
    peak: Decimal
    limit: Decimal
    open_profit: Decimal
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNear(TraderEvent):
    """Four fifths of a loss limit are used."""

    kind: str
    """`day`, `week` or `drawdown`."""
    lost: Decimal
    """In quote currency, positive."""
    limit: Decimal
    """In quote currency, positive."""
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodEnded(TraderEvent):
    """A risk day or week is over: its report."""

    kind: str
    """`day` or `week`."""
    first: date
    last: date
    profit: Decimal
    """Change of equity."""
    start: Decimal
    """Equity that it began with."""
    equity: Decimal
    quote: str
    trades: tuple[Trade, ...]
    """Those closed in it, newest first."""
    curve: Curve | None = None
    """How equity went; None where history did not tell quickly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSlow(TraderEvent):
    seconds: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLost(TraderEvent):
    silent: timedelta
    refused_until: datetime | None = None
    """Wall time at which the venue's ban ends; None: it is only silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueBack(TraderEvent):
    gap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderCrashed(TraderEvent):
    """Its loops broke on our side; stops at the venue stay, it is started again."""

    reference: str
    again_in: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderRestarted(TraderEvent):
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CooldownBegan(TraderEvent):
    """Ends by itself; not a halt."""

    why: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChange:
    """A symbol that has entered a universe, left it, or changed its tier."""

    symbol: Symbol
    before: int | None
    """Number of its tier; None, here and below: outside."""
    after: int | None
    why: str
    """Why it is outside, as a clause; empty if it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseChanged(TraderEvent):
    changes: tuple[TierChange, ...]
    size: int
    """Symbols that may be entered now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFailed(TraderEvent):
    """The last survey of the market is too old by now: what was only discovered is not entered."""

    why: str
    age: timedelta | None
    """Of the last survey (market time); None: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRecovered(TraderEvent):
    size: int
    """Symbols that may be entered now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltEngaged(TraderEvent):
    halt: Halt
    above: tuple[Halt, ...] = ()
    """Stricter halts that hold some of its traders already, the strictest first."""
    hidden: bool = False
    """Of every trader that it covers something stricter holds: it changes nothing by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltAdvanced(TraderEvent):
    halt: Halt
    reached: Reached
    left_open: tuple[Symbol, ...]
    closes: tuple[Trade, ...] = ()
    """Of FLAT: what was closed on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltDelayed(TraderEvent):
    """A stage is still unconfirmed after a minute, and then each hour."""

    halt: Halt
    why: str
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltLifted(TraderEvent):
    halt: Halt


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEnded(TraderEvent):
    """A replay has no more candles."""

    last_bar: datetime
    open_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLost(TraderEvent):
    silent: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedBack(TraderEvent):
    gap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesDoubted(TraderEvent):
    """Something is wrong with prices; told once, however long it lasts."""

    doubt: PriceDoubt


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesCleared(TraderEvent):
    """What was wrong with prices is over."""

    doubt: PriceDoubt
    lasted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFailed(TraderEvent):
    """A cycle broke on our side."""

    reference: str
    protected: bool = False
    """Exits and stops were seen to before it broke; else they are tried again in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleEnded(TraderEvent):
    bars: int
    decisions: int
    seconds: float
    equity: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesBlocked(TraderEvent):
    """The desk takes no entries until something is in order again; not a halt."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesFreed(TraderEvent):
    """What blocked entries is in order again."""

    was: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersAccepted(TraderEvent):
    """An owner took orders with our tag, and what they rest for, for not ours."""

    what: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceAccepted(TraderEvent):
    """An owner took the venue's wallet over, with a difference that no trade explains."""

    amount: Decimal
    """What the venue had more than our books."""
    wallet: Decimal
    """As it is now, in both."""
    quote: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDelayed(TraderEvent):
    """Its books cannot be compared with the venue's, so it does not trade; tried on and on."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderStarted(TraderEvent):
    took: timedelta
    down_for: timedelta | None
    """None: the first start with this state folder."""
    clean: bool
    """Whether the process before this one ended by itself."""
    positions: int
    orders: int
    unknown: int
    """Orders that were in doubt, and are resolved now."""
    missed_fills: int
    differs: str
    """What our books and the venue's still disagree about; empty if they are equal."""
    halt: Halt | None
    place: str = ""
    """Where real orders go, as in `binance swap`; empty where none do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReached(Event):
    """A price that somebody asked to be told about."""

    symbol: Symbol
    price: Decimal
    above: bool
    """Whether it had to rise to `level`; else to fall."""
    level: Decimal
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBroken(Event):
    """An alert rule of the settings holds."""

    name: str
    condition: str
    value: Decimal | bool
    action: str
    """`notify`, `pause` or `stop`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRestored(Event):
    name: str
    condition: str
    lasted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsReloaded(Event):
    by: str
    changes: tuple[str, ...]
    """As in `traders.majors.limits.risk_per_trade 0.003 to 0.0025`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRefused(Event):
    mistakes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLagged(Event):
    """The process was too busy to answer for a while."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """The machine's wall clock was set; waits are measured by another clock and go on."""

    by: timedelta
    """Positive: forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillAlive(Event):
    """A heartbeat: silence means that the desk is down."""

    since: timedelta
    scans: int
    errors: int
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertUnanswered(Event):
    """Nobody acknowledged a critical alert; the other owners hear of it."""

    title: str
    said_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLost(Event):
    """A chat platform, or one chat of it, is out of reach; the others hear of it."""

    chat: str
    """As in `Telegram`, or `Telegram chat 111`."""
    why: str
    """A clause: `its token is refused`."""
    silent: timedelta
    own: tuple[str, ...]
    """The chats that are lost, as in `telegram:111`: they are not told of themselves."""
    whole: bool = True
    """The whole platform; else one chat of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBack(Event):
    chat: str
    gap: timedelta
    own: tuple[str, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFailed(Event):
    """The database does not take what must be remembered."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLost(Event):
    """Its file is not where it was: what is written into it, no start will find."""

    why: str
    rescued: str
    """The name of a copy of all that was written; empty if none could be made."""
    is_damaged: bool = False
    """It is where it was, and nothing can be put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRefused(Event):
    """The database takes everything but one change; that one waits beside the others."""

    why: str
    what: str
    """As in `1 order, 2 fills`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecovered(Event):
    waited: timedelta
    left: int = 0
    """Changes that it still does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskStopping(Event):
    by: str
    open_positions: tuple[Symbol, ...]
    unprotected: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerSeen(Event):
    """Somebody without a role spoke to us; their words are not kept."""

    who: str
    where: str
