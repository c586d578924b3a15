"""`[chat]`: where people speak to the desk, who they are, and which chats hear alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from chatbot.frontends.talk import People
from chatbot.settings.values import (
    Address,
    Called,
    Gateway,
    Id,
    LevelName,
    Number,
    PersonId,
    RoleName,
    Section,
    Whole,
    Wrong,
)
from handlers.caller import Role

NAMES = 'numeric ids and names, each another one, as in { "111" = "anna" }'
USERS = 'numeric ids, each a viewer, operator or owner, as in { "111" = "owner" }'


def _whole_token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value().strip()
    if not token or len(token.split()) > 1:
        raise ValueError("not a token")
    return SecretStr(token)


def _group(value: str) -> str:
    if not value.startswith("-"):
        raise Wrong("a group's id is below 0, as in -1001234567890")
    return value


def roles_of(named: Mapping[str, str]) -> dict[str, Role]:
    return {key: Role[name.upper()] for key, name in named.items()}


def _each_another(names: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in names.values()}) < len(names):
        raise Wrong("two people have one name; an answer tells who acted by it")
    return names


Names = Annotated[dict[PersonId, Called], AfterValidator(_each_another)]
Token = Annotated[SecretStr, AfterValidator(_whole_token)]
_TOKEN = "a token: one word, without spaces"  # noqa: S105  # what is allowed, not one
_TOKEN_FILE = "a file with nothing but the token, beside this one"  # noqa: S105  # as above


class ConsoleSettings(Section):
    enabled: bool = True


class TimingSettings(Section):
    """How patient the desk is with a chat platform; seconds."""

    request: Number = Field(Decimal(10), ge=Decimal("0.05"), le=60)
    """A request that takes longer has failed."""
    poll: Whole = Field(5, ge=1, le=8)
    """So long Telegram holds a question for news open; with its answer it takes 10 s at most."""
    retry: Number = Field(Decimal(1), ge=Decimal("0.01"), le=60)
    """After a failure; doubled after each further one."""
    longest_retry: Number = Field(Decimal(60), ge=Decimal("0.01"), le=3_600)
    lost_after: Number = Field(Decimal(30), ge=Decimal("0.1"), le=3_600)
    """Out of reach for so long, it is told to the other chats."""
    back_after: Number = Field(Decimal(60), ge=Decimal("0.1"), le=3_600)
    """Away for longer, a chat hears in one message what waited."""


class FloodSettings(Section):
    """How fast Telegram takes messages; its own limits, unless somebody hosts their own."""

    overall: Whole = Field(30, ge=1, le=1_000)
    overall_seconds: Number = Field(Decimal(1), ge=Decimal("0.001"), le=3_600)
    group: Whole = Field(20, ge=1, le=1_000)
    group_seconds: Number = Field(Decimal(60), ge=Decimal("0.001"), le=3_600)


class HearsAlerts(Protocol):
    """One chat of a platform that asked for alerts."""

    @property
    def address(self) -> str: ...

    @property
    def level(self) -> str: ...


class PlatformSettings(Section):
    """What the desk must know of any chat platform: all that is built of it is built of this."""

    title: ClassVar[str]
    """As people call it: `Telegram`."""
    enabled: bool = False
    token: Token | None = Field(None, description=_TOKEN)
    """From the environment, or out of `token_file`."""
    token_file: str | None = Field(None, min_length=1, description=_TOKEN_FILE)
    users: dict[PersonId, RoleName] = Field(default_factory=dict, description=USERS)
    names: Names = Field(default_factory=dict, description=NAMES)

    @property
    def hearing(self) -> Sequence[HearsAlerts]:
        """The chats that asked for alerts."""
        raise NotImplementedError

    @property
    def plain_token(self) -> str:
        return self.token.get_secret_value() if self.token else ""

    @property
    def owners(self) -> tuple[str, ...]:
        """Where each of them is written to."""
        return tuple(user for user, role in self.users.items() if role == "owner")

    def admits(self, address: str) -> bool:
        """Whether somebody may speak to the desk at *address*."""
        raise NotImplementedError

    def people(self) -> People:
        return People(users=roles_of(self.users), names=self.names)


class TelegramAlerts(Section):
    chat: Id = Field(description="the numeric id of a person or a group")
    level: LevelName = "info"
    topic: Whole | None = Field(None, ge=1, le=2_147_483_647)
    """A thread of a group with topics."""

    @property
    def address(self) -> str:
        """As in `111`, or `-100123/5` for a topic."""
        return self.chat if self.topic is None else f"{self.chat}/{self.topic}"


class TelegramSettings(PlatformSettings):
    title: ClassVar[str] = "Telegram"
    base_url: Address = Field(
        "https://api.telegram.org", description="an address that begins with https:// or http://"
    )
    groups: tuple[Annotated[Id, AfterValidator(_group)], ...] = Field(
        (), max_length=100, description="at most 100 numeric ids, as in [-1001234567890]"
    )
    alerts: tuple[TelegramAlerts, ...] = Field(
        (), max_length=50, description='at most 50 of { chat = 111, level = "info", topic = 5 }'
    )
    flood: FloodSettings = FloodSettings()

    @property
    def hearing(self) -> Sequence[TelegramAlerts]:
        return self.alerts

    def admits(self, address: str) -> bool:
        return address.partition("/")[0] in (*self.users, *self.groups)


class DiscordAlerts(Section):
    channel: PersonId | None = Field(None, description="the numeric id of a channel")
    user: PersonId | None = Field(None, description="the numeric id of a person")
    level: LevelName = "info"

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.channel is None) == (self.user is None):
            raise Wrong("give either channel or user")
        return self

    @property
    def address(self) -> str:
        """As in `456`, or `@111` for a person."""
        return self.channel or f"@{self.user}"


class DiscordSettings(PlatformSettings):
    title: ClassVar[str] = "Discord"
    api_url: Address = Field(
        "https://discord.com",
        description="an address that begins with https:// or http://",
    )
    gateway_url: Gateway = Field(
        "wss://gateway.discord.gg", description="an address that begins with wss:// or ws://"
    )
    guilds: tuple[PersonId, ...] = Field(
        (), max_length=100, description='at most 100 numeric ids, as in ["123"]'
    )
    roles: dict[PersonId, RoleName] = Field(
        default_factory=dict,
        description='numeric ids of roles, each with one of ours, as in { "9" = "viewer" }',
    )
    alerts: tuple[DiscordAlerts, ...] = Field(
        (),
        max_length=50,
        description='at most 50 of { channel = "456", level = "info" } or { user = "111" }',
    )

    @property
    def hearing(self) -> Sequence[DiscordAlerts]:
        return self.alerts

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(f"@{user}" for user in super().owners)

    def admits(self, address: str) -> bool:
        if address.startswith("@"):
            return address.removeprefix("@") in self.users
        return bool(self.guilds)  # of which one it is, only Discord knows

    def people(self) -> People:
        return People(users=roles_of(self.users), roles=roles_of(self.roles), names=self.names)


class ChatSettings(Section):
    theme: Literal["light", "dark"] = "light"
    """Of pictures."""
    console: ConsoleSettings = ConsoleSettings()
    telegram: TelegramSettings = TelegramSettings()
    discord: DiscordSettings = DiscordSettings()
    timing: TimingSettings = TimingSettings()

    @property
    def platforms(self) -> Mapping[str, PlatformSettings]:
        """Those that are switched on, by the names of their sections."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: section
            for name, section in sections.items()
            if isinstance(section, PlatformSettings) and section.enabled
        }


PLATFORMS = tuple(
    name
    for name, field in ChatSettings.model_fields.items()
    if isinstance(field.default, PlatformSettings)
)
"""Names of the sections of chat platforms, in the order in which they are declared."""
