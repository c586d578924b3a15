"""Keep a chat platform running without letting its failures reach trading."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from trading.clocks import Clock
from trading.common.tasks import EndedEarly, look_at

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0
"""Seconds between a failure and the next try; doubled each time."""


OnFailure = Callable[[str, Exception], None]
"""Hears the name and the error of each failure."""


async def keep_running(
    name: str,
    run: Callable[[], Awaitable[None]],
    clock: Clock,
    on_failure: OnFailure | None = None,
) -> None:
    """Run *run* until cancelled, again and again; whatever it raises stays here.

    Returning is a failure too: a frontend serves until it is cancelled.
    """
    delay = FIRST_DELAY
    while True:
        began = clock.monotonic()
        error = await failure_of(run)
        if clock.monotonic() - began > LONGEST_DELAY:
            delay = FIRST_DELAY  # it had recovered: this is news
        log.error("%s failed, again in %g s", name, delay, exc_info=error)
        _tell(on_failure, name, error)
        await clock.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)


async def failure_of(run: Callable[[], Awaitable[None]]) -> Exception:
    """Run *run*, which should never end; return how it did.  Cancelling goes through.

    In a task of its own: a task group whose task fails as it is cancelled forgets that it was.
    """
    task = asyncio.ensure_future(_awaited(run))
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        look_at(task)
        raise
    if task.cancelled():
        return EndedEarly("it cancelled itself")
    error = task.exception()
    if error is None:
        return EndedEarly("it returned")
    if isinstance(error, Exception):
        return error
    raise error


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _tell(on_failure: OnFailure | None, name: str, error: Exception) -> None:
    if on_failure is None:
        return
    try:
        on_failure(name, error)
    except Exception:
        log.exception("the failure of %s could not be told", name)
