"""The paper account: what it holds and which orders it has, moved by recorded steps only.

A *step* is one thing that happened to the book.  Live and after a restart the same `apply` makes
it happen, so what is read back from the journal is what was in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, assert_never

from trading.common.frozen import replace
from trading.model import records
from trading.model.records import Record
from trading.types import ZERO, Fill, Order, OrderReport, OrderStatus, Symbol

REMEMBERED = 2_000
"""Ended orders that the book still knows, so that `find` answers a desk that died."""


# -- steps ----------------------------------------------------------------------------------


class Placed(NamedTuple):
    order: Order
    since: datetime
    """Close time of the last bar before it: only later bars can fill it while it rests."""
    beside: str = ""
    """The other order of its list, of which only one can fill."""


class Filled(NamedTuple):
    fill: Fill
    bar: datetime
    """Close time of the bar whose volume it took."""


@dataclass(frozen=True, slots=True)
class Triggered:
    order_id: str


@dataclass(frozen=True, slots=True)
class OrderEnded:
    order_id: str
    status: OrderStatus
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class BarDone:
    """The bar that closed at this time can never fill anything again."""

    at: datetime


Step = Placed | Filled | Triggered | OrderEnded | BarDone


# -- the book -------------------------------------------------------------------------------


@dataclass(slots=True)
class PaperHolding:
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO

    def add(self, quantity: Decimal, price: Decimal) -> None:
        """Move by a signed *quantity*: increases are averaged in, what passes zero starts anew."""
        total = self.quantity + quantity
        if self.quantity * quantity >= ZERO:
            value = self.quantity * self.average_price + quantity * price
            self.average_price = value / total
        elif total * quantity > ZERO:
            self.average_price = price
        self.quantity = total


@dataclass(slots=True)
class HeldOrder:
    """An order as the venue holds it."""

    order: Order
    venue_id: str
    since: datetime
    status: OrderStatus = OrderStatus.OPEN
    triggered: bool = False
    note: str = ""
    filled: Decimal = ZERO
    value: Decimal = ZERO
    """Sum of quantity x price over the fills."""
    fills: list[Fill] = field(default_factory=list)
    updated_at: datetime | None = None
    beside: str = ""
    """As of `Placed`."""

    @property
    def remaining(self) -> Decimal:
        return self.order.quantity - self.filled

    @property
    def is_alive(self) -> bool:
        return self.status is OrderStatus.OPEN

    @property
    def average_price(self) -> Decimal | None:
        return self.value / self.filled if self.filled else None

    def take(self, fill: Fill) -> None:
        self.fills.append(fill)
        self.filled += fill.quantity
        self.value += fill.quantity * fill.price
        self.updated_at = fill.at

    def report(self, *, with_order: bool = False) -> OrderReport:
        return OrderReport(
            order_id=self.order.id,
            status=self.status,
            venue_id=self.venue_id,
            filled=self.filled,
            average_price=self.average_price,
            fills=tuple(self.fills),
            note=self.note,
            order=self._as_held() if with_order else None,
        )

    def _as_held(self) -> Order:
        return replace(
            self.order,
            status=self.status,
            filled=self.filled,
            average_price=self.average_price,
            venue_id=self.venue_id,
            note=self.note,
            updated_at=self.updated_at or self.order.created_at,
        )


class PaperAccount:
    """One account.  Not thread-safe, and nothing in it waits."""

    def __init__(self) -> None:
        self.bar: datetime | None = None
        """Close time of the last bar that was handled."""
        self.cash_flow = ZERO
        """Everything paid and received so far, fees included."""
        self.fills = 0
        """How many there were."""
        self._last_number = 0
        self._orders: dict[str, HeldOrder] = {}
        self._alive: dict[Symbol, dict[str, HeldOrder]] = {}
        self._ended: deque[str] = deque()
        self._holdings: dict[Symbol, PaperHolding] = {}
        self._taken: dict[tuple[Symbol, datetime], Decimal] = {}

    # -- questions ---------------------------------------------------------------------------

    def get(self, order_id: str) -> HeldOrder | None:
        return self._orders.get(order_id)

    def orders(self, symbol: Symbol) -> list[HeldOrder]:
        """Ended ones too, as far as the book remembers, in the order in which they came."""
        return [held for held in self._orders.values() if held.order.symbol == symbol]

    def quantity(self, symbol: Symbol) -> Decimal:
        """Signed quantity held."""
        holding = self._holdings.get(symbol)
        return holding.quantity if holding is not None else ZERO

    def holdings(self) -> Iterator[tuple[Symbol, PaperHolding]]:
        return ((symbol, held) for symbol, held in self._holdings.items() if held.quantity)

    def profit_realised(self) -> Decimal:
        """All profit of closed quantity, less all fees."""
        cost = (held.quantity * held.average_price for held in self._holdings.values())
        return self.cash_flow + sum(cost, ZERO)

    def alive(self, symbol: Symbol | None = None) -> list[HeldOrder]:
        """Orders that can still fill, in the order in which they came."""
        if symbol is not None:
            return list(self._alive.get(symbol, {}).values())
        return [held for orders in self._alive.values() for held in orders.values()]

    def symbols_with_orders(self) -> list[Symbol]:
        return sorted(symbol for symbol, orders in self._alive.items() if orders)

    def taken(self, symbol: Symbol, bar: datetime) -> Decimal:
        """How much of that bar's volume our fills have used up."""
        return self._taken.get((symbol, bar), ZERO)

    @property
    def next_id(self) -> str:
        """What the order that comes next will be called here."""
        return f"P{self._last_number + 1}"

    def pass_through(self, fill: Fill, bar: datetime) -> None:
        """An order comes and goes with *fill*: of itself nothing is kept."""
        self._last_number += 1
        self._move(fill, bar)

    # -- steps -------------------------------------------------------------------------------

    def apply(self, step: Step) -> None:
        match step:
            case Placed():
                self._place(step)
            case Filled():
                self._fill(step.fill, step.bar)
            case Triggered():
                self._orders[step.order_id].triggered = True
            case OrderEnded():
                self._end(self._orders[step.order_id], step)
            case BarDone():
                self._pass_bar(step.at)
            case _:  # pragma: no cover
                assert_never(step)

    def _place(self, step: Placed) -> None:
        self._last_number += 1
        venue_id = f"P{self._last_number}"
        self._insert(
            HeldOrder(order=step.order, venue_id=venue_id, since=step.since, beside=step.beside)
        )

    def _insert(self, held: HeldOrder) -> None:
        self._orders[held.order.id] = held
        self._alive.setdefault(held.order.symbol, {})[held.order.id] = held

    def _fill(self, fill: Fill, bar: datetime) -> None:
        held = self._orders[fill.order_id]
        held.take(fill)
        self._move(fill, bar)
        if held.filled == held.order.quantity:
            held.status = OrderStatus.FILLED
            self._retire(held)

    def _move(self, fill: Fill, bar: datetime) -> None:
        quantity = fill.signed_quantity
        self.fills += 1
        self.cash_flow -= quantity * fill.price + fill.fee
        self._holdings.setdefault(fill.symbol, PaperHolding()).add(quantity, fill.price)
        self._taken[fill.symbol, bar] = self.taken(fill.symbol, bar) + fill.quantity

    def _end(self, held: HeldOrder, step: OrderEnded) -> None:
        held.status, held.note, held.updated_at = step.status, step.note, step.at
        self._retire(held)

    def _pass_bar(self, at: datetime) -> None:
        self.bar = at
        for key in [key for key in self._taken if key[1] < at]:
            del self._taken[key]

    def _retire(self, held: HeldOrder) -> None:
        del self._alive[held.order.symbol][held.order.id]
        self._ended.append(held.order.id)
        while len(self._ended) > REMEMBERED:
            del self._orders[self._ended.popleft()]

    # -- the whole of it in one record -------------------------------------------------------

    def snapshot(self) -> dict[str, object]:
        return {
            "number": self._last_number,
            "fills": self.fills,
            "bar": records.of_moment(self.bar),
            "cash_flow": str(self.cash_flow),
            "holdings": {
                str(symbol): [str(held.quantity), str(held.average_price)]
                for symbol, held in self.holdings()
            },
            "taken": [
                [str(symbol), bar.isoformat(), str(quantity)]
                for (symbol, bar), quantity in self._taken.items()
            ],
            "ended": [_of_held(self._orders[order_id]) for order_id in self._ended],
            "alive": [_of_held(held) for held in self.alive()],
        }

    @classmethod
    def restored(cls, snapshot: Record) -> PaperAccount:
        book = cls()
        book._last_number = snapshot["number"]
        book.fills = snapshot.get("fills", 0)
        book.bar = records.to_moment(snapshot["bar"])
        book.cash_flow = Decimal(snapshot["cash_flow"])
        for symbol, (quantity, price) in snapshot["holdings"].items():
            book._holdings[Symbol.parse(symbol)] = PaperHolding(Decimal(quantity), Decimal(price))
        for symbol, bar, quantity in snapshot["taken"]:
            key = (Symbol.parse(symbol), datetime.fromisoformat(bar))
            book._taken[key] = Decimal(quantity)
        for record in snapshot["ended"]:
            held = _to_held(record)
            book._orders[held.order.id] = held
            book._ended.append(held.order.id)
        for record in snapshot["alive"]:
            book._insert(_to_held(record))
        return book


# -- records ----------------------------------------------------------------------------------


def record_of(steps: list[Step]) -> dict[str, object]:
    """One journal record: these steps happened together, or not at all."""
    return {"steps": [_of_step(step) for step in steps]}


def snapshot_record(book: PaperAccount) -> dict[str, object]:
    return {"book": book.snapshot()}


def replayed(journal: Sequence[Record]) -> PaperAccount:
    """Return the book that *journal*'s records lead to.

    Raises `ValueError`, `KeyError` or `TypeError` for what is no such journal.
    """
    book = PaperAccount()
    for record in journal:
        if "book" in record:
            book = PaperAccount.restored(record["book"])
        else:
            for step in record["steps"]:
                book.apply(_to_step(step, book))
    return book


def _of_step(step: Step) -> dict[str, Any]:
    match step:
        case Placed():
            return {
                "placed": records.of_order(step.order),
                "since": records.of_moment(step.since),
                "beside": step.beside,
            }
        case Filled():
            return {"filled": records.of_fill(step.fill), "bar": records.of_moment(step.bar)}
        case Triggered():
            return {"triggered": step.order_id}
        case OrderEnded():
            return {
                "ended": step.order_id,
                "status": step.status.value,
                "note": step.note,
                "at": step.at.isoformat(),
            }
        case BarDone():
            return {"bar_done": step.at.isoformat()}
        case _:  # pragma: no cover
            assert_never(step)


def _to_step(record: Record, book: PaperAccount) -> Step:
    match record:
        case {"placed": order, "since": since}:
            moment = datetime.fromisoformat(since)
            return Placed(records.to_order(order), moment, record.get("beside", ""))
        case {"filled": fill, "bar": bar}:
            order = _known(book, fill["order"]).order
            return Filled(records.to_fill(fill, order), datetime.fromisoformat(bar))
        case {"triggered": order_id}:
            return Triggered(order_id)
        case {"ended": order_id, "status": status, "note": note, "at": at}:
            return OrderEnded(order_id, OrderStatus(status), note, datetime.fromisoformat(at))
        case {"bar_done": at}:
            return BarDone(datetime.fromisoformat(at))
        case _:
            raise ValueError(f"not a record of the paper book: {record}")


def _known(book: PaperAccount, order_id: str) -> HeldOrder:
    held = book.get(order_id)
    if held is None:
        raise ValueError(f"the paper book has a fill of {order_id}, and no such order")
    return held


def _of_held(held: HeldOrder) -> dict[str, object]:
    return {
        "order": records.of_order(held.order),
        "venue_id": held.venue_id,
        "since": held.since.isoformat(),
        "status": held.status.value,
        "triggered": held.triggered,
        "note": held.note,
        "fills": [records.of_fill(fill) for fill in held.fills],
        "updated_at": records.of_moment(held.updated_at),
        "beside": held.beside,
    }


def _to_held(record: Record) -> HeldOrder:
    order = records.to_order(record["order"])
    held = HeldOrder(
        order=order,
        venue_id=record["venue_id"],
        since=datetime.fromisoformat(record["since"]),
        status=OrderStatus(record["status"]),
        triggered=record["triggered"],
        note=record["note"],
        beside=record.get("beside", ""),
    )
    for fill in record["fills"]:
        held.take(records.to_fill(fill, order))
    held.updated_at = records.to_moment(record["updated_at"])
    return held
