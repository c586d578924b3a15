"""What an account's stream says, put in order: nothing ends before its fills are told.

Events may come twice, in another order, or never.  So an order that has ended while fills are
missing, and one whose child nobody linked, is asked for by REST; that report is the truth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trading.clocks import Clock
from trading.common.tasks import Tasks
from trading.errors import VenueError, VenueRejected, VenueUnavailable, Withheld
from trading.types import ZERO, Order, OrderReport, OrderStatus, Symbol
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.translation import Translation
from trading.venues.ccxt.values import number

log = logging.getLogger(__name__)

GRACE = 0.25
"""Seconds for what belongs together to arrive together."""
REMEMBERED = 5_000
"""Orders whose events are understood."""

_DONE = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)


@dataclass(slots=True, kw_only=True)
class _KnownOrder:
    order: Order
    used: bool = False
    """The venue has it or may have it: its id must not go out again."""
    told: dict[str, Decimal] = field(default_factory=dict)
    """Quantity of each fill that the listener has heard of, by the venue's trade id."""
    ending: OrderReport | None = None
    """How it ended, held back until its fills are told."""
    over: bool = False
    asking: bool = False

    @property
    def filled(self) -> Decimal:
        return sum(self.told.values(), ZERO)


class OrderStream:
    """Turns ccxt's events into reports for the listener."""

    def __init__(
        self,
        *,
        name: str,
        words: Translation,
        exchange: Exchange,
        clock: Clock,
        find: Callable[[Order], Awaitable[OrderReport | None]],
    ) -> None:
        self.listener: Callable[[OrderReport], None] = _nobody
        self.interruptions = 0
        """How often something was heard that could not be followed up: compare."""
        self._name = name
        self._words = words
        self._exchange = exchange
        self._clock = clock
        self._find = find
        self._known: dict[str, _KnownOrder] = {}
        self._ids: dict[str, str] = {}
        """Client ids, by the venue's ids."""
        self._strangers: dict[str, Any] = {}
        """The last event of those that are about to be looked at, by the venue's ids."""
        self._tasks = Tasks()

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what is known ----------------------------------------------------------------------

    def remember(self, order: Order) -> None:
        """Understand the events of *order* from now on."""
        known = self._known.get(order.id)
        if known is None:
            _keep(self._known, order.id, _KnownOrder(order=order))
        else:
            known.order = order

    def learn(self, raw: Any, order_id: str = "") -> str:
        """Note whose the venue's ids are; return that client id, empty if nobody's."""
        venue_id = str(raw["id"])
        order_id = order_id or str(raw.get("clientOrderId") or "")
        if venue_id in self._ids and order_id not in self._known:
            order_id = self._ids[venue_id]  # of a child: its own client id is the venue's making
        for each in filter(None, (venue_id, self._exchange.child_of(raw))):
            if order_id:
                _keep(self._ids, each, order_id)
        if order_id in self._known:
            self._known[order_id].used = True
        return order_id

    def is_used(self, order_id: str) -> bool:
        """Whether an order of this id has left, and was not turned away."""
        known = self._known.get(order_id)
        return known is not None and known.used

    @contextmanager
    def using(self, *orders: Order) -> Iterator[None]:
        """Within it they are sent: their ids are used up, unless they were turned away."""
        for order in orders:
            self._known[order.id].used = True
        try:
            yield
        except (VenueRejected, VenueUnavailable, Withheld):
            for order in orders:
                self._known[order.id].used = False
            raise

    def is_known(self, venue_id: str) -> bool:
        return venue_id in self._ids

    def is_linked(self, venue_id: str, order: Order) -> bool:
        """Whether that id of the venue's is known to be of *order*, or of what it has become."""
        return self._ids.get(venue_id) == order.id

    def is_apart(self, order: Order) -> bool:
        return self._exchange.is_apart(order)

    def asked(self, order: Order, report: OrderReport, trades: dict[str, Any]) -> None:
        """*report* is on its way to whoever asked: its *trades* are told by it."""
        known = self._known[order.id]
        known.told.update({name: number(trade["amount"]) for name, trade in trades.items()})
        if report.status in _DONE:
            known.over, known.ending = True, None

    def expect_end(self, order: Order) -> None:
        """*order* cannot rest, and nobody told yet what became of it: unless that is heard in a
        moment, it is asked for."""
        known = self._known[order.id]
        if not known.over:
            self._ask_soon(known)

    # -- what is heard ----------------------------------------------------------------------

    def order(self, raw: Any) -> None:
        """An order's state."""
        known = self._known.get(self.learn(raw))
        if known is None:
            self._meet(raw)
            return
        report = self._words.state(known.order.id, raw, quantity=known.order.quantity)
        if self.is_apart(known.order) and (self._became(known.order, raw) or report.filled):
            self._ask_soon(known)
        elif report.status in _DONE and report.filled > known.filled:
            known.ending = report
            self._ask_soon(known)
        else:
            self._tell(known, report)

    def _became(self, order: Order, raw: Any) -> bool:
        """Whether *raw* is the child of a conditional order, or names it, or soon will."""
        is_child = str(raw.get("clientOrderId") or "") != order.id
        return is_child or bool(self._exchange.child_of(raw)) or raw.get("status") == "closed"

    def trade(self, raw: Any) -> None:
        """One fill of an order."""
        venue_id = str(raw["order"])
        known = self._known.get(self._ids.get(venue_id, ""))
        symbol = self._words.symbol(raw)
        if known is None or symbol is None:
            return  # the event of its order, or of its parent, leads here again
        if self._words.unpriced(raw, symbol) is not None:
            self._ask_soon(known)  # the price of its fee has to be asked for
            return
        known.told[str(raw["id"])] = number(raw["amount"])
        fill = self._words.fill(known.order.id, symbol, raw)
        self.listener(
            OrderReport(
                order_id=known.order.id,
                status=OrderStatus.OPEN,
                venue_id=known.order.venue_id if self.is_apart(known.order) else venue_id,
                fills=(fill,),
            )
        )
        if known.ending is not None and known.filled >= known.ending.filled:
            ending, known.ending = known.ending, None
            self._tell(known, ending)
        elif known.filled >= known.order.quantity and not known.over:
            self._ask_soon(known)  # of two events at once ccxt keeps the later, maybe the older one

    def _tell(self, known: _KnownOrder, report: OrderReport) -> None:
        known.over = known.over or report.status in _DONE
        self.listener(report)

    # -- what is asked because of it --------------------------------------------------------

    def _ask_soon(self, known: _KnownOrder) -> None:
        if not known.asking:
            known.asking = True
            self._tasks.start(self._ask(known))

    async def _ask(self, known: _KnownOrder) -> None:
        """Unless the rest arrives in a moment, REST tells it."""
        await self._clock.sleep(GRACE)
        known.asking = False
        if not known.over:
            await self._look_up(known)

    async def _look_up(self, known: _KnownOrder) -> bool:
        """Whether the venue answered."""
        try:
            report = await self._find(known.order)
        except VenueError as error:
            log.warning("%s: what became of %s is not known: %s", self._name, known.order.id, error)
            self.interruptions += 1
            return False
        if report is not None:
            self.listener(report)
        return True

    # -- strangers --------------------------------------------------------------------------

    def _meet(self, raw: Any) -> None:
        """An order that is not ours, or the child of one that is: that is told in a moment."""
        symbol = self._words.symbol(raw)
        if symbol is None:
            return
        venue_id = str(raw["id"])
        is_met = venue_id in self._strangers
        self._strangers[venue_id] = raw
        if not is_met:
            self._tasks.start(self._look_at(venue_id, symbol))

    async def _look_at(self, venue_id: str, symbol: Symbol) -> None:
        await self._clock.sleep(GRACE)
        raw = self._strangers[venue_id]
        forced = self._exchange.row.forced_by_venue(str(raw.get("clientOrderId") or ""))
        is_clear = True
        for known in [] if forced else self._candidates(symbol, str(raw["side"])):
            if not self._is_linked(venue_id):
                is_clear &= await self._look_up(known)
        raw = self._strangers.pop(venue_id)
        if is_clear and not self._is_linked(venue_id):  # else a comparison tells whose it is
            order = self._words.order(symbol, raw)
            report = self._words.state(order.id, raw)
            note = f"it is {forced}" if forced else ""
            self.listener(
                OrderReport(
                    order_id=order.id,
                    status=report.status,
                    venue_id=venue_id,
                    filled=report.filled,
                    average_price=report.average_price,
                    note=note,
                    order=order,
                )
            )

    def _candidates(self, symbol: Symbol, side: str) -> list[_KnownOrder]:
        """Orders of ours that the stranger may be: resting stops and targets that have become it,
        and what has left and is not known by the venue's id yet, where streams do not tell ours."""
        linked = set(self._ids.values())
        return [
            known
            for known in self._known.values()
            if not known.over
            and (self.is_apart(known.order) or (known.used and known.order.id not in linked))
            and (known.order.symbol, known.order.side.value) == (symbol, side)
        ]

    def _is_linked(self, venue_id: str) -> bool:
        return self._ids.get(venue_id, "") in self._known


def _keep(kept: dict[str, Any], name: str, value: Any) -> None:
    kept[name] = value
    while len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


def _nobody(_report: OrderReport) -> None:
    """Before there is a listener."""
