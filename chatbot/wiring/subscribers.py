"""From the settings to the chats that hear alerts."""

from __future__ import annotations

from collections.abc import Iterator

from chatbot.delivery.waiting import Subscriber
from chatbot.settings import Settings
from chatbot.settings.chats import PlatformSettings
from handlers.reply import Level


def subscribers(settings: Settings) -> tuple[Subscriber, ...]:
    """The console, each chat that asked, and owners who did not: those are on call."""
    found: list[Subscriber] = []
    if settings.chat.console.enabled:
        level = Level[settings.alerts.console.upper()]
        found.append(Subscriber(key="console:", speaker="console", chat="", at_least=level))
    for name, section in settings.chat.platforms.items():
        found += subscribers_of(name, section)
    return tuple(found)


def guest(settings: Settings, key: str) -> Subscriber | None:
    """The chat *key*, which hears no alerts, as one that hears what was asked for in it.

    None where nobody may speak to the desk: it is not in the settings, or not any more.
    """
    name, _, address = key.partition(":")
    section = settings.chat.platforms.get(name)
    if section is None or not section.admits(address):
        return None
    return Subscriber(
        key=key, speaker=name, chat=address, at_least=Level.CRITICAL, owner=False, on_call=True
    )


def subscribers_of(platform: str, section: PlatformSettings) -> Iterator[Subscriber]:
    """By keys as in `telegram:111`, or `discord:@111`: the platform, and the address there.

    A chat that stands there twice hears the lower of its levels.
    """
    levels: dict[str, Level] = {}
    for alert in section.hearing:
        level = Level[alert.level.upper()]
        levels[alert.address] = min(level, levels.get(alert.address, Level.CRITICAL))
    for address, level in levels.items():
        yield Subscriber(
            key=f"{platform}:{address}",
            speaker=platform,
            chat=address,
            at_least=level,
            owner=address in section.owners,
        )
    for address in section.owners:
        if address not in levels:
            yield Subscriber(
                key=f"{platform}:{address}", speaker=platform, chat=address, on_call=True
            )
