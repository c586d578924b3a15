"""Settings of the chats: who may command, who hears alerts, and tokens that stay secret."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.app.administration import _flat
from chatbot.delivery.waiting import Delivery
from chatbot.settings import DiscordSettings, Settings, load
from chatbot.settings.chats import FloodSettings, TimingSettings
from chatbot.wiring.access import persons
from chatbot.wiring.platforms import delivery
from handlers.caller import Role
from handlers.context import Person
from trading.errors import SettingsError

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text()
TELEGRAM, DISCORD = "QUARTERDECK__CHAT__TELEGRAM__", "QUARTERDECK__CHAT__DISCORD__"
TOKEN, OTHER = "123456789:AAHk-Zx9Qw_3rTyUiOpAsDfGhJkLzXcVbNm", "hush-hush-hush"
TELEGRAM_ON = {TELEGRAM + "TOKEN": TOKEN}
DISCORD_ON = {DISCORD + "TOKEN": OTHER}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, *, telegram: str = "", discord: str = "", top: str = "") -> Path:
    """The shipped settings, with these keys in the sections of the chats."""
    text = SHIPPED
    for name, keys in (("telegram", telegram), ("discord", discord)):
        if keys:
            before, section, after = text.partition(f"\n[chat.{name}]")
            off = re.compile(r"^enabled = false.*$", re.MULTILINE)
            text = before + section + off.sub(f"enabled = true\n{keys}", after, count=1)
    (folder / "bot.toml").write_text(text + top)
    return folder / "bot.toml"


def mistakes(file: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(file, environ)
    return [re.sub(r"^bot\.toml( \d+)?: ", "", sentence) for sentence in refused.value.mistakes]


def whole(folder: Path) -> Settings:
    file = write(
        folder,
        telegram='users = { "111" = "owner", "222" = "viewer" }\ngroups = [-1001]\n'
        'alerts = [{ chat = 111 }, { chat = "-1001", topic = 5, level = "urgent" }]\n'
        "flood = { overall = 3, group_seconds = 0.6 }",
        discord='guilds = [7]\nusers = { "111" = "operator" }\nroles = { "9" = "viewer" }\n'
        'alerts = [{ channel = 456 }, { user = "111", level = "critical" }]',
    )
    return load(file, TELEGRAM_ON | DISCORD_ON)


def test_both_chats_are_off_as_shipped(folder: Path) -> None:
    chat = load(write(folder), {}).chat
    assert (chat.telegram.enabled, chat.discord.enabled, chat.theme) == (False, False, "light")
    assert chat.telegram.people().users == {}
    assert chat.telegram.base_url == "https://api.telegram.org"


def test_every_example_of_the_shipped_file_can_be_used_as_it_stands(folder: Path) -> None:
    begin, end = SHIPPED.index("[chat]"), SHIPPED.index("[venues.paper]")
    examples = re.sub(
        r"^# (?=\w+ = )(?!token_file|totp_file)", "", SHIPPED[begin:end], flags=re.MULTILINE
    )
    assert set(re.findall(r"^# (\w+) = ", examples, re.MULTILINE)) == {"token_file", "totp_file"}
    file = folder / "bot.toml"
    file.write_text(SHIPPED[:begin] + examples + SHIPPED[end:])
    settings = load(file, {})
    chat = settings.chat
    assert (len(chat.telegram.alerts), len(chat.discord.alerts)) == (2, 2)
    assert settings.access.policy().off == {"shutdown"}
    assert chat.telegram.flood == FloodSettings()
    assert chat.timing == TimingSettings()
    assert (chat.discord.api_url, chat.discord.gateway_url) == (
        DiscordSettings().api_url,
        DiscordSettings().gateway_url,
    )


def test_people_and_their_roles(folder: Path) -> None:
    settings = whole(folder)
    telegram, discord = settings.chat.telegram.people(), settings.chat.discord.people()
    assert [telegram.role(user) for user in ("111", "222", "333")] == [
        Role.OWNER,
        Role.VIEWER,
        None,
    ]
    assert discord.role("111", ["9"]) is Role.OPERATOR
    assert discord.role("5", ["9"]) is Role.VIEWER
    assert discord.role("5") is None
    assert persons(settings) == (
        Person("111", Role.OWNER, "Telegram"),
        Person("222", Role.VIEWER, "Telegram"),
        Person("111", Role.OPERATOR, "Discord"),
        Person("role 9", Role.VIEWER, "Discord"),
    )


def test_ids_may_be_numbers_or_text(folder: Path) -> None:
    chat = whole(folder).chat
    assert chat.telegram.groups == ("-1001",)
    assert chat.discord.guilds == ("7",)
    assert [alert.address for alert in chat.telegram.alerts] == ["111", "-1001/5"]
    assert [alert.address for alert in chat.discord.alerts] == ["456", "@111"]
    flood = chat.telegram.flood
    assert (flood.overall, flood.group, flood.group_seconds) == (3, 20, Decimal("0.6"))


def test_everything_can_come_from_the_environment(folder: Path) -> None:
    settings = load(
        write(folder),
        TELEGRAM_ON
        | {
            TELEGRAM + "ENABLED": "true",
            TELEGRAM + "BASE_URL": "http://127.0.0.1:8081/",
            TELEGRAM + "USERS": '{"111": "owner"}',
            TELEGRAM + "GROUPS": "[-1001]",
            TELEGRAM + "ALERTS": '[{"chat": -1001, "level": "critical"}]',
            TELEGRAM + "FLOOD__GROUP": "2",
            "QUARTERDECK__CHAT__THEME": "dark",
        },
    )
    telegram = settings.chat.telegram
    assert telegram.base_url == "http://127.0.0.1:8081"
    assert (telegram.users, telegram.groups) == ({"111": "owner"}, ("-1001",))
    assert (telegram.alerts[0].level, telegram.flood.group) == ("critical", 2)
    assert settings.chat.theme == "dark"


# -- tokens -------------------------------------------------------------------------------


def test_a_token_is_masked_wherever_settings_are_shown(folder: Path) -> None:
    settings = whole(folder)
    assert set(settings.secrets()) == {TOKEN, OTHER}
    shown = repr(settings) + "\n".join(f"{k} = {v}" for k, v in _flat(settings.model_dump()))
    assert "chat.telegram.token = ***" in shown
    assert TOKEN not in shown
    assert OTHER not in shown


@pytest.mark.parametrize("name", ["telegram", "discord"])
def test_a_token_in_the_settings_is_refused(folder: Path, name: str) -> None:
    file = write(folder, **{name: f'token = "{OTHER}"'})
    told = "\n".join(mistakes(file))
    assert f"take it out of the file and set QUARTERDECK__CHAT__{name.upper()}__TOKEN" in told
    assert OTHER not in told


@pytest.mark.parametrize("name", ["telegram", "discord"])
def test_an_enabled_chat_needs_a_token(folder: Path, name: str) -> None:
    file = write(folder, **{name: "# nothing else"})
    (told,) = mistakes(file)
    assert told == (
        f"chat.{name} has no token: set QUARTERDECK__CHAT__{name.upper()}__TOKEN in the "
        "environment, or name a token_file"
    )


def test_a_token_can_stand_in_a_file_of_its_own(folder: Path) -> None:
    file = write(folder, telegram='token_file = "telegram.token"')
    (folder / "telegram.token").write_text(f"{TOKEN}\n")
    (folder / "telegram.token").chmod(0o600)
    token = load(file, {}).chat.telegram.token
    assert token is not None
    assert token.get_secret_value() == TOKEN


def test_the_environment_wins_over_the_file_of_a_token(folder: Path) -> None:
    file = write(folder, telegram='token_file = "gone"')
    token = load(file, TELEGRAM_ON).chat.telegram.token
    assert token is not None
    assert token.get_secret_value() == TOKEN


@pytest.mark.parametrize(
    ("mode", "text", "told"),
    [
        (0o644, TOKEN, "others may read or write it: chmod 600 "),
        (0o602, TOKEN, "others may read or write it: chmod 600 "),
        (0o600, "  \n", "it is empty"),
        (0o600, "x" * 70_000, "it is too long"),
        (0o600, "hush hush", "a token: one word, without spaces"),
        (None, "", "there is no "),
    ],
)
def test_what_is_wrong_with_the_file_of_a_token_is_told_without_its_words(
    folder: Path, mode: int | None, text: str, told: str
) -> None:
    file = write(folder, telegram='token_file = "telegram.token"')
    if mode is not None:
        (folder / "telegram.token").write_text(text)
        (folder / "telegram.token").chmod(mode)
    (sentence,) = mistakes(file)
    assert told in sentence
    assert sentence.startswith("chat.telegram.token")
    assert TOKEN not in sentence
    assert "hush" not in sentence


DRESSED = [
    ('"{}"', "quotes stand around it"),
    ("'{}'", "quotes stand around it"),
    ("\u201c{}\u201d", "quotes stand around it"),
    ("`{}`", "quotes stand around it"),
    ('"{}', "a quote stands at one end of it"),
    ("{}'", "a quote stands at one end of it"),
    ("\ufeff{}", "a mark that is not seen (a BOM) stands around it"),
    ("{}\u200b", "a mark that is not seen (a BOM) stands around it"),
]


@pytest.mark.parametrize("name", ["telegram", "discord"])
@pytest.mark.parametrize(("dress", "told"), DRESSED)
def test_what_was_copied_along_with_a_token_is_named(
    folder: Path, name: str, dress: str, told: str
) -> None:
    """A platform would only say that the token is wrong."""
    variable = f"QUARTERDECK__CHAT__{name.upper()}__TOKEN"
    file = write(folder, **{name: "# by environment"})
    sentences = mistakes(file, **{variable: dress.format(TOKEN)})
    assert any(s.startswith(f"{variable}: {told}") for s in sentences), sentences

    file = write(folder, **{name: 'token_file = "a.token"'})
    (folder / "a.token").write_text(dress.format(TOKEN), encoding="utf-8")
    (folder / "a.token").chmod(0o600)
    (sentence,) = mistakes(file)
    assert f"chat.{name}.token_file" in sentence
    assert told in sentence
    assert TOKEN not in sentence


@pytest.mark.parametrize("dress", ["  {}", "{}\n", "\t{}\r\n"])
def test_spaces_around_a_token_are_taken_off(folder: Path, dress: str) -> None:
    settings = load(write(folder), TELEGRAM_ON | {TELEGRAM + "TOKEN": dress.format(TOKEN)})
    assert settings.chat.telegram.token is not None
    assert settings.chat.telegram.token.get_secret_value() == TOKEN


@pytest.mark.parametrize(("dress", "told"), DRESSED)
def test_what_was_copied_along_with_a_seed_is_named(folder: Path, dress: str, told: str) -> None:
    said = TELEGRAM_ON | {ACCESS + "TOTP": json.dumps({"telegram:111": dress.format(SEED)})}
    assert any(told in sentence for sentence in mistakes(write(folder), **said))


def test_a_chat_that_is_off_needs_neither_token_nor_file(folder: Path) -> None:
    file = write(folder)
    assert load(file, {TELEGRAM + "TOKEN_FILE": "gone"}).chat.telegram.token is None


def test_two_platforms_do_not_share_a_token(folder: Path) -> None:
    file = write(folder, telegram="#", discord="#")
    told = mistakes(file, **{TELEGRAM + "TOKEN": TOKEN, DISCORD + "TOKEN": f" {TOKEN}"})
    assert told == [
        f"{DISCORD}TOKEN has the token of chat.telegram; each platform gives its own",
    ]


# -- mistakes -----------------------------------------------------------------------------

WRONG_TELEGRAM = [
    ('users = { "@anna" = "owner" }', 'chat.telegram.users: "@anna" is no key there, allowed num'),
    ('users = { "-5" = "owner" }', 'chat.telegram.users: "-5" is no key there, allowed numeric'),
    ('users = { "1" = "boss" }', 'users.1 = "boss", allowed numeric ids, each a viewer, operator'),
    ("groups = [1001]", "chat.telegram.groups[0] = 1001, a group's id is below 0, as in -100123"),
    ("groups = [true]", "chat.telegram.groups[0] = true, allowed at most 100 numeric ids"),
    ("alerts = [{ chat = 5 }]", "alerts[0].chat = 5, not one of the users of [chat.telegram]"),
    ("alerts = [{ chat = -5 }]", "alerts[0].chat = -5, not one of the groups of [chat.telegram]"),
    ('alerts = [{ level = "info" }]', "alerts[0].chat is missing, wanted: the numeric id of a per"),
    (
        'users = { "5" = "owner" }\nalerts = [{ chat = 5, topic = 2 }]',
        "alerts[0].topic = 2, only a group has topics",
    ),
    (
        'users = { "5" = "owner" }\nalerts = [{ chat = 5, level = "loud" }]',
        'alerts[0].level = "loud", allowed info, notice, urgent or critical',
    ),
    ('base_url = "api.telegram.org"', 'base_url = "api.telegram.org", allowed an address that be'),
    ('base_url = "https://me:x@here"', "allowed an address that begins with https:// or http://"),
    ("flood = { group = 0 }", "chat.telegram.flood.group = 0, allowed 1 to 1,000"),
    ("flod = { group = 1 }", "chat.telegram.flod is not known, did you mean chat.telegram.flood"),
]
WRONG_DISCORD = [
    ('guilds = ["ours"]', 'chat.discord.guilds[0] = "ours", allowed at most 100 numeric ids'),
    ('guilds = ["7"]\nalerts = [{}]', "alerts[0] = {}, give either channel or user"),
    ("alerts = [{ channel = 4 }]", "alerts[0].channel = 4, a channel needs its guild in guilds"),
    ("alerts = [{ user = 4 }]", "alerts[0].user = 4, not one of the users of [chat.discord]"),
    ('roles = { "9" = "king" }', 'roles.9 = "king", allowed numeric ids of roles'),
    ('gateway_url = "https://x"', "allowed an address that begins with wss:// or ws://"),
]


@pytest.mark.parametrize(("keys", "told"), WRONG_TELEGRAM, ids=[k for k, _ in WRONG_TELEGRAM])
def test_a_mistake_about_telegram_is_told(folder: Path, keys: str, told: str) -> None:
    (sentence,) = mistakes(write(folder, telegram=keys), **TELEGRAM_ON)
    assert told in sentence


@pytest.mark.parametrize(("keys", "told"), WRONG_DISCORD, ids=[k for k, _ in WRONG_DISCORD])
def test_a_mistake_about_discord_is_told(folder: Path, keys: str, told: str) -> None:
    (sentence,) = mistakes(write(folder, discord=keys), **DISCORD_ON)
    assert told in sentence


# -- access -------------------------------------------------------------------------------

ACCESS = "QUARTERDECK__ACCESS__"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_commands_can_be_switched_off_or_need_more(folder: Path) -> None:
    said = {ACCESS + "COMMANDS": '{"shutdown": "off", "buy": "owner", "resume": "operator"}'}
    policy = load(write(folder), said).access.policy()
    assert set(policy.off) == {"shutdown"}
    assert policy.raised == {"buy": Role.OWNER, "resume": Role.OPERATOR}


@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ({"shutdwn": "off"}, "access.commands.shutdwn: there is no /shutdwn; did you mean shutdow"),
        ({"stop": "off"}, 'stop = "off", /stop can neither be switched off nor need more'),
        ({"status": "owner"}, '"owner", /status can neither be switched off nor need more'),
        ({"confirm": "off"}, "/confirm can neither be switched off nor need more"),
        ({"shutdown": "operator"}, "/shutdown needs owner already; it can only need more"),
        ({"buy": "viewer"}, 'buy = "viewer", allowed commands, each off, operator or owner'),
    ],
)
def test_commands_that_must_stay_or_are_not_there(
    folder: Path, commands: dict[str, str], told: str
) -> None:
    sentences = mistakes(write(folder), **{ACCESS + "COMMANDS": json.dumps(commands)})
    assert told in "\n".join(sentences)


def test_a_second_factor_comes_from_the_environment_and_is_masked(folder: Path) -> None:
    file = write(folder, telegram='users = { "111" = "owner" }')
    said = TELEGRAM_ON | {ACCESS + "TOTP": json.dumps({"telegram:111": SEED.lower()})}
    settings = load(file, said)
    assert settings.access.totp["telegram:111"].get_secret_value() == SEED
    assert SEED in settings.secrets()
    assert SEED not in repr(settings)
    assert SEED not in "".join(value for _, value in _flat(settings.model_dump()))


def test_a_second_factor_can_stand_in_a_file_of_its_own(folder: Path) -> None:
    file = write(folder)
    said = {ACCESS + "TOTP_FILE": "totp.json"}
    (folder / "totp.json").write_text(json.dumps({"local:1000": SEED}))
    (folder / "totp.json").chmod(0o644)
    (told,) = mistakes(file, **said)
    assert "others may read or write it: chmod 600" in told
    (folder / "totp.json").chmod(0o600)
    assert load(file, said).access.totp["local:1000"].get_secret_value() == SEED
    (folder / "totp.json").write_text(SEED)
    (told,) = mistakes(file, **said)
    assert told.endswith('it is not JSON as in {"telegram:111": "SECRET"}')
    assert SEED not in told


def test_a_second_factor_in_the_settings_is_refused(folder: Path) -> None:
    file = write(folder, top=f'[access.totp]\n"telegram:111" = "{SEED}"\n')
    file.write_text(file.read_text().replace("[access] ", "[access.x] "))
    told = "\n".join(mistakes(file))
    assert "access.totp looks like a secret; take it out of the file" in told
    assert f"set {ACCESS}TOTP in the environment" in told
    assert SEED not in told


@pytest.mark.parametrize(
    ("people", "told"),
    [
        ({"telegram:111": "JBSW"}, "TOTP: access.totp.telegram:111 = ***, allowed people and th"),
        ({"telegram:111": "no base32!"}, "= ***, allowed people and their secrets, as in {"),
        ({SEED: "telegram:111"}, "TOTP: *** is no key there, allowed people"),
        ({"telegram:999": SEED}, "telegram:999 is not one of the users of [chat.telegram]"),
    ],
)
def test_a_second_factor_that_is_none_is_told_without_its_secret(
    folder: Path, people: dict[str, str], told: str
) -> None:
    file = write(folder, telegram='users = { "111" = "owner" }')
    sentences = mistakes(file, **TELEGRAM_ON, **{ACCESS + "TOTP": json.dumps(people)})
    assert told in "\n".join(sentences)
    assert SEED not in "\n".join(sentences)


def test_what_is_no_json_is_not_repeated(folder: Path) -> None:
    told = mistakes(write(folder), **{ACCESS + "TOTP": "{" + SEED})
    assert told == [f"{ACCESS}TOTP = ***, lists and maps are JSON"]


def test_how_patient_it_is_with_chats_can_be_set(folder: Path) -> None:
    timing = {"QUARTERDECK__CHAT__TIMING": json.dumps({"retry": 0.05, "back_after": 2})}
    chat = load(write(folder), timing).chat
    assert (chat.timing.poll, chat.timing.retry) == (5, Decimal("0.05"))
    told = delivery(chat.timing)
    assert (told.first_delay, told.longest_delay, told.back_after) == (0.05, 60.0, 2.0)
    assert delivery(TimingSettings()) == Delivery()


def test_a_patience_that_makes_no_sense_is_refused(folder: Path) -> None:
    (told,) = mistakes(write(folder), QUARTERDECK__CHAT__TIMING='{"poll": 9}')
    assert "chat.timing.poll = 9" in told
