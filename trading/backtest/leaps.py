"""Where something can happen next: the bars that a backtest may not pass over.

Between two bars in which something happens only prices move.  So it is enough to know, for each
symbol, the next bar whose prices touch what waits for them (a resting order, the exit plan), and
for the account, the next bar whose equity could matter to a guard.  What is found may come too
early, never too late: a bar that is looked at for nothing changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trading.backtest.foreseen import NEVER
from trading.market.candles import Candles, Panel
from trading.strategies.base import ExitWishes
from trading.types import (
    CONDITIONAL,
    ZERO,
    ExitPlan,
    MarketRules,
    OrderType,
    Position,
    Side,
    Symbol,
)

_INF = float("inf")
_FIRST_LOOK, _GROWTH, _LONGEST_LOOK = 512, 4, 1 << 14
_ROUNDING = 0.6
"""Ticks by which a raw price may lie beside the tick that it is rounded to, and a bit more."""


@dataclass(slots=True)
class _NextMoments:
    """What one symbol waits for: prices that are reached from above or from below."""

    low: float = -_INF
    """A low at most this."""
    high: float = _INF
    """A high at least this."""
    close_down: float = -_INF
    close_up: float = _INF
    confidence: float = -_INF
    """A confidence in its side below this."""
    side: Side = Side.BUY
    column: int = NEVER
    """At the latest; the next one if it cannot be told."""


class Waiting(Protocol):
    """What waits for a price: an order, or what is to be one."""

    @property
    def symbol(self) -> Symbol: ...
    @property
    def side(self) -> Side: ...
    @property
    def type(self) -> OrderType: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def stop_price(self) -> Decimal | None: ...


class Leaps:
    """Looks ahead in the candles for one account."""

    def __init__(
        self, *, candles: Candles, rules: Mapping[Symbol, MarketRules], exits: ExitWishes | None
    ) -> None:
        self._candles = candles
        self._rules = rules
        self._exits = exits
        self._next: dict[int, int] = {}
        """The next column of each row that waits for anything."""

    def next(self) -> int:
        """The first column that touches anything; `NEVER` if none does."""
        return min(self._next.values(), default=NEVER)

    def may_touch(self, waiting: Waiting, column: int) -> bool:
        """Whether that bar may touch the price that *waiting* waits for."""
        waits, row = _NextMoments(), self._candles.row(waiting.symbol)
        _wait_for(waits, waiting, float(self._rules[waiting.symbol].tick) * _ROUNDING)
        low, high = (panel[row, column] for panel in (self._candles.low, self._candles.high))
        return bool(low <= waits.low or high >= waits.high)

    def due(self, column: int) -> set[Symbol]:
        """Symbols whose wait has ended with *column*: look at them again."""
        symbols = self._candles.symbols
        return {symbols[row] for row, at in self._next.items() if at <= column}

    def look(  # what there is of one symbol
        self,
        symbol: Symbol,
        column: int,
        *,
        position: Position | None,
        plan: ExitPlan | None,
        orders: Sequence[Waiting],
        until: int,
    ) -> None:
        """Note what *symbol* waits for after *column*, and *until* which column at most."""
        row = self._candles.row(symbol)
        if row is None:
            raise KeyError(symbol)
        if position is None and not orders:
            self._next.pop(row, None)
            return
        waits = _NextMoments(column=until)
        slack = float(self._rules[symbol].tick) * _ROUNDING
        for order in orders:
            _wait_for(waits, order, slack)
        if position is not None and plan is not None:
            self._wait_for_plan(waits, plan, abs(position.quantity), column, symbol)
        self._next[row] = self._search(row, waits, column + 1)

    def _wait_for_plan(
        self, waits: _NextMoments, plan: ExitPlan, held: Decimal, column: int, symbol: Symbol
    ) -> None:
        tick = float(self._rules[symbol].tick)
        slack = tick * _ROUNDING
        waits.side = plan.side
        aims = _aims(plan, held, self._rules[symbol])
        if plan.trail is not None:
            if plan.best is None:
                waits.column = min(waits.column, column + 1)
            else:  # a better close by a tick moves the stop
                aims.append(float(plan.best) + plan.side.sign * tick)
        if plan.side is Side.BUY:
            waits.close_up = min(aims, default=_INF) - slack
            stop = -_INF if plan.stop is None else float(plan.stop) + slack
            waits.close_down = max(waits.close_down, stop)
        else:
            waits.close_down = max(aims, default=-_INF) + slack
            stop = _INF if plan.stop is None else float(plan.stop) - slack
            waits.close_up = min(waits.close_up, stop)
        if plan.deadline is not None:
            due = int(plan.deadline.timestamp() * 1000)
            at = int(np.searchsorted(self._candles.times, due))
            waits.column = min(waits.column, max(at, column + 1))
        if self._exits is not None:
            waits.confidence = plan.confidence - self._exits.drop + 1.0

    def _search(self, row: int, waits: _NextMoments, begin: int) -> int:
        end = min(self._candles.bars, waits.column)
        look = _FIRST_LOOK
        while begin < end:
            until = min(end, begin + look)
            found = self._touched(row, waits, slice(begin, until))
            if found is not None:
                return begin + found
            begin, look = until, min(look * _GROWTH, _LONGEST_LOOK)
        return waits.column if waits.column < self._candles.bars else NEVER

    def _touched(self, row: int, waits: _NextMoments, columns: slice) -> int | None:
        candles = self._candles
        # A close beyond a price lies within its bar: where an order waits there, it is seen anyway.
        down = -_INF if waits.close_down <= waits.low else waits.close_down
        up = _INF if waits.close_up >= waits.high else waits.close_up
        touched: NDArray[np.bool_] | None = None
        for panel, limit, sign in (
            (candles.low, waits.low, -1),
            (candles.high, waits.high, 1),
            (candles.close, down, -1),
            (candles.close, up, 1),
            (self._confidence(waits.side), waits.confidence, -1),
        ):
            if limit in (_INF, -_INF) or panel is None:
                continue
            part = panel[row, columns]
            here = part >= limit if sign > 0 else part <= limit
            touched = here if touched is None else touched | here
        if touched is None:
            return None
        first = int(touched.argmax())
        return first if touched[first] else None

    def _confidence(self, side: Side) -> Panel | None:
        if self._exits is None:
            return None
        return self._exits.long if side is Side.BUY else self._exits.short


def _wait_for(waits: _NextMoments, order: Waiting, slack: float) -> None:
    price = order.stop_price if order.type in CONDITIONAL else order.price
    if price is None:
        return
    below = (order.type is OrderType.STOP) is (order.side is Side.SELL)
    if below:
        waits.low = max(waits.low, float(price) + slack)
    else:
        waits.high = min(waits.high, float(price) - slack)


def _aims(plan: ExitPlan, held: Decimal, rules: MarketRules) -> list[float]:
    """Prices at which the plan sells for a profit, those included that may still owe something."""
    aims = [] if plan.target is None else [float(plan.target)]
    share = sum((p.share for p in plan.partials if p.done), ZERO)
    owes = rules.quantity(max(ZERO, plan.size * share - (plan.size - held))) > ZERO
    return aims + [float(p.price) for p in plan.partials if owes or not p.done]
