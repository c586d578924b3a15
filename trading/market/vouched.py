"""Whom of several sources is believed when it is left alone.  Pure but for what it remembers.

That the others fall silent proves nobody right.  So it counts how a source stood when it was last
together with another: who was not believed then is not believed alone either, until it is together
with another again.  The source whose market takes the orders is believed at first, the others once
they have agreed with somebody: so a restart makes nobody credible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trading.market.vote import TOGETHER, Judgement
from trading.types import Symbol


class Vouched:
    """Of each symbol, which sources are believed alone."""

    def __init__(self, *, count: int, own: int) -> None:
        """*count* sources, of which number *own* is where the orders go."""
        self._at_first = np.arange(count) == own
        self._known: dict[Symbol, NDArray[np.bool_]] = {}

    def of(self, symbols: Sequence[Symbol]) -> NDArray[np.bool_]:
        """Of shape [sources, symbols]."""
        known = [self._known.get(symbol, self._at_first) for symbol in symbols]
        return np.array(known, dtype=np.bool_).reshape(len(known), self._at_first.size).T

    def hear(self, symbols: Sequence[Symbol], verdict: Judgement) -> None:
        """Note how each stood, where several said something of one of *symbols*."""
        known = self.of(symbols)
        together = verdict.there & (verdict.there.sum(axis=0) >= TOGETHER)
        now = np.where(together, verdict.believed, known)
        for case in np.flatnonzero((now != known).any(axis=0)).tolist():
            self._known[symbols[case]] = now[:, case].copy()
