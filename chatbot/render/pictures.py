"""Charts as pictures, drawn by another process: the event loop never waits, nothing heavy is here.

The process is started at the first chart and ended after some idle minutes, so that a desk whose
people look at no charts pays nothing.  It is a plain child that reads from a pipe: it inherits no
socket, no log and no secret, and when the desk dies, the pipe ends and so does the child.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from chatbot.ports import NoPicture
from handlers.chart import Chart, chart_to_dict
from trading.clocks import Clock

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "chatbot.render.drawing")
WAITING = 16
"""Charts asked for at one time; more are refused, so that nobody waits for minutes."""
LARGEST = 8_000_000
"""Bytes of an answer: beyond any picture, so that a broken length takes no memory."""
_ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")

Process = asyncio.subprocess.Process
Theme = Literal["light", "dark"]


class PictureProcess:
    """`Pictures` in a process of their own, one after the other.

    *folder* holds matplotlib's cache of fonts, *within* is seconds for one picture with the start
    of the process, *idle* seconds after which the process is ended.
    """

    def __init__(
        self,
        *,
        theme: Theme,
        folder: Path,
        clock: Clock,
        within: float = 30.0,
        idle: float = 300.0,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._theme = theme
        self._folder = folder
        self._clock = clock
        self._within = within
        self._idle = idle
        self._command = command
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._resting: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[bytes]] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of the process that draws; None while there is none."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def draw(self, chart: Chart) -> bytes:
        """Return a PNG for the width of a phone.  Raises `NoPicture`.

        Who no longer waits may go away: what is being drawn for them is finished and thrown away.
        """
        if self._closed:
            raise NoPicture("the desk is ending")
        if len(self._work) >= WAITING:
            raise NoPicture("too many pictures are asked for")
        task = asyncio.create_task(self._in_turn(chart))
        self._work.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            asked = asyncio.current_task()
            if task.cancelled() and not (asked and asked.cancelling()):
                raise NoPicture("the desk is ending") from None
            raise

    async def close(self) -> None:
        """End the process; whoever still waits for a picture gets none."""
        self._closed = True
        tasks = [*self._work, *([self._resting] if self._resting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end()

    def _done(self, task: asyncio.Task[bytes]) -> None:
        self._work.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    # -- one picture ----------------------------------------------------------------------

    async def _in_turn(self, chart: Chart) -> bytes:
        async with self._turn:
            if self._resting:
                self._resting.cancel()
            whole = False
            try:
                async with asyncio.timeout(self._within):
                    answer = await self._answer(_request(chart, self._theme))
                whole = True
            except TimeoutError:
                raise NoPicture(f"no picture in {self._within:g} s") from None
            finally:
                if not whole:  # what it would answer now belongs to nobody
                    await self._kill()
                if not self._closed:
                    self._resting = asyncio.create_task(self._rest())
        if answer[:1] != b"\x01":
            log.warning("a chart could not be drawn: %s", answer[1:].decode(errors="replace"))
            raise NoPicture("the chart could not be drawn")
        return answer[1:]

    async def _answer(self, request: bytes) -> bytes:
        """From the process there is, or else from a new one: it may have died while it rested."""
        reason: Exception | None = None
        for _ in range(2):
            try:
                return await self._exchange(await self._running(), request)
            except (OSError, EOFError, ValueError) as error:
                reason = error
                await self._kill()
        log.warning("the process that draws charts does not run: %s", reason)
        raise NoPicture("the process that draws does not run") from reason

    async def _exchange(self, process: Process, request: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a process without pipes")
        process.stdin.write(len(request).to_bytes(4, "big") + request)
        await process.stdin.drain()
        size = int.from_bytes(await process.stdout.readexactly(4), "big")
        if not 0 < size <= LARGEST:
            raise ValueError(f"an answer of {size} bytes")
        return await process.stdout.readexactly(size)

    # -- the process ----------------------------------------------------------------------

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=self._folder,
                env=_environment(self._folder),
                start_new_session=True,  # Ctrl-C is for the desk
            )
        return self._process

    async def _rest(self) -> None:
        await self._clock.sleep(self._idle)
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        """Let it go by itself, or make it."""
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await process.wait()
        await self._kill()

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _request(chart: Chart, theme: Theme) -> bytes:
    return json.dumps({"theme": theme, "chart": chart_to_dict(chart)}).encode()


def _environment(folder: Path) -> Mapping[str, str]:
    """What it needs and no more: tokens and passwords stay here."""
    ours = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return ours | alone | {"PYTHONPATH": path, "MPLCONFIGDIR": str(folder), "HOME": str(folder)}
