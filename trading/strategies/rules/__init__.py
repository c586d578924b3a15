"""The rules desk: what a trigger proposes, and how convinced of it one may be.

`regime` (what kind of market), `triggers` (what has just happened), and here what follows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.market.indicators import volatility
from trading.market.structure.panels import Mask
from trading.strategies.base import Signals, Tunable
from trading.strategies.rules.regime import (
    KINDS,
    MULTIPLIERS,
    REACH,
    Regime,
    RegimeReadings,
    regimes,
)
from trading.strategies.rules.triggers import (
    BREAKOUT,
    MOMENTUM,
    NAMES,
    PRICE_MOVE,
    REVERSAL,
    VOLUME_SPIKE,
    Triggers,
    triggers,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    stop: float
    """Below the entry: 0.06 is 6 %."""
    target: float
    hold: int
    """Hours, at most."""
    size: float
    """Times the usual size."""


DIP = "dip"
RULES: Mapping[str, Rule] = {
    PRICE_MOVE: Rule(stop=0.06, target=0.12, hold=48, size=1.0),
    VOLUME_SPIKE: Rule(stop=0.08, target=0.15, hold=72, size=1.0),
    BREAKOUT: Rule(stop=0.06, target=0.20, hold=120, size=1.2),
    REVERSAL: Rule(stop=0.12, target=0.25, hold=48, size=0.8),
    MOMENTUM: Rule(stop=0.08, target=0.15, hold=72, size=1.0),
    DIP: Rule(stop=0.10, target=0.20, hold=24, size=0.7),
}
_WORDS = (*NAMES, DIP)
_NUMBER_OF_DIP = len(NAMES)
_MOVE, _BULL = NAMES.index(PRICE_MOVE), KINDS.index(Regime.BULL)

STRENGTH, CONFIDENCE = 0.5, 0.3
AGREEING, WITH_BULL = 0.10, 0.05
"""Boosts: another trigger of the same direction; a bull market."""
_CHECKS = 4
_LEAST_SIZE = 0.25
_PER_CENT = 100


class Rules:
    """Buy what the strongest of five triggers and its rule propose, in markets that allow it.

    For spot: there are only longs.  Of each symbol the strongest trigger counts, rises and falls
    alike: where that is a fall, nothing is bought, except, with *dips*, a sharp price move
    downwards in a bull market by the rule `dip`, which says so.  Confidence is the share of four
    checks that agree: volume above its mean, a close in the upper half of the bar, a rise in 60
    minutes, a rise in 24 hours.  Conviction is 0.5 strength + 0.3 confidence + boosts (0.10 for a
    second trigger upwards, 0.05 in a bull market), at most 1; from *conviction* on there is a wish,
    with a score of a hundred times as much.

    Stop, target, time limit and size come from the rule; the size is also multiplied by the
    regime's 1.2/0.8/0.5 (bull, chop, bear), by *calm* / volatility of the last 24 hours (for a
    year; between 0.25 and 1), and by (1 + conviction) / 2.  In a crash, and where the regime is
    unknown, there is no wish.

    *bar_minutes* is the length of the candles: 5, 15, 30, 60, ...; the move in 15 minutes needs
    bars that short.  *leader* is the coin that tells the regime; it must be among the symbols.
    Raises `ValueError` for settings that make no sense, and for candles of another length.
    """

    name = "rules"

    def __init__(
        self,
        *,
        bar_minutes: int = 60,
        conviction: Annotated[Decimal | float, Tunable(0.20, 0.90, step=0.05)] = 0.30,
        leader: str = "BTC",
        dips: Annotated[bool, Tunable(0, 1)] = True,
        calm: Annotated[Decimal | float, Tunable(0.30, 1.50, step=0.10)] = 0.60,
    ) -> None:
        if not isinstance(bar_minutes, int) or isinstance(bar_minutes, bool):
            raise ValueError(f"bar_minutes is {bar_minutes!r}; it must be a whole number")  # noqa: TRY004  # as for every setting
        if bar_minutes < 1 or 60 % bar_minutes:
            raise ValueError(f"bar_minutes is {bar_minutes}; it must be a divisor of 60")
        _refuse_odd_sizes(conviction=conviction, calm=calm)
        if not isinstance(leader, str) or not leader.isalnum():
            raise ValueError(f"leader is {leader!r}; it must be the name of a coin, such as BTC")
        if not isinstance(dips, bool):
            raise ValueError(f"dips is {dips!r}; it must be true or false")  # noqa: TRY004  # as for every setting
        self._bar = bar_minutes
        self._least = float(conviction)
        self._leader = leader.upper()
        self._dips = dips
        self._calm = float(calm)
        self.warmup = REACH * (60 // bar_minutes)

    def signals(self, candles: Candles) -> Signals:
        self._refuse_other_bars(candles)
        readings = self.regimes(candles)
        found = triggers(candles, readings, bar_minutes=self._bar)
        weighed = self._weighed(candles, found, readings)
        close = np.where(weighed.wish, candles.close, np.nan)
        return Signals(
            score=np.where(weighed.wish, _PER_CENT * weighed.conviction, 0.0),
            stop=close * (1 - weighed.rule("stop")),
            target=close * (1 + weighed.rule("target")),
            size=np.where(weighed.wish, self._size(candles, weighed, readings), np.nan),
            hold=np.where(weighed.wish, weighed.rule("hold"), np.nan),
            triggered=weighed.strength != 0,
            why=lambda row, column: _told(weighed, found, readings, row, column),
        )

    def explain(self, candles: Candles, row: int, column: int) -> str:
        leading = [n for n, symbol in enumerate(candles.symbols) if symbol.base == self._leader]
        part = candles.rows([row, *leading[:1]]).upto(column + 1).last(self.warmup)
        why = self.signals(part).why
        return why(0, part.bars - 1) if why and part.bars else ""

    def regimes(self, candles: Candles) -> RegimeReadings:
        """What kind of market it was at each bar, and what that was read from."""
        return regimes(candles, leader=self._leader)

    def regime_names(self, candles: Candles) -> Sequence[str]:
        """What kind of market it was at each bar, in a word."""
        return self.regimes(candles).names

    # -- inside -----------------------------------------------------------------------------------

    def _refuse_other_bars(self, candles: Candles) -> None:
        steps = np.diff(candles.times)
        a_day = 24 * 60 // self._bar  # few bars may lie around a hole
        if steps.size >= a_day and steps.min() != self._bar * 60_000:
            minutes = steps.min() / 60_000
            raise ValueError(f"rules expects bars of {self._bar} minutes, not of {minutes:g}")

    def _weighed(self, candles: Candles, found: Triggers, readings: RegimeReadings) -> _Weighed:
        number = np.argmax(np.abs(found.strengths), axis=0)
        strength = np.take_along_axis(found.strengths, number[np.newaxis], axis=0)[0]
        bull = np.broadcast_to(readings.kind == _BULL, strength.shape)
        dip = (strength < 0) & (found.strengths[_MOVE] < 0) & bull & self._dips
        strength = np.where(dip, found.strengths[_MOVE], strength)
        agreeing = np.sum(found.strengths > 0, axis=0) > np.where(dip, 0, 1)
        confidence = _agreeing(candles, found)
        conviction = np.minimum(
            1.0,
            STRENGTH * np.abs(strength)
            + CONFIDENCE * confidence
            + AGREEING * agreeing
            + WITH_BULL * bull,
        )
        allowed = readings.chosen(MULTIPLIERS) > 0
        wish = ((strength > 0) | dip) & (conviction >= self._least) & allowed
        return _Weighed(
            number=np.where(dip, _NUMBER_OF_DIP, number),
            strength=strength,
            confidence=confidence,
            conviction=conviction,
            wish=wish & np.isfinite(candles.close),
        )

    def _size(self, candles: Candles, weighed: _Weighed, readings: RegimeReadings) -> Panel:
        a_day = 24 * 60 // self._bar
        year = _whole_day(candles.close, a_day) * math.sqrt(365 * a_day)
        with np.errstate(divide="ignore", invalid="ignore"):
            calm = np.clip(self._calm / year, _LEAST_SIZE, 1.0)
        calm = np.where(np.isnan(calm), _LEAST_SIZE, calm)
        sure = (1 + weighed.conviction) / 2
        return np.asarray(weighed.rule("size") * readings.chosen(MULTIPLIERS) * calm * sure)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """Panels of shape [symbols, bars]."""

    number: NDArray[np.int64]
    """Of the trigger, or of the dip, in `_WORDS`."""
    strength: Panel
    confidence: Panel
    conviction: Panel
    wish: Mask

    def rule(self, what: str) -> Panel:
        values = np.array([float(getattr(RULES[word], what)) for word in _WORDS])
        return np.asarray(values[self.number])


def _agreeing(candles: Candles, found: Triggers) -> Panel:
    """The share of the checks that speak for a rise."""
    upper = candles.close > (candles.high + candles.low) / 2
    checks = (found.volume > 1, upper, found.hour > 0, found.day > 0)
    return np.asarray(np.sum(checks, axis=0) / _CHECKS)


def _whole_day(close: Panel, a_day: int) -> Panel:
    """`volatility` of days without a hole; NaN for others, whose returns would span it."""
    found = volatility(close, a_day)
    held = np.cumsum(np.isfinite(close), axis=1)
    before = np.zeros_like(held)
    before[:, a_day + 1 :] = held[:, : max(0, held.shape[1] - a_day - 1)]
    return np.where(held - before == a_day + 1, found, np.nan)


def _told(
    weighed: _Weighed, found: Triggers, readings: RegimeReadings, row: int, column: int
) -> str:
    if not weighed.wish[row, column]:
        return ""
    return (
        f"{_WORDS[weighed.number[row, column]]}, {found.hour[row, column]:+.1%} in 60 min and "
        f"{found.day[row, column]:+.1%} in 24 h, conviction {weighed.conviction[row, column]:.2f} "
        f"(strength {abs(weighed.strength[row, column]):.2f}, "
        f"confidence {weighed.confidence[row, column]:.2f}), {readings.at(column).regime} market"
    )


def _refuse_odd_sizes(**sizes: Decimal | float) -> None:
    for what, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | float | Decimal):
            raise ValueError(f"{what} is {size!r}; it must be a number")  # noqa: TRY004  # as for every setting
        if not 0 < float(size) < float("inf"):
            raise ValueError(f"{what} is {size}; it must be above 0")
