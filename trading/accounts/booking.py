"""What one fill does to one position: arithmetic, nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.common.frozen import fast_frozen, replace
from trading.types import ZERO, Fill, Position


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What one fill did to one position."""

    fill: Fill
    before: Position | None
    after: Position | None
    """The open position now; None when flat."""
    closed: Position | None
    """The position that became flat with this fill, with all its sums."""
    reduced: Decimal
    """How much of `before` this fill took away."""
    profit: Decimal
    """Of that part, before fees."""
    exit_fee: Decimal


def book(position: Position | None, fill: Fill) -> Booked:
    """Apply *fill* to *position*.  A fill larger than the position closes it and opens the rest
    on the other side; its fee is shared by quantity."""
    if position is None:
        return Booked(
            fill=fill, before=None, after=_opened(fill, fill.quantity, fill.fee),
            closed=None, reduced=ZERO, profit=ZERO, exit_fee=ZERO,
        )  # fmt: skip
    if position.side is fill.side:
        return Booked(
            fill=fill, before=position, after=_grown(position, fill),
            closed=None, reduced=ZERO, profit=ZERO, exit_fee=ZERO,
        )  # fmt: skip
    return _reduced(position, fill)


def split(fill: Fill, quantity: Decimal) -> tuple[Fill, Fill]:
    """*quantity* of it, and the rest; the fee is shared."""
    fee = fill.fee * quantity / fill.quantity
    rest = replace(fill, quantity=fill.quantity - quantity, fee=fill.fee - fee)
    return replace(fill, quantity=quantity, fee=fee), rest


def opened(fill: Fill, *, paced_from: datetime) -> Position:
    """The position that begins with *fill*, an entry's; it counts to the bar *paced_from*."""
    return _opened(fill, fill.quantity, fill.fee, paced_from)


def _opened(
    fill: Fill, quantity: Decimal, fee: Decimal, paced_from: datetime | None = None
) -> Position:
    return Position(
        trader=fill.trader,
        symbol=fill.symbol,
        quantity=quantity * fill.side.sign,
        average_price=fill.price,
        opened_at=fill.at,
        id=fill.order_id,
        entered=quantity,
        fees=fee,
        paced_from=paced_from,
    )


def _grown(position: Position, fill: Fill) -> Position:
    held = abs(position.quantity)
    total = held + fill.quantity
    average = (held * position.average_price + fill.quantity * fill.price) / total
    return replace(
        position,
        quantity=total * fill.side.sign,
        average_price=average,
        entered=position.entered + fill.quantity,
        fees=position.fees + fill.fee,
        version=position.version + 1,
    )


def _reduced(position: Position, fill: Fill) -> Booked:
    taken = min(abs(position.quantity), fill.quantity)
    rest = fill.quantity - taken
    fee = fill.fee if rest == ZERO else fill.fee * taken / fill.quantity
    profit = taken * (fill.price - position.average_price) * position.side.sign
    left = replace(
        position,
        quantity=position.quantity - taken * position.side.sign,
        exited=position.exited + taken,
        exit_value=position.exit_value + taken * fill.price,
        profit=position.profit + profit,
        fees=position.fees + fee,
        version=position.version + 1,
    )
    is_flat = left.quantity == ZERO
    after = (_opened(fill, rest, fill.fee - fee) if rest else None) if is_flat else left
    return Booked(
        fill=fill,
        before=position,
        after=after,
        closed=left if is_flat else None,
        reduced=taken,
        profit=profit,
        exit_fee=fee,
    )
