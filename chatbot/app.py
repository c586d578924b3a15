"""The composition root: the one place where concrete parts meet, start in order, and end."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog

from chatbot import logs
from chatbot.administration import ProcessAdministration
from chatbot.frontends import Frontend
from chatbot.frontends.console import Console
from chatbot.frontends.control import ControlSocket
from chatbot.metrics import Metrics
from chatbot.notices import DeskNotices
from chatbot.outbox import Outbox, Subscriber
from chatbot.parts import exit_rules_of, feed_of, strategy_of, venue_of
from chatbot.render.plain import plain
from chatbot.schedule import Schedule
from chatbot.settings import Settings
from chatbot.settings import Trader as TraderSection
from chatbot.state import StateFolder
from chatbot.supervise import keep_running
from chatbot.tidying import Tidying
from chatbot.traders import KeptTrader
from chatbot.watch import JUMP_TOLD
from chatbot.watching import Watching
from handlers import alerts, load_commands
from handlers.confirm import Confirmations
from handlers.context import Caller, Message, Person, Role, Services
from handlers.describe import describe_with_name
from handlers.dispatch import Dispatcher, split
from handlers.reply import Level, Outcome, Reply
from storage import backup, latch
from storage.journal import FileJournal
from storage.store import SqlStore
from trading.bus import Bus
from trading.clocks import Clock, SystemClock
from trading.desk import Desk
from trading.desk_limits import DeskRisk
from trading.errors import StoreError, VenueError
from trading.events import ClockJumped, CycleEnded, Event, OrderSent
from trading.execution.orders import OrderIds, Patience
from trading.halt import EVERYONE, Halt, Latch, Verb
from trading.halting import Halter
from trading.ports import Change, Lane, Meter, Venue
from trading.recorder import Recorder
from trading.strategies import settings_in_use
from trading.trader import Start, Trader, TraderSettings
from trading.types import Order, Trade

log = logging.getLogger(__name__)
facts = structlog.stdlib.get_logger("facts")

HISTORY = "history.db"
REQUEST_EVERY = 1.0
"""Seconds between two looks for a stop that was asked for through the latch file."""
ALIVE_EVERY = 10.0
"""Seconds between two notes that the process lives: how long it was down is told at the start."""
LAST_CYCLE = 0.5
"""Seconds that a cycle under way has to end before entries are cancelled."""
FAREWELL = 0.5
"""Seconds that the last alerts have to reach their chats."""
VENUE_RETRY = 2.0
_UNTOLD = ("at", "origin", "halt", "trades")
"""Fields of events that the log has already, or that would fill it."""


async def run(settings: Settings, folder: StateFolder, *, for_seconds: float | None) -> int:
    """Run the desk in *folder* until somebody ends it.  Returns the exit code of the process."""
    clock = SystemClock()
    began = clock.monotonic()
    async with history(folder.path, clock) as store:
        app = await build(settings, folder, store, clock)
        return await app.run(began=began, for_seconds=for_seconds)


@asynccontextmanager
async def history(folder: Path, clock: Clock) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(folder / HISTORY, clock=clock)
    try:
        yield store
    finally:
        await store.close()


# -- building -----------------------------------------------------------------------------

Line = Callable[[str, Venue], Venue]


def direct(trader: str, venue: Venue) -> Venue:
    """Nothing stands between."""
    return venue


async def build(
    settings: Settings, folder: StateFolder, store: SqlStore, clock: Clock, *, line: Line = direct
) -> App:
    """Put everything together.  *line* stands between each trader, by its name, and its venue."""
    metrics = Metrics()
    ending = asyncio.Event()
    patience = Patience()
    commands = load_commands()
    confirmations = Confirmations(clock=clock)
    owner = _console_caller()
    console = Console(
        caller=owner,
        desk_name=settings.bot.name,
        clock=clock,
        commands=lambda: [f"/{name}" for name in commands],
        symbols=lambda: sorted({s.base for t in settings.traders.values() for s in t.symbols}),
        on_interrupt=lambda: app.desk.shutdown(by="Ctrl-C"),
        history=folder.path / "console_history",
    )
    notices = DeskNotices(
        store=store,
        clock=clock,
        outbox=lambda: outbox,
        recorder=lambda: recorder,
        price=lambda name, symbol: traders[name].valuer.quote(symbol),
        escalate_after=settings.alerts.escalate_after,
    )
    outbox = Outbox(
        store=store,
        speakers={console.name: console},
        subscribers=_subscribers(settings),
        clock=clock,
        describe=describe_with_name if len(settings.traders) > 1 else alerts.describe,
        fold=alerts.fold,
        quiet_hours=settings.alerts.quiet_hours(settings.bot.zone),
        followers=notices,
        meter=metrics,
    )
    bus = Bus()
    bus.subscribe(outbox.heard)
    bus.subscribe(_log_event)
    bus.subscribe(notices.heard)
    recorder = Recorder(
        store=store, bus=bus, clock=clock, announce=outbox.announce, offer=outbox.offer,
        meter=metrics,
    )  # fmt: skip
    kept = latch.SlotLatch(latch.path_in(folder.path))
    enabled = {name: t for name, t in settings.traders.items() if t.enabled}
    halter = Halter(
        latch=Latch(),
        recorder=recorder,
        latch_file=kept,
        clock=clock,
        modes={name: t.mode for name, t in enabled.items()},
    )
    tag = await _desk_tag(store)
    journals = [FileJournal(folder.path / "intents.journal")]
    traders: dict[str, Trader] = {}
    keepers: dict[str, KeptTrader] = {}
    desk_risk = DeskRisk(settings.limits.build(), lambda: tuple(traders.values()))
    for name, section in enabled.items():
        journals.append(FileJournal(folder.path / f"paper-{name}.journal"))
        traders[name] = _trader(
            settings, name, section,
            clock=clock, store=store, recorder=recorder, halter=halter, patience=patience,
            journal=journals[0], book=journals[-1], ids=OrderIds(tag, secrets.token_hex),
            desk_risk=desk_risk, line=line, meter=metrics.of(name),
        )  # fmt: skip
    desk = Desk(
        traders=traders,
        halter=halter,
        recorder=recorder,
        clock=clock,
        patience=patience,
        end=ending.set,
    )
    services = Services(
        name=settings.bot.name,
        version=version("quarterdeck"),
        desk=desk,
        store=store,
        clock=clock,
        commands=commands,
        confirmations=confirmations,
        administration=ProcessAdministration(
            settings=settings,
            folder=folder,
            history=folder.path / HISTORY,
            recorder=recorder,
            clock=clock,
            people=(_local_owner(owner),),
            chats=dict,
            apply=lambda fresh: _apply(fresh, traders, desk_risk, app.watching),
        ),
        notices=notices,
    )
    control = ControlSocket(folder.socket, lambda reply: plain(reply, now=clock.now()), clock)
    app = App(
        settings=settings,
        folder=folder,
        clock=clock,
        store=store,
        bus=bus,
        recorder=recorder,
        outbox=outbox,
        halter=halter,
        latch_file=kept,
        desk=desk,
        dispatcher=Dispatcher(services),
        frontends=(control, *((console,) if settings.chat.console.enabled else ())),
        schedule=Schedule(misfire_grace=settings.schedule.misfire_grace),
        ending=ending,
        closing=(kept.close, *(journal.close for journal in journals)),
        kept=keepers,
        watching=Watching(
            settings=settings,
            desk=desk,
            traders=keepers,
            outbox=outbox,
            notices=notices,
            recorder=recorder,
            store=store,
            metrics=metrics,
            clock=clock,
        ),
    )
    return app


def _trader(
    settings: Settings,
    name: str,
    section: TraderSection,
    *,
    clock: Clock,
    store: SqlStore,
    recorder: Recorder,
    halter: Halter,
    patience: Patience,
    journal: FileJournal,
    book: FileJournal,
    ids: OrderIds,
    desk_risk: DeskRisk,
    line: Line,
    meter: Meter,
) -> Trader:
    feed = feed_of(settings, name, clock)
    speed = feed.speed
    return Trader(
        settings=TraderSettings(
            name=name,
            mode=section.mode,
            symbols=section.symbols,
            timeframe=section.bar,
            capital=section.capital,
            limits=section.limits.build(),
            exit_rules=exit_rules_of(section),
            zone=settings.bot.zone,
            drawdown_alert=settings.alerts.drawdown,
            cycle_every=section.bar / speed,
            replay_speed=speed,
            parameters=settings_in_use(section.strategy, section.parameters),
        ),
        strategy=strategy_of(settings, name),
        feed=feed,
        venue=line(name, venue_of(settings, section, feed, book)),
        store=store,
        recorder=recorder,
        halter=halter,
        journal=journal,
        clock=clock,
        ids=ids,
        patience=patience,
        desk_risk=desk_risk,
        meter=meter,
    )


def _apply(
    fresh: Settings, traders: Mapping[str, Trader], desk_risk: DeskRisk, watching: Watching
) -> None:
    """Go by the limits, exits and thresholds of *fresh*; nothing else can change while trading."""
    desk_risk.limits = fresh.limits.build()
    desk_risk.restart()
    watching.use(fresh)
    for name, trader in traders.items():
        section = fresh.traders[name]
        trader.use(
            replace(
                trader.settings,
                limits=section.limits.build(),
                exit_rules=exit_rules_of(section),
                drawdown_alert=fresh.alerts.drawdown,
            )
        )


async def _log_event(event: Event) -> None:
    """Every fact as one entry of the log; what each bar brings only at DEBUG."""
    level = logging.DEBUG if isinstance(event, CycleEnded | OrderSent) else logging.INFO
    told = {f.name: getattr(event, f.name) for f in fields(event) if f.name not in _UNTOLD}
    entry = {name: _fact(value) for name, value in told.items() if value != ""}
    # People hear of it in its own words: it stays off the console.
    facts.log(level, type(event).__name__, **entry, **{logs.TOLD: True})


def _fact(value: object) -> str:
    """A trade by what it brought, an order by its id: the database has the rest."""
    if isinstance(value, Trade):
        return f"{value.id} {value.profit}"
    if isinstance(value, tuple):
        return ", ".join(map(_fact, value))
    return value.id if isinstance(value, Order) else str(value)


def _subscribers(settings: Settings) -> tuple[Subscriber, ...]:
    if not settings.chat.console.enabled:
        return ()
    level = Level[settings.alerts.console.upper()]
    return (Subscriber(key="console:", speaker="console", chat="", at_least=level),)


def _local_owner(caller: Caller) -> Person:
    return Person(caller.name, caller.role, "console, terminal")


def _console_caller() -> Caller:
    uid = os.getuid()
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(uid)
    return Caller(user=f"local:{uid}", name=name, role=Role.OWNER, place="console", chat="console:")


async def _desk_tag(store: SqlStore) -> str:
    """Four hex digits that mark our orders at a venue; made once per history."""
    tag = await store.note("desk_tag")
    if tag is None:
        tag = secrets.token_hex(2)
        await store.commit(Change(notes=(("desk_tag", tag),)))
    return tag


# -- running ------------------------------------------------------------------------------


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
    latch_file: latch.SlotLatch
    desk: Desk
    dispatcher: Dispatcher
    frontends: tuple[Frontend, ...]
    schedule: Schedule
    ending: asyncio.Event
    closing: tuple[Callable[[], Awaitable[None]], ...]
    watching: Watching
    kept: dict[str, KeptTrader]
    """Each trader's keeper, from the start on."""

    async def run(self, *, began: float, for_seconds: float | None) -> int:
        """Start in order: halts, then faces, then books, then cycles.  End in reverse."""
        await self._take_over_halts()
        await self.watching.notices.load()
        self._listen_for_signals()
        tasks = [
            self._keep("bus", self.bus.run),
            self._keep("outbox", self.outbox.run),
            self._keep("recorder", self.recorder.run),
            self._keep("stop requests", self._watch_requests),
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
        await self._take_over_halts()
        tasks = [
            self._keep("recorder", self.recorder.run),
            self._keep("stop requests", self._watch_requests),
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
            while not await self._started(trader, start):
                await self.clock.sleep(VENUE_RETRY)
            await asyncio.to_thread(trader.prepare)
            self.schedule.every(trader.settings.cycle_every, trader.name, trader.cycle)
            self.schedule.every(
                self.settings.schedule.reconcile_every,
                f"{trader.name}: reconcile",
                trader.reconcile,
            )
        await trader.run()

    async def _started(self, trader: Trader, start: Start) -> bool:
        try:
            await trader.start(start)
        except VenueError as error:
            log.warning("%s cannot compare its books: %s", trader.name, error)
            return False
        return True

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
        reply = await self.dispatcher.handle(message)
        if self._is_act(message, reply):
            self.watching.notices.acted(message.caller.chat, by=message.caller.signature)
        return reply

    def _is_act(self, message: Message, reply: Reply) -> bool:
        """Whoever acts has seen what was told there; only to look, or to be refused, is no act."""
        name, _ = split(message.text)
        command = self.dispatcher.commands.get(name)
        done = reply.outcome in (Outcome.DONE, Outcome.CONFIRM)
        operator = message.caller.role >= Role.OPERATOR
        return command is not None and command.acts and done and operator

    # -- halts --------------------------------------------------------------------------

    async def _take_over_halts(self) -> None:
        """Halted if the database or the latch file says so, or cannot be read."""
        path = latch.path_in(self.folder.path)
        kept = latch.read(path)
        known = {halt.id: halt for halt in kept.halts}
        old, unreadable = await self._old_halts()
        in_history = [*await self._stored_halts(), *old]
        for halt in in_history:
            earlier = known.get(halt.id)
            if earlier is None or earlier.version < halt.version:
                known[halt.id] = halt
        for halt in known.values():
            self.halter.take_over(halt, told=halt.id in {h.id for h in in_history})
        self.halter.latch.number_from(max(kept.last_number, await self.store.last_halt_number()))
        if kept.damaged:
            unreadable = "the latch file"
        everybody = all(self.desk.latch.covering(name) for name in self.desk.traders)
        if unreadable and not everybody:
            self.halter.engage(
                scope=EVERYONE,
                verb=Verb.STOP,
                by="the desk",
                why=f"{unreadable} cannot be read, so a halt may have been forgotten",
            )
        await self._obey(kept.request)
        await self._preallocate()
        await self._halt_if_restored()
        if self.folder.not_taken_over:
            await self.halter.settle()
            self.folder.halts_taken_over()

    async def _halt_if_restored(self) -> None:
        """A desk on a backup does not know what came after it: a person looks first."""
        if await self.store.note(backup.RESTORED):
            halt = self.halter.engage(
                scope=EVERYONE,
                verb=Verb.STOP,
                by="the desk",
                why="the history was restored from a backup",
            )
            if await self.halter.durable(halt, within=5.0):
                await self._note((backup.RESTORED, ""))

    async def _preallocate(self) -> None:
        """Make the latch file now, while the disk has room."""
        try:
            await self.latch_file.write(
                self.desk.latch.active, last_number=self.desk.latch.last_number
            )
        except StoreError as error:
            log.error("the latch file cannot be made: %s", error)  # noqa: TRY400  # told by each halt

    async def _stored_halts(self) -> list[Halt]:
        return list(await self.store.halts())

    async def _old_halts(self) -> tuple[list[Halt], str]:
        """Halts in databases that `--fresh` has set aside, and what of them cannot be read."""
        found: list[Halt] = []
        unreadable = ""
        for folder in self.folder.not_taken_over:
            if (folder / HISTORY).exists():
                try:
                    async with history(folder, self.clock) as old:
                        found += await old.halts()
                except StoreError as error:
                    log.warning("no halts are taken over from %s: %s", folder, error)
                    unreadable = "the old history"
        return found, unreadable

    async def _watch_requests(self) -> None:
        while True:
            await self.clock.sleep(REQUEST_EVERY)
            path = latch.path_in(self.folder.path)
            await self._obey(await asyncio.to_thread(latch.read_request, path))

    async def _obey(self, request: latch.StopRequest | None) -> None:
        """Take over a stop that was asked for through the latch file."""
        if request is None:
            return
        path = latch.path_in(self.folder.path)
        traders = self.desk.traders
        by_hand = [h for h in self.desk.latch.active if h.verb >= Verb.STOP and not h.guard]
        if not traders or not all(any(h.covers(name) for h in by_hand) for name in traders):
            by_hand = [
                self.halter.engage(scope=EVERYONE, verb=Verb.STOP, by=request.by, why=request.why)
            ]
        for halt in by_hand:
            if not await self.halter.durable(halt, within=5.0):
                return  # the request stays where it is, and is found again
        await asyncio.to_thread(latch.clear_request, path, request)

    # -- beginning and end --------------------------------------------------------------

    async def _start_facts(self, began: float) -> Start:
        seen = await self.store.note("last_seen")
        clean = await self.store.note("clean_exit") == "yes"
        now = self.clock.now()
        down_for = None if seen is None else now - datetime.fromisoformat(seen)
        await self._note(("clean_exit", "no"), ("last_seen", now.isoformat()))
        if down_for is not None and down_for.total_seconds() < -JUMP_TOLD:
            await self.recorder.say(ClockJumped(at=now, by=down_for))
        return Start(
            took=timedelta(seconds=self.clock.monotonic() - began), down_for=down_for, clean=clean
        )

    async def _stay_alive(self) -> None:
        while True:
            await self.clock.sleep(ALIVE_EVERY)
            await self._note(("last_seen", self.clock.now().isoformat()))

    async def _note(self, *notes: tuple[str, str]) -> None:
        await self.recorder.keep(Change(notes=notes), Lane.REST)

    def _tidying(self) -> Tidying:
        return Tidying(store=self.store, clock=self.clock, metrics=self.watching.metrics)

    async def _end_after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.desk.shutdown(by="the time limit")
        await asyncio.Event().wait()  # until the end cancels us

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            name = signal.Signals(number).name
            loop.add_signal_handler(number, partial(self.desk.shutdown, by=name))

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
                Change(notes=(("clean_exit", "yes"), ("last_seen", self.clock.now().isoformat())))
            )
        await self.watching.sum_up(self.folder.path)
        await self.outbox.drain(farewell)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.halter.settle()
        self._tell_what_is_lost()
        for close in self.closing:
            await close()

    def _tell_what_is_lost(self) -> None:
        """The last that anybody hears, on stderr and perhaps in the log."""
        for halt in self.halter.unsaved():
            log.error("%s could be saved nowhere: the next start is NOT halted", halt.id)
        if self.recorder.unsaved:
            log.error(
                "%d changes could not be saved; the next start asks the venue what has happened",
                self.recorder.unsaved,
            )
