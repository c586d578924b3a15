"""The library's side of Discord: one login, its gateway, and messages as the library takes them.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

import aiohttp
import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import Route

from chatbot.delivery.outbox import Throttled
from chatbot.frontends import NoPicture, Pictures
from chatbot.frontends.discord import FLOODED, Waits
from chatbot.render.embed import Post, posts
from chatbot.supervise import within
from handlers.command import Commands
from handlers.reply import Reply
from trading.clocks import Clock

log = logging.getLogger(__name__)

REFUSED_TOKEN = "its token is refused"  # noqa: S105  # what is said of one
SILENT = "it does not answer"
GATEWAY_GONE = "its gateway is gone"
PICTURE = "chart.png"
CONTENT = 2_000
"""Characters of a message without an embed."""
NO_PICTURE = "The picture could not be drawn."
_BAD_TOKEN = 4004
"""The gateway's close code, https://discord.com/developers/docs/topics/opcodes-and-status-codes."""
_BAD_REQUEST, _TOO_MANY = 400, 429
_GATEWAY_ERRORS = (
    OSError,  # TimeoutError too
    discord.HTTPException,
    discord.ConnectionClosed,
    discord.GatewayNotFound,
    aiohttp.ClientError,
)

FAILURES = (discord.DiscordException, aiohttp.ClientError, OSError)
"""All that the library raises when a request fails; `TimeoutError` is an `OSError`."""

T = TypeVar("T")


def aim(api_url: str, gateway_url: str) -> None:
    """Say where Discord is.  The library knows one place for a process."""
    Route.BASE = f"{api_url.rstrip('/')}/api/v10"
    url = type(DiscordWebSocket.DEFAULT_GATEWAY)
    DiscordWebSocket.DEFAULT_GATEWAY = url(gateway_url)
    # Nobody talks here: that voice is not installed is no news.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


async def bounded(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of *work*; raises `TimeoutError` after *seconds*."""
    task = asyncio.ensure_future(work)
    await within(clock, seconds, task)
    return task.result()


# -- what went wrong ------------------------------------------------------------------------------


def trouble(error: Exception) -> str:
    """What *error* says about the connection, as a clause."""
    match error:
        case discord.LoginFailure() | discord.ConnectionClosed(code=4004):
            return REFUSED_TOKEN
        case discord.HTTPException(status=401):
            return REFUSED_TOKEN
        case discord.RateLimited() | discord.HTTPException(status=429):
            return FLOODED
        case discord.ConnectionClosed() | discord.GatewayNotFound():
            return GATEWAY_GONE
    return SILENT


def throttled(error: Exception) -> Throttled | None:
    """*error* as the outbox knows it, if it asks to wait."""
    if isinstance(error, discord.RateLimited):
        return Throttled(error.retry_after)
    if isinstance(error, discord.HTTPException) and error.status == _TOO_MANY:
        asked = error.response.headers.get("Retry-After", "")
        return Throttled(float(asked)) if asked.replace(".", "", 1).isdigit() else None
    return None


def plainer(parcels: tuple[Parcel, ...], error: Exception) -> tuple[Parcel, ...] | None:
    """What Discord may take after *error*, so that an alert arrives; None: nothing else would."""
    if is_malformed(error):
        return tuple(parcel.bare() for parcel in parcels)
    forbidden = isinstance(error, discord.Forbidden)
    if forbidden and any(parcel.picture is not None for parcel in parcels):
        return tuple(replace(parcel, picture=None) for parcel in parcels)
    return None


def is_malformed(error: Exception) -> bool:
    """Discord will never take it as it is."""
    return isinstance(error, discord.HTTPException) and error.status == _BAD_REQUEST


# -- the connection -------------------------------------------------------------------------------


class Connection(discord.Client):
    """Logged in once; keeps its gateway, so that what REST can do goes on without it.

    The library's own loop would wait up to 17 minutes between two tries, and close REST as well.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        waits: Waits,
        heard: Callable[[discord.Interaction], None],
        state: Callable[[str], None],
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            heartbeat_timeout=waits.silence,
        )
        # Given to the constructor, it would become 30 s at least.
        self.http.max_ratelimit_timeout = waits.flood
        self._clock = clock
        self._waits = waits
        self._heard = heard
        self._state = state
        self._greeted = False
        """The gateway has taken this session, or its resumption."""

    async def keep_listening(self) -> NoReturn:
        """Hold the gateway, resuming the session where it broke off.

        Raises `discord.ConnectionClosed` when the token is refused.
        """
        where: dict[str, Any] = {"initial": True}
        delay = 0.0
        while True:
            self._greeted = False
            error = await self._listen(where)
            if not self._greeted:  # Discord asks to reconnect now and then: that is no trouble
                self._state(GATEWAY_GONE)
            fresh = isinstance(error, ReconnectWebSocket) and not error.resume
            where = {"initial": False} if fresh else self._where(where)
            delay = 0.0 if self._greeted else self._longer(delay)
            # Discord counts new sessions, and asks for some seconds between two.
            await self._clock.sleep(max(delay, self._waits.identify) if fresh else delay)

    def _longer(self, delay: float) -> float:
        return min(max(delay * 2, self._waits.first_retry), self._waits.longest_retry)

    async def _listen(self, where: dict[str, Any]) -> Exception:
        """Listen until the gateway breaks off; return how.  Raises when the token is refused."""
        try:
            opening = DiscordWebSocket.from_client(self, **where)
            self.ws = await bounded(self._clock, self._waits.request, opening)
            while True:
                await self.ws.poll_event()
        except ReconnectWebSocket as asked:
            return asked
        except _GATEWAY_ERRORS as error:
            if isinstance(error, discord.ConnectionClosed) and error.code == _BAD_TOKEN:
                raise
            log.info("the gateway broke off: %s", type(error).__name__)
            return error

    def _where(self, before: dict[str, Any]) -> dict[str, Any]:
        """How to go on: with the session, if there is one."""
        # Typed as always there; it is not before the first connection.
        socket: DiscordWebSocket | None = self.ws
        if socket is None or socket.session_id is None:
            return before | {"initial": False}
        return {
            "initial": False,
            "resume": True,
            "gateway": socket.gateway,
            "session": socket.session_id,
            "sequence": socket.sequence,
        }

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library would wait 5 s here; `keep_listening` has waited already."""

    async def on_connect(self) -> None:
        self._greeted = True
        self._state("")

    async def on_resumed(self) -> None:
        self._greeted = True
        self._state("")

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        self._heard(interaction)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        log.exception("Discord's %s could not be handled", event_method)  # noqa: LOG004  # called as one is handled

    async def end(self) -> None:
        """Hang up, whatever the other side does."""
        try:
            await bounded(self._clock, self._waits.farewell, self.close())
        except Exception as error:  # noqa: BLE001  # it is left anyway
            log.info("Discord was left in the midst of it: %s", type(error).__name__)
        await self.http.close()


# -- messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message, to be posted or to be put in another's place."""

    post: Post
    picture: bytes | None
    is_bare: bool = False
    """Only its words: for when Discord refuses the rest."""

    def bare(self) -> Parcel:
        return replace(self, is_bare=True)

    def new(self, *, silent: bool) -> dict[str, Any]:
        """Arguments for any of the library's ways to send."""
        if self.is_bare:
            return {"content": self._words(), "silent": silent}
        given: dict[str, Any] = {"embed": self._embed(), "silent": silent}
        if self.post.buttons:
            given["view"] = self._view()
        if self._is_pictured:
            given["file"] = self._file()
        return given

    def edit(self) -> dict[str, Any]:
        """Arguments for any of the library's ways to edit; what is not there goes."""
        if self.is_bare:
            return {"content": self._words(), "embed": None, "view": None, "attachments": []}
        return {
            "content": None,
            "embed": self._embed(),
            "view": self._view() if self.post.buttons else None,
            "attachments": [self._file()] if self._is_pictured else [],
        }

    @property
    def _is_pictured(self) -> bool:
        return self.post.picture and self.picture is not None

    def _words(self) -> str:
        return f"{self.post.title}\n{self.post.description}".strip()[:CONTENT]

    def _embed(self) -> discord.Embed:
        post = self.post
        embed = discord.Embed(
            title=post.title or None, description=post.description or None, colour=post.colour
        )
        return embed.set_image(url=f"attachment://{PICTURE}") if self._is_pictured else embed

    def _view(self) -> discord.ui.View:
        view = discord.ui.View(timeout=None)
        for button in self.post.buttons:
            style = discord.ButtonStyle.danger if button.red else discord.ButtonStyle.secondary
            view.add_item(
                discord.ui.Button(style=style, label=button.label, custom_id=button.command)
            )
        view.stop()  # or the library would keep it: presses are read from what they carry
        return view

    def _file(self) -> discord.File:
        return discord.File(io.BytesIO(self.picture or b""), PICTURE)


async def compose(reply: Reply, commands: Commands, pictures: Pictures) -> tuple[Parcel, ...]:
    """The messages that show *reply*, its picture drawn."""
    picture = None
    if reply.chart is not None:
        try:
            picture = await pictures.draw(reply.chart)
        except NoPicture:
            reply = replace(reply, text=f"{reply.text} {NO_PICTURE}".strip())
    shown = posts(reply, commands, picture=picture is not None)
    return tuple(Parcel(post, picture) for post in shown)
