"""A backtest: the desk's own trader, fed from history, as fast as it goes.

`Trader`, decisions, risk, exits, ledger and paper venue are the ones that trade; only what stands
around them does not wait.  Market time stands at the close of the bar that is handled.  Bars in
which nothing can happen are passed over (`leaps.py`), and the equity of all of them is computed at
once; with `leap=False` every single bar is handled, and the result is the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trading.accounts.recorder import Recorder
from trading.assembly import DeskParts, TraderParts, assemble
from trading.backtest.feed import HandClock, HandFeed, bars_needed, moment, traded_columns
from trading.backtest.leaps import NEVER, Leaps
from trading.backtest.loop import InstantLoop
from trading.backtest.parts import (
    Foreseen,
    InstantPaper,
    KeptHistory,
    KnowsRegime,
    NoJournal,
    NoLatchFile,
)
from trading.backtest.result import Result
from trading.backtest.universe import ForeseenUniverse
from trading.backtest.untold import held_without_bars, too_short
from trading.bus import Bus
from trading.context.settings import TraderSettings
from trading.context.trader import TraderContext
from trading.cycle.bars import Bars
from trading.cycle.opening import Start
from trading.cycle.universe import TradableUniverse
from trading.execution.orders import OrderIds
from trading.market.candles import Candles, Panel
from trading.market.flaws import flaws
from trading.model.halt import Halt, Latch
from trading.risk.cooldown import Streak, streak
from trading.risk.drawdown import READINGS, day_end, day_of
from trading.safety.guards import KINDS
from trading.safety.halting import Halter
from trading.strategies.base import Strategy
from trading.trader import Trader
from trading.types import ZERO, Costs, MarketRules, Order, OrderRole, OrderStatus, Symbol

Floats = NDArray[np.float64]
Progress = Callable[[float], None]
"""Told the share that is done, some hundred times; may raise to end it."""

_TELLS = 200
_DOUBT = 1e-9
"""Relative; floats may be off by less."""
_CENTS = 8
"""Decimals to which a peak that was passed over is known."""
_REMEMBERED = 24
"""Closed trades that are kept anyway."""
ROUNDS = 100
"""Tries to carry out a halt at one bar; at the paper venue the first succeeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What is run: a trader as it is set, a strategy, and the candles it is shown."""

    trader: TraderSettings
    strategy: Strategy
    candles: Candles
    rules: Mapping[Symbol, MarketRules]
    costs: Costs = field(default_factory=Costs)
    begin: datetime | None = None
    """Close of the last bar before trading; None: as soon as the strategy is warm."""
    end: datetime | None = None
    """The last bar closes at or before it; None: with the candles."""
    lift: Literal["never", "daily"] = "never"
    """Whether a halt by a guard is lifted at the next 00:00, measured afresh, as an owner might."""
    notes: tuple[str, ...] = ()
    """What is to be told of the candles: sentences without a full stop."""


def run(test: Backtest, *, leap: bool = True, progress: Progress | None = None) -> Result:
    """Run *test* to the end of its candles.

    Raises `ValueError`, a sentence, for a span in which nothing could be traded, and what
    *progress* raises.
    """
    first, end = traded_columns(test.candles, test.strategy, begin=test.begin, end=test.end)
    candles = test.candles.upto(end)
    return InstantLoop().run(_Run(replace(test, candles=candles), first, leap=leap).all(progress))


class _Bars(Bars):
    async def _tell_rest(self, bar: datetime) -> None:
        """Nobody listens; who decides asks for himself."""

    async def _save_cursor(self, bar: datetime, decisions: int) -> None:
        """The equity of all bars is computed at once."""
        self._orders.ledger.change_account(cursor=bar)


class _Unseen:
    """What a trader misses of the bars that it is not shown."""

    def __init__(self, trader: Trader) -> None:
        self._ledger = trader.ledger
        self._guards = trader.losses.guards
        self._limits = trader.settings.limits

    def forget_spent(self, now: datetime) -> None:
        """Let go of closed trades that no rest can depend on any more: fewer to count each time."""
        trades, limits = self._ledger.trades, self._limits
        for cut in range(_REMEMBERED // 2, len(trades)) if len(trades) > _REMEMBERED else ():
            newest = trades[cut].rests_from
            if trades[cut - 1].rests_from == newest or newest + limits.looks_back > now:
                continue
            if trades[cut].profit > ZERO and streak(trades[cut:], limits, newest) == Streak():
                del trades[cut:]
                return

    def pass_over(self, equity: Floats, peak: float) -> None:
        """Take the readings of bars in which no guard was near: only the last ones matter."""
        recent = self._guards._recent  # noqa: SLF001  # what it would hold, had it seen them
        recent.extend(Decimal(repr(round(value, _CENTS))) for value in equity[-3:].tolist())
        if peak > float(self._ledger.account.peak) * (1 + _DOUBT):
            self._ledger.change_account(peak=Decimal(repr(round(peak, _CENTS))))

    def counting(self, kinds: Sequence[str]) -> bool:
        """Whether a guard of *kinds* has begun to count readings past its limit."""
        return any(self._guards._guards[kind].readings for kind in kinds)  # noqa: SLF001  # as below

    @property
    def recent(self) -> list[float]:
        return [float(value) for value in self._guards._recent]  # noqa: SLF001  # as above


class _Run:
    def __init__(self, test: Backtest, first: int, *, leap: bool) -> None:
        self._test = test
        self._leap = leap
        self._first = first
        self._candles = candles = test.candles
        self._feed = HandFeed(name="history", candles=candles, rules=test.rules, first=first)
        self._clock = HandClock(self._feed)
        self._history = KeptHistory()
        self._recorder = Recorder(
            store=self._history, bus=Bus(), clock=self._clock, announce=lambda event: (),
            offer=lambda alerts: None,
        )  # fmt: skip
        self._halter = Halter(
            latch=Latch(), recorder=self._recorder, latch_file=NoLatchFile(), clock=self._clock,
            modes={test.trader.name: test.trader.mode},
        )  # fmt: skip
        self._venue = InstantPaper(
            name="paper", feed=self._feed, journal=NoJournal(), capital=test.trader.capital,
            rules=test.rules, slippage=test.costs.slippage, commission=test.costs.commission,
            commission_per_unit=test.costs.commission_per_unit,
            participation=test.costs.participation,
        )  # fmt: skip
        self._strategy = Foreseen(test.strategy, candles)
        numbers = itertools.count(1)
        shared = DeskParts(
            store=self._history, recorder=self._recorder, halter=self._halter,
            journal=NoJournal(), clock=self._clock,
            ids=OrderIds("back", lambda size: f"{next(numbers):0{size * 2}x}"),
        )  # fmt: skip
        own = TraderParts(
            settings=test.trader, strategy=self._strategy, feed=self._feed, venue=self._venue,
            bars=_Bars, universe=None if test.trader.universe is None else self._universe,
        )  # fmt: skip
        self._trader = assemble(shared, own).trader
        self._unseen = _Unseen(self._trader)
        self._ledger = self._trader.ledger
        self._leaps = Leaps(candles=candles, rules=test.rules, exits=self._strategy.exits)
        self._signals = np.append(self._strategy.columns, NEVER)
        self._days = _new_days(candles, test.trader.zone, first)
        self._days_set = frozenset(self._days.tolist())
        self._marks = _marks(candles, test.rules, self._feed.last_known)
        self._rows = {symbol: row for row, symbol in enumerate(candles.symbols)}
        self._equity: Floats = np.full(candles.bars, np.nan)
        self._held: NDArray[np.int32] = np.zeros(candles.bars, dtype=np.int32)
        self._halts: dict[str, Halt] = {}
        self._uncovered: set[Symbol] = set()
        self._limits = {
            "day": float(test.trader.limits.max_daily_loss),
            "week": float(test.trader.limits.max_weekly_loss),
            "drawdown": float(test.trader.limits.max_drawdown),
        }
        self._cash, self._open = float(test.trader.capital), list[tuple[int, float]]()
        """Wallet less what the open positions cost; their rows and signed quantities."""

    def _universe(self, context: TraderContext) -> TradableUniverse:
        settings = self._test.trader
        assert settings.universe is not None  # noqa: S101  # else nobody asks for it
        return ForeseenUniverse(
            candles=self._feed.whole, timeframe=settings.timeframe, context=context,
            plan=settings.universe, store=self._history, recorder=self._recorder,
            market=self._feed.now,
        )  # fmt: skip

    async def all(self, progress: Progress | None) -> Result:
        await self._trader.load()
        await self._trader.start(Start(took=timedelta(0), down_for=None, clean=True))
        column, last = self._first, self._candles.bars - 1
        self._look(column)
        told, step = column, max(1, (last - column) // _TELLS)
        while column < last:
            column = self._leap_from(column)
            await self._handle(column)
            if progress is not None and column >= told + step:
                told = column
                progress((column - self._first) / (last - self._first))
        return self._result()

    async def _handle(self, column: int) -> None:
        """What the desk does up to this bar, at its close, and right after it."""
        at = self._feed.show(column)
        if self._uncovered:
            await self._trader.upkeep()
        self._venue.untouched = self._leap and self._leaps.next() > column
        await self._trader.cycles.bars.handle()
        self._unseen.forget_spent(at)
        if self._halter.latch.active:
            await self._carry_out_halts(column)
        self._look(column)

    # -- which bar comes next ----------------------------------------------------------------

    def _leap_from(self, column: int) -> int:
        """The next bar to handle; what lies between is accounted for."""
        if not self._leap or self._unseen.counting(self._unhalted()) or self._day_waits(column):
            return column + 1
        signal = self._signals[np.searchsorted(self._signals, column, side="right")]
        day = self._days[np.searchsorted(self._days, column, side="right")]
        until = min(int(signal), int(day), self._leaps.next(), self._candles.bars - 1)
        if until <= column + 1:
            return column + 1
        equity = self._values(column + 1, until)
        near, peak = self._first_near(column + 1, equity)
        equity = equity[:near]
        until = column + 1 + len(equity)
        self._equity[column + 1 : until] = equity
        self._held[column + 1 : until] = len(self._open)
        self._unseen.pass_over(equity, peak)
        return until

    def _day_waits(self, column: int) -> bool:
        """Whether the day of the bar in *column* has not begun for the guards: a price was old."""
        zone = self._test.trader.zone
        return self._ledger.account.day < day_of(self._feed.now(), zone)

    def _unhalted(self) -> tuple[str, ...]:
        """Guards that could still halt."""
        if not self._halter.latch.active:
            return KINDS
        standing = {halt.guard for halt in self._halter.latch.active}
        return tuple(kind for kind in KINDS if kind not in standing)

    def _first_near(self, begin: int, equity: Floats) -> tuple[int, float]:
        """How many readings pass before one could matter to a guard, and the peak after them."""
        many = self._fresh(begin, len(equity))
        equity = equity[:many]
        before = float(self._ledger.account.peak)
        if not many:
            return 0, before
        peak = max(before, float(equity.max()))
        lowest = float(equity.min())
        if peak > before:
            peaks = np.maximum(before, _lasting(self._unseen.recent, equity))
            peak = float(peaks[-1])
        else:
            peaks = np.full(many, before)
        for kind in self._unhalted():
            base = peak if kind == "drawdown" else float(self._trader.losses.guards.baseline(kind))
            limit = self._limits[kind] - _DOUBT
            if base > 0 and (base - lowest) / base < limit:
                continue
            bases = peaks if kind == "drawdown" else np.full(len(equity), base)
            past = (bases - equity) / bases >= limit
            if past.any():
                many = min(many, int(past.argmax()))
        return many, before if not many else float(peaks[many - 1])

    def _fresh(self, begin: int, many: int) -> int:
        """How many bars from *begin* on have marks that are believed."""
        known = self._feed.last_known
        if known is None or not self._open:
            return many
        columns = slice(begin, begin + many)
        times, oldest = self._candles.times, self._test.trader.limits.max_price_age
        rows = [row for row, _ in self._open]
        ages = times[columns] - times[known[rows, columns].min(axis=0)]
        old = ages > oldest.total_seconds() * 1000
        return int(old.argmax()) if old.any() else many

    def _values(self, begin: int, end: int) -> Floats:
        """Equity at the closes of these bars, as long as nothing but prices changes."""
        values: Floats = np.full(end - begin, self._cash)
        for row, quantity in self._open:
            values += quantity * self._marks[row, begin:end]
        return values

    # -- after a bar -------------------------------------------------------------------------

    async def _carry_out_halts(self, column: int) -> None:
        """What the trader does between its cycles, and an owner once a day."""
        active = self._halter.latch.active
        self._halts.update((halt.id, halt) for halt in active)
        for _ in range(ROUNDS):
            if await self._trader.enforcer.attempt():
                break
        if self._test.lift == "daily" and column in self._days_set:
            for halt in active:
                await self._trader.rebase(halt)
                await self._halter.lift(halt, by="backtest")

    def _look(self, column: int) -> None:
        """Note what waits for a price now, and what the account holds."""
        changed = self._history.changed
        if changed:
            self._note_open()
            self._note_unfinished(changed)
        if self._leap:
            self._look_ahead(column, changed | self._leaps.due(column))
        changed.clear()
        self._equity[column] = self._values(column, column + 1)[0]
        self._held[column] = len(self._open)

    def _note_open(self) -> None:
        cash, rows = self._ledger.account.wallet, list[tuple[int, float]]()
        for symbol, position in self._ledger.positions.items():
            cash -= position.quantity * position.average_price
            rows.append((self._rows[symbol], float(position.quantity)))
        self._cash, self._open = float(cash), rows

    def _look_ahead(self, column: int, symbols: set[Symbol]) -> None:
        if not symbols:
            return
        orders: dict[Symbol, list[Order]] = {}
        for order in self._ledger.alive.values():
            orders.setdefault(order.symbol, []).append(order)
        for symbol in symbols:
            alive = orders.get(symbol, [])
            self._leaps.look(
                symbol, column, position=self._ledger.positions.get(symbol),
                plan=self._ledger.plans.get(symbol), orders=alive,
                until=self._next_bar_at_least(column, symbol, alive),
            )  # fmt: skip

    def _next_bar_at_least(self, column: int, symbol: Symbol, orders: list[Order]) -> int:
        """The column that is handled in any case: an order is under way, or ends by itself."""
        if symbol in self._uncovered or not all(map(self._rests, orders)):
            return column + 1
        entries = self._test.trader.entries
        ends = [entries.ends(order) for order in orders if order.role is OrderRole.ENTRY]
        if not ends:
            return NEVER
        due = int(min(ends).timestamp() * 1000)
        return max(column + 1, int(np.searchsorted(self._candles.times, due)))

    def _rests(self, order: Order) -> bool:
        return order.status is OrderStatus.OPEN and self._venue.waits_for_price(order)

    def _note_unfinished(self, symbols: set[Symbol]) -> None:
        """Positions whose stop or target does not rest as it should."""
        protection = self._trader.protection
        for symbol in symbols:
            bare = symbol in protection.reached or not protection.rests(symbol)
            bare = bare and symbol in self._ledger.positions
            (self._uncovered.add if bare else self._uncovered.discard)(symbol)

    # -- what came of it ---------------------------------------------------------------------

    def _result(self) -> Result:
        bars, strategy = slice(self._first, None), self._test.strategy
        return Result(
            trader=self._test.trader,
            strategy=self._test.strategy.name,
            times=self._candles.times[bars] / 1000.0,
            equity=self._equity[bars],
            held=self._held[bars],
            holding=_holding(self._marks[:, bars], float(self._test.trader.capital)),
            trades=tuple(self._history.trades_closed),
            fills=tuple(self._history.fills_made),
            sent=tuple(self._history.orders_sent.values()),
            approved=self._history.approved,
            refused=dict(self._history.refused),
            halts=tuple(self._halts.values()),
            regimes=strategy.regime_names(self._candles)[bars]
            if isinstance(strategy, KnowsRegime)
            else (),
            open_positions=tuple(self._ledger.positions.values()),
            flaws=flaws(self._candles),
            notes=(*self._test.notes, *self._untold()),
            slippage=self._venue.slippage_of,
            costs=asdict(self._test.costs),
            last_prices=dict(zip(self._candles.symbols, self._marks[:, -1].tolist(), strict=True)),
        )

    def _untold(self) -> Iterator[str]:
        strategy = self._test.strategy
        needed = bars_needed(strategy)
        yield from too_short(self._candles, needed=needed, strategy=strategy.name)
        yield from held_without_bars(self._candles, self._ledger.positions)


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


def _lasting(recent: list[float], equity: Floats) -> Floats:
    """For each reading the lowest of the last three, or nothing while there are fewer."""
    every = np.concatenate(([np.inf, np.inf, *recent][-2:] if recent else [np.inf, np.inf], equity))
    lowest: Floats = np.minimum(np.minimum(every[:-2], every[1:-1]), every[2:])
    seen = len(recent) + np.arange(1, len(equity) + 1)
    return np.maximum.accumulate(np.where(seen >= READINGS, lowest, -np.inf))


def _new_days(candles: Candles, zone: tzinfo, first: int) -> NDArray[np.int64]:
    """Columns whose bars are the first to close in a new risk day."""
    times = candles.times
    found, at = list[int](), first
    while at < len(times):
        end = int(day_end(moment(int(times[at])), zone).timestamp() * 1000)
        at = int(np.searchsorted(times, end))
        if at < len(times):
            found.append(at)
    return np.array([*found, NEVER])


def _holding(marks: Panel, capital: float) -> Floats:
    """Equity of who buys equal parts of every symbol at the beginning, and holds, without costs."""
    bought = marks[:, 0]
    traded = np.isfinite(bought) & (bought > 0)
    if not traded.any():
        return np.full(marks.shape[1], capital)
    growth: Floats = (marks[traded] / bought[traded, np.newaxis]).mean(axis=0)
    return capital * growth
