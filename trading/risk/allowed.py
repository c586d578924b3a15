"""What a person may set a limit to: said where the limit is, so that one is added in one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

LONGEST_REST = timedelta(days=7)
"""No setting may ask for more, and no rest may be forgotten before it is over."""

Bound = int | Decimal | timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Stands in the annotation of a field of `Limits` and its like; None: no bound."""

    gt: Bound = None
    ge: Bound = None
    le: Bound = None
    share: bool = False
    """A fraction, where a whole number of per cent would be a mistake: 0.03 is 3 %."""


def share(most: str = "1") -> Allowed:
    """Above 0, up to *most*."""
    return Allowed(gt=0, le=Decimal(most), share=True)


def span(least: timedelta, most: timedelta) -> Allowed:
    """A length of time between these."""
    return Allowed(ge=least, le=most)


def count(most: int) -> Allowed:
    """From 1 to *most*."""
    return Allowed(ge=1, le=most)
