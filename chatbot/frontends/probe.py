"""Asks a chat platform who we are there, without connecting: for `quarterdeck check`.

What a library says of a failure may hold the token (Telegram's is part of every address): only
its kind is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

TIMEOUT = 10.0
"""Seconds, of the machine's own time: what is waited for is the network."""
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 400, 401, 403, 404


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a platform's tokens look like, as far as all that were seen do."""

    pattern: re.Pattern[str]
    words: str


_TELEGRAM = _Shape(
    re.compile(r"(?<!\d)\d{6,}:[A-Za-z0-9_-]{30,}", re.ASCII), "digits, a colon, 35 letters"
)
_DISCORD = _Shape(
    re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{20,}", re.ASCII),
    "three parts of letters with a point between",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a platform answered."""

    name: str = ""
    """Of the bot; empty if there was no good answer."""
    problem: str = ""
    todo: str = ""
    places: frozenset[str] | None = None
    """Ids of the guilds that the bot is in; None where nobody said."""
    may_join: bool = True


async def telegram(base_url: str, token: str, *, within: float = TIMEOUT) -> ProbeResult:
    """Bot API `getMe`.  Never raises."""
    answer = await _ask(f"{base_url}/bot{token}/getMe", {}, within)
    if isinstance(answer, ProbeResult):
        return answer
    status, said = answer
    me = said.get("result") if isinstance(said, dict) else None
    if status in (_UNAUTHORIZED, _NOT_FOUND):
        return _refused(_TELEGRAM, token, "take a new one from @BotFather")
    if status != _OK or not isinstance(me, dict):
        return _strange(status, "base_url")
    return ProbeResult(
        name=f"@{me.get('username', '')}", may_join=bool(me.get("can_join_groups", True))
    )


async def discord(api_url: str, token: str, *, within: float = TIMEOUT) -> ProbeResult:
    """`GET /users/@me`, then the guilds that the bot is in.  Never raises."""
    headers = {"Authorization": f"Bot {token}"}
    answer = await _ask(f"{api_url}/api/v10/users/@me", headers, within)
    if isinstance(answer, ProbeResult):
        return answer
    status, me = answer
    if status == _UNAUTHORIZED:
        todo = "reset it in Discord's developer portal, and set the new one"
        return _refused(_DISCORD, token, todo)
    if status == _FORBIDDEN:
        return ProbeResult(
            problem="it is forbidden to this bot", todo="look at it in Discord's portal"
        )
    if status != _OK or not isinstance(me, dict):
        return _strange(status, "api_url")
    guilds = await _ask(f"{api_url}/api/v10/users/@me/guilds", headers, within)
    return ProbeResult(name=str(me.get("username", "")), places=_places(guilds))


async def telegram_chat(
    base_url: str, token: str, address: str, *, within: float = TIMEOUT
) -> str | None:
    """Why the bot cannot write to the chat `111` or the topic `-100123/5`; empty: it can.

    None: nobody knows.  It asks for the sign that somebody types, which leaves no message.
    """
    from chatbot.frontends.telegram.failures import TelegramFailed, forbidden, refused

    chat, _, topic = address.partition("/")
    body = {"chat_id": chat, "action": "typing"} | ({"message_thread_id": topic} if topic else {})
    answer = await _ask(f"{base_url}/bot{token}/sendChatAction", {}, within, body)
    if isinstance(answer, ProbeResult) or not isinstance(answer[1], dict):
        return None
    status, said = answer
    words, more = str(said.get("description", "")), said.get("parameters")
    if status == _OK:
        return "" if said.get("ok") is True else None
    if isinstance(more, dict) and "migrate_to_chat_id" in more:
        return f"the group has a new id, {more['migrate_to_chat_id']}"
    if status == _FORBIDDEN:
        return str(forbidden(words))
    found = refused(words) if status == _BAD_REQUEST else TelegramFailed()
    return str(found) if found.is_about_chat else None


async def discord_channel(
    api_url: str, token: str, address: str, *, within: float = TIMEOUT
) -> str | None:
    """Why the bot cannot see the channel `456`; empty: it can.  None: nobody knows.

    Whether a person, `@111`, takes messages is known only when there is one.
    """
    if address.startswith("@"):
        return None
    headers = {"Authorization": f"Bot {token}"}
    answer = await _ask(f"{api_url}/api/v10/channels/{address}", headers, within)
    if isinstance(answer, ProbeResult):
        return None
    status, said = answer
    if status == _OK:
        return "" if isinstance(said, dict) and said.get("id") == address else None
    return {_FORBIDDEN: "the bot may not see it", _NOT_FOUND: "there is no such channel"}.get(
        status
    )


def _places(answer: ProbeResult | tuple[int, Any]) -> frozenset[str] | None:
    if isinstance(answer, ProbeResult) or answer[0] != _OK or not isinstance(answer[1], list):
        return None
    return frozenset(str(each.get("id")) for each in answer[1] if isinstance(each, dict))


def _strange(status: int, key: str) -> ProbeResult:
    todo = f"try again later; if it stays, look at {key} and at who answers there"
    return ProbeResult(problem=f"a strange answer (status {status})", todo=todo)


def _refused(shape: _Shape, token: str, anew: str) -> ProbeResult:
    """A new token does not help who has copied something along with it."""
    todo = anew
    if shape.pattern.search(token) and not shape.pattern.fullmatch(token):
        todo = f"something stands before or after it: keep only the token, {shape.words}"
    elif not shape.pattern.fullmatch(token):
        todo = f"it does not look like one ({shape.words}): copy it again"
    return ProbeResult(problem="its token is refused", todo=todo)


async def _ask(
    address: str, headers: dict[str, str], within: float, body: dict[str, str] | None = None
) -> ProbeResult | tuple[int, Any]:
    """The status and what was said, None if it is no JSON; or why there was no answer.

    With a *body* it is posted.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=within)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                "GET" if body is None else "POST",
                address,
                headers=headers,
                json=body,
                allow_redirects=False,
            ) as answer,
        ):
            return answer.status, await _json(answer)
    except TimeoutError:
        problem = f"no answer within {within:g} s"
    except aiohttp.ClientSSLError:
        problem = "its certificate is not trusted"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        problem = f"it cannot be reached ({type(error).__name__})"
    return ProbeResult(problem=problem, todo="look at this machine's network, then check again")


async def _json(answer: aiohttp.ClientResponse) -> Any:
    try:
        return await answer.json(content_type=None)
    except ValueError:
        return None
