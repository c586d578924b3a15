"""What a trader shows of itself: plain values, true at one instant, safe to hand to any face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trading.common.frozen import fast_frozen
from trading.market.doubts import PriceDoubt
from trading.model.cover import Cover
from trading.model.halt import Halt
from trading.ports import FeedState
from trading.risk.cooldown import SymbolRest
from trading.risk.limits import Limits
from trading.types import (
    Decision,
    ExitPlan,
    ExitReason,
    MarketRules,
    Mode,
    Order,
    Position,
    Preview,
    Quote,
    Side,
    Symbol,
    Trade,
)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingView:
    """An open position with its plan and the price it was seen at."""

    position: Position
    plan: ExitPlan
    rules: MarketRules
    quote: Quote | None
    """None: no price is known."""
    age: timedelta | None
    stale: bool
    """The price is missing or too old to be believed: say `unknown`."""
    stop_on_venue: bool
    """A stop for the whole open quantity rests at the venue; else the desk keeps it."""
    target_on_venue: bool = False
    """Likewise its target."""
    untraded: str = ""
    """Why its venue does not trade it now, as a clause; empty: it does."""
    apart: bool = False
    """It is set aside: equity counts it at 0, or at its loss, until it is traded again."""
    cover: Cover = Cover()
    """What rests in fact, and why it is not all that should."""

    @property
    def profit(self) -> Decimal | None:
        """Open profit before fees, or None while the price is unknown."""
        if self.quote is None or self.stale or self.apart:
            return None
        return self.position.open_profit(self.quote.price)

    @property
    def share(self) -> Decimal | None:
        """Open profit over the money put in."""
        profit = self.profit
        if profit is None:
            return None
        return profit / (abs(self.position.quantity) * self.position.average_price)

    @property
    def at_stop(self) -> Decimal | None:
        """What the position comes to if its stop fills exactly, before fees."""
        return None if self.plan.stop is None else self.position.open_profit(self.plan.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The last scan: when it ended (wall), how long it took, and how many bars it handled."""

    at: datetime
    seconds: float
    bars: int
    decisions: int
    """Wishes of the strategy that were answered."""
    triggers: int = 0
    """What it saw happen, once for each symbol and bar, whether a wish followed or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan that somebody asked for, and what it found."""

    cycle: Cycle | None
    """None: it failed."""
    decisions: tuple[Decision, ...]
    problem: str = ""
    """Why it failed, and what that means for exits, as a clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is known of one symbol's price."""

    symbol: Symbol
    rules: MarketRules
    quote: Quote | None
    """None: no price is known."""
    age: timedelta | None
    """Market time."""
    stale: bool
    """The price is missing or too old to be believed."""
    day_open: Decimal | None
    """The price at which the risk day began, if that is known."""
    untraded: str = ""
    """Why the trader's venue does not trade it now, as a clause; empty: it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What an owner may accept: wallets that differ, orders of ours that prove nothing."""

    ours: Decimal
    venue: Decimal
    unproven: tuple[str, ...] = ()
    """Orders of ours that rest for what no fill proves to be ours, a clause each."""

    @property
    def amount(self) -> Decimal:
        """What the venue has more; negative: less."""
        return self.venue - self.ours


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskUsage:
    """How much of the whole desk's limits is used.  A limit that is None is not set."""

    max_exposure: Decimal | None
    max_positions: int | None
    max_daily_loss: Decimal | None
    exposure: Decimal | None
    """Share of the equity of all traders together; None while that is unknown."""
    positions: int
    day_loss: Decimal | None
    """Share of the day's first equity, positive for a loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One trader at one instant."""

    name: str
    mode: Mode
    quote: str
    """Currency of all money here, as in `USDT`."""
    strategy: str
    timeframe: timedelta
    limits: Limits
    ready: bool
    """Reconciled with the venue; before that no entry is made and figures may still change."""
    as_of: datetime
    """Wall time of this view."""
    market: datetime
    """Market time of this view; a replay's lies in the past."""
    replay_speed: float | None
    """None: the market is live."""
    equity: Decimal | None
    """None while a held price is unknown."""
    known_equity: Decimal
    """The last equity that was known, and when (wall)."""
    known_equity_at: datetime
    wallet: Decimal
    open_profit: Decimal | None
    """Of what is not set aside."""
    today: Decimal | None
    """Change since the day began, deposits aside."""
    day_start: Decimal
    week_start: Decimal
    peak: Decimal
    drawdown: Decimal | None
    """Share of the peak, positive."""
    exposure: Decimal
    """Notional of positions and entries under way, in quote currency."""
    exposures: Mapping[Symbol, Decimal]
    """The same by symbol."""
    holdings: tuple[HoldingView, ...]
    """Open positions, in the order in which they were opened."""
    orders: tuple[Order, ...]
    """Orders that have not ended."""
    halts: tuple[Halt, ...]
    """Halts that cover this trader; strictest first."""
    rest: str
    """The cooldown or block that holds entries back by itself, as a clause; empty if none."""
    symbol_rests: tuple[SymbolRest, ...]
    """Symbols that are not entered for a while after an exit; whose rest ends first, first."""
    feed: FeedState
    price_age: timedelta | None
    """Age of the newest price, market time."""
    asked_at: datetime | None
    """Wall time of the venue's last answer about orders; None: it was not asked yet."""
    day_ends_in: timedelta
    """Market time until the risk day is over."""
    venue_silent: timedelta | None
    """None: the venue answers; else for how long it has not."""
    unsaved: int
    """Facts that the database has not taken yet."""
    last_cycle: Cycle | None
    last_look: Cycle | None
    """The last scan that had a new candle."""
    cycle_every: timedelta
    """Wall time between two scans."""
    symbols: int
    """How many it trades."""
    trades_today: int
    """Round trips that were closed since the risk day began."""
    losses_in_row: int = 0
    """Losses in a row that still count towards a rest."""
    apart_profit: Decimal = Decimal(0)
    """What equity counts of positions that are set aside, over what was paid: 0 or a loss."""
    writes_off: bool = True
    """What is set aside can be written off; else its venue settles it."""
    untraded: Mapping[Symbol, str] = field(default_factory=dict)
    """Of the symbols of the settings those that its venue does not trade now, and why."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Of the strategy, as they were set."""
    desk: DeskUsage | None = None
    """None: the whole desk has no limits of its own."""
    blocked: str = ""
    """The part of `rest` that needs a person, such as books that differ; empty if nothing does."""
    delayed: str = ""
    """Why it is not `ready` although it has tried, as a clause; empty while it first tries."""
    holding_up: str = ""
    """What keeps a halt from being carried out, as a clause; empty if nothing is known to."""
    tries: int = 0
    """How often it was tried to carry the latest halt out."""
    unproven: str = ""
    """Why it may not be called flat although nothing of ours is open, as a clause."""
    doubts: tuple[PriceDoubt, ...] = ()
    """What is wrong with prices; what blocks entries first."""
    sources: tuple[str, ...] = ()
    """Where its prices come from, where several vote."""
    refused_until: datetime | None = None
    """Wall time at which the venue's ban ends, or the pause it asked for; None: it listens."""

    @property
    def halt(self) -> Halt | None:
        return self.halts[0] if self.halts else None

    @property
    def today_share(self) -> Decimal | None:
        """`today` over what the day began with."""
        return _share(self.today, self.day_start)

    @property
    def week(self) -> Decimal | None:
        """Change since the week began, deposits aside."""
        return None if self.equity is None else self.equity - self.week_start

    @property
    def week_share(self) -> Decimal | None:
        return _share(self.week, self.week_start)


def _share(change: Decimal | None, start: Decimal) -> Decimal | None:
    return change / start if change is not None and start > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What became of one trader's resting entries when it was halted."""

    trader: str
    cancelled: int
    total: int
    """Entries that rested (or were in flight) when the halt came."""
    unknown: int
    """Of those still alive: entries the venue has not answered for."""
    resting: int
    """Entries still alive."""
    confirmed: bool
    """Every entry we ever sent is known to have ended."""
    seconds: float
    tries: int
    problem: str
    """What the venue said, or that it is silent; empty when confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halting:
    """The answer to a pause, stop or flatten at the moment it is given."""

    halt: Halt
    earlier: Halt | None
    """The halt that was in force already, if it was at least as strict."""
    durable: bool
    """The database or the latch file has it; if not, a crash now would forget it."""
    swept: tuple[Swept, ...]
    """Per trader; empty for a pause."""
    flat: bool = False
    """Of a flatten: everything was closed before the answer was given."""
    closes: tuple[Trade, ...] = ()
    """What it has closed so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An entry by hand that risk would take now: what is shown before it is confirmed."""

    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    notional: Decimal
    stop: Decimal
    risk: Decimal
    """Loss at the stop, in quote currency."""
    most: Decimal
    """The largest notional that risk would take now."""
    bound: str
    """What keeps it from being larger, as people call it."""
    met: Preview | None = None
    """What it would meet at the venue; None: nobody has asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What a close did.  `known` is False while the venue has not answered: it may have sold."""

    order: Order
    """The last one of those that were sent."""
    symbol: Symbol
    asked: Decimal
    """What all of them were to close."""
    quantity: Decimal
    """Filled."""
    price: Decimal | None
    profit: Decimal | None
    """Of this part, after its exit fee."""
    trade: Trade | None
    """What the whole came to, once it is closed: after all its fees."""
    left: Decimal
    """Still open, unsigned."""
    reason: ExitReason
    known: bool
    problem: str
