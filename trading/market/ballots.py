"""The latest quotes of several sources, judged, and what is told of them.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading.common.words import percent, plain
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.market.vote import NOBODY, Judgement, Voting
from trading.types import ONE, Quote, Symbol


@dataclass(frozen=True, kw_only=True)
class Ballots:
    """Of each of *symbols* what every source quotes now, in the order of the sources."""

    names: tuple[str, ...]
    """Of the sources."""
    voting: Voting
    symbols: tuple[Symbol, ...]
    quotes: tuple[Sequence[Quote | None], ...]
    """One entry for each symbol."""
    behind: timedelta
    """By so much a quote may be older than the newest of its symbol and still count."""
    vouched: NDArray[np.bool_]
    """Who is believed alone, of shape [sources, symbols]."""

    @cached_property
    def verdict(self) -> Judgement:
        """One case for each symbol."""
        prices = np.array([self._fresh(quotes) for quotes in self.quotes], dtype=np.float64)
        by_source = prices.reshape(len(self.symbols), len(self.names)).T
        return self.voting.judge(by_source[:, np.newaxis]).alone_only(self.vouched)

    def believed(self, case: int = 0) -> Quote | None:
        """The quote that counts; None where nobody is believed."""
        chosen = int(self.verdict.chosen[case])
        return None if chosen == NOBODY else self.quotes[case][chosen]

    def objection(self, own: int, case: int = 0) -> str:
        """Why nothing may be entered where source number *own* trades; empty: it may."""
        verdict = self.verdict
        if verdict.differ[case]:
            return f"its sources differ: {self._told(case)}"
        if not verdict.enough[case]:
            return self._too_few(case)
        if verdict.there[own, case] and not verdict.believed[own, case]:
            return f"{self.names[own]}, where it is traded, stands alone: {self._told(case)}"
        return ""

    def doubts(self) -> list[PriceDoubt]:
        verdict = self.verdict
        found = [
            self._accusation(source)
            for source in np.flatnonzero(verdict.accused.any(axis=1)).tolist()
        ]
        differ = np.flatnonzero(verdict.differ)
        if differ.size:
            why = f"of {self.symbols[differ[0]]}: {self._told(differ[0])}"
            found.append(PriceDoubt(kind=DoubtKind.DIFFER, symbols=self._named(differ), why=why))
        few = np.flatnonzero(~verdict.enough & ~verdict.differ)
        if few.size:
            why = self._too_few(few[0])
            found.append(PriceDoubt(kind=DoubtKind.FEW, symbols=self._named(few), why=why))
        return found

    def _accusation(self, source: int) -> PriceDoubt:
        cases = np.flatnonzero(self.verdict.accused[source])
        return PriceDoubt(
            kind=DoubtKind.ACCUSED,
            source=self.names[source],
            symbols=self._named(cases),
            why=self._against(source, cases[0]),
        )

    def _against(self, source: int, case: int) -> str:
        """As in `of BTC/USDT: 101.5, 1.50 % above binance, bybit`."""
        its, other = self.quotes[case][source], self.believed(case)
        if its is None or other is None:
            return ""
        share = its.price / other.price - ONE
        where = "above" if share > 0 else "below"
        by = self._listed(self.verdict.believed[:, case])
        return f"of {its.symbol}: {_shown(its)}, {percent(abs(share))} {where} {by}"

    def _too_few(self, case: int) -> str:
        there = self.verdict.there[:, case]
        if there.sum() == 1 and self.verdict.chosen[case] == NOBODY:
            return (
                f"there is only {self._listed(there)}, not believed alone: with others it was "
                "last not believed"
            )
        needed = f"{self.voting.least} sources of its price are needed"
        if there.sum() >= self.voting.least:
            return f"{needed} that agree, and fewer do: {self._told(case)}"
        return f"{needed}, and there is {'only ' if there.any() else ''}{self._listed(there)}"

    def _told(self, case: int) -> str:
        """As in `binance 100.2, bybit 101.5`."""
        said = zip(self.names, self.quotes[case], self.verdict.there[:, case], strict=True)
        return ", ".join(
            f"{name} {_shown(quote)}" for name, quote, there in said if quote and there
        )

    def _listed(self, whether: NDArray[np.bool_]) -> str:
        return ", ".join(self.names[n] for n in np.flatnonzero(whether)) or "none"

    def _named(self, cases: NDArray[np.intp]) -> tuple[Symbol, ...]:
        return tuple(self.symbols[case] for case in cases)

    def _fresh(self, quotes: Sequence[Quote | None]) -> list[float]:
        newest = max((quote.at for quote in quotes if quote is not None), default=None)
        if newest is None:
            return [float("nan")] * len(quotes)
        since = newest - self.behind
        return [
            float("nan") if quote is None or quote.at < since else float(quote.price)
            for quote in quotes
        ]


def _shown(quote: Quote) -> str:
    """Without the zeros that an exchange writes behind."""
    return plain(quote.price.normalize())
