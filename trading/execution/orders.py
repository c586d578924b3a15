"""The life of an order: intent, sending, the answer or the lack of one, its end.

The only code that speaks to a venue about orders.  An ENTRY leaves only after its intent is
durable and while its permit holds; a reduction never waits for the disk longer than a moment.  A
timeout is not a failure: the order is UNKNOWN until the venue has been asked, and is never resent.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import ParamSpec

from trading.accounts.ledger import Ledger
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
    Withheld,
)
from trading.execution.consequences import Consequences
from trading.execution.intents import Intents
from trading.execution.on_the_way import OnTheWay
from trading.execution.order_ids import OrderIds
from trading.execution.outcomes import Outcomes
from trading.execution.timeouts import OrderTimeouts
from trading.execution.venue_line import VenueLine
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
    Side,
    Symbol,
)

log = logging.getLogger(__name__)


class Orders:
    """All orders of one trader's account."""

    def __init__(  # one assignment for each thing that is kept
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
        self._context = context
        consequences = Consequences(
            context=context, ledger=ledger, valuer=valuer, rules=venue.rules
        )
        self.intents = Intents(
            context=context, recorder=recorder, journal=journal, timeouts=timeouts
        )  # fmt: skip
        self._valuer = valuer
        self._recorder = recorder
        self._clock = context.clock
        self._timeouts = timeouts
        self._meter = meter
        self.line = VenueLine(venue=venue, clock=context.clock, timeouts=timeouts, meter=meter)
        self.on_the_way = OnTheWay(clock=context.clock, forgotten_after=timeouts.answer)
        self.outcomes = Outcomes(
            context=context, ledger=ledger, venue=venue, consequences=consequences,
            on_the_way=self.on_the_way, intents=self.intents, is_ours=ids.is_ours,
            recorder=recorder,
        )  # fmt: skip
        self.acts: Counter[Symbol] = Counter()
        """How often something was asked for about orders of each symbol that may have left us."""

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
        self.on_the_way.make(order)
        return order

    # -- sending --------------------------------------------------------------------------

    async def enter(
        self, order: Order, permit: Permit, decision: Decision | None = None, *, origin: str = ""
    ) -> Order:
        """Send an entry once its intent is durable.  Without a durable intent nothing leaves.

        *origin* is the chat that is answered.
        """
        with self.on_the_way.carried(order, origin=origin):
            return await self._enter(order, permit, decision)

    async def _enter(self, order: Order, permit: Permit, decision: Decision | None) -> Order:
        decisions = (decision,) if decision else ()
        try:
            permit()
            await self._recorder.record(
                Change(orders=(order,), decisions=decisions), WritePriority.ENTRY
            )
        except (StoreError, Halted) as why:
            note = "halted" if isinstance(why, Halted) else f"not written down: {why}"
            return await self.outcomes.end(order, OrderStatus.NOT_SENT, note, decisions=decisions)
        return await self._place(order, permit)

    async def reduce(self, order: Order, *, origin: str = "") -> Order:
        """Send an exit or a protective order; the disk may not hold it back.

        *origin* is the chat that is answered.
        """
        with self.on_the_way.carried(order, origin=origin):
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

    def unsent(self, legs: Sequence[Order]) -> tuple[Order, ...]:
        """Those of *legs* that were made with a fill, and have not left yet."""
        return self.on_the_way.unsent(legs) if self.on_the_way.any_unsent else ()

    async def protect_by_pair(self, stop: Order, target: Order) -> Order:
        """Send both in one list, of which only one can fill; return the stop.

        They are refused, or lost, together.
        """
        with self.on_the_way.carried(stop, target):
            await self.intents.save(stop, target)
            asking = partial(self.venue.place_pair, stop, target, _always)
            return (await self._sent((stop, target), asking))[0]

    async def write_off(self, order: Order, price: Decimal, *, origin: str = "") -> Order:
        """Book *order* out at *price*: nobody trades its symbol, and nothing is sent."""
        with self.on_the_way.carried(order, origin=origin):
            await self.intents.save(order)
            asking = partial(_alone, self.venue.write_off, order, price)
            return (await self._sent((order,), asking))[0]

    async def cancel(
        self, order: Order, *, origin: str = "", leaving: Leaving = unwatched
    ) -> Order:
        """Cancel and return the order as it ended (it may have filled first).

        *origin* is the chat that is answered; *leaving* is called when the request leaves.  Raises
        `VenueUnavailable` or `VenueUncertain`: it may still rest.
        """
        with self.on_the_way.asked_by(order, origin):
            return await self._cancel(order, leaving)

    async def _cancel(self, order: Order, leaving: Leaving) -> Order:
        if self.unsent((order,)):
            ended = self.outcomes.withdraw(order)
            await self._recorder.keep(Change(orders=(ended,)), WritePriority.FILL)
            return ended
        self.acts[order.symbol] += 1
        try:
            report = await self.line.answer(self.venue.cancel(order, leaving))
        except VenueRejected:
            return await self.resolve(order)
        return await self.outcomes.absorb(report)

    async def resolve(self, order: Order) -> Order:
        """Ask the venue what became of *order*.  ABSENT only when it can no longer arrive:

        the venue has answered twice that it has no such order, the second time at least its
        window after we gave up sending.  What is on its way out is left to whoever sends it.
        """
        report = await self._what_became_of(order)
        return (
            self.ledger.orders[order.id] if report is None else await self.outcomes.absorb(report)
        )

    async def ask_all(self, orders: Sequence[Order]) -> list[OrderReport]:
        """What the venue says of *orders*, to be booked by `absorb`; see `resolve`."""
        return [r for o in orders if (r := await self._what_became_of(o)) is not None]

    async def _what_became_of(self, order: Order) -> OrderReport | None:
        """None: nothing is news, or it ended ABSENT."""
        if self.on_the_way.is_ours_to_send(order):
            return None
        report = await self.line.answer(self.venue.find(order))
        order = self.ledger.orders[order.id]
        if (
            report is not None
            or not order.is_alive
            or self.on_the_way.may_still_arrive(order, self.venue.window)
        ):
            return report
        report = await self.line.answer(self.venue.find(order))
        if report is None:
            await self.outcomes.end(order, OrderStatus.ABSENT, "the venue never had it")
        return report

    # -- inside ---------------------------------------------------------------------------

    def in_doubt(self) -> list[Order]:
        """Those of which the venue alone can tell: sent without an answer, or written down by a
        process that died, or broke off, before it sent them."""
        alive = self.ledger.alive.values()
        doubtful = (o for o in alive if o.status is not OrderStatus.OPEN)
        return [o for o in doubtful if not self.on_the_way.is_ours_to_send(o)]

    async def _place(self, order: Order, permit: Permit) -> Order:
        asking = partial(_alone, self.venue.place, order, permit)
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
            reports = await self.line.answer(asking())
            self._meter.time("order", self._clock.monotonic() - began)
        except Withheld as why:
            note = "halted" if isinstance(why, Halted) else str(why)
            return [await self.outcomes.end(o, OrderStatus.NOT_SENT, note) for o in orders]
        except VenueRejected as error:
            self._meter.count("rejections")
            end = partial(self.outcomes.end, misfit=isinstance(error, VenueMisfit))
            return [await end(o, OrderStatus.REJECTED, str(error)) for o in orders]
        except VenueUnavailable as error:
            return [await self.outcomes.end(o, OrderStatus.NOT_SENT, str(error)) for o in orders]
        except VenueError:
            waited = timedelta(seconds=self._timeouts.answer)
            return [await self.outcomes.lose(order, waited=waited) for order in orders]
        except BaseException:  # cut off, or broken on our side: it may have left all the same
            for order in orders:
                self.outcomes.mark_unknown(order)
            raise
        return [await self.outcomes.absorb(report, answered=True) for report in reports]

    def _leaves(self, orders: Sequence[Order]) -> float:
        """From here on they may have left; return the monotonic time."""
        self.on_the_way.leave(orders)
        self.acts[orders[0].symbol] += 1
        return self._clock.monotonic()


P = ParamSpec("P")


async def _alone(
    asking: Callable[P, Awaitable[OrderReport]], *args: P.args, **kwargs: P.kwargs
) -> tuple[OrderReport]:
    """What is told of one order, as of several."""
    return (await asking(*args, **kwargs),)


def _always() -> None:
    """The permit of what only makes a position smaller: nothing withholds it."""
