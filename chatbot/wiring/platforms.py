"""From the settings to the chat platforms that are switched on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.delivery.waiting import Delivery
from chatbot.frontends.talk import OnUnauthorized
from chatbot.ports import ChatPlatform, Notes, Pictures
from chatbot.settings import DiscordSettings, Settings, TelegramSettings
from chatbot.settings.chats import PlatformSettings, TimingSettings
from handlers.command import Commands
from trading.clocks import Clock
from trading.desk import Desk
from trading.ports import Change, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What every platform needs of the process."""

    commands: Commands
    clock: Clock
    pictures: Pictures
    notes: Notes
    on_unauthorized: OnUnauthorized
    desk: Callable[[], Desk]
    """Asked while somebody types: for names to complete."""


def delivery(timing: TimingSettings) -> Delivery:
    """How patient the outbox is with every chat."""
    return Delivery(
        first_delay=float(timing.retry),
        longest_delay=float(timing.longest_retry),
        back_after=float(timing.back_after),
    )


Makers = Mapping[type[PlatformSettings], Callable[[Any, TimingSettings, Around], ChatPlatform]]
"""By their sections in the settings."""


def _telegram(section: TelegramSettings, timing: TimingSettings, around: Around) -> ChatPlatform:
    from chatbot.frontends.telegram import Polling, Telegram, TelegramFlood

    flood, usual = section.flood, Polling()
    return Telegram(
        token=section.plain_token,
        base_url=section.base_url,
        people=section.people(),
        groups=frozenset(section.groups),
        commands=around.commands,
        clock=around.clock,
        pictures=around.pictures,
        notes=around.notes,
        on_unauthorized=around.on_unauthorized,
        flood=TelegramFlood(
            overall_rate=flood.overall,
            overall_seconds=float(flood.overall_seconds),
            group_rate=flood.group,
            group_seconds=float(flood.group_seconds),
        ),
        polling=Polling(
            wait=timing.poll,
            answer=float(timing.request),
            connect=min(usual.connect, float(timing.request)),
            first_delay=float(timing.retry),
            longest_delay=min(usual.longest_delay, float(timing.longest_retry)),
            longest_refusal=min(usual.longest_refusal, float(timing.longest_retry)),
        ),
    )


def _discord(section: DiscordSettings, timing: TimingSettings, around: Around) -> ChatPlatform:
    from chatbot.frontends.discord import ConnectTimeouts, Discord

    return Discord(
        token=section.plain_token,
        api_url=section.api_url,
        gateway_url=section.gateway_url,
        people=section.people(),
        guilds=frozenset(section.guilds),
        commands=around.commands,
        symbols=lambda: symbols_of(around.desk()),
        traders=lambda: list(around.desk().traders),
        halts=lambda: [halt.id for halt in around.desk().latch.active],
        clock=around.clock,
        pictures=around.pictures,
        notes=around.notes,
        on_unauthorized=around.on_unauthorized,
        waits=ConnectTimeouts(
            request=float(timing.request),
            first_retry=float(timing.retry),
            longest_retry=float(timing.longest_retry),
        ),
    )


MAKERS: Makers = {TelegramSettings: _telegram, DiscordSettings: _discord}
"""A platform is a file in `chatbot/frontends/`, its section, and a row here."""


def platforms(
    settings: Settings, around: Around, makers: Makers = MAKERS
) -> tuple[ChatPlatform, ...]:
    """Those that are switched on; a library is imported here, and only if it is needed."""
    chat = settings.chat
    return tuple(
        makers[type(section)](section, chat.timing, around) for section in chat.platforms.values()
    )


def symbols_of(desk: Desk) -> Sequence[str]:
    """The bases that are traded here, in the order of the alphabet."""
    return sorted({symbol.base for trader in desk.traders.values() for symbol in trader.symbols})


class StoredNotes:
    """`Notes` in the history."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def note(self, name: str) -> str | None:
        return await self._store.note(name)

    async def keep(self, name: str, value: str) -> None:
        await self._store.commit(Change(notes=((name, value),)))
