"""What nobody asked for, said on Discord: each alert once, and plainer where it is refused."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from chatbot.delivery.budget import ChatBudget, Crowded
from chatbot.frontends.discord.timeouts import FLOODED, ConnectTimeouts
from chatbot.frontends.talk import Recent
from handlers.reply import Level, Reply
from trading.clocks import Clock
from trading.common.tasks import within

if TYPE_CHECKING:
    import discord

    from chatbot.frontends.discord.connection import DiscordConnection
    from chatbot.frontends.discord.outgoing import OutgoingMessage

log = logging.getLogger(__name__)

_FORBIDDEN, _NOT_FOUND, _UNKNOWN_MESSAGE = 403, 404, 10_008

T = TypeVar("T")


class NotConnected(Exception):
    """Nobody is logged in; what is to be sent waits."""


class MayNotWrite(Exception):
    """The bot may not write to a channel, or there is no such channel."""


class AlertButtons:
    """Sends through whatever connection there is.

    *ready* returns once the first login has worked or failed; *client* is whoever is logged in,
    and *line* says what is wrong with the connection.
    """

    def __init__(
        self,
        *,
        ready: Callable[[], Awaitable[object]],
        client: Callable[[], DiscordConnection | None],
        line: Callable[[], str],
        compose: Callable[[Reply], Awaitable[tuple[OutgoingMessage, ...]]],
        budget: ChatBudget,
        clock: Clock,
        waits: ConnectTimeouts,
    ) -> None:
        self._ready, self._client, self._line = ready, client, line
        self._compose = compose
        self._budget = budget
        self._clock = clock
        self._waits = waits
        self._sending = ""
        """What is wrong with sending, as the last alert found; not what concerns one chat."""
        self._flooded_until = 0.0
        self._stories: Recent[tuple[str, str], int] = Recent()
        self._doubtful: dict[str, tuple[Reply, str]] = {}
        """What may have arrived, by chat, with the mark that keeps it from arriving twice."""
        self._rooms: dict[str, int] = {}
        """The channels of private messages, by user."""

    @property
    def problem(self) -> str:
        """What is wrong with sending; empty if nothing is."""
        flooded = self._clock.monotonic() < self._flooded_until
        return self._sending or (FLOODED if flooded else "")

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        """Deliver an alert to the channel `456`, or privately to the user `@111`.

        Raises `Throttled`, `MayNotWrite`, `NotConnected`, or what the library raises; `Crowded`
        where more important ones must have room.
        """
        # The first alert, that the desk has started, comes while it logs in.
        await self._within(self._ready())
        if self._client() is None:
            raise NotConnected(self._line())
        messages = await self._compose(reply)
        try:
            await self._delivered(chat, reply, messages, silent=silent)
        except Crowded:
            raise
        except Exception as error:  # noqa: BLE001  # told apart, and raised again
            raise self._as_told(chat, error) from None
        self._sending, self._flooded_until = "", 0.0
        self._doubtful.pop(chat, None)

    async def _delivered(
        self, chat: str, reply: Reply, messages: tuple[OutgoingMessage, ...], *, silent: bool
    ) -> None:
        from chatbot.frontends.discord.outgoing import plainer

        try:
            await self._deliver(chat, reply, messages, silent=silent)
        except Exception as error:
            less = plainer(messages, error)
            if less is None:
                raise
            log.warning("Discord refused an alert; it goes out plainer: %s", type(error).__name__)
            await self._deliver(chat, reply, less, silent=silent)

    async def _deliver(
        self, chat: str, reply: Reply, messages: tuple[OutgoingMessage, ...], *, silent: bool
    ) -> None:
        from chatbot.frontends.discord.failures import throttled

        channel = await self._channel(chat)
        self._budget.take(channel.id, reply.priority)
        try:
            await self._said(chat, channel, reply, messages, silent=silent)
        except Exception as error:
            if (told := throttled(error)) is not None:
                self._budget.hold(channel.id, told.retry_after)
            raise

    async def _said(
        self,
        chat: str,
        channel: discord.PartialMessageable,
        reply: Reply,
        messages: tuple[OutgoingMessage, ...],
        *,
        silent: bool,
    ) -> None:
        if await self._goes_on(chat, channel, reply, messages):
            return
        mark = self._mark(chat, reply)
        sent = []
        for number, outgoing in enumerate(messages):
            if number:
                await self._budget.turn(channel.id, reply.priority)
            given = outgoing.new(silent=silent)
            sent.append(await self._within(channel.send(**given, nonce=f"{mark}{number}")))
        if reply.story:
            self._stories.keep((chat, reply.story), sent[0].id)

    async def _goes_on(
        self,
        chat: str,
        channel: discord.PartialMessageable,
        reply: Reply,
        messages: tuple[OutgoingMessage, ...],
    ) -> bool:
        """Put it in the place of the story's last message; what needs a person is a new one."""
        message = self._stories.get((chat, reply.story))
        if message is None or reply.level >= Level.URGENT or len(messages) > 1:
            return False
        edit = channel.get_partial_message(message).edit(**messages[0].edit())
        try:
            await self._within(edit)
        except Exception as error:
            if getattr(error, "code", 0) == _UNKNOWN_MESSAGE:  # somebody deleted it
                return False
            raise
        return True

    def _mark(self, chat: str, reply: Reply) -> str:
        """Discord takes a message with the same mark once, within some minutes."""
        before = self._doubtful.get(chat)
        mark = before[1] if before is not None and before[0] == reply else secrets.token_hex(8)
        self._doubtful[chat] = (reply, mark)
        return mark

    async def _channel(self, chat: str) -> discord.PartialMessageable:
        client = self._client()
        if client is None:
            raise NotConnected(self._line())  # since a moment ago
        if not chat.startswith("@"):
            return client.get_partial_messageable(int(chat))
        if chat not in self._rooms:
            from discord import Object

            room = await self._within(client.create_dm(Object(int(chat[1:]))))
            self._rooms[chat] = room.id
        return client.get_partial_messageable(self._rooms[chat])

    def _as_told(self, chat: str, error: Exception) -> Exception:
        """*error* as the outbox knows it; what it says of Discord as a whole is remembered."""
        from chatbot.frontends.discord.failures import throttled, trouble

        if getattr(error, "status", 0) in (_FORBIDDEN, _NOT_FOUND):
            where = f"user {chat[1:]}" if chat.startswith("@") else f"channel {chat}"
            return MayNotWrite(f"it may not write to {where}")
        told = throttled(error)
        if told is not None:
            self._flooded_until = self._clock.monotonic() + told.retry_after
            return told
        self._sending = trouble(error)
        return error

    async def _within(self, work: Awaitable[T]) -> T:
        """The result of *work*; raises `TimeoutError` when it takes too long."""
        return await within(self._clock, self._waits.request, work)
