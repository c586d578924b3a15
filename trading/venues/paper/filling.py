"""What bars do to the orders of a paper account: which of them fill, in what order, by how much.

Within a bar the bad comes first: a stop before a target, unless the bar opens at the target or
beyond it.  A target is a market order from the moment its price is touched: it gets that price less
slippage, never better, though the bar opens beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from trading.market import matching
from trading.market.candles import Candles
from trading.market.matching import Bar
from trading.model.records import Record
from trading.types import (
    ZERO,
    Fill,
    MarketRules,
    Order,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    Untraded,
)
from trading.venues.paper.account import (
    BarDone,
    Filled,
    HeldOrder,
    OrderEnded,
    PaperAccount,
    Placed,
    Step,
    Triggered,
    record_of,
)
from trading.venues.paper.refusals import reduces

EARLY = 0.25
"""The share of a bar in which an order still meets all of it: signals are sent as a bar begins, and
their stops have to be met by whatever comes.  What is placed by hand comes at any time."""
NO_POSITION_LEFT = "reduce-only: there is no position left to reduce"


class Turn:
    """The steps that happen together: each is applied at once, all are recorded as one."""

    def __init__(self, book: PaperAccount) -> None:
        self.book = book
        self.steps: list[Step] = []

    def take(self, step: Step) -> None:
        self.book.apply(step)
        self.steps.append(step)

    def end(self, held: HeldOrder, at: datetime, note: str) -> None:
        """Cancel *held*, if it is alive."""
        if held.is_alive:
            self.take(OrderEnded(held.order.id, OrderStatus.CANCELLED, note, at))

    def reports(self, *, but: str = "") -> list[OrderReport]:
        """One for each order that the steps changed, in the order of the first change."""
        changed = dict.fromkeys(map(_changed, self.steps))
        changed.pop("", None)
        changed.pop(but, None)
        return [held.report() for held in map(self.book.get, changed) if held is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Shares as in `PaperVenue`."""

    rules: Mapping[Symbol, MarketRules | Untraded]
    slippage: Decimal
    commission: Decimal
    commission_per_unit: Decimal
    participation: Decimal
    cash: bool

    # -- bars --------------------------------------------------------------------------------

    def pass_bars(
        self, book: PaperAccount, candles: Candles, *, new: int
    ) -> tuple[list[Record], list[OrderReport]]:
        """Handle the last *new* bars; return a record of each in which something happened, and of
        the last.

        To handle one of the others again, after a crash, would change nothing.
        """
        records: list[Record] = []
        reports: list[OrderReport] = []
        for column in range(max(0, candles.bars - new), candles.bars):
            turn = Turn(book)
            for symbol in book.symbols_with_orders():
                bar = self._bar(candles, column, book.alive(symbol))
                if bar is not None:
                    self._pass_bar(turn, bar, symbol, _late_in(candles, column))
            reports += turn.reports()
            if turn.steps or column == candles.bars - 1:
                turn.take(BarDone(matching.close_time(candles, column)))
                records.append(record_of(turn.steps))
        return records, reports

    def _bar(self, candles: Candles, column: int, waiting: list[HeldOrder]) -> Bar | None:
        """The bar of the symbol that *waiting* are orders of; None: it fills none of them."""
        symbol = waiting[0].order.symbol
        row, rules = candles.row(symbol), self.rules.get(symbol)
        if row is None or rules is None or isinstance(rules, Untraded):
            return None
        if not any(held.triggered for held in waiting) and matching.is_out_of_reach(
            [held.order for held in waiting], candles, row, column, rules
        ):
            return None
        return matching.bar_at(candles, row, column, rules)

    def _pass_bar(self, turn: Turn, bar: Bar, symbol: Symbol, late: datetime | None) -> None:
        """Of what was placed after *late* the bar fills only what its close reaches."""
        waiting = [held for held in turn.book.alive(symbol) if held.since < bar.at]
        takers = [h for h in waiting if h.triggered or h.order.type is OrderType.MARKET]
        self._pass_conditional(turn, waiting, bar, late)
        for held in waiting:
            if held.order.type is OrderType.LIMIT:
                met = _met(held, bar, late)
                self._fill_in_bar(turn, held, matching.limit_fill(held.order, met), bar)
        for held in takers:
            price = matching.taken_later(held.order, bar.close)
            self._fill_in_bar(turn, held, self.slipped(held.order, price), bar)

    def _pass_conditional(
        self, turn: Turn, waiting: list[HeldOrder], bar: Bar, late: datetime | None
    ) -> None:
        """No target is touched in a bar in which a stop was, or still sells."""
        targets = [held for held in waiting if held.order.type is OrderType.TARGET]
        stops = [held for held in waiting if held.order.type is OrderType.STOP]
        opened = [
            held for held in targets if matching.is_crossed(held.order, _met(held, bar, late).open)
        ]
        for held in (*opened, *stops):
            self._trigger(turn, held, _met(held, bar, late))
        if not any(held.triggered for held in stops):
            for held in targets:
                self._trigger(turn, held, _met(held, bar, late))

    def _trigger(self, turn: Turn, held: HeldOrder, bar: Bar) -> None:
        """Where *bar* touches its price: from then on it is a market order."""
        price = matching.touched(held.order, bar)
        if price is not None and held.is_alive and not held.triggered:
            turn.take(Triggered(held.order.id))
            self._fill_in_bar(turn, held, self.slipped(held.order, price), bar)

    def _fill_in_bar(self, turn: Turn, held: HeldOrder, price: Decimal | None, bar: Bar) -> None:
        if price is not None and held.is_alive:
            self.fill(turn, held, price, at=bar.at, bar=bar.at, of=bar.volume)

    # -- fills -------------------------------------------------------------------------------

    def fill(
        self,
        turn: Turn,
        held: HeldOrder,
        price: Decimal,
        *,
        at: datetime,
        bar: datetime,
        of: Decimal,
    ) -> None:
        """Fill as much as the volume *of* that bar, and a reduce-only's position, allow."""
        order, book = held.order, turn.book
        rules = self.rules[order.symbol]
        if isinstance(rules, Untraded):
            return
        room = of * self.participation - book.taken(order.symbol, bar)
        quantity = min(held.remaining, rules.quantity(room))
        before = book.quantity(order.symbol)
        if order.reduce_only or (self.cash and order.side is Side.SELL):
            quantity = min(quantity, abs(before))
        if quantity <= ZERO:
            return
        turn.take(Filled(self.new_fill(turn, held, quantity, price, at), bar))
        other = book.get(held.beside)
        if other is not None:
            turn.end(other, at, "the other order of its list was filled")
        if before * book.quantity(order.symbol) <= ZERO:
            _end_reducing(turn, order.symbol, at)

    def new_fill(
        self, turn: Turn, held: HeldOrder, quantity: Decimal, price: Decimal, at: datetime
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
            fee=self.fee(quantity, price),
            at=at,
            number=turn.book.fills + 1,
        )

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        return quantity * (price * self.commission + self.commission_per_unit)

    def slipped(self, order: Order, price: Decimal) -> Decimal:
        """What *order* gets that takes when the market is at *price*."""
        rules = self.rules[order.symbol]
        tick = rules.shown.tick if isinstance(rules, Untraded) else rules.tick
        return matching.slipped(price, order.side, self.slippage, tick)


def _late_in(candles: Candles, column: int) -> datetime | None:
    """When its first part was over.  None where nobody knows when it began: of a recording, within
    whose bars nothing is placed."""
    if not column:
        return None
    opened, closed = (matching.close_time(candles, each) for each in (column - 1, column))
    return opened + (closed - opened) * EARLY


def _met(held: HeldOrder, bar: Bar, late: datetime | None) -> Bar:
    """What *held* is sure to have met of *bar*: of what came before it, nothing."""
    if late is None or held.since <= late:
        return bar
    return replace(bar, open=bar.close, high=bar.close, low=bar.close)


def _end_reducing(turn: Turn, symbol: Symbol, at: datetime) -> None:
    """Cancel reduce-only orders that have nothing left to reduce, as real venues do."""
    for held in turn.book.alive(symbol):
        if held.order.reduce_only and not reduces(held.order, turn.book.quantity(symbol)):
            turn.end(held, at, NO_POSITION_LEFT)


def _changed(step: Step) -> str:
    match step:
        case Filled():
            return step.fill.order_id
        case Triggered() | OrderEnded():
            return step.order_id
        case Placed() | BarDone():
            return ""
