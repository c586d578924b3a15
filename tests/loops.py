"""Loops whose time does not depend on how busy the machine is.

A timeout of a tenth of a second is one, too, where nobody gave this process the processor for a
second; and where everything happens in the loop itself, none need be waited out.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
Found = list[tuple[selectors.SelectorKey, int]]

AT_ONCE = 0.01
"""Seconds that pass at most while nobody waits: whatever takes longer was held up."""


class _Steady(selectors.DefaultSelector):
    """Counts what is waited.  Where something came, nobody's patience ends with it."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self._seen = time.monotonic()

    def select(self, timeout: float | None = None) -> Found:
        began = time.monotonic()
        self.passed += min(began - self._seen, AT_ONCE)
        found = super().select(timeout)
        self._seen = time.monotonic()
        if timeout is None:
            self.passed += self._seen - began
        else:
            most = timeout / 2 if found else timeout + AT_ONCE
            self.passed += max(0.0, min(self._seen - began, most))
        return found


class SteadyLoop(asyncio.SelectorEventLoop):
    """A loop that waits for threads and sockets, and counts no time in which it was held up."""

    def __init__(self) -> None:
        self._steady = _Steady()
        super().__init__(self._steady)

    def time(self) -> float:
        return self._steady.passed


class _Skipping(selectors.SelectSelector):
    """Waits for nothing but threads, and keeps count of how long it would have."""

    passed = 0.0
    in_threads = 0
    each_round: Callable[[], None] = staticmethod(lambda: None)

    def select(self, timeout: float | None = None) -> Found:
        if self.in_threads:
            began = time.monotonic()
            found = super().select(timeout)
            self.passed += time.monotonic() - began
            return found
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self.each_round()
        self.passed += max(0.0, timeout)
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose timeouts come at once when nothing else can happen: each run is the same.

    It sees its own tasks and what they hand to its threads.  What comes over a socket or from a
    thread of somebody else's comes too late for it: a test of such wants `real_time`.
    """

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.passed

    def each_round(self, hear: Callable[[], None]) -> None:
        """*hear* is called whenever every task stands at an await; it may stop the loop."""
        self._skipping.each_round = hear

    def run_in_executor(  # type: ignore[override]  # it is handed on as it came
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done = super().run_in_executor(executor, func, *args)
        self._skipping.in_threads += 1
        done.add_done_callback(self._has_answered)
        return done

    async def shutdown_default_executor(self, *bound: Any) -> None:
        self._skipping.in_threads += 1  # one more waits for all the others
        await super().shutdown_default_executor(*bound)
        self._skipping.in_threads -= 1

    def _has_answered(self, _: object) -> None:
        self._skipping.in_threads -= 1


def tell(story: Coroutine[Any, Any, T]) -> T:
    """What comes of it, on a loop of its own."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(story)


Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]
STEADY: Loops = {"steady": SteadyLoop}
SKIPPING: Loops = {"skipping": SkippingLoop}


def for_worlds_in_memory(item: pytest.Item) -> Loops:
    return STEADY if item.get_closest_marker("real_time") else SKIPPING
