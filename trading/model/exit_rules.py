"""From a signal and the trader's settings to the exit plan that the entry carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.types import ZERO, ExitPlan, MarketRules, PartialExit, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRule:
    share: Decimal
    """Of the original size."""
    at_r: Decimal | None = None
    """Where, in multiples of the distance from entry to stop; or"""
    at_share: Decimal | None = None
    """past the entry by this share of it: 0.02 is 2 %."""

    def distance(self, *, entry: Decimal, risk: Decimal) -> Decimal:
        """From the entry, in quote currency."""
        return risk * self.at_r if self.at_r is not None else entry * (self.at_share or ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRules:
    """What the trader's settings add to a signal's own stop and target."""

    time_limit: timedelta | None = None
    """Market time after which a position is closed."""
    trail_r: Decimal | None = None
    """Distance of a trailing stop, in multiples of the distance from entry to stop."""
    partials: tuple[PartialRule, ...] = ()
    break_even: bool = False
    stop_limit_gap: Decimal = Decimal("0.01")
    """Where a market takes stops as limits only: share of its price by which one may fill worse."""

    def plan(
        self, signal: Signal, *, quantity: Decimal, rules: MarketRules, at: datetime
    ) -> ExitPlan:
        """The plan for *signal*, all prices on the tick."""
        sign = signal.side.sign
        risk = abs(signal.price - signal.stop)
        return ExitPlan(
            side=signal.side,
            size=quantity,
            entry=signal.price,
            stop=rules.price(signal.stop),
            target=None if signal.target is None else rules.price(signal.target),
            deadline=self._deadline(signal, at),
            trail=None if self.trail_r is None else rules.price(risk * self.trail_r),
            partials=tuple(
                PartialExit(
                    share=partial.share,
                    price=rules.price(
                        signal.price + sign * partial.distance(entry=signal.price, risk=risk)
                    ),
                )
                for partial in self.partials
            ),
            break_even=self.break_even,
            confidence=signal.confidence,
        )

    def _deadline(self, signal: Signal, at: datetime) -> datetime | None:
        """The earlier of the signal's and the settings'."""
        limits = [limit for limit in (signal.hold, self.time_limit) if limit is not None]
        return at + min(limits) if limits else None
