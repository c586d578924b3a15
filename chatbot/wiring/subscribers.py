"""From the settings to the chats that hear alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from chatbot.delivery.waiting import Subscriber
from chatbot.settings import DiscordSettings, Settings, TelegramSettings
from handlers.reply import Level


def subscribers(settings: Settings) -> tuple[Subscriber, ...]:
    """The console, each chat that asked, and owners who did not: those are on call."""
    found: list[Subscriber] = []
    if settings.chat.console.enabled:
        level = Level[settings.alerts.console.upper()]
        found.append(Subscriber(key="console:", speaker="console", chat="", at_least=level))
    if settings.chat.telegram.enabled:
        found += telegram(settings.chat.telegram)
    if settings.chat.discord.enabled:
        found += discord(settings.chat.discord)
    return tuple(found)


def telegram(chat: TelegramSettings) -> Iterator[Subscriber]:
    """By keys as in `telegram:111`, or `telegram:-100123/5` for a topic."""
    asked = ((alert.address, alert.level) for alert in chat.alerts)
    return _of("telegram", asked, _owners(chat.users))


def discord(chat: DiscordSettings) -> Iterator[Subscriber]:
    """By keys as in `discord:456` for a channel, `discord:@111` for a person."""
    asked = ((alert.address, alert.level) for alert in chat.alerts)
    return _of("discord", asked, [f"@{user}" for user in _owners(chat.users)])


def guest(settings: Settings, key: str) -> Subscriber | None:
    """The chat *key*, which hears no alerts, as one that hears what was asked for in it.

    None where nobody may speak to the desk: it is not in the settings, or not any more.
    """
    platform, _, address = key.partition(":")
    chat = settings.chat
    allowed = {
        "telegram": chat.telegram.enabled
        and address.partition("/")[0] in (*chat.telegram.users, *chat.telegram.groups),
        "discord": chat.discord.enabled
        and (
            address.removeprefix("@") in chat.discord.users
            if address.startswith("@")
            else bool(chat.discord.guilds)  # of which one it is, only Discord knows
        ),
    }
    if not allowed.get(platform, False):
        return None
    return Subscriber(
        key=key, speaker=platform, chat=address, at_least=Level.CRITICAL, owner=False, on_call=True
    )


def _of(
    platform: str, asked: Iterable[tuple[str, str]], owners: Collection[str]
) -> Iterator[Subscriber]:
    """A chat that stands there twice hears the lower of its levels."""
    levels: dict[str, Level] = {}
    for address, name in asked:
        levels[address] = min(Level[name.upper()], levels.get(address, Level.CRITICAL))
    for address, level in levels.items():
        yield Subscriber(
            key=f"{platform}:{address}",
            speaker=platform,
            chat=address,
            at_least=level,
            owner=address in owners,
        )
    for address in owners:
        if address not in levels:
            yield Subscriber(
                key=f"{platform}:{address}", speaker=platform, chat=address, on_call=True
            )


def _owners(users: Mapping[str, str]) -> list[str]:
    return [user for user, role in users.items() if role == "owner"]
