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
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from trading.clocks import MarketClock
from trading.errors import StoreError, VenueRejected, VenueUnavailable, VenueUncertain
from trading.halt import Permit
from trading.market.candles import Candles
from trading.ports import Feed, Journal, Leaving, unwatched
from trading.types import (
    FINEST,
    ZERO,
    Depth,
    Fill,
    Held,
    MarketRules,
    Movement,
    Order,
    OrderStatus,
    OrderType,
    Preview,
    Quote,
    Report,
    Rules,
    Side,
    Symbol,
    Targets,
    Untraded,
)
from trading.venues import matching
from trading.venues.book import (
    BarDone,
    Book,
    Ended,
    Filled,
    HeldOrder,
    Placed,
    Step,
    Triggered,
    record_of,
    replayed,
    snapshot_record,
)
from trading.venues.matching import Bar
from trading.venues.records import Record
from trading.venues.refusals import reduces, refuse_unpaid, refuse_wrong
from trading.venues.writer import COMPACT_AFTER, JournalWriter

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What trading costs here; the defaults are those of the settings."""

    slippage: Decimal = Decimal("0.0005")
    """Share of the price lost by each market order."""
    commission: Decimal = Decimal("0.001")
    """Share of each fill's value."""
    commission_per_unit: Decimal = ZERO
    participation: Decimal = Decimal("0.10")
    """Share of a candle's volume that one order can take."""


class PaperVenue:
    """Implements the `Venue` port.

    `slippage`, `commission` and `participation` are shares (0.0005 is 0.05 %): of the price, of
    the notional, and of one bar's volume, which all orders of this account share.
    `commission_per_unit` is quote currency per base unit.  `clock` tells market time; by default
    the feed's own.  A backtest and its replay agree to the cent when both hand in one that
    stands at the bar being handled.
    """

    targets = Targets.DESK
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
        slippage: Decimal = Decimal("0.0005"),
        commission: Decimal = Decimal("0.001"),
        commission_per_unit: Decimal = ZERO,
        participation: Decimal = Decimal("0.10"),
        cash: bool = False,
        clock: MarketClock | None = None,
        compact_after: int = COMPACT_AFTER,
        reread: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """*reread* reads *rules* anew, where they can change."""
        self.name = name
        self.cash = cash
        self._feed = feed
        self._journal = journal
        self._capital = capital
        self._rules = rules
        self._slippage = slippage
        self._commission = commission
        self._commission_per_unit = commission_per_unit
        self._participation = participation
        self._clock: MarketClock = clock or feed
        self._compact_after = compact_after
        self._reread = reread
        self._book: Book | None = None
        self._writer: JournalWriter | None = None
        self._reading = asyncio.Lock()
        self._volumes: dict[Symbol, tuple[datetime, datetime, Decimal]] = {}

    # -- the port ----------------------------------------------------------------------------

    @property
    def costs(self) -> Costs:
        return Costs(
            slippage=self._slippage,
            commission=self._commission,
            commission_per_unit=self._commission_per_unit,
            participation=self._participation,
        )

    async def open(self, listener: Callable[[Report], None]) -> None:
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
        """Fill what the bars up to *until* fill, each bar once, also after a crash."""
        book = await self._ready()
        closes = await self._feed.closes(book.bar or self._feed.first_cursor)
        book = await self._ready()
        new = [at for at in closes if at <= until and (book.bar is None or at > book.bar)]
        records, reports = self._pass_bars(book, self._feed.candles(until, len(new)))
        await self._saved("what the bars did", records, reports)

    async def place(self, order: Order, permit: Permit) -> Report:
        """Accept *order*, and fill at once what can be."""
        book = await self._ready()
        quote = self._check(book, order)
        permit()
        steps = self._accept(book, order, quote)
        report = _report(book, order.id)
        others = _reports(book, steps, but=order.id)
        try:
            await self._opened().put([record_of(steps)], others)
        except StoreError as error:
            raise await self._what_became_of(order, error) from error
        return report

    async def place_pair(self, stop: Order, target: Order, permit: Permit) -> tuple[Report, Report]:
        raise VenueRejected("no target can rest here")

    async def write_off(self, order: Order, price: Decimal) -> Report:
        book = await self._ready()
        turn, at = _Turn(book), self._now(book)
        turn.take(Placed(order, at))
        fill = replace(
            self._new_fill(turn, _held(book, order.id), order.quantity, price, at), fee=ZERO
        )
        turn.take(Filled(fill, at))
        await self._saved("what was written off", [record_of(turn.steps)])
        return _report(book, order.id)

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> Report:
        book = await self._ready()
        leaving()
        records: list[Record] = []
        held = book.get(order.id)
        if held is None:
            raise VenueRejected(f"{self.name} does not know the order {order.id}")
        if held.is_alive:
            turn = _Turn(book)
            turn.take(Ended(order.id, OrderStatus.CANCELLED, "cancelled", self._now(book)))
            records = [record_of(turn.steps)]
        report = held.report()
        await self._saved("the cancel", records)
        return report

    async def find(self, order: Order) -> Report | None:
        return await self._durably(lambda book: _find(book, order.id))

    async def open_orders(self) -> Sequence[Report]:
        return await self._durably(
            lambda book: [held.report(with_order=True) for held in book.alive()]
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
        """None: a recording has no order book; the share of each bar's volume stands for it."""
        return None

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        """There is no leverage here: a position binds what it is worth."""
        book, tick = await self._ready(), self._traded(symbol).tick
        quote = self._feed.quote(symbol, self._now(book))
        if quote is None:
            return Preview()
        price = matching.slipped(quote.price, side, self._slippage, tick)
        return Preview(
            price=price,
            fee=self._fee(quantity, price),
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

    # -- what is refused ---------------------------------------------------------------------

    def _check(self, book: Book, order: Order) -> Quote:
        """Return the quote that *order* meets.  Raises `VenueRejected` with the reason."""
        rules = self._traded(order.symbol)
        if book.get(order.id) is not None:
            raise VenueRejected(f"duplicate order id {order.id}")
        quote = self._feed.quote(order.symbol, self._now(book))
        if quote is None:
            raise VenueRejected(f"there is no price for {order.symbol} yet")
        refuse_wrong(
            order, rules, price=quote.price, held=book.quantity(order.symbol), cash=self.cash
        )
        if self.cash:
            refuse_unpaid(
                order, price=self._slipped(order, quote.price), coins=_free(book, order.symbol),
                money=self._free_money(book),
            )  # fmt: skip
        return quote

    def _free_money(self, book: Book) -> Decimal:
        """What resting purchases have not locked."""
        locked = (_worth(held) for held in book.alive() if held.order.side is Side.BUY)
        return self._capital + book.cash_flow - sum(locked, ZERO)

    def _free_margin(self, book: Book) -> Decimal | None:
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

    def _came_in(self, book: Book) -> Decimal:
        return book.cash_flow if self.cash else book.profit_realised()

    # -- what happens at once ----------------------------------------------------------------

    def _accept(self, book: Book, order: Order, quote: Quote) -> list[Step]:
        price = self._price_now(order, quote.price)
        bar, volume = self._last_volume(order.symbol, quote.at)
        turn = _Turn(book)  # from here on nothing can fail: a step taken is a step recorded
        turn.take(Placed(order, max(quote.at, book.bar or quote.at)))
        if price is not None:
            self._fill(turn, _held(book, order.id), price, at=self._now(book), bar=bar, of=volume)
        return turn.steps

    def _price_now(self, order: Order, price: Decimal) -> Decimal | None:
        """What *order* gets at once when the market is at *price*; None if it rests."""
        if order.type is OrderType.STOP:
            return None
        taken = self._slipped(order, price)
        if order.type is OrderType.MARKET or order.price is None:
            return taken
        if not matching.is_marketable(order, price):
            return None
        return matching.not_beyond(order.price, taken, order.side)

    def _last_volume(self, symbol: Symbol, at: datetime) -> tuple[datetime, Decimal]:
        """Close time and volume of the last bar at *at*; every order within a bar asks this."""
        known = self._volumes.get(symbol)
        if known is None or known[0] != at:
            known = self._volumes[symbol] = (at, *self._read_volume(symbol, at))
        return known[1:]

    def _read_volume(self, symbol: Symbol, at: datetime) -> tuple[datetime, Decimal]:
        candles = self._feed.candles(at, 1)
        row = candles.row(symbol)
        if row is None or not candles.bars:
            return at, ZERO
        bar = matching.bar_at(candles, row, 0, self._rules[symbol])
        return (bar.at, bar.volume) if bar is not None else (at, ZERO)

    # -- what later bars do ------------------------------------------------------------------

    def _pass_bars(self, book: Book, candles: Candles) -> tuple[list[Record], list[Report]]:
        """Handle every bar; return a record of each in which something happened, and of the last.

        To handle one of the others again, after a crash, would change nothing.
        """
        records: list[Record] = []
        reports: list[Report] = []
        for column in range(candles.bars):
            turn = _Turn(book)
            for symbol in book.symbols_with_orders():
                self._pass_bar(turn, candles, column, symbol)
            reports += _reports(book, turn.steps)
            if turn.steps or column == candles.bars - 1:
                turn.take(BarDone(matching.close_time(candles, column)))
                records.append(record_of(turn.steps))
        return records, reports

    def _pass_bar(self, turn: _Turn, candles: Candles, column: int, symbol: Symbol) -> None:
        row = candles.row(symbol)
        bar = None
        rules = self.rules(symbol)
        if row is not None and not isinstance(rules, Untraded):
            bar = matching.bar_at(candles, row, column, rules)
        if bar is None:
            return
        waiting = [held for held in turn.book.alive(symbol) if held.since < bar.at]
        takers = [h for h in waiting if h.triggered or h.order.type is OrderType.MARKET]
        self._pass_stops(turn, waiting, bar)
        self._pass_limits(turn, waiting, bar)
        for held in takers:
            self._fill_in_bar(turn, held, self._slipped(held.order, bar.close), bar)

    def _pass_stops(self, turn: _Turn, waiting: list[HeldOrder], bar: Bar) -> None:
        """Stops come before limits: within a bar we assume that the bad came first."""
        for held in waiting:
            if held.order.type is not OrderType.STOP or held.triggered or not held.is_alive:
                continue
            price = matching.stop_fill(held.order, bar)
            if price is not None:
                turn.take(Triggered(held.order.id))
                self._fill_in_bar(turn, held, self._slipped(held.order, price), bar)

    def _pass_limits(self, turn: _Turn, waiting: list[HeldOrder], bar: Bar) -> None:
        for held in waiting:
            if held.order.type is OrderType.LIMIT:
                price = matching.limit_fill(held.order, bar)
                if price is not None:
                    self._fill_in_bar(turn, held, price, bar)

    # -- fills -------------------------------------------------------------------------------

    def _fill_in_bar(self, turn: _Turn, held: HeldOrder, price: Decimal, bar: Bar) -> None:
        if held.is_alive:
            self._fill(turn, held, price, at=bar.at, bar=bar.at, of=bar.volume)

    def _fill(
        self,
        turn: _Turn,
        held: HeldOrder,
        price: Decimal,
        *,
        at: datetime,
        bar: datetime,
        of: Decimal,
    ) -> None:
        """Fill as much as the volume *of* that bar, and a reduce-only's position, allow."""
        order, book = held.order, turn.book
        room = of * self._participation - book.taken(order.symbol, bar)
        quantity = min(held.remaining, self._rules[order.symbol].quantity(room))
        before = book.quantity(order.symbol)
        if order.reduce_only or (self.cash and order.side is Side.SELL):
            quantity = min(quantity, abs(before))
        if quantity <= ZERO:
            return
        turn.take(Filled(self._new_fill(turn, held, quantity, price, at), bar))
        if before * book.quantity(order.symbol) <= ZERO:
            _end_reducing(turn, order.symbol, at)

    def _new_fill(
        self, turn: _Turn, held: HeldOrder, quantity: Decimal, price: Decimal, at: datetime
    ) -> Fill:
        order = held.order
        return Fill(
            id=f"{order.id}/{len(held.fills) + 1}",
            order_id=order.id,
            trader=order.trader,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            fee=self._fee(quantity, price),
            at=at,
            number=turn.book.fills + 1,
        )

    def _fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        return quantity * (price * self._commission + self._commission_per_unit)

    def _slipped(self, order: Order, price: Decimal) -> Decimal:
        tick = self._rules[order.symbol].tick
        return matching.slipped(price, order.side, self._slippage, tick)

    def _now(self, book: Book) -> datetime:
        """Market time; never before the last bar handled."""
        now = self._clock.now()
        return now if book.bar is None else max(now, book.bar)

    # -- the book and its journal --------------------------------------------------------------

    async def _ready(self) -> Book:
        """Return the book, read back from the journal if it has been lost."""
        if self._book is None:
            async with self._reading:
                if self._book is None:
                    self._book = await self._read()
        return self._book

    async def _read(self) -> Book:
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
        self, what: str, records: Sequence[Record] = (), reports: Sequence[Report] = ()
    ) -> None:
        """Wait until everything so far is durable.  Raises `VenueUnavailable`."""
        writer = self._opened()
        if writer.is_idle and not records:
            return
        try:
            await writer.put(records, reports)
        except StoreError as error:
            raise VenueUnavailable(f"{what} could not be saved: {error}") from error

    async def _durably(self, read: Callable[[Book], Answer]) -> Answer:
        """Read now, and answer once all of it is durable."""
        answer = read(await self._ready())
        await self._saved("what was asked for")
        return answer

    async def _what_became_of(self, order: Order, error: StoreError) -> Exception:
        """After a failed write the journal itself tells whether the order is in it."""
        try:
            book = await self._ready()
        except VenueUnavailable as unreadable:
            return VenueUncertain(str(unreadable))
        if book.get(order.id) is not None:
            return VenueUncertain(f"the order was written, but perhaps not for good: {error}")
        return VenueUnavailable(str(error))


class _Turn:
    """The steps that happen together: each is applied at once, all are recorded as one."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.steps: list[Step] = []

    def take(self, step: Step) -> None:
        self.book.apply(step)
        self.steps.append(step)


def _end_reducing(turn: _Turn, symbol: Symbol, at: datetime) -> None:
    """Cancel reduce-only orders that have nothing left to reduce, as real venues do."""
    for held in turn.book.alive(symbol):
        if held.order.reduce_only and not reduces(held.order, turn.book.quantity(symbol)):
            note = "reduce-only: there is no position left to reduce"
            turn.take(Ended(held.order.id, OrderStatus.CANCELLED, note, at))


def _free(book: Book, symbol: Symbol) -> Decimal:
    """Coins that no resting sale has locked."""
    resting = (held for held in book.alive(symbol) if held.order.side is Side.SELL)
    return book.quantity(symbol) - sum((held.remaining for held in resting), ZERO)


def _worth(held: HeldOrder) -> Decimal:
    return held.remaining * (held.order.price or held.order.stop_price or ZERO)


def _held(book: Book, order_id: str) -> HeldOrder:
    held = book.get(order_id)
    if held is None:
        raise KeyError(order_id)
    return held


def _report(book: Book, order_id: str) -> Report:
    return _held(book, order_id).report()


def _find(book: Book, order_id: str) -> Report | None:
    held = book.get(order_id)
    return held.report() if held is not None else None


def _reports(book: Book, steps: Sequence[Step], *, but: str = "") -> list[Report]:
    """One report for each order that *steps* changed, in the order of the first change."""
    changed = dict.fromkeys(_changed(step) for step in steps)
    found = (_find(book, order_id) for order_id in changed if order_id not in ("", but))
    return [report for report in found if report is not None]


def _changed(step: Step) -> str:
    match step:
        case Filled():
            return step.fill.order_id
        case Triggered() | Ended():
            return step.order_id
        case Placed() | BarDone():
            return ""
