"""A circuit breaker per family of endpoints: what keeps failing is left alone for a while.

It holds back entries and market data only.  What makes positions smaller, and what asks about
orders in doubt, is always tried.
"""

from __future__ import annotations

from trading.clocks import Clock
from trading.errors import VenueUnavailable


class Open(VenueUnavailable):
    """The family has failed too often; nothing was sent."""


class Breaker:
    """Opens after *failures* in a row, and lets one request through after *rest* seconds."""

    def __init__(self, *, clock: Clock, failures: int = 5, rest: float = 60.0) -> None:
        self._clock = clock
        self._limit = failures
        self._rest = rest
        self._failed: dict[str, int] = {}
        self._opened: dict[str, float] = {}

    def check(self, family: str) -> None:
        """Raises `Open` while *family* rests.  The first after that is the trial."""
        opened = self._opened.get(family)
        if opened is None:
            return
        left = opened + self._rest - self._clock.monotonic()
        if left > 0:
            raise Open(f"{family} failed {self._limit} times in a row, tried again in {left:.0f} s")
        self._opened[family] = self._clock.monotonic()  # whoever comes meanwhile waits for it

    def failed(self, family: str) -> None:
        self._failed[family] = self._failed.get(family, 0) + 1
        if self._failed[family] >= self._limit:
            self._opened[family] = self._clock.monotonic()

    def succeeded(self, family: str) -> None:
        self._failed.pop(family, None)
        self._opened.pop(family, None)

    @property
    def open(self) -> tuple[str, ...]:
        """The families that rest."""
        now = self._clock.monotonic()
        return tuple(f for f, at in self._opened.items() if at + self._rest > now)
