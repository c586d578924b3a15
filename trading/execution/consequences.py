"""What follows from what a venue told of an order: what is written, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trading.accounts.applied import Applied
from trading.accounts.booking import Booked
from trading.accounts.ledger import Ledger
from trading.accounts.round_trips import exit_reason
from trading.accounts.valuation import Valuer
from trading.common.frozen import fast_frozen
from trading.context.trader import AboutOrder, TraderContext
from trading.events import (
    Event,
    OrderRefused,
    OrderResolved,
    PositionClosed,
    PositionOpened,
    PositionReduced,
)
from trading.model.plan import next_price
from trading.ports import Change, WritePriority
from trading.types import ZERO, Order, OrderStatus, Rules, Symbol


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    change: Change
    priority: WritePriority
    events: tuple[Event, ...]
    legs: tuple[Order, ...]
    """Protective orders in the change that were made, or withdrawn, with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """*origin*, everywhere: the chat that is answered, so that no alert tells it the same."""

    context: TraderContext
    ledger: Ledger
    valuer: Valuer
    rules: Callable[[Symbol], Rules]

    def of(
        self,
        applied: Applied,
        *,
        legs: tuple[Order, ...] = (),
        notes: tuple[tuple[str, str], ...] = (),
        origin: str = "",
    ) -> Follows:
        """All that follows from *applied*.

        *legs* are the protective orders that were made, or withdrawn, because of it; *notes* what
        else is written with it.
        """
        order = applied.order
        fills = self._of_fills(applied, legs, origin) if applied.booked else []
        return Follows(
            change=self._change(applied, legs, notes),
            # All fills in one: a later one must not be on the disk before an earlier one.
            priority=WritePriority.REDUCTION if applied.booked else WritePriority.FILL,
            events=(*fills, *self.ending(applied.before, order, origin)),
            legs=legs,
        )

    def _change(
        self, applied: Applied, legs: tuple[Order, ...], notes: tuple[tuple[str, str], ...]
    ) -> Change:
        if not applied.booked:
            return Change(orders=(applied.order, *legs), trades=applied.trades, notes=notes)
        positions, plans = self.ledger.positions, self.ledger.plans
        held = {done.fill.symbol for done in applied.booked} & positions.keys()
        return Change(
            orders=(applied.order, *legs),
            fills=tuple(done.fill for done in applied.booked),
            positions=tuple((positions[symbol], plans[symbol]) for symbol in held),
            closed_positions=tuple(done.closed for done in applied.booked if done.closed),
            trades=applied.trades,
            accounts=(self.ledger.account,),
            notes=notes,
        )

    def _of_fills(self, applied: Applied, legs: Sequence[Order], origin: str) -> list[Event]:
        about = self.context.about_order(applied.order.symbol, origin)
        today = self.valuer.today() if applied.trades else None
        events: list[Event] = [
            PositionClosed(trade=trade, today=today, **about) for trade in applied.trades
        ]
        partly = [b for b in applied.booked if b.reduced and not b.closed]
        if partly and not applied.trades:  # else it was closed since, and that tells it all
            events.append(self._reduced(applied.order, partly, about))
        opened = [b for b in applied.booked if b.after and (b.before is None or b.closed)]
        if opened and applied.order.symbol in self.ledger.positions:
            placing = any(leg.is_alive for leg in legs)
            events.append(self._opened(applied.order, about, placing=placing))
        return events

    def _opened(self, order: Order, about: AboutOrder, *, placing: bool) -> PositionOpened:
        position = self.ledger.positions[order.symbol]
        plan = self.ledger.plans[order.symbol]
        rules = self.rules(order.symbol).shown
        risk = -position.open_profit(plan.stop) if plan.stop is not None else None
        return PositionOpened(
            side=position.side,
            quantity=abs(position.quantity),
            ordered=abs(position.quantity) + order.remaining,
            price=rules.shown_price(position.average_price),
            equity=self.valuer.known or self.ledger.account.wallet,
            stop=plan.stop,
            target=plan.target,
            risk=risk if risk is not None else abs(position.quantity) * position.average_price,
            confidence=plan.confidence,
            placing=placing,
            **about,
        )

    def _reduced(self, order: Order, parts: list[Booked], about: AboutOrder) -> PositionReduced:
        position = self.ledger.positions[order.symbol]
        quantity = sum((b.reduced for b in parts), ZERO)
        value = sum((b.reduced * b.fill.price for b in parts), ZERO)
        plan = self.ledger.plans[order.symbol]
        return PositionReduced(
            side=position.side,
            quantity=quantity,
            left=abs(position.quantity),
            price=self.rules(order.symbol).shown.shown_price(value / quantity),
            profit=sum((b.profit - b.exit_fee for b in parts), ZERO),
            reason=exit_reason(order),
            by=order.by,
            next_price=next_price(plan),
            **about,
        )

    def ending(self, before: Order, order: Order, origin: str) -> list[Event]:
        """What is said of an order that has ended, or was in doubt and is no more."""
        if before.status is OrderStatus.UNKNOWN and order.status is not OrderStatus.UNKNOWN:
            about = self.context.about_order(order.symbol, origin)
            took = about["at"] - (before.updated_at or before.created_at)
            return [OrderResolved(order=order, outcome=order.status, took=took, **about)]
        if before.is_alive and order.status is OrderStatus.REJECTED:
            about = self.context.about_order(order.symbol, origin)
            position = self.ledger.positions.get(order.symbol)
            held = abs(position.quantity) if position else ZERO
            return [OrderRefused(order=order, said=order.note, open_quantity=held, **about)]
        return []
