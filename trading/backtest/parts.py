"""What stands around the trader in a backtest: history, venue, latch and strategy without waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from trading.backtest.feed import HandFeed
from trading.backtest.proof import Standing
from trading.errors import StoreError
from trading.market import matching
from trading.market.candles import Candles
from trading.model.halt import Halt
from trading.model.records import Record
from trading.ports import Alert, AuditEntry, Books, Change, Tidied, WritePriority
from trading.stats.daybook import DayBook
from trading.types import (
    Decision,
    EquityPoint,
    Fill,
    Order,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    Trade,
)
from trading.venues.paper.account import BarDone, HeldOrder, OrderEnded, PaperAccount, Placed
from trading.venues.paper.filling import Filling, Turn
from trading.venues.paper.venue import PaperVenue
from trading.venues.paper.writer import JournalWriter

_FIGURE = re.compile(r"[-+]?[0-9][0-9.,:]*(E[-+]?[0-9]+)?( %| (s|min|h)\b)?")


class KeptHistory:
    """A `Store` of what a backtest is about; the rest is let go."""

    def __init__(self, since: Standing | None = None) -> None:
        """*since*: what happened before."""
        self._books = Books() if since is None else since.books
        self._notes: Mapping[str, str] = {} if since is None else since.notes
        self.orders_sent: dict[str, Order] = {}
        """By id: those that the trader, too, has seen."""
        self.unbuilt: list[Callable[[], Order]] = []
        """The others, as they ended: nobody asks for one of them but who asks for all."""
        self.fills_made: list[Fill] = []
        self.trades_closed: list[Trade] = []
        self.points: list[EquityPoint] = []
        self.approved = 0
        self.refused: dict[str, int] = {}
        """How often risk said no, by its reason without the figures."""
        self.changed: set[Symbol] = set()
        """Symbols whose orders, position or plan have changed since somebody looked."""

    async def commit(self, change: Change, priority: WritePriority = WritePriority.REST) -> None:
        for order in change.orders:
            self.orders_sent[order.id] = order
            self.changed.add(order.symbol)
        self.fills_made += change.fills
        self.trades_closed += change.trades
        self.points += change.equity
        self.changed.update(position.symbol for position, _ in change.positions)
        for decision in change.decisions:
            self.count(decision)

    def count(self, decision: Decision) -> None:
        if decision.leaves:
            return
        if decision.approved:
            self.approved += 1
            return
        self.refuse(decision.symbol, decision.reason)

    def refuse(self, symbol: Symbol, reason: str, times: int = 1) -> None:
        """Count what was refused to *symbol* for that reason."""
        kind = _kind(symbol.base, reason)
        self.refused[kind] = self.refused.get(kind, 0) + times

    @property
    def orders_made(self) -> int:
        return len(self.orders_sent) + len(self.unbuilt)

    def sent(self) -> tuple[Order, ...]:
        """Every order, as it ended or stands now."""
        return (*self.orders_sent.values(), *(build() for build in self.unbuilt))

    async def books(self, trader: str) -> Books:
        return self._books

    async def halts(self) -> Sequence[Halt]:
        return ()

    async def halt_numbers(self, owner: str, *, after: int) -> Sequence[range]:
        return ()

    async def orders(self, trader: str, *, limit: int) -> Sequence[Order]:
        return tuple(self.orders_sent.values())[: -limit - 1 : -1]

    async def order(self, order_id: str) -> Order | None:
        return self.orders_sent.get(order_id)

    async def fills(self, trader: str) -> Sequence[Fill]:
        return self.fills_made

    async def trades(self, trader: str, *, limit: int, offset: int = 0) -> Sequence[Trade]:
        return self.trades_closed[::-1][offset : offset + limit]

    async def decisions(self, trader: str, symbol: Symbol, *, limit: int) -> Sequence[Decision]:
        return ()

    async def decided(self, decision_id: str) -> Decision | None:
        return None

    async def equity(self, trader: str, *, since: datetime) -> Sequence[EquityPoint]:
        return [point for point in self.points if point.at >= since]

    async def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        """Raises `StoreError`: a report of each day would be made for nobody."""
        raise StoreError("a backtest is reported as a whole")

    async def waiting_alerts(self, *, limit: int) -> Sequence[Alert]:
        return ()

    async def alerts(self, to: str, *, limit: int) -> Sequence[Alert]:
        return ()

    async def audit(self, *, limit: int) -> Sequence[AuditEntry]:
        return ()

    async def audited(self, message_id: str) -> AuditEntry | None:
        return None

    async def note(self, name: str) -> str | None:
        return self._notes.get(name)

    async def tidy(self, now: datetime) -> Tidied:
        return Tidied(removed={}, size=0)

    def size(self) -> int:
        return 0


@lru_cache(maxsize=1024)
def _kind(base: str, reason: str) -> str:
    """*reason*, without its figures and the *base* that it is about."""
    if base in reason:
        reason = re.sub(rf"\b{re.escape(base)}\b", "SYMBOL", reason)
    return _FIGURE.sub("#", reason)


class NoJournal:
    """A `Journal` of what is gone with the process."""

    def __init__(self, since: Standing | None = None) -> None:
        """*since*: how the account stands that it is the journal of."""
        self._begin = () if since is None else (since.account,)

    async def append(self, *records: Mapping[str, object]) -> None:
        return None

    async def records(self) -> Sequence[Mapping[str, object]]:
        return self._begin

    async def rewrite(self, records: Sequence[Mapping[str, object]]) -> None:
        return None

    async def drop(self, is_done: Callable[[Mapping[str, object]], bool]) -> None:
        return None

    async def close(self) -> None:
        return None


class NoLatchFile:
    async def write(self, halts: Sequence[Halt], *, last_number: int) -> None:
        return None


class _InstantWriter(JournalWriter):
    """Writes nothing, and tells at once."""

    @property
    def is_idle(self) -> bool:
        return True

    def put(
        self, records: Sequence[Record], reports: Sequence[OrderReport] = ()
    ) -> asyncio.Future[None]:
        for report in reports:
            self._tell(report)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@dataclass(frozen=True, slots=True, kw_only=True)
class _MeasuredFilling(Filling):
    """Remembers what slippage cost."""

    slippage_of: dict[str, Decimal] = field(default_factory=dict)
    _before: dict[str, Decimal] = field(default_factory=dict)
    """By order: the price before slippage of the fill that is being made."""

    def slipped(self, order: Order, price: Decimal) -> Decimal:
        self._before[order.id] = price
        return Filling.slipped(self, order, price)

    def fill(self, turn: Turn, held: HeldOrder, price: Decimal, **of: Any) -> None:
        Filling.fill(self, turn, held, price, **of)
        self._before.pop(held.order.id, None)

    def new_fill(
        self, turn: Turn, held: HeldOrder, quantity: Decimal, price: Decimal, at: datetime
    ) -> Fill:
        fill = Filling.new_fill(self, turn, held, quantity, price, at)
        worse = (price - self._before.get(held.order.id, price)) * fill.side.sign
        if worse:
            self.slippage_of[fill.id] = worse * quantity
        return fill


class InstantPaper(PaperVenue):
    """The paper venue, its book in memory only."""

    fills = _MeasuredFilling

    def __init__(self, *, feed: HandFeed, trader: str, **of: Any) -> None:
        """*trader*: the only one who trades here; *of*: as for any `PaperVenue`."""
        super().__init__(feed=feed, **of)
        self._trader = trader
        self._history = feed

    @property
    def slippage_of(self) -> dict[str, Decimal]:
        """By fill: what it cost that its price is worse than the one that triggered it."""
        assert isinstance(self._filling, _MeasuredFilling)  # noqa: S101  # as was said above
        return self._filling.slippage_of

    # -- without a journal nothing has to wait -------------------------------------------------

    def fill_bar(self, bar: datetime, *, untouched: bool) -> Sequence[OrderReport]:
        """As `catch_up` with one bar, which is known to touch nothing if it is *untouched*."""
        book = self._of_now()
        if book.bar is not None and book.bar >= bar:
            return ()
        if untouched:
            book.apply(BarDone(bar))
            return ()
        return self._filling.pass_bars(book, self._feed.candles(bar, 1), new=1)[1]

    @property
    def next_id(self) -> str:
        return self._of_now().next_id

    def take(
        self, order_id: str, symbol: Symbol, side: Side, quantity: Decimal, *, price: Decimal,
        at: datetime,
    ) -> Fill:  # fmt: skip
        """Fill an order at market, where *price* is the last one: there is `room` for all of it."""
        book, filling = self._of_now(), self._filling
        taken = matching.slipped(price, side, filling.slippage, self._rules[symbol].tick)
        fill = Fill(
            id=f"{order_id}/1", order_id=order_id, trader=self._trader, symbol=symbol, side=side,
            quantity=quantity, price=taken, fee=filling.fee(quantity, taken), at=at,
            number=book.fills + 1,
        )  # fmt: skip
        book.pass_through(fill, at)
        if taken != price:
            self.slippage_of[fill.id] = (taken - price) * side.sign * quantity
        return fill

    def rest(self, order: Order, at: datetime) -> None:
        """Hold *order*, which waits for a price, from the bar that has closed *at* on."""
        self._of_now().apply(Placed(order, at))

    def drop(self, order: Order, at: datetime, note: str) -> None:
        self._of_now().apply(OrderEnded(order.id, OrderStatus.CANCELLED, note, at))

    def has_room(self, symbol: Symbol, quantity: Decimal, at: datetime) -> bool:
        """Whether an order at market of *quantity*, in whole lots, would get all of it in the bar
        that has closed *at*."""
        volume = self._history.volume(symbol)
        return quantity <= volume * self._filling.participation - self._of_now().taken(symbol, at)

    def standing(self) -> Mapping[str, object]:
        """As a journal keeps it, for who goes on from it; without what has ended."""
        account = self._of_now().snapshot()
        return {"book": account | {"ended": []}}

    def _of_now(self) -> PaperAccount:
        if self._book is None:
            raise RuntimeError("the book is read before the first bar")
        return self._book

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        await super().open(listener)
        self._writer = _InstantWriter(
            journal=self._journal, snapshot=self._snapshot, tell=listener, failed=self._forget
        )

    def waits_for_price(self, order: Order) -> bool:
        """Whether nothing fills *order* but a price that is touched; else the next bar may."""
        held = None if self._book is None else self._book.get(order.id)
        return held is not None and order.type is not OrderType.MARKET and not held.triggered


@runtime_checkable
class KnowsRegime(Protocol):
    """A strategy that can name the regime of the market."""

    def regime_names(self, candles: Candles) -> Sequence[str]:
        """One for each bar; causal."""
        ...
