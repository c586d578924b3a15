"""Two phones that are used alike: what a person does on Telegram and on Discord, and then sees.

    async with desk_with(TelegramPhone(), folder) as phone:
        seen = await phone.says(ANNA, "/status")
        assert seen.buttons["Stop"] == "/stop"
        seen = await phone.presses(ANNA, seen, "Stop")

Each case is written once and runs on both.  The desk is a process of its own; the platform's
server runs beside the test, and the desk is asked in threads, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from handlers import load_commands
from handlers.line import split
from tests.process.desk_process import Answer, DeskProcess
from tests.servers import discord, telegram
from tests.servers.discord import DiscordServer
from tests.servers.discord_rules import check_typed
from tests.servers.telegram import TelegramServer

T = TypeVar("T")
OWNER, OPERATOR, VIEWER = "owner", "operator", "viewer"


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    role: str = ""
    """Empty: a stranger."""


ANNA, BEN, DORA = (
    Person(111, "anna", OWNER),
    Person(222, "ben", OPERATOR),
    Person(444, "dora", OPERATOR),
)
CLEO = Person(333, "cleo", VIEWER)
MALLORY = Person(98765432, "Mallory Sneak")
NAMES = {str(each.id): each.name for each in (ANNA, BEN, CLEO, DORA)}
KNOWN = {str(each.id): each.role for each in (ANNA, BEN, CLEO, DORA)}


class Place(Enum):
    PRIVATE = "private"
    LISTED = "a listed group"
    UNLISTED = "a group that is not listed"


class How(Enum):
    NEW = "a new message"
    EDIT = "in place of the pressed one"
    TOAST = "to that person only"


class Trouble(Enum):
    """What both platforms can do to whoever sends."""

    BROKEN = "500"
    DROP = "hangs up"
    DROP_AFTER = "takes it and hangs up"
    FLOOD = "429"
    HANG = "never answers"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as somebody reads it."""

    text: str
    """Title and body, without markup."""
    buttons: Mapping[str, str]
    how: How
    silent: bool
    picture: bool
    place: Place
    raw: Any
    """The server's own message."""

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Said:
    """Something a person did, before its answer."""

    at: Place
    who: Person
    raw: Any
    """The server's own."""
    after: int
    """Of the requests, those before it."""
    newest: int
    """The newest message before it, by id."""
    pressed: Any = None


_UNASKED = re.compile(r"✓ (Telegram|Discord) back after ")
"""An alert that makes no sound and goes to people, whatever they have just said."""


def _first_quiet(seen: list[Any], said: Said) -> Any:
    """The first message after it without a sound: answers make none, alerts may come between."""
    new = (m for m in seen if m.id > said.newest and m.silent)
    return next((m for m in new if not _UNASKED.match(m.text)), None)


class Phone(Protocol):
    """One platform, with everybody's phone on it."""

    name: str
    title: str

    @property
    def settings(self) -> dict[str, str]:
        """By environment: the chat is on, these people and places are known."""
        ...

    @property
    def links(self) -> int:
        """How often somebody has begun to listen."""
        ...

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def tells(
        self, who: Person, text: str, *, place: Place = Place.PRIVATE, ago: float = 0
    ) -> Said:
        """*who* types *text*; nothing is waited for."""
        ...

    async def taps(self, who: Person, seen: Seen, label: str, *, ago: float = 0) -> Said:
        """*who* presses the button *label*, or a command that a button had once."""
        ...

    async def answer(self, said: Said) -> Seen:
        """What it led to."""
        ...

    async def again(self, said: Said) -> None:
        """The platform delivers it once more."""
        ...

    async def taken_in(self) -> None:
        """All that was delivered has reached the desk."""
        ...

    def now(self, seen: Seen) -> Seen:
        """The message as it is by now."""
        ...

    def messages(self, who: Person, *, place: Place = Place.PRIVATE) -> list[Seen]:
        """What the bot has said in a chat, oldest first."""
        ...

    def everything_said(self) -> str:
        """Every request the desk made, as one text."""
        ...

    def complaints(self) -> list[str]:
        """Requests that are against the platform's schema."""
        ...

    def breaks(self, trouble: Trouble, *, times: float = 1, retry_after: float = 0.2) -> None:
        """Sending fails so, as often."""
        ...

    def mended(self) -> None: ...
    async def revokes(self) -> None: ...
    def restores(self) -> None: ...

    async def until(self, look: Callable[[], T | None], what: str) -> T: ...


async def says(phone: Phone, who: Person, text: str, *, place: Place = Place.PRIVATE) -> Seen:
    """Type *text* and read the answer."""
    return await phone.answer(await phone.tells(who, text, place=place))


async def presses(phone: Phone, who: Person, seen: Seen, label: str) -> Seen:
    return await phone.answer(await phone.taps(who, seen, label))


async def does(phone: Phone, who: Person, text: str) -> Seen:
    """Say it, and confirm by the button when asked."""
    seen = await says(phone, who, text)
    label = next((b for b, c in seen.buttons.items() if c.startswith("/confirm ")), None)
    return await presses(phone, who, seen, label) if label else seen


async def heard(
    phone: Phone, who: Person, words: str, *, place: Place = Place.PRIVATE, since: int = 0
) -> Seen:
    """The newest message in that chat that says *words*; *since*: so many do not count."""

    def look() -> Seen | None:
        found = phone.messages(who, place=place)[since:]
        return next((m for m in reversed(found) if words in m.text), None)

    return await phone.until(look, words)


# -- a desk behind it -----------------------------------------------------------------------------


QUICK = {
    "QUARTERDECK__FEEDS__CRASH__SPEED": "0.001",
    "QUARTERDECK__CHAT__TIMING": json.dumps(
        {"retry": 0.05, "longest_retry": 0.2, "lost_after": 3, "back_after": 4, "request": 5}
    ),
}
"""The market all but stands; what is waited for is short."""


@asynccontextmanager
async def desk_with(
    *phones: Phone, folder: Path, calm: bool = True, environ: Mapping[str, str] | None = None
) -> AsyncIterator[DeskProcess]:
    """A desk that has started, and is connected to *phones*.

    *calm*: nothing goes wrong, so it must not have complained.
    """
    for phone in phones:
        await phone.open()
    known = {name: value for phone in phones for name, value in phone.settings.items()}
    desk = DeskProcess(folder, **(QUICK | known | dict(environ or {})))
    try:
        await asyncio.to_thread(desk.start)
        yield desk
    finally:
        await asyncio.to_thread(desk.kill)
        for phone in phones:
            await phone.close()
    assert not calm or desk.complaints() == []
    assert [each for phone in phones for each in phone.complaints()] == []


async def start(phone: Phone, desk: DeskProcess) -> None:
    """Start it, after a kill if it lives, and wait until it listens to *phone*."""
    await asyncio.to_thread(desk.kill)
    before = phone.links
    await asyncio.to_thread(desk.start)
    await phone.until(lambda: phone.links > before, f"the desk on {phone.title}")


async def ask(desk: DeskProcess, text: str) -> Answer:
    return await asyncio.to_thread(desk.say, text)


async def until(desk: DeskProcess, true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(desk.until, true, what)


# -- Telegram -------------------------------------------------------------------------------------

GROUP, OTHER_GROUP = -100500, -100600
_EDITS = {"editMessageText", "editMessageCaption", "editMessageMedia"}


class TelegramPhone:
    name = "telegram"
    title = "Telegram"

    def __init__(self, *, alerts: list[dict[str, Any]] | None = None, burst: int = 100) -> None:
        self.server = TelegramServer(burst=burst)
        self.alerts = alerts or []

    @property
    def settings(self) -> dict[str, str]:
        section = "QUARTERDECK__CHAT__TELEGRAM__"
        values = {
            "ENABLED": "true",
            "BASE_URL": self.server.base_url,
            "TOKEN": self.server.token,
            "USERS": json.dumps(KNOWN),
            "NAMES": json.dumps(NAMES),
            "GROUPS": json.dumps([GROUP]),
            "ALERTS": json.dumps(self.alerts),
            "FLOOD": json.dumps({"overall_seconds": 0.01, "group_seconds": 0.6}),
        }
        return {section + name: value for name, value in values.items()}

    @property
    def links(self) -> int:
        return self.server.polls

    async def open(self) -> None:
        await self.server.come_back()
        for chat in (ANNA.id, BEN.id, CLEO.id, DORA.id, GROUP, OTHER_GROUP):
            self.server.room(chat)

    async def close(self) -> None:
        await self.server.go_away()

    def chat(self, who: Person, place: Place) -> int:
        return {Place.PRIVATE: who.id, Place.LISTED: GROUP, Place.UNLISTED: OTHER_GROUP}[place]

    async def tells(
        self, who: Person, text: str, *, place: Place = Place.PRIVATE, ago: float = 0
    ) -> Said:
        chat = self.chat(who, place)
        before = len(self.server.requests)
        person = telegram.Person(who.id, who.name)
        sent = await self.server.says(person, text, chat=chat, ago=ago)
        return Said(place, who, sent, before, sent.id)

    async def taps(self, who: Person, seen: Seen, label: str, *, ago: float = 0) -> Said:
        assert not ago, "a press carries no time here"
        room = self.server.room(seen.raw.chat)
        before = len(self.server.requests)
        newest = max((m.id for m in room.messages), default=0)
        press = await self.server.presses(telegram.Person(who.id, who.name), seen.raw, label)
        return Said(seen.place, who, press, before, newest, pressed=seen.raw)

    async def answer(self, said: Said) -> Seen:
        chat = self.chat(said.who, said.at)
        room = self.server.room(chat)

        def look() -> Seen | None:
            toast = getattr(said.raw, "toast", "")
            if toast:
                return self._seen(replace_text(said.pressed, toast), said.at, How.TOAST)
            new = _first_quiet(room.seen, said)
            if new is not None:
                # A text cannot become a picture here: its message goes, and another one comes.
                replaced = said.pressed is not None and said.pressed.deleted
                return self._seen(new, said.at, How.EDIT if replaced else How.NEW)
            if said.pressed is not None and self._edited(said):
                return self._seen(said.pressed, said.at, How.EDIT)
            return None

        return await self.server.until(look, f"an answer to {said.who.name}")

    def _edited(self, said: Said) -> bool:
        since = self.server.requests[said.after :]
        number = said.pressed.id
        return any(m in _EDITS and p.get("message_id") == number for m, p in since)

    def _seen(self, sent: Any, place: Place, how: How) -> Seen:
        return Seen(
            text=sent.text,
            buttons=dict(sent.buttons),
            how=how,
            silent=sent.silent,
            picture=sent.photo is not None,
            place=place,
            raw=sent,
        )

    async def again(self, said: Said) -> None:
        self.server.redeliver()

    async def taken_in(self) -> None:
        await self.server.confirmed()

    def now(self, seen: Seen) -> Seen:
        return self._seen(seen.raw, seen.place, seen.how)

    def messages(self, who: Person, *, place: Place = Place.PRIVATE) -> list[Seen]:
        room = self.server.room(self.chat(who, place))
        return [self._seen(m, place, How.NEW) for m in room.seen]

    def everything_said(self) -> str:
        return repr(self.server.requests)

    def complaints(self) -> list[str]:
        return self.server.schema_errors

    def breaks(self, trouble: Trouble, *, times: float = 1, retry_after: float = 0.2) -> None:
        fault = telegram.Fault[trouble.name]
        for method in ("sendMessage", "editMessageText"):
            self.server.fail(method, fault, times=times, retry_after=retry_after)

    def mended(self) -> None:
        self.server.recover()

    async def revokes(self) -> None:
        self.server.revoke()

    def restores(self) -> None:
        self.server.restore()

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        return await self.server.until(look, what)


def replace_text(sent: Any, text: str) -> Any:
    return replace(sent, text=text, rows=[], photo=None)


# -- Discord --------------------------------------------------------------------------------------

GUILD, OTHER_GUILD, CHANNEL, OTHER_CHANNEL = 700, 701, 456, 457
_COMMANDS = load_commands()


class DiscordPhone:
    name = "discord"
    title = "Discord"

    def __init__(self, *, alerts: list[dict[str, Any]] | None = None) -> None:
        self.server = DiscordServer()
        self.alerts = alerts or []

    @property
    def settings(self) -> dict[str, str]:
        section = "QUARTERDECK__CHAT__DISCORD__"
        values = {
            "ENABLED": "true",
            "API_URL": self.server.api_url,
            "GATEWAY_URL": self.server.gateway_url,
            "TOKEN": self.server.token,
            "USERS": json.dumps(KNOWN),
            "NAMES": json.dumps(NAMES),
            "GUILDS": json.dumps([str(GUILD)]),
            "ALERTS": json.dumps(self.alerts),
        }
        return {section + name: value for name, value in values.items()}

    @property
    def links(self) -> int:
        return self.server.gateway.identified

    async def open(self) -> None:
        self.server.gateway.guilds = {GUILD, OTHER_GUILD}
        self.server.channel(CHANNEL)
        self.server.channel(OTHER_CHANNEL)
        await self.server.come_back()

    async def close(self) -> None:
        await self.server.go_away()

    def where(self, place: Place) -> dict[str, int]:
        return {
            Place.PRIVATE: {},
            Place.LISTED: {"channel": CHANNEL, "guild": GUILD},
            Place.UNLISTED: {"channel": OTHER_CHANNEL, "guild": OTHER_GUILD},
        }[place]

    def room(self, who: Person, place: Place) -> Any:
        where = self.where(place)
        return self.server.channel(where["channel"]) if where else self.server.private(who.id)

    async def tells(
        self, who: Person, text: str, *, place: Place = Place.PRIVATE, ago: float = 0
    ) -> Said:
        await self.server.listened_to()
        name, words = split(text)
        options = typed(name, words)
        declared = self.server.commands.get(name)
        room, before = self.room(who, place), len(self.server.requests)
        newest = max((m.id for m in room.messages), default=0)
        said = await self.server.says(
            discord.Person(who.id, who.name),
            name,
            options,
            ago=ago,
            unchecked=declared is None or not may_type(declared, options),
            **self.where(place),
        )
        return Said(place, who, said, before, newest)

    async def taps(self, who: Person, seen: Seen, label: str, *, ago: float = 0) -> Said:
        await self.server.listened_to()
        room, before = self.room(who, seen.place), len(self.server.requests)
        newest = max((m.id for m in room.messages), default=0)
        guild = self.where(seen.place).get("guild")
        person = discord.Person(who.id, who.name)
        press = await self.server.presses(person, seen.raw, label, guild=guild, ago=ago)
        return Said(seen.place, who, press, before, newest, pressed=seen.raw)

    async def answer(self, said: Said) -> Seen:
        room = self.room(said.who, said.at)

        def look() -> Seen | None:
            if said.raw.toast is not None:
                return self._seen(said.raw.toast, said.at, How.TOAST)
            new = _first_quiet(room.seen, said)
            if new is not None:
                return self._seen(new, said.at, How.NEW)
            if said.pressed is not None and self._edited(said):
                return self._seen(said.pressed, said.at, How.EDIT)
            return None

        return await self.server.until(look, f"an answer to {said.who.name}")

    def _edited(self, said: Said) -> bool:
        """Its own answer has put an embed where the buttons were."""
        for name, body in self.server.requests[said.after :]:
            if said.raw.token in name and (body.get("data") or body).get("embeds"):
                return True
        return False

    def _seen(self, sent: Any, place: Place, how: How) -> Seen:
        return Seen(
            text=sent.text,
            buttons=dict(sent.buttons),
            how=how,
            silent=sent.silent,
            picture=sent.photo is not None,
            place=place,
            raw=sent,
        )

    async def again(self, said: Said) -> None:
        await self.server.again(said.raw)

    async def taken_in(self) -> None:
        await self.server.listened_to()

    def now(self, seen: Seen) -> Seen:
        return self._seen(seen.raw, seen.place, seen.how)

    def messages(self, who: Person, *, place: Place = Place.PRIVATE) -> list[Seen]:
        return [self._seen(m, place, How.NEW) for m in self.room(who, place).seen]

    def everything_said(self) -> str:
        return repr(self.server.requests)

    def complaints(self) -> list[str]:
        return self.server.refusals

    def breaks(self, trouble: Trouble, *, times: float = 1, retry_after: float = 0.2) -> None:
        fault = discord.Fault[trouble.name]
        self.server.fail("POST /channels", fault, times=times, retry_after=retry_after)

    def mended(self) -> None:
        self.server.recover()

    async def revokes(self) -> None:
        await self.server.revoke()

    def restores(self) -> None:
        self.server.restore()

    async def until(self, look: Callable[[], T | None], what: str) -> T:
        return await self.server.until(look, what)


def typed(name: str, words: list[str]) -> dict[str, Any]:
    """The options of the slash command that says the same as the line."""
    found = _COMMANDS.get(name)
    given: dict[str, Any] = {}
    if found is None:
        return given
    rest = [each for each in found.parameters if not each.named]
    for word in words:
        key, equals, value = word.partition("=")
        if equals and any(each.name == key for each in found.parameters):
            given[key] = value
        elif rest and (len(rest) > 1 or rest[0].name not in given):
            each = rest[0]
            given[each.name] = word
            rest = rest[1:] or rest
        elif rest:
            given[rest[0].name] += f" {word}"
    numbers = {each.name for each in found.parameters if each.range is not None}
    return {k: int(v) if k in numbers and v.isdigit() else v for k, v in given.items()}


def may_type(declared: dict[str, Any], options: dict[str, Any]) -> bool:
    try:
        check_typed(declared, options)
    except ValueError:
        return False
    return True


# -- the same words -------------------------------------------------------------------------------

_CHANGES = (
    (re.compile(r"\bhistory-[\dT-]+\.db\b"), "FILE"),
    (re.compile(r"<t:\d+:R>"), "AGE"),
    (re.compile(r"\d+\s(s|min|h|d)(\s\d+\s(s|min|h))? (old|ago)"), "AGE"),
    (re.compile(r"\b[0-2]\d:[0-5]\d(:[0-5]\d)?\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)?\s(ms|s|min|h|d)\b(\s\d+\s(s|min|h)\b)?"), "SPAN"),
    (re.compile(r"/(confirm|cancel) [2-9A-Z]{4}\b"), r"/\1 CODE"),
    (re.compile(r"\bH\d+\b"), "H1"),
    (re.compile(r"\b(Telegram|Discord|terminal)\b"), "PLACE"),
)


def usual(text: str) -> str:
    """*text* without what differs from moment to moment and from face to face."""
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())
