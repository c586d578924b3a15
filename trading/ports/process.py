"""What the process does for the core: work beside its loop, and figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Does what takes long while the event loop goes on; `asyncio.to_thread` is one."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


async def at_once(work: Callable[[], T], /) -> T:
    """A `Offload` for a world in which nobody waits, as in a backtest."""
    return work()


class Meter(Protocol):
    """Counts and timings of what the core does, by plain names: `scan`, `order`, `api_errors`."""

    def count(self, name: str, amount: float = 1.0) -> None: ...

    def time(self, name: str, seconds: float) -> None: ...


class NoMeter:
    """Measures nothing."""

    def count(self, name: str, amount: float = 1.0) -> None:
        return None

    def time(self, name: str, seconds: float) -> None:
        return None
