"""The running process: its parts start in order, are kept running, and end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from chatbot import logs
from chatbot.app.schedule import Schedule
from chatbot.app.signals import EndSignals
from chatbot.app.takeover import LAST_SEEN, Takeover
from chatbot.app.tidying import Tidying
from chatbot.app.traders import KeptTrader
from chatbot.app.watching import Watching
from chatbot.delivery.outbox import Outbox
from chatbot.folder.state import StateFolder
from chatbot.logs import get_logger
from chatbot.ports import Frontend
from chatbot.settings import Settings
from chatbot.supervise import keep_running
from chatbot.watch.memory import settle
from chatbot.watch.process import JUMP_TOLD
from handlers.caller import Role
from handlers.dispatch import Dispatcher
from handlers.message import CommandLine, Message, read
from handlers.reply import Outcome, Reply
from storage.store import SqlStore
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import Clock
from trading.cycle.opening import Start
from trading.desk import Desk
from trading.errors import StoreError, VenueError
from trading.events import ClockJumped
from trading.ports import Change, WritePriority
from trading.safety.halting import Halter
from trading.trader import Trader

log = logging.getLogger(__name__)
steps = get_logger(__name__)

ALIVE_EVERY = 10.0
"""Seconds between two notes that the process lives: how long it was down is told at the start."""
LAST_CYCLE = 0.5
"""Seconds that a cycle under way has to end before entries are cancelled."""
FAREWELL = 0.5
"""Seconds that the last alerts have to reach their chats."""
VENUE_RETRY = 2.0
CANDLE_SETTLES = timedelta(seconds=1)
"""After its close an exchange may still count trades into a candle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    settings: Settings
    folder: StateFolder
    clock: Clock
    store: SqlStore
    bus: Bus
    recorder: Recorder
    outbox: Outbox
    halter: Halter
    takeover: Takeover
    desk: Desk
    dispatcher: Dispatcher
    frontends: tuple[Frontend, ...]
    schedule: Schedule
    ending: asyncio.Event
    closing: tuple[Callable[[], Awaitable[None]], ...]
    watching: Watching
    kept: dict[str, KeptTrader]
    """Each trader's keeper, from the start on."""

    async def run(
        self, *, began: float, for_seconds: float | None, signals: EndSignals | None = None
    ) -> int:
        """Start in order: halts, then faces, then books, then cycles.  End in reverse.

        From the faces on *signals* end it as `/shutdown` does; None: it hears none.
        """
        await self.takeover.take_over()
        await self.watching.notices.load()
        if signals is not None:
            signals.obeyed_by(self._on_signal())
        tasks = [
            self._keep("bus", self.bus.run),
            self._keep("outbox", self.outbox.run),
            self._keep("recorder", self.recorder.run),
            self._keep("stop requests", self.takeover.watch_requests),
            *(self._keep(f.name, partial(f.run, self._on_message)) for f in self.frontends),
            self._keep("alive", self._stay_alive),
            self._keep("tidying", self._tidying().run),
            *(self._keep(name, job) for name, job in self.watching.jobs()),
        ]
        if for_seconds is not None:
            tasks.append(self._keep("time limit", lambda: self._end_after(for_seconds)))
        start = await self._start_facts(began)
        tasks += [self._keep_trading(trader, start) for trader in self.desk.traders.values()]
        self.schedule.start()
        await self.ending.wait()
        await self._end(tasks)
        return 0

    @asynccontextmanager
    async def without_faces(self, began: float) -> AsyncIterator[Start]:
        """Ready to load traders: halts taken over, stop requests heard.  Ends as a run does."""
        await self.takeover.take_over()
        tasks = [
            self._keep("recorder", self.recorder.run),
            self._keep("stop requests", self.takeover.watch_requests),
        ]
        try:
            yield await self._start_facts(began)
        finally:
            self.desk.shutdown(by="scan --once")
            await self._end(tasks, farewell=0)

    async def _trade(self, trader: Trader, start: Start) -> None:
        """Load, compare with the venue for as long as that takes, then trade."""
        if not trader.ready:
            await trader.load()
            async with trader.obeying():
                while not await self._started(trader, start):
                    await self.clock.sleep(VENUE_RETRY)
                await asyncio.to_thread(trader.prepare)
            settle()  # before the first cycle, so that no stop has to wait for it later
            steps.info(
                "all that the trader needs is loaded", trader=trader.name, **{logs.TOLD: True}
            )
            self._cycle_on_time(trader)
            self.schedule.every(
                self.settings.schedule.reconcile_every,
                f"{trader.name}: reconcile",
                trader.reconcile,
            )
        summing = asyncio.create_task(self._sum_history(trader))
        try:
            await trader.run()
        finally:
            summing.cancel()

    async def _sum_history(self, trader: Trader) -> None:
        """Read the past now, so that nobody's first /stats waits for it."""
        with suppress(StoreError):
            await self.store.day_book(trader.name, trader.settings.zone)

    def _cycle_on_time(self, trader: Trader) -> None:
        """A live candle is read a moment after its close, a replay's whenever one is due."""
        live = trader.feed.speed is None
        after = CANDLE_SETTLES if live else None
        self.schedule.every(trader.settings.cycle_every, trader.name, trader.cycle, after=after)

    async def _started(self, trader: Trader, start: Start) -> bool:
        try:
            await asyncio.gather(self._warmed_up(trader), trader.start(start))
        except VenueError:
            return False  # the trader has said why
        return True

    async def _warmed_up(self, trader: Trader) -> None:
        """Have prices when the books are compared; without them that goes on, and says so later."""
        if trader.feed.speed is None:
            with suppress(VenueError):
                await trader.feed.closes(trader.feed.first_cursor)

    def _keep_trading(self, trader: Trader, start: Start) -> asyncio.Task[None]:
        kept = self.kept[trader.name] = KeptTrader(
            trader,
            live=partial(self._trade, trader, start),
            halter=self.halter,
            recorder=self.recorder,
            clock=self.clock,
            meter=self.watching.metrics.of(trader.name),
        )
        return self._keep(trader.name, kept.run)

    async def _on_message(self, message: Message) -> Reply:
        line = message.line or read(self.dispatcher.commands, message.text)
        reply = await self.dispatcher.handle(replace(message, line=line))
        if _is_act(line, message.caller.role, reply):
            self.watching.notices.acted(message.caller.chat, by=message.caller.signature)
        return reply

    # -- beginning and end --------------------------------------------------------------

    async def _start_facts(self, began: float) -> Start:
        seen = await self.store.note(LAST_SEEN)
        clean = await self.store.note("clean_exit") == "yes"
        now = self.clock.now()
        down_for = None if seen is None else now - datetime.fromisoformat(seen)
        await self._note(("clean_exit", "no"), (LAST_SEEN, now.isoformat()))
        if down_for is not None and down_for.total_seconds() < -JUMP_TOLD:
            await self.recorder.say(ClockJumped(at=now, by=down_for))
        return Start(
            took=timedelta(seconds=self.clock.monotonic() - began), down_for=down_for, clean=clean
        )

    async def _stay_alive(self) -> None:
        while True:
            await self.clock.beat(ALIVE_EVERY)
            await self._note((LAST_SEEN, self.clock.now().isoformat()))

    async def _note(self, *notes: tuple[str, str]) -> None:
        await self.recorder.keep(Change(notes=notes), WritePriority.REST)

    def _tidying(self) -> Tidying:
        return Tidying(store=self.store, clock=self.clock, metrics=self.watching.metrics)

    async def _end_after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.desk.shutdown(by="the time limit")
        await asyncio.Event().wait()  # until the end cancels us

    def _on_signal(self) -> Callable[[str], None]:
        loop = asyncio.get_running_loop()

        def hear(name: str) -> None:
            with suppress(RuntimeError):  # the loop is closed: it has ended
                loop.call_soon_threadsafe(partial(self.desk.shutdown, by=name))

        return hear

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(
            keep_running(name, work, self.clock), name=name
        )

    async def _end(self, tasks: list[asyncio.Task[None]], *, farewell: float = FAREWELL) -> None:
        await self.schedule.stop(within=LAST_CYCLE)
        await self.desk.close_down()
        await self.recorder.retry()
        with suppress(StoreError):
            await self.store.commit(
                Change(notes=(("clean_exit", "yes"), (LAST_SEEN, self.clock.now().isoformat())))
            )
        rescued = await self.watching.history.last_copy()
        await self.watching.sum_up(self.folder.path)
        await self.outbox.drain(farewell)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.halter.settle()
        self._tell_what_is_lost(rescued)
        for close in self.closing:
            await close()

    def _tell_what_is_lost(self, rescued: str) -> None:
        """The last that anybody hears, on stderr and perhaps in the log."""
        if rescued:
            log.error("the history is lost; all of it is in %s", self.folder.path / rescued)
            return
        for halt in self.halter.unsaved():
            log.error("%s could be saved nowhere: the next start is NOT halted", halt.id)
        if self.recorder.unsaved:
            log.error(
                "%d changes could not be saved; the next start asks the venue what has happened",
                self.recorder.unsaved,
            )


def _is_act(line: CommandLine, role: Role, reply: Reply) -> bool:
    """Whoever acts has seen what was told there; only to look, or to be refused, is no act."""
    return line.acts and role >= Role.OPERATOR and reply.outcome in (Outcome.DONE, Outcome.CONFIRM)
