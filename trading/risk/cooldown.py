"""Rests between entries.  They end by themselves, so they are never called a halt.

**Loss streak.**  After `loss_streak` losses in a row the trader rests for `loss_streak_rest` from
the last of them; a loss during the rest (of what was still open) begins it anew, a win does not
shorten it.  When it is over the count starts at zero: what was lost before or during the rest
is spent, and it takes `loss_streak` new losses in a row to rest again.

**Symbol rest.**  After a symbol's exit it is not entered again for `symbol_rest`; after its stop, a
loss or a win for `symbol_rest_after_stop`, `..._loss`, `..._win` where that is longer.  A stop that
lost is both, and the longest counts.

A rest runs from the close of a bar (`Trade.rests_from`), never from the second of a fill: one of a
whole number of bars ends with the same bar live and in a backtest.  All of it follows from the
trades, which history keeps, so it outlives a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.common import words
from trading.common.frozen import fast_frozen
from trading.risk.limits import Limits
from trading.risk.snapshot import RiskSnapshot
from trading.types import ZERO, ExitReason, Symbol, Trade

STOPPED, LOST, WON = "after its stop", "after a loss", "after a win"


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    losses: int = 0
    last_at: datetime | None = None
    """From when the rest after the last of them runs."""

    def until(self, limits: Limits) -> datetime | None:
        """When the rest that this streak demands ends; None: it demands none."""
        if self.last_at is None or self.losses < limits.loss_streak:
            return None
        return self.last_at + limits.loss_streak_rest


def streak(trades: Iterable[Trade], limits: Limits, now: datetime) -> Streak:
    """Count the losses in a row that still matter at *now*.  The order of *trades* is free."""
    return current(counted(trades, limits), limits, now)


def counted(trades: Iterable[Trade], limits: Limits) -> Streak:
    """The losses in a row as they stand after the last of *trades*.

    Of one bar's trades the losses count as the last: which came first a backtest cannot know.
    """
    running = Streak()
    for trade in sorted(trades, key=lambda t: (t.rests_from, t.profit < ZERO, t.id)):
        running = after(running, trade, limits)
    return running


def after(running: Streak, trade: Trade, limits: Limits) -> Streak:
    """What stood at *running*, after one more *trade*: none before it rests from so late a bar."""
    running = current(running, limits, trade.rests_from)
    if trade.profit < ZERO:
        return Streak(losses=running.losses + 1, last_at=trade.rests_from)
    return Streak() if running.until(limits) is None else running


class CountedLosses:
    """What was `counted` last: a trade more is counted on from there."""

    def __init__(self) -> None:
        self._newest: Trade | None = None
        self._many = 0
        self._limits: Limits | None = None
        self._until: datetime | None = None
        """The last bar from which one of them rests."""
        self._streak = Streak()

    def of(self, trades: Sequence[Trade], limits: Limits) -> Streak:
        """`counted` of *trades*, newest first."""
        newest, many = trades[0] if trades else None, len(trades)
        is_known = limits is self._limits
        if is_known and newest is self._newest and many == self._many:
            return self._streak
        until = None if newest is None else newest.rests_from
        one_more = is_known and many == self._many + 1 and trades[1:2] == [self._newest]
        if one_more and newest and until and self._until and until > self._until:
            self._streak = after(self._streak, newest, limits)
        else:
            self._streak = counted(trades, limits)
            until = max((trade.rests_from for trade in trades), default=None)
        self._newest, self._many, self._limits, self._until = newest, many, limits, until
        return self._streak


def current(running: Streak, limits: Limits, now: datetime) -> Streak:
    """What of them still matters at *now*."""
    until = running.until(limits)
    return Streak() if until is not None and now >= until else running


def rest_until(book: RiskSnapshot, limits: Limits, now: datetime) -> datetime | None:
    """When the rest after a loss streak ends, while there is one."""
    until = Streak(losses=book.losses_in_row, last_at=book.last_loss_at).until(limits)
    return until if until is not None and now < until else None


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRest:
    symbol: Symbol
    until: datetime
    after: str
    """As in `after its stop`; empty: after an exit of whatever kind."""

    def told(self, now: datetime) -> str:
        """As a clause: `BTC rests until 14:20 after its stop`."""
        return f"{self.symbol.base} rests until {words.until(self.until, now)} {self.after}".strip()


def symbol_rest(trade: Trade, limits: Limits) -> SymbolRest:
    """When the rest ends that *trade*, the last one of its symbol, has begun."""
    rests = [
        (limits.symbol_rest, ""),
        (limits.symbol_rest_after_stop if trade.reason is ExitReason.STOP else None, STOPPED),
        (limits.symbol_rest_after_loss if trade.profit < ZERO else None, LOST),
        (limits.symbol_rest_after_win if trade.profit > ZERO else None, WON),
    ]
    length, after = max(((r, w) for r, w in rests if r is not None), key=lambda each: each[0])
    begun = trade.rests_from if length else min(trade.rests_from, trade.closed_at)
    return SymbolRest(symbol=trade.symbol, until=begun + length, after=after)


def symbol_rests(
    last: Mapping[Symbol, Trade], limits: Limits, now: datetime
) -> tuple[SymbolRest, ...]:
    """The symbols that rest at *now*, by the *last* trade of each; whose rest ends first, first."""
    rests = (symbol_rest(trade, limits) for trade in last.values())
    return tuple(sorted((r for r in rests if now < r.until), key=lambda r: (r.until, r.symbol)))


def rest(book: RiskSnapshot, limits: Limits, symbol: Symbol | None, now: datetime) -> str:
    """Say what holds an entry back at *now*, as a clause; empty if nothing does.

    With *symbol* None only what holds back every symbol.
    """
    until = rest_until(book, limits, now)
    if until is not None:
        losses = f"{book.losses_in_row} losses in a row"
        return f"rests until {words.until(until, now)} after {losses}"
    last = book.last_trades.get(symbol) if symbol is not None else None
    resting = None if last is None else symbol_rest(last, limits)
    return resting.told(now) if resting is not None and now < resting.until else ""
