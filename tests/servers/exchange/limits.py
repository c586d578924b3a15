"""How often: counts in windows, as each wire has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """So many units in so many milliseconds; `name` as the wire tells it."""

    name: str
    length: int
    most: int

    def start(self, now: int) -> int:
        return now - now % self.length

    def end(self, now: int) -> int:
        return self.start(now) + self.length


class Counter:
    """Counts units by name in fixed windows.  What is refused counts as well."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[int, int]] = {}

    def add(self, name: str, window: Window, units: int, now: int) -> int:
        """How much of *window* is used, with these *units*."""
        used = self.used(name, window, now) + units
        self._used[name] = (window.start(now), used)
        return used

    def used(self, name: str, window: Window, now: int) -> int:
        start, used = self._used.get(name, (0, 0))
        return used if start == window.start(now) else 0
