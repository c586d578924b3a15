"""How the paper book is written down: plain values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from trading.types import Fill, Order, OrderRole, OrderType, Side, Symbol

Record = Mapping[str, Any]


def of_order(order: Order) -> dict[str, object]:
    """What was asked for; what became of it is told by the records that follow.

    JSON takes the words of an enum for text.
    """
    return {
        "id": order.id,
        "trader": order.trader,
        "symbol": str(order.symbol),
        "side": order.side,
        "type": order.type,
        "role": order.role,
        "quantity": str(order.quantity),
        "price": _text(order.price),
        "stop_price": _text(order.stop_price),
        "reduce_only": order.reduce_only,
        "reason": order.reason,
        "created_at": order.created_at.isoformat(),
        "market_at": of_moment(order.market_at),
    }


def to_order(record: Record) -> Order:
    return Order(
        id=record["id"],
        trader=record["trader"],
        symbol=Symbol.parse(record["symbol"]),
        side=Side(record["side"]),
        type=OrderType(record["type"]),
        role=OrderRole(record["role"]),
        quantity=Decimal(record["quantity"]),
        price=_decimal(record["price"]),
        stop_price=_decimal(record["stop_price"]),
        reduce_only=record["reduce_only"],
        reason=record["reason"],
        created_at=datetime.fromisoformat(record["created_at"]),
        market_at=to_moment(record.get("market_at")),
    )


def of_fill(fill: Fill) -> dict[str, object]:
    """A fill; its order says the rest."""
    return {
        "id": fill.id,
        "order": fill.order_id,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "fee": str(fill.fee),
        "at": fill.at.isoformat(),
        "number": fill.number,
    }


def to_fill(record: Record, order: Order) -> Fill:
    return Fill(
        id=record["id"],
        order_id=order.id,
        trader=order.trader,
        symbol=order.symbol,
        side=order.side,
        quantity=Decimal(record["quantity"]),
        price=Decimal(record["price"]),
        fee=Decimal(record["fee"]),
        at=datetime.fromisoformat(record["at"]),
        number=record.get("number", 0),
    )


def of_moment(moment: datetime | None) -> str | None:
    return None if moment is None else _iso(moment)


_iso = lru_cache(maxsize=64)(datetime.isoformat)
"""A bar's close stands in the records of all its orders."""


def to_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
