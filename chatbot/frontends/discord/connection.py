"""The library's side of Discord: one login, and its gateway.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import aiohttp
import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import Route

from chatbot.frontends.discord.failures import GATEWAY_GONE
from chatbot.frontends.discord.timeouts import ConnectTimeouts
from trading.clocks import Clock
from trading.common.tasks import within

log = logging.getLogger(__name__)

_BAD_TOKEN = 4004
"""The gateway's close code, https://discord.com/developers/docs/topics/opcodes-and-status-codes."""
_RESUMABLE = 4000
"""A close code of ours after which Discord keeps the session."""
_GATEWAY_ERRORS = (
    OSError,  # TimeoutError too
    discord.HTTPException,
    discord.ConnectionClosed,
    discord.GatewayNotFound,
    aiohttp.ClientError,
)


_MISREAD = 20
"""Events in a row that cannot be read: then the stream is broken, and begins anew."""

T = TypeVar("T")


def aim(api_url: str, gateway_url: str) -> None:
    """Say where Discord is.  The library knows one place for a process."""
    Route.BASE = f"{api_url.rstrip('/')}/api/v10"
    url = type(DiscordWebSocket.DEFAULT_GATEWAY)
    DiscordWebSocket.DEFAULT_GATEWAY = url(gateway_url)
    # Nobody talks here: that voice is not installed is no news.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


class DiscordConnection(discord.Client):
    """Logged in once; keeps its gateway, so that what REST can do goes on without it.

    The library's own loop would wait up to 17 minutes between two tries, and close REST as well.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        waits: ConnectTimeouts,
        heard: Callable[[discord.Interaction], None],
        read: Callable[[discord.Message], None],
        state: Callable[[str], None],
    ) -> None:
        super().__init__(
            # None of them is privileged: words come of private messages and where we are named.
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True),
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
        self._read = read
        self._misread = 0
        """Events in a row that could not be read."""
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
            self.ws = await within(self._clock, self._waits.request, opening)
            while True:
                await self._next_event()
        except ReconnectWebSocket as asked:
            return asked
        except _GATEWAY_ERRORS as error:
            if isinstance(error, discord.ConnectionClosed) and error.code == _BAD_TOKEN:
                raise
            log.info("the gateway broke off: %s", type(error).__name__)
            return error
        except Exception as error:
            log.exception("the gateway could not be understood")
            return error

    async def _next_event(self) -> None:
        """One that cannot be read is passed over; the next ones are heard."""
        try:
            await self.ws.poll_event()
        except (ReconnectWebSocket, *_GATEWAY_ERRORS):
            raise
        except Exception as error:
            log.error("Discord: an event could not be read: %s", type(error).__name__)  # noqa: TRY400  # the trace holds it
            self._misread += 1
            if self._misread >= _MISREAD:
                await self._hang_up()
                raise
        else:
            self._misread = 0

    async def _hang_up(self) -> None:
        """End a stream that still runs: else its line stays open, and its thread beats for ever."""
        with suppress(*_GATEWAY_ERRORS):
            await within(self._clock, self._waits.farewell, self.ws.close(_RESUMABLE))

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

    async def on_message(self, message: discord.Message) -> None:
        self._read(message)

    async def on_raw_message_edit(self, edit: discord.RawMessageUpdateEvent) -> None:
        if edit.message.edited_at is not None:  # else Discord has only added a preview
            self._read(edit.message)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        log.exception("Discord's %s could not be handled", event_method)  # noqa: LOG004  # called as one is handled

    async def end(self) -> None:
        """Hang up, whatever the other side does."""
        try:
            await within(self._clock, self._waits.farewell, self.close())
        except Exception as error:  # noqa: BLE001  # it is left anyway
            log.info("Discord was left in the midst of it: %s", type(error).__name__)
        await self.http.close()
