"""Scan for breaks of market structure that momentum and the longer trend confirm."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from trading.common.precedence import PRECEDENCE
from trading.market.candles import Candles, Panel
from trading.market.structure.blocks import formed_blocks
from trading.market.structure.gaps import formed_gaps
from trading.market.structure.liquidity import liquidity
from trading.market.structure.panels import Flags, Mask, shifted, taken
from trading.market.structure.swings import swings
from trading.market.windows import ema, longer_closes, recent, wilder
from trading.strategies.base import ExitWishes, Signals, Tunable

STRUCTURE, NEUTRAL, MACD, GAP, SIDE, ZONE = 40, 20, 20, 20, 10, 10
"""Points of confidence; the most that one direction can have is 100."""
REWARDS = ((90, 2.0), (80, 1.5), (0, 1.0))
"""From this confidence on, so many times the risk."""

_SWING = 5
_AGE = 50
"""Bars after which a swing, a break or a zone counts no more."""
_ZONE_AGE = 100
_EXTREME = 50
_FADED = 4
"""Averages look back on so many of their lengths: what lies before would weigh 0.03 %."""
_LEAST = 200
"""Bars that a symbol must have within the window: all that the structure can depend on."""
_NEAR = _LEAST + _ZONE_AGE
"""Columns that hold all that a last column can depend on, but for the longer trend."""
_AT_ONCE = 2**16  # elements of a panel: what is computed together stays near the processor

Points = NDArray[np.int8]


class Smc:
    """Trade breaks of market structure in the direction of the longer trend.

    Confidence in a direction, 0..100, is the sum of: structure 40 (the latest close at least
    *distance* beyond the previous swing, in the last 50 bars; 20 where there is none), MACD
    12/26/9 above its signal 20, EMA 9 above EMA 21 up to 20 (in full from *full_gap* ATR apart), a
    close above EMA 9 10, and 10 where the bar came back into a standing order block or fair value
    gap and closed within or above it, or swept a 50-bar low.  For shorts all is mirrored.

    There is a wish from *threshold* on, where the last closed bar of *higher* bars lies on the
    same side of its EMA *trend*.  The stop lies *stop_atr* ATR 14 away; the target *target_atr*,
    or with *reward_by_confidence* 1.0/1.5/2.0 times the risk from a confidence of 0/80/90.  A
    wish for the other side closes, and so does a fall of confidence by more than *drop*.

    Everything depends on the last `warmup` columns only, to the bit.  Bars that are missing there
    are left out; with less than 200 of them there is no wish.  Raises `ValueError` for settings
    that make no sense.
    """

    name = "smc"

    def __init__(
        self,
        *,
        threshold: Annotated[int, Tunable(55, 95, step=5)] = 70,
        distance: Annotated[Decimal | float, Tunable(0.001, 0.01, step=0.001)] = 0.003,
        higher: int = 4,
        trend: Annotated[int, Tunable(50, 200, step=25)] = 200,
        stop_atr: Annotated[Decimal | float, Tunable(1.0, 6.0, step=0.5)] = 2.0,
        target_atr: Annotated[Decimal | float, Tunable(1.5, 12.0, step=0.5)] = 3.0,
        reward_by_confidence: bool = False,
        full_gap: Decimal | float = 0.5,
        drop: Annotated[int, Tunable(10, 60, step=10)] = 20,
        short: bool = True,
    ) -> None:
        _refuse_odd_bars(higher=(higher, 1, 1_000), trend=(trend, 2, 1_000))
        _refuse_odd_bars(threshold=(threshold, 1, 100), drop=(drop, 1, 100))
        _refuse_odd_sizes(stop_atr=stop_atr, target_atr=target_atr, full_gap=full_gap)
        _refuse_odd_sizes(distance=distance)
        _refuse_odd_switches(reward_by_confidence=reward_by_confidence, short=short)
        self._threshold = threshold
        self._distance = float(distance)
        self._higher = higher
        self._trend = trend
        self._stop = float(stop_atr)
        self._target = float(target_atr)
        self._by_confidence = reward_by_confidence
        self._full_gap = float(full_gap)
        self._drop = drop
        self._short = short
        self.warmup = max((trend + 1) * higher, _NEAR)

    def signals(self, candles: Candles) -> Signals:
        return self._signals(candles, candles.bars)

    def last(self, candles: Candles) -> Signals:
        """The last column of `signals`, from the newest 300 columns and the longer trend."""
        shown = min(_NEAR, candles.bars)
        return self._signals(candles, shown).at(shown - 1)

    def explain(self, candles: Candles, row: int, column: int) -> str:
        found = self.signals(candles.rows([row]).upto(column + 1).last(self.warmup))
        return found.why(0, -1) if found.why and found.score.size else ""

    # -- inside -----------------------------------------------------------------------------------

    def _signals(self, candles: Candles, shown: int) -> Signals:
        """Of the last *shown* columns, of which the last at least looks back far enough."""
        shape = (len(candles.symbols), shown)
        score, stop, target, long, short = (np.full(shape, np.nan) for _ in range(5))
        score[:] = 0.0
        seen = _Points.nothing(shape)
        for rows in _blocks_of_rows(*shape):
            PRECEDENCE.give_way()
            part = candles.rows(range(shape[0])[rows])
            found = self._seen(part, part if _has_holes(part) else part.last(shown)).last(shown)
            self._place(part.last(shown), found, score[rows], stop[rows], target[rows])
            long[rows], short[rows] = found.long, found.short
            seen.take(rows, found.points)
        return Signals(
            score=score,
            stop=stop,
            target=target,
            exits=ExitWishes(long=long, short=short, drop=float(self._drop)),
            why=lambda row, column: seen.told(row, column, float(score[row, column])),
        )

    def _seen(self, candles: Candles, near: Candles) -> _Analysis:
        """Of the columns of *near*, the newest of *candles*."""
        points, atr = self._points(near)
        shown = slice(candles.bars - near.bars, None)
        known = np.isfinite(atr) & _enough(candles.close, self.warmup)[:, shown]
        return _Analysis(
            points=points,
            long=np.where(known, points.total(1), np.nan),
            short=np.where(known, points.total(-1), np.nan),
            trend=self._trend_of(candles)[:, shown],
            atr=atr,
        )

    def _points(self, candles: Candles) -> tuple[_Points, Panel]:
        close = candles.close
        fast, slow = _ema(close, 9), _ema(close, 21)
        line = _ema(close, 12) - _ema(close, 26)
        atr = wilder(_true_range(candles), 14, columns=14 * _FADED * 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.where(atr > 0, (fast - slow) / (self._full_gap * atr), np.nan)
            histogram = line - _ema(line, 9)
        atr = np.where(np.isfinite(gap) & np.isfinite(histogram), atr, np.nan)
        below, above = _zones(candles)
        points = _Points(
            structure=_structure(candles, self._distance),
            macd=_sign(histogram),
            gap=np.rint(GAP * np.clip(np.nan_to_num(gap), -1, 1)).astype(np.int8),
            side=_sign(close - fast),
            below=below,
            above=above,
        )
        return points, atr

    def _trend_of(self, candles: Candles) -> Flags:
        """1: the last longer bar closed above its EMA; -1: below; 0: unknown."""
        if candles.bars < 2:  # noqa: PLR2004  # one bar alone does not say how long it is
            return np.zeros(candles.close.shape, dtype=np.int8)
        span = int(np.diff(candles.times).min()) * self._higher
        closes, known = longer_closes(candles.close, candles.times, span=span)
        sides = _sign(closes - ema(closes, self._trend, columns=self._trend))
        return taken(sides, np.broadcast_to(known, candles.close.shape), 0)

    def _place(
        self, candles: Candles, found: _Analysis, score: Panel, stop: Panel, target: Panel
    ) -> None:
        with np.errstate(invalid="ignore"):
            buy = (found.long >= self._threshold) & (found.trend > 0)
            sell = (found.short >= self._threshold) & (found.trend < 0) & self._short
        for sign, wish, confidence in ((1, buy, found.long), (-1, sell, found.short)):
            close, risk = candles.close[wish], self._stop * found.atr[wish]
            score[wish] = sign * confidence[wish]
            stop[wish] = close - sign * risk
            target[wish] = close + sign * self._reward(confidence[wish], risk)

    def _reward(self, confidence: Panel, risk: Panel) -> Panel:
        if not self._by_confidence:
            return np.asarray(risk * (self._target / self._stop))
        steps = [confidence >= least for least, _ in REWARDS]
        return np.asarray(risk * np.select(steps, [times for _, times in REWARDS]))


# -- points ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Points:
    """What confidence is made of, [symbols, bars]: directions, but `gap` in points."""

    structure: Points
    macd: Points
    gap: Points
    side: Points
    below: Mask
    above: Mask

    @staticmethod
    def nothing(shape: tuple[int, ...]) -> _Points:
        structure, macd, gap, side = (np.zeros(shape, dtype=np.int8) for _ in range(4))
        below, above = (np.zeros(shape, dtype=np.bool_) for _ in range(2))
        return _Points(structure, macd, gap, side, below, above)

    def of_columns(self, columns: slice) -> _Points:
        return _Points(*(getattr(self, name)[:, columns] for name in self.__slots__))

    def take(self, rows: slice, part: _Points) -> None:
        for name in self.__slots__:
            getattr(self, name)[rows] = getattr(part, name)

    def of(self, sign: int) -> dict[str, Points]:
        """Points for one direction, by name."""
        zone = self.below if sign > 0 else self.above
        agrees, neutral = self.structure == sign, self.structure == 0
        return {
            "structure": (STRUCTURE * agrees + NEUTRAL * neutral).astype(np.int8),
            "MACD": (MACD * (self.macd == sign)).astype(np.int8),
            "EMA gap": np.maximum(self.gap * np.int8(sign), 0),
            "EMA 9": (SIDE * (self.side == sign)).astype(np.int8),
            "zone": (ZONE * zone).astype(np.int8),
        }

    def total(self, sign: int) -> Points:
        return np.asarray(sum(self.of(sign).values()), dtype=np.int8)

    def told(self, row: int, column: int, score: float) -> str:
        if not score:
            return ""
        here = (getattr(self, name).item(row, column) for name in self.__slots__)
        return _told(*here, score=score)


@lru_cache(maxsize=4096)  # there are some hundred sums, and a backtest asks thousands of times
def _told(*points: int, score: float) -> str:
    """What the *points* of one place, in the order of their names, add up to."""
    here = _Points(*map(np.asarray, points))
    parts = [f"{name} {part}" for name, part in here.of(1 if score > 0 else -1).items() if part]
    return f"{'long' if score > 0 else 'short'} {abs(score):.0f}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Analysis:
    points: _Points
    long: Panel
    short: Panel
    trend: Flags
    atr: Panel

    def last(self, columns: int) -> _Analysis:
        shown = slice(max(0, self.atr.shape[1] - columns), None)
        return _Analysis(
            points=self.points.of_columns(shown),
            long=self.long[:, shown],
            short=self.short[:, shown],
            trend=self.trend[:, shown],
            atr=self.atr[:, shown],
        )


def _structure(candles: Candles, distance: float) -> Points:
    """Direction of the latest break in the last 50 bars; 0: there was none."""
    turns = swings(candles, length=_SWING)
    up = _broken(candles.close, turns.turn > 0, turns.price, distance)
    down = _broken(-candles.close, turns.turn < 0, -turns.price, distance)
    broke = up.astype(np.int8) - down.astype(np.int8)
    return taken(broke, recent(broke != 0, _AGE), 0)


def _broken(close: Panel, turned: Mask, price: Panel, distance: float) -> Mask:
    """The first close at least *distance* beyond the previous swing, while that is recent."""
    known = recent(turned, _AGE)
    level = taken(price, known)
    with np.errstate(invalid="ignore"):
        beyond = close >= level + distance * np.abs(level)
    times = np.cumsum(beyond, axis=1, dtype=np.int32)
    return np.asarray(beyond & (times - taken(times - beyond, known, 0) == 1))


def _zones(candles: Candles) -> tuple[Mask, Mask]:
    """Where a bar is in a zone below the price (good for longs), and above (for shorts)."""
    low, high, close = candles.low, candles.high, candles.close
    sweep = liquidity(candles, length=_EXTREME).sweep
    below, above = sweep > 0, sweep < 0
    for zones in (formed_blocks(candles), formed_gaps(candles)):
        top, bottom = _newest(zones.sign > 0, zones.top, zones.bottom, low)
        below |= (low <= top) & (close >= bottom)
        bottom, top = _newest(zones.sign < 0, -zones.bottom, -zones.top, -high)
        above |= (-high <= bottom) & (-close >= top)
    return below, above


def _newest(formed: Mask, top: Panel, bottom: Panel, low: Panel) -> tuple[Panel, Panel]:
    """Top and bottom of the newest zone below, if no low had touched it until the bar before.

    An older one that still stands lies further away, and how old it is has no bound.
    """
    latest = recent(formed, _ZONE_AGE)
    top, bottom = taken(top, latest), taken(bottom, latest)
    touches = np.cumsum(low <= top, axis=1, dtype=np.int32)
    top[touches > taken(touches, latest, 0)] = np.nan
    return shifted(top, 1), shifted(bottom, 1)


# -- tools ----------------------------------------------------------------------------------------


def _ema(panel: Panel, length: int) -> Panel:
    return ema(panel, length, columns=_FADED * length)


def _true_range(candles: Candles) -> Panel:
    """Of the bar and the close before; of the bar alone where that is missing."""
    before = shifted(candles.close, 1)
    return np.asarray(np.fmax(candles.high, before) - np.fmin(candles.low, before)) + 0 * (
        candles.high + candles.low
    )


def _sign(panel: Panel) -> Points:
    return np.sign(np.nan_to_num(panel)).astype(np.int8)


def _enough(close: Panel, window: int) -> Mask:
    """Where the symbol has a bar, and at least 200 in the *window* columns up to it."""
    held = np.isfinite(close)
    count = np.cumsum(held, axis=1, dtype=np.int32)
    return np.asarray(held & (count - shifted(count, window, 0) >= _LEAST))


def _has_holes(candles: Candles) -> bool:
    """Whether a symbol lacks so many of the newest bars that older ones count in their place."""
    held = np.isfinite(candles.close)
    near = np.count_nonzero(held[:, -_NEAR:], axis=1)
    return bool(((near < _LEAST) & (np.count_nonzero(held, axis=1) > near)).any())


def _blocks_of_rows(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _AT_ONCE // max(1, columns))
    begins = [*range(0, rows, step), rows]
    return (slice(begin, end) for begin, end in itertools.pairwise(begins))


def _refuse_odd_bars(**bars: tuple[int, int, int]) -> None:
    for what, (value, least, most) in bars.items():
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"{what} is {value!r}; it must be a whole number, {least} to {most}")


def _refuse_odd_sizes(**sizes: Decimal | float) -> None:
    for what, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | float | Decimal):
            raise ValueError(f"{what} is {size!r}; it must be a number")  # noqa: TRY004  # as for every setting
        if not 0 < float(size) < float("inf"):
            raise ValueError(f"{what} is {size}; it must be above 0")


def _refuse_odd_switches(**switches: bool) -> None:
    for what, value in switches.items():
        if not isinstance(value, bool):
            raise ValueError(f"{what} is {value!r}; it must be true or false")  # noqa: TRY004  # as for every setting
