"""A circuit breaker per family of endpoints: what keeps failing is left alone for a while.

It holds back entries and market data only.  What makes positions smaller, and what asks about
orders in doubt, is always tried.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading.clocks import Clock
from trading.errors import VenueUnavailable

FEW = 2
"""Failures in a row that are worth a word: one request is lost now and then."""


class Open(VenueUnavailable):
    """The family has failed too often; nothing was sent."""


class Breaker:
    """Opens after *failures* in a row; after *rest* seconds it is half open and lets one through.

    While that one is under way the others still rest; it closes or opens for all.
    """

    def __init__(self, *, clock: Clock, failures: int = 5, rest: float = 60.0) -> None:
        self._clock = clock
        self._limit = failures
        self._rest = rest
        self._failed: dict[str, int] = {}
        self._opened: dict[str, float] = {}
        self._tried: dict[str, float] = {}
        """Families whose trial is under way, and when they had opened."""
        self._why: dict[str, str] = {}

    def check(self, family: str) -> None:
        """Raises `Open` while *family* rests.  The first after that is the trial."""
        opened = self._opened.get(family)
        if opened is None:
            return
        if self._left(opened) > 0:
            every = f"tried again every {self._rest:.0f} s"
            raise Open(f"{self._failures(family)}, {every}")  # shown later, too: it counts nothing
        self._tried[family] = opened
        self._opened[family] = self._clock.monotonic()  # whoever comes meanwhile waits for it

    def unsent(self, family: str) -> None:
        """A request was withheld on our side: if it was the trial, the next one is."""
        opened = self._tried.pop(family, None)
        if opened is not None:
            self._opened[family] = opened

    def failed(self, family: str, why: str = "") -> None:
        self._tried.pop(family, None)
        self._why[family] = why
        self._failed[family] = self._failed.get(family, 0) + 1
        if self._failed[family] >= self._limit:
            self._opened[family] = self._clock.monotonic()

    def succeeded(self, family: str) -> None:
        for known in (self._failed, self._opened, self._tried, self._why):
            known.pop(family, None)

    @property
    def open(self) -> tuple[str, ...]:
        """The families that rest."""
        return tuple(f for f, opened in self._opened.items() if self._left(opened) > 0)

    @property
    def troubles(self) -> Mapping[str, str]:
        """The families whose last requests failed, `FEW` of them at least, each with a clause."""
        return {f: self._trouble(f, count) for f, count in self._failed.items() if count >= FEW}

    def _trouble(self, family: str, count: int) -> str:
        opened, why = self._opened.get(family), self._why.get(family, "")
        told = f"{family} failed {count} times in a row"
        if opened is not None and self._left(opened) > 0:
            told = f"{self._failures(family)}, tried again in {self._left(opened):.0f} s"
        return f"{told}: {why}" if why else told

    def _failures(self, family: str) -> str:
        return f"{family} failed {self._limit} times in a row"

    def _left(self, opened: float) -> float:
        return opened + self._rest - self._clock.monotonic()
