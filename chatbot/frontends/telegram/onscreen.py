"""One answer as it stands in a chat of Telegram: posted once, edited from then on."""

from __future__ import annotations

import logging

from chatbot.delivery.budget import REDRAW, Crowded
from chatbot.frontends.talk import AskedMessage
from chatbot.frontends.telegram.places import ChatPlace
from chatbot.frontends.telegram.posting import Poster, TelegramPost
from handlers.reply import Priority, Reply

log = logging.getLogger(__name__)


class OnScreen:
    """An answer that is still to come (`talk.Answering`)."""

    def __init__(
        self,
        poster: Poster,
        place: ChatPlace,
        *,
        asked: AskedMessage,
        to: int | None = None,
        post: TelegramPost | None = None,
    ) -> None:
        self._poster = poster
        self.post = post
        self._place = place
        self._asked = asked
        self._to = to
        self._waits = False
        """It says that the answer takes long."""

    async def show(self, reply: Reply) -> None:
        if reply.withheld and not self._waits:
            return
        if self.post is None:
            self.post = await self._poster.post(self._place, reply, to=self._to, asked=self._asked)
        else:
            self.post = await self._poster.edit(self.post, reply)

    async def busy(self, *, draws: bool) -> None:
        await self._poster.act(self._place, "upload_photo" if draws else "typing")

    async def wait(self, reply: Reply) -> None:
        if self.post is None:
            self.post = await self._poster.post(
                self._place, reply, to=self._to, asked=self._asked, is_patient=False
            )
        else:
            self.post = await self._poster.edit(self.post, reply, is_patient=False)
        self._waits = True


class Redrawn:
    """The same message, as it goes on by itself."""

    def __init__(self, poster: Poster, post: TelegramPost) -> None:
        self._poster = poster
        self.post = post

    async def show(self, reply: Reply) -> None:
        """What will come again anyway is left out while the chat takes no more."""
        redraws = reply.then is not None and reply.priority <= Priority.LOOK
        # What follows a stop's answer is no answer: another one may be waiting behind it.
        priority = REDRAW if redraws else min(reply.priority, Priority.URGENT)
        try:
            self.post = await self._poster.edit(
                self.post, reply, priority=priority, is_patient=not redraws
            )
        except Crowded:
            log.debug("a live message was left as it was")
