"""The desk's own trader, driven over the bars of a backtest.

`Trader`, decisions, risk, exits, ledger and paper venue are the ones that trade; only what stands
around them does not wait.  Market time stands at the close of the bar that is handled.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta, tzinfo
from functools import partial

import numpy as np

from trading.accounts.recorder import Recorder
from trading.assembly import DeskParts, TraderParts, assemble
from trading.backtest.asked import Backtest, Progress
from trading.backtest.fast import FastPath
from trading.backtest.feed import HandClock, HandFeed, bars_needed, moment
from trading.backtest.foregone import Foregone
from trading.backtest.foreseen import NEVER, Foreseen
from trading.backtest.leaps import Leaps
from trading.backtest.parts import (
    InstantPaper,
    KeptHistory,
    KnowsRegime,
    NoJournal,
    NoLatchFile,
)
from trading.backtest.proof import Standing
from trading.backtest.readings import EquityReadings
from trading.backtest.result import Result
from trading.backtest.universe import ForeseenUniverse
from trading.backtest.untold import held_without_bars, too_short
from trading.bus import Bus
from trading.context.trader import TraderContext
from trading.cycle.bars import Bars
from trading.cycle.opening import Start
from trading.cycle.universe import TradableUniverse
from trading.execution.order_ids import OrderIds
from trading.market.candles import Candles, Panel
from trading.market.flaws import flaws
from trading.model.halt import Halt, Latch
from trading.ports import Books
from trading.risk.cooldown import Streak, streak
from trading.risk.drawdown import day_end, day_of
from trading.safety.guards import KINDS
from trading.safety.halting import Halter
from trading.stats.ratios import Floats
from trading.trader import Trader
from trading.types import ZERO, Order, OrderRole, OrderStatus, Symbol

_TELLS = 200
_AGAIN = 1 << 40
"""Numbers of orders from here on belong to a trader that goes on from books of another one."""
_REMEMBERED = 6
"""Closed trades that are kept anyway."""
ROUNDS = 100
"""Tries to carry out a halt at one bar; at the paper venue the first succeeds."""


class _BacktestBars(Bars):
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
        self._looks_back = self._limits.looks_back

    def forget_spent(self, now: datetime) -> None:
        """Let go of closed trades that no rest can depend on any more: fewer to count each time."""
        trades, limits = self._ledger.trades, self._limits
        for cut in range(_REMEMBERED // 2, len(trades)) if len(trades) > _REMEMBERED else ():
            newest = trades[cut].rests_from
            if trades[cut - 1].rests_from == newest or newest + self._looks_back > now:
                continue
            if trades[cut].profit > ZERO and streak(trades[cut:], limits, newest) == Streak():
                del trades[cut:]
                return

    def counting(self, kinds: Sequence[str]) -> bool:
        """Whether a guard of *kinds* has begun to count readings past its limit."""
        return self._guards.are_counting(kinds)


class Drive:
    """One trader, driven over the bars of one backtest."""

    def __init__(  # noqa: PLR0915  # one assignment for each thing that is kept
        self,
        test: Backtest,
        strategy: Foreseen,
        first: int,
        *,
        every_bar: bool = False,
        by_trader: Callable[[int], bool] = lambda column: False,
        since: Standing | None = None,
    ) -> None:
        """*since*: how the books stand after *first*; None: nothing has been traded."""
        self._test = test
        self._strategy = strategy
        self._leap = not every_bar
        self._by_trader = by_trader
        self._first = first
        self._since = since
        self._candles = candles = test.candles
        self._feed = HandFeed(name="history", candles=candles, rules=test.rules, first=first)
        self._clock = HandClock(self._feed)
        self._history = KeptHistory(since)
        self._recorder = Recorder(
            store=self._history, bus=Bus(), clock=self._clock, announce=lambda event: (),
            offer=lambda alerts: None,
        )  # fmt: skip
        self._halter = Halter(
            latch=Latch(), recorder=self._recorder, latch_file=NoLatchFile(), clock=self._clock,
            modes={test.trader.name: test.trader.mode},
        )  # fmt: skip
        self._venue = InstantPaper(
            name="paper", feed=self._feed, trader=test.trader.name, journal=NoJournal(since),
            capital=test.trader.capital, rules=test.rules, costs=test.costs,
        )  # fmt: skip
        numbers = itertools.count(1 if since is None else _AGAIN)
        ids = OrderIds("back", lambda size: f"{next(numbers):0{size * 2}x}")
        shared = DeskParts(
            store=self._history, recorder=self._recorder, halter=self._halter,
            journal=NoJournal(), clock=self._clock, ids=ids,
        )  # fmt: skip
        own = TraderParts(
            settings=test.trader, strategy=self._strategy, feed=self._feed, venue=self._venue,
            bars=_BacktestBars, universe=None if test.trader.universe is None else self._universe,
        )  # fmt: skip
        self._trader = assemble(shared, own).trader
        self._unseen = _Unseen(self._trader)
        self._ledger = self._trader.ledger
        self._foregone = Foregone(
            strategy=self._strategy, times=candles.times.tolist(), ledger=self._ledger,
            universe=self._trader.universe, limits=test.trader.limits, history=self._history,
        )  # fmt: skip
        self._fast = FastPath(
            trader=self._trader, venue=self._venue, history=self._history, feed=self._feed,
            rules=test.rules, ids=ids, foregone=self._foregone,
        )  # fmt: skip
        self._leaps = Leaps(candles=candles, rules=test.rules, exits=self._strategy.exits)
        self._signals = [*self._strategy.columns.tolist(), NEVER]
        self._wishes = frozenset(self._signals)
        self._days = _new_days(candles, test.trader.zone, first)
        self._days_set = frozenset(self._days)
        self._day_known: tuple[date | None, int, bool] = None, 0, False
        """The account's day, the number of days begun, and whether it waits for one of them."""
        self._readings = EquityReadings(
            candles=candles, rules=test.rules, known=self._feed.last_known, ledger=self._ledger,
            guards=self._trader.losses.guards, limits=test.trader.limits, first=first,
        )  # fmt: skip
        self._rows = {symbol: row for row, symbol in enumerate(candles.symbols)}
        self._observe = False
        """The guards are to see the bar that comes for themselves."""
        self._is_plain = False
        """The fast path did all of the last bar: what is open is covered."""
        self._halts: dict[str, Halt] = {}
        self._uncovered: set[Symbol] = set()
        self.standing: Standing | None = None
        """How the books stood where that was asked for."""
        self._stand_at = NEVER

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
        if self._since is not None:
            self._trader.losses.guards.recall(self._since.guards)
        column, last = self._first, self._candles.bars - 1
        self._history.changed.update(self._ledger.positions)
        self._readings.changed(column + 1)
        self._look(column)
        told, step = column, max(1, (last - column) // _TELLS)
        while column < last:
            column = await self._leap_from(column)
            await self._handle(column)
            if self.standing is None and column >= self._stand_at and self._is_quiet():
                self.standing = self._stood(column)
            if progress is not None and column >= told + step:
                told = column
                progress((column - self._first) / (last - self._first))
        return self._result()

    async def _handle(self, column: int) -> None:
        """What the desk does up to this bar, at its close, and right after it."""
        at = self._feed.show(column)
        if self._uncovered:
            self._fast.hand_over()
            await self._trader.upkeep()
        self._is_plain = False
        if self._uncovered or not self._leap or self._by_trader(column):
            await self._handle_by_trader(column)
        else:
            await self._handle_fast(column, at)
        self._unseen.forget_spent(at)
        if self._halter.latch.active:
            await self._carry_out_halts(column)
        self._look(column)

    async def _handle_by_trader(self, column: int) -> None:
        self._fast.hand_over()
        self._readings.take(column)
        await self._trader.cycles.bars.handle()
        self._readings.seen(column)
        self._readings.changed(column + 1)

    async def _handle_fast(self, column: int, at: datetime) -> None:
        bars, due, fills = (
            self._trader.cycles.bars,
            self._leaps.due(column),
            self._history.fills_made,
        )
        due_now = [symbol for symbol in self._ledger.positions if symbol in due]
        before = len(fills)
        touches = partial(self._leaps.may_touch, column=column)
        if not self._fast.leave_at(at, due_now, touches=touches):
            self._fast.hand_over()
            self._readings.take(column)
            await bars.leave_at(at)
            self._readings.seen(column)
            await bars.enter_at(at)
            self._readings.changed(column + 1)
        else:
            if len(fills) > before:
                self._readings.changed(column)
            await self._show_guards(column, at, filled=len(fills) > before)
            before = len(fills)
            wishes = bool(due) or column in self._wishes
            done = not wishes or await self._fast.enter_at(at)
            self._is_plain = done and (self._fast.is_whole or not wishes)
            if not done:
                self._fast.hand_over()
                await bars.enter_at(at)
            if len(fills) > before:
                self._readings.changed(column + 1)
        self._ledger.change_account(cursor=at)

    async def _show_guards(self, column: int, at: datetime, *, filled: bool) -> None:
        """Let them see what could matter to them; the rest they take later."""
        kinds = self._unhalted()
        see = self._observe or self._unseen.counting(kinds) or column in self._days_set
        see = see or self._day_waits(column) or self._readings.is_old(column)
        see = see or ((filled or not self._safe) and self._readings.is_near(column, kinds))
        if see:
            self._readings.take(column)
            await self._trader.losses.observe(at)
            self._readings.seen(column)

    # -- as another trader could go on from it -----------------------------------------------

    def stand(self, column: int) -> None:
        """Remember how the books stand after that bar, or the first after it in which they can be
        told: nothing is under way."""
        self._stand_at = column

    def _is_quiet(self) -> bool:
        alive = self._ledger.alive.values()
        rests = all(o.role is OrderRole.PROTECT and not o.filled and self._rests(o) for o in alive)
        reached = self._uncovered or self._trader.protection.reached
        return rests and not reached and not self._halter.latch.active

    def _stood(self, column: int) -> Standing:
        self._fast.hand_over()
        self._readings.take(column + 1)
        ledger = self._ledger
        return Standing(
            column=column,
            books=Books(
                account=ledger.account,
                orders=tuple(ledger.alive.values()),
                positions=tuple((p, ledger.plans[s]) for s, p in ledger.positions.items()),
                recent_trades=tuple(ledger.trades),
            ),
            account=self._venue.standing(),
            guards=self._trader.losses.guards.memory,
            notes=dict(self._trader.universe.notes),
        )

    # -- which bar comes next ----------------------------------------------------------------

    async def _leap_from(self, column: int) -> int:
        """The next bar to handle; what lies between is accounted for."""
        self._observe = False
        if not self._leap:
            return column + 1
        kinds = self._unhalted()
        if self._unseen.counting(kinds) or self._day_waits(column):
            return column + 1
        day = self._days[bisect_right(self._days, column)]
        until = min(day, self._leaps.next(), self._candles.bars - 1)
        if self._halter.latch.active or not self._fast.is_open:
            until = min(until, self._signals[bisect_right(self._signals, column)])
        self._safe = self._readings.is_safe(kinds)
        first = self._readings.first_of_note(column, until, kinds, safe=self._safe)
        wish = await self._foregone.pass_over(column, first)
        self._observe = wish == first < until
        return wish

    def _day_waits(self, column: int) -> bool:
        """Whether the day of the bar in *column* has not begun for the guards: a price was old."""
        day, number = self._ledger.account.day, bisect_right(self._days, column)
        if self._day_known[:2] != (day, number):
            waits = day < day_of(self._feed.now(), self._test.trader.zone)
            self._day_known = day, number, waits
        return self._day_known[2]

    def _unhalted(self) -> tuple[str, ...]:
        """Guards that could still halt."""
        if not self._halter.latch.active:
            return KINDS
        standing = {halt.guard for halt in self._halter.latch.active}
        return tuple(kind for kind in KINDS if kind not in standing)

    # -- after a bar -------------------------------------------------------------------------

    async def _carry_out_halts(self, column: int) -> None:
        """What the trader does between its cycles, and an owner once a day."""
        self._fast.hand_over()
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
        if changed and not self._is_plain:
            self._note_unfinished(changed)
        if self._leap:
            self._look_ahead(column, changed | self._leaps.due(column))
        changed.clear()
        self._readings.closed(column)

    def _look_ahead(self, column: int, symbols: set[Symbol]) -> None:
        if not symbols:
            return
        for symbol in symbols:
            alive, unseen = self._ledger.alive_in(symbol), self._fast.resting(symbol)
            self._leaps.look(
                symbol, column, position=self._ledger.positions.get(symbol),
                plan=self._ledger.plans.get(symbol), orders=[*alive, *unseen],
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
        self._fast.hand_over()
        self._readings.take(self._candles.bars)
        bars, strategy = slice(self._first, None), self._test.strategy
        return Result(
            trader=self._test.trader,
            strategy=self._test.strategy.name,
            times=self._candles.times[bars] / 1000.0,
            equity=self._readings.equity[bars],
            held=self._readings.held[bars],
            holding=_holding(self._readings.marks[:, bars], float(self._test.trader.capital)),
            trades=tuple(self._history.trades_closed),
            fills=tuple(self._history.fills_made),
            orders=self._history.orders_made,
            told=self._history.sent,
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
            last_prices=dict(
                zip(self._candles.symbols, self._readings.marks[:, -1].tolist(), strict=True)
            ),
        )

    def _untold(self) -> Iterator[str]:
        strategy = self._test.strategy
        needed = bars_needed(strategy)
        yield from too_short(self._candles, needed=needed, strategy=strategy.name)
        yield from held_without_bars(self._candles, self._ledger.positions)


def _new_days(candles: Candles, zone: tzinfo, first: int) -> list[int]:
    """Columns whose bars are the first to close in a new risk day."""
    times = candles.times
    found, at = list[int](), first
    while at < len(times):
        end = int(day_end(moment(int(times[at])), zone).timestamp() * 1000)
        at = int(np.searchsorted(times, end))
        if at < len(times):
            found.append(at)
    return [*found, NEVER]


def _holding(marks: Panel, capital: float) -> Floats:
    """Equity of who buys equal parts of every symbol at the beginning, and holds, without costs."""
    bought = marks[:, 0]
    traded = np.isfinite(bought) & (bought > 0)
    if not traded.any():
        return np.full(marks.shape[1], capital)
    growth: Floats = (marks[traded] / bought[traded, np.newaxis]).mean(axis=0)
    return capital * growth
