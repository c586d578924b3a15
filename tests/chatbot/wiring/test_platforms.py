"""A chat platform is a file, its section, and one row: everything else follows from the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from chatbot.settings import Settings, load
from chatbot.settings.chats import (
    PLATFORMS,
    ChatSettings,
    DiscordSettings,
    HearsAlerts,
    PlatformSettings,
    TelegramAlerts,
    TelegramSettings,
)
from chatbot.wiring.access import persons
from chatbot.wiring.platforms import MAKERS, Around, Makers, platforms
from chatbot.wiring.subscribers import guest, subscribers
from handlers.caller import Role
from handlers.context import Person
from tests.chatbot.settings.test_whole import SHIPPED


class PigeonSettings(PlatformSettings):
    """As if somebody had added one: a loft hears alerts, and owners come to their window."""

    title: ClassVar[str] = "Pigeons"
    lofts: tuple[TelegramAlerts, ...] = ()

    @property
    def hearing(self) -> Sequence[HearsAlerts]:
        return self.lofts

    def admits(self, address: str) -> bool:
        return address in self.users


class MoreChats(ChatSettings):
    pigeon: PigeonSettings = PigeonSettings()


def with_pigeons(**keys: Any) -> Settings:
    chat = MoreChats.model_validate({"console": {"enabled": False}, "pigeon": keys})
    return load(SHIPPED, {}).model_copy(update={"chat": chat})


ANNA = {"enabled": True, "users": {"111": "owner"}, "names": {"111": "anna"}}


def test_a_platform_of_its_own_is_made_by_its_row() -> None:
    made: list[PigeonSettings] = []
    loft: Any = object()

    def pigeons(section: PigeonSettings, timing: object, around: Around) -> Any:
        made.append(section)
        return loft

    makers: Makers = {**MAKERS, PigeonSettings: pigeons}
    around: Any = None  # nobody here needs anything of the process
    assert platforms(with_pigeons(**ANNA), around, makers) == (loft,)
    assert [section.users for section in made] == [{"111": "owner"}]
    assert platforms(with_pigeons(users=ANNA["users"]), around, makers) == (), "it is off"


def test_its_people_have_their_roles_there() -> None:
    assert persons(with_pigeons(**ANNA)) == (Person("anna", Role.OWNER, "Pigeons"),)


def test_its_chats_hear_alerts_and_its_owners_are_on_call() -> None:
    heard = subscribers(with_pigeons(**ANNA, lofts=[{"chat": "7", "level": "urgent"}]))
    assert [(each.key, each.on_call) for each in heard] == [
        ("pigeon:7", False), ("pigeon:111", True),
    ]  # fmt: skip


def test_only_who_may_speak_there_hears_what_was_asked_for() -> None:
    settings = with_pigeons(**ANNA)
    assert guest(settings, "pigeon:111") is not None
    assert guest(settings, "pigeon:222") is None
    assert guest(with_pigeons(users=ANNA["users"]), "pigeon:111") is None, "it is off"


@pytest.mark.parametrize("section", [TelegramSettings, DiscordSettings])
def test_each_of_ours_has_its_row(section: type[PlatformSettings]) -> None:
    assert section in MAKERS
    assert len(MAKERS) == len(PLATFORMS)
