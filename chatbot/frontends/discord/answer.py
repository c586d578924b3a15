"""What one interaction is answered with, and that message's life after it.

An interaction is acknowledged within 3 s, and its own way to edit ends after 15 minutes.  What
comes too late for either goes to the channel, as far as the bot may write there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, TypeVar

import discord

from chatbot.delivery.budget import ChatBudget
from chatbot.frontends.discord.channel import Compose, admitted
from chatbot.frontends.discord.connection import DiscordConnection
from chatbot.frontends.discord.failures import FAILURES, is_malformed
from chatbot.frontends.discord.outgoing import OutgoingMessage
from chatbot.frontends.discord.timeouts import ConnectTimeouts
from chatbot.frontends.talk import Shown, is_refusal, is_spent
from handlers.reply import Reply
from trading.clocks import Clock
from trading.common.tasks import within

log = logging.getLogger(__name__)

T = TypeVar("T")
Edit = Callable[..., Awaitable[Any]]

_ACKNOWLEDGED = 40_060
"""https://discord.com/developers/docs/topics/opcodes-and-status-codes#json"""
_FOR_GOOD = (400, 401, 403, 404)


class AnswerKind(Enum):
    COMMAND = auto()
    """Answered with a new message."""
    EDIT = auto()
    """A press that looks: the answer takes the message's place."""
    ANEW = auto()
    """A press that looks, under an alert or the report of an act: a new message."""
    ACT = auto()
    """A press that acts: a new message, and the old buttons go."""


class DiscordAnswer:
    """Shows replies where the interaction came from: first anew, then in place.

    A press that is refused is told to that person alone, and changes nothing; so is a command
    whose refusal the channel has heard.
    """

    def __init__(
        self,
        *,
        kind: AnswerKind,
        interaction: discord.Interaction[DiscordConnection],
        compose: Compose,
        budget: ChatBudget,
        clock: Clock,
        waits: ConnectTimeouts,
    ) -> None:
        self._kind = kind
        self._interaction = interaction
        self._compose = compose
        self._budget = budget
        self._clock = clock
        self._waits = waits
        self._lock = asyncio.Lock()
        """Either it is answered, or deferred: never both at once."""
        self._deferred = False
        self._edit: Edit | None = None
        """How to edit what was shown; None: nothing was yet."""
        self.message: int | None = None
        """The id of the message that shows the answer."""

    async def defer(self) -> None:
        """After a while, if nothing was said, tell Discord that an answer will come."""
        await self._clock.sleep(self._waits.defer)
        async with self._lock:
            if self._edit is None:
                await self._acknowledge()

    async def busy(self, *, draws: bool) -> None:
        """A picture is waited for as an answer that is acknowledged; the others are soon there."""
        if not draws:
            return
        async with self._lock:
            if self._edit is None and not self._deferred:
                await self._acknowledge()
        if self._kind is not AnswerKind.COMMAND:  # Discord shows only then that an answer comes
            await self._within(self._channel().typing())

    async def wait(self, reply: Reply) -> None:
        await self.show(reply)

    async def show(self, reply: Reply) -> None:
        """Raises one of `FAILURES` if it could not be shown anywhere."""
        messages = await self._compose(reply)
        async with self._lock:
            if self._edit is None:
                to_one = self._kind is not AnswerKind.COMMAND or reply.withheld
                toast = to_one and is_refusal(reply)
                if toast and is_spent(reply):
                    await self._stripped()
                await self._first(messages[0], reply.priority, toast=toast)
            else:
                await self._again(messages[0], reply)
            for outgoing in messages[1:]:
                await self._followup(outgoing)

    # -- first, by the interaction

    async def _first(self, outgoing: OutgoingMessage, priority: int, *, toast: bool) -> None:
        try:
            await self._answered(outgoing, toast=toast)
        except FAILURES as error:
            if getattr(error, "code", 0) == _ACKNOWLEDGED:  # an answer in doubt had arrived
                self._deferred = True
                await self._answered(outgoing, toast=toast)
            elif is_malformed(error) and not outgoing.is_bare:
                log.warning("Discord refused an answer; it goes out bare")
                await self._first(outgoing.bare(), priority, toast=toast)
            else:
                log.info("answered in the channel: %s", type(error).__name__)
                await self._in_channel(outgoing, priority)

    async def _answered(self, outgoing: OutgoingMessage, *, toast: bool) -> None:
        if toast:
            await self._toasted(outgoing)
        elif self._kind is AnswerKind.EDIT:
            await self._in_place(outgoing)
        elif self._kind is AnswerKind.ACT:
            await self._without_buttons()
            await self._followed(outgoing)
        elif self._deferred and self._kind is AnswerKind.ANEW:
            await self._followed(outgoing)
        elif self._deferred:
            message = await self._within(
                self._interaction.edit_original_response(**outgoing.edit())
            )
            self._shown(message.id, self._interaction.edit_original_response)
        else:
            response = self._interaction.response
            told = await self._within(response.send_message(**outgoing.new(silent=True)))
            self._shown(told.message_id, self._interaction.edit_original_response)

    async def _acknowledge(self) -> None:
        try:
            await self._within(self._interaction.response.defer())
        except FAILURES as error:
            log.info("a command was not acknowledged: %s", type(error).__name__)
            if getattr(error, "code", 0) != _ACKNOWLEDGED:
                return
        self._deferred = True

    async def _stripped(self) -> None:
        """The buttons of a code that nobody can use any more go, as far as that works."""
        try:
            await self._without_buttons()
        except FAILURES as error:
            log.info("old buttons stay: %s", type(error).__name__)

    async def _toasted(self, outgoing: OutgoingMessage) -> None:
        """Only whoever pressed sees it."""
        given = outgoing.new(silent=False) | {"ephemeral": True}
        if self._deferred:
            sent = await self._within(self._interaction.followup.send(**given, wait=True))
            self._shown(sent.id, sent.edit)
            return
        told = await self._within(self._interaction.response.send_message(**given))
        self._shown(told.message_id, self._interaction.edit_original_response)

    async def _in_place(self, outgoing: OutgoingMessage) -> None:
        if self._deferred:
            await self._within(self._interaction.edit_original_response(**outgoing.edit()))
        else:
            await self._within(self._interaction.response.edit_message(**outgoing.edit()))
        pressed = self._interaction.message
        self._shown(pressed.id if pressed else None, self._interaction.edit_original_response)

    async def _without_buttons(self) -> None:
        if self._deferred:
            await self._within(self._interaction.edit_original_response(view=None))
        else:
            await self._within(self._interaction.response.edit_message(view=None))
            self._deferred = True

    async def _followed(self, outgoing: OutgoingMessage) -> None:
        sent = await self._within(
            self._interaction.followup.send(**outgoing.new(silent=True), wait=True)
        )
        self._shown(sent.id, sent.edit)

    async def _followup(self, outgoing: OutgoingMessage) -> None:
        """The rest of what is too long for one message."""
        if self._interaction.is_expired():
            return
        given = outgoing.new(silent=True)
        await self._within(self._interaction.followup.send(**given, wait=True))

    # -- then in place, and where the interaction is gone in the channel

    async def _again(self, outgoing: OutgoingMessage, reply: Reply) -> None:
        assert self._edit is not None  # noqa: S101  # `show` asked
        if not self._interaction.is_expired():
            try:
                await self._within(self._edit(**outgoing.edit()))
                return
            except FAILURES as error:
                if is_malformed(error) and not outgoing.is_bare:
                    await self._again(outgoing.bare(), reply)
                    return
                log.info("edited through the channel: %s", type(error).__name__)
        channel = self._channel()
        if self.message is None:
            return
        if await admitted(self._budget, channel.id, self.message, reply):
            message = channel.get_partial_message(self.message)
            await self._within(message.edit(**outgoing.edit()))

    async def _in_channel(self, outgoing: OutgoingMessage, priority: int) -> None:
        channel = self._channel()
        await self._budget.turn(channel.id, priority)
        sent = await self._within(channel.send(**outgoing.new(silent=True)))
        # A whole message would send its flags along, and Discord refuses some of them.
        self._shown(sent.id, channel.get_partial_message(sent.id).edit)

    def _channel(self) -> discord.PartialMessageable:
        channel = self._interaction.channel_id
        assert channel is not None  # noqa: S101  # no speaker without one
        return self._interaction.client.get_partial_messageable(channel)

    def _shown(self, message: int | None, edit: Edit) -> None:
        self.message, self._edit = message, edit

    async def _within(self, work: Awaitable[T]) -> T:
        return await within(self._clock, self._waits.request, work)


class Lasting:
    """Shows later stages of an answer, however often that takes: nobody asks a second time."""

    def __init__(self, answer: Shown, clock: Clock, waits: ConnectTimeouts) -> None:
        self._answer = answer
        self._clock = clock
        self._waits = waits

    async def show(self, reply: Reply) -> None:
        """Raises `discord.HTTPException` where it is not allowed, or there is no message."""
        delay = self._waits.first_retry
        while True:
            try:
                return await self._answer.show(reply)
            except FAILURES as error:
                if getattr(error, "status", 0) in _FOR_GOOD:
                    raise
                log.info("a stage is shown later: %s", type(error).__name__)
            await self._clock.sleep(delay)
            delay = min(delay * 2, self._waits.longest_retry)
