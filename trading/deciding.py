"""From closed candles to decisions: signals are wishes, risk answers, every answer is recorded.

One decision lane per account: between looking at the books and reserving the exposure nothing is
awaited, so two signals can never spend the same room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from trading.desk_limits import DeskRisk
from trading.errors import Halted, Refused
from trading.execution.exit_rules import ExitRules
from trading.execution.orders import Orders
from trading.halt import Latch, Permit
from trading.ports import Feed
from trading.risk.book import Approved, Proposal, Refusal, RiskBook
from trading.risk.cooldown import streak
from trading.risk.exposure import reserved
from trading.risk.gate import evaluate
from trading.risk.limits import Limits
from trading.strategies.base import Strategy
from trading.types import Decision, Mode, Order, OrderRole, Side, Signal
from trading.valuation import Valuer


@dataclass(frozen=True, slots=True)
class Approval:
    """An approved decision with its intent, reserved and permitted, not yet sent."""

    decision: Decision
    order: Order
    permit: Permit


class Decider:
    def __init__(
        self,
        *,
        trader: str,
        mode: Mode,
        strategy: Strategy,
        limits: Limits,
        exit_rules: ExitRules,
        orders: Orders,
        valuer: Valuer,
        feed: Feed,
        latch: Latch,
        desk_risk: DeskRisk,
    ) -> None:
        self._trader = trader
        self._mode = mode
        self._strategy = strategy
        self._limits = limits
        self._exit_rules = exit_rules
        self._orders = orders
        self._ledger = orders.ledger
        self._valuer = valuer
        self._feed = feed
        self._latch = latch
        self._desk_risk = desk_risk

    def use(self, limits: Limits, exit_rules: ExitRules) -> None:
        """Go by new limits from the next decision on."""
        self._limits, self._exit_rules = limits, exit_rules

    def signals(self, bar: datetime) -> list[Signal]:
        """The strategy's wishes at *bar*, most confident first."""
        candles = self._feed.candles(bar, self._strategy.warmup + 1)
        if candles.bars == 0:
            return []
        found = self._strategy.signals(candles)
        last = candles.bars - 1
        rows = np.flatnonzero(found.score[:, last])
        wishes = [
            Signal(
                symbol=candles.symbols[row],
                side=Side.BUY if found.score[row, last] > 0 else Side.SELL,
                bar=bar,
                price=quote.price,
                stop=rules.price(float(found.stop[row, last])),
                target=None if np.isnan(target) else rules.price(float(target)),
                confidence=round(abs(float(found.score[row, last]))),
                reason=self._strategy.explain(candles, int(row), last),
            )
            for row in rows
            for quote in [self._valuer.quote(candles.symbols[row], bar)]
            for rules in [self._orders.venue.rules(candles.symbols[row])]
            for target in [found.target[row, last]]
            if quote is not None
        ]
        return sorted(wishes, key=lambda s: (-s.confidence, s.symbol))

    def decide(
        self, signals: Sequence[Signal], *, now: datetime, blocked: str = ""
    ) -> list[Decision | Approval]:
        """Answer the *signals* of one bar at wall time *now*, in their order.

        Nothing is awaited between the first look at the books and the last reservation, and each
        answer counts what the ones before it have reserved.  *blocked* is why the desk takes no
        entries at the moment, if so.
        """
        refusal = blocked or self._halted()
        if refusal or not signals:
            return [self._decision(signal, now, reason=refusal) for signal in signals]
        book, answers = self.book(signals[0].bar), list[Decision | Approval]()
        for signal in signals:
            answer = self._answer(signal, book, now)
            if isinstance(answer, Approval):
                book = self._with_reserved(book, answer.order, signal.price)
            answers.append(answer)
        return answers

    def _answer(self, signal: Signal, book: RiskBook, now: datetime) -> Decision | Approval:
        answer = self._evaluate(signal, book)
        if isinstance(answer, Refusal):
            return self._decision(signal, now, reason=answer.reason)
        if self._mode is Mode.DRY_RUN:
            return self._decision(signal, now, reason=f"{answer.reason}; dry run, nothing sent")
        return self._approve(signal, answer, now)

    def propose(self, wish: Signal, *, notional: Decimal) -> Decimal:
        """How much of *wish* may be entered by hand: *notional* in whole lots, if risk agrees.

        The same checks as for a strategy's signal.  Raises `Refused`.
        """
        if self._mode is Mode.DRY_RUN:
            raise Refused("This trader is a dry run: it sends nothing")
        answer = self._evaluate(wish, self.book(wish.bar))
        if isinstance(answer, Refusal):
            raise Refused(f"Risk says no: {answer.reason}")
        quantity = self._orders.venue.rules(wish.symbol).quantity(notional / wish.price)
        if quantity > answer.quantity:
            raise Refused(
                f"{notional:.2f} is more than risk allows, {answer.notional:.2f} at the stop "
                f"{wish.stop}"
            )
        least = max(self._limits.min_notional, self._orders.venue.rules(wish.symbol).min_notional)
        if quantity * wish.price < least:
            raise Refused(f"{notional:.2f} is below the smallest entry, {least:.2f}")
        return quantity

    def approve(self, wish: Signal, quantity: Decimal, *, now: datetime, by: str) -> Approval:
        """Reserve an entry by hand of exactly *quantity*.  Raises `Refused` when halted."""
        risk = quantity * abs(wish.price - wish.stop)
        answer = Approved(
            quantity=quantity, risk=risk, notional=quantity * wish.price, reason=f"by {by}"
        )
        approval = self._approve(wish, answer, now)
        if not isinstance(approval, Approval):
            raise Refused(f"No entry: {approval.reason}")
        return approval

    def book(self, at: datetime) -> RiskBook:
        """What risk knows at market time *at*."""
        entries = self._ledger.alive_of(OrderRole.ENTRY)
        busy = frozenset(order.symbol for order in entries)
        opened = frozenset(self._ledger.positions)
        losses = streak(self._ledger.trades, self._limits, at)
        return RiskBook(
            equity=self._valuer.equity(at),
            exposure=self._valuer.exposure(at),
            open_symbols=opened,
            busy_symbols=frozenset(o.symbol for o in self._ledger.unknown()) | busy,
            positions=len(opened | busy),
            losses_in_row=losses.losses,
            last_loss_at=losses.last_at,
            last_exit_at=self._ledger.last_exits(),
            price_age=self._feed.now() - at,
            desk_room=self._desk_risk.room(),
            desk_objection=self._desk_risk.objection(),
        )

    # -- inside ---------------------------------------------------------------------------

    def _evaluate(self, signal: Signal, book: RiskBook) -> Approved | Refusal:
        proposal = Proposal(
            symbol=signal.symbol,
            side=signal.side,
            price=signal.price,
            stop=signal.stop,
            rules=self._orders.venue.rules(signal.symbol),
            at=signal.bar,
        )
        return evaluate(proposal, book, self._limits)

    def _approve(self, signal: Signal, answer: Approved, now: datetime) -> Decision | Approval:
        try:
            permit = self._latch.permit(self._trader)
        except Halted:
            return self._decision(signal, now, reason=self._halted())
        rules = self._orders.venue.rules(signal.symbol)
        try:
            plan = self._exit_rules.plan(
                signal, quantity=answer.quantity, rules=rules, at=signal.bar
            )
        except ValueError as error:  # a target below zero, say: not a plan anyone could carry out
            return self._decision(signal, now, reason=f"no exit plan: {error}")
        order = self._orders.prepare(
            symbol=signal.symbol,
            side=signal.side,
            role=OrderRole.ENTRY,
            quantity=answer.quantity,
            price=signal.limit,
            reason=signal.reason,
            plan=plan,
        )
        return Approval(
            decision=self._decision(signal, now, reason=answer.reason, order=order, answer=answer),
            order=order,
            permit=permit,
        )

    def _with_reserved(self, book: RiskBook, order: Order, price: Decimal) -> RiskBook:
        """The book after *order* has been reserved, so that it need not be added up again."""
        notional = reserved(order, price)
        room = book.desk_room
        return replace(
            book,
            exposure=book.exposure + notional,
            busy_symbols=book.busy_symbols | {order.symbol},
            positions=book.positions + 1,
            desk_room=None if room is None else room - notional,
            desk_objection=self._desk_risk.objection(),
        )

    def _halted(self) -> str:
        halt = self._latch.strictest(self._trader)
        return "" if halt is None else f"halted by {halt.id}"

    def _decision(
        self,
        signal: Signal,
        now: datetime,
        *,
        reason: str,
        order: Order | None = None,
        answer: Approved | None = None,
    ) -> Decision:
        return Decision(
            id=decision_id(self._trader, signal),
            trader=self._trader,
            symbol=signal.symbol,
            bar=signal.bar,
            at=now,
            side=signal.side,
            approved=order is not None,
            reason=reason,
            signal=signal.reason,
            confidence=signal.confidence,
            **({"quantity": answer.quantity, "risk": answer.risk} if answer else {}),
            order_id=order.id if order else "",
        )


def decision_id(trader: str, signal: Signal) -> str:
    """One answer per signal: the same bar seen again after a crash finds it."""
    return f"{trader}|{signal.symbol}|{signal.bar.isoformat()}"


def approvals(answers: list[Decision | Approval]) -> Iterator[Approval]:
    return (answer for answer in answers if isinstance(answer, Approval))
