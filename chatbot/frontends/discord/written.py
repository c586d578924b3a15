"""What people write on Discord beside slash commands, read as lines.

In private all of it is for us, as on Telegram.  In a guild it is what begins with our name, or the
one word that answers us: Discord hands out no other words without a privilege.  Of those, of what
is edited, passed on or written below a picture, only a stop is heard.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import discord

from chatbot.delivery.budget import Folded
from chatbot.frontends.discord.channel import InChannel
from chatbot.frontends.discord.failures import FAILURES
from chatbot.frontends.discord.roles import roles_of
from chatbot.frontends.talk import (
    Lately,
    OnUnauthorized,
    People,
    Recent,
    Source,
    is_heard,
    only_a_stop,
    tell,
)
from chatbot.ports import OnMessage
from handlers.caller import Caller
from handlers.command import Commands
from handlers.message import CommandLine, Message, read
from handlers.reply import Reply
from trading.clocks import Clock

log = logging.getLogger(__name__)

NAME, TITLE = "discord", "Discord"
_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """What somebody wrote to us."""

    text: str
    source: Source | None = None
    """Where it comes from, if only a stop is heard from there."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """What is for us, as it was read."""

    message: discord.Message
    line: CommandLine
    refused: Source | None = None
    """Where it comes from, if it is no stop and only a stop is heard from there."""


def line_of(message: discord.Message, us: int) -> WrittenLine | None:
    """What *message* says to the bot *us*; None if it is not ours to hear."""
    if message.author.bot or message.webhook_id or message.type not in _SPOKEN:
        return None
    text, source = _said(message)
    if isinstance(message.channel, discord.DMChannel):
        line = WrittenLine(text)
    elif (named := re.match(r"\s*<@!?(\d{1,20})>\s*", text)) and int(named[1]) == us:
        line = WrittenLine(text[named.end() :], Source.PLAIN)
    elif len(text.split()) == 1 and _answers(message, us):
        line = WrittenLine(text, Source.PLAIN)
    else:
        return None
    line = replace(line, source=source) if source else line
    return line if line.text.strip() else None


def _said(message: discord.Message) -> tuple[str, Source | None]:
    """The words, and whether they may be older or others' than they look."""
    if message.message_snapshots:
        return message.message_snapshots[0].content, Source.FORWARD
    below = [each.description for each in message.attachments if each.description]
    text = message.content or next(iter(below), "")
    if message.edited_at is not None:
        return text, Source.EDIT
    return text, Source.CAPTION if message.attachments else None


def _answers(message: discord.Message, us: int) -> bool:
    """Whether it answers us: Discord names us in it then."""
    return any(user.id == us for user in message.mentions)


class Written:
    """Answers what is written, each in its own time.

    *in_channel* makes the message that answers; *answered* hears of each that was shown.
    """

    def __init__(
        self,
        *,
        people: People,
        guilds: frozenset[str],
        commands: Commands,
        on_unauthorized: OnUnauthorized,
        in_channel: Callable[[discord.Message, Message], InChannel],
        answered: Callable[[CommandLine, Reply, InChannel], None],
        clock: Clock,
        slow: float,
    ) -> None:
        self._people = people
        self._guilds = guilds
        self._commands = commands
        self._on_unauthorized = on_unauthorized
        self._in_channel = in_channel
        self._answered = answered
        self._clock = clock
        self._slow = slow
        self._seen: Recent[tuple[int, datetime | None], None] = Recent()
        self._braked: Recent[int, None] = Recent()
        """Messages that have stopped something."""
        self._told_lately = Lately(clock)

    def heard(self, message: discord.Message, us: int) -> IncomingMessage | None:
        """None: it is not for the bot *us*, or was told before."""
        written, key = line_of(message, us), (message.id, message.edited_at)
        if written is None or key in self._seen:
            return None
        self._seen.keep(key, None)
        line = read(self._commands, written.text)
        if not is_heard(line, written.source):
            return IncomingMessage(message, line, written.source)
        if message.edited_at is not None and message.id in self._braked:
            return None  # an old stop whose words are mended does not stop again
        return IncomingMessage(message, line)

    async def answer(self, heard: IncomingMessage, on_message: OnMessage) -> None:
        if heard.refused is None:
            await self._answer(heard.line, heard.message, on_message)
        else:
            await self._not_from(heard.line, heard.refused, heard.message)

    async def _answer(
        self, line: CommandLine, message: discord.Message, on_message: OnMessage
    ) -> None:
        speaker = self._speaker(message)
        if speaker is None:
            if self._people.role(str(message.author.id), roles_of(message.author)) is None:
                await self._on_unauthorized(TITLE, str(message.author.id))
            return
        if line.instant:
            self._braked.keep(message.id, None)
        edit = f":{message.edited_at:%s}" if message.edited_at else ""
        key = f"{NAME}:{message.id}{edit}"
        said = Message(speaker, line.text, message.created_at, key, line=line)
        shown = self._in_channel(message, said)
        try:
            reply = await tell(on_message(said), shown, self._clock, slow=self._slow)
        except Folded:
            log.info("Discord: an answer was folded: too much was asked there")
        except FAILURES as error:
            log.warning("an answer could not be shown: %s", type(error).__name__)
        else:
            self._answered(line, reply, shown)

    async def _not_from(self, line: CommandLine, source: Source, message: discord.Message) -> None:
        """Tell whoever may command why nothing happens; nothing, where no command was meant."""
        speaker = self._speaker(message)
        if speaker is None or line.command is None:
            return
        if self._told_lately.admit(f"{speaker.user} {speaker.chat}"):
            said = Message(speaker, line.text, message.created_at)
            await self._in_channel(message, said).show(only_a_stop(source))

    def _speaker(self, message: discord.Message) -> Caller | None:
        """Who wrote; None: nobody who is answered here."""
        user, private = str(message.author.id), isinstance(message.channel, discord.DMChannel)
        listed = private or (message.guild is not None and str(message.guild.id) in self._guilds)
        role = self._people.role(user, () if private else roles_of(message.author))
        if role is None or not listed:
            return None
        return Caller(
            user=f"{NAME}:{user}",
            name=self._people.called(user, message.author.display_name),
            role=role,
            place=TITLE,
            chat=f"{NAME}:@{user}" if private else f"{NAME}:{message.channel.id}",
            edits=True,
            shared=not private,
        )
