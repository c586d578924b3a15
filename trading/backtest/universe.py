"""The universe of a backtest: all surveys of its candles are made at once.

In most of them every symbol is where it belongs, and nothing follows.  They are passed over; the
others are observed one after the other, as on a desk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from trading.accounts.recorder import Recorder
from trading.context.trader import TraderContext
from trading.cycle.universe import ScannedUniverse
from trading.market.candle_scan import CandleScan, DayVolumes, day_volumes, in_ms
from trading.market.candles import Candles
from trading.market.universe import MarketScan, Universe, UniversePlan
from trading.ports import Store

_NONE = -1
"""In place of a tier's number."""
_FIRST_LOOK, _GROWTH = 64, 4
_MILLISECOND = timedelta(milliseconds=1)

Numbers = NDArray[np.int32]


class ForeseenUniverse(ScannedUniverse):
    """Is at each moment what a `ScannedUniverse` is that has taken every survey until then."""

    def __init__(
        self,
        *,
        candles: Candles,
        timeframe: timedelta,
        context: TraderContext,
        plan: UniversePlan,
        store: Store,
        recorder: Recorder,
        market: Callable[[], datetime],
    ) -> None:
        super().__init__(
            scanner=CandleScan(_unasked, timeframe), context=context, plan=plan, store=store,
            recorder=recorder, market=market,
        )  # fmt: skip
        self._candles, self._timeframe = candles, timeframe
        self._taken = 0
        """How many surveys have been."""
        self._surveyed: tuple[int, MarketScan] = (-1, MarketScan(at=market(), stats={}))
        self._unlike: tuple[Universe | None, int] = (None, 0)
        """A universe, and the next survey that finds anybody elsewhere than it does."""

    async def load(self, cursor: datetime) -> None:
        await super().load(cursor)
        self._first = self._due_after(self._begin or cursor)
        last, step = int(self._candles.times[-1]), self._plan.every // _MILLISECOND
        moments = np.arange(in_ms(self._first), last + 1, step, dtype=np.int64)
        self._volumes = day_volumes(self._candles, moments, self._timeframe)
        self._met = _met(self._plan.empty, self._volumes)

    async def refresh(self, at: datetime) -> None:
        self.move_to(at)

    def move_to(self, at: datetime) -> None:
        """Take all surveys that were due until market time *at*."""
        due = min((at - self._first) // self._plan.every + 1, self._met.shape[1])
        while self._taken < due:
            quiet = min(due, self._next_move())
            if quiet > self._taken:
                self._taken = quiet
                self._at = self._begin = self._moment(quiet - 1)
            else:
                self._take(self._survey(quiet))
                self._taken += 1

    # -- inside ---------------------------------------------------------------------------

    def _newest(self) -> MarketScan | None:
        return self._survey(self._taken - 1) if self._taken else None

    def _survey(self, number: int) -> MarketScan:
        """The one of that number; the last one that was asked for stays known."""
        if number != self._surveyed[0]:
            self._surveyed = number, self._volumes.scan(number, self._moment(number))
        return self._surveyed[1]

    def _moment(self, number: int) -> datetime:
        return self._first + number * self._plan.every

    def _next_move(self) -> int:
        """The next survey that can change the universe."""
        universe = self._universe
        if universe.drifts:
            return self._taken
        known, number = self._unlike
        if known is not universe or number < self._taken:
            number = self._first_unlike(universe)
            self._unlike = universe, number
        return number

    def _first_unlike(self, universe: Universe) -> int:
        members = [universe.members.get(symbol, _NONE) for symbol in self._candles.symbols]
        own: Numbers = np.array(members, dtype=np.int32)[:, np.newaxis]
        begin, look, end = self._taken, _FIRST_LOOK, int(self._met.shape[1])
        while begin < end:
            found = (self._met[:, begin : begin + look] != own).any(axis=0)
            if found.any():
                return begin + int(found.argmax())
            begin, look = begin + look, look * _GROWTH
        return end


def _unasked(until: datetime, bars: int) -> Candles:
    raise RuntimeError("all surveys were made beforehand")


def _met(universe: Universe, days: DayVolumes) -> Numbers:
    """[symbols, moments]: number of the best tier that takes each symbol; `_NONE`: none does."""
    met: Numbers = np.full(days.volume.shape, _NONE, dtype=np.int32)
    volume = np.rint(days.volume)  # as a survey tells it; NaN is never enough
    trades = [not universe.never_trades(symbol) for symbol in days.symbols]
    for tier in reversed(universe.tiers):
        admitted = [tier.admits(symbol) for symbol in days.symbols]
        enough = days.traded & (volume >= float(math.ceil(tier.min_volume)))
        met[enough & np.logical_and(trades, admitted)[:, np.newaxis]] = tier.number
    return met
