"""Asks a chat platform who we are there, without connecting: for `quarterdeck check`.

What a library says of a failure may hold the token (Telegram's is part of every address): only
its kind is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

PATIENCE = 10.0
"""Seconds, of the machine's own time: what is waited for is the network."""
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a platform answered."""

    name: str = ""
    """Of the bot; empty if there was no good answer."""
    problem: str = ""
    todo: str = ""
    places: frozenset[str] | None = None
    """Ids of the guilds that the bot is in; None where nobody said."""
    may_join: bool = True


async def telegram(base_url: str, token: str, *, patience: float = PATIENCE) -> Found:
    """Bot API `getMe`.  Never raises."""
    answer = await _ask(f"{base_url}/bot{token}/getMe", {}, patience)
    if isinstance(answer, Found):
        return answer
    status, said = answer
    me = said.get("result") if isinstance(said, dict) else None
    if status in (_UNAUTHORIZED, _NOT_FOUND):
        return Found(problem="its token is refused", todo="take a new one from @BotFather")
    if status != _OK or not isinstance(me, dict):
        return _strange(status, "base_url")
    return Found(name=f"@{me.get('username', '')}", may_join=bool(me.get("can_join_groups", True)))


async def discord(api_url: str, token: str, *, patience: float = PATIENCE) -> Found:
    """`GET /users/@me`, then the guilds that the bot is in.  Never raises."""
    headers = {"Authorization": f"Bot {token}"}
    answer = await _ask(f"{api_url}/api/v10/users/@me", headers, patience)
    if isinstance(answer, Found):
        return answer
    status, me = answer
    if status == _UNAUTHORIZED:
        todo = "reset it in Discord's developer portal, and set the new one"
        return Found(problem="its token is refused", todo=todo)
    if status == _FORBIDDEN:
        return Found(problem="it is forbidden to this bot", todo="look at it in Discord's portal")
    if status != _OK or not isinstance(me, dict):
        return _strange(status, "api_url")
    guilds = await _ask(f"{api_url}/api/v10/users/@me/guilds", headers, patience)
    return Found(name=str(me.get("username", "")), places=_places(guilds))


def _places(answer: Found | tuple[int, Any]) -> frozenset[str] | None:
    if isinstance(answer, Found) or answer[0] != _OK or not isinstance(answer[1], list):
        return None
    return frozenset(str(each.get("id")) for each in answer[1] if isinstance(each, dict))


def _strange(status: int, key: str) -> Found:
    todo = f"try again later; if it stays, look at {key} and at who answers there"
    return Found(problem=f"a strange answer (status {status})", todo=todo)


async def _ask(address: str, headers: dict[str, str], patience: float) -> Found | tuple[int, Any]:
    """The status and what was said, None if it is no JSON; or why there was no answer."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=patience)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status, await _json(answer)
    except TimeoutError:
        problem = f"no answer within {patience:g} s"
    except aiohttp.ClientSSLError:
        problem = "its certificate is not trusted"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        problem = f"it cannot be reached ({type(error).__name__})"
    return Found(problem=problem, todo="look at this machine's network, then check again")


async def _json(answer: aiohttp.ClientResponse) -> Any:
    try:
        return await answer.json(content_type=None)
    except ValueError:
        return None
