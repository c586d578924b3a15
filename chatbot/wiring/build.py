"""The composition root: the one place where concrete parts meet."""

from __future__ import annotations

import asyncio
import logging
import secrets
import string
from collections.abc import Callable
from dataclasses import fields, replace
from importlib.metadata import version

from chatbot import logs
from chatbot.app.administration import ProcessAdministration
from chatbot.app.backtests import ProcessBacktests
from chatbot.app.schedule import Schedule
from chatbot.app.signals import EndSignals
from chatbot.app.start import App
from chatbot.app.takeover import Takeover
from chatbot.app.traders import KeptTrader
from chatbot.app.watching import Watching
from chatbot.folder.history import HISTORY, history
from chatbot.folder.mark import DeskMark
from chatbot.folder.state import StateFolder
from chatbot.logs import get_logger
from chatbot.settings import Settings
from chatbot.unique import unique_hex
from chatbot.watch.memory import loaded, share_arena
from chatbot.watch.metrics import Metrics
from chatbot.watch.turns import Turns
from chatbot.wiring.access import persons, rate_limit, second_factor
from chatbot.wiring.connections import Connections
from chatbot.wiring.frontends import Faces, faces_of
from chatbot.wiring.platforms import StoredNotes
from chatbot.wiring.proven import is_unproven, refuse_unproven
from chatbot.wiring.trading import (
    cycle_every,
    exit_rules_of,
    feed_of,
    place_of,
    scanner_of,
    strategy_of,
    venue_of,
)
from chatbot.wiring.venues import venue_summaries
from handlers.caller import Caller
from handlers.confirmations import Confirmations
from handlers.context import Person, Services
from handlers.dispatch import Dispatcher
from storage import latch
from storage.journal import FileJournal
from storage.store import SqlStore
from trading.assembly import DeskParts, TraderParts, assemble, assemble_desk
from trading.clocks import Clock, SystemClock
from trading.context.settings import TraderSettings
from trading.desk import Desk, DeskTrader
from trading.events import CycleEnded, Event, OrderSent
from trading.execution.order_ids import OrderIds
from trading.model.halt import Latch
from trading.model.halt_numbers import HaltNumbers
from trading.ports import Change, Meter, Venue
from trading.safety.desk_limits import DeskRisk
from trading.safety.halting import Halter
from trading.strategies import settings_in_use
from trading.types import Mode, Order, Symbol, Trade

DESK_TAG = "desk_tag"
OWNER = "desk"
"""Of the numbers of halts: one process holds an embedded history."""
"""The first note of every history."""
facts = get_logger("facts")

_UNTOLD = ("at", "origin", "halt", "trades")
"""Fields of events that the log has already, or that would fill it."""


async def run(
    settings: Settings,
    folder: StateFolder,
    *,
    for_seconds: float | None,
    signals: EndSignals,
    turns: Turns | None = None,
) -> int:
    """Run the desk in *folder* until somebody ends it.  Returns the exit code of the process.

    *turns*: of the loop that runs it; None: how busy that is, is not told.  Raises `Cut`
    when a signal ends the start before there is a desk to be ended.
    """
    clock = SystemClock()
    began = clock.monotonic()
    share_arena()  # before there are threads
    _cut_by(signals)
    try:
        async with history(folder.path, clock) as store:
            app = await build(settings, folder, store, clock, turns=turns)
            loaded()
            return await app.run(began=began, for_seconds=for_seconds, signals=signals)
    except asyncio.CancelledError:
        signals.check()
        raise


def _cut_by(signals: EndSignals) -> None:
    """Have a signal cancel the task that starts, for as long as nobody else obeys."""
    loop, starting = asyncio.get_running_loop(), asyncio.current_task()
    assert starting is not None  # noqa: S101  # it is what runs

    def cancel() -> None:
        if signals.obeyer is cut:
            starting.cancel()

    def cut(_: str) -> None:
        loop.call_soon_threadsafe(cancel)

    signals.obeyed_by(cut)


Line = Callable[[str, Venue], Venue]


def direct(trader: str, venue: Venue) -> Venue:
    """Nothing stands between."""
    return venue


async def build(
    settings: Settings,
    folder: StateFolder,
    store: SqlStore,
    clock: Clock,
    *,
    line: Line = direct,
    turns: Turns | None = None,
) -> App:
    """Put everything together.  *line* stands between each trader, by its name, and its venue.

    Raises `SettingsError` when a live trader's venue is neither proven nor accepted.
    """
    refuse_unproven(settings, folder.path)
    metrics = Metrics()
    ending = asyncio.Event()
    faces = faces_of(
        settings, folder=folder, store=store, clock=clock, metrics=metrics, desk=lambda: app.desk
    )
    recorder = faces.recorder
    faces.bus.subscribe(_log_event)
    latch_file = latch.SlotLatch(latch.path_in(folder.path))
    enabled = {name: t for name, t in settings.traders.items() if t.enabled}
    halter = Halter(
        latch=Latch(numbers=HaltNumbers(tag=_three_letters())),
        recorder=recorder,
        latch_file=latch_file,
        clock=clock,
        modes={name: t.mode for name, t in enabled.items()},
        reserve=lambda after: store.halt_numbers(OWNER, after=after),
    )
    history_is_new = await store.note(DESK_TAG) is None
    tag = await _desk_tag(store)
    mark = DeskMark(tag)
    if any(section.mode is Mode.LIVE for section in enabled.values()):
        mark.hold()
    journals = [FileJournal(folder.path / "intents.journal")]
    shared = DeskParts(
        store=store, recorder=recorder, halter=halter, journal=journals[0], clock=clock,
        ids=OrderIds(tag, unique_hex), desk_risk=DeskRisk(settings.limits.build()),
        offload=asyncio.to_thread,
    )  # fmt: skip
    connections = Connections(settings, clock)
    traders: dict[str, DeskTrader] = {}
    keepers: dict[str, KeptTrader] = {}
    venues: dict[str, Venue] = {}
    for name, section in enabled.items():
        journals.append(FileJournal(folder.path / f"paper-{name}.journal"))
        parts = _trader(
            settings, name, clock=clock, book=journals[-1], line=line, meter=metrics.of(name),
            connections=connections, unproven=is_unproven(settings, section, folder.path),
        )  # fmt: skip
        venues[section.venue] = parts.venue
        traders[name] = assemble(shared, parts)
    schedule = Schedule(misfire_grace=settings.schedule.misfire_grace)
    desk = assemble_desk(shared, traders, end=ending.set)
    administration = ProcessAdministration(
        settings=settings,
        folder=folder,
        history=folder.path / HISTORY,
        recorder=recorder,
        clock=clock,
        people=(_local_owner(faces.owner), *persons(settings)),
        chats=faces.chat_watch.problems,
        lost=store.lost,
        venues=lambda: venue_summaries(settings, folder.path, venues),
        apply=lambda fresh: _apply(fresh, desk, shared.desk_risk, app.watching),
    )
    app = App(
        settings=settings,
        folder=folder,
        clock=clock,
        store=store,
        bus=faces.bus,
        recorder=recorder,
        outbox=faces.outbox,
        halter=halter,
        takeover=Takeover(
            folder=folder, store=store, latch_file=latch_file, halter=halter, recorder=recorder,
            clock=clock, history_is_new=history_is_new,
        ),
        desk=desk,
        dispatcher=_dispatcher(settings, faces, desk, administration),
        frontends=faces.frontends,
        schedule=schedule,
        ending=ending,
        closing=(
            *(trader.close for trader in desk.traders.values()), faces.close, latch_file.close,
            mark.release,
            *(journal.close for journal in journals),
        ),
        kept=keepers,
        watching=Watching(
            settings=settings, desk=desk, traders=keepers, outbox=faces.outbox,
            notices=faces.notices, chats=faces.chat_watch, recorder=recorder, store=store,
            folder=folder.path, metrics=metrics, clock=clock, turns=turns or Turns(clock),
            on_jump=schedule.realign,
        ),
    )  # fmt: skip
    return app


def _dispatcher(
    settings: Settings, faces: Faces, desk: Desk, administration: ProcessAdministration
) -> Dispatcher:
    clock = faces.clock
    services = Services(
        name=settings.bot.name,
        version=version("quarterdeck"),
        desk=desk,
        store=faces.store,
        clock=clock,
        commands=faces.commands,
        confirmations=Confirmations(
            clock, factor=second_factor(settings, clock, StoredNotes(faces.store))
        ),
        administration=administration,
        backtests=ProcessBacktests(),
        notices=faces.notices,
        stories=faces.stories,
    )
    off = settings.access.policy().off
    return Dispatcher(services, off=off, rate=rate_limit(settings, clock))


def _trader(
    settings: Settings,
    name: str,
    *,
    clock: Clock,
    book: FileJournal,
    line: Line,
    meter: Meter,
    connections: Connections,
    unproven: bool,
) -> TraderParts:
    section = settings.traders[name]
    feed = feed_of(settings, name, clock, connections)
    venue = venue_of(settings, name, feed, book=book, clock=clock, connections=connections)
    return TraderParts(
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
            cycle_every=cycle_every(section, feed),
            replay_speed=feed.speed,
            entries=section.entries.build(),
            universe=section.plan,
            place=place_of(settings, section),
            unproven=unproven,
            parameters=settings_in_use(section.strategy, section.parameters),
        ),
        strategy=strategy_of(settings, name),
        feed=feed,
        venue=line(name, venue),
        scanner=scanner_of(settings, name, connections),
        meter=meter,
    )


def _apply(fresh: Settings, desk: Desk, desk_risk: DeskRisk, watching: Watching) -> None:
    """Go by the limits, exits and thresholds of *fresh*; nothing else can change while trading."""
    desk_risk.limits = fresh.limits.build()
    desk_risk.restart()
    watching.use(fresh)
    for name, trader in desk.traders.items():
        section = fresh.traders[name]
        trader.use(
            replace(
                trader.settings,
                limits=section.limits.build(),
                exit_rules=exit_rules_of(section),
                entries=section.entries.build(),
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
    if isinstance(value, tuple) and not isinstance(value, Symbol):
        return ", ".join(map(_fact, value))
    return value.id if isinstance(value, Order) else str(value)


def _local_owner(caller: Caller) -> Person:
    return Person(caller.name, caller.role, "console, terminal")


def _three_letters() -> str:
    return "".join(secrets.choice(string.ascii_uppercase) for _ in range(3))


async def _desk_tag(store: SqlStore) -> str:
    """Four hex digits that mark our orders at a venue; made once per history."""
    tag = await store.note(DESK_TAG)
    if tag is None:
        tag = secrets.token_hex(2)
        await store.commit(Change(notes=((DESK_TAG, tag),)))
    return tag
