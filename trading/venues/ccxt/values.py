"""Numbers and moments between ccxt's words and ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.types import ZERO

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number(value: object) -> Decimal:
    """0 for what is not told."""
    return ZERO if value is None else Decimal(str(value))


def exact(value: Decimal | None) -> str | None:
    """ccxt takes text for numbers, and passes over a Decimal."""
    return None if value is None else f"{value:f}"


def moment(millis: object) -> datetime | None:
    if not isinstance(millis, int | float | str) or not millis:
        return None
    return datetime.fromtimestamp(int(millis) / 1000, tz=UTC)


def millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def millis_of(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def info_of(raw: Any) -> Any:
    """The exchange's own words beside ccxt's; empty where there are none."""
    return raw.get("info") or {}
