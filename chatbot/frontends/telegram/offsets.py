"""From which number on updates are asked for next: what lies below is confirmed, and gone.

Moved too far, it would silence everybody for good.  So one number that stands alone, far above
all others, moves nothing until Telegram has named it again and again.
https://core.telegram.org/bots/api#getupdates
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

STRIDE = 1_000_000
"""Updates are numbered one after the other; no desk misses so many at once."""
INSISTING = 5
"""Polls in a row in which nothing but far numbers came, until they are believed."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Where the polls stand; frozen."""

    next: int = 0
    """0: nothing is known, and Telegram begins with the oldest."""
    doubted: int = 0
    """Polls in a row that brought nothing but far numbers."""

    def after(self, numbers: Collection[int]) -> Offset:
        """Once these, all above 0, have been taken in."""
        if not numbers:
            return replace(self, doubted=0)
        near = [each for each in numbers if each < (self.next or min(numbers)) + STRIDE]
        if near:  # below where we stand: they are numbered anew
            return Offset(max(near) + 1)
        if self.doubted + 1 >= INSISTING:
            return Offset(max(numbers) + 1)
        return replace(self, doubted=self.doubted + 1)
