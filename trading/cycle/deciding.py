"""From closed candles to decisions: signals are wishes, risk answers, every answer is recorded.

One decision lane per account: between looking at the books and reserving the exposure nothing is
awaited, so two signals can never spend the same room.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import numpy as np

from trading.accounts.valuation import Valuer
from trading.common.frozen import replace
from trading.cycle.universe import TradableUniverse
from trading.errors import Halted, Refused, VenueError
from trading.execution.orders import Orders
from trading.market.candles import Candles
from trading.model.exit_rules import ExitRules
from trading.model.halt import Latch, Permit
from trading.ports import Feed, Offload
from trading.risk import pace
from trading.risk.cooldown import streak
from trading.risk.exposure import reserved
from trading.risk.gate import evaluate
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.risk.snapshot import Approved, Proposal, Refusal, RiskSnapshot
from trading.safety.desk_limits import DeskRisk
from trading.strategies.base import Signals, Strategy, last_signals, leaving
from trading.types import (
    ONE,
    ZERO,
    Decision,
    Depth,
    Mode,
    Order,
    OrderRole,
    Position,
    Side,
    Signal,
    Symbol,
    Trade,
    Untraded,
    traded,
)

Look = Depth | str | None
"""An order book; why it cannot be had; or None where the venue shows none."""
Looks = Mapping[Symbol, Look]
LOOK_WITHIN = 2.0
"""Seconds for an order book, before an entry is refused for want of it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """An approved decision with its intent, reserved and permitted, not yet sent."""

    decision: Decision
    order: Order
    permit: Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Thought:
    """What the strategy said last."""

    bar: datetime
    candles: Candles
    signals: Signals


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
        universe: TradableUniverse,
        entries: EntryRules,
        offload: Offload,
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
        self._universe = universe
        self._entries = entries
        self._offload = offload
        self._thought: _Thought | None = None
        self._thinks_since: datetime | None = None
        self.triggers = 0
        """What the strategy saw happen at the last bar, once for each symbol."""

    def think_with(self, strategy: Strategy, *, since: datetime) -> None:
        """Go by another strategy after the bar *since*.

        It counts confidence in its own way: what is open by then, it does not leave for a lack.
        """
        self._strategy, self._thinks_since, self._thought = strategy, since, None

    def use(self, limits: Limits, exit_rules: ExitRules, entries: EntryRules) -> None:
        """Go by new limits from the next decision on."""
        self._limits, self._exit_rules, self._entries = limits, exit_rules, entries

    async def looks(self, symbols: Iterable[Symbol]) -> Looks:
        """The order books of *symbols*, where the venue shows any."""
        wanted = list(dict.fromkeys(symbols))
        return dict(zip(wanted, await asyncio.gather(*map(self.look, wanted)), strict=True))

    async def look(self, symbol: Symbol) -> Look:
        """The order book of *symbol*; fails closed, in words."""
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                return await self._orders.venue.depth(symbol)
        except TimeoutError:
            return f"the order book did not come within {LOOK_WITHIN:g}\u00a0s"
        except VenueError as error:
            return f"the order book cannot be had: {error}"

    def prepare(self, bar: datetime) -> None:
        """Load and compute what `signals` needs, once; slow, for a thread."""
        candles = self._feed.candles(bar, self._strategy.warmup + 1)
        if candles.bars:
            last_signals(self._strategy, candles)

    async def signals(self, bar: datetime) -> list[Signal]:
        """The strategy's wishes at *bar*, most confident first."""
        candles = self._feed.candles(bar, self._strategy.warmup + 1)
        self.triggers = 0
        if candles.bars == 0:
            return []
        found = await self._offload(partial(last_signals, self._strategy, candles))
        self._thought, last = _Thought(bar=bar, candles=candles, signals=found), 0
        self.triggers = found.triggers(last)
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
                reason=self._why(candles, found, int(row)),
                size=_size(found, int(row), last),
                hold=_hold(found, int(row), last),
            )
            for row in rows
            for quote in [self._valuer.quote(candles.symbols[row], bar)]
            for rules in [self._orders.venue.rules(candles.symbols[row]).shown]
            for target in [found.target[row, last]]
            if quote is not None
        ]
        return sorted(wishes, key=lambda s: (-s.confidence, s.symbol))

    def leaving(self, bar: datetime) -> dict[Symbol, str]:
        """Open positions that the strategy has lost its confidence in at *bar*, and why.

        As `signals` of that bar saw it, which is forgotten then: it is large.  A position without a
        confidence of its own (by hand) stays.
        """
        thought, self._thought = self._thought, None
        if thought is None or thought.bar != bar:
            return {}
        found, last = thought.signals, 0
        reasons = {
            symbol: leaving(found, row, last, sign=position.side.sign, confidence=plan.confidence)
            for symbol, position in self._ledger.positions.items()
            for plan in [self._ledger.plans.get(symbol)]
            for row in [thought.candles.row(symbol)]
            if plan is not None and plan.confidence and row is not None
            if self._thinks_since is None or _entered(position) > self._thinks_since
        }
        return {symbol: why for symbol, why in reasons.items() if why}

    def _why(self, candles: Candles, found: Signals, row: int) -> str:
        if found.why:
            return found.why(row, 0)
        return self._strategy.explain(candles, row, candles.bars - 1)

    def decide(
        self, signals: Sequence[Signal], looks: Looks, *, now: datetime, blocked: str = ""
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
            answer = self._answer(signal, book, looks.get(signal.symbol), now)
            if isinstance(answer, Approval):
                book = self._with_reserved(book, answer.order, signal)
            answers.append(answer)
        return answers

    def _answer(
        self, signal: Signal, book: RiskSnapshot, look: Look, now: datetime
    ) -> Decision | Approval:
        answer = self._evaluate(signal, book, look)
        if isinstance(answer, Refusal):
            return self._decision(signal, now, reason=answer.reason)
        if self._mode is Mode.DRY_RUN:
            return self._decision(signal, now, reason=f"{answer.reason}; dry run, nothing sent")
        return self._approve(self._styled(signal, look), answer, now)

    def _styled(self, signal: Signal, look: Look) -> Signal:
        """With the price at which it rests first, as the entry style says."""
        style = self._entries.style
        if signal.limit is not None or style is EntryStyle.MARKET:
            return signal
        price = signal.price
        if style is EntryStyle.MAKER and isinstance(look, Depth):
            price = look.bid if signal.side is Side.BUY else look.ask
        limit = traded(self._orders.venue.rules(signal.symbol)).price(price)
        return replace(signal, limit=limit, maker=style is EntryStyle.MAKER)

    def propose(
        self, wish: Signal, *, notional: Decimal, look: Look = None
    ) -> tuple[Decimal, Approved]:
        """How much of *wish* may be entered by hand, and the most that risk would approve.

        *notional* in whole lots, after the same checks as for a strategy's signal.  Raises
        `Refused`.
        """
        if self._mode is Mode.DRY_RUN:
            raise Refused("This trader is a dry run: it sends nothing")
        answer = self._evaluate(wish, self.book(wish.bar), look)
        if isinstance(answer, Refusal):
            raise Refused(f"Risk says no: {answer.reason}")
        rules = traded(self._orders.venue.rules(wish.symbol))
        quantity = rules.quantity(notional / wish.price)
        if quantity > answer.quantity:
            raise Refused(
                f"{notional:.2f} is more than risk allows, {answer.notional:.2f} at the stop "
                f"{wish.stop}"
            )
        least = max(self._limits.min_notional, rules.min_notional)
        if quantity * wish.price < least:
            raise Refused(f"{notional:.2f} is below the smallest entry, {least:.2f}")
        return quantity, answer

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

    def book(self, at: datetime) -> RiskSnapshot:
        """What risk knows at market time *at*."""
        busy = frozenset(order.symbol for order in self._ledger.alive_of(OrderRole.ENTRY))
        opened = frozenset(self._ledger.positions)
        losses = streak(self._ledger.trades, self._limits, at)
        at_work = self._valuer.exposures(at)
        return RiskSnapshot(
            equity=self._valuer.equity(at),
            exposure=sum(at_work.values(), ZERO),
            exposures=at_work,
            tiers=self._tiers(at_work),
            open_symbols=opened,
            busy_symbols=frozenset(o.symbol for o in self._ledger.unknown()) | busy,
            positions=len(opened | busy),
            losses_in_row=losses.losses,
            last_loss_at=losses.last_at,
            last_trades=self._ledger.last_trades(),
            entered_at=self._entered(busy - opened, at),
            price_age=self._feed.now() - at,
            desk_headroom=self._desk_risk.headroom(),
            desk_objection=self._desk_risk.objection(),
        )

    # -- inside ---------------------------------------------------------------------------

    def _entered(self, under_way: frozenset[Symbol], at: datetime) -> tuple[datetime, ...]:
        """When entries were made, as far as it matters at *at*; one that filled nothing is none."""
        held = [_entered(position) for position in self._ledger.positions.values()]
        recent = itertools.takewhile(lambda t: at - t.closed_at < pace.DAY, self._ledger.trades)
        closed = [_entered(trade) for trade in recent]  # newest first: what follows is older
        return pace.entered((*held, *closed, *(at for _ in under_way)), at)

    def _evaluate(self, signal: Signal, book: RiskSnapshot, look: Look) -> Approved | Refusal:
        rules = self._orders.venue.rules(signal.symbol)
        if isinstance(rules, Untraded):
            return Refusal(reason=rules.why)
        proposal = Proposal(
            symbol=signal.symbol,
            side=signal.side,
            price=signal.price,
            stop=signal.stop,
            rules=rules,
            at=signal.bar,
            size=signal.size,
            cash=self._orders.venue.cash,
            depth=look if isinstance(look, Depth) else None,
            entries=self._entries,
            tier=self._universe.terms(signal.symbol),
            outside=self._universe.objection(signal.symbol, signal.bar),
            quote_age=self._quote_age(signal.symbol, look),
            unseen=look if isinstance(look, str) else "",
        )
        return evaluate(proposal, book, self._limits)

    def _quote_age(self, symbol: Symbol, look: Look) -> timedelta | None:
        if isinstance(look, Depth):
            return self._feed.now() - look.at
        if self._feed.speed is not None:
            return None
        quote = self._valuer.quote(symbol)
        return timedelta.max if quote is None else self._feed.now() - quote.at

    def _approve(self, signal: Signal, answer: Approved, now: datetime) -> Decision | Approval:
        try:
            permit = self._latch.permit(self._trader)
        except Halted:
            return self._decision(signal, now, reason=self._halted())
        rules = traded(self._orders.venue.rules(signal.symbol))
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
            post_only=signal.maker,
            reason=signal.reason,
            plan=plan,
            at=signal.bar,
        )
        return Approval(
            decision=self._decision(signal, now, reason=answer.reason, order=order, answer=answer),
            order=order,
            permit=permit,
        )

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
        tiers = ((symbol, self._universe.tier(symbol)) for symbol in symbols)
        return {symbol: tier for symbol, tier in tiers if tier is not None}

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


def _added(
    exposures: Mapping[Symbol, Decimal], symbol: Symbol, notional: Decimal
) -> dict[Symbol, Decimal]:
    return {**exposures, symbol: exposures.get(symbol, ZERO) + notional}


def _size(found: Signals, row: int, column: int) -> Decimal:
    return ONE if found.size is None else Decimal(repr(round(float(found.size[row, column]), 4)))


def _hold(found: Signals, row: int, column: int) -> timedelta | None:
    return None if found.hold is None else timedelta(hours=float(found.hold[row, column]))


def _entered(held: Position | Trade) -> datetime:
    """The bar in which it was entered, where that is known: what the pace is counted by."""
    return held.paced_from or held.opened_at


def decision_id(trader: str, signal: Signal) -> str:
    """One answer per signal: the same bar seen again after a crash finds it."""
    return f"{trader}|{signal.symbol}|{signal.bar.isoformat()}"


def approvals(answers: list[Decision | Approval]) -> Iterator[Approval]:
    return (answer for answer in answers if isinstance(answer, Approval))
