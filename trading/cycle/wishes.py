"""What the strategy wishes at a bar, answered and carried out: leaving first, then entering."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.context.block import EntryBlock
from trading.context.trader import TraderContext
from trading.cycle.deciding import Approval, Decider, decision_id
from trading.cycle.resting import RestingEntries
from trading.cycle.strategist import Strategist
from trading.errors import VenueError
from trading.execution.exits import Exits
from trading.execution.order_book import looks
from trading.execution.orders import Orders
from trading.ports import Change, Meter, Store, WritePriority
from trading.types import LEAVE, ZERO, Decision, ExitReason, Order, Signal, Symbol


class Wishes:
    decided: tuple[Decision, ...] = ()
    """What was decided since `begin`."""
    triggers = 0
    """What the strategy saw happen since then."""
    _seen_before: datetime | None = None
    """The cursor found at start, until the bar after it is done: it may be its second time."""

    def __init__(
        self,
        *,
        context: TraderContext,
        strategist: Strategist,
        decider: Decider,
        orders: Orders,
        exits: Exits,
        resting_entries: RestingEntries,
        recorder: Recorder,
        store: Store,
        block: EntryBlock,
        meter: Meter,
    ) -> None:
        self._context = context
        self.strategist = strategist
        self.decider = decider
        self._orders = orders
        self._exits = exits
        self._resting_entries = resting_entries
        self._recorder = recorder
        self._store = store
        self._block = block
        self._meter = meter

    def go_on(self, cursor: datetime | None) -> None:
        """After a restart: the bar after *cursor*, if there is one, may have been answered."""
        self._seen_before = cursor

    def begin(self) -> None:
        """Count from here."""
        self.decided, self.triggers = (), 0

    async def answers(self, bar: datetime) -> Sequence[Decision | Approval]:
        """Close what is to be left at *bar*, then answer every signal of it in one go."""
        signals = await self._undecided(await self.strategist.signals(bar), bar)
        self.triggers += self.strategist.triggers
        for signal in signals:
            await self._close_opposite(signal, bar)
        for symbol, why in self.strategist.leaving(bar).items():
            await self._leave(symbol, why, bar)
        seen = await looks(self._orders.venue, (signal.symbol for signal in signals))
        now, blocked = self._context.clock.now(), self._block.why
        answers = self.decider.decide(signals, seen, now=now, blocked=blocked)
        refused = tuple(a for a in answers if not isinstance(a, Approval))
        self.decided += tuple(a.decision if isinstance(a, Approval) else a for a in answers)
        if refused:
            await self._recorder.keep(Change(decisions=refused), WritePriority.REST)
        self._meter.count("signals", len(signals))
        return answers

    async def send(self, approved: Iterable[Approval]) -> None:
        """Send what was approved, together."""
        sending = [self._orders.enter(a.order, a.permit, a.decision) for a in approved]
        for order in await asyncio.gather(*sending):
            await self._resting_entries.refused(order)

    async def _undecided(self, signals: list[Signal], bar: datetime) -> list[Signal]:
        """Leave out what was answered before a crash: the first bar after it may be seen twice."""
        if self._seen_before is None or bar <= self._seen_before:
            return signals
        self._seen_before = None
        trader, known = self._context.name, self._store.decided
        return [s for s in signals if await known(decision_id(trader, s)) is None]

    async def _close_opposite(self, signal: Signal, bar: datetime) -> None:
        position = self._orders.ledger.positions.get(signal.symbol)
        if position is not None and position.side is not signal.side:
            await self._leave(signal.symbol, f"a wish for the other side, {signal.reason}", bar)

    async def _leave(self, symbol: Symbol, why: str, bar: datetime) -> None:
        """Close the position, and record what became of that."""
        position = self._orders.ledger.positions.get(symbol)
        if position is None:
            return
        held, problem = abs(position.quantity), ""
        orders: tuple[Order, ...] = ()
        try:
            orders = await self._exits.close(symbol, held, ExitReason.SIGNAL, at=bar)
        except VenueError as error:
            problem = str(error)
        orders = tuple(self._orders.ledger.orders[order.id] for order in orders)
        filled = sum((order.filled for order in orders), ZERO)
        decision = Decision(
            id=f"{self._context.name}|{symbol}|{bar.isoformat()}{LEAVE}",
            trader=self._context.name,
            symbol=symbol,
            bar=bar,
            at=self._context.clock.now(),
            side=position.side,
            approved=filled > ZERO,
            reason=problem or _left(orders, filled),
            signal=why,
            confidence=0,
            quantity=filled,
            order_id=orders[0].id if orders else "",
        )
        await self._recorder.keep(Change(decisions=(decision,)), WritePriority.REST)


def _left(orders: Sequence[Order], filled: Decimal) -> str:
    """What became of *orders* that were to close a position, as a clause."""
    if filled:
        return "closed"
    if not orders:
        return "nothing was left to close"
    if any(order.is_alive for order in orders):
        return "no answer yet, it may have been closed"
    return "the venue did not close it"
