"""Exact figures: what they count from, and the steps they stand on."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)


def plain(value: Decimal) -> Decimal:
    """The same without zeros at its end."""
    short = value.normalize()
    return short.quantize(ONE) if int(short.as_tuple().exponent) > 0 else short


def to_step(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_HALF_EVEN) * step


def is_price(value: Decimal) -> bool:
    return value.is_finite() and value > ZERO
