"""All settings together, frozen."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PrivateAttr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chatbot.folder.state import beside
from chatbot.settings.access import AccessSettings
from chatbot.settings.alerts import AlertSettings
from chatbot.settings.chats import ChatSettings
from chatbot.settings.places import GivenValues
from chatbot.settings.process import Bot, ScheduleSettings
from chatbot.settings.secret import secrets_in
from chatbot.settings.trading import Feed, TraderSection, Venue, WholeDesk
from chatbot.settings.values import Name


class Settings(BaseSettings):
    """All settings, frozen.  Made by `load` only."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    bot: Bot = Bot()
    schedule: ScheduleSettings = ScheduleSettings()
    chat: ChatSettings = ChatSettings()
    venues: dict[Name, Venue] = Field(min_length=1, description="a section [venues.NAME]")
    feeds: dict[Name, Feed] = Field(min_length=1, description="a section [feeds.NAME]")
    traders: dict[Name, TraderSection] = Field(min_length=1, description="a section [traders.NAME]")
    limits: WholeDesk = WholeDesk()
    alerts: AlertSettings = AlertSettings()
    access: AccessSettings = AccessSettings()

    _said: GivenValues = PrivateAttr()
    _notices: tuple[str, ...] = PrivateAttr(())

    @property
    def file(self) -> Path:
        return self._said.file

    @property
    def notices(self) -> tuple[str, ...]:
        """What was read otherwise than it was written: nothing wrong, and worth a word."""
        return self._notices

    @property
    def state_dir(self) -> Path:
        return beside(self.file, self.bot.state_dir)

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the masks of the log."""
        return tuple(secrets_in(self))

    def mistake(self, *keys: str | int, why: str) -> str:
        """A sentence on the value at *keys*, with its place, for who finds it wrong later."""
        return self._said.mistake(keys, why)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; all are read by `load`, which knows the places."""
        given = init_settings()
        return (
            InitSettingsSource(settings_cls, given["environment"]),
            InitSettingsSource(settings_cls, given["file"]),
            InitSettingsSource(settings_cls, given["secrets"]),
        )
