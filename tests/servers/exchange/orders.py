"""Both markets' orders alike, for the wires: each is one `Shown`, from its wish to its end.

The spot engine keeps a stop among its orders, the one of the perpetuals apart, with a child.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.spot import STOPS
from tests.servers.exchange.swap import CONDITIONAL, SwapEngine
from tests.servers.exchange.values import (
    ZERO,
    Algo,
    AlgoTold,
    Order,
    OrderTold,
    Told,
    Trade,
    Trigger,
    Wish,
)

WAITING, OPEN, FILLED, CANCELLED, EXPIRED, FAILED = (
    "waiting", "open", "filled", "cancelled", "expired", "failed",
)  # fmt: skip
_STATES = {
    "NEW": OPEN,
    "PARTIALLY_FILLED": OPEN,
    "FILLED": FILLED,
    "CANCELED": CANCELLED,
    "EXPIRED": EXPIRED,
    "EXPIRED_IN_MATCH": EXPIRED,
    "REJECTED": FAILED,
}
APART = 2_000_000
"""Added to a spot stop's id where its exchange gives the stop another id than the order it becomes;
ids of the perpetuals' conditional orders begin there as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """`id` is one for life: the stop's, where the engine gives its child another.

    `child` is what is (or was) in the book: None while the trigger waits, and when it never came
    to that.  `wish` is as it was asked for, with the type that says that it is a stop.
    """

    id: int
    client_id: str
    wish: Wish
    quantity: Decimal
    state: str
    created: int
    updated: int
    trigger: Trigger | None = None
    child: Order | None = None
    triggered: int = 0
    failure: str = ""
    """A `Why`: of a stop that was refused when its trigger came, of an order taken and refused."""

    @property
    def stop(self) -> bool:
        """Whether it has, or had, a trigger."""
        return self.trigger is not None

    @property
    def stop_id(self) -> int:
        """Of a stop, where its exchange gives it another id than the order it becomes."""
        return self.id if self.id > APART else APART + self.id

    @property
    def order_id(self) -> int:
        """Of what is in the book; 0 before."""
        return self.child.id if self.child else 0

    @property
    def ids(self) -> set[int]:
        """Every number by which it may be asked for."""
        return {self.id, self.order_id} | ({self.stop_id} if self.stop else set())

    @property
    def symbol(self) -> str:
        return self.wish.symbol

    @property
    def side(self) -> str:
        return self.wish.side

    @property
    def is_open(self) -> bool:
        return self.state in {WAITING, OPEN}

    @property
    def filled(self) -> Decimal:
        return self.child.filled if self.child else ZERO

    @property
    def average(self) -> Decimal:
        return self.child.average if self.child else ZERO

    @property
    def quote_filled(self) -> Decimal:
        return self.child.quote_filled if self.child else ZERO

    @property
    def is_market(self) -> bool:
        return not self.wish.price

    @property
    def post_only(self) -> bool:
        return self.wish.type == "LIMIT_MAKER" or self.wish.time_in_force == "GTX"


def of_order(engine: Any, order: Order) -> Shown:
    """An order as it is told; the child of a stop as that stop."""
    algo = engine.algos.get(order.algo_id) if isinstance(engine, SwapEngine) else None
    if algo is not None:
        return of_algo(algo, order)
    waits = order.trigger is not None and not order.working
    waiting = waits and order.is_open
    return Shown(
        id=order.id,
        client_id=order.client_id,
        wish=order.wish,
        quantity=order.quantity,
        state=WAITING if waiting else _STATES[order.status],
        created=order.created,
        updated=order.updated,
        trigger=order.trigger,
        child=None if waits else order,
        triggered=max(0, order.working_since) if order.trigger else 0,
        failure=order.failure,
    )


def of_algo(algo: Algo, child: Order | None) -> Shown:
    if child is not None:
        state = _STATES[child.status]
    else:
        state = _STATES.get(algo.status, WAITING) if algo.status != "NEW" else WAITING
    return Shown(
        id=algo.id,
        client_id=algo.client_id,
        wish=algo.wish,
        quantity=child.quantity if child else algo.wish.quantity,
        state=state,
        created=algo.created,
        updated=max(algo.updated, child.updated) if child else algo.updated,
        trigger=algo.trigger,
        child=child,
        triggered=algo.triggered,
        failure=algo.failure,
    )


def orders(engine: Any) -> list[Shown]:
    """All there ever were, oldest first."""
    own = [of_order(engine, order) for order in engine.orders.values() if not order.algo_id]
    if isinstance(engine, SwapEngine):
        algos = engine.algos.values()
        own += [of_algo(algo, engine.orders.get(algo.order_id)) for algo in algos]
    return sorted(own, key=lambda shown: shown.created)


def find(engine: Any, *, order_id: int = 0, client_id: str = "") -> Shown | None:
    """By `Shown.id`, `stop_id` or the child's id, else the latest of a client id."""
    found = orders(engine)
    if order_id:
        named = (shown for shown in found if order_id in shown.ids)
        return next(named, None)
    return next((s for s in reversed(found) if client_id and s.client_id == client_id), None)


def told(engine: Any, event: Told) -> Shown | None:
    """The order that an event is about, as it was then; None of other events.

    A stop of the perpetuals that triggers is told twice: as itself and by its child.
    """
    match event:
        case OrderTold(order=order):
            return of_order(engine, order)
        case AlgoTold(algo=algo):
            return of_algo(algo, engine.orders.get(algo.order_id))
    return None


def fills(engine: Any, shown: Shown) -> list[Trade]:
    return [trade for trade in engine.trades if trade.order_id == shown.order_id]


def owner(engine: Any, trade: Trade) -> Shown:
    """The order that a trade belongs to."""
    return of_order(engine, engine.orders[trade.order_id])


# --- placing and cancelling ----------------------------------------------------------------------


def place(engine: Any, wish: Wish) -> Shown:
    """Refused as the engine refuses."""
    if isinstance(engine, SwapEngine) and wish.type in CONDITIONAL:
        algo = engine.place_algo(wish)
        return of_algo(algo, engine.orders.get(algo.order_id))
    return of_order(engine, engine.place(wish))


def cancel(engine: Any, shown: Shown) -> None:
    """Refused when it is not open any more."""
    current = find(engine, order_id=shown.id)
    if current is None or not current.is_open:
        raise Refusal(Why.UNKNOWN_ORDER)
    if current.child is None and isinstance(engine, SwapEngine):
        engine.cancel_algo(algo_id=current.id)
    else:
        engine.cancel(current.symbol, order_id=current.order_id or current.id)


def is_taken(engine: Any, client_id: str) -> bool:
    """Whether any order ever had this client id."""
    return bool(client_id) and find(engine, client_id=client_id) is not None


def wish(
    engine: Any,
    symbol: str,
    side: str,
    *,
    quantity: Decimal = ZERO,
    cost: Decimal = ZERO,
    price: Decimal = ZERO,
    trigger: Decimal = ZERO,
    falling: bool | None = None,
    tif: str = "GTC",
    post_only: bool = False,
    client_id: str = "",
    reduce_only: bool = False,
    position_side: str = "BOTH",
    mark: bool = False,
    note: str = "",
) -> Wish:
    """In the engine's words.  *side* is BUY or SELL; a market order has no *price*.

    With a *trigger*, *falling* says from which side the price comes; None: from where it is now.
    *mark*: the trigger looks at the mark price.  In hedge mode *reduce_only* follows from the side.
    """
    swap = isinstance(engine, SwapEngine)
    if trigger and falling is None:
        falling = trigger < (engine.price(symbol) or trigger)
    kind = (
        _stop_type(side, falling=bool(falling), priced=bool(price), swap=swap)
        if trigger
        else ("LIMIT" if price else "MARKET")
    )
    if post_only and not swap and kind == "LIMIT":
        kind = "LIMIT_MAKER"
    return Wish(
        symbol=symbol,
        side=side,
        type=kind,
        quantity=quantity,
        quote_quantity=cost,
        price=price,
        stop_price=trigger,
        time_in_force="GTX" if post_only and swap else tif,
        client_id=client_id,
        position_side=position_side,
        reduce_only=reduce_only and position_side == "BOTH",
        working_type="MARK_PRICE" if mark else "CONTRACT_PRICE",
        note=note,
    )


def _stop_type(side: str, *, falling: bool, priced: bool, swap: bool) -> str:
    """A stop loss sells when the price falls and buys when it rises; a take profit reversed."""
    loss = (side == "SELL") == falling
    if swap:
        return ("STOP" if loss else "TAKE_PROFIT") + ("" if priced else "_MARKET")
    kind = ("STOP_LOSS" if loss else "TAKE_PROFIT") + ("_LIMIT" if priced else "")
    assert kind in STOPS
    return kind


# --- pages ---------------------------------------------------------------------------------------


def newest_first(found: Iterable[Shown]) -> list[Shown]:
    return sorted(found, key=lambda shown: (shown.created, shown.id), reverse=True)
