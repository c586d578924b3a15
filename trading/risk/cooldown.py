"""Rests between entries.  They end by themselves, so they are never called a halt.

**Loss streak.**  After `loss_streak` losses in a row the trader rests for `loss_streak_rest` from
the last of them; a loss during the rest (of what was still open) begins it anew, a win does not
shorten it.  When it is over the count starts at zero: what was lost before or during the rest
is spent, and it takes `loss_streak` new losses in a row to rest again.

**Symbol rest.**  After a symbol's exit it is not entered again for `symbol_rest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from trading.risk import words
from trading.risk.book import RiskBook
from trading.risk.limits import Limits
from trading.types import ZERO, Symbol, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    losses: int = 0
    last_at: datetime | None = None
    """When the last of them was closed."""

    def until(self, limits: Limits) -> datetime | None:
        """When the rest that this streak demands ends; None: it demands none."""
        if self.last_at is None or self.losses < limits.loss_streak:
            return None
        return self.last_at + limits.loss_streak_rest


def streak(trades: Iterable[Trade], limits: Limits, now: datetime) -> Streak:
    """Count the losses in a row that still matter at *now*.  The order of *trades* is free."""
    running = Streak()
    for trade in sorted(trades, key=lambda t: (t.closed_at, t.id)):
        running = _current(running, limits, trade.closed_at)
        if trade.profit < ZERO:
            running = Streak(losses=running.losses + 1, last_at=trade.closed_at)
        elif running.until(limits) is None:
            running = Streak()
    return _current(running, limits, now)


def _current(running: Streak, limits: Limits, now: datetime) -> Streak:
    until = running.until(limits)
    return Streak() if until is not None and now >= until else running


def rest_until(book: RiskBook, limits: Limits, now: datetime) -> datetime | None:
    """When the rest after a loss streak ends, while there is one."""
    until = Streak(losses=book.losses_in_row, last_at=book.last_loss_at).until(limits)
    return until if until is not None and now < until else None


def rest(book: RiskBook, limits: Limits, symbol: Symbol | None, now: datetime) -> str:
    """Say what holds an entry back at *now*, as a clause; empty if nothing does.

    With *symbol* None only what holds back every symbol.
    """
    until = rest_until(book, limits, now)
    if until is not None:
        return f"rests until {words.minute(until)} after {book.losses_in_row} losses in a row"
    exited = book.last_exit_at.get(symbol) if symbol is not None else None
    if symbol is not None and exited is not None and now < exited + limits.symbol_rest:
        return f"{symbol.base} rests until {words.minute(exited + limits.symbol_rest)}"
    return ""
