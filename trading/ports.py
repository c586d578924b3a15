"""What the core needs from the outside world, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Protocol, TypeVar

from trading.common.frozen import fast_frozen
from trading.events import Event
from trading.market.candles import Candles
from trading.market.doubts import PriceDoubt
from trading.market.universe import MarketScan, Universe
from trading.model.halt import Halt, Permit, TraderHalt
from trading.stats.daybook import DayBook
from trading.types import (
    AccountState,
    Costs,
    Decision,
    Depth,
    EquityPoint,
    ExitPlan,
    Fill,
    Held,
    Movement,
    Order,
    OrderReport,
    Position,
    Preview,
    Quote,
    Rules,
    Side,
    Symbol,
    Targets,
    Trade,
)

T = TypeVar("T")

# -- beside the loop ----------------------------------------------------------------------


class Offload(Protocol):
    """Does what takes long while the event loop goes on; `asyncio.to_thread` is one."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


async def at_once(work: Callable[[], T], /) -> T:
    """A `Offload` for a world in which nobody waits, as in a backtest."""
    return work()


# -- the market ---------------------------------------------------------------------------


class FeedState(StrEnum):
    LIVE = "live"
    STALE = "stale"
    ENDED = "ended"
    """A replay that has no more candles; not a fault."""


class Feed(Protocol):
    """Where prices come from: closed candles on one timeframe, and the latest quote."""

    name: str

    @property
    def sources(self) -> Sequence[str]:
        """Names of the feeds that vote about its prices; empty: it is one by itself."""
        ...

    @property
    def speed(self) -> float | None:
        """Market time against wall time; None: they are the same, prices come at any moment."""
        ...

    @property
    def symbols(self) -> Sequence[Symbol]: ...

    @property
    def first_cursor(self) -> datetime:
        """Where a trader without a cursor begins: the warm-up lies before it."""
        ...

    def now(self) -> datetime:
        """Market time."""
        ...

    def resume(self, cursor: datetime) -> None:
        """Start (or go on) at *cursor*; a replay never shows a bar twice to a saved cursor."""
        ...

    def handled(self, bar: datetime) -> None:
        """All that *bar* brought about is done: a replay's time goes on to the close of the next.

        Until then it stands at the close of *bar*, as it does in a backtest; a live market waits
        for nobody.
        """
        ...

    async def closes(self, after: datetime) -> Sequence[datetime]:
        """Fetch what is missing; return the close times after *after* so far, in order.

        Of a replay also those of bars that have closed while its time stood at one of them.

        Raises `VenueUnavailable` when prices cannot be had.
        """
        ...

    def candles(self, until: datetime, bars: int) -> Candles:
        """The last *bars* candles closed at or before *until*, for all symbols."""
        ...

    def quote(self, symbol: Symbol, at: datetime | None = None) -> Quote | None:
        """The last price known at market time *at* (default: now); None if there is none.

        What is held is worth that, and exits go by it, whatever `objection` says.
        """
        ...

    def objection(self, symbol: Symbol) -> str:
        """Why nothing may be entered on its prices of *symbol* now, as a clause; empty: it may."""
        ...

    def doubts(self) -> Sequence[PriceDoubt]:
        """What is wrong with its prices now; those of one kind and source as one."""
        ...

    def state(self) -> FeedState: ...

    async def follow(self, symbols: Sequence[Symbol]) -> None:
        """Show *symbols* from now on, and no others; a recording shows all it has.

        One whose candles cannot be had joins when it is asked for again.
        """
        ...

    async def close(self) -> None:
        """Let go of whatever is open; harmless when nothing is."""
        ...


Leaving = Callable[[], None]
"""Told that a request leaves now; keeps nothing back."""


def unwatched() -> None:
    """Nobody asks when it leaves."""


class MarketScanner(Protocol):
    """Looks at every market there is, so that a trader can find its symbols."""

    by_bars: bool
    """It knows every moment of its market and answers at once, as a recording does."""

    async def scan(self, at: datetime, of: Universe) -> MarketScan:
        """All markets at market time *at*; what costs much is asked for candidates of *of* only.

        Raises `VenueUnavailable` when it cannot be had: then nothing is known, not even a part.
        """
        ...

    async def close(self) -> None:
        """Let go of whatever is open; harmless when nothing is."""
        ...


class Venue(Protocol):
    """Where orders go.  One object per account.

    Every answer about an order is a `OrderReport`; each of its fills has the venue's id, so hearing
    twice changes nothing.  What the venue says unasked goes to the listener, in order.
    """

    name: str
    window: float
    """Seconds after which a request that is not found can no longer arrive: its validity plus
    the clocks' skew; 0 where nothing can be under way."""
    cash: bool
    """What is bought is paid in full and lies beside the operator's own coins (spot): a resting
    stop locks what it would sell."""
    targets: Targets
    """Where a target can rest."""
    shows_books: bool
    """It has order books to look at: one is looked at before each entry."""
    writes_off: bool
    """What it trades no more stays until a person books it out; else it is settled there."""

    @property
    def reduce_only(self) -> bool:
        """It can be told that an order must not open anything."""
        ...

    @property
    def costs(self) -> Costs | None:
        """By which fills are made up here; None: they are the market's, and `preview` asks."""
        ...

    @property
    def interruptions(self) -> int:
        """How often what the venue says unasked broke off: after each one, compare."""
        ...

    @property
    def refuses_until(self) -> datetime | None:
        """Wall time at which a ban ends, or a pause that the venue asked for; None: it listens."""
        ...

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        """Connect (or load the durable book)."""
        ...

    async def close(self) -> None: ...

    async def catch_up(self, until: datetime) -> None:
        """Let everything that happened up to market time *until* reach the listener."""
        ...

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        """Send *order*; call *permit* after the last wait, immediately before it leaves.

        Raises `Halted` (from the permit), `VenueRejected`, also for what cannot be done here,
        `VenueMisfit` for what its rules do not take, `VenueUnavailable` (nothing happened) or
        `VenueUncertain` (it may have); the latter also for an id that was sent before, and then
        nothing is sent.
        """
        ...

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        """As `place`, both in one list; refused or lost as a whole.

        Raises `VenueRejected` where `targets` is not PAIRED.
        """
        ...

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        """Cancel; an order that has already ended is reported as it ended.

        Call *leaving* after the last wait, immediately before the request leaves.

        Raises `VenueUnavailable`, `VenueUncertain`, or `VenueRejected` if it is not known.
        """
        ...

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        """Book *order* out at *price*, although nobody trades its symbol; nothing is sent.

        Raises `VenueRejected` where not `writes_off`.
        """
        ...

    async def find(self, order: Order) -> OrderReport | None:
        """Ask by our id in orders, open orders and trades.  None: not found in any of them."""
        ...

    async def open_orders(self) -> Sequence[OrderReport]:
        """All of them, regular and conditional; strangers' carry their `order`."""
        ...

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        """Orders in *symbol* that desks of ours created from wall time *since* on, by their ids.

        Ended ones too, as far back as the venue lists them; each with its `order` and its fills.
        Raises `VenueUnavailable`, `VenueUncertain`, or `VenueRejected` where it lists none.
        """
        ...

    async def positions(self) -> Mapping[Symbol, Held]:
        """What the venue holds for this account, unsigned and by side, zeros left out.

        Where `cash`: coins, locked ones too; some of them may be the operator's own.  Raises
        `VenueUnavailable` or `VenueUncertain`.
        """
        ...

    async def wallet(self) -> Decimal:
        """Money in quote currency without open profit; where `cash`, what is left of it."""
        ...

    async def movements(self, since: datetime) -> Sequence[Movement]:
        """Money that came or went without a fill from wall time *since* on, oldest first.

        One that is told again has the same id.  Raises `VenueUnavailable` or `VenueUncertain`.
        """
        ...

    async def depth(self, symbol: Symbol) -> Depth | None:
        """The order book; None where there is none to look at (paper on a recording).

        Raises `VenueUnavailable` or `VenueUncertain`: then it is unknown, and nothing is entered.
        """
        ...

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        """What an entry of *quantity* at market would meet now; asks, and sends nothing.

        What cannot be had is None in it.  Raises `VenueRejected` for a symbol not traded here.
        """
        ...

    def rules(self, symbol: Symbol) -> Rules:
        """What it accepts; `Untraded` where it takes no order in *symbol*, however that came."""
        ...

    async def reread(self) -> None:
        """Read again what is traded, and by which rules, unless that was done a moment ago.

        Raises `VenueError`: then what was known stays.
        """
        ...

    def include(self, symbols: Collection[Symbol]) -> None:
        """Answer about these too: they are in the books, though the settings name them no more."""
        ...

    async def rules_now(self, symbol: Symbol) -> Rules:
        """Ask for the rules of *symbol*, which may have changed; `rules` tells these from now on.

        Raises `VenueError` without an answer.
        """
        ...


# -- figures ------------------------------------------------------------------------------


class Meter(Protocol):
    """Counts and timings of what the core does, by plain names: `scan`, `order`, `api_errors`."""

    def count(self, name: str, amount: float = 1.0) -> None: ...

    def time(self, name: str, seconds: float) -> None: ...


class NoMeter:
    """Measures nothing."""

    def count(self, name: str, amount: float = 1.0) -> None:
        return None

    def time(self, name: str, seconds: float) -> None:
        return None


# -- history ------------------------------------------------------------------------------


class WritePriority(IntEnum):
    """Who goes first when writes share a commit."""

    HALT = 1
    REDUCTION = 2
    FILL = 3
    ENTRY = 4
    REST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message for one subscriber, rendered when the fact was booked."""

    id: str
    """Event id and subscriber: writing it twice changes nothing."""
    to: str
    """The subscriber's key, as in `telegram:111`."""
    level: int
    kind: str
    """The event's class name; repeats of one kind are throttled together."""
    at: datetime
    body: str
    """The reply as JSON."""


Announce = Callable[[Event], Sequence[Alert]]
"""How an event reads, for each chat that asked; empty when it is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something said to the desk, and the answer: the audit."""

    id: str
    """The platform's own event id where it has one: a redelivered update acts once."""
    at: datetime
    who: str
    role: str
    where: str
    said: str
    outcome: str
    answer: str


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one transaction writes.  Every row is idempotent; the higher `version` wins."""

    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    positions: tuple[tuple[Position, ExitPlan], ...] = ()
    closed_positions: tuple[Position, ...] = ()
    """Positions that are flat now; their trades are in `trades`."""
    trades: tuple[Trade, ...] = ()
    decisions: tuple[Decision, ...] = ()
    accounts: tuple[AccountState, ...] = ()
    movements: tuple[tuple[str, Movement], ...] = ()
    """Each with the trader whose account it moved."""
    equity: tuple[EquityPoint, ...] = ()
    halts: tuple[TraderHalt, ...] = ()
    alerts: tuple[Alert, ...] = ()
    delivered: tuple[str, ...] = ()
    """Ids of alerts that reached their chat."""
    audit: tuple[AuditEntry, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """Small named values of the desk: `last_seen`, `clean_exit`."""


RECENT_TRADES = 200
"""Enough for streaks, and for figures of a day."""
LONGEST_REST = timedelta(days=7)
"""No setting may ask for more, and no rest may be forgotten before it is over."""
LONGEST_BAR = timedelta(days=1)
"""By so much at most a rest may begin after the fill that brought it."""


def recent(trades: Sequence[Trade]) -> int:
    """How many of *trades*, newest first, matter to anything yet."""
    since = trades[0].closed_at - LONGEST_REST if len(trades) > RECENT_TRADES else None
    count = len(trades)
    while since is not None and count > RECENT_TRADES and trades[count - 1].rests_from < since:
        count -= 1
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a trader left behind: everything needed to go on."""

    account: AccountState | None = None
    orders: tuple[Order, ...] = ()
    """Those that had not ended."""
    positions: tuple[tuple[Position, ExitPlan], ...] = ()
    recent_fills: frozenset[str] = field(default_factory=frozenset)
    """Fill ids of the orders above and of open positions, so that none is booked twice."""
    recent_trades: tuple[Trade, ...] = ()
    """Newest first: the last `RECENT_TRADES`, and all of `LONGEST_REST`."""
    recent_movements: frozenset[str] = field(default_factory=frozenset)
    """Ids of money movements, so that none is booked twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a store has forgotten on purpose."""

    removed: Mapping[str, int]
    """Rows by table, as in `{"equity": 1380}`; tables without any are left out."""
    size: int
    """Bytes on the disk afterwards."""


class Store(Protocol):
    """History.  `commit` returns when the change is durable, and raises `StoreError` if not."""

    async def commit(
        self, change: Change, priority: WritePriority = WritePriority.REST
    ) -> None: ...

    async def books(self, trader: str) -> Books: ...

    async def halts(self) -> Sequence[Halt]:
        """Those that are not lifted."""
        ...

    async def halt_numbers(self, owner: str, *, after: int) -> Sequence[range]:
        """Numbers that only *owner* makes halts with, all above *after* and above any in use.

        What is left of its last block and, if that is not much, a new one: reserved when this
        returns.  Raises `StoreError`.
        """
        ...

    async def orders(self, trader: str, *, limit: int) -> Sequence[Order]:
        """Newest first, ended ones included."""
        ...

    async def order(self, order_id: str) -> Order | None: ...

    async def fills(self, trader: str) -> Sequence[Fill]: ...

    async def trades(self, trader: str, *, limit: int, offset: int = 0) -> Sequence[Trade]:
        """Newest first."""
        ...

    async def decisions(self, trader: str, symbol: Symbol, *, limit: int) -> Sequence[Decision]:
        """Newest first."""
        ...

    async def decided(self, decision_id: str) -> Decision | None: ...

    async def equity(self, trader: str, *, since: datetime) -> Sequence[EquityPoint]: ...

    async def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        """Every trade and equity point so far, summed by days of *zone*.

        Quick however many there are, but for the first time after a start.  An equity point that
        is written after a later one may be missing until the next start; a trade never is.
        """
        ...

    async def waiting_alerts(self, *, limit: int) -> Sequence[Alert]:
        """Critical first, then oldest first."""
        ...

    async def alerts(self, to: str, *, limit: int) -> Sequence[Alert]:
        """Those for one chat, told or waiting, newest first."""
        ...

    async def audit(self, *, limit: int) -> Sequence[AuditEntry]: ...

    async def audited(self, message_id: str) -> AuditEntry | None: ...

    async def note(self, name: str) -> str | None: ...

    async def tidy(self, now: datetime) -> Tidied:
        """Forget what is old at wall time *now*; what was traded is kept for ever.

        Goes in small steps, so that others wait for one of them at most.  Raises `StoreError`
        when it cannot go on: what was done stays done, and calling again goes on from there.
        """
        ...

    def size(self) -> int:
        """Bytes on the disk now."""
        ...


class Journal(Protocol):
    """An append-only file: each record is durable when `append` returns.

    The paper venue keeps its book in one; intents that the database did not take in time go to
    another.
    """

    async def append(self, *records: Mapping[str, object]) -> None: ...

    async def records(self) -> Sequence[Mapping[str, object]]:
        """All whole records, oldest first; a torn tail is left out."""
        ...

    async def rewrite(self, records: Sequence[Mapping[str, object]]) -> None:
        """Replace everything at once: after a crash either the old or the new is there."""
        ...

    async def drop(self, is_done: Callable[[Mapping[str, object]], bool]) -> None:
        """As `rewrite`, without the records that *is_done*; what is appended meanwhile stays.

        *is_done* may be called in another thread.
        """
        ...

    async def close(self) -> None: ...


class LatchFile(Protocol):
    """The preallocated file that keeps halts when the database cannot."""

    async def write(self, halts: Sequence[Halt], *, last_number: int) -> None:
        """Overwrite and sync, in a thread.  Raises `StoreError`."""
        ...
