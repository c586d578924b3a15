"""A position from its first plan to the round trip that it was, worked out of what was booked."""

from __future__ import annotations

from datetime import datetime

from trading.common.frozen import replace
from trading.types import (
    ExitPlan,
    ExitReason,
    MarketRules,
    Order,
    OrderRole,
    Position,
    Side,
    Trade,
)


def trade_id(position: Position) -> str:
    """Of the round trip that *position* is, or will have been."""
    return f"{position.id}:{position.opened_at.isoformat()}"


def as_trade(
    closed: Position,
    *,
    rules: MarketRules,
    side: Side,
    at: datetime,
    rest_from: datetime,
    reason: ExitReason,
    by: str,
) -> Trade:
    """The round trip of a position on *side* that has become flat."""
    paid_in = closed.exit_value - closed.profit * side.sign
    return Trade(
        id=trade_id(closed),
        trader=closed.trader,
        symbol=closed.symbol,
        side=side,
        quantity=closed.entered,
        entry_price=rules.shown_price(paid_in / closed.exited),
        exit_price=rules.shown_price(closed.exit_value / closed.exited),
        opened_at=closed.opened_at,
        closed_at=at,
        profit=closed.profit - closed.fees,
        fees=closed.fees,
        reason=reason,
        by=by,
        rest_from=rest_from,
        paced_from=closed.paced_from,
    )


def exit_reason(order: Order) -> ExitReason:
    """Why a fill of *order* made a position smaller."""
    if order.role is OrderRole.PROTECT:
        return ExitReason(order.reason) if order.reason else ExitReason.STOP
    if order.role is OrderRole.EXIT:
        return ExitReason(order.reason)
    return ExitReason.SIGNAL


def first_plan(order: Order, position: Position) -> ExitPlan:
    """The plan that the entry carried, at the size and price that were really filled.

    What opened without one (a reversal by hand) is kept without stop, and said to be unprotected.
    """
    if order.plan is None:
        return ExitPlan(
            side=position.side,
            size=position.entered,
            entry=position.average_price,
            stop=None,
        )
    return replace(order.plan, size=position.entered, entry=position.average_price)
