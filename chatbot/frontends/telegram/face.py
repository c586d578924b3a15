"""Telegram: long polling, answers that edit in place, alerts, and the "/" menu.

The loop that polls is our own (docs/decisions/0012-telegram-long-poll.md): it never gives up, and
it knows when a poll ended.  A press of a button carries no time; all that is certain is that it
is younger than the end of the last poll that left nothing waiting.  That moment counts as when it
was said, so that what was pressed before an outage is old after it.

The library and its connections load in a thread at first use; nothing here waits for Telegram
before the desk has started.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from chatbot.delivery.budget import ChatBudget, Rate
from chatbot.delivery.waiting import Throttled
from chatbot.frontends.shares import PersonShare, Shares, not_heard
from chatbot.frontends.talk import OnUnauthorized, People, Recent, not_answered
from chatbot.frontends.telegram.connection import (
    OFFICIAL,
    Polling,
    TelegramConnection,
    TelegramFlood,
    connect,
)
from chatbot.frontends.telegram.failures import (
    SecondPoller,
    TelegramFailed,
    TokenRefused,
    Unreadable,
    failure_of,
)
from chatbot.frontends.telegram.hearing import (
    FAREWELL,
    NAME,
    TITLE,
    UpdateAnswers,
    UpdateQueue,
    chat_of,
    quietly,
)
from chatbot.frontends.telegram.menu import Menu
from chatbot.frontends.telegram.offsets import Offset
from chatbot.frontends.telegram.places import READ, ChatPlace, Moves
from chatbot.frontends.telegram.posting import Poster, TelegramPost
from chatbot.ports import Notes, OnMessage, Pictures
from handlers.caller import Role
from handlers.command import Commands
from handlers.format import clock_time
from handlers.reply import Level, Priority, Reply
from trading.clocks import Clock
from trading.common.tasks import Tasks, turns
from trading.errors import StoreError

if TYPE_CHECKING:
    import telegram
    from telegram import Bot

log = logging.getLogger(__name__)

HEARD = ("message", "edited_message", "callback_query")
PAGE = 100
"""Updates that one poll brings at most."""
LONG_SILENCE = 5 * 86_400.0
"""Seconds after which the count of updates is forgotten: after a week they are numbered anew.

All of them were confirmed by then.  Source: https://core.telegram.org/bots/api#update
"""
BAN = 600.0
"""Seconds of refused requests from which on it is called a ban."""
TURNS = 12
"""Of the loop, that those who spoke have before the next poll is made: a look is answered in so
many, and need not wait for that."""
TRIES = 5
"""How often an answer is sent before it is given up; alerts are repeated by the outbox."""


class Telegram:
    """The Telegram face: a `ChatPlatform`.  *groups*: the ids of groups in which it answers."""

    name = NAME
    title = TITLE

    def __init__(
        self,
        *,
        token: str,
        people: People,
        groups: frozenset[str],
        commands: Commands,
        clock: Clock,
        pictures: Pictures,
        notes: Notes,
        on_unauthorized: OnUnauthorized,
        base_url: str = OFFICIAL,
        flood: TelegramFlood | None = None,
        polling: Polling | None = None,
    ) -> None:
        self._token = token
        self._commands = commands
        self._clock = clock
        self._pictures = pictures
        self._base_url = base_url.rstrip("/")
        self._flood = flood or TelegramFlood()
        self._polling = polling or Polling()
        self._moves = Moves(notes)
        self._budget = _budget(clock, self._flood, self._tell_of_folded)
        self._menu = Menu(
            commands=commands, chats=_menus(people, groups), notes=notes, moves=self._moves
        )
        self._heard = UpdateAnswers(
            people=people,
            groups=groups,
            commands=commands,
            clock=clock,
            on_unauthorized=on_unauthorized,
            moves=self._moves,
        )
        self._connection: TelegramConnection | None = None
        self._opening = asyncio.Lock()
        self._trouble = "it has not answered yet"
        self._refused_until = 0.0
        """Monotonic."""
        self._refusal = ""
        """The same in words.  They name the moment: a countdown would be news at every look."""
        self._username = ""
        self._offset = Offset()
        self._silent_since = clock.monotonic()
        self._emptied_at: datetime | None = None
        """When the last poll ended after which nothing waited."""
        self._succeeded = False
        """The last poll did: the next one may be held open."""
        self._seen: Recent[int, None] = Recent()
        self._stories: Recent[tuple[str, str], TelegramPost] = Recent()
        self._answering = Tasks()
        self._shares = Shares(self._answering)
        self._housework = Tasks()

    @property
    def problem(self) -> str:
        if self._trouble or self._clock.monotonic() >= self._refused_until:
            return self._trouble
        return self._refusal

    # -- speaking -------------------------------------------------------------------------

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        """Say *reply* in *chat*: `111`, `-100123`, `-100123/5`.

        Raises `Throttled`, or a `TelegramFailed` when it may not have arrived.
        """
        alerts = self._poster(await self._opened(), tries=1, is_patient=False)
        story = (chat, reply.story)
        before = self._stories.get(story) if reply.story else None
        if before is not None and reply.level < Level.URGENT:
            post = await alerts.edit(before, reply)
        else:
            post = await alerts.post(ChatPlace.parse(chat), reply, silent=silent)
        if reply.story:
            self._stories.keep(story, post)

    # -- hearing --------------------------------------------------------------------------

    async def run(self, on_message: OnMessage) -> None:
        """Listen until cancelled, however long Telegram is away."""
        try:
            await self._listen(on_message)
        finally:
            await self._part()
            await self.close()

    async def close(self) -> None:
        """Hang up; whoever sends afterwards connects again."""
        async with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.gather(*(each.shutdown() for each in connection.requests))

    async def _listen(self, on_message: OnMessage) -> None:
        bot = await self._opened()
        delay = self._polling.first_delay
        while True:
            began = self._clock.monotonic()
            failure = await self._round(bot, on_message)
            if failure is None:
                delay = self._polling.first_delay
                continue
            wait = self._failed(failure, delay)
            if not isinstance(failure, Throttled):  # a poll that hung has been waited for already
                wait = max(0.0, wait - (self._clock.monotonic() - began))
            await self._clock.sleep(wait)
            delay = min(delay * 2, self._longest_delay(failure))

    async def _round(self, bot: Bot, on_message: OnMessage) -> TelegramFailed | Throttled | None:
        """Poll once and begin to answer; return what went wrong."""
        from telegram.error import TelegramError

        try:
            await self._greet(bot)
            updates = await self._poll(bot)
        except TelegramError as error:
            return failure_of(error)
        except Exception as error:  # noqa: BLE001  # an answer as the library has never seen one
            log.error("Telegram: an answer could not be read: %s", type(error).__name__)  # noqa: TRY400  # the trace holds it
            return Unreadable()
        self._take_in(bot, updates, on_message)
        await turns(TURNS if updates else 0)
        return Unreadable() if self._offset.doubted else None

    def _longest_delay(self, failure: TelegramFailed | Throttled) -> float:
        by_name = isinstance(failure, SecondPoller | TokenRefused)
        return self._polling.longest_refusal if by_name else self._polling.longest_delay

    async def _greet(self, bot: Bot) -> None:
        """Learn our own name, and make sure that updates come here and not to a webhook."""
        if self._username:
            return
        await bot.delete_webhook()
        self._username = (await bot.get_me()).username or ""
        self._keep_menu(bot)

    async def _poll(self, bot: Bot) -> Sequence[telegram.Update]:
        # Held open only after a success: what waited through an outage is not mistaken for new.
        wait = self._polling.wait if self._succeeded else 0
        self._succeeded = False
        beyond = min(self._polling.answer, self._polling.longest - wait)
        updates = await bot.get_updates(self._offset.next, PAGE, wait, HEARD, read_timeout=beyond)
        self._trouble, self._succeeded = "", True
        if updates:
            self._silent_since = self._clock.monotonic()
        elif self._clock.monotonic() - self._silent_since > LONG_SILENCE:
            self._offset = Offset()
        return [update.api_kwargs.get(READ, update) for update in updates]

    def _failed(self, failure: TelegramFailed | Throttled, delay: float) -> float:
        """Note what is wrong; return the seconds until the next try."""
        if isinstance(failure, Throttled):
            self._throttled(failure.retry_after)
            self._trouble = ""
            return failure.retry_after
        if failure.words != self._trouble:
            log.warning("Telegram: %s", failure.words)
        self._trouble = failure.words
        if isinstance(failure, SecondPoller):
            self._username = ""  # or somebody has set a webhook: it is taken away again
        return delay

    def _throttled(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        if until <= self._refused_until:
            return
        self._refused_until = until
        moment = clock_time(self._clock.now() + timedelta(seconds=seconds))
        what = "it refuses too many requests" if seconds < BAN else "it has banned the bot"
        self._refusal = f"{what} until {moment} UTC"

    def _take_in(self, bot: Bot, updates: Sequence[telegram.Update], on_message: OnMessage) -> None:
        line = UpdateQueue(
            on_message=on_message,
            answers=self._poster(bot, tries=TRIES),
            later=self._poster(bot, tries=math.inf),
            username=self._username,
        )
        pressed_after = self._emptied_at
        if len(updates) < PAGE:
            self._emptied_at = self._clock.now()
        self._offset = self._offset.after([update.update_id for update in updates])
        for update in updates:
            if update.update_id in self._seen:
                continue
            self._seen.keep(update.update_id, None)
            self._answer(update, line, pressed_after)
        if {chat_of(update) for update in updates} & self._menu.missing:
            self._keep_menu(bot)

    def _answer(
        self, update: telegram.Update, line: UpdateQueue, pressed_after: datetime | None
    ) -> None:
        """Begin to answer *update*, unless its sender has too many answers under way."""
        user = update.effective_user
        person = str(user.id) if user is not None else ""
        role = self._heard.role_of(person)
        said = self._heard.read(update, line.username)
        room = self._shares.room(person, role, said)
        if room is PersonShare.DROPPED:
            return
        if room is PersonShare.TOLD:
            line = replace(line, on_message=not_heard)
        answer = self._heard.answer(update, said, line, pressed_after=pressed_after)
        self._shares.start(person, role, quietly(answer), name=NAME)

    # -- our own affairs ------------------------------------------------------------------

    def _keep_menu(self, bot: Bot) -> None:
        if not self._housework:
            self._housework.start(quietly(self._make_menu(bot)), name=NAME)

    async def _make_menu(self, bot: Bot) -> None:
        while True:
            wait = self._polling.longest_delay
            try:
                await self._menu.bring_up_to_date(bot, self._poster(bot, tries=TRIES))
                return
            except Throttled as told:
                wait = told.retry_after
            except (TelegramFailed, StoreError) as failure:
                log.info("Telegram: the menu waits: %s", failure)
            await self._clock.sleep(wait)

    def _tell_of_folded(self, chat: int) -> None:
        self._answering.start(quietly(self._say_folded(chat)), name=NAME)

    async def _say_folded(self, chat: int) -> None:
        """Say once, after those that are answered, how many looks were not."""
        poster = self._poster(await self._opened(), tries=TRIES)
        await self._budget.turn(chat, Priority.LOOK)
        most, seconds = self._flood.group_rate, self._flood.group_seconds
        words = not_answered(self._budget.dropped(chat), most, seconds)
        await poster.post(ChatPlace(chat), words, is_paid=True)

    def _poster(self, bot: Bot, *, tries: float, is_patient: bool = True) -> Poster:
        return Poster(
            bot=bot,
            clock=self._clock,
            pictures=self._pictures,
            moves=self._moves,
            budget=self._budget,
            on_throttled=self._throttled,
            tries=tries,
            is_patient=is_patient,
        )

    async def _opened(self) -> Bot:
        """The library and its connections, made in a thread at the first use."""
        async with self._opening:
            if self._connection is None:
                make = partial(connect, self._token, self._base_url, self._polling)
                self._connection = await asyncio.to_thread(make)
            await self._moves.load()
            return self._connection.bot

    async def _part(self) -> None:
        if self._answering:
            await asyncio.wait(self._answering, timeout=FAREWELL)
        tasks = [*self._heard.end(), *self._answering, *self._housework]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._budget.close()


def _budget(clock: Clock, flood: TelegramFlood, on_folded: Callable[[int], None]) -> ChatBudget:
    overall = Rate(flood.overall_rate, flood.overall_seconds, halves_looks=False)
    in_group = Rate(flood.group_rate, flood.group_seconds)
    return ChatBudget(
        clock=clock,
        overall=overall,
        of_place=lambda chat: in_group if chat < 0 else overall,
        on_folded=on_folded,
    )


def _menus(people: People, groups: frozenset[str]) -> Mapping[int, Role]:
    """In a group anybody may look; whoever may do more knows what to type."""
    own = {int(user): role for user, role in people.users.items()}
    return own | {int(group): Role.VIEWER for group in groups}
