"""Limits of the whole desk, on top of each trader's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from trading.accounts.ledger import Ledger
from trading.accounts.valuation import Valuer
from trading.accounts.views import DeskUsage
from trading.risk.allowed import count, share
from trading.risk.drawdown import Guard, LossReading, loss_share
from trading.safety.guards import Breach
from trading.types import ZERO, OrderRole, Symbol

DESK_DAY = "desk day"
"""The guard over the day's loss of all traders together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLimits:
    """Shares are fractions of the equity of all traders together; None: no such limit."""

    max_exposure: Annotated[Decimal | None, share()] = None
    max_positions: Annotated[int | None, count(500)] = None
    max_daily_loss: Annotated[Decimal | None, share("0.5")] = None


class DeskRisk:
    """Adds the traders up.  Nothing here waits, so an answer holds until the next await."""

    def __init__(self, limits: DeskLimits) -> None:
        self.limits = limits
        self._accounts: list[Valuer] = []
        self._guard = _guard(limits)

    def add(self, account: Valuer) -> None:
        """Count another trader's account from now on."""
        self._accounts.append(account)

    def headroom(self) -> Decimal | None:
        """Exposure that is left for the whole desk, in quote currency; None: no limit."""
        if self.limits.max_exposure is None:
            return None
        equity = self.equity()
        if equity is None:
            return ZERO
        return self.limits.max_exposure * equity - self._exposure()

    def objection(self) -> str:
        """Why the whole desk takes no further position, as a clause; empty if it does.

        An entry under way counts: it may be one in the next moment.
        """
        most = self.limits.max_positions
        if most is None:
            return ""
        held = sum(len(_taken(account.ledger)) for account in self._accounts)
        if held < most:
            return ""
        return f"{held} of {most} positions open on the whole desk"

    def equity(self) -> Decimal | None:
        """Of all traders; None while any of it is unknown."""
        parts = [account.equity() for account in self._accounts]
        known = [part for part in parts if part is not None]
        return sum(known, ZERO) if len(known) == len(parts) else None

    def day_loss(self) -> Decimal | None:
        """Share of the day's first equity that all traders together have lost."""
        start = sum((a.ledger.account.day_start for a in self._accounts), ZERO)
        return loss_share(self.equity(), start)

    def use(self) -> DeskUsage | None:
        """How much of the limits is used; None: there are none."""
        if self.limits == DeskLimits():
            return None
        equity = self.equity()
        known = equity is not None and equity > ZERO
        return DeskUsage(
            max_exposure=self.limits.max_exposure,
            max_positions=self.limits.max_positions,
            max_daily_loss=self.limits.max_daily_loss,
            exposure=self._exposure() / equity if known and equity is not None else None,
            positions=self._positions(),
            day_loss=self.day_loss(),
        )

    def _exposure(self) -> Decimal:
        return sum((account.exposure() for account in self._accounts), ZERO)

    def _positions(self) -> int:
        return sum(len(account.ledger.positions) for account in self._accounts)

    def observe(self, at: datetime) -> str:
        """Take a reading at market time *at*; return the breach, or nothing."""
        if self._guard is None:
            return ""
        lost = self.day_loss()
        self._guard, breached = self._guard.observe(LossReading(lost, at))
        if not breached or lost is None:
            return ""
        return str(self._breach(lost, self._guard.limit))

    def past(self) -> str:
        """Why a halt by this guard would come again at once; empty if it would not."""
        lost = self.day_loss()
        if self._guard is None or lost is None or lost < self._guard.limit:
            return ""
        return self._breach(lost, self._guard.limit).past

    def restart(self) -> None:
        """Count readings afresh, after the day was measured afresh."""
        self._guard = _guard(self.limits)

    def _breach(self, lost: Decimal, limit: Decimal) -> Breach:
        return Breach("whole desk, day", lost, limit)


def _taken(ledger: Ledger) -> set[Symbol]:
    """Symbols with a position, or an entry under way."""
    return ledger.positions.keys() | {o.symbol for o in ledger.alive_of(OrderRole.ENTRY)}


def _guard(limits: DeskLimits) -> Guard | None:
    if limits.max_daily_loss is None:
        return None
    return Guard(kind=DESK_DAY, limit=limits.max_daily_loss)
