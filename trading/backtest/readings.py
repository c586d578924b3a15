"""The equity of every bar, and what of it the guards have to see.

Between two bars in which something happens only prices move, so the equity of all of them is
computed at once, when somebody asks.  Guards take a reading at every bar; but as long as what would
be left with every stop filled is far from their limits, none of those can halt anything, and only
the highest and the last ones matter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.accounts.ledger import Ledger
from trading.market.candles import Candles, Panel
from trading.risk.drawdown import READINGS
from trading.risk.limits import Limits
from trading.safety.guards import KINDS, Guards
from trading.stats.ratios import Floats
from trading.types import ZERO, ExitPlan, MarketRules, Position, Symbol

_DOUBT = 1e-9
"""Relative; floats may be off by less."""
_CLOSE = 1e-12
"""Relative; of two floats that are closer, either may be the higher one."""


@dataclass(slots=True)
class _Since:
    """What the account holds from a column on."""

    column: int
    wallet: Decimal
    held: tuple[Position, ...]


@dataclass(slots=True)
class _Marked:
    """A position, and the columns of the bars whose prices it is marked at."""

    position: Position
    start: int
    end: int


class EquityReadings:
    """Of one account: the guards take that of each bar, in order, some of them late."""

    def __init__(
        self,
        *,
        candles: Candles,
        rules: Mapping[Symbol, MarketRules],
        known: NDArray[np.int32] | None,
        ledger: Ledger,
        guards: Guards,
        limits: Limits,
        first: int,
    ) -> None:
        """*known*: for each place the column of its last bar, as of `feed.last_known`; *first* is
        the column before the first bar."""
        self.marks = _marks(candles, rules, known)
        self.equity: Floats = np.full(candles.bars, np.nan)
        """At the close of each bar, all that happened in it included."""
        self.held: NDArray[np.int32] = np.full(candles.bars, -1, dtype=np.int32)
        """How many positions are open then."""
        self._candles = candles
        self._rules = rules
        self._known = known
        self._ledger = ledger
        self._guards = guards
        self._oldest = limits.max_price_age / timedelta(milliseconds=1)
        self._limits = {
            "day": float(limits.max_daily_loss),
            "week": float(limits.max_weekly_loss),
            "drawdown": float(limits.max_drawdown),
        }
        self._rows = {symbol: row for row, symbol in enumerate(candles.symbols)}
        self._next = first + 1
        """The first column whose reading the guards have not taken."""
        self._spans = [_Since(first, ledger.account.wallet, ())]
        self._known_ends: dict[Symbol, tuple[Position, ExitPlan, tuple[float, float] | None]] = {}
        self._highest = float(ledger.account.peak)
        """Nothing that the guards could call the peak by now is higher."""

    # -- what happens --------------------------------------------------------------------------

    def changed(self, column: int) -> None:
        """From the reading of *column* on, the account holds what it holds now."""
        ledger = self._ledger
        now = _Since(column, ledger.account.wallet, tuple(ledger.positions.values()))
        self._spans.append(now)

    def seen(self, column: int) -> None:
        """The guards have taken the reading of that bar themselves, and all before it."""
        self._next = column + 1
        self._spans = self._spans[-1:]
        self._highest = float(self._ledger.account.peak)

    def closed(self, column: int) -> None:
        """That bar is done: it ends with what the account holds now."""
        self.equity[column] = self._value(column)
        self.held[column] = len(self._ledger.positions)

    # -- what guards have to see ---------------------------------------------------------------

    def is_safe(self, kinds: Sequence[str]) -> bool:
        """Whether no close could bring a guard of *kinds* near its limit while stops rest.

        A close beyond a stop would have filled it: so what is left when all of them fill is the
        least, and what is there when all targets do is the most.
        """
        ledger = self._ledger
        least = most = float(ledger.account.wallet)
        for symbol, position in ledger.positions.items():
            ends = self._ends(position, ledger.plans[symbol])
            if ends is None:
                return not kinds
            least += ends[0]
            most += ends[1]
        self._highest = max(self._highest, most * (1 + _DOUBT))
        return not self._is_near(least * (1 - _DOUBT), kinds)

    def _ends(self, position: Position, plan: ExitPlan) -> tuple[float, float] | None:
        """What *position* makes at its stop and at its target; None: it lacks one of them."""
        known = self._known_ends.get(position.symbol)
        if known is None or known[0] is not position or known[1] is not plan:
            ends = None
            if plan.stop is not None and plan.target is not None:
                ends = (
                    float(position.open_profit(plan.stop)),
                    float(position.open_profit(plan.target)),
                )
            known = self._known_ends[position.symbol] = position, plan, ends
        return known[2]

    def is_near(self, column: int, kinds: Sequence[str]) -> bool:
        """Whether the reading of that very bar could matter to a guard of *kinds*."""
        value = self._value(column)
        self._highest = max(self._highest, value)
        return self._is_near(value, kinds)

    def is_old(self, column: int) -> bool:
        """Whether a price of what is held is too old in that bar to be believed."""
        return self._fresh(column, 1) == 0

    def first_of_note(self, column: int, until: int, kinds: Sequence[str], *, safe: bool) -> int:
        """The first column after *column*, at most *until*, whose reading could matter or is old.

        Between the two nothing happens.
        """
        begin = column + 1
        fresh = self._fresh(begin, until - begin)
        if safe or not fresh or not kinds:
            return begin + fresh
        self.take(begin)
        equity = self._between(begin, begin + fresh)
        peaks = np.maximum(float(self._ledger.account.peak), np.maximum.accumulate(equity))
        near = np.zeros(fresh, dtype=bool)
        for kind in kinds:
            base = peaks if kind == "drawdown" else float(self._guards.baseline(kind))
            near |= base - equity >= base * (self._limits[kind] - _DOUBT)
        return begin + (int(near.argmax()) if near.any() else fresh)

    def _is_near(self, equity: float, kinds: Sequence[str]) -> bool:
        for kind in kinds:
            drawdown = kind == "drawdown"
            base = self._highest if drawdown else float(self._guards.baseline(kind))
            if base - equity >= base * (self._limits[kind] - _DOUBT):
                return True
        return False

    def _fresh(self, begin: int, many: int) -> int:
        """How many bars from *begin* on have prices that are believed."""
        if self._known is None or not self._ledger.positions or many <= 0:
            return many
        columns, times = slice(begin, begin + many), self._candles.times
        rows = [self._rows[symbol] for symbol in self._ledger.positions]
        ages = times[columns] - times[self._known[rows, columns].min(axis=0)]
        old = ages > self._oldest
        return int(old.argmax()) if old.any() else many

    # -- taking them ---------------------------------------------------------------------------

    def take(self, until: int) -> None:
        """Let the guards take all readings before the column *until*: none of them is of note."""
        begin = self._next
        if until <= begin:
            return
        equity = self._between(begin, until)
        self._keep(begin, until, equity)
        self._raise_peak(begin, equity)
        recent = self._guards._recent  # noqa: SLF001  # what it would hold, had it seen them
        recent.extend(self._exact(column) for column in range(max(begin, until - 3), until))
        self._next = until
        self._spans = [self._span(until), *(s for s in self._spans if s.column > until)]
        self._highest = float(self._ledger.account.peak)
        self.is_safe(KINDS)

    def _keep(self, begin: int, until: int, equity: Floats) -> None:
        """As the curve of the bars that nobody has handled."""
        curve, held = self.equity[begin:until], self.held[begin:until]
        np.copyto(curve, equity, where=np.isnan(curve))
        for start, end, span in self._parts(begin, until):
            part = held[start - begin : end - begin]
            np.copyto(part, len(span.held), where=part < 0)

    def _raise_peak(self, begin: int, equity: Floats) -> None:
        """The peak follows the lowest of the last three readings, as guards have it."""
        recent = list(self._guards._recent)[1 - READINGS :]  # noqa: SLF001  # as above
        every = np.concatenate(([float(value) for value in recent], equity))
        if len(every) < READINGS:
            return
        lasting = np.minimum(np.minimum(every[:-2], every[1:-1]), every[2:])
        best = float(lasting.max())
        peak = self._ledger.account.peak
        if best < float(peak) * (1 - _DOUBT):
            return
        _, places = np.unique(lasting[lasting >= best * (1 - _CLOSE)], return_index=True)
        columns = np.flatnonzero(lasting >= best * (1 - _CLOSE))[places].tolist()
        known = dict(zip(range(begin - len(recent), begin), recent, strict=True))
        for first in (column + begin - len(recent) for column in columns):
            three = range(first, first + READINGS)
            exact = min(known[c] if c in known else self._exact(c) for c in three)
            peak = max(peak, exact)
        if peak > self._ledger.account.peak:
            self._ledger.change_account(peak=peak)

    def _between(self, begin: int, until: int) -> Floats:
        """The readings of these bars: each position is marked once, over all spans that hold it."""
        values: Floats = np.empty(until - begin)
        marked = dict[Symbol, _Marked]()
        for start, end, span in self._parts(begin, until):
            values[start - begin : end - begin] = float(span.wallet)
            for position in span.held:
                known = marked.get(position.symbol)
                if known is not None and known.position is position and known.end == start:
                    known.end = end
                    continue
                if known is not None:
                    self._mark_all(values, begin, known)
                marked[position.symbol] = _Marked(position, start, end)
        for known in marked.values():
            self._mark_all(values, begin, known)
        return values

    def _mark_all(self, values: Floats, begin: int, marked: _Marked) -> None:
        """Add the open profit of a position to *values*, which begin with column *begin*."""
        position, start, end = marked.position, marked.start, marked.end
        marks = self.marks[self._rows[position.symbol], start:end]
        profit = (marks - float(position.average_price)) * float(position.quantity)
        values[start - begin : end - begin] += profit

    def _parts(self, begin: int, until: int) -> Iterator[tuple[int, int, _Since]]:
        """The spans of these bars, from where to where each holds."""
        nexts = [*(span.column for span in self._spans[1:]), until]
        for span, following in zip(self._spans, nexts, strict=True):
            start, end = max(span.column, begin), min(following, until)
            if start < end:
                yield start, end, span

    def _span(self, column: int) -> _Since:
        return self._spans[bisect_right(self._spans, column, key=lambda span: span.column) - 1]

    def _exact(self, column: int) -> Decimal:
        """The reading of that bar to the last digit."""
        span = self._span(column)
        profits = (p.open_profit(self._mark(p.symbol, column)) for p in span.held)
        return span.wallet + sum(profits, ZERO)

    def _mark(self, symbol: Symbol, column: int) -> Decimal:
        row = self._rows[symbol]
        known = column if self._known is None else int(self._known[row, column])
        return self._rules[symbol].price(float(self._candles.close[row, known]))

    def _value(self, column: int) -> float:
        """Of what the account holds now, at the prices of that bar."""
        value = float(self._ledger.account.wallet)
        for symbol, position in self._ledger.positions.items():
            mark = self.marks.item(self._rows[symbol], column)
            value += float(position.quantity) * (mark - float(position.average_price))
        return value


def _marks(
    candles: Candles, rules: Mapping[Symbol, MarketRules], known: NDArray[np.int32] | None
) -> Panel:
    """The closes on the tick, each missing one as the last before it."""
    ticks = np.array([[float(rules[symbol].tick)] for symbol in candles.symbols])
    marks: Panel = np.rint(candles.close / ticks) * ticks
    if known is None:
        return marks
    marks = np.take_along_axis(marks, np.maximum(known, 0), axis=1)
    marks[known < 0] = np.nan
    return marks
