"""An event loop for a world in which nothing ever waits.

A backtest drives the same coroutines as a desk does, but its venue and its history answer at once.
So there are no sockets to look at and no time to pass: what is ready runs, in its order, and a
task that ends without waiting has ended before anybody hears that it began.  A timeout never
comes; if everybody waits for somebody else, that is an error.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class _Ended(asyncio.Future[Any]):
    """A task that ended at once."""

    _log_destroy_pending = True  # `gather` writes it


class _Going:
    """A coroutine that has begun already, and waits for what it has yielded."""

    def __init__(self, work: Coroutine[Any, Any, Any], waited_for: object) -> None:
        self._work = work
        self._waited_for = waited_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waited_for = self._waited_for
        while True:
            try:
                heard = yield waited_for
            except BaseException as error:  # noqa: BLE001  # handed on, whatever it is
                step: Callable[[], Any] = _thrown(self._work, error)
            else:
                step = _sent(self._work, heard)
            try:
                waited_for = step()
            except StopIteration as stop:
                return stop.value


def _sent(work: Coroutine[Any, Any, Any], value: object) -> Callable[[], Any]:
    return lambda: work.send(value)


def _thrown(work: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


async def _gone_on(going: _Going) -> Any:
    return await going


class _Never(asyncio.TimerHandle):
    """A timeout: it is set and cancelled, and never comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(0.0, _nothing, (), loop)

    def cancel(self) -> None:
        return None


def _nothing() -> None:
    return None


_AnyLoop: Any = asyncio.AbstractEventLoop


class InstantLoop(_AnyLoop):  # type: ignore[misc]  # most of a loop is about sockets and signals
    """What asyncio needs of a loop to run tasks, futures, locks and timeouts; no more."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._never = _Never(self)
        self._running = False
        self._failure: BaseException | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* to its end.

        Raises what it raises, and `RuntimeError` when it waits for what cannot come.
        """
        before = events._get_running_loop()  # noqa: SLF001  # a backtest may be run within a loop
        events._set_running_loop(self)  # noqa: SLF001  # as every loop does
        self._running = True
        try:
            task = asyncio.Task(work, loop=self)
            while not task.done():
                if not self._ready:
                    raise RuntimeError("everybody waits for somebody else")
                self._ready.popleft()._run()  # noqa: SLF001  # as every loop does
            return task.result()
        finally:
            self._running = False
            events._set_running_loop(before)  # noqa: SLF001  # as above

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._never

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._never

    def time(self) -> float:
        return 0.0

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: object = None, context: Context | None = None
    ) -> asyncio.Future[T]:
        """Run *coro* as far as it goes without waiting."""
        ended: asyncio.Future[T] = _Ended(loop=self)
        try:
            waited_for = coro.send(None)
        except StopIteration as stop:
            ended.set_result(stop.value)
            return ended
        except Exception as error:  # noqa: BLE001  # told by whoever awaits it, as of a task
            ended.set_exception(error)
            return ended
        return asyncio.Task(_gone_on(_Going(coro, waited_for)), loop=self)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Whoever was to hear of it is gone; what matters is raised to those who wait."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        return None
