"""Answers that are messages of a channel, not answers to an interaction.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import discord

from chatbot.delivery.budget import REDRAW, ChatBudget, Crowded
from chatbot.frontends.discord.failures import is_malformed
from chatbot.frontends.discord.outgoing import OutgoingMessage
from chatbot.frontends.discord.timeouts import ConnectTimeouts
from chatbot.frontends.talk import AskedMessage
from handlers.reply import Priority, Reply
from trading.clocks import Clock
from trading.common.tasks import within

T = TypeVar("T")
Compose = Callable[[Reply], Awaitable[tuple[OutgoingMessage, ...]]]


class InChannel:
    """An answer that is still to come: posted once, edited from then on (`talk.Answering`)."""

    def __init__(
        self,
        message: discord.Message,
        *,
        asked: AskedMessage,
        compose: Compose,
        budget: ChatBudget,
        clock: Clock,
        waits: ConnectTimeouts,
    ) -> None:
        self._asked_by = message
        self._asked = asked
        self._compose = compose
        self._budget = budget
        self._clock = clock
        self._waits = waits
        self.message: int | None = None
        """The id of the message that shows the answer."""

    async def busy(self, *, draws: bool) -> None:
        """Discord has one sign for both."""
        await self._within(self._asked_by.channel.typing())

    async def wait(self, reply: Reply) -> None:
        self._budget.take(self._asked_by.channel.id, reply.priority)
        await self._post(reply)

    async def show(self, reply: Reply) -> None:
        """Raises one of `FAILURES`, or `Folded`."""
        if self.message is None and reply.withheld:
            return
        place = self._asked_by.channel.id
        if self.message is None:
            asked = self._asked
            await self._budget.turn(place, reply.priority, who=asked.who, about=asked)
            await self._post(reply)
        elif await admitted(self._budget, place, self.message, reply):
            first, *_ = await self._compose(reply)
            # A whole message would send its flags along, and Discord refuses some of them.
            channel = self._asked_by.channel
            assert not isinstance(channel, discord.GroupChannel)  # noqa: S101  # bots are in none
            edit = channel.get_partial_message(self.message).edit
            await self._sent(edit, first, OutgoingMessage.edit)

    async def _post(self, reply: Reply) -> None:
        place = self._asked_by.channel.id
        for number, outgoing in enumerate(await self._compose(reply)):
            if number:
                await self._budget.turn(place, reply.priority)
            sent = await self._sent(self._asked_by.channel.send, outgoing, _new)
            self.message = self.message or sent.id

    async def _sent(
        self,
        send: Callable[..., Awaitable[discord.Message]],
        outgoing: OutgoingMessage,
        given: Callable[[OutgoingMessage], dict[str, Any]],
    ) -> discord.Message:
        try:
            return await self._within(send(**given(outgoing)))
        except discord.HTTPException as error:
            if not is_malformed(error) or outgoing.is_bare:
                raise
        return await self._within(send(**given(outgoing.bare())))

    async def _within(self, work: Awaitable[T]) -> T:
        return await within(self._clock, self._waits.request, work)


def _new(outgoing: OutgoingMessage) -> dict[str, Any]:
    return outgoing.new(silent=True)


async def admitted(budget: ChatBudget, place: int, message: int, reply: Reply) -> bool:
    """Wait until *message* may be edited; False: it redraws itself, and is left as it is."""
    if reply.then is not None and reply.priority <= Priority.LOOK:
        try:
            budget.take(place, REDRAW)
        except Crowded:
            return False
        return True
    # What follows a stop's answer is no answer: another one may be waiting behind it.
    await budget.turn(place, min(reply.priority, Priority.URGENT), about=message)
    return True
