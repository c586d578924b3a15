"""Who hears alerts, as the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatbot.delivery.waiting import Subscriber
from chatbot.settings import DiscordSettings, TelegramSettings, load
from chatbot.wiring.subscribers import guest, subscribers_of
from handlers.reply import Level

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text(encoding="utf-8")


def telegram_of(**keys: Any) -> dict[str, Subscriber]:
    return {
        each.key: each for each in subscribers_of("telegram", TelegramSettings.model_validate(keys))
    }


def discord_of(**keys: Any) -> dict[str, Subscriber]:
    return {
        each.key: each for each in subscribers_of("discord", DiscordSettings.model_validate(keys))
    }


def test_people_groups_and_topics_of_telegram() -> None:
    found = telegram_of(
        users={"111": "owner", "222": "operator"},
        groups=[-100],
        alerts=[
            {"chat": 111, "level": "notice"},
            {"chat": 222, "level": "critical"},
            {"chat": -100},
            {"chat": -100, "topic": 5, "level": "urgent"},
        ],
    )

    assert [(s.key, s.chat, s.at_least, s.owner) for s in found.values()] == [
        ("telegram:111", "111", Level.NOTICE, True),
        ("telegram:222", "222", Level.CRITICAL, False),
        ("telegram:-100", "-100", Level.INFO, False),
        ("telegram:-100/5", "-100/5", Level.URGENT, False),
    ]
    assert {s.speaker for s in found.values()} == {"telegram"}
    assert not any(s.on_call for s in found.values())


def test_owners_who_did_not_ask_are_on_call() -> None:
    found = telegram_of(
        users={"111": "owner", "222": "viewer"}, groups=[-100], alerts=[{"chat": -100}]
    )

    assert list(found) == ["telegram:-100", "telegram:111"]
    assert (found["telegram:111"].on_call, found["telegram:111"].owner) == (True, True)


def test_channels_and_people_of_discord() -> None:
    found = discord_of(
        guilds=["7"],
        users={"111": "owner", "222": "owner"},
        alerts=[{"channel": 456, "level": "urgent"}, {"user": 111}],
    )

    assert [(s.key, s.chat, s.owner, s.on_call) for s in found.values()] == [
        ("discord:456", "456", False, False),
        ("discord:@111", "@111", True, False),
        ("discord:@222", "@222", True, True),
    ]


def test_a_chat_that_stands_there_twice_hears_once_from_the_lower_level() -> None:
    found = telegram_of(users={"5": "viewer"}, alerts=[{"chat": 5, "level": "urgent"}, {"chat": 5}])

    assert [s.at_least for s in found.values()] == [Level.INFO]


GUESTS = {
    "telegram:222": "222",  # a person's own chat
    "telegram:-100": "-100",  # a listed group
    "telegram:-100/5": "-100/5",  # a topic of it
    "telegram:999": None,
    "telegram:-999": None,
    "discord:@222": "@222",
    "discord:456": "456",  # of which guild it is, only Discord knows
    "discord:@999": None,
    "local:1000": None,
    "": None,
}


@pytest.mark.parametrize("key", GUESTS)
@pytest.mark.parametrize("enabled", [True, False])
def test_who_may_ask_in_a_chat_that_hears_no_alerts_is_told_there(
    tmp_path: Path, key: str, enabled: bool
) -> None:
    (tmp_path / "bot.toml").write_text(SHIPPED)
    settings = load(
        tmp_path / "bot.toml",
        {
            "QUARTERDECK__CHAT__TELEGRAM__ENABLED": str(enabled).lower(),
            "QUARTERDECK__CHAT__TELEGRAM__TOKEN": "123:AAbbccddeeffgghhiijjkkllmmnnooppqq1",
            "QUARTERDECK__CHAT__TELEGRAM__USERS": '{"222": "viewer"}',
            "QUARTERDECK__CHAT__TELEGRAM__GROUPS": "[-100]",
            "QUARTERDECK__CHAT__DISCORD__ENABLED": str(enabled).lower(),
            "QUARTERDECK__CHAT__DISCORD__TOKEN": "hush-hush-hush",
            "QUARTERDECK__CHAT__DISCORD__USERS": '{"222": "viewer"}',
            "QUARTERDECK__CHAT__DISCORD__GUILDS": '["7"]',
        },
    )
    found = guest(settings, key)
    assert (found and found.chat) == (GUESTS[key] if enabled else None)
    if found is not None:
        assert (found.key, found.on_call, found.owner) == (key, True, False)
