"""The composition root: the one place where concrete parts meet."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from importlib.metadata import version

import structlog

from chatbot import logs
from chatbot.administration import ProcessAdministration
from chatbot.app import App
from chatbot.frontends.console import Console
from chatbot.frontends.control import ControlSocket
from chatbot.history import HISTORY, history
from chatbot.metrics import Metrics
from chatbot.notices import DeskNotices
from chatbot.outbox import Outbox, Subscriber
from chatbot.parts import exit_rules_of, feed_of, strategy_of, venue_of
from chatbot.render.plain import plain
from chatbot.schedule import Schedule
from chatbot.settings import Settings
from chatbot.settings import Trader as TraderSection
from chatbot.state import StateFolder
from chatbot.takeover import Takeover
from chatbot.traders import KeptTrader
from chatbot.watching import Watching
from handlers import alerts, load_commands
from handlers.confirm import Confirmations
from handlers.context import Caller, Person, Role, Services
from handlers.describe import describe_with_name
from handlers.dispatch import Dispatcher
from handlers.reply import Level
from storage import latch
from storage.journal import FileJournal
from storage.store import SqlStore
from trading.bus import Bus
from trading.clocks import Clock, SystemClock
from trading.desk import Desk
from trading.desk_limits import DeskRisk
from trading.events import CycleEnded, Event, OrderSent
from trading.execution.orders import OrderIds, Patience
from trading.halt import Latch
from trading.halting import Halter
from trading.ports import Change, Meter, Venue
from trading.recorder import Recorder
from trading.strategies import settings_in_use
from trading.trader import Trader, TraderSettings
from trading.types import Order, Trade

facts = structlog.stdlib.get_logger("facts")

_UNTOLD = ("at", "origin", "halt", "trades")
"""Fields of events that the log has already, or that would fill it."""


async def run(settings: Settings, folder: StateFolder, *, for_seconds: float | None) -> int:
    """Run the desk in *folder* until somebody ends it.  Returns the exit code of the process."""
    clock = SystemClock()
    began = clock.monotonic()
    async with history(folder.path, clock) as store:
        app = await build(settings, folder, store, clock)
        return await app.run(began=began, for_seconds=for_seconds)


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
        takeover=Takeover(
            folder=folder,
            store=store,
            latch_file=kept,
            halter=halter,
            recorder=recorder,
            clock=clock,
            traders=tuple(traders),
        ),
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
