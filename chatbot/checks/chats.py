"""`quarterdeck check` on the chats: token, address, people, and who hears alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from pydantic import SecretStr

from chatbot.checks.finding import Check, Finding, Looked, Verdict
from chatbot.folder.history import HISTORY
from chatbot.frontends import probe
from chatbot.frontends.probe import ProbeResult
from chatbot.settings import DiscordSettings, TelegramSettings
from chatbot.wiring.subscribers import subscribers
from handlers.format import listed, plural
from storage.examine import alerts_wait_since


def _chats(looked: Looked) -> Iterator[Finding]:
    chat = looked.settings.chat
    names = ["console"] if chat.console.enabled else []
    names += [section.title for section in chat.platforms.values()]
    hearing = [each for each in subscribers(looked.settings) if not each.on_call]
    if hearing:
        yield Finding("chats", Verdict.OK, "; ".join([listed(names), "quarterdeck say"]))
    else:
        todo = "enable [chat.console], or name chats in alerts"
        yield Finding("chats", Verdict.LOOK, "no chat hears alerts", todo)


def _telegram(looked: Looked) -> Iterator[Finding]:
    chat = looked.settings.chat.telegram
    if not chat.enabled or chat.token is None:
        return
    yield _token("telegram", chat.token_file)
    found = asyncio.run(probe.telegram(chat.base_url, _plain(chat.token), within=looked.within))
    yield _answer("telegram", chat.base_url, found)
    yield from _telegram_people(chat)
    if chat.groups and not found.may_join:
        said = f"{plural(len(chat.groups), 'group')} listed, and the bot may join none"
        yield Finding("telegram groups", Verdict.LOOK, said, "@BotFather, /setjoingroups, Enable")
    ask = partial(probe.telegram_chat, chat.base_url, _plain(chat.token), within=looked.within)
    addresses = [alert.address for alert in chat.alerts]
    yield from _alerts(
        looked, "telegram", addresses, {} if found.problem else _asked(addresses, ask)
    )


def _telegram_people(chat: TelegramSettings) -> Iterator[Finding]:
    said = plural(len(chat.users), "person", "people")
    if chat.groups:
        said += f", {plural(len(chat.groups), 'group')}"
    yield _people("telegram", said, nobody=not chat.users)


def _discord(looked: Looked) -> Iterator[Finding]:
    chat = looked.settings.chat.discord
    if not chat.enabled or chat.token is None:
        return
    yield _token("discord", chat.token_file)
    found = asyncio.run(probe.discord(chat.api_url, _plain(chat.token), within=looked.within))
    yield _answer("discord", chat.api_url, found)
    yield from _guilds(chat, found)
    said = plural(len(chat.users), "person", "people")
    if chat.roles:
        said += f", {plural(len(chat.roles), 'role')}"
    yield _people("discord", said, nobody=not (chat.users or chat.roles))
    ask = partial(probe.discord_channel, chat.api_url, _plain(chat.token), within=looked.within)
    addresses = [alert.address for alert in chat.alerts]
    yield from _alerts(
        looked, "discord", addresses, {} if found.problem else _asked(addresses, ask)
    )


def _guilds(chat: DiscordSettings, found: ProbeResult) -> Iterator[Finding]:
    if found.places is None:
        return
    for guild in chat.guilds:
        if guild not in found.places:
            todo = "invite it there, with the scopes bot and applications.commands"
            yield Finding("discord guilds", Verdict.FAULT, f"the bot is not in {guild}", todo)
    if found.places.issuperset(chat.guilds):
        yield Finding("discord guilds", Verdict.OK, plural(len(chat.guilds), "guild"))


def _plain(token: SecretStr) -> str:
    return token.get_secret_value()


def _token(name: str, file: str | None) -> Finding:
    """A token that is missing, or open to others, is a mistake of the settings."""
    said = f"from {file}" if file else "from the environment"
    return Finding(f"{name} token", Verdict.OK, said)


def _answer(name: str, address: str, found: ProbeResult) -> Finding:
    if found.problem:
        return Finding(name, Verdict.FAULT, f"{address}: {found.problem}", found.todo)
    return Finding(name, Verdict.OK, f"{address} knows it as {found.name}")


def _people(name: str, said: str, *, nobody: bool) -> Finding:
    if nobody:
        todo = f'put your numeric id into [chat.{name}]: users = {{ "111" = "owner" }}'
        return Finding(f"{name} people", Verdict.LOOK, "nobody may command", todo)
    return Finding(f"{name} people", Verdict.OK, said)


def _asked(
    addresses: Iterable[str], ask: Callable[[str], Awaitable[str | None]]
) -> dict[str, str | None]:
    """What each chat that hears alerts says; see `probe`."""

    async def all_of_them() -> dict[str, str | None]:
        return {address: await ask(address) for address in dict.fromkeys(addresses)}

    return asyncio.run(all_of_them())


def _alerts(
    looked: Looked, name: str, addresses: Sequence[str], asked: Mapping[str, str | None]
) -> Iterator[Finding]:
    if not addresses:
        todo = f"name chats in [chat.{name}] alerts"
        said = "no chat hears them, but owners hear of critical ones that nobody answers"
        yield Finding(f"{name} alerts", Verdict.LOOK, said, todo)
        return
    lost = {address: why for address, why in asked.items() if why}
    waits = alerts_wait_since(looked.state / HISTORY) if lost else {}
    for address, why in lost.items():
        at = waits.get(f"{name}:{address}")
        since = "" if at is None else f", alerts wait since {at:%Y-%m-%d %H:%M} UTC"
        todo = f"let the bot in there again, or correct [chat.{name}] alerts"
        yield Finding(f"{name} alerts", Verdict.FAULT, f"chat {address}: {why}{since}", todo)
    if not lost:
        yield Finding(f"{name} alerts", Verdict.OK, plural(len(addresses), "chat"))


CHATS: tuple[Check, ...] = (_chats, _telegram, _discord)
