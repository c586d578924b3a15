"""The life of an order: intent, sending, the answer or the lack of one, its end.

The only code that speaks to a venue about orders.  An ENTRY leaves only after its intent is
durable and while its permit holds; a reduction never waits for the disk longer than a moment.  A
timeout is not a failure: the order is UNKNOWN until the venue has been asked, and is never resent.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from trading.accounts.booking import Booked
from trading.accounts.ledger import Applied, Ledger
from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.context.trader import TraderContext
from trading.errors import (
    ClosedAlready,
    Halted,
    StoreError,
    VenueError,
    VenueMisfit,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
    Withheld,
)
from trading.events import (
    Event,
    ForeignOrderSeen,
    OrderUnknown,
)
from trading.execution.foreign_orders import ForeignOrders
from trading.execution.intents import Intents
from trading.execution.order_news import OrderNews
from trading.model.halt import Permit
from trading.ports import Change, Journal, Leaving, Meter, Venue, WritePriority, unwatched
from trading.types import (
    ZERO,
    Decision,
    ExitPlan,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Rules,
    Side,
    Symbol,
    Untraded,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

STALE = "it had not left yet, and what is open has changed since"
"""Note of a protective order that was written down with a fill, and never sent."""
_OF_A_DESK = re.compile(r"qd-[0-9a-z]+-[epx]-")

ROLE_LETTERS = {OrderRole.ENTRY: "e", OrderRole.PROTECT: "p", OrderRole.EXIT: "x"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTimeouts:
    """How long we wait for what, in seconds.  Tests shorten them."""

    answer: float = 5.0
    """For a venue's answer about an order, before it is UNKNOWN."""
    intent: float = 0.1
    """For a reduction's intent to be durable, before it leaves all the same."""
    unsaved: float = 2.0
    """For that intent to be in history or in the fallback journal, before it is critical."""
    stop: float = 2.0
    """For cancels to be confirmed, before `/stop` answers LATCHED, RETRYING."""
    durable: float = 0.5
    """For a halt to be saved, before `/stop` answers NOT YET DURABLE."""
    rules: float = 1.0
    """For a market's rules, before a reduction goes by those that are known."""
    first_retry: float = 0.05
    longest_retry: float = 5.0
    reminder: float = 60.0
    """For a halt's stage, before it is a new critical message."""
    upkeep: float = 5.0
    """Between two looks after unknown orders and missing protection."""
    shutdown: float = 1.5
    """For cancelling resting entries, before the process ends all the same."""


class OrderIds:
    """Client order ids: random once, tagged with the desk, the role in one letter.

    `qd-1f3a-e-9c0d2e4f6a8b1c3d`: 23 characters of [a-z0-9-], inside what every venue accepts.
    """

    def __init__(self, tag: str, random_hex: Callable[[int], str]) -> None:
        self._prefix = f"qd-{tag}-"
        self._random_hex = random_hex

    def new(self, role: OrderRole) -> str:
        return f"{self._prefix}{ROLE_LETTERS[role]}-{self._random_hex(8)}"

    def is_ours(self, order_id: str) -> bool:
        return order_id.startswith(self._prefix)

    def is_another_desks(self, order_id: str) -> bool:
        return is_of_a_desk(order_id) and not self.is_ours(order_id)

    def role(self, order_id: str) -> OrderRole:
        letter = order_id.removeprefix(self._prefix)[:1]
        return next(role for role, known in ROLE_LETTERS.items() if known == letter)


@dataclass(frozen=True, slots=True)
class _Follows:
    """What is written and said because of something that a venue told."""

    change: Change
    priority: WritePriority
    events: Sequence[Event]
    reserved: tuple[Order, ...]
    """Protective orders among it that were made, or withdrawn, with the fill."""


def is_of_a_desk(order_id: str) -> bool:
    """Of this one, or another: all of them tag their orders alike."""
    return _OF_A_DESK.match(order_id) is not None


class Orders:
    """All orders of one trader's account."""

    answered_at: datetime | None = None
    """Wall time of the venue's last answer."""
    silent_since: float | None = None
    """Monotonic time since which the venue has not answered; None: it answers."""

    def __init__(  # noqa: PLR0915  # one assignment for each thing that is kept
        self,
        *,
        context: TraderContext,
        ledger: Ledger,
        venue: Venue,
        valuer: Valuer,
        recorder: Recorder,
        journal: Journal,
        ids: OrderIds,
        timeouts: OrderTimeouts,
        meter: Meter,
    ) -> None:
        self.ledger = ledger
        self.venue = venue
        self.ids = ids
        self.strangers = ForeignOrders(ledger=ledger, is_ours=ids.is_ours, tell=self._tell_foreign)
        self._context = context
        self._news = OrderNews(context=context, ledger=ledger, valuer=valuer, rules=venue.rules)
        self.intents = Intents(
            context=context, recorder=recorder, journal=journal, timeouts=timeouts
        )  # fmt: skip
        self._valuer = valuer
        self._recorder = recorder
        self._clock = context.clock
        self._timeouts = timeouts
        self._meter = meter
        self._lost_at: dict[str, float] = {}
        """Monotonic time at which we gave up waiting for an order's answer."""
        self._prepared: dict[str, float] = {}
        """Orders that have not left, and since when (monotonic)."""
        self._reserved: set[str] = set()
        """Of those, protective ones that were made with a fill and are written with it."""
        self._on_the_way: set[str] = set()
        """Orders being written down or sent: the venue cannot be expected to know them."""
        self._origins: dict[str, str] = {}
        """The chat that waits for the answer about an order: what happens meanwhile is told there
        by that answer, what happens later by an alert."""
        self._background: set[asyncio.Task[None]] = set()
        self.on_absent: list[Callable[[Order], None]] = []
        """Called with each exit that this process sent, and that the venue never had."""
        self.acts: Counter[Symbol] = Counter()
        """How often something was asked for about orders of each symbol that may have left us."""
        self.touched: set[Symbol] = set()
        """Symbols whose position or stop changed since protection last looked."""
        self.on_touch: list[Callable[[], None]] = []
        """Called, synchronously, whenever `touched` grows."""
        self.on_held: Callable[[Symbol], tuple[Order, ...]] | None = None
        """Called, synchronously, with a symbol of which a fill has left something open; the orders
        that are returned are written in the same transaction."""
        self.on_booked: list[Callable[[Sequence[Booked]], tuple[tuple[str, str], ...]]] = []
        """Called, synchronously, with what fills did, before anybody sees it; the notes that are
        returned are written in the same transaction."""

    # -- making ---------------------------------------------------------------------------

    def prepare(  # an order is these facts
        self,
        *,
        symbol: Symbol,
        side: Side,
        role: OrderRole,
        quantity: Decimal,
        price: Decimal | None = None,
        stop_price: Decimal | None = None,
        target_price: Decimal | None = None,
        post_only: bool = False,
        reason: str = "",
        by: str = "",
        plan: ExitPlan | None = None,
        at: datetime | None = None,
    ) -> Order:
        """Make an intent and reserve its exposure at once.  Nothing is sent yet.

        A stop with *stop_price*, a target with *target_price*, each at *price* once it is touched
        where that is given; a limit order with *price* alone; else at market.  *at* is the close of
        the bar in whose cycle it is made; None: it is made between two bars.
        """
        kinds = (
            (stop_price, OrderType.STOP),
            (target_price, OrderType.TARGET),
            (price, OrderType.LIMIT),
        )
        kind = next((kind for told, kind in kinds if told), OrderType.MARKET)
        order = Order(
            id=self.ids.new(role),
            trader=self._context.name,
            symbol=symbol,
            side=side,
            type=kind,
            role=role,
            quantity=quantity,
            created_at=self._clock.now(),
            price=price,
            stop_price=stop_price or target_price,
            reduce_only=role is not OrderRole.ENTRY and self.venue.reduce_only,
            post_only=post_only,
            reason=reason,
            by=by,
            plan=plan,
            market_at=at or self._valuer.feed.now(),
        )
        self.ledger.add(order)
        self._prepared[order.id] = self._clock.monotonic()
        return order

    # -- sending --------------------------------------------------------------------------

    async def enter(
        self, order: Order, permit: Permit, decision: Decision | None = None, *, origin: str = ""
    ) -> Order:
        """Send an entry once its intent is durable.  Without a durable intent nothing leaves.

        *origin* is the chat that is answered.
        """
        with self._carried(order, origin=origin):
            return await self._enter(order, permit, decision)

    async def _enter(self, order: Order, permit: Permit, decision: Decision | None) -> Order:
        decisions = (decision,) if decision else ()
        try:
            permit()
            await self._recorder.record(
                Change(orders=(order,), decisions=decisions), WritePriority.ENTRY
            )
        except StoreError as error:
            return await self._end(order, OrderStatus.NOT_SENT, f"not written down: {error}")
        except Halted:
            return await self._end(order, OrderStatus.NOT_SENT, "halted")
        return await self._place(order, permit)

    async def reduce(self, order: Order, *, origin: str = "") -> Order:
        """Send an exit or a protective order; the disk may not hold it back.

        *origin* is the chat that is answered.
        """
        with self._carried(order, origin=origin):
            await self.intents.save(order)
            return await self._place(order, partial(self._check_still_open, order))

    def _check_still_open(self, order: Order) -> None:
        """What was closed elsewhere while *order* was on its way out must not be closed twice.

        On a cash account it would sell the operator's own coins.
        """
        if order.role is not OrderRole.EXIT:
            return
        position = self.ledger.positions.get(order.symbol)
        leaving = sum((o.remaining for o in self.ledger.alive_of(order.role, order.symbol)), ZERO)
        if leaving > (abs(position.quantity) if position else ZERO):
            raise ClosedAlready

    def unsent(self, symbol: Symbol) -> tuple[Order, ...]:
        """Protective orders that were made with a fill, and have not left yet."""
        if not self._reserved:
            return ()
        legs = self.ledger.alive_of(OrderRole.PROTECT, symbol)
        return tuple(order for order in legs if order.id in self._reserved)

    def withdraw(self, order: Order) -> Order:
        """End an order that has not left: it never will."""
        self._forget_unsent(order)
        return self.ledger.update(
            order.changed(status=OrderStatus.NOT_SENT, note=STALE, updated_at=self._clock.now())
        )

    async def protect_by_pair(self, stop: Order, target: Order) -> Order:
        """Send both in one list, of which only one can fill; return the stop.

        They are refused, or lost, together.
        """
        with self._carried(stop, target):
            await self.intents.save(stop, target)
            asking = partial(self.venue.place_pair, stop, target, _always)
            return (await self._sent((stop, target), asking))[0]

    async def write_off(self, order: Order, price: Decimal, *, origin: str = "") -> Order:
        """Book *order* out at *price*: nobody trades its symbol, and nothing is sent."""
        with self._carried(order, origin=origin):
            await self.intents.save(order)

            async def asking() -> tuple[OrderReport, ...]:
                return (await self.venue.write_off(order, price),)

            return (await self._sent((order,), asking))[0]

    async def cancel(
        self, order: Order, *, origin: str = "", leaving: Leaving = unwatched
    ) -> Order:
        """Cancel and return the order as it ended (it may have filled first).

        *origin* is the chat that is answered; *leaving* is called when the request leaves.  Raises
        `VenueUnavailable` or `VenueUncertain`: it may still rest.
        """
        with self._asked_by(order, origin):
            return await self._cancel(order, leaving)

    async def _cancel(self, order: Order, leaving: Leaving) -> Order:
        if order in self.unsent(order.symbol):
            ended = self.withdraw(order)
            await self._recorder.keep(Change(orders=(ended,)), WritePriority.FILL)
            return ended
        self.acts[order.symbol] += 1
        try:
            report = await self._answered(self.venue.cancel(order, leaving))
        except VenueRejected:
            return await self.resolve(order)
        return await self._absorb(report)

    async def resolve(self, order: Order) -> Order:
        """Ask the venue what became of *order*.  ABSENT only when it can no longer arrive:

        the venue has answered twice that it has no such order, the second time at least its
        window after we gave up sending.  What is on its way out is left to whoever sends it.
        """
        report = await self._what_became_of(order)
        return self.ledger.orders[order.id] if report is None else await self._absorb(report)

    async def ask_all(self, orders: Sequence[Order]) -> list[OrderReport]:
        """What the venue says of *orders*, to be booked by `absorb`; see `resolve`."""
        return [r for o in orders if (r := await self._what_became_of(o)) is not None]

    async def absorb(self, reports: Sequence[OrderReport]) -> None:
        """Book what the venue says of several orders of ours, each fill when its turn comes:
        in the order in which they happened there."""
        whole = {report.order_id: report for report in reports}
        fills = sorted((f for report in reports for f in report.fills), key=lambda f: f.place)
        for order_id, together in groupby(fills, key=lambda f: f.order_id):
            part = OrderReport(order_id=order_id, status=OrderStatus.OPEN, fills=tuple(together))
            is_last = part.fills[-1].place == max(f.place for f in whole[order_id].fills)
            await self._absorb(whole.pop(order_id) if is_last else part)
        for report in whole.values():
            await self._absorb(report)

    async def _what_became_of(self, order: Order) -> OrderReport | None:
        """None: nothing is news, or it ended ABSENT."""
        if self._is_ours_to_send(order):
            return None
        report = await self._answered(self.venue.find(order))
        order = self.ledger.orders[order.id]
        if report is not None or not order.is_alive or self._may_still_arrive(order):
            return report
        report = await self._answered(self.venue.find(order))
        if report is None:
            await self._end(order, OrderStatus.ABSENT, "the venue never had it")
        return report

    def _may_still_arrive(self, order: Order) -> bool:
        """Of what this process sent, by the clock that nobody sets; else by its date."""
        lost_at = self._lost_at.get(order.id)
        if lost_at is not None:
            return self._clock.monotonic() - lost_at < self.venue.window
        age = (self._clock.now() - order.created_at).total_seconds()
        return age < self.venue.window

    def untraded(self, symbol: Symbol) -> str:
        """Why the venue takes no order in *symbol*, as it was last heard; empty: it does."""
        rules = self.venue.rules(symbol)
        return rules.why if isinstance(rules, Untraded) else ""

    async def rules_now(self, symbol: Symbol) -> Rules:
        """The market's rules as the venue tells them now; those that are known if it does not.

        It is given a moment only: whoever asks is about to make a position smaller.
        """
        try:
            async with asyncio.timeout(self._timeouts.rules):
                return await self.venue.rules_now(symbol)
        except (VenueError, TimeoutError) as why:
            log.warning("the rules of %s cannot be asked for: %s", symbol, why)
            return self.venue.rules(symbol)

    async def open_at_venue(self) -> Sequence[OrderReport]:
        return await self._answered(self.venue.open_orders())

    # -- hearing --------------------------------------------------------------------------

    def hear(self, report: OrderReport) -> None:
        """What the venue says unasked: booked at once, written as soon as possible."""
        applied = self.ledger.apply(report, now=self._clock.now())
        if applied is None:
            self.strangers.see(report)
        elif applied.changed:
            self._keep_soon(self._what_follows(applied))
            self._hear_ripe(applied)

    def concede(self) -> list[tuple[Order, Decimal]]:
        """Reductions that found less of ours than they sold, and how much was not ours.

        Once everything that could have opened it is known.
        """
        beyond = []
        while (conceded := self.ledger.concede(cash=self.venue.cash)) is not None:
            report, excess = conceded
            self.hear(report)
            beyond.append((self.ledger.orders[report.order_id], excess))
        return beyond

    def _hear_ripe(self, applied: Applied) -> None:
        """Reductions that were told before the entry that they make smaller."""
        for early in self.ledger.ripe(applied.order.symbol) if applied.booked else ():
            self.hear(early)

    async def _absorb(self, report: OrderReport, *, answered: bool = False) -> Order:
        """*answered*: to whoever sends the order, and looks at the books next."""
        applied = self.ledger.apply(report, now=self._clock.now())
        if applied is None:
            raise VenueUncertain(f"the venue answered about another order, {report.order_id}")
        if applied.changed:
            follows = self._what_follows(applied, answered=answered)
            self._hear_ripe(applied)
            if follows.reserved:
                await asyncio.shield(self._keep_soon(follows))
            else:
                await self._recorder.keep(follows.change, follows.priority, *follows.events)
        return applied.order

    def _keep_soon(self, follows: _Follows) -> asyncio.Task[bool]:
        keeping = self._recorder.keep_soon(follows.change, follows.priority, *follows.events)
        self.intents.are_saved(follows.reserved, keeping)
        return keeping

    # -- inside ---------------------------------------------------------------------------

    @contextmanager
    def _carried(self, *orders: Order, origin: str = "") -> Iterator[None]:
        """*origin* is the chat that is answered."""
        ids = [order.id for order in orders]
        self._on_the_way.update(ids)
        if origin:
            self._origins.update(dict.fromkeys(ids, origin))
        try:
            yield
        finally:
            self._on_the_way.difference_update(ids)
            for order in orders:
                self._forget_unsent(order)
                if origin:
                    self._origins.pop(order.id, None)

    def _forget_unsent(self, order: Order) -> None:
        self._prepared.pop(order.id, None)
        self._reserved.discard(order.id)

    @contextmanager
    def _asked_by(self, order: Order, origin: str) -> Iterator[None]:
        if not origin:
            yield
            return
        self._origins[order.id] = origin
        try:
            yield
        finally:
            self._origins.pop(order.id, None)

    def in_doubt(self) -> list[Order]:
        """Those of which the venue alone can tell: sent without an answer, or written down by a
        process that died, or broke off, before it sent them."""
        alive = self.ledger.alive.values()
        doubtful = (o for o in alive if o.status is not OrderStatus.OPEN)
        return [o for o in doubtful if not self._is_ours_to_send(o)]

    def _is_ours_to_send(self, order: Order) -> bool:
        """Whether somebody here is about to send it; not if he has broken off meanwhile."""
        began = self._prepared.get(order.id)
        if began is not None and self._clock.monotonic() - began >= self._timeouts.answer:
            self._forget_unsent(order)
        return order.id in self._prepared or order.id in self._on_the_way

    async def _place(self, order: Order, permit: Permit) -> Order:
        async def asking() -> tuple[OrderReport, ...]:
            return (await self.venue.place(order, permit),)

        return (await self._sent((order,), asking))[0]

    async def _sent(
        self, orders: Sequence[Order], asking: Callable[[], Awaitable[Sequence[OrderReport]]]
    ) -> Sequence[Order]:
        """What became of *orders*, which *asking* sends in one request."""
        now = [self.ledger.orders[order.id] for order in orders]
        if not all(order.is_alive for order in now):
            return now  # taken for lost before it was sent: its room was given away
        began = self._leaves(orders)
        try:
            reports = await self._answered(asking())
            self._meter.time("order", self._clock.monotonic() - began)
        except Withheld as why:
            note = "halted" if isinstance(why, Halted) else str(why)
            return [await self._end(o, OrderStatus.NOT_SENT, note) for o in orders]
        except VenueRejected as error:
            self._meter.count("rejections")
            end = partial(self._end, misfit=isinstance(error, VenueMisfit))
            return [await end(o, OrderStatus.REJECTED, str(error)) for o in orders]
        except VenueUnavailable as error:
            return [await self._end(o, OrderStatus.NOT_SENT, str(error)) for o in orders]
        except VenueError:
            return [await self._lose(order) for order in orders]
        except BaseException:  # cut off, or broken on our side: it may have left all the same
            for order in orders:
                self._mark_unknown(order)
            raise
        return [await self._absorb(report, answered=True) for report in reports]

    def _leaves(self, orders: Sequence[Order]) -> float:
        """From here on they may have left; return the monotonic time."""
        for order in orders:
            self._forget_unsent(order)
        self.acts[orders[0].symbol] += 1
        return self._clock.monotonic()

    async def _answered(self, asking: Awaitable[T]) -> T:
        """Wait for the venue, and keep count of whether it answers at all."""
        began = self._clock.monotonic()
        self._meter.count("api_requests")
        try:
            async with asyncio.timeout(self._timeouts.answer):
                answer = await asking
        except TimeoutError:
            self._fell_silent()
            raise VenueUncertain("no answer") from None
        except (VenueUnavailable, VenueUncertain):
            self._fell_silent()
            raise
        self._meter.time("api", self._clock.monotonic() - began)
        self.silent_since = None
        self.answered_at = self._clock.now()
        return answer

    def _fell_silent(self) -> None:
        self._meter.count("api_errors")
        if self.silent_since is None:
            self.silent_since = self._clock.monotonic()

    async def _lose(self, order: Order) -> Order:
        """No answer: from now on the order counts in full until the venue tells."""
        lost = self._mark_unknown(order)
        if lost.status is not OrderStatus.UNKNOWN:
            return lost
        waited = timedelta(seconds=self._timeouts.answer)
        await self._recorder.keep(
            Change(orders=(lost,)),
            WritePriority.REDUCTION,
            OrderUnknown(
                order=lost,
                waited=waited,
                **self._context.about_order(order.symbol, self._origin_of(order)),
            ),
        )
        return lost

    def _mark_unknown(self, order: Order) -> Order:
        now = self.ledger.orders[order.id]
        if now.status is not OrderStatus.INTENT:
            return now  # the stream told more than the answer would have
        self._lost_at[order.id] = self._clock.monotonic()
        return self.ledger.update(
            now.changed(status=OrderStatus.UNKNOWN, updated_at=self._clock.now())
        )

    async def _end(
        self, order: Order, status: OrderStatus, note: str, *, misfit: bool = False
    ) -> Order:
        before = self.ledger.orders[order.id]
        if not before.is_alive:
            return before
        self._forget_unsent(order)
        was_ours = self._lost_at.pop(order.id, None) is not None
        ended = self.ledger.update(
            before.changed(status=status, note=note, misfit=misfit, updated_at=self._clock.now())
        )
        if order.role is OrderRole.ENTRY:
            # Who sent a reduction looks again in a while; told at once, it would try without end.
            self._touch(order.symbol)
        if was_ours and status is OrderStatus.ABSENT and order.role is OrderRole.EXIT:
            for hear in self.on_absent:
                hear(ended)
        told = self._news.ending(before, ended, self._origin_of(order))
        await self._recorder.keep(Change(orders=(ended,)), WritePriority.FILL, *told)
        return ended

    def _what_follows(self, applied: Applied, *, answered: bool = False) -> _Follows:
        """What is written and said because of *applied*, with the stop that a fill asks for: made
        in the same instant, so that no crash leaves one without the other."""
        order = applied.order
        # An exit that finds nobody to trade with is tried again in a while; told at once, it would
        # be without end.  That a protective order rests, whoever sends it sees.
        rests = answered and order.role is OrderRole.PROTECT and order.is_alive
        if applied.booked or not (rests or order.role is OrderRole.EXIT):
            self._touch(order.symbol)
        positions = {b.fill.symbol for b in applied.booked} & self.ledger.positions.keys()
        notes = [note for hear in self.on_booked for note in hear(applied.booked)]
        reserved = self._made_with(applied)
        self._reserved.update(leg.id for leg in reserved if leg.is_alive)
        change = Change(
            orders=(order, *reserved),
            fills=tuple(b.fill for b in applied.booked),
            positions=tuple((self.ledger.positions[s], self.ledger.plans[s]) for s in positions),
            closed_positions=tuple(b.closed for b in applied.booked if b.closed),
            trades=applied.trades,
            accounts=(self.ledger.account,) if applied.booked else (),
            notes=tuple(notes),
        )
        placing = any(leg.is_alive for leg in reserved)
        events = self._news.of(applied, self._origin_of(order), placing=placing)
        # All fills in one priority: a later one must not be on the disk before an earlier one.
        priority = WritePriority.REDUCTION if applied.booked else WritePriority.FILL
        return _Follows(change, priority, events, reserved)

    def _made_with(self, applied: Applied) -> tuple[Order, ...]:
        if self.on_held is None or not applied.booked:
            return ()
        try:
            return self.on_held(applied.order.symbol)
        except Exception:
            log.exception("no stop could be made together with a fill: it is made after it")
            return ()

    def _tell_foreign(self, symbol: Symbol, order_id: str) -> None:
        told = ForeignOrderSeen(order_id=order_id, **self._context.about_symbol(symbol))
        self._spawn(self._recorder.say(told))

    def _touch(self, symbol: Symbol) -> None:
        self.touched.add(symbol)
        for hear in self.on_touch:
            hear()

    def _origin_of(self, order: Order) -> str:
        return self._origins.get(order.id, "")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _always() -> None:
    """The permit of what only makes a position smaller: nothing withholds it."""
