"""Discord: slash commands, buttons and autocomplete in; embeds, edits and alerts out.

A slash command is the line it stands for, and so is a button: its `custom_id` is the command, so
one from before a restart works as it did.  Whoever has no role is not answered.  Answers are
silent.  https://discord.com/developers/docs/interactions/receiving-and-responding
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Coroutine, Hashable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from chatbot.frontends import Notes, OnMessage, Pictures
from chatbot.frontends.discord_slash import (
    Offers,
    Words,
    declaration,
    fingerprint,
    spoken,
    suggestions,
)
from chatbot.frontends.talk import (
    SLOW,
    OnStranger,
    People,
    acts,
    edits_in_place,
    follow,
    known_as,
    press_id,
    tell,
)
from chatbot.supervise import failure_of, within
from handlers.command import Commands
from handlers.context import Caller, Message, Role
from handlers.reply import Level, Reply
from trading.clocks import Clock

if TYPE_CHECKING:
    import discord

    from chatbot.frontends.discord_answer import Answer, Kind
    from chatbot.frontends.discord_client import Connection, Parcel

log = logging.getLogger(__name__)

REMEMBERED = 1_000
"""Messages and interactions that are known again."""
DECLARED = "discord commands"
"""The note that says which commands Discord has."""
NOT_YET = "it is not connected yet"
FLOODED = "it refuses too many requests"
_FORBIDDEN, _NOT_FOUND, _UNKNOWN_MESSAGE = 403, 404, 10_008
_COMMAND, _PRESS, _TYPING = 2, 3, 4
"""Kinds of interactions."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How patient it is; seconds."""

    defer: float = 1.5
    """Until a command that has no answer yet is acknowledged; Discord gives it 3."""
    slow: float = SLOW
    """Until somebody who waits hears that they wait."""
    request: float = 10.0
    """A request that takes longer has failed."""
    flood: float = 3.0
    """Told to wait for longer, a request is given up, and whoever made it waits."""
    silence: float = 60.0
    """A gateway that says nothing for so long is gone; it beats every 41 s."""
    identify: float = 5.0
    """Between a session that was refused and the next."""
    first_retry: float = 1.0
    longest_retry: float = 60.0
    farewell: float = 1.0
    """For answers under way when the desk ends."""


class NotConnected(Exception):
    """Nobody is logged in; what is to be sent waits."""


class MayNotWrite(Exception):
    """The bot may not write to a channel, or there is no such channel."""


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
        on_stranger: OnStranger,
        api_url: str = "https://discord.com",
        gateway_url: str = "wss://gateway.discord.gg",
        waits: Waits | None = None,
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
        self._on_stranger = on_stranger
        self._api_url, self._gateway_url = api_url, gateway_url
        self._waits = waits or Waits()
        self._client: Connection | None = None
        """None: nobody is logged in."""
        self._line = NOT_YET
        """What is wrong with the connection."""
        self._tried = asyncio.Event()
        """The first login has worked, or failed."""
        self._sending = ""
        """What is wrong with sending, as the last alert found; not what concerns one chat."""
        self._flooded_until = 0.0
        self._seen: _Recent[None] = _Recent()
        self._looks: _Recent[None] = _Recent()
        """Messages that only show something; a press may put its answer in their place."""
        self._stories: _Recent[int] = _Recent()
        self._doubtful: dict[str, tuple[Reply, str]] = {}
        """What may have arrived, by chat, with the mark that keeps it from arriving twice."""
        self._rooms: dict[str, int] = {}
        """The channels of private messages, by user."""
        self._answering: set[asyncio.Task[None]] = set()
        self._following: set[asyncio.Task[None]] = set()

    @property
    def problem(self) -> str:
        flooded = self._clock.monotonic() < self._flooded_until
        return self._line or self._sending or (FLOODED if flooded else "")

    # -- the connection

    async def run(self, on_message: OnMessage) -> None:
        """Serve until cancelled; answers under way are still given."""
        # The library takes half a second to load, and the loop never waits.
        await asyncio.to_thread(import_module, "chatbot.frontends.discord_answer")
        from chatbot.frontends.discord_client import aim

        aim(self._api_url, self._gateway_url)
        try:
            await self._keep_connected(on_message)
        finally:
            self._line = NOT_YET

    async def _keep_connected(self, on_message: OnMessage) -> None:
        from chatbot.frontends.discord_client import FAILURES, Connection, throttled, trouble

        delay = self._waits.first_retry
        while True:
            client = Connection(
                clock=self._clock,
                waits=self._waits,
                heard=partial(self._heard, on_message),
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

    async def _serve(self, client: Connection) -> None:
        """Log in, and listen.  Raises whatever ends it."""
        declaring = None
        try:
            await self._within(client.login(self._token))
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

    def _has_become(self, problem: str) -> None:
        if problem != self._line:
            log.log(
                logging.WARNING if problem else logging.INFO,
                "Discord: %s",
                problem or "connected",
            )
        self._line = problem

    async def _declare(self, client: Connection) -> None:
        """Tell Discord the commands, if they are others than it was told; again until it works."""
        application = client.application_id or 0
        delay = self._waits.first_retry
        while True:
            try:
                declared = declaration(self._commands)
                mark = fingerprint(declared, self._api_url, application)
                if await self._notes.note(DECLARED) != mark:
                    telling = client.http.bulk_upsert_global_commands(application, declared)
                    await self._within(telling)
                    await self._notes.keep(DECLARED, mark)
                return
            except Exception as error:  # noqa: BLE001  # old commands go on working
                log.warning("Discord did not take the commands: %s", type(error).__name__)
            await self._clock.sleep(delay)
            delay = min(delay * 2, self._waits.longest_retry)

    # -- hearing

    def _heard(self, on_message: OnMessage, interaction: discord.Interaction[Connection]) -> None:
        """Discord may tell an interaction twice: it is the same one."""
        if interaction.id not in self._seen:
            self._seen.keep(interaction.id, None)
            self._spawn(self._answering, self._handle(on_message, interaction))

    async def _handle(
        self, on_message: OnMessage, interaction: discord.Interaction[Connection]
    ) -> None:
        speaker = self._speaker(interaction)
        kind = interaction.type.value
        if speaker is None:
            if kind != _TYPING and self._is_stranger(interaction):
                await self._on_stranger(self.title, str(interaction.user.id))
        elif kind == _TYPING:
            await self._suggest(interaction)
        elif kind in (_COMMAND, _PRESS):
            await self._answer(on_message, interaction, speaker)

    def _speaker(self, interaction: discord.Interaction[Connection]) -> Caller | None:
        """Who speaks; None: nobody who is answered here."""
        role = self._role(interaction)
        if role is None or interaction.channel_id is None or not self._is_listed(interaction):
            return None
        user = str(interaction.user.id)
        private = interaction.guild_id is None
        return Caller(
            user=f"discord:{user}",
            name=known_as(interaction.user.display_name, user),
            role=role,
            place=self.title,
            chat=f"discord:@{user}" if private else f"discord:{interaction.channel_id}",
            edits=True,
        )

    def _role(self, interaction: discord.Interaction[Connection]) -> Role | None:
        # The library's `roles` knows only those of guilds that it has heard of by now.
        carried = getattr(interaction.user, "_roles", ()) if self._is_listed(interaction) else ()
        return self._people.role(str(interaction.user.id), [str(role) for role in carried])

    def _is_listed(self, interaction: discord.Interaction[Connection]) -> bool:
        return interaction.guild_id is None or str(interaction.guild_id) in self._guilds

    def _is_stranger(self, interaction: discord.Interaction[Connection]) -> bool:
        return self._role(interaction) is None

    async def _suggest(self, interaction: discord.Interaction[Connection]) -> None:
        from discord.app_commands import Choice

        from chatbot.frontends.discord_client import FAILURES

        given: Any = interaction.data or {}
        found = suggestions(
            self._commands, given.get("name", ""), given.get("options", ()), self._offers
        )
        try:
            await self._within(
                interaction.response.autocomplete([Choice(name=w, value=w) for w in found])
            )
        except FAILURES as error:
            log.info("nothing was suggested: %s", type(error).__name__)

    # -- answering

    async def _answer(
        self,
        on_message: OnMessage,
        interaction: discord.Interaction[Connection],
        speaker: Caller,
    ) -> None:
        from chatbot.frontends.discord_answer import Answer
        from chatbot.frontends.discord_client import FAILURES

        message = self._message(interaction, speaker)
        answer = Answer(
            kind=self._kind(interaction, message.text),
            interaction=interaction,
            compose=self._compose,
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
        if answer.message is not None and not acts(self._commands, message.text):
            self._looks.keep(answer.message, None)
        if reply.then is not None:
            self._spawn(self._following, self._follow(reply, answer))

    async def _follow(self, reply: Reply, answer: Answer) -> None:
        from chatbot.frontends.discord_answer import Lasting
        from chatbot.frontends.discord_client import FAILURES

        try:
            await follow(reply, Lasting(answer, self._clock, self._waits))
        except FAILURES as error:
            # Who may not edit there any more is told by alerts.
            log.info("a message is no longer edited: %s", type(error).__name__)

    def _message(self, interaction: discord.Interaction[Connection], speaker: Caller) -> Message:
        given: Any = interaction.data or {}
        update = f"discord:{interaction.id}"
        if interaction.type.value == _COMMAND:
            text = spoken(self._commands, given.get("name", ""), given.get("options", ()))
            return Message(speaker, text, interaction.created_at, update)
        text = str(given.get("custom_id", ""))
        pressed = press_id(
            self._commands,
            message=f"discord:{interaction.message.id if interaction.message else 0}",
            user=speaker.user,
            text=text,
            update=update,
        )
        return Message(speaker, text, interaction.created_at, pressed)

    def _kind(self, interaction: discord.Interaction[Connection], text: str) -> Kind:
        from chatbot.frontends.discord_answer import Kind

        if interaction.type.value == _COMMAND or interaction.message is None:
            return Kind.COMMAND
        if acts(self._commands, text):
            return Kind.ACT
        looks = interaction.message.id in self._looks
        label = _label(interaction.message, text)
        in_place = edits_in_place(self._commands, text, label, looks=looks)
        return Kind.EDIT if in_place else Kind.ANEW

    async def _compose(self, reply: Reply) -> tuple[Parcel, ...]:
        from chatbot.frontends.discord_client import compose

        return await compose(reply, self._commands, self._pictures)

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_logged(work))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # -- speaking

    async def send(self, chat: str, reply: Reply, *, silent: bool) -> None:
        """Deliver an alert to the channel `456`, or privately to the user `@111`.

        Raises `Throttled`, `MayNotWrite`, `NotConnected`, or what the library raises.
        """
        # The first alert, that the desk has started, comes while it logs in.
        await self._within(self._tried.wait())
        if self._client is None:
            raise NotConnected(self._line)
        parcels = await self._compose(reply)
        try:
            await self._delivered(chat, reply, parcels, silent=silent)
        except Exception as error:  # noqa: BLE001  # told apart, and raised again
            raise self._as_told(chat, error) from None
        self._sending, self._flooded_until = "", 0.0
        self._doubtful.pop(chat, None)

    async def _delivered(
        self, chat: str, reply: Reply, parcels: tuple[Parcel, ...], *, silent: bool
    ) -> None:
        from chatbot.frontends.discord_client import plainer

        try:
            await self._deliver(chat, reply, parcels, silent=silent)
        except Exception as error:
            less = plainer(parcels, error)
            if less is None:
                raise
            log.warning("Discord refused an alert; it goes out plainer: %s", type(error).__name__)
            await self._deliver(chat, reply, less, silent=silent)

    async def _deliver(
        self, chat: str, reply: Reply, parcels: tuple[Parcel, ...], *, silent: bool
    ) -> None:
        channel = await self._channel(chat)
        if await self._goes_on(chat, channel, reply, parcels):
            return
        mark = self._mark(chat, reply)
        sent = [
            await self._within(channel.send(**parcel.new(silent=silent), nonce=f"{mark}{number}"))
            for number, parcel in enumerate(parcels)
        ]
        if reply.story:
            self._stories.keep((chat, reply.story), sent[0].id)

    async def _goes_on(
        self,
        chat: str,
        channel: discord.PartialMessageable,
        reply: Reply,
        parcels: tuple[Parcel, ...],
    ) -> bool:
        """Put it in the place of the story's last message; what needs a person is a new one."""
        message = self._stories.get((chat, reply.story))
        if message is None or reply.level >= Level.URGENT or len(parcels) > 1:
            return False
        edit = channel.get_partial_message(message).edit(**parcels[0].edit())
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
        client = self._client
        if client is None:
            raise NotConnected(self._line)  # since a moment ago
        if not chat.startswith("@"):
            return client.get_partial_messageable(int(chat))
        if chat not in self._rooms:
            from discord import Object

            room = await self._within(client.create_dm(Object(int(chat[1:]))))
            self._rooms[chat] = room.id
        return client.get_partial_messageable(self._rooms[chat])

    def _as_told(self, chat: str, error: Exception) -> Exception:
        """*error* as the outbox knows it; what it says of Discord as a whole is remembered."""
        from chatbot.frontends.discord_client import throttled, trouble

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
        task = asyncio.ensure_future(work)
        await within(self._clock, self._waits.request, task)
        return task.result()


class _Recent(OrderedDict[Hashable, T]):
    """What was kept last."""

    def keep(self, key: Hashable, value: T) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > REMEMBERED:
            self.popitem(last=False)


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
