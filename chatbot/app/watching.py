"""All that watches, put together from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from chatbot.app.traders import KeptTrader
from chatbot.delivery.notices import DeskNotices
from chatbot.delivery.outbox import Outbox
from chatbot.settings import Settings
from chatbot.watch import metrics as figures
from chatbot.watch.chats import ChatWatch
from chatbot.watch.health import ChatHealthWatch
from chatbot.watch.history import HistoryWatch
from chatbot.watch.memory import MemoryWatch
from chatbot.watch.metrics import Metrics
from chatbot.watch.ping import Ping
from chatbot.watch.process import ClockWatch, Heartbeat, LagWatch
from chatbot.watch.rules import RuleWatch
from chatbot.watch.turns import Turns
from handlers.reply import Level
from storage.store import SqlStore
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.desk import Desk

Job = tuple[str, Callable[[], Awaitable[None]]]


class Watching:
    """The watchers of one process; the app keeps each of them running."""

    def __init__(
        self,
        *,
        settings: Settings,
        desk: Desk,
        traders: Mapping[str, KeptTrader],
        outbox: Outbox,
        notices: DeskNotices,
        chats: ChatWatch,
        recorder: Recorder,
        store: SqlStore,
        folder: Path,
        metrics: Metrics,
        clock: Clock,
        turns: Turns,
        on_jump: Callable[[], None],
    ) -> None:
        """*turns*: of the loop that runs it.  *on_jump* hears when the wall clock was set."""
        self.metrics = metrics
        self.notices = notices
        self._chats = chats
        self._clock = clock
        self._outbox = outbox
        alerts = settings.alerts
        self._lag = LagWatch(busy=turns.longest, clock=clock, recorder=recorder, metrics=metrics)
        self._wall = ClockWatch(clock=clock, recorder=recorder, on_jump=on_jump)
        self._memory = MemoryWatch(clock=clock)
        self.history = HistoryWatch(store=store, recorder=recorder, folder=folder, clock=clock)
        self.ping = Ping(url=alerts.ping_url, clock=clock)
        self._heartbeat = Heartbeat(
            at=alerts.heartbeat,
            zone=settings.bot.zone,
            clock=clock,
            recorder=recorder,
            metrics=metrics,
        )
        self.health = ChatHealthWatch(
            desk=desk,
            outbox=outbox,
            recorder=recorder,
            metrics=metrics,
            clock=clock,
            loop_lag=self._lag.worst,
            crashed=lambda: [name for name, kept in traders.items() if not kept.ok],
            ping_ok=lambda: self.ping.ok,
        )
        self._rules = RuleWatch(
            rules=[rule.build() for rule in alerts.rules],
            read=self.health.read,
            brakes=desk,
            recorder=recorder,
            store=store,
            clock=clock,
        )

    def jobs(self) -> Iterator[Job]:
        """What is to be kept running, by name."""
        yield "loop lag", self._lag.run
        yield "clock", self._wall.run
        yield "chats", self._chats.run
        yield "alert rules", self._rules.run
        yield "unanswered alerts", self.notices.run
        yield "heartbeat", self._heartbeat.run
        yield "ping", self.ping.run
        yield "memory", self._memory.run
        yield "history", self.history.run

    def use(self, settings: Settings) -> None:
        """Go by the alerts of *settings* from now on."""
        alerts = settings.alerts
        self._rules.use([rule.build() for rule in alerts.rules])
        self._outbox.use(alerts.quiet_hours(settings.bot.zone))
        self._heartbeat.use(alerts.heartbeat)
        self.ping.url = alerts.ping_url
        self.notices.use(alerts.escalate_after, {"console:": Level[alerts.console.upper()]})

    async def sum_up(self, folder: Path) -> None:
        """At the end: write the figures."""
        self.health.read()
        summary = self.metrics.summary(self._clock.now())
        await asyncio.to_thread(figures.write, folder / figures.FILE, summary)
