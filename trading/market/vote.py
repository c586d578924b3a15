"""What several sources say of one market, and whom of them is believed.  Pure.

Each source has a weight.  Two of them agree while their prices lie no further than a share apart.
Believed is who agrees with more than half of the weight that is there, itself included, and with
somebody else if anybody else is there: its own weight alone convinces nobody.  Accused is who
agrees with nobody of a believed group, so by two others at least; where nobody is believed, nobody
is accused.  What counts is always a price that somebody quoted, the heaviest believed source's;
never a mean of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.types import Symbol

NOBODY = -1
TOGETHER = 2
"""How many make a group: one may lie, and one cannot accuse."""
_PANELS = ("open", "high", "low", "close", "volume")
_PRICES = 4
"""The first panels; volumes differ from market to market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """Weights of the sources in their order; *far* as a share of the price."""

    weights: tuple[int, ...]
    far: float
    least: int
    """Sources that must agree before anything is entered."""

    def judge(self, prices: NDArray[np.float64]) -> Judgement:
        """Judge *prices* [sources, prices, cases]: all that one source says of a case, or NaN."""
        there = np.logical_and.reduce(np.isfinite(prices) & (prices > 0), axis=1)
        near = self._near(prices, there)
        weights = np.array(self.weights, dtype=np.int64)
        backing = np.einsum("j,ijn->in", weights, near)
        company = near.sum(axis=1)
        all_there = there.sum(axis=0)
        convincing = 2 * backing > weights @ there.astype(np.int64)
        believed = there & convincing & (company >= np.minimum(all_there, TOGETHER))
        chosen = np.where(believed, weights[:, np.newaxis], 0).argmax(axis=0)
        chosen[~believed.any(axis=0)] = NOBODY
        agreeing = np.where(
            chosen == NOBODY, 0, np.take_along_axis(company, chosen[np.newaxis], axis=0)[0]
        )
        return Judgement(
            there=there,
            believed=believed,
            accused=_accused(near, there, believed),
            chosen=chosen,
            enough=agreeing >= self.least,
        )

    def _near(self, prices: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Who agrees with whom [sources, sources, cases], in every price."""
        count, _, cases = prices.shape
        near = np.zeros((count, count, cases), dtype=np.bool_)
        for one in range(count):
            near[one, one] = there[one]
        for one, other in combinations(range(count), 2):
            low = np.minimum(prices[one], prices[other])
            high = np.maximum(prices[one], prices[other])
            agree = (high <= low * (1 + self.far)).all(axis=0) & there[one] & there[other]
            near[one, other] = near[other, one] = agree
        return near


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Of each case; the first three are of shape [sources, cases]."""

    there: NDArray[np.bool_]
    """Who said anything usable."""
    believed: NDArray[np.bool_]
    accused: NDArray[np.bool_]
    chosen: NDArray[np.int64]
    """Whose price counts, by number; `NOBODY` where no one is believed."""
    enough: NDArray[np.bool_]
    """Whether as many agree with it as are needed to enter."""

    @property
    def differ(self) -> NDArray[np.bool_]:
        """Where several said something and nobody is believed."""
        return np.asarray((self.there.sum(axis=0) > 1) & (self.chosen == NOBODY))

    def alone_only(self, vouched: NDArray[np.bool_]) -> Judgement:
        """The same where a source that is alone is believed only if it is one of *vouched*."""
        alone = self.there.sum(axis=0) == 1
        believed = self.believed & (vouched | ~alone)
        nobody = ~believed.any(axis=0)
        return replace(
            self,
            believed=believed,
            chosen=np.where(nobody, NOBODY, self.chosen),
            enough=self.enough & ~nobody,
        )


def _accused(
    near: NDArray[np.bool_], there: NDArray[np.bool_], believed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    accused = np.zeros_like(there)
    for judge in range(len(there)):
        group = near[judge]
        speaks = believed[judge] & (group.sum(axis=0) >= TOGETHER)
        for one in range(len(there)):
            a_stranger = there[one] & ~(near[one] & group).any(axis=0)
            accused[one] |= speaks & a_stranger
    return accused


# -- candles ------------------------------------------------------------------------------


def voted(sources: Sequence[Candles], symbols: Sequence[Symbol], voting: Voting) -> Candles:
    """The bars that are agreed upon, of *symbols*, up to the newest of any source.

    All four prices of a bar must be near.  A bar that too few have, or that nobody is believed
    about, is missing.  Each bar is judged by itself: what came before or after changes nothing.
    Its volume is that of the source whose prices it has.
    """
    times = _times(sources)
    said = np.full((len(sources), len(_PANELS), len(symbols), times.size), np.nan)
    for number, candles in enumerate(sources):
        _enter(said[number], candles, symbols, times)
    cases = said[:, :_PRICES].reshape(len(sources), _PRICES, -1)
    verdict = voting.judge(cases)
    taken = np.where(verdict.enough, verdict.chosen, NOBODY).reshape(len(symbols), times.size)
    panels = np.full((len(_PANELS), *taken.shape), np.nan)
    for number in range(len(sources)):
        np.copyto(panels, said[number], where=taken == number)
    opened, high, low, close, volume = panels
    return Candles(
        symbols=tuple(symbols), times=times, open=opened, high=high, low=low, close=close,
        volume=volume,
    )  # fmt: skip


def _times(sources: Sequence[Candles]) -> NDArray[np.int64]:
    first = sources[0].times
    if all(np.array_equal(first, each.times) for each in sources[1:]):
        return first
    return np.unique(np.concatenate([each.times for each in sources]))


def _enter(
    into: NDArray[np.float64],
    candles: Candles,
    symbols: Sequence[Symbol],
    times: NDArray[np.int64],
) -> None:
    """Write what *candles* have of *symbols* at *times*, which hold all of theirs."""
    columns = np.searchsorted(times, candles.times)
    known = [(row, its) for row, s in enumerate(symbols) if (its := candles.row(s)) is not None]
    if not known or not columns.size:
        return
    rows, theirs = (np.array(each, dtype=np.intp) for each in zip(*known, strict=True))
    for n, name in enumerate(_PANELS):
        panel: Panel = getattr(candles, name)
        into[n][np.ix_(rows, columns)] = panel[theirs]
