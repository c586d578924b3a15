"""Wishes that are refused for what is held alone: their bars need not be looked at.

A strategy that sees a trend wishes at each of its bars, and most wishes come late: the symbol is
open already, or as many positions as there may be.  Risk says so before it asks for anything else
that time changes.  So what it has answered once it answers until a position opens or closes, or the
universe moves, as long as the wish itself is sound.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from trading.accounts.ledger import Ledger
from trading.backtest.feed import moment
from trading.backtest.foreseen import Foreseen
from trading.backtest.parts import KeptHistory
from trading.cycle.deciding import Approval
from trading.cycle.universe import TradableUniverse
from trading.risk.gate import all_open, open_already
from trading.risk.limits import Limits
from trading.types import Decision, Side, Signal, Symbol

_Kind = tuple[Symbol, Side, int | None]
"""What the earlier objections of risk depend on, if a wish is sound: the number is of the tier."""


class Foregone:
    """Of one trader whose entries fill at once: none of them is under way between two bars."""

    def __init__(
        self,
        *,
        strategy: Foreseen,
        times: Sequence[int],
        ledger: Ledger,
        universe: TradableUniverse,
        limits: Limits,
        history: KeptHistory,
    ) -> None:
        self._wishes = strategy.wishes_of_all
        self._times = times
        self._ledger = ledger
        self._universe = universe
        self._limits = limits
        self._history = history
        self._known: set[_Kind] = set()
        """Risk had nothing against such a wish before it asked what is held."""

    def learn(self, signals: Iterable[Signal], answers: Iterable[Decision | Approval]) -> None:
        """Take note of what risk has answered at the bar in hand."""
        full = all_open(len(self._ledger.positions), self._limits)
        for signal, answer in zip(signals, answers, strict=True):
            if isinstance(answer, Approval) or answer.reason in {open_already(signal.symbol), full}:
                self._known.add(self._kind(signal.symbol, signal.side))

    async def pass_over(self, column: int, end: int) -> int:
        """The first column after *column* with a wish that risk has to answer, at most *end*.

        The answers before it are counted.
        """
        columns = self._wishes.columns
        number = bisect_right(columns, column)
        while columns[number] < end:
            at = columns[number]
            bar = moment(self._times[at])
            await self._universe.refresh(bar)
            refused = Counter[tuple[Symbol, str]]()
            while columns[number] == at:
                reason = self._refusal(number, bar)
                if not reason:
                    return at
                refused[self._wishes.symbol(number), reason] += 1
                number += 1
            for (symbol, reason), times in refused.items():
                self._history.refuse(symbol, reason, times)
        return end

    def _refusal(self, number: int, bar: datetime) -> str:
        """Why that wish is refused; empty where it cannot be told from here."""
        symbol, side = self._wishes.symbol(number), self._wishes.side(number)
        if not self._wishes.is_sound[number] or self._universe.objection(symbol, bar):
            return ""
        if self._kind(symbol, side) not in self._known:
            return ""
        position = self._ledger.positions.get(symbol)
        if position is None:
            return all_open(len(self._ledger.positions), self._limits)
        return open_already(symbol) if position.side is side else ""

    def _kind(self, symbol: Symbol, side: Side) -> _Kind:
        return symbol, side, self._universe.tier(symbol)
