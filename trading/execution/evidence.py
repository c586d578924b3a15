"""Orders with our tag that history lacks: evidence of what a lost history knew.

A history that is older than the account (a backup put back, a disk that took nothing for long)
lacks orders that left after it.  The venue still tells of them.  What is adopted is exactly what
entries bought less what exits sold, proven by fills.  Its plan is the legs that rest.  What rests
for something that nothing proves to be ours is left alone and named, until a person accepts it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.common.frozen import replace
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.errors import StoreError, VenueRejected, VenueUnavailable
from trading.events import OrdersFound, OrdersUnproven
from trading.execution.orders import Orders
from trading.ports import Change, Store, WritePriority
from trading.types import (
    ZERO,
    ExitPlan,
    ExitReason,
    Held,
    Order,
    OrderReport,
    OrderRole,
    OrderType,
    Position,
    Side,
    Symbol,
)

log = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far before the last comparison orders are looked for."""
AT_FIRST = timedelta(days=1)
"""How far back where the books were never compared: nothing was entered before that."""
IDLE_MOST = 20
"""Symbols of the settings that are asked about though nothing is held or rests in them.  Each costs
a request; of hundreds, a start would wait minutes for its share of the venue's limit.  What is open
or rests is found all the same; what was opened and closed again in the others shows as money that
differs, which holds entries back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """It rests at the venue, and would close what nothing proves to be ours."""

    order: Order
    held: Decimal
    """What the venue holds there, unsigned."""

    @property
    def reduces(self) -> tuple[Symbol, Side]:
        return self.order.symbol, self.order.side.opposite

    @property
    def words(self) -> str:
        """For a person."""
        order, base = self.order, self.order.symbol.base
        kind = "stop" if order.type is OrderType.STOP else "order"
        at = "" if order.stop_price is None else f" at {_plain(order.stop_price)}"
        return (
            f"{base}: our {kind} …{order.id[-6:]} rests, {_plain(order.remaining)}{at}, and no "
            "fill proves that what it would close is ours"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a person has taken for not ours although it carries our tag."""

    orders: frozenset[str] = frozenset()
    held: Mapping[str, Decimal] = field(default_factory=dict)
    """Unsigned, by symbol and side, as in `BTC/USDT buy`."""

    def dumped(self) -> str:
        held = {key: str(quantity) for key, quantity in self.held.items()}
        return json.dumps({"orders": sorted(self.orders), "held": held})

    @classmethod
    def loaded(cls, text: str | None) -> Accepted:
        kept = json.loads(text or "{}")
        held = {key: Decimal(quantity) for key, quantity in kept.get("held", {}).items()}
        return cls(orders=frozenset(kept.get("orders", ())), held=held)


class Evidence:
    def __init__(
        self,
        *,
        context: TraderContext,
        orders: Orders,
        valuer: Valuer,
        recorder: Recorder,
        settings: SettingsInForce,
        store: Store,
    ) -> None:
        self._context = context
        self._orders = orders
        self._ledger = orders.ledger
        self._venue = orders.venue
        self._valuer = valuer
        self._recorder = recorder
        self._clock = context.clock
        self._settings = settings
        self._store = store
        self._found: dict[str, Order] = {}
        """What this comparison has adopted."""
        self._resting: list[OrderReport] = []
        """Reductions whose place is judged once the venue's positions are known."""
        self._told: set[str] = set()
        self.unproven: dict[str, Unproven] = {}
        self.accepted = Accepted()

    # -- gathering ------------------------------------------------------------------------

    async def gather(self, *, deep: bool) -> Sequence[OrderReport]:
        """Adopt what history lacks, and return what the venue tells of it, to be booked.

        *deep*: also what has ended; else only where something of the kind rests.  Raises
        `VenueUnavailable` where history cannot be asked.
        """
        resting = await self._look_at_open()
        symbols = {r.order.symbol for r in resting.values() if r.order is not None}
        symbols |= await self._symbols() if deep else set()
        told = [*resting.values(), *await self._told_since(symbols)]
        lost = {r.order_id: r for r in told if r.order_id not in self._ledger.orders}
        reports = [r for r in lost.values() if await self._is_lost(r)]
        self._resting = [r for r in reports if _only_rests(r)]
        return [await self._adopt(r) for r in reports if not _only_rests(r)]

    async def _look_at_open(self) -> dict[str, OrderReport]:
        """Those of ours that our books lack.  Strangers' are told.

        One that our books believe ended is cancelled: its room was given away, or another one
        protects in its place.
        """
        found = {}
        for report in await self._orders.line.open_orders():
            known = self._ledger.orders.get(report.order_id)
            if known is not None and not known.is_alive:
                await self._orders.cancel(known)
            if known is not None or report.order is None:
                continue
            if self._orders.ids.is_ours(report.order_id):
                found[report.order_id] = report
            else:
                self._orders.outcomes.hear(report)
        return found

    async def _symbols(self) -> set[Symbol]:
        """Where something of ours may be: the settings', what is held, what is under way."""
        held = await self._venue.positions()
        alive = (order.symbol for order in self._ledger.alive.values())
        touched = {*held, *self._ledger.positions, *alive}
        idle = [symbol for symbol in self._settings.now.symbols if symbol not in touched]
        return touched.union(idle[:IDLE_MOST])

    async def _told_since(self, symbols: Iterable[Symbol]) -> Sequence[OrderReport]:
        compared = self._ledger.account.equal_at
        since = compared - CLOCKS_DIFFER if compared else self._clock.now() - AT_FIRST
        found: list[OrderReport] = []
        for symbol in sorted(symbols):
            try:
                told = await self._venue.ours_since(symbol, since)
            except VenueRejected as error:  # no trouble of the other symbols'
                log.warning("orders of %s are not listed: %s", symbol, error)
                continue
            found += [r for r in told if self._orders.ids.is_ours(r.order_id)]
        return found

    async def _is_lost(self, report: OrderReport) -> bool:
        try:
            return await self._store.order(report.order_id) is None
        except StoreError as error:
            raise VenueUnavailable(f"history cannot be asked what it knows: {error}") from error

    async def _adopt(self, report: OrderReport) -> OrderReport:
        """With all its fills, as far as the venue has them."""
        order = report.order
        if order is None:
            return report
        if report.filled > sum((fill.quantity for fill in report.fills), ZERO):
            report = await self._venue.find(order) or report
        self._found[order.id] = order
        self._ledger.adopt(_with_reason(order))
        return report

    # -- judging --------------------------------------------------------------------------

    async def retell(self) -> None:
        """A reduction that is told after what came later may belong among what history has."""
        early = self._ledger.told_early()
        try:
            fills = await self._store.fills(self._context.name) if early else ()
            for symbol in {self._ledger.orders[report.order_id].symbol for report in early}:
                await self._ledger.retelling.recall(symbol, fills, self._store.order)
        except StoreError as error:
            raise VenueUnavailable(f"history cannot be asked for its fills: {error}") from error
        for report in early:
            self._orders.outcomes.hear(report)

    async def judge(self, theirs: Mapping[Symbol, Held]) -> int:
        """Once fills are booked: take over plans, name what is unproven.

        Returns how many orders tell that history is older than the account.
        """
        self.unproven = {}
        for report in self._resting:
            await self._judge_resting(report, theirs)
        found, self._found, self._resting = self._found, {}, []
        for symbol in sorted({order.symbol for order in found.values()}):
            await self._take_over(symbol, [o for o in found.values() if o.symbol == symbol])
        now = (self._ledger.orders[order_id] for order_id in found)
        return sum(o.role is OrderRole.ENTRY or o.filled > ZERO for o in now)

    async def _judge_resting(self, report: OrderReport, theirs: Mapping[Symbol, Held]) -> None:
        order = report.order
        if order is None or order.id in self.accepted.orders:
            return
        position = self._ledger.positions.get(order.symbol)
        held = theirs.get(order.symbol, Held()).on(order.side.opposite)
        is_ours = position is not None and position.side is not order.side
        if is_ours or not held:
            await self._orders.outcomes.absorb_all([await self._adopt(report)])
            return
        unproven = self.unproven[order.id] = Unproven(order=order, held=held)
        if order.id not in self._told:
            self._told.add(order.id)
            told = OrdersUnproven(what=unproven.words, **self._context.about_symbol(order.symbol))
            await self._recorder.say(told)

    # -- what people accept ---------------------------------------------------------------

    def leaves_open(self, symbol: Symbol, side: Side) -> bool:
        """Whether it is not known whose something on *side* is."""
        return any(each.reduces == (symbol, side) for each in self.unproven.values())

    def accepted_beside(self, symbol: Symbol, side: Side) -> Decimal:
        """What lies beside ours, unsigned, and a person has taken for not ours."""
        return self.accepted.held.get(f"{symbol} {side}", ZERO)

    async def load(self) -> None:
        """Remember what was accepted.  Raises `VenueUnavailable` where history does not tell."""
        try:
            kept = await self._store.note(self._accepted_note)
        except StoreError as error:
            raise VenueUnavailable(f"history cannot be asked what was accepted: {error}") from error
        self.accepted = Accepted.loaded(kept)

    @property
    def _accepted_note(self) -> str:
        return f"books_accepted:{self._context.name}"

    def accept(self) -> tuple[str, str]:
        """What is unproven now is not ours from now on, and holds nothing back.

        Returns the note by which the next process knows.
        """
        held = {f"{u.reduces[0]} {u.reduces[1]}": u.held for u in self.unproven.values()}
        self.accepted = Accepted(
            orders=self.accepted.orders | self.unproven.keys(), held={**self.accepted.held, **held}
        )
        self.unproven = {}
        return self._accepted_note, self.accepted.dumped()

    # -- plans ----------------------------------------------------------------------------

    async def _take_over(self, symbol: Symbol, found: Sequence[Order]) -> None:
        """The plan is the legs that rest; without a stop, one as for an entry by hand."""
        position, stop, made = self._ledger.positions.get(symbol), None, False
        lost: tuple[str, ...] = ()
        change = Change()
        if position is not None:
            plan = self._by_legs(position, self._ledger.plans[symbol], {o.id for o in found})
            if position.id in {o.id for o in found}:
                lost = self._lost_rules()
            if plan.stop is None:
                plan, made = replace(plan, stop=self._manual_stop(position)), True
            stop = plan.stop
            self._ledger.set_plan(symbol, plan)
            change = Change(positions=((self._ledger.positions[symbol], plan),))
        traded = [o for o in found if self._ledger.orders[o.id].filled]
        if not traded and not made:
            await self._recorder.keep(change, WritePriority.FILL)
            return
        told = OrdersFound(
            orders=len(found), held=position.quantity if position else ZERO, stop=stop,
            stop_made=made, lost=lost, **self._context.about_symbol(symbol),
        )  # fmt: skip
        await self._recorder.keep(change, WritePriority.FILL, told)

    def _by_legs(self, position: Position, plan: ExitPlan, found: set[str]) -> ExitPlan:
        """Where legs rest that history does not know, they are newer than what it planned."""
        legs = [
            order
            for order in self._ledger.alive_of(OrderRole.PROTECT, position.symbol)
            if order.side is not position.side and (order.id in found or plan.stop is None)
        ]
        stops = [o.stop_price for o in legs if o.type is OrderType.STOP and o.stop_price]
        targets = [o.stop_price for o in legs if o.type is OrderType.TARGET and o.stop_price]
        nearest = max if position.side is Side.BUY else min
        return replace(
            plan,
            stop=nearest(stops) if stops else plan.stop,
            target=nearest(targets) if targets else plan.target,
        )

    def _manual_stop(self, position: Position) -> Decimal:
        """As far from the price as for an entry by hand."""
        quote = self._valuer.quote(position.symbol)
        price = quote.price if quote is not None else position.average_price
        distance = price * self._settings.now.manual_stop
        rules = self._venue.rules(position.symbol).shown
        return rules.price(price - distance * position.side.sign)

    def _lost_rules(self) -> tuple[str, ...]:
        """What an entry of this trader has besides stop and target, and no venue tells of."""
        rules = self._settings.now.exit_rules
        had = {
            "trailing stop": rules.trail_r is not None,
            "time limit": rules.time_limit is not None,
            "partial exits": bool(rules.partials),
            "break-even": rules.break_even,
        }
        return tuple(name for name, is_set in had.items() if is_set)


def _plain(number: Decimal) -> str:
    """Without the zeros that venues fill up with."""
    return f"{number.normalize():f}"


def _only_rests(report: OrderReport) -> bool:
    """A reduction that has sold nothing yet: whether it has something of ours to protect?"""
    order = report.order
    reduces = order is not None and order.role is not OrderRole.ENTRY
    return reduces and not report.filled and not report.fills and not report.status.is_terminal


def _with_reason(order: Order) -> Order:
    """Why it was sent is lost, unless the venue's paper keeps it."""
    if order.reason or order.role is OrderRole.ENTRY:
        return order
    if order.role is OrderRole.EXIT:
        return replace(order, reason=ExitReason.FORGOTTEN.value)
    is_target = order.type is OrderType.TARGET
    return replace(order, reason=(ExitReason.TARGET if is_target else ExitReason.STOP).value)
