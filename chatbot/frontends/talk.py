"""What the chat platforms have in common: who speaks, what a press is, and one message's life."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, TypeVar

from chatbot.ports import Pictures
from handlers.alarm import is_cry
from handlers.caller import Role
from handlers.command import Commands
from handlers.format import plural
from handlers.message import CommandLine, Message
from handlers.reply import Choice, Level, Outcome, Priority, Reply
from handlers.texts.phrases import REFUSED, WAIT
from trading.clocks import Clock
from trading.common.tasks import Tasks, turns, within

log = logging.getLogger(__name__)

SLOW = 2.0
"""Seconds until somebody who waits hears that they wait."""
SOON, BUSY = 0.25, 4.0
"""Seconds until it is shown that an answer is under way, and how often again.

Telegram shows it for 5 s, Discord for 10.
"""
AT_ONCE = 8
"""Turns of the loop in which a look is answered: no timer is set for those."""
NAME_LIMIT = 12
_IN_NAMES = " -_."
MINUTE = 60.0
REFRESH = "Refresh"
REMEMBERED = 1_000
"""Updates, messages and stories that are known again."""
NO_PICTURE = "The picture could not be drawn."

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who may speak on one platform.  Nobody else is answered."""

    users: Mapping[str, Role]
    """By the platform's numeric id, as text."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    """By the id of a platform's role, where it has any (Discord)."""
    names: Mapping[str, str] = field(default_factory=dict)
    """How the settings call somebody, by id as in `users`."""

    def role(self, user: str, roles: Sequence[str] = ()) -> Role | None:
        """The highest that *user*, who carries *roles*, has; None: a stranger."""
        found = [self.users[user]] if user in self.users else []
        found += [self.roles[role] for role in roles if role in self.roles]
        return max(found, default=None)

    def called(self, user: str, display: str) -> str:
        """As in `anna`; without a name in the settings the id, which nobody else can have, leads.

        What people call themselves stands behind it in quotes: as in `222 "anna"`.
        """
        if user in self.names:
            return self.names[user]
        shown = displayed(display)
        return f'{user} "{shown}"' if shown else user


@dataclass(frozen=True, slots=True)
class AskedMessage:
    """By whom, and what: two of the same are answered once where a chat takes only so much."""

    who: str
    text: str


def asked(message: Message) -> AskedMessage:
    return AskedMessage(message.caller.user, " ".join(message.text.lower().split()))


Words = Callable[[], Sequence[str]]
"""Asked while somebody types, for what may complete it."""
OnUnauthorized = Callable[[str, str], Awaitable[None]]
"""Hears of a platform and a numeric id, never of names or words."""


def displayed(name: str) -> str:
    """A name that somebody gave themselves, as a few letters that can be nothing else.

    No line, quote, comma, colon or bracket, by which it could end and something of ours begin.
    """
    one_line = " ".join(name.split())
    kept = "".join(c for c in one_line if c in _IN_NAMES or unicodedata.category(c)[0] in "LNM")
    return " ".join(kept.split())[:NAME_LIMIT].strip()


class Source(StrEnum):
    """Where words come from that may be older, or others', than they look."""

    FORWARD = "a forwarded message"
    EDIT = "an edited message"
    CAPTION = "a caption"
    PLAIN = "plain words among others"


def is_heard(line: CommandLine, source: Source | None) -> bool:
    """Whether *line* is for us although it comes from there; None: it was said just so.

    A stop hurts nobody; a cry for one only offers it.  What spends or loosens must be meant.
    """
    if source is None or line.instant:
        return True
    return source is not Source.FORWARD and line.command is None and is_cry(line.text)


def press_id(line: CommandLine, *, message: str, user: str, update: str) -> str:
    """What makes a press the same press.

    Buttons that act count once on each message, whoever's network sends the press twice.  A
    stop counts every time, and a code counts once by itself: both go by *update*.
    """
    if not line.acts or line.instant or line.name in ("confirm", "cancel"):
        return update
    return f"{message}|{user}|{line.text}"


def edits_in_place(line: CommandLine, label: str, *, looks: bool) -> bool:
    """Whether the answer to a press takes its message's place.

    *looks*: that message only shows something.  Alerts and reports of acts are never
    overwritten, except by their own Refresh.
    """
    return not line.acts and (looks or label == REFRESH)


class Recent(OrderedDict[_K, _V]):
    """What was kept last; the oldest above a thousand is forgotten."""

    def keep(self, key: _K, value: _V) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > REMEMBERED:
            self.popitem(last=False)


class Lately:
    """What was told within the last minute, and is not told again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: Recent[str, float] = Recent()

    def admit(self, what: str) -> bool:
        """Whether to tell *what* now; it counts as told then."""
        now, told = self._clock.monotonic(), self._told.get(what)
        if told is not None and now - told < MINUTE:
            return False
        self._told.keep(what, now)
        return True


_SHOWING = Tasks()
"""Signs that an answer is under way.  A request is not cut off: it ends by itself, soon."""


class Shown(Protocol):
    """One message of a platform.  Its methods raise what the platform's library raises."""

    async def show(self, reply: Reply) -> None:
        """Post it; from then on edit it, silently."""
        ...


class AnswerMessage(Shown, Protocol):
    """A message that is still to come."""

    async def busy(self, *, draws: bool) -> None:
        """Show, for `BUSY` seconds, that it is under way, or drawn.  Costs the chat no message."""
        ...

    async def wait(self, reply: Reply) -> None:
        """Say that it takes long, if there is room for that at once."""
        ...


async def tell(
    answer: Awaitable[Reply], shown: AnswerMessage, clock: Clock, *, slow: float = SLOW
) -> Reply:
    """Show an answer when it is there, and that it is waited for when it takes long.

    Returns it; `follow` goes on with what comes after it.
    """
    task, told = asyncio.ensure_future(answer), asyncio.Event()
    soon = min(SOON, slow)
    try:
        await turns(AT_ONCE, task.done)
        if not task.done():
            await _unless(task, soon, clock)
        if not task.done() or _is_pictured(task):
            _SHOWING.start(_keep_busy(task, told, shown, clock), name="busy")
        if not task.done():
            await _unless(task, slow - soon, clock)
        if not task.done():
            try:
                await shown.wait(Reply(f"{WAIT} Asking the venue", asked=Priority.LOOK))
            except Exception:  # noqa: BLE001  # whatever the library raises: the answer comes anyway
                log.info("a chat was not told that its answer takes long")
        reply = await task
        await shown.show(reply)
        return reply
    finally:
        told.set()


async def _keep_busy(
    task: asyncio.Future[Reply], told: asyncio.Event, shown: AnswerMessage, clock: Clock
) -> None:
    """Say until it is *told* that an answer is under way."""
    while not task.done() and not told.is_set():
        await _busy(shown, draws=False)
        await _unless(task, BUSY, clock)
    while not told.is_set() and _is_pictured(task):
        await _busy(shown, draws=True)
        await _unless(told.wait(), BUSY, clock)


def _is_pictured(task: asyncio.Future[Reply]) -> bool:
    """Whether it is there, and is yet to be drawn."""
    failed = task.cancelled() or task.exception() is not None
    return not failed and task.result().chart is not None


async def _busy(shown: AnswerMessage, *, draws: bool) -> None:
    try:
        await shown.busy(draws=draws)
    except Exception as error:  # noqa: BLE001  # whatever the library raises: the answer comes anyway
        log.info("a chat was not shown that it is answered: %s", type(error).__name__)


async def _unless(ends: Awaitable[object], seconds: float, clock: Clock) -> None:
    """Wait so long, unless it *ends* before; however it does, and without ending it."""
    with suppress(Exception):
        await within(clock, seconds, asyncio.shield(ends))


async def follow(reply: Reply, shown: Shown) -> None:
    """Put each later stage of *reply* in its place, until there is none."""
    then = reply.then
    while then is not None:
        later = await then()
        if later is None:
            return
        await shown.show(later)
        then = later.then


async def drawn(reply: Reply, pictures: Pictures) -> tuple[Reply, bytes | None]:
    """*reply* with its picture, if it has one; where none can be drawn its words say so."""
    if reply.chart is None:
        return reply, None
    try:
        return reply, await pictures.draw(reply.chart)
    except Exception as error:  # noqa: BLE001  # without its picture an alert still tells
        log.warning("a chart could not be drawn: %s", type(error).__name__)
        return without_picture(reply), None


def without_picture(reply: Reply) -> Reply:
    return replace(reply, text=f"{reply.text}\n{NO_PICTURE}".strip())


def not_read(commands: Commands, role: Role) -> Reply:
    """To whoever said something that came here damaged."""
    stop = commands.get("stop")
    may_stop = stop is not None and role >= stop.role
    return Reply(
        f"{REFUSED} What you sent could not be read",
        text="It came here damaged. Nothing was done. Please say it again.",
        choices=(Choice("Stop", "/stop"),) if may_stop else (),
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
    )


def only_a_stop(source: Source) -> Reply:
    """To whoever may command, and tried so from there."""
    return Reply(
        f"{REFUSED} In {source} only a stop is heard",
        text="Nothing was sent. Say it in a message of its own.",
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
        asked=Priority.LOOK,
    )


def nameless() -> Reply:
    """To whoever writes as the group itself, or as a channel: nobody knows who that is."""
    return Reply(
        f"{REFUSED} Use your name: nothing was done",
        text="You write as a group or a channel, so nobody knows who you are. Be no longer"
        " anonymous, or write in private.",
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
        asked=Priority.NEWS,
    )


def not_answered(count: int, most: int, seconds: float) -> Reply:
    """To a chat in which more was asked than it takes messages."""
    return Reply(
        f"{REFUSED} {plural(count, 'question')} not answered here",
        text=f"This chat takes {most} messages in {seconds:g}\u00a0s, and some are kept for a stop."
        " Ask again, or in private.",
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
        asked=Priority.LOOK,
    )


def is_refusal(reply: Reply) -> bool:
    return reply.outcome is Outcome.REFUSED


def is_spent(reply: Reply) -> bool:
    """Whether *reply* refuses a code that nobody can use any more: its buttons may go."""
    return is_refusal(reply) and reply.spent
