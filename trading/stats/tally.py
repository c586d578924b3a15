"""Sums of closed trades, after fees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from functools import reduce
from typing import NamedTuple, Self

from trading.stats.ratios import Ratio
from trading.types import ZERO, Trade

_SUMS = Context(prec=200)
"""So wide that adding never rounds."""


class RoundTrip(NamedTuple):
    """Of a closed trade what is summed: a tuple, for there may be hundreds of thousands."""

    closed_at: datetime
    symbol: str
    reason: str
    profit: Decimal
    """After fees, in quote currency."""
    fees: Decimal

    @classmethod
    def of(cls, trade: Trade) -> Self:
        symbol, reason = str(trade.symbol), trade.reason.value
        return cls(trade.closed_at, symbol, reason, trade.profit, trade.fees)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over trades, which add up: days make a month.  Money in quote currency, after fees."""

    trades: int = 0
    wins: int = 0
    """Trades with a profit above 0."""
    losses: int = 0
    """Trades with a profit below 0; what came out even is neither."""
    won: Decimal = ZERO
    lost: Decimal = ZERO
    """Sum of the losses, at most 0."""
    fees: Decimal = ZERO
    best: Decimal | None = None
    """None without trades."""
    worst: Decimal | None = None

    @classmethod
    def of(cls, trips: Sequence[RoundTrip]) -> Self:
        profits = [trip.profit for trip in trips]
        wins = [p for p in profits if p > ZERO]
        losses = [p for p in profits if p < ZERO]
        return cls(
            trades=len(trips),
            wins=len(wins),
            losses=len(losses),
            won=_sum(wins),
            lost=_sum(losses),
            fees=_sum(trip.fees for trip in trips),
            best=max(profits, default=None),
            worst=min(profits, default=None),
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        parts = tuple(parts)
        return cls(
            trades=sum(p.trades for p in parts),
            wins=sum(p.wins for p in parts),
            losses=sum(p.losses for p in parts),
            won=_sum(p.won for p in parts),
            lost=_sum(p.lost for p in parts),
            fees=_sum(p.fees for p in parts),
            best=max((p.best for p in parts if p.best is not None), default=None),
            worst=min((p.worst for p in parts if p.worst is not None), default=None),
        )

    @property
    def profit(self) -> Decimal:
        return _SUMS.add(self.won, self.lost)

    @property
    def win_rate(self) -> float | None:
        """Share of all trades, even ones included, that made money."""
        return self.wins / self.trades if self.trades else None

    @property
    def expectancy(self) -> Decimal | None:
        """Average profit per trade."""
        return self.profit / self.trades if self.trades else None

    @property
    def average_win(self) -> Decimal | None:
        return self.won / self.wins if self.wins else None

    @property
    def average_loss(self) -> Decimal | None:
        """Below 0."""
        return self.lost / self.losses if self.losses else None

    @property
    def profit_factor(self) -> Ratio:
        """Sum of the wins over sum of the losses; `infinite` without a loss."""
        if not self.losses:
            return Ratio.of(math.inf if self.wins else None)
        return Ratio.of(float(self.won / -self.lost))


def _sum(values: Iterable[Decimal]) -> Decimal:
    return reduce(_SUMS.add, values, ZERO)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Trades by symbol and by exit reason; the names as history spells them."""

    symbols: Mapping[str, Tally] = field(default_factory=dict)
    reasons: Mapping[str, Tally] = field(default_factory=dict)

    @classmethod
    def of(cls, trips: Iterable[RoundTrip]) -> Self:
        symbols: dict[str, list[RoundTrip]] = {}
        reasons: dict[str, list[RoundTrip]] = {}
        for trip in trips:
            symbols.setdefault(trip.symbol, []).append(trip)
            reasons.setdefault(trip.reason, []).append(trip)
        return cls(
            {name: Tally.of(those) for name, those in symbols.items()},
            {name: Tally.of(those) for name, those in reasons.items()},
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        parts = tuple(parts)
        return cls(_merged(p.symbols for p in parts), _merged(p.reasons for p in parts))

    @property
    def whole(self) -> Tally:
        # There are fewer reasons than symbols, and every trade has one.
        return Tally.total(self.reasons.values())


def _merged(parts: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    gathered: dict[str, list[Tally]] = {}
    for part in parts:
        for name, tally in part.items():
            gathered.setdefault(name, []).append(tally)
    return {name: Tally.total(tallies) for name, tallies in gathered.items()}
