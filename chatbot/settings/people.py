"""Checks of chats, people and access that no section can make alone.

They look at what was written, before it is read: other mistakes do not hide these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from chatbot.settings.chats import PLATFORMS
from chatbot.settings.places import PREFIX, GivenValues, Mistake, is_on, tables
from chatbot.settings.values import perhaps
from handlers import load_commands
from handlers.access import ALWAYS
from handlers.caller import Role


def chats_and_people(said: GivenValues) -> Iterator[Mistake]:
    chats = tables(said.values.get("chat"))
    platforms = {name: chats.get(name, {}) for name in PLATFORMS}
    for name, chat in platforms.items():
        if is_on(chat, default=False):
            yield from _without_token(said, name, chat)
    yield from _token_twice(said, platforms)
    yield from _telegram_alerts(said, chats.get("telegram", {}))
    yield from _discord_alerts(said, chats.get("discord", {}))
    access = tables(said.values).get("access", {})
    yield from _commands(said, access.get("commands"))
    yield from _factors_of_nobody(said, access.get("totp"), platforms)


# -- tokens -------------------------------------------------------------------------------


def _without_token(said: GivenValues, name: str, chat: Mapping[str, Any]) -> Iterator[Mistake]:
    if chat.get("token") is None and not chat.get("token_file"):
        variable = f"{PREFIX}CHAT__{name.upper()}__TOKEN"
        why = f" has no token: set {variable} in the environment, or name a token_file"
        yield said.at(("chat", name), why)


def _token_twice(
    said: GivenValues, platforms: Mapping[str, Mapping[str, Any]]
) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    for name, chat in platforms.items():
        token = chat.get("token")
        if isinstance(token, SecretStr):
            other = first.setdefault(token.get_secret_value().strip(), name)
            if other != name:
                why = f" has the token of chat.{other}; each platform gives its own"
                yield said.at(("chat", name, "token"), why)


# -- who hears alerts ---------------------------------------------------------------------


def _telegram_alerts(said: GivenValues, telegram: Mapping[str, Any]) -> Iterator[Mistake]:
    users, groups = _ids(telegram.get("users")), _ids(telegram.get("groups"))
    for keys, alert in _alerts("telegram", telegram):
        chat = str(alert.get("chat", ""))
        if chat and chat not in users | groups:
            listed = "groups" if chat.startswith("-") else "users"
            yield said.wrong((*keys, "chat"), f"not one of the {listed} of [chat.telegram]")
        if alert.get("topic") is not None and chat in users:
            yield said.wrong((*keys, "topic"), "only a group has topics")


def _discord_alerts(said: GivenValues, discord: Mapping[str, Any]) -> Iterator[Mistake]:
    users, guilds = _ids(discord.get("users")), _ids(discord.get("guilds"))
    for keys, alert in _alerts("discord", discord):
        if alert.get("user") is not None and str(alert["user"]) not in users:
            yield said.wrong((*keys, "user"), "not one of the users of [chat.discord]")
        if alert.get("channel") is not None and not guilds:
            yield said.wrong((*keys, "channel"), "a channel needs its guild in guilds")


def _alerts(
    name: str, chat: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    written = chat.get("alerts")
    for number, alert in enumerate(written if isinstance(written, list) else ()):
        if isinstance(alert, dict):
            yield ("chat", name, "alerts", number), alert


def _ids(value: Any) -> set[str]:
    return {str(each).strip() for each in value} if isinstance(value, dict | list) else set()


# -- access -------------------------------------------------------------------------------


def _commands(said: GivenValues, written: Any) -> Iterator[Mistake]:
    """Commands may be switched off or need more; what makes safer, never."""
    if not isinstance(written, dict) or not written:
        return
    known = load_commands()
    for name, role in written.items():
        keys = ("access", "commands", name)
        found = known.get(name)
        if found is None:
            yield said.at(keys, f": there is no /{name}{perhaps(name, known)}")
        elif name in ALWAYS:
            yield said.wrong(keys, f"/{name} can neither be switched off nor need more")
        elif str(role).upper() in Role.__members__ and Role[str(role).upper()] < found.role:
            least = found.role.name.lower()
            yield said.wrong(keys, f"/{name} needs {least} already; it can only need more")


def _factors_of_nobody(
    said: GivenValues, written: Any, platforms: Mapping[str, Mapping[str, Any]]
) -> Iterator[Mistake]:
    for person in written if isinstance(written, dict) else ():
        platform, _, number = str(person).partition(":")
        chat = platforms.get(platform)
        by_role = chat is not None and bool(_ids(chat.get("roles")))
        known = {number} if chat is None or by_role else _ids(chat.get("users"))
        if number.isdigit() and number not in known:
            why = f": {person} is not one of the users of [chat.{platform}]"
            yield said.at(("access", "totp"), why)
