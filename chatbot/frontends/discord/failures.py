"""What may go wrong with Discord, as clauses that people read.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

import aiohttp
import discord

from chatbot.delivery.waiting import Throttled
from chatbot.frontends.discord.timeouts import FLOODED

REFUSED_TOKEN = "its token is refused"  # noqa: S105  # what is said of one
SILENT = "it does not answer"
GATEWAY_GONE = "its gateway is gone"
_BAD_REQUEST, _TOO_MANY = 400, 429

FAILURES = (discord.DiscordException, aiohttp.ClientError, OSError)
"""All that the library raises when a request fails; `TimeoutError` is an `OSError`."""


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


def is_malformed(error: Exception) -> bool:
    """Discord will never take it as it is."""
    return isinstance(error, discord.HTTPException) and error.status == _BAD_REQUEST
