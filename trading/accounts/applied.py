"""What a report says that is new: the order as it leaves it, and what that changed in the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.accounts.booking import Booked
from trading.common.frozen import fast_frozen
from trading.types import (
    CONDITIONAL,
    ZERO,
    Fill,
    Order,
    OrderReport,
    Trade,
)


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a report changed in the books; empty of fills when it said nothing new."""

    before: Order
    order: Order
    booked: tuple[Booked, ...]
    trades: tuple[Trade, ...]

    @property
    def changed(self) -> bool:
        return self.order is not self.before


def order_after(before: Order, report: OrderReport, fills: Sequence[Fill], now: datetime) -> Order:
    """The order with *fills* added and the report's status; the same object if nothing is new.

    An order that has ended stays ended, whatever is heard late.
    """
    status = before.status if before.status.is_terminal else report.status
    venue_id = report.venue_id or before.venue_id
    note = report.note or before.note
    works = report.triggered or bool(fills)
    triggered = before.triggered or (works and before.type in CONDITIONAL)
    now_known = (status, venue_id, note, triggered)
    same = now_known == (before.status, before.venue_id, before.note, before.triggered)
    if same and not fills:
        return before
    new = [(f.quantity + f.coins, f.price) for f in fills]
    filled = before.filled + sum((quantity for quantity, _ in new), ZERO)
    spent = (before.average_price or ZERO) * before.filled
    spent += sum((quantity * price for quantity, price in new), ZERO)
    return before.changed(
        status=status,
        venue_id=venue_id,
        note=note,
        triggered=triggered,
        filled=filled,
        average_price=spent / filled if fills else before.average_price,
        updated_at=now,
    )
