"""Everybody the desk speaks with: the terminal, the socket, the chats, and what carries alerts."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chatbot.delivery.notices import DeskNotices
from chatbot.delivery.outbox import Outbox
from chatbot.delivery.unauthorized import Unauthorized
from chatbot.folder.state import StateFolder
from chatbot.frontends.console.face import Console
from chatbot.frontends.control import ControlSocket, StopSocket
from chatbot.ports import ChatPlatform, Frontend, Speaker
from chatbot.render.pictures import PictureProcess
from chatbot.render.plain import plain
from chatbot.settings import Settings
from chatbot.watch.chats import ChatWatch
from chatbot.watch.metrics import Metrics
from chatbot.wiring.platforms import Around, StoredNotes, delivery, platforms, symbols_of
from chatbot.wiring.subscribers import guest, subscribers
from handlers import alerts, load_commands
from handlers.caller import Caller, Role
from handlers.command import Commands
from handlers.in_place import Stories
from handlers.reply import Reply
from handlers.texts.describe import describe_with_name
from storage.store import SqlStore
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import Clock
from trading.common.text import one_line
from trading.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    store: SqlStore
    clock: Clock
    commands: Commands
    """As they hold here: without what is switched off, and with roles as they were raised."""
    owner: Caller
    """Whoever sits at the machine."""
    frontends: tuple[Frontend, ...]
    stories: Stories
    notices: DeskNotices
    outbox: Outbox
    bus: Bus
    recorder: Recorder
    chat_watch: ChatWatch
    pictures: PictureProcess

    async def close(self) -> None:
        await self.pictures.close()


def faces_of(
    settings: Settings,
    *,
    folder: StateFolder,
    store: SqlStore,
    clock: Clock,
    metrics: Metrics,
    desk: Callable[[], Desk],
) -> Faces:
    """*desk* is asked for when somebody speaks: it is built on these."""
    commands = settings.access.policy().apply(load_commands())
    stories, notes, owner = Stories(), StoredNotes(store), _console_caller()
    console = Console(
        caller=owner,
        desk_name=settings.bot.name,
        clock=clock,
        commands=lambda: [f"/{name}" for name in commands],
        symbols=lambda: symbols_of(desk()),
        on_interrupt=lambda: desk().shutdown(by="Ctrl-C"),
        history=folder.path / "console_history",
    )
    pictures = PictureProcess(
        theme=settings.chat.theme, folder=folder.path / "pictures", clock=clock
    )
    chats = platforms(
        settings,
        Around(
            commands=commands,
            clock=clock,
            pictures=pictures,
            notes=notes,
            on_unauthorized=lambda platform, user: unauthorized.seen(platform, user),  # noqa: PLW0108  # made below
            desk=desk,
        ),
    )
    outbox = Outbox(
        store=store,
        speakers=_by_name(console, chats),
        subscribers=subscribers(settings),
        clock=clock,
        describe=describe_with_name if _several(settings) else alerts.describe,
        fold=alerts.fold,
        delivery=delivery(settings.chat.timing),
        quiet_hours=settings.alerts.quiet_hours(settings.bot.zone),
        stories=stories,
        guest=partial(guest, settings),
        meter=metrics,
    )
    bus = Bus()
    bus.subscribe(outbox.heard)
    recorder = Recorder(
        store=store, bus=bus, clock=clock, announce=outbox.announce, offer=outbox.offer,
        meter=metrics,
    )  # fmt: skip
    notices = DeskNotices(
        store=store,
        clock=clock,
        outbox=outbox,
        recorder=recorder,
        price=lambda name, symbol: desk().traders[name].valuer.quote(symbol),
        escalate_after=settings.alerts.escalate_after,
    )
    outbox.follow(notices)
    bus.subscribe(notices.heard)
    unauthorized = Unauthorized(recorder=recorder, notes=notes, clock=clock)

    def as_text(reply: Reply) -> str:
        return plain(reply, now=clock.now())

    sockets = (
        StopSocket(folder.brake, as_text, clock),
        ControlSocket(folder.socket, as_text, clock),
    )
    return Faces(
        store=store,
        clock=clock,
        commands=commands,
        owner=owner,
        frontends=(*sockets, *((console,) if settings.chat.console.enabled else ()), *chats),
        stories=stories,
        notices=notices,
        outbox=outbox,
        bus=bus,
        recorder=recorder,
        chat_watch=ChatWatch(
            platforms=chats,
            outbox=outbox,
            recorder=recorder,
            clock=clock,
            after=float(settings.chat.timing.lost_after),
        ),
        pictures=pictures,
    )


def _several(settings: Settings) -> bool:
    """Whether an alert has to say whose it is."""
    return sum(trader.enabled for trader in settings.traders.values()) > 1


def _by_name(console: Console, chats: tuple[ChatPlatform, ...]) -> dict[str, Speaker]:
    speakers: tuple[Speaker, ...] = (console, *chats)
    return {speaker.name: speaker for speaker in speakers}


def _console_caller() -> Caller:
    uid = os.getuid()
    try:
        name = one_line(getpass.getuser())
    except (KeyError, OSError):
        name = str(uid)
    return Caller(user=f"local:{uid}", name=name, role=Role.OWNER, place="console", chat="console:")
