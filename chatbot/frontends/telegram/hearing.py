"""What people say and press on Telegram, and where the answers go.

A text is answered with a message.  A press of a button that reads edits its message; one that
acts is answered anew, and the buttons go.  A refused press is a toast to that person only.
Strangers get nothing, not even an end of the little clock on the button they pressed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chatbot.delivery.budget import Folded
from chatbot.delivery.waiting import Throttled
from chatbot.frontends.talk import (
    Lately,
    OnUnauthorized,
    People,
    Recent,
    Source,
    asked,
    edits_in_place,
    follow,
    is_heard,
    is_refusal,
    is_spent,
    nameless,
    not_read,
    only_a_stop,
    press_id,
    tell,
)
from chatbot.frontends.telegram.failures import TelegramFailed
from chatbot.frontends.telegram.onscreen import OnScreen, Redrawn
from chatbot.frontends.telegram.places import UNREADABLE, ChatPlace, Moves
from chatbot.frontends.telegram.posting import Poster, TelegramPost
from chatbot.ports import OnMessage
from handlers.access import FRESH
from handlers.caller import Caller, Role
from handlers.command import Commands
from handlers.line import is_slashed, named_in
from handlers.message import CommandLine, Message, read
from handlers.reply import Reply
from trading.clocks import Clock
from trading.common.tasks import within

if TYPE_CHECKING:
    import telegram

log = logging.getLogger(__name__)

NAME, TITLE = "telegram", "Telegram"
TOAST_WAIT = 1.0
"""Seconds in which a refusal can still be a toast: then the press is answered without one."""
MOST_REPORTS = 16
"""Strangers who are told of at the same time: while history hangs, more must not pile up."""
FAREWELL = 0.5
"""Seconds that answers under way have when the desk ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateQueue:
    """What one update is answered with."""

    on_message: OnMessage
    answers: Poster
    later: Poster
    """For what comes after the answer: it is never given up."""
    username: str
    """The bot's own."""


@dataclass(frozen=True, slots=True)
class _KnownMessage:
    """A message of ours, as far as its buttons need it."""

    post: TelegramPost
    looks: bool
    """It only shows something: reading buttons edit it."""


class UpdateAnswers:
    """Answers updates, each in its own time."""

    def __init__(
        self,
        *,
        people: People,
        groups: frozenset[str],
        commands: Commands,
        clock: Clock,
        on_unauthorized: OnUnauthorized,
        moves: Moves,
    ) -> None:
        self._people = people
        self._groups = groups
        self._commands = commands
        self._clock = clock
        self._on_unauthorized = on_unauthorized
        self._moves = moves
        self._told_lately = Lately(clock)
        self._braked: Recent[tuple[int, int], None] = Recent()
        """Messages that have stopped something."""
        self._telling = 0
        """Strangers who are told of just now."""
        self._known: Recent[tuple[int, int], _KnownMessage] = Recent()
        self._following: dict[tuple[int, int], asyncio.Task[None]] = {}

    def read(self, update: telegram.Update, username: str) -> CommandLine:
        """The line that was said to us or pressed; empty if it is neither."""
        return read(self._commands, text_of(update, username))

    async def answer(
        self,
        update: telegram.Update,
        said: CommandLine,
        line: UpdateQueue,
        *,
        pressed_after: datetime | None,
    ) -> None:
        """*pressed_after*: a press in it is not older; None: nobody knows how old it is."""
        if UNREADABLE in update.api_kwargs:
            await self._pass_over(update.api_kwargs[UNREADABLE], line)
        elif update.callback_query is not None:
            await self._press(update.callback_query, said, update.update_id, line, pressed_after)
        elif (message := update.message or update.edited_message) is not None:
            await self._text(message, said, update.update_id, line)

    def role_of(self, user: str) -> Role | None:
        """None: a stranger."""
        return self._people.role(user)

    def end(self) -> list[asyncio.Task[None]]:
        """Follow no message any longer; return what is about to end."""
        tasks = [*self._following.values()]
        for task in tasks:
            task.cancel()
        return tasks

    # -- texts ----------------------------------------------------------------------------

    async def _text(
        self, message: telegram.Message, said: CommandLine, update_id: int, line: UpdateQueue
    ) -> None:
        if message.migrate_to_chat_id is not None:
            if self._is_listed(message.chat.id):
                await self._moves.add(message.chat.id, message.migrate_to_chat_id)
            return
        user = message.from_user
        if user is None or not words_for_us(message, line.username):
            return
        place, source = self._place(message), _source(message)
        if message.sender_chat is not None:
            await self._nameless(said, place, line)
        elif user.is_bot or message.via_bot is not None:
            return
        elif source is not None and not is_heard(said, source):
            await self._not_from(source, said, self._caller(user, place), place, line)
        elif not (message.edit_date and self._has_braked(message)):
            await self._said_by(user, said, place, message, update_id, line)

    async def _said_by(
        self,
        user: telegram.User,
        said: CommandLine,
        place: ChatPlace,
        message: telegram.Message,
        update_id: int,
        line: UpdateQueue,
    ) -> None:
        caller = self._caller(user, place)
        if caller is None:
            await self._unauthorized(user, place)
            return
        if said.instant:
            self._braked.keep((message.chat.id, message.message_id), None)
        to = message.message_id if place.chat < 0 else None
        key = f"{NAME}:update:{update_id}"
        spoken = Message(caller, said.text, message.date, key, line=said)
        shown = OnScreen(line.answers, place, asked=asked(spoken), to=to)
        reply = await tell(line.on_message(spoken), shown, self._clock)
        self._note(shown.post, looks=not said.acts)
        self._go_on(reply, shown, line)

    def _has_braked(self, message: telegram.Message) -> bool:
        """An old stop whose words are mended does not stop again."""
        return (message.chat.id, message.message_id) in self._braked

    async def _not_from(
        self,
        source: Source,
        said: CommandLine,
        caller: Caller | None,
        place: ChatPlace,
        line: UpdateQueue,
    ) -> None:
        """Tell whoever may command why nothing happens; nothing, where no command was meant."""
        meant = said.command is not None
        if caller is not None and meant and self._told_lately.admit(f"{caller.user} {place}"):
            await line.answers.post(place, only_a_stop(source))

    async def _nameless(self, said: CommandLine, place: ChatPlace, line: UpdateQueue) -> None:
        """Whoever writes as the group, or a channel, cannot be known: here alone that is said."""
        meant = said.command is not None
        if meant and self._is_listed(place.chat) and self._told_lately.admit(f"nameless {place}"):
            await line.answers.post(place, nameless())

    # -- presses --------------------------------------------------------------------------

    async def _press(
        self,
        query: telegram.CallbackQuery,
        said: CommandLine,
        update_id: int,
        line: UpdateQueue,
        pressed_after: datetime | None,
    ) -> None:
        if query.message is None or not query.data:
            return
        place = self._place(query.message)
        caller = self._caller(query.from_user, place)
        if caller is None:
            await self._unauthorized(query.from_user, place)
            return
        pressed = self._pressed(query, said, caller, place, update_id, pressed_after)
        answer = asyncio.ensure_future(line.on_message(pressed))
        with suppress(TimeoutError):
            await within(self._clock, TOAST_WAIT, asyncio.shield(answer))
        if answer.done() and is_refusal(answer.result()):
            await self._refuse(query, place, pressed, answer.result(), line)
            return
        toast = asyncio.ensure_future(line.answers.toast(query.id))
        await self._answer_press(query, place, pressed, said, answer, line)
        await toast

    def _pressed(
        self,
        query: telegram.CallbackQuery,
        said: CommandLine,
        caller: Caller,
        place: ChatPlace,
        update_id: int,
        pressed_after: datetime | None,
    ) -> Message:
        """The line that a press stands for."""
        message, update = query.message, f"update:{update_id}"
        assert message is not None  # noqa: S101  # looked at by the caller
        sent_at = self._earliest(message, pressed_after)
        key = press_id(
            said,
            message=f"{place.chat}|{message.message_id}",
            user=str(query.from_user.id),
            update=update,
        )
        if self._clock.now() - sent_at > FRESH:
            key = update  # it may be refused for that, and is then pressed once more
        return Message(caller, said.text, sent_at, f"{NAME}:{key}", timed=False, line=said)

    async def _answer_press(
        self,
        query: telegram.CallbackQuery,
        place: ChatPlace,
        pressed: Message,
        said: CommandLine,
        answer: Awaitable[Reply],
        line: UpdateQueue,
    ) -> None:
        message = query.message
        assert message is not None  # noqa: S101  # looked at by the caller
        known = self._known.get((place.chat, message.message_id))
        looks = known is not None and known.looks
        label = _label(message, said.text)
        if edits_in_place(said, label, looks=looks):
            post = known.post if known else _a_post(place, message)
            self._leave(post)
            shown = OnScreen(line.answers, place, asked=asked(pressed), post=post)
        else:
            looks = not said.acts
            shown = OnScreen(line.answers, place, asked=asked(pressed), to=message.message_id)
        reply = await tell(answer, shown, self._clock)
        self._note(shown.post, looks=looks)
        self._go_on(reply, shown, line)
        if said.acts and not is_refusal(reply):
            await line.answers.set_buttons(place, message.message_id, ())

    async def _refuse(
        self,
        query: telegram.CallbackQuery,
        place: ChatPlace,
        pressed: Message,
        reply: Reply,
        line: UpdateQueue,
    ) -> None:
        """A toast; a message if it asks something, or comes too late for one.

        The buttons that were pressed stay; used-up ones are replaced.
        """
        message = query.message
        assert message is not None  # noqa: S101  # looked at by the caller
        if reply.asks and reply.choices and not reply.withheld:
            await line.answers.toast(query.id)
            shown = OnScreen(line.answers, place, asked=asked(pressed), to=message.message_id)
            await shown.show(reply)
            self._note(shown.post, looks=True)
        elif not await line.answers.toast(query.id, reply) and not reply.withheld:
            await line.answers.post(place, reply, to=message.message_id)
        if is_spent(reply):
            await line.answers.set_buttons(place, message.message_id, reply.choices)

    def _earliest(
        self, message: telegram.MaybeInaccessibleMessage, pressed_after: datetime | None
    ) -> datetime:
        """A press is younger than its message, and than the end of the last poll but one.

        Where neither is known, or our clock is behind, it is too old for what loosens or spends.
        """
        now = self._clock.now()
        posted = [message.date] if message.is_accessible and message.date <= now else []
        known = [*posted, *([pressed_after] if pressed_after is not None else [])]
        return max(known, default=now - FRESH - timedelta(seconds=1))

    # -- what cannot be read --------------------------------------------------------------

    async def _pass_over(self, speaker: Mapping[str, int], line: UpdateQueue) -> None:
        """Tell whoever said it, if they may command here: it may have been a stop."""
        if not speaker:
            return
        place = ChatPlace(self._moves.known_as(speaker["chat"]))
        caller = self._caller_by(speaker["user"], "", place)
        if caller is not None and self._told_lately.admit(f"{caller.user} {place}"):
            await line.answers.post(place, not_read(self._commands, caller.role))

    # -- who and where --------------------------------------------------------------------

    def _place(self, message: telegram.MaybeInaccessibleMessage) -> ChatPlace:
        topic = None
        if message.is_accessible and getattr(message, "is_topic_message", False):
            topic = getattr(message, "message_thread_id", None)
        return ChatPlace(self._moves.known_as(message.chat.id), topic)

    def _is_listed(self, chat: int) -> bool:
        return str(self._moves.known_as(chat)) in self._groups

    def _caller(self, user: telegram.User, place: ChatPlace) -> Caller | None:
        """None: a stranger, or a group that is none of ours."""
        return self._caller_by(user.id, user.first_name or user.username or "", place)

    def _caller_by(self, user: int, name: str, place: ChatPlace) -> Caller | None:
        number = str(user)
        role = self._people.role(number)
        if role is None or (place.chat < 0 and not self._is_listed(place.chat)):
            return None
        return Caller(
            user=f"{NAME}:{number}",
            name=self._people.called(number, name),
            role=role,
            place=TITLE,
            chat=f"{NAME}:{place}",
            edits=True,
            shared=place.chat < 0,
        )

    async def _unauthorized(self, user: telegram.User, place: ChatPlace) -> None:
        if self._telling >= MOST_REPORTS:
            return
        known = self._people.role(str(user.id)) is not None
        self._telling += 1
        try:
            await self._on_unauthorized(TITLE, str(place.chat if known else user.id))
        finally:
            self._telling -= 1

    # -- messages that live on ------------------------------------------------------------

    def _note(self, post: TelegramPost | None, *, looks: bool) -> None:
        if post is None:
            return
        for number in post.ids:
            self._known.keep((post.place.chat, number), _KnownMessage(post, looks))

    def _go_on(self, reply: Reply, shown: OnScreen, line: UpdateQueue) -> None:
        """Show what comes after the answer, until a press takes the message's place."""
        if reply.then is None or shown.post is None:
            return
        key = (shown.post.place.chat, shown.post.ids[0])
        redrawn = Redrawn(line.later, shown.post)
        task = asyncio.get_running_loop().create_task(quietly(follow(reply, redrawn)))
        self._following[key] = task
        task.add_done_callback(lambda done: self._followed(key, done))

    def _followed(self, key: tuple[int, int], done: asyncio.Task[None]) -> None:
        if self._following.get(key) is done:
            del self._following[key]

    def _leave(self, post: TelegramPost) -> None:
        task = self._following.pop((post.place.chat, post.ids[0]), None)
        if task is not None:
            task.cancel()


def text_of(update: telegram.Update, username: str) -> str:
    """What was said to us or pressed; empty if it is neither."""
    if update.callback_query is not None:
        return update.callback_query.data or ""
    said = update.message or update.edited_message
    return words_for_us(said, username) if said is not None else ""


def chat_of(update: telegram.Update) -> int | None:
    """Where something was said or pressed."""
    pressed = update.callback_query.message if update.callback_query is not None else None
    said = update.message or update.edited_message or pressed
    return said.chat.id if said is not None else None


async def quietly(work: Awaitable[Any]) -> None:
    """Let *work* fail without harm: words of ours, no words of theirs, reach the log."""
    try:
        await work
    except Folded:
        log.info("Telegram: an answer was folded: too much was asked there")
    except (TelegramFailed, Throttled) as failure:
        log.info("Telegram: an answer did not arrive: %s", failure)
    except Exception:
        log.exception("Telegram: an update was not answered")


def words_for_us(message: telegram.Message, username: str) -> str:
    """What is said to us: all in private; in a group a command to us or to nobody by name.

    There, plain words that are addressed to us are taken for a stop, if they are one (`_source`).
    """
    text = message.text or message.caption or ""
    if message.chat.type == "private":
        return text
    if message.chat.type not in ("group", "supergroup") or not text.strip():
        return ""
    if is_slashed(text):
        return text if named_in(text) in ("", username.lower()) else ""
    us, words = f"@{username}".lower(), text.split()
    if words[0].lower() == us:
        return text.strip()[len(us) :].strip()
    if words[-1].lower() == us:
        return text.strip()[: -len(us)].strip()
    replied = message.reply_to_message
    author = replied.from_user.username if replied and replied.from_user else None
    # People also talk about what we say: “stop was too tight” stops nothing, “stop” does.
    return text if author == username and len(text.split()) == 1 else ""


def _source(message: telegram.Message) -> Source | None:
    """Where its words come from; None: they were said just so."""
    if message.forward_origin is not None:
        return Source.FORWARD
    if message.edit_date is not None:
        return Source.EDIT
    if not message.text:
        return Source.CAPTION
    in_group = message.chat.type != "private"
    return Source.PLAIN if in_group and not is_slashed(message.text) else None


def _label(message: telegram.MaybeInaccessibleMessage, text: str) -> str:
    markup = getattr(message, "reply_markup", None)
    buttons = (b for row in markup.inline_keyboard for b in row) if markup else ()
    return next((b.text for b in buttons if b.callback_data == text), "")


def _a_post(place: ChatPlace, message: telegram.MaybeInaccessibleMessage) -> TelegramPost:
    """A message of which only this much is known: it was posted before we started."""
    return TelegramPost(place, (message.message_id,), photo=bool(getattr(message, "photo", ())))
