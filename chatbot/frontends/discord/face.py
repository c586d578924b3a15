"""Discord: slash commands, buttons and autocomplete in; embeds, edits and alerts out.

A slash command is the line it stands for, and so is a button: its `custom_id` is the command, so
one from before a restart works as it did.  Whoever has no role is not answered.  Answers are
silent.  https://discord.com/developers/docs/interactions/receiving-and-responding
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from chatbot.delivery.budget import ChatBudget, Rate
from chatbot.frontends.discord.alerts import AlertButtons
from chatbot.frontends.discord.roles import roles_of
from chatbot.frontends.discord.slash import (
    Offers,
    declaration,
    fingerprint,
    spoken,
    suggestions,
)
from chatbot.frontends.discord.timeouts import ConnectTimeouts
from chatbot.frontends.shares import PersonShare, Shares, not_heard
from chatbot.frontends.talk import (
    OnUnauthorized,
    People,
    Recent,
    Shown,
    Words,
    asked,
    edits_in_place,
    follow,
    not_answered,
    press_id,
    tell,
)
from chatbot.ports import Notes, OnMessage, Pictures
from chatbot.supervise import failure_of
from handlers.caller import Caller, Role
from handlers.command import Commands
from handlers.message import CommandLine, Message, read
from handlers.reply import Priority, Reply
from trading.clocks import Clock
from trading.common.tasks import Tasks, within

if TYPE_CHECKING:
    import discord

    from chatbot.frontends.discord.answer import AnswerKind, DiscordAnswer
    from chatbot.frontends.discord.channel import InChannel
    from chatbot.frontends.discord.connection import DiscordConnection
    from chatbot.frontends.discord.outgoing import OutgoingMessage
    from chatbot.frontends.discord.written import Written

log = logging.getLogger(__name__)

DECLARED = "discord commands"
"""The note that says which commands Discord has."""
NOT_YET = "it is not connected yet"
OVERALL = 50
"""Requests a second that Discord takes of a bot.

Source: https://discord.com/developers/docs/topics/rate-limits#global-rate-limit
"""
_COMMAND, _PRESS, _TYPING = 2, 3, 4
"""Kinds of interactions."""

T = TypeVar("T")


class Discord:
    """One bot.  Reconnects by itself for ever; `run` ends only by being cancelled."""

    name = "discord"
    title = "Discord"

    def __init__(
        self,
        *,
        token: str,
        people: People,
        guilds: frozenset[str],
        commands: Commands,
        symbols: Words,
        traders: Words,
        halts: Words,
        clock: Clock,
        pictures: Pictures,
        notes: Notes,
        on_unauthorized: OnUnauthorized,
        api_url: str = "https://discord.com",
        gateway_url: str = "wss://gateway.discord.gg",
        waits: ConnectTimeouts | None = None,
    ) -> None:
        """*guilds*: ids of those in which it answers; private messages are always read.

        *symbols*, *traders* and *halts* are asked while somebody types.
        """
        self._token = token
        self._people, self._guilds = people, guilds
        self._commands = commands
        self._offers = Offers(symbols=symbols, traders=traders, halts=halts)
        self._clock = clock
        self._pictures = pictures
        self._notes = notes
        self._on_unauthorized = on_unauthorized
        self._api_url, self._gateway_url = api_url, gateway_url
        self._waits = waits or ConnectTimeouts()
        self._client: DiscordConnection | None = None
        """None: nobody is logged in."""
        self._line = NOT_YET
        """What is wrong with the connection."""
        self._tried = asyncio.Event()
        """The first login has worked, or failed."""
        self._seen: Recent[int, None] = Recent()
        self._looks: Recent[int, None] = Recent()
        """Messages that only show something; a press may put its answer in their place."""
        each = Rate(self._waits.most, self._waits.within)
        self._budget = ChatBudget(
            clock=clock,
            overall=Rate(OVERALL, 1.0, halves_looks=False),
            of_place=lambda _: each,
            on_folded=self._tell_of_folded,
        )
        self._written: Written | None = None
        """Made when first something is read: the library is loaded then."""
        self._alerts = AlertButtons(
            ready=self._tried.wait,
            client=lambda: self._client,
            line=lambda: self._line,
            compose=self._compose,
            budget=self._budget,
            clock=clock,
            waits=self._waits,
        )
        self._answering = Tasks()
        self._shares = Shares(self._answering)
        self._following = Tasks()

    @property
    def problem(self) -> str:
        return self._line or self._alerts.problem

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        """Deliver an alert to the channel `456`, or privately to the user `@111`.

        Raises `Throttled`, `MayNotWrite`, `NotConnected`, or what the library raises.
        """
        await self._alerts.send(chat, reply, silent=silent)

    # -- the connection

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled; answers under way are still given."""
        # The library takes half a second to load, and the loop never waits.
        await asyncio.to_thread(import_module, "chatbot.frontends.discord.answer")
        from chatbot.frontends.discord.connection import aim

        aim(self._api_url, self._gateway_url)
        try:
            await self._keep_connected(on_message)
        finally:
            self._line = NOT_YET

    async def _keep_connected(self, on_message: OnMessage) -> None:
        from chatbot.frontends.discord.connection import DiscordConnection
        from chatbot.frontends.discord.failures import FAILURES, throttled, trouble

        delay = self._waits.first_retry
        while True:
            client = DiscordConnection(
                clock=self._clock,
                waits=self._waits,
                heard=partial(self._heard, on_message),
                read=partial(self._read, on_message),
                state=self._has_become,
            )
            error = await failure_of(partial(self._serve, client))
            self._tried.set()
            if not self._line:  # it had worked
                delay = self._waits.first_retry
            if not isinstance(error, FAILURES):
                log.error("Discord failed", exc_info=error)
            self._has_become(trouble(error))
            told = throttled(error)
            await self._clock.sleep(max(delay, told.retry_after if told else 0.0))
            delay = min(delay * 2, self._waits.longest_retry)

    async def _serve(self, client: DiscordConnection) -> None:
        """Log in, and listen.  Raises whatever ends it."""
        declaring = None
        try:
            await within(self._clock, self._waits.request, client.login(self._token))
            self._client = client
            self._tried.set()
            declaring = asyncio.create_task(self._declare(client))
            await client.keep_listening()
        finally:
            if declaring is not None:
                declaring.cancel()
            await self._part()
            self._client = None
            await client.end()

    async def _part(self) -> None:
        for task in self._following:
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering, timeout=self._waits.farewell)
        for task in self._answering:
            task.cancel()
        self._budget.close()

    def _has_become(self, problem: str) -> None:
        if problem != self._line:
            log.log(
                logging.WARNING if problem else logging.INFO,
                "Discord: %s",
                problem or "connected",
            )
        self._line = problem

    async def _declare(self, client: DiscordConnection) -> None:
        """Tell Discord the commands, if they are others than it was told; again until it works."""
        application = client.application_id or 0
        delay = self._waits.first_retry
        while True:
            try:
                declared = declaration(self._commands)
                mark = fingerprint(declared, self._api_url, application)
                if await self._notes.note(DECLARED) != mark:
                    telling = client.http.bulk_upsert_global_commands(application, declared)
                    await within(self._clock, self._waits.request, telling)
                    await self._notes.keep(DECLARED, mark)
                return
            except Exception as error:  # noqa: BLE001  # old commands go on working
                log.warning("Discord did not take the commands: %s", type(error).__name__)
            await self._clock.sleep(delay)
            delay = min(delay * 2, self._waits.longest_retry)

    # -- hearing

    def _heard(
        self, on_message: OnMessage, interaction: discord.Interaction[DiscordConnection]
    ) -> None:
        """Discord may tell an interaction twice: it is the same one."""
        if interaction.id in self._seen:
            return
        self._seen.keep(interaction.id, None)
        person, role = str(interaction.user.id), self._role(interaction)
        line = read(self._commands, self._text(interaction))
        room = self._shares.room(person, role, line)
        if room is PersonShare.DROPPED:
            return
        if room is PersonShare.TOLD:
            on_message = not_heard
        work = _logged(self._handle(on_message, interaction, line))
        self._shares.start(person, role, work, name=self.name)

    async def _handle(
        self,
        on_message: OnMessage,
        interaction: discord.Interaction[DiscordConnection],
        line: CommandLine,
    ) -> None:
        speaker = self._speaker(interaction)
        kind = interaction.type.value
        if speaker is None:
            if kind != _TYPING and self._is_stranger(interaction):
                await self._on_unauthorized(self.title, str(interaction.user.id))
        elif kind == _TYPING:
            await self._suggest(interaction)
        elif kind in (_COMMAND, _PRESS):
            await self._answer(on_message, interaction, speaker, line)

    def _speaker(self, interaction: discord.Interaction[DiscordConnection]) -> Caller | None:
        """Who speaks; None: nobody who is answered here."""
        role = self._role(interaction)
        if role is None or interaction.channel_id is None or not self._is_listed(interaction):
            return None
        user = str(interaction.user.id)
        private = interaction.guild_id is None
        return Caller(
            user=f"discord:{user}",
            name=self._people.called(user, interaction.user.display_name),
            role=role,
            place=self.title,
            chat=f"discord:@{user}" if private else f"discord:{interaction.channel_id}",
            edits=True,
        )

    def _role(self, interaction: discord.Interaction[DiscordConnection]) -> Role | None:
        carried = roles_of(interaction.user) if self._is_listed(interaction) else ()
        return self._people.role(str(interaction.user.id), carried)

    def _is_listed(self, interaction: discord.Interaction[DiscordConnection]) -> bool:
        return interaction.guild_id is None or str(interaction.guild_id) in self._guilds

    def _is_stranger(self, interaction: discord.Interaction[DiscordConnection]) -> bool:
        return self._role(interaction) is None

    async def _suggest(self, interaction: discord.Interaction[DiscordConnection]) -> None:
        from discord.app_commands import Choice

        from chatbot.frontends.discord.failures import FAILURES

        given: Any = interaction.data or {}
        found = suggestions(
            self._commands, given.get("name", ""), given.get("options", ()), self._offers
        )
        try:
            shown = interaction.response.autocomplete([Choice(name=w, value=w) for w in found])
            await within(self._clock, self._waits.request, shown)
        except FAILURES as error:
            log.info("nothing was suggested: %s", type(error).__name__)

    # -- answering

    async def _answer(
        self,
        on_message: OnMessage,
        interaction: discord.Interaction[DiscordConnection],
        speaker: Caller,
        line: CommandLine,
    ) -> None:
        from chatbot.frontends.discord.answer import DiscordAnswer
        from chatbot.frontends.discord.failures import FAILURES

        message = self._message(interaction, speaker, line)
        answer = DiscordAnswer(
            kind=self._kind(interaction, line),
            interaction=interaction,
            compose=self._compose,
            budget=self._budget,
            clock=self._clock,
            waits=self._waits,
        )
        deferring = asyncio.create_task(answer.defer())
        try:
            reply = await tell(on_message(message), answer, self._clock, slow=self._waits.slow)
        except FAILURES as error:
            log.warning("an answer could not be shown: %s", type(error).__name__)
            return
        finally:
            deferring.cancel()
        self._answered(line, reply, answer)

    def _answered(self, line: CommandLine, reply: Reply, answer: DiscordAnswer | InChannel) -> None:
        if answer.message is not None and not line.acts:
            self._looks.keep(answer.message, None)
        if reply.then is not None:
            self._following.start(_logged(self._follow(reply, answer)), name=self.name)

    # -- what is written beside slash commands, and what was not answered

    def _read(self, on_message: OnMessage, message: discord.Message) -> None:
        from chatbot.frontends.discord.written import Written

        if self._written is None:
            self._written = Written(
                people=self._people,
                guilds=self._guilds,
                commands=self._commands,
                on_unauthorized=self._on_unauthorized,
                in_channel=self._in_channel,
                answered=self._answered,
                clock=self._clock,
                slow=self._waits.slow,
            )
        us = self._client.application_id if self._client is not None else None
        heard = self._written.heard(message, us or 0)
        if heard is None:
            return
        person = str(message.author.id)
        role = self._people.role(person, roles_of(message.author))
        room = self._shares.room(person, role, heard.line)
        if room is PersonShare.DROPPED:
            return
        if room is PersonShare.TOLD:
            on_message = not_heard
        work = _logged(self._written.answer(heard, on_message))
        self._shares.start(person, role, work, name=self.name)

    def _in_channel(self, message: discord.Message, said: Message) -> InChannel:
        from chatbot.frontends.discord.channel import InChannel

        return InChannel(
            message,
            asked=asked(said),
            compose=self._compose,
            budget=self._budget,
            clock=self._clock,
            waits=self._waits,
        )

    def _tell_of_folded(self, channel: int) -> None:
        self._answering.start(_logged(self._say_folded(channel)), name=self.name)

    async def _say_folded(self, channel: int) -> None:
        """Say once, after those that are answered, how many looks were not."""
        await self._budget.turn(channel, Priority.LOOK)
        words = not_answered(self._budget.dropped(channel), self._waits.most, self._waits.within)
        outgoing, *_ = await self._compose(words)
        if self._client is not None:
            sending = self._client.get_partial_messageable(channel).send(
                **outgoing.new(silent=True)
            )
            await within(self._clock, self._waits.request, sending)

    async def _follow(self, reply: Reply, answer: Shown) -> None:
        from chatbot.frontends.discord.answer import Lasting
        from chatbot.frontends.discord.failures import FAILURES

        try:
            await follow(reply, Lasting(answer, self._clock, self._waits))
        except FAILURES as error:
            # Who may not edit there any more is told by alerts.
            log.info("a message is no longer edited: %s", type(error).__name__)

    def _text(self, interaction: discord.Interaction[DiscordConnection]) -> str:
        """The line that it stands for; empty while somebody types."""
        given: Any = interaction.data or {}
        kind = interaction.type.value
        if kind == _COMMAND:
            return spoken(self._commands, given.get("name", ""), given.get("options", ()))
        return str(given.get("custom_id", "")) if kind == _PRESS else ""

    def _message(
        self,
        interaction: discord.Interaction[DiscordConnection],
        speaker: Caller,
        line: CommandLine,
    ) -> Message:
        key = f"discord:{interaction.id}"
        if interaction.type.value != _COMMAND:
            pressed = interaction.message.id if interaction.message else 0
            key = press_id(line, message=f"discord:{pressed}", user=speaker.user, update=key)
        return Message(speaker, line.text, interaction.created_at, key, line=line)

    def _kind(
        self, interaction: discord.Interaction[DiscordConnection], line: CommandLine
    ) -> AnswerKind:
        from chatbot.frontends.discord.answer import AnswerKind

        if interaction.type.value == _COMMAND or interaction.message is None:
            return AnswerKind.COMMAND
        if line.acts:
            return AnswerKind.ACT
        looks = interaction.message.id in self._looks
        label = _label(interaction.message, line.text)
        in_place = edits_in_place(line, label, looks=looks)
        return AnswerKind.EDIT if in_place else AnswerKind.ANEW

    async def _compose(self, reply: Reply) -> tuple[OutgoingMessage, ...]:
        from chatbot.frontends.discord.outgoing import compose

        return await compose(reply, self._commands, self._pictures)


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        log.exception("something said on Discord could not be handled")


def _label(message: discord.Message, command: str) -> str:
    """What stands on the button of *message* that types *command*."""
    rows = (getattr(row, "children", ()) for row in message.components)
    buttons = (button for row in rows for button in row)
    return next((b.label or "" for b in buttons if b.custom_id == command), "")
