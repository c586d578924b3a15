"""From closed candles to decisions: signals are wishes, risk answers, every answer is recorded.

One decision after the other per account: between looking at the books and reserving the exposure
nothing is awaited, so two signals can never spend the same room.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from trading.accounts.valuation import Valuer
from trading.common.frozen import replace
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.cycle.universe import TradableUniverse
from trading.errors import Halted, Refused
from trading.execution.order_book import BookAnswer, BookAnswers
from trading.execution.orders import Orders
from trading.model.halt import Latch, Permit
from trading.risk import pace
from trading.risk.cooldown import CountedLosses, Streak, current
from trading.risk.exposure import reserved
from trading.risk.gate import afford, objection, still_affordable
from trading.risk.limits import EntryStyle
from trading.risk.pace import entered_in
from trading.risk.snapshot import Approved, Proposal, Refusal, RiskSnapshot
from trading.safety.desk_limits import DeskRisk
from trading.types import (
    ZERO,
    Decision,
    Depth,
    Mode,
    Order,
    OrderRole,
    Quote,
    Side,
    Signal,
    Symbol,
    Untraded,
    traded,
)

_NOBODY = frozenset[Symbol]()


@dataclass(frozen=True)
class Approval:
    """An approved signal with its intent, reserved and permitted, not yet sent."""

    signal: Signal
    answer: Approved
    at: datetime
    """Wall time of the decision."""
    order: Order
    permit: Permit

    @cached_property
    def decision(self) -> Decision:
        """As it is recorded: worded only where somebody reads it."""
        return replace(
            _refused(self.order.trader, self.signal, self.at, reason=self.answer.reason),
            approved=True,
            quantity=self.answer.quantity,
            risk=self.answer.risk,
            order_id=self.order.id,
        )


class Decider:
    def __init__(
        self,
        *,
        context: TraderContext,
        settings: SettingsInForce,
        orders: Orders,
        valuer: Valuer,
        latch: Latch,
        desk_risk: DeskRisk,
        universe: TradableUniverse,
    ) -> None:
        self._context = context
        self._settings = settings
        self._orders = orders
        self._ledger = orders.ledger
        self._valuer = valuer
        self._latch = latch
        self._desk_risk = desk_risk
        self._universe = universe
        self._losses = CountedLosses()

    def decide(
        self, signals: Sequence[Signal], looks: BookAnswers, *, now: datetime, blocked: str = ""
    ) -> list[Decision | Approval]:
        """Answer the *signals* of one bar at wall time *now*, in their order.

        Nothing is awaited between the first look at the books and the last reservation, and each
        answer counts what the ones before it have reserved.  *blocked* is why the desk takes no
        entries at the moment, if so.
        """
        refusal = blocked or self._halted()
        if refusal or not signals:
            return [self._decision(signal, now, reason=refusal) for signal in signals]
        book, answers = self._unpriced(signals[0].bar), list[Decision | Approval]()
        for signal in signals:
            look = looks.get(signal.symbol)
            proposal = self._proposal(signal, look)
            reason = self._objection(proposal, book)
            if reason or isinstance(proposal, Untraded):
                answers.append(self._decision(signal, now, reason=reason))
                continue
            if book.equity is None:  # now, not before: most wishes are refused without it
                book = self._priced(book, signal.bar)
            answer = self._answer(signal, proposal, book, look, now)
            if isinstance(answer, Approval) and signal is not signals[-1]:
                book = self._with_reserved(book, answer.order, signal)
            answers.append(answer)
        return answers

    def _answer(
        self,
        signal: Signal,
        proposal: Proposal,
        book: RiskSnapshot,
        look: BookAnswer,
        now: datetime,
    ) -> Decision | Approval:
        answer = afford(proposal, book, self._settings.now.limits)
        if isinstance(answer, Refusal):
            return self._decision(signal, now, reason=answer.reason)
        if self._context.mode is Mode.DRY_RUN:
            return self._decision(signal, now, reason=f"{answer.reason}; dry run, nothing sent")
        return self._approve(self._styled(signal, look), answer, now)

    def _styled(self, signal: Signal, look: BookAnswer) -> Signal:
        """With the price at which it rests first, as the entry style says."""
        style = self._settings.now.entries.style
        if signal.limit is not None or style is EntryStyle.MARKET:
            return signal
        price = signal.price
        if style is EntryStyle.MAKER and isinstance(look, Depth):
            price = look.bid if signal.side is Side.BUY else look.ask
        limit = traded(self._orders.venue.rules(signal.symbol)).price(price)
        return replace(signal, limit=limit, maker=style is EntryStyle.MAKER)

    def propose(
        self, wish: Signal, *, notional: Decimal, look: BookAnswer = None
    ) -> tuple[Decimal, Approved]:
        """How much of *wish* may be entered by hand, and the most that risk would approve.

        *notional* in whole lots, after the same checks as for a strategy's signal.  Raises
        `Refused`.
        """
        if self._context.mode is Mode.DRY_RUN:
            raise Refused("This trader is a dry run: it sends nothing")
        proposal, book = self._proposal(wish, look), self.book(wish.bar)
        reason = self._objection(proposal, book)
        if reason or isinstance(proposal, Untraded):
            raise Refused(f"Risk says no: {reason}")
        answer = afford(proposal, book, self._settings.now.limits)
        if isinstance(answer, Refusal):
            raise Refused(f"Risk says no: {answer.reason}")
        rules = traded(self._orders.venue.rules(wish.symbol))
        quantity = rules.quantity(notional / wish.price)
        if quantity > answer.quantity:
            raise Refused(
                f"{notional:.2f} is more than risk allows, {answer.notional:.2f} at the stop "
                f"{wish.stop}"
            )
        least = max(self._settings.now.limits.min_notional, rules.min_notional)
        if quantity * wish.price < least:
            raise Refused(f"{notional:.2f} is below the smallest entry, {least:.2f}")
        return quantity, answer

    def approve(self, wish: Signal, quantity: Decimal, *, now: datetime, by: str) -> Approval:
        """Reserve an entry by hand of exactly *quantity*.  Raises `Refused` when halted."""
        risk = quantity * abs(wish.price - wish.stop)
        answer = Approved(
            quantity=quantity, risk=risk, notional=quantity * wish.price, tell=lambda: f"by {by}"
        )
        approval = self._approve(wish, answer, now)
        if not isinstance(approval, Approval):
            raise Refused(f"No entry: {approval.reason}")
        return approval

    def rest_of(self, entry: Order, quote: Quote, look: BookAnswer) -> Decimal | Refusal:
        """How much of what *entry* did not get may go at market now, by the same checks.

        Others may have been approved while it rested, or in the moment in which it was cancelled.
        """
        now, held = self._valuer.feed.now(), self._ledger.positions.get(entry.symbol)
        proposal = self._proposal(_again(entry, _dearest(quote, look, entry.side), now), look)
        book = self.book(now).without(entry.symbol, None if held is None else entered_in(held))
        book = replace(book, price_age=now - quote.at)
        reason = self._objection(proposal, book)
        if reason or isinstance(proposal, Untraded):
            return Refusal(reason=reason)
        return still_affordable(
            proposal, book, self._settings.now.limits, entry=entry.quantity, filled=entry.filled
        )

    def book(self, at: datetime) -> RiskSnapshot:
        """What risk knows at market time *at*."""
        return self._priced(self._unpriced(at), at)

    def losses(self, at: datetime) -> Streak:
        """The losses in a row that still matter at market time *at*."""
        limits = self._settings.now.limits
        return current(self._losses.of(self._ledger.trades, limits), limits, at)

    # -- inside ---------------------------------------------------------------------------

    def _unpriced(self, at: datetime) -> RiskSnapshot:
        """The book without what has to be added up at prices: nothing is approved by it."""
        entries, unknown = self._ledger.alive_of(OrderRole.ENTRY), self._ledger.unknown()
        busy = frozenset(order.symbol for order in entries) if entries else _NOBODY
        opened = frozenset(self._ledger.positions)
        limits, losses = self._settings.now.limits, self.losses(at)
        return RiskSnapshot(
            equity=None,
            exposure=ZERO,
            open_symbols=opened,
            busy_symbols=busy.union(order.symbol for order in unknown) if unknown else busy,
            positions=len(opened | busy) if busy else len(opened),
            losses_in_row=losses.losses,
            last_loss_at=losses.last_at,
            last_trades=self._ledger.last_trades(),
            entered_at=self._entered(busy - opened, at) if limits.paces else (),
            price_age=self._valuer.feed.now() - at,
        )

    def _priced(self, book: RiskSnapshot, at: datetime) -> RiskSnapshot:
        equity, at_work = self._valuer.at_work(at)
        return replace(
            book,
            equity=equity,
            exposure=sum(at_work.values(), ZERO),
            exposures=at_work,
            tiers=self._tiers(at_work),
            desk_headroom=self._desk_risk.headroom(),
            desk_objection=self._desk_risk.objection(),
        )

    def _entered(self, under_way: frozenset[Symbol], at: datetime) -> tuple[datetime, ...]:
        """When entries were made, as far as it matters at *at*; one that filled nothing is none."""
        held = [entered_in(position) for position in self._ledger.positions.values()]
        recent = itertools.takewhile(lambda t: at - t.closed_at < pace.DAY, self._ledger.trades)
        closed = [entered_in(trade) for trade in recent]  # newest first: what follows is older
        return pace.entered((*held, *closed, *(at for _ in under_way)), at)

    def _objection(self, proposal: Proposal | Untraded, book: RiskSnapshot) -> str:
        if isinstance(proposal, Untraded):
            return proposal.why
        return objection(proposal, book, self._settings.now.limits)

    def _proposal(self, signal: Signal, look: BookAnswer) -> Proposal | Untraded:
        rules = self._orders.venue.rules(signal.symbol)
        if isinstance(rules, Untraded):
            return rules
        return Proposal(
            symbol=signal.symbol,
            side=signal.side,
            price=signal.price,
            stop=signal.stop,
            rules=rules,
            at=signal.bar,
            size=signal.size,
            cash=self._orders.venue.cash,
            depth=look if isinstance(look, Depth) else None,
            entries=self._settings.now.entries,
            tier=self._universe.terms(signal.symbol),
            outside=self._universe.objection(signal.symbol, signal.bar),
            doubted=self._valuer.feed.objection(signal.symbol),
            quote_age=self._quote_age(signal.symbol, look),
            unseen=look if isinstance(look, str) else "",
        )

    def _quote_age(self, symbol: Symbol, look: BookAnswer) -> timedelta | None:
        if isinstance(look, Depth):
            return self._valuer.feed.now() - look.at
        if self._valuer.feed.speed is not None:
            return None
        quote = self._valuer.quote(symbol)
        return timedelta.max if quote is None else self._valuer.feed.now() - quote.at

    def _approve(self, signal: Signal, answer: Approved, now: datetime) -> Decision | Approval:
        try:
            permit = self._latch.permit(self._context.name)
        except Halted:
            return self._decision(signal, now, reason=self._halted())
        rules = traded(self._orders.venue.rules(signal.symbol))
        try:
            plan = self._settings.now.exit_rules.plan(
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
            post_only=signal.maker,
            reason=signal.reason,
            plan=plan,
            at=signal.bar,
        )
        return Approval(signal=signal, answer=answer, at=now, order=order, permit=permit)

    def _with_reserved(self, book: RiskSnapshot, order: Order, signal: Signal) -> RiskSnapshot:
        """The book after *order* has been reserved, so that it need not be added up again."""
        notional = reserved(order, signal.price)
        room = book.desk_headroom
        return replace(
            book,
            exposure=book.exposure + notional,
            exposures=_added(book.exposures, order.symbol, notional),
            tiers={**book.tiers, **self._tiers((order.symbol,))},
            busy_symbols=book.busy_symbols | {order.symbol},
            positions=book.positions + 1,
            entered_at=(*book.entered_at, signal.bar),
            entered_now=book.entered_now + 1,
            desk_headroom=None if room is None else room - notional,
            desk_objection=self._desk_risk.objection(),
        )

    def _tiers(self, symbols: Iterable[Symbol]) -> dict[Symbol, int]:
        if not self._universe.has_tiers:
            return {}
        tiers = ((symbol, self._universe.tier(symbol)) for symbol in symbols)
        return {symbol: tier for symbol, tier in tiers if tier is not None}

    def _halted(self) -> str:
        halt = self._latch.strictest(self._context.name)
        return "" if halt is None else f"halted by {halt.id}"

    def _decision(self, signal: Signal, now: datetime, *, reason: str) -> Decision:
        return _refused(self._context.name, signal, now, reason=reason)


def _refused(trader: str, signal: Signal, now: datetime, *, reason: str) -> Decision:
    return Decision(
        id=decision_id(trader, signal),
        trader=trader,
        symbol=signal.symbol,
        bar=signal.bar,
        at=now,
        side=signal.side,
        approved=False,
        reason=reason,
        signal=signal.reason,
        confidence=signal.confidence,
    )


def _again(entry: Order, price: Decimal, at: datetime) -> Signal:
    """What *entry* was made for, wished once more."""
    plan = entry.plan
    return Signal(
        symbol=entry.symbol,
        side=entry.side,
        bar=at,
        price=price,
        stop=ZERO if plan is None or plan.stop is None else plan.stop,  # unusable: refused
        target=None,
        confidence=0,
        reason=entry.reason,
    )


def _dearest(quote: Quote, look: BookAnswer, side: Side) -> Decimal:
    """Of the prices that are known the one that puts most money to work."""
    if not isinstance(look, Depth):
        return quote.price
    return max(quote.price, look.ask if side is Side.BUY else look.bid)


def _added(
    exposures: Mapping[Symbol, Decimal], symbol: Symbol, notional: Decimal
) -> dict[Symbol, Decimal]:
    return {**exposures, symbol: exposures.get(symbol, ZERO) + notional}


def decision_id(trader: str, signal: Signal) -> str:
    """One answer per signal: the same bar seen again after a crash finds it."""
    return f"{trader}|{signal.symbol}|{signal.bar.isoformat()}"


def approvals(answers: Iterable[Decision | Approval]) -> Iterator[Approval]:
    return (answer for answer in answers if isinstance(answer, Approval))
