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

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.backtest.feed import HandFeed
from trading.backtest.foregone import Foregone
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
        settings = trader.settings
        self._rules: Mapping[Symbol, MarketRules] = rules
        self._enters = settings.mode is Mode.PAPER and settings.entries.style is EntryStyle.MARKET

    # -- exits ---------------------------------------------------------------------------------

    def leave_at(self, at: datetime, due_now: Sequence[Symbol], *, touched: bool) -> bool:
        """Fill what the bar fills, and carry out the plans of *due_now*: no other symbol waits for
        anything that this bar has.  *touched*: something may fill in it."""
        alive = self._ledger.alive_of
        if alive(OrderRole.ENTRY) or alive(OrderRole.EXIT) or self._trader.protection.reached:
            return False
        reports = self._venue.fill_bar(at, untouched=not touched)
        if not all(report.status.is_terminal for report in reports):  # something is left of one
            for report in reports:
                self._trader.orders.outcomes.hear(report)
            return False
        for report in reports:
            self._take_in(report, at)
        left = [s for s in due_now if s in self._ledger.positions]
        return all(self._carry_out(symbol, at) for symbol in left)

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
        order = self._order(
            position, kind=OrderType.MARKET, role=OrderRole.EXIT, quantity=quantity, reason=reason,
            at=at,
        )  # fmt: skip
        self._history.orders_sent[order.id] = order
        if not left:
            for leg in self._ledger.alive_of(OrderRole.PROTECT, symbol):
                self._end(leg, NO_POSITION_LEFT, at)
        self._meet(order, at)
        if left:
            self._protect(symbol, at)
        return True

    # -- entries -------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it answers the next wish with nothing in its way but what is held."""
        alive, trader = self._ledger.alive_of, self._trader
        under_way = alive(OrderRole.ENTRY) or alive(OrderRole.EXIT) or trader.protection.reached
        return self._enters and not (under_way or trader.block)

    async def enter_at(self, at: datetime) -> bool:
        """Answer the signals of this bar, and carry out what is approved."""
        self.is_whole = True
        if not self._enters:
            return False
        await self._trader.universe.refresh(at)
        signals = await self._strategist.signals(at)
        leaving = self._strategist.leaving(at)
        turned = [s.symbol for s in signals if self._is_held(s.symbol, s.side.opposite)]
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
            await self._bars.send(approved, at)
            return True
        for approval in approved:
            self._history.count(approval.decision)
            self._trader.orders.on_the_way.leave((approval.order,))
            self._history.orders_sent[approval.order.id] = approval.order
            self._meet(approval.order, at)
        for symbol in sorted(approval.order.symbol for approval in approved):
            self._protect(symbol, at)
        return True

    def _is_held(self, symbol: Symbol, side: Side) -> bool:
        position = self._ledger.positions.get(symbol)
        return position is not None and position.side is side

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
        legs = self._ledger.alive_of(OrderRole.PROTECT, symbol)
        stop = None if plan.stop is None else rules.tightest(plan.stop, plan.side)
        target = None if plan.target is None else rules.price(plan.target)
        held = abs(position.quantity)
        for kind, price, reason in (
            (OrderType.STOP, stop, stop_reason(plan, rules)),
            (OrderType.TARGET, target, ExitReason.TARGET),
        ):
            rests = next((leg for leg in legs if leg.type is kind), None)
            if rests is not None and rests.stop_price == price and rests.quantity == held:
                continue
            if rests is not None:
                self._end(rests, "cancelled", at)
            if price is not None:
                order = self._order(
                    position, kind=kind, role=OrderRole.PROTECT, quantity=held, reason=reason,
                    at=at, stop_price=price, status=OrderStatus.OPEN,
                    venue_id=self._venue.next_id, updated_at=at, version=2,
                )  # fmt: skip
                self._venue.rest(order, at)
                self._ledger.add(order)
                self._history.orders_sent[order.id] = order
        self._history.changed.add(symbol)

    # -- orders --------------------------------------------------------------------------------

    def _order(
        self, position: Position, *, role: OrderRole, kind: OrderType, at: datetime,
        reason: ExitReason, **of: Any,
    ) -> Order:  # fmt: skip
        """One that makes *position* smaller."""
        return Order(
            id=self._ids.new(role), trader=self._name, symbol=position.symbol, type=kind, role=role,
            side=position.side.opposite, created_at=at, market_at=at, reduce_only=True,
            reason=reason.value, **of,
        )  # fmt: skip

    def _meet(self, order: Order, at: datetime) -> None:
        """Let the market fill all of *order*."""
        venue_id = self._venue.next_id
        self._filled(order, self._venue.take(order, self._price(order.symbol), at), venue_id)

    def _filled(self, order: Order, fill: Fill, venue_id: str) -> None:
        """Book *fill*, which is all of *order*."""
        quantity = fill.quantity
        ended = order.changed(
            status=OrderStatus.FILLED, venue_id=venue_id, filled=quantity, updated_at=fill.at,
            average_price=quantity * fill.price / quantity, triggered=order.type in CONDITIONAL,
        )  # fmt: skip
        self._keep(ended)
        history = self._history
        history.fills_made.append(fill)
        trade = self._ledger.settle(ended, fill)
        if trade is not None:
            history.trades_closed.append(trade)

    def _end(self, leg: Order, note: str, at: datetime) -> None:
        self._venue.drop(leg, at, note)
        self._keep(leg.changed(status=OrderStatus.CANCELLED, note=note, updated_at=at))

    def _keep(self, ended: Order) -> None:
        self._ledger.update(ended)
        self._history.orders_sent[ended.id] = ended
        self._history.changed.add(ended.symbol)

    def _fills_whole(self, symbol: Symbol, quantity: Decimal, at: datetime) -> bool:
        rules = self._rules[symbol]
        most = rules.max_quantity
        if rules.quantity(quantity) != quantity or (most is not None and quantity > most):
            return False
        return quantity <= self._venue.room(symbol, at)

    def _take_in(self, report: OrderReport, at: datetime) -> None:
        """Book what the venue tells of an order that has ended."""
        order = self._ledger.orders[report.order_id]
        if report.status is OrderStatus.FILLED and order.quantity == report.fills[0].quantity:
            self._filled(order, report.fills[0], report.venue_id)
        elif not report.fills:
            self._keep(order.changed(status=report.status, note=report.note, updated_at=at))
        else:
            applied = self._ledger.apply(report, now=at)
            if applied is None:
                raise KeyError(report.order_id)
            self._keep(applied.order)
            self._history.fills_made += [booked.fill for booked in applied.booked]
            self._history.trades_closed += applied.trades

    def _price(self, symbol: Symbol) -> Decimal:
        quote = self._feed.quote(symbol)
        if quote is None:
            raise KeyError(symbol)
        return quote.price
