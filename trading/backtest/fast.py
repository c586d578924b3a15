"""The fast path: what the trader does at a bar, done on the same books without anybody waiting.

At a desk an order crosses tasks, history, a venue and their doubts.  In a backtest there are no
doubts: a market order fills in the bar that it meets, a stop or target in the bar that touches it.
So the common steps are taken here one after another, in the trader's own order, on the trader's own
ledger and the venue's own book, by the same decisions, plans, fills and bookings.

Every step is one that the trader would take, and taking it twice changes nothing.  So what is not
covered (an entry that rests, a bar too thin for an order, a price that is beyond a stop already) is
left to the trader at any point of any bar: it goes on from the books as they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from trading.backtest.feed import HandFeed
from trading.backtest.foregone import Foregone
from trading.backtest.legs import RestingLeg, RestingLegs
from trading.backtest.parts import InstantPaper, KeptHistory
from trading.cycle.deciding import Approval, approvals
from trading.execution.order_ids import OrderIds
from trading.model.plan import due, observe, stop_reason
from trading.risk.limits import EntryStyle
from trading.trader import Trader
from trading.types import (
    CONDITIONAL,
    ZERO,
    ExitPlan,
    ExitReason,
    Fill,
    MarketRules,
    Mode,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Side,
    Signal,
    Symbol,
)
from trading.venues.paper.filling import NO_POSITION_LEFT


class FastPath:
    """One trader's bars.  What a method does not cover it leaves alone, and returns False."""

    is_whole = True
    """All that was approved at the last bar was carried out here, and is covered."""

    def __init__(
        self,
        *,
        trader: Trader,
        venue: InstantPaper,
        history: KeptHistory,
        feed: HandFeed,
        rules: Mapping[Symbol, MarketRules],
        ids: OrderIds,
        foregone: Foregone,
    ) -> None:
        self._trader = trader
        self._name = trader.name
        self._bars = trader.cycles.bars
        self._decider = self._bars.wishes.decider
        self._strategist = self._bars.wishes.strategist
        self._ledger = trader.ledger
        self._valuer = trader.valuer
        self._venue = venue
        self._history = history
        self._feed = feed
        self._ids = ids
        self._foregone = foregone
        self._legs = RestingLegs(
            trader=trader.name, ledger=trader.ledger, venue=venue, history=history
        )
        settings = trader.settings
        self._rules: Mapping[Symbol, MarketRules] = rules
        self._enters = settings.mode is Mode.PAPER and settings.entries.style is EntryStyle.MARKET

    def _is_under_way(self) -> bool:
        """Whether an order is about to fill, or may be."""
        alive = self._ledger.alive.values()  # few, as most of what rests is not shown
        return any(
            o.role is not OrderRole.PROTECT or o.status is not OrderStatus.OPEN for o in alive
        )

    # -- taking over ---------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Let the books say all that the trader needs to go on from here."""
        self._legs.show_all()

    def resting(self, symbol: Symbol) -> Sequence[RestingLeg]:
        """What rests for *symbol* that the books do not say."""
        return self._legs.unseen(symbol)

    # -- exits ---------------------------------------------------------------------------------

    def leave_at(
        self, at: datetime, due_now: Sequence[Symbol], *, touches: Callable[[RestingLeg], bool]
    ) -> bool:
        """Fill what the bar fills, and carry out the plans of *due_now*: no other symbol waits for
        anything that this bar has.  *touches*: whether it may fill a leg."""
        if self._is_under_way() or self._trader.protection.reached:
            return False
        for symbol in due_now:
            if any(touches(leg) for leg in self._legs.unseen(symbol)):
                self._legs.show(symbol)
        reports = self._venue.fill_bar(at, untouched=not any(map(self._legs.are_shown, due_now)))
        if not all(report.status.is_terminal for report in reports):  # something is left of one
            for report in reports:
                self._trader.orders.outcomes.hear(report)
            return False
        for report in reports:
            self._take_in(report, at)
        positions = self._ledger.positions
        return all(self._carry_out(symbol, at) for symbol in due_now if symbol in positions)

    def _carry_out(self, symbol: Symbol, at: datetime) -> bool:
        before, quote = self._ledger.plans.get(symbol), self._feed.quote(symbol)
        if before is None or quote is None:
            return True
        rules = self._rules[symbol]
        plan = observe(before, quote.price, rules)
        if plan != before and not self._change_plan(symbol, plan, at):
            return False
        held = abs(self._ledger.positions[symbol].quantity)
        wanted = due(
            plan, held, price=quote.price, now=at, rules=rules, stop_rests=True, target_rests=True
        )
        if wanted is None:
            return True
        if wanted.quantity > ZERO and not self._close(symbol, wanted.quantity, wanted.reason, at):
            return False
        if symbol not in self._ledger.positions or wanted.plan == plan:
            return True
        return self._change_plan(symbol, wanted.plan, at)

    def _change_plan(self, symbol: Symbol, plan: ExitPlan, at: datetime) -> bool:
        before, position = self._ledger.plans[symbol], self._ledger.positions[symbol]
        if not self._can_rest(plan, position):
            return False
        self._ledger.set_plan(symbol, plan)
        self._history.changed.add(symbol)
        if (plan.stop, plan.target) != (before.stop, before.target):
            self._protect(symbol, at)
        return True

    def _close(self, symbol: Symbol, quantity: Decimal, reason: ExitReason, at: datetime) -> bool:
        """At market, and put right what rests for what is left."""
        position = self._ledger.positions[symbol]
        if not self._fills_whole(symbol, quantity, at):
            return False
        left = abs(position.quantity) != quantity
        if left and not self._can_rest(self._ledger.plans[symbol], position):
            return False
        if not left:
            self._legs.end_all(symbol, NO_POSITION_LEFT, at)
        venue_id = self._venue.next_id
        fill = self._venue.take(
            self._ids.new(OrderRole.EXIT), symbol, position.side.opposite, quantity,
            price=self._price(symbol), at=at,
        )  # fmt: skip
        trade = self._ledger.reduce(fill, sent_at=at, reason=reason)
        self._history.fills_made.append(fill)
        self._history.unbuilt.append(partial(_market_exit, fill, reason, venue_id))
        self._history.changed.add(symbol)
        if trade is not None:
            self._history.trades_closed.append(trade)
        if left:
            self._protect(symbol, at)
        return True

    # -- entries -------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it answers the next wish with nothing in its way but what is held."""
        trader = self._trader
        under_way = self._is_under_way() or trader.protection.reached
        return self._enters and not (under_way or trader.block)

    async def enter_at(self, at: datetime) -> bool:
        """Answer the signals of this bar, and carry out what is approved."""
        self.is_whole = True
        if not self._enters:
            return False
        await self._trader.universe.refresh(at)
        signals = await self._strategist.signals(at)
        leaving = self._strategist.leaving(at)
        turned = [s.symbol for s in signals if self._turns(s)]
        if not all(self._leave(symbol, at) for symbol in (*turned, *leaving)):
            return False
        answers = self._decider.decide(signals, {}, now=at, blocked=self._trader.block)
        self._foregone.learn(signals, answers)
        approved = list(approvals(answers))
        for answer in answers:
            if not isinstance(answer, Approval):
                self._history.count(answer)
        if not all(self._is_plain(approval, at) for approval in approved):
            self.is_whole = False
            self.hand_over()
            await self._bars.send(approved, at)
            return True
        for approval in approved:
            self._enter(approval.order, at)
        for symbol in sorted(approval.order.symbol for approval in approved):
            self._protect(symbol, at)
        return True

    def _enter(self, order: Order, at: datetime) -> None:
        """Let the market fill all of it."""
        self._history.approved += 1
        self._trader.orders.on_the_way.leave((order,))
        venue_id = self._venue.next_id
        fill = self._venue.take(
            order.id, order.symbol, order.side, order.quantity, price=self._price(order.symbol),
            at=at,
        )  # fmt: skip
        self._ledger.let_go(order)
        self._ledger.settle(order, fill)
        self._history.fills_made.append(fill)
        self._history.unbuilt.append(partial(_filled, order, fill, venue_id))
        self._history.changed.add(order.symbol)

    def _turns(self, signal: Signal) -> bool:
        """Whether it wishes the other side of what is open."""
        position = self._ledger.positions.get(signal.symbol)
        return position is not None and position.side is not signal.side

    def _leave(self, symbol: Symbol, at: datetime) -> bool:
        if symbol not in self._ledger.positions:
            return True
        held = abs(self._ledger.positions[symbol].quantity)
        return self._close(symbol, held, ExitReason.SIGNAL, at)

    def _is_plain(self, approval: Approval, at: datetime) -> bool:
        """Whether it fills at once as a whole, and its stop and target can rest then."""
        order, plan = approval.order, approval.order.plan
        if plan is None or not self._fills_whole(order.symbol, order.quantity, at):
            return False
        return self._rests(plan, order.side, order.symbol)

    # -- what rests ----------------------------------------------------------------------------

    def _can_rest(self, plan: ExitPlan, position: Position) -> bool:
        return self._rests(plan, position.side, position.symbol)

    def _rests(self, plan: ExitPlan, side: Side, symbol: Symbol) -> bool:
        """Whether the market stands between stop and target: neither would be touched at once."""
        price, sign = self._price(symbol), side.sign
        if plan.stop is None:
            return False
        stop = self._rules[symbol].tightest(plan.stop, plan.side)
        beyond = plan.target is not None and (price - plan.target) * sign >= ZERO
        return (price - stop) * sign > ZERO and not beyond

    def _protect(self, symbol: Symbol, at: datetime) -> None:
        """Make what rests equal the open quantity and the plan's prices: the stop first."""
        position, plan, rules = (
            self._ledger.positions[symbol], self._ledger.plans[symbol], self._rules[symbol],
        )  # fmt: skip
        legs = tuple(self._legs.of(symbol))
        stop = None if plan.stop is None else rules.tightest(plan.stop, plan.side)
        target = None if plan.target is None else rules.price(plan.target)
        held, side = abs(position.quantity), position.side.opposite
        for kind, price, reason in (
            (OrderType.STOP, stop, stop_reason(plan, rules)),
            (OrderType.TARGET, target, ExitReason.TARGET),
        ):
            rests = next((leg for leg in legs if leg.type is kind), None)
            if rests is not None and rests.stop_price == price and rests.quantity == held:
                continue
            if rests is not None:
                self._legs.end(rests, "cancelled", at)
            if price is not None:
                leg = RestingLeg(
                    id=self._ids.new(OrderRole.PROTECT), symbol=symbol, side=side, type=kind,
                    stop_price=price, quantity=held, reason=reason, since=at,
                )  # fmt: skip
                self._legs.rest(leg)
        self._history.changed.add(symbol)

    # -- orders --------------------------------------------------------------------------------

    def _fills_whole(self, symbol: Symbol, quantity: Decimal, at: datetime) -> bool:
        rules = self._rules[symbol]
        most = rules.max_quantity
        if quantity % rules.lot or (most is not None and quantity > most):
            return False
        return self._venue.has_room(symbol, quantity, at)

    def _take_in(self, report: OrderReport, at: datetime) -> None:
        """Book what the venue tells of an order that has ended."""
        order = self._ledger.orders[report.order_id]
        if report.status is OrderStatus.FILLED and order.quantity == report.fills[0].quantity:
            fill = report.fills[0]
            ended = _filled(order, fill, report.venue_id)
            self._legs.book(ended)
            trade = self._ledger.settle(ended, fill)
            self._history.fills_made.append(fill)
            if trade is not None:
                self._history.trades_closed.append(trade)
        elif not report.fills:
            self._legs.book(order.changed(status=report.status, note=report.note, updated_at=at))
        else:
            applied = self._ledger.apply(report, now=at)
            if applied is None:
                raise KeyError(report.order_id)
            self._legs.book(applied.order)
            self._history.fills_made += [booked.fill for booked in applied.booked]
            self._history.trades_closed += applied.trades

    def _price(self, symbol: Symbol) -> Decimal:
        quote = self._feed.quote(symbol)
        if quote is None:
            raise KeyError(symbol)
        return quote.price


def _market_exit(fill: Fill, reason: ExitReason, venue_id: str) -> Order:
    """The order that ended with *fill*."""
    order = Order(
        id=fill.order_id, trader=fill.trader, symbol=fill.symbol, type=OrderType.MARKET,
        role=OrderRole.EXIT, side=fill.side, quantity=fill.quantity, created_at=fill.at,
        market_at=fill.at, reduce_only=True, reason=reason.value,
    )  # fmt: skip
    return _filled(order, fill, venue_id)


def _filled(order: Order, fill: Fill, venue_id: str) -> Order:
    """*order*, all of which *fill* is."""
    quantity = fill.quantity
    return order.changed(
        status=OrderStatus.FILLED, venue_id=venue_id, filled=quantity, updated_at=fill.at,
        average_price=quantity * fill.price / quantity, triggered=order.type in CONDITIONAL,
    )  # fmt: skip
