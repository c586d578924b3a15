"""How long the event loop was busy: from when it wakes until it waits again is one turn.

Whoever speaks meanwhile waits for the rest of the turn.  Measured where the loop waits, so that
nobody has to be woken for it, and none is missed.
"""

from __future__ import annotations

import asyncio
from selectors import DefaultSelector, SelectorKey
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading.clocks import Clock


class Turns:
    """The turns of the one loop that it has made; of any other it knows nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._longest = 0.0

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_Timed(self._clock.monotonic, self._note))

    def longest(self) -> float:
        """Seconds of the longest turn since this was last asked."""
        longest, self._longest = self._longest, 0.0
        return longest

    def _note(self, seconds: float) -> None:
        self._longest = max(self._longest, seconds)


class _Timed(DefaultSelector):
    def __init__(self, monotonic: Callable[[], float], note: Callable[[float], None]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._note = note
        self._woken = monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        waits = self._monotonic()
        self._note(waits - self._woken)
        ready = super().select(timeout)
        self._woken = self._monotonic()
        if timeout is not None:
            self._note(self._woken - waits - timeout)  # the whole process was held up
        return ready
