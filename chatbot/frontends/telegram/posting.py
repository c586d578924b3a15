"""Messages of Telegram: how a reply is posted and edited, as often as that takes."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from chatbot.delivery.budget import ChatBudget
from chatbot.delivery.waiting import Throttled
from chatbot.frontends.talk import AskedMessage, drawn, without_picture
from chatbot.frontends.telegram.failures import (
    GroupMoved,
    MarkupRefused,
    MessageGone,
    NoTelegramAnswer,
    NotInChat,
    NotModified,
    TelegramFailed,
    TokenRefused,
    TooLong,
    Unreadable,
    failure_of,
)
from chatbot.frontends.telegram.places import ChatPlace, Moves
from chatbot.ports import Pictures
from chatbot.render.html import CAPTION_LIMIT, LIMIT, caption, html, rows, unmarked
from chatbot.render.plain import body, title
from handlers.reply import Choice, Priority, Reply
from trading.clocks import Clock

if TYPE_CHECKING:
    from telegram import Bot, InlineKeyboardMarkup

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds that an answer waits when told to; after more nobody waits for it."""
LONGEST_DELAY = 30.0
"""Seconds between two tries, at most."""
TOAST, TOAST_LINE = 200, 60
"""Characters that a toast takes, and those that can be read before it goes by itself."""
_SMALLEST = 8
"""Texts are made that much shorter, and no more, where they are said to be too long."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TelegramPost:
    """A reply in a chat: one message, or several where one would be too long."""

    place: ChatPlace
    ids: tuple[int, ...]
    photo: bool = False
    """The first one is a picture; it has the buttons.  Else the last one has them."""


@dataclass(frozen=True, slots=True)
class _Style:
    """How a reply is written: ever plainer and shorter, until it is taken."""

    marked: bool = True
    divisor: int = 1
    buttons: bool = True

    def plainer(self, refusal: TelegramFailed) -> _Style:
        """Raises *refusal* when there is nothing left to try."""
        if isinstance(refusal, MarkupRefused) and self.marked:
            return replace(self, marked=False)
        if isinstance(refusal, TooLong) and self.divisor < _SMALLEST:
            return replace(self, divisor=self.divisor * 2)
        if _is_unclear(refusal) and self.buttons:
            return replace(self, marked=False, buttons=False)
        raise refusal


@dataclass(frozen=True, slots=True)
class _Page:
    """One message as it will be sent."""

    text: str
    mode: str | None
    choices: tuple[Choice, ...] = ()
    picture: bytes | None = None


@dataclass(slots=True)
class _SendTicket:
    """How what is said waits its turn: each message of it, and each edit."""

    priority: int
    who: str = ""
    about: Hashable | None = None
    is_patient: bool = True
    """It waits; else its first message goes at once, or not at all (`Crowded`)."""
    is_paid: bool = False
    """Its first message has had its turn."""
    began: bool = False

    async def admit(self, budget: ChatBudget, chat: int) -> None:
        """Raises `Crowded` or `Folded`; what has begun is neither refused nor folded."""
        if self.is_paid:
            self.is_paid = False
        elif self.began:
            await budget.turn(chat, self.priority)
        elif self.is_patient:
            await budget.turn(chat, self.priority, who=self.who, about=self.about)
        else:
            budget.take(chat, self.priority)
        self.began = True


class Poster:
    """Posts and edits; tries so often before it gives up, and waits longer each time.

    An answer to a stop is never given up.  *is_patient*: waits its turn in *budget*; else raises
    `Crowded` if it is not its turn.  *on_throttled* hears how many seconds Telegram refuses
    requests.
    """

    def __init__(
        self,
        *,
        bot: Bot,
        clock: Clock,
        pictures: Pictures,
        moves: Moves,
        budget: ChatBudget,
        on_throttled: Callable[[float], None],
        tries: float,
        is_patient: bool = True,
    ) -> None:
        self._bot = bot
        self._clock = clock
        self._pictures = pictures
        self._moves = moves
        self._budget = budget
        self._is_patient = is_patient
        self._on_throttled = on_throttled
        self._tries = tries

    async def post(
        self,
        place: ChatPlace,
        reply: Reply,
        *,
        silent: bool = True,
        to: int | None = None,
        asked: AskedMessage | None = None,
        is_patient: bool = True,
        is_paid: bool = False,
    ) -> TelegramPost:
        """Say *reply* in *place*, as an answer to the message *to*.

        *asked*: by whom, and what.  *is_paid*: the budget has been asked.  Raises `Throttled`,
        `Folded`, or `TelegramFailed` when it may not have arrived.
        """
        reply, picture = await drawn(reply, self._pictures)
        who, about = (asked.who, asked) if asked is not None else ("", None)
        is_patient = self._is_patient and is_patient
        ticket = _SendTicket(reply.priority, who, about, is_patient, is_paid)
        return await self._new(place, reply, picture, ticket, silent=silent, to=to)

    async def edit(
        self,
        post: TelegramPost,
        reply: Reply,
        *,
        priority: int | None = None,
        is_patient: bool = True,
    ) -> TelegramPost:
        """Put *reply* in the place of *post*, silently.  Raises as `post` does.

        *priority*: None, its own.  A text does not become a picture, nor the other way round: then
        the old message is deleted, and a new one said.
        """
        reply, picture = await drawn(reply, self._pictures)
        priority = reply.priority if priority is None else priority
        is_patient = self._is_patient and is_patient
        ticket = _SendTicket(priority, about=post.ids[0], is_patient=is_patient)
        if post.photo != (picture is not None):
            await self._delete(post.place, post.ids)
            return await self._new(post.place, reply, picture, ticket)

        async def write(pages: Sequence[_Page]) -> TelegramPost:
            for number, page in zip(post.ids, pages, strict=False):
                await self._edit(post.place, number, page, ticket)
            kept = post.ids[: len(pages)]
            await self._delete(post.place, post.ids[len(pages) :])
            more = [await self._send(post.place, p, ticket) for p in pages[len(kept) :]]
            return replace(post, ids=(*kept, *more))

        try:
            return await self._in_some_style(reply, picture, write)
        except TelegramFailed as failure:
            if not isinstance(failure, MessageGone) and not _is_unclear(failure):
                raise
        return await self._new(post.place, reply, picture, ticket)

    async def act(self, place: ChatPlace, what: str) -> None:
        """Show for some seconds that something is under way: `typing`, `upload_photo`."""
        with suppress(TelegramFailed, Throttled):
            await self._ask(
                place,
                lambda chat: self._bot.send_chat_action(
                    chat_id=chat, action=what, message_thread_id=place.topic
                ),
            )

    async def set_buttons(self, place: ChatPlace, message: int, choices: Sequence[Choice]) -> None:
        """Replace the buttons below *message*.  That it is gone is no failure."""
        with suppress(NotModified, MessageGone):
            await self._ask(
                place,
                lambda chat: self._bot.edit_message_reply_markup(
                    chat_id=chat, message_id=message, reply_markup=_keyboard(choices)
                ),
                _SendTicket(Priority.NEWS, about=("buttons", message)),
            )

    async def toast(self, query: str, reply: Reply | None = None) -> bool:
        """End the wait of a press, with words to whoever pressed.  False: it is too late."""
        words = _toast(reply, self._clock.now()) if reply else None
        alert = words is not None and len(words) > TOAST_LINE
        try:
            await self.ask(
                lambda: self._bot.answer_callback_query(query, words, show_alert=alert or None)
            )
        except (TelegramFailed, Throttled):
            return False
        return True

    # -- inside

    async def _new(
        self,
        place: ChatPlace,
        reply: Reply,
        picture: bytes | None,
        ticket: _SendTicket,
        *,
        silent: bool = True,
        to: int | None = None,
    ) -> TelegramPost:
        """Its words alone where the picture is what is refused: groups may forbid pictures."""

        async def write(pages: Sequence[_Page]) -> TelegramPost:
            sent: list[int] = []
            try:
                for page in pages:
                    number = await self._send(place, page, ticket, silent=silent, to=to)
                    sent.append(number)
            except TelegramFailed as failure:
                if isinstance(failure, MarkupRefused | TooLong) or _is_unclear(failure):
                    await self._delete(place, sent)
                raise
            return TelegramPost(place, tuple(sent), photo=picture is not None)

        try:
            return await self._in_some_style(reply, picture, write)
        except TelegramFailed as failure:
            barred = isinstance(failure, NotInChat) or _is_unclear(failure)
            if picture is None or not barred:
                raise
        log.warning("Telegram took no picture; its words go out alone")
        words = without_picture(reply)
        return await self._new(place, words, None, ticket, silent=silent, to=to)

    async def _in_some_style(
        self,
        reply: Reply,
        picture: bytes | None,
        write: Callable[[Sequence[_Page]], Awaitable[TelegramPost]],
    ) -> TelegramPost:
        style = _Style()
        while True:
            try:
                return await write(self._pages(reply, picture, style))
            except TelegramFailed as refusal:
                style = style.plainer(refusal)

    def _pages(self, reply: Reply, picture: bytes | None, style: _Style) -> list[_Page]:
        texts = self._texts(reply, style, photo=picture is not None)
        mode = "HTML" if style.marked else None
        pages = [_Page(text, mode) for text in texts]
        with_buttons = -1 if picture is None else 0
        pages[0] = replace(pages[0], picture=picture)
        choices = reply.choices if style.buttons else ()
        pages[with_buttons] = replace(pages[with_buttons], choices=choices)
        return pages

    def _texts(self, reply: Reply, style: _Style, *, photo: bool) -> list[str]:
        now = self._clock.now()
        limit = LIMIT // style.divisor
        if style.marked and photo:
            return caption(reply, now=now, limit=CAPTION_LIMIT // style.divisor)
        if style.marked:
            return html(reply, now=now, limit=limit)
        if photo:
            limit = CAPTION_LIMIT // style.divisor
        return unmarked(replace(reply, chart=None), now=now, limit=limit)

    async def _send(
        self,
        place: ChatPlace,
        page: _Page,
        ticket: _SendTicket,
        *,
        silent: bool = True,
        to: int | None = None,
    ) -> int:
        from telegram import LinkPreviewOptions, ReplyParameters

        common: dict[str, Any] = {
            "message_thread_id": place.topic,
            "parse_mode": page.mode,
            "reply_markup": _keyboard(page.choices),
            "disable_notification": silent,
            "reply_parameters": to and ReplyParameters(to, allow_sending_without_reply=True),
        }

        async def call(chat: int) -> int:
            if page.picture is not None:
                photo = await self._bot.send_photo(chat, page.picture, caption=page.text, **common)
                return photo.message_id
            quiet = LinkPreviewOptions(is_disabled=True)
            text = await self._bot.send_message(
                chat, page.text, link_preview_options=quiet, **common
            )
            return text.message_id

        return await self._ask(place, call, ticket)

    async def _edit(self, place: ChatPlace, number: int, page: _Page, ticket: _SendTicket) -> None:
        from telegram import InputMediaPhoto, LinkPreviewOptions

        where: dict[str, Any] = {"message_id": number, "reply_markup": _keyboard(page.choices)}

        def call(chat: int) -> Awaitable[object]:
            if page.picture is not None:
                media = InputMediaPhoto(page.picture, caption=page.text, parse_mode=page.mode)
                return self._bot.edit_message_media(media, chat_id=chat, **where)
            return self._bot.edit_message_text(
                page.text,
                chat_id=chat,
                parse_mode=page.mode,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                **where,
            )

        with suppress(NotModified):
            await self._ask(place, call, ticket)

    async def _delete(self, place: ChatPlace, numbers: Sequence[int]) -> None:
        """Delete what can be: after 48 hours the platform lets messages stand."""
        for number in numbers:
            with suppress(TelegramFailed, Throttled):
                await self._ask(place, partial(self._bot.delete_message, message_id=number))

    async def _ask(
        self,
        place: ChatPlace,
        call: Callable[[int], Awaitable[_T]],
        ticket: _SendTicket | None = None,
    ) -> _T:
        """Make a request, in the group's new place if it has moved.

        *ticket*: None where it costs the chat no message.
        """
        try:
            return await self._try(lambda: call(self._moves.id_now(place.chat)), place, ticket)
        except GroupMoved as moved:
            await self._moves.add(place.chat, moved.new_id)
        return await self._try(lambda: call(self._moves.id_now(place.chat)), place, ticket)

    async def _try(
        self, call: Callable[[], Awaitable[_T]], place: ChatPlace, ticket: _SendTicket | None
    ) -> _T:
        if ticket is None:
            return await self.ask(call)

        async def in_turn() -> _T:
            await ticket.admit(self._budget, place.chat)
            return await call()

        def refused(seconds: float) -> None:
            self._budget.hold(place.chat, seconds)

        is_stop = ticket.priority >= Priority.STOP
        return await self.ask(in_turn, refused, tries=math.inf if is_stop else None)

    async def ask(
        self,
        call: Callable[[], Awaitable[_T]],
        on_refused: Callable[[float], None] | None = None,
        *,
        tries: float | None = None,
    ) -> _T:
        """Make a request, again and again where that helps, as often as this poster tries.

        *on_refused*: keeps it from being made too soon again, after so many seconds.
        """
        wait, left = 1.0, self._tries if tries is None else tries
        while True:
            failure = await self._failure_of(call)
            if not isinstance(failure, TelegramFailed | Throttled):
                return failure[0]
            left -= 1
            if isinstance(failure, Throttled):
                self._on_throttled(failure.retry_after)
                wait = failure.retry_after
                if on_refused is not None:
                    on_refused(wait)
            elif not isinstance(failure, NoTelegramAnswer | TokenRefused):
                raise failure
            if not left or (wait > LONGEST_WAIT and left < math.inf):
                raise failure
            if not (isinstance(failure, Throttled) and on_refused is not None):
                await self._clock.sleep(wait)
            wait = min(wait * 2, LONGEST_DELAY)

    async def _failure_of(
        self, call: Callable[[], Awaitable[_T]]
    ) -> TelegramFailed | Throttled | tuple[_T]:
        """What went wrong with *call*, or what it gave; `Crowded` and `Folded` go through."""
        from telegram.error import TelegramError

        try:
            return (await call(),)
        except TelegramError as error:
            return failure_of(error)
        except (AttributeError, KeyError, TypeError, ValueError):
            return Unreadable()  # no such answer was ever seen; it may have been done


def _is_unclear(failure: TelegramFailed) -> bool:
    """Refused for good, for a reason that `_REFUSALS` does not know; an alert must arrive."""
    return type(failure) is TelegramFailed


def _keyboard(choices: Sequence[Choice]) -> InlineKeyboardMarkup | None:
    from telegram import InlineKeyboardButton, InlineKeyboardMarkup

    if not choices:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(each.label, callback_data=each.command) for each in row]
            for row in rows(choices)
        ]
    )


def _toast(reply: Reply, now: datetime) -> str:
    words = "\n".join([title(reply), *body(replace(reply, chart=None), now=now)])
    return words if len(words) <= TOAST else f"{words[: TOAST - 1]}…"
