"""The paper venue: one account that trades on a feed's prices, with a durable book of its own.

Its account is like that of a USDT perpetual: one net position per symbol, long or short,
reduce-only honoured.  With `cash` it is like a spot account: bought in full, never short, without
reduce-only, and a resting sale (a stop too) locks its coins.  Its book lies in a journal outside
the desk's ledger, so that there is something to compare the ledger with.

Everything that happens is applied to the book in memory and queued for the journal in one
synchronous step; nothing is told before the journal has it.  When the journal fails, the book in
memory is thrown away and read back from it: what is there is what happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from trading.clocks import MarketClock
from trading.errors import StoreError, VenueRejected, VenueUnavailable, VenueUncertain
from trading.market import matching
from trading.model.halt import Permit
from trading.model.records import Record
from trading.ports import Feed, Journal, Leaving, unwatched
from trading.types import (
    CONDITIONAL,
    FINEST,
    ZERO,
    Costs,
    Depth,
    Held,
    MarketRules,
    Movement,
    Order,
    OrderReport,
    OrderType,
    Preview,
    Quote,
    Rules,
    Side,
    Symbol,
    Targets,
    Untraded,
)
from trading.venues.lacking import refuse_impossible, refuse_unpaired
from trading.venues.paper.account import (
    Filled,
    HeldOrder,
    PaperAccount,
    Placed,
    record_of,
    replayed,
    snapshot_record,
)
from trading.venues.paper.filling import Filling, Turn
from trading.venues.paper.refusals import refuse_unpaid, refuse_wrong
from trading.venues.paper.writer import COMPACT_AFTER, JournalWriter

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class PaperVenue:
    """Implements the `Venue` port.

    All orders of this account share what one may take of a bar's volume.  `clock` tells market
    time; by default the feed's own.  A backtest and its replay agree to the cent when both hand in
    one that stands at the bar being handled.
    """

    fills: type[Filling] = Filling
    shows_books = False
    """A recording has none; the share of each bar's volume stands for it."""
    writes_off = True
    window = 0.0
    """Nothing is ever under way between us and this venue."""
    interruptions = 0
    refuses_until = None
    """There is no line that could break."""

    def __init__(
        self,
        *,
        name: str,
        feed: Feed,
        journal: Journal,
        capital: Decimal,
        rules: Mapping[Symbol, MarketRules],
        costs: Costs = Costs(),  # noqa: B008  # frozen
        cash: bool = False,
        clock: MarketClock | None = None,
        compact_after: int = COMPACT_AFTER,
        reread: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """*reread* reads *rules* anew, where they can change."""
        self.name = name
        self.cash = cash
        self.reduce_only = not cash
        self.costs = costs
        self._feed = feed
        self._journal = journal
        self._capital = capital
        self._rules = rules
        self.targets = Targets.PAIRED if cash else Targets.BESIDE
        self._filling = self.fills(
            rules=rules, slippage=costs.slippage, commission=costs.commission,
            commission_per_unit=costs.commission_per_unit, participation=costs.participation,
            cash=cash,
        )  # fmt: skip
        self._clock: MarketClock = clock or feed
        self._compact_after = compact_after
        self._reread = reread
        self._book: PaperAccount | None = None
        self._writer: JournalWriter | None = None
        self._reading = asyncio.Lock()
        self._volumes: dict[Symbol, tuple[datetime, datetime, Decimal]] = {}

    # -- the port ----------------------------------------------------------------------------

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        """Read the book.  Raises `VenueUnavailable` when that cannot be done."""
        self._writer = JournalWriter(
            journal=self._journal,
            snapshot=self._snapshot,
            tell=listener,
            failed=self._forget,
            compact_after=self._compact_after,
        )
        await self._ready()

    async def close(self) -> None:
        """Wait until all is saved, and close the journal.  Closing twice is harmless."""
        if self._writer is None:
            return
        if not self._writer.is_idle:
            await asyncio.gather(self._writer.put([]), return_exceptions=True)
        self._writer = self._book = None
        await self._journal.close()

    async def catch_up(self, until: datetime) -> None:
        """Fill what the bars up to *until* fill, each bar once, also after a crash.

        Bars that cannot be had fill nothing until they can: who asks has prices of others too.
        """
        book = await self._ready()
        try:
            closes = await self._feed.closes(book.bar or self._before_the_first(book))
        except VenueUnavailable as error:
            log.info("%s has no bars to fill in: %s", self.name, error)
            return
        book = await self._ready()
        new = [at for at in closes if at <= until and (book.bar is None or at > book.bar)]
        known = self._feed.candles(until, len(new) + 1)
        records, reports = self._filling.pass_bars(book, known, new=len(new))
        await self._saved("what the bars did", records, reports)

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        """Accept *order*, and fill at once what can be."""
        book = await self._ready()
        now = self._now(book)
        quote = self._check(book, order, now)
        permit()
        turn = self._accept(book, order, quote, now)
        report = report_of(book, order.id)
        await self._acted(turn, order.id, done=lambda book: book.get(order.id) is not None)
        return report

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        """Accept both, or neither: of the coins that they lock, both sell the same."""
        refuse_unpaired(self)
        book = await self._ready()
        now = self._now(book)
        quote = self._check(book, stop, now)
        self._check(book, target, now)
        permit()
        since, turn = waits_from(book, quote), Turn(book)
        turn.take(Placed(stop, since, beside=target.id))
        turn.take(Placed(target, since, beside=stop.id))
        reports = report_of(book, stop.id), report_of(book, target.id)
        await self._acted(turn, stop.id, done=lambda book: book.get(stop.id) is not None)
        return reports

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        book = await self._ready()
        turn, at = Turn(book), self._now(book)
        turn.take(Placed(order, at))
        fill = replace(
            self._filling.new_fill(turn, _held(book, order.id), order.quantity, price, at),
            fee=ZERO,
        )
        turn.take(Filled(fill, at))
        report = report_of(book, order.id)
        await self._acted(turn, order.id, done=lambda book: book.get(order.id) is not None)
        return report

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        book = await self._ready()
        leaving()
        held = book.get(order.id)
        if held is None:
            raise VenueRejected(f"{self.name} does not know the order {order.id}")
        turn, other = Turn(book), book.get(held.beside)
        turn.end(held, self._now(book), "cancelled")
        if other is not None:
            turn.end(other, self._now(book), "cancelled with the other order of its list")
        report = held.report()
        await self._acted(turn, order.id, done=lambda book: not _held(book, order.id).is_alive)
        return report

    async def find(self, order: Order) -> OrderReport | None:
        return await self._durably(lambda book: _find(book, order.id))

    async def open_orders(self) -> Sequence[OrderReport]:
        return await self._durably(
            lambda book: [held.report(with_order=True) for held in book.alive()]
        )

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        """All orders here are ours."""
        return await self._durably(
            lambda book: [
                held.report(with_order=True)
                for held in book.orders(symbol)
                if held.order.created_at >= since
            ]
        )

    async def positions(self) -> Mapping[Symbol, Held]:
        return await self._durably(
            lambda book: {symbol: Held.of(holding.quantity) for symbol, holding in book.holdings()}
        )

    async def wallet(self) -> Decimal:
        return await self._durably(lambda book: self._capital + self._came_in(book))

    async def movements(self, since: datetime) -> Sequence[Movement]:
        """None: nobody pays funding here, nor moves money."""
        return ()

    async def depth(self, symbol: Symbol) -> Depth | None:
        """None: see `shows_books`."""
        return None

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        """There is no leverage here: a position binds what it is worth."""
        book, tick = await self._ready(), self._traded(symbol).tick
        quote = self._feed.quote(symbol, self._now(book))
        if quote is None:
            return Preview()
        price = matching.slipped(quote.price, side, self._filling.slippage, tick)
        return Preview(
            price=price,
            fee=self._filling.fee(quantity, price),
            margin=quantity * price,
            free=self._free_money(book) if self.cash else self._free_margin(book),
        )

    async def rules_now(self, symbol: Symbol) -> Rules:
        """As they are known: paper has no rules of its own that could change."""
        return self.rules(symbol)

    def rules(self, symbol: Symbol) -> Rules:
        """Those of the market that its prices come from; what has no prices is not traded."""
        rules = self._rules.get(symbol)
        return rules or Untraded(why=f"{symbol} is not traded on {self.name}", shown=FINEST)

    async def reread(self) -> None:
        if self._reread is not None:
            await self._reread()

    def include(self, symbols: Collection[Symbol]) -> None:
        """Its book and its rules are asked about any symbol."""

    def _traded(self, symbol: Symbol) -> MarketRules:
        """Raises `VenueRejected` for a symbol that is not traded here."""
        rules = self.rules(symbol)
        if isinstance(rules, Untraded):
            raise VenueRejected(rules.why)
        return rules

    def _before_the_first(self, book: PaperAccount) -> datetime:
        """From where on bars count while none has been handled.

        No bar fills what is placed after it; so where something rests, from the first of that on.
        Where a live feed begins is of no use then: it begins at the last bar, whenever it is asked.
        """
        return min((held.since for held in book.alive()), default=self._feed.first_cursor)

    # -- what is refused ---------------------------------------------------------------------

    def _check(self, book: PaperAccount, order: Order, now: datetime) -> Quote:
        """Return the quote that *order* meets at market time *now*.

        Raises `VenueRejected` with the reason.
        Raises `VenueUncertain` for an id that was used: that order is to be asked for.
        """
        rules = self._traded(order.symbol)
        refuse_impossible(self, order, rules)
        if book.get(order.id) is not None:
            raise VenueUncertain(f"the id {order.id} was sent already: its order is there")
        quote = self._feed.quote(order.symbol, now)
        if quote is None:
            raise VenueRejected(f"there is no price for {order.symbol} yet")
        refuse_wrong(
            order, rules, price=quote.price, held=book.quantity(order.symbol), cash=self.cash
        )
        if self.cash:
            refuse_unpaid(
                order,
                price=self._filling.slipped(order, quote.price),
                coins=_free(book, order.symbol),
                money=self._free_money(book),
            )
        return quote

    def _free_money(self, book: PaperAccount) -> Decimal:
        """What resting purchases have not locked."""
        locked = (_worth(held) for held in book.alive() if held.order.side is Side.BUY)
        return self._capital + book.cash_flow - sum(locked, ZERO)

    def _free_margin(self, book: PaperAccount) -> Decimal | None:
        """None while the price of something held is unknown."""
        free = self._capital + book.profit_realised()
        for symbol, holding in book.holdings():
            quote = self._feed.quote(symbol, self._now(book))
            if isinstance(self.rules(symbol), Untraded):
                continue
            if quote is None:
                return None
            open_profit = holding.quantity * (quote.price - holding.average_price)
            free += open_profit - abs(holding.quantity) * quote.price
        return free

    def _came_in(self, book: PaperAccount) -> Decimal:
        return book.cash_flow if self.cash else book.profit_realised()

    # -- what happens at once ----------------------------------------------------------------

    def _accept(self, book: PaperAccount, order: Order, quote: Quote, now: datetime) -> Turn:
        price, placed = self._price_now(order, quote.price), Placed(order, waits_from(book, quote))
        turn = Turn(book)
        if price is None:
            turn.take(placed)
            return turn
        # Of a recording a price may be as old as the gap it stands before: nobody trades in that.
        bar, volume = self._last_volume(order.symbol, quote.at if self._feed.speed is None else now)
        turn.take(placed)  # from here on nothing can fail: a step taken is a step recorded
        held = _held(book, order.id)
        self._filling.fill(turn, held, price, at=now, bar=bar, of=volume)
        return turn

    def _price_now(self, order: Order, price: Decimal) -> Decimal | None:
        """What *order* gets at once when the market is at *price*; None if it rests."""
        if order.type in CONDITIONAL:
            return None
        taken = self._filling.slipped(order, price)
        if order.type is OrderType.MARKET or order.price is None:
            return taken
        if not matching.is_marketable(order, price):
            return None
        return matching.not_beyond(order.price, taken, order.side)

    def _last_volume(self, symbol: Symbol, at: datetime) -> tuple[datetime, Decimal]:
        """Close time and volume of the last bar at *at*, none where that one is missing; every
        order that fills within a bar asks this."""
        known = self._volumes.get(symbol)
        if known is None or known[0] != at:
            known = self._volumes[symbol] = (at, *self._read_volume(symbol, at))
        return known[1:]

    def _read_volume(self, symbol: Symbol, at: datetime) -> tuple[datetime, Decimal]:
        candles = self._feed.candles(at, 1)
        row = candles.row(symbol)
        if row is None or not candles.bars:
            return at, ZERO
        if matching.is_missing(candles, row, 0):
            return at, ZERO
        return matching.close_time(candles, 0), matching.volume_of(candles, row, 0)

    def _now(self, book: PaperAccount) -> datetime:
        """Market time; never before the last bar handled."""
        now = self._clock.now()
        return now if book.bar is None else max(now, book.bar)

    # -- the book and its journal --------------------------------------------------------------

    async def _ready(self) -> PaperAccount:
        """Return the book, read back from the journal if it has been lost."""
        if self._book is None:
            async with self._reading:
                if self._book is None:
                    self._book = await self._read()
        return self._book

    async def _read(self) -> PaperAccount:
        if self._writer is None:
            raise VenueUnavailable(f"{self.name} is not open")
        try:
            journal = await self._journal.records()
            book = replayed(journal)
        except (StoreError, ValueError, KeyError, TypeError) as error:
            raise VenueUnavailable(f"the book of {self.name} cannot be read: {error}") from error
        self._writer.length = len(journal)
        return book

    def _snapshot(self) -> Record:
        if self._book is None:
            raise StoreError("the book has been lost")
        return snapshot_record(self._book)

    def _forget(self) -> None:
        self._book = None

    def _opened(self) -> JournalWriter:
        if self._writer is None:
            raise VenueUnavailable(f"{self.name} is not open")
        return self._writer

    async def _saved(
        self, what: str, records: Sequence[Record] = (), reports: Sequence[OrderReport] = ()
    ) -> None:
        """Wait until everything so far is durable.  Raises `VenueUnavailable`."""
        writer = self._opened()
        if writer.is_idle and not records:
            return
        try:
            await writer.put(records, reports)
        except StoreError as error:
            raise VenueUnavailable(f"{what} could not be saved: {error}") from error

    async def _durably(self, read: Callable[[PaperAccount], Answer]) -> Answer:
        """Read now, and answer once all of it is durable."""
        answer = read(await self._ready())
        await self._saved("what was asked for")
        return answer

    async def _acted(
        self, turn: Turn, order_id: str, *, done: Callable[[PaperAccount], bool]
    ) -> None:
        """Wait until *turn* is durable; the listener hears of all but *order_id*, which is told.

        After a failed write the journal itself says whether it is *done*.  Raises
        `VenueUnavailable` if not, and `VenueUncertain` if it may be.
        """
        if not turn.steps:
            return await self._saved("what was asked for")
        try:
            await self._opened().put([record_of(turn.steps)], turn.reports(but=order_id))
        except StoreError as error:
            try:
                was_done = done(await self._ready())
            except VenueUnavailable as unreadable:
                raise VenueUncertain(str(unreadable)) from error
            if was_done:
                raise VenueUncertain(
                    f"it was written, but perhaps not for good: {error}"
                ) from error
            raise VenueUnavailable(str(error)) from error


def _free(book: PaperAccount, symbol: Symbol) -> Decimal:
    """Coins that no resting sale has locked; the two of a list lock the same."""
    resting = [held for held in book.alive(symbol) if held.order.side is Side.SELL]
    seconds = [h for h in resting if h.order.type is OrderType.TARGET and _pairs(book, h)]
    locked = sum((h.remaining for h in resting if h not in seconds), ZERO)
    return book.quantity(symbol) - locked


def _pairs(book: PaperAccount, held: HeldOrder) -> bool:
    other = book.get(held.beside)
    return other is not None and other.is_alive


def waits_from(book: PaperAccount, quote: Quote) -> datetime:
    """The last bar that cannot fill what is placed now."""
    return max(quote.at, book.bar or quote.at)


def _worth(held: HeldOrder) -> Decimal:
    return held.remaining * (held.order.price or held.order.stop_price or ZERO)


def _held(book: PaperAccount, order_id: str) -> HeldOrder:
    held = book.get(order_id)
    if held is None:
        raise KeyError(order_id)
    return held


def report_of(book: PaperAccount, order_id: str) -> OrderReport:
    return _held(book, order_id).report()


def _find(book: PaperAccount, order_id: str) -> OrderReport | None:
    held = book.get(order_id)
    return held.report() if held is not None else None
