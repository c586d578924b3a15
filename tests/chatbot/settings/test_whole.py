"""Settings: the shipped file runs, and every mistake is told with its place and what is allowed."""

from __future__ import annotations

import json
import os
import re
import textwrap
from dataclasses import fields
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.folder.state import locate
from chatbot.settings import RiskLimits, Settings, load
from chatbot.settings.chats import DiscordAlerts, TelegramAlerts
from chatbot.settings.trading import EntrySettings, ReplayFeedSettings
from chatbot.settings.universe import TierSection, UniverseSection
from trading.common.text import clean
from trading.errors import SettingsError
from trading.risk.limits import EntryRules, Limits
from trading.types import Mode, Symbol

SHIPPED = Path(__file__).parents[3] / "bot.toml"
TOKEN = "123456789:AAHk-Zx9Qw_3rTyUiOpAsDfGhJkLzXcVbNm"
LIMITS = "QUARTERDECK__TRADERS__MAJORS__LIMITS__"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bot.toml"
    path.write_text(SHIPPED.read_text())
    return path


def change(file: Path, old: str, new: str) -> int:
    """Replace *old*, which must be there, and return its line."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def mistakes(file: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(file, environ)
    return refused.value.mistakes


# -- what is right ------------------------------------------------------------------------


def test_the_shipped_file_is_a_paper_desk_on_five_majors() -> None:
    settings = load(SHIPPED, {})
    trader = settings.traders["majors"]
    assert [symbol.base for symbol in trader.symbols] == ["BTC", "ETH", "XRP", "ADA", "DOGE"]
    assert (trader.mode, trader.capital, trader.bar) == (
        Mode.PAPER,
        Decimal(10_000),
        timedelta(minutes=1),
    )
    assert trader.limits.build() == Limits()
    feed = settings.feeds[trader.feed]
    assert isinstance(feed, ReplayFeedSettings)
    assert feed.speed == 60
    assert settings.alerts.drawdown == Decimal("0.005")
    assert settings.state_dir == SHIPPED.parent / "state"
    assert settings.bot.zone is UTC
    assert settings.secrets() == ()


def test_every_key_of_the_shipped_file_is_explained_beside_itself() -> None:
    silent = [
        line
        for line in SHIPPED.read_text().splitlines()
        if re.match(r"(# )?\w+ = ", line) and "#" not in line.removeprefix("#")
    ]
    assert silent == []


def test_the_shipped_file_shows_every_key() -> None:
    said = set(re.findall(r"(\w+) = ", SHIPPED.read_text()))
    settings = load(SHIPPED, {})
    trader = settings.traders["majors"]
    sections = [settings.bot, settings.schedule, settings.chat.console, settings.alerts, trader]
    sections += [trader.limits, trader.exits, trader.entries]
    sections += [*settings.venues.values(), *settings.feeds.values()]
    chat = settings.chat
    sections += [chat, chat.telegram, chat.telegram.flood, chat.discord, settings.access]
    keys = {key for section in sections for key in type(section).model_fields}
    keys |= {*TelegramAlerts.model_fields, *DiscordAlerts.model_fields}
    keys |= {*UniverseSection.model_fields, *TierSection.model_fields}
    tables = {"parameters", "limits", "exits", "entries", "rules", "telegram", "discord"}
    tables |= {"universe", "tiers", "themes"}
    assert keys - said == tables | {"token", "totp"}  # secrets come from elsewhere


def test_the_limits_of_the_core_are_all_there_with_its_defaults() -> None:
    assert set(RiskLimits.model_fields) == {field.name for field in fields(Limits)}
    assert RiskLimits().build() == Limits()
    assert set(EntrySettings.model_fields) == {field.name for field in fields(EntryRules)}
    assert EntrySettings().build() == EntryRules()


def test_the_environment_wins(file: Path) -> None:
    environ = {
        "QUARTERDECK__BOT__STATE_DIR": "elsewhere",
        LIMITS + "MAX_DAILY_LOSS": "0.02",
        LIMITS.lower() + "symbol_rest": "30m",
        "QUARTERDECK__TRADERS__MAJORS__SYMBOLS": '["sol/usdt"]',
        "QUARTERDECK__TRADERS__MAJORS__EXITS__PARTIALS": '[{"share": 0.5, "at_percent": 2}]',
        "QUARTERDECK__TRADERS__MAJORS__PARAMETERS__FAST": "9",
        "QUARTERDECK__CHAT__CONSOLE__ENABLED": "false",
        "QUARTERDECK_SOAK": "30",
        "QUARTERDECK_DATA": "/srv",
    }
    settings = load(file, environ)
    trader = settings.traders["majors"]
    assert settings.state_dir == file.parent / "elsewhere"
    assert trader.limits.build().max_daily_loss == Decimal("0.02")
    assert trader.limits.build().symbol_rest == timedelta(minutes=30)
    assert trader.limits.build().max_drawdown == Decimal("0.10")
    assert trader.symbols == (Symbol("SOL", "USDT"),)
    assert trader.exits.partials[0].at_percent == 2
    assert trader.parameters["fast"] == 9
    assert not settings.chat.console.enabled


def test_themes_are_named_coins_with_a_bound_and_the_environment_wins_there_too() -> None:
    meme, layer = load(SHIPPED, {}).traders["rules"].limits.build().themes
    assert (meme.name, meme.max_exposure) == ("meme", Decimal("0.05"))
    assert {"DOGE", "SHIB"} < meme.coins
    assert layer.name == "l1"

    said = '[{"name": "ai", "coins": ["fet", "TAO"], "max_exposure": 0.1}]'
    environ = {"QUARTERDECK__TRADERS__RULES__LIMITS__THEMES": said}
    (only,) = load(SHIPPED, environ).traders["rules"].limits.build().themes
    assert (only.name, only.coins) == ("ai", frozenset({"FET", "TAO"}))
    assert only.max_exposure == Decimal("0.1")


def test_two_themes_of_one_name_are_refused(file: Path) -> None:
    change(file, 'name = "l1"', 'name = "meme"')
    (told,) = mistakes(file)
    assert told.endswith(", two themes are called meme")


def test_say_finds_the_same_state_folder(file: Path) -> None:
    for environ in ({}, {"QUARTERDECK__BOT__STATE_DIR": "x"}, {"quarterdeck__bot__state_dir": "y"}):
        assert locate(file, environ) == load(file, environ).state_dir


def test_settings_do_not_change(file: Path) -> None:
    settings = load(file, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.bot.name = "other"  # type: ignore[misc]  # so say the types, too
    with pytest.raises(ValueError, match="frozen"):
        settings.bot = settings.bot  # type: ignore[misc]  # as above


def test_a_fault_found_later_is_told_with_its_place(file: Path) -> None:
    settings = load(file, {"QUARTERDECK__TRADERS__MAJORS__PARAMETERS__FAST": "99"})
    line = change(file, "slow = 48", "slow = 48")
    assert settings.mistake("traders", "majors", "parameters", "slow", why="too few") == (
        f"bot.toml {line}: traders.majors.parameters.slow = 48, too few"
    )
    assert settings.mistake("traders", "majors", "parameters", "fast", why="too many") == (
        "QUARTERDECK__TRADERS__MAJORS__PARAMETERS__FAST = 99, too many"
    )


# -- mistakes -----------------------------------------------------------------------------

WRONG = [
    ("max_positions = 3", "max_positions = 0", "{limits}max_positions = 0, allowed 1 to 50"),
    ("max_positions = 3", "max_positions = true", "{limits}max_positions = true, a number is"),
    ("max_positions = 3", "max_positions = 2.5", "{limits}max_positions = 2.5, allowed 1 to 50"),
    ("max_drawdown = 0.10", "max_drawdown = 0", "{limits}max_drawdown = 0, allowed above 0 to 0.5"),
    ("max_drawdown = 0.10", "max_drawdown = nan", "{limits}max_drawdown = NaN, allowed above 0"),
    ("max_drawdown = 0.10", 'max_drawdown = "a"', '{limits}max_drawdown = "a", allowed above 0'),
    ('symbol_rest = "15m"', "symbol_rest = 15", '{limits}symbol_rest = 15, allowed "0s" to "7d"'),
    ('name = "meme"', 'name = "Meme!"', 'themes[0].name = "Meme!", allowed lower case letters, '),
    ('["DOGE", "SHIB", "PEPE", "BONK", "WIF", "FLOKI"]', '["DOGE/USDT"]', "at least one coin"),
    ("max_exposure = 0.15", "max_share = 0.15", "did you mean traders.rules.limits.themes[1].max"),
    ("max_exposure = 0.15", "max_exposure = 1.5", "max_exposure = 1.5, allowed above 0 to 1"),
    ("max_daily_loss = 0.03", "max_daily_loss = 0.08", "= 0.08, above max_weekly_loss (0.07)"),
    ("risk_per_trade = 0.003", "risk_per_trade = 0.04", "= 0.04, above max_daily_loss (0.03)"),
    ("max_positions = 3", "max_postions = 3", "{limits}max_postions is not known, did you mean "),
    ('name = "harbour"', 'name = ""', 'bot.name = "", allowed 1 to 32 characters on one line'),
    ('"UTC"', '"Europe"', 'bot.timezone = "Europe", allowed a zone of the tz database'),
    ('"info"  ', '"loud"  ', 'bot.log_level = "loud", allowed debug, info, warning or error'),
    ('"1m"  # a cycle', '"2h"  # a cycle', 'schedule.misfire_grace = "2h", allowed "1s" to "1h"'),
    ("enabled = true        # the", 'enabled = "x" # the', 'enabled = "x", allowed true or false'),
    ("[chat.console]", "[chat.consol]", "chat.consol is not known, did you mean chat.console?"),
    ("[chat.console]", "[chat.matrix]", "chat.matrix is not known; known here: theme, console, "),
    ('kind = "paper"', 'kind = "binance"', 'venues.paper.kind = "binance", allowed paper or ccxt'),
    ("speed = 60", "speed = -1", "feeds.crash.speed = -1, allowed above 0 to 3,600"),
    ('"crash_2021_05_19"', '"2008"', 'feeds.crash.data = "2008", allowed crash_2021_05_19'),
    ("[traders.majors]", "[traders.Majors]", "traders.Majors: a name is lower case"),
    ('venue = "paper"', 'venue = "papr"', "there is no [venues.papr]; did you mean paper?"),
    ('feed = "crash"', 'feed = "live"', "there is no [feeds.live]"),
    ('"ema_cross"', '"emacross"', "did you mean ema_cross?"),
    ('"ETH/USDT"', '"ETHUSDT"', 'majors.symbols[1] = "ETHUSDT", allowed 1 to 1,000 symbols'),
    ('"ETH/USDT"', '"BTC/USDT"', "BTC/USDT stands there twice"),
    ('"ETH/USDT"', '"ETH/EUR"', "one trader counts in one currency, not in EUR and USDT"),
    ('timeframe = "1m"', 'timeframe = "5m"', "feed crash has candles of 1m only"),
    ('timeframe = "1m"', 'timeframe = "7m"', 'timeframe = "7m", allowed 1m, 3m, 5m, 15m'),
    ('mode = "paper"', 'mode = "real"', 'mode = "real", allowed dry_run, paper or live'),
    ("capital = 10000", "capital = 0", "capital = 0, allowed above 0 to 1,000,000,000"),
    ("break_even = false", "partials = [{share = 0.5}]", "give either at_r or at_percent"),
    (
        "break_even = false",
        "partials = [{share = 0.6, at_r = 1}, {share = 0.6, at_r = 2}]",
        "the shares add up to more than 1",
    ),
    (
        "min_volume = 5_000_000  #",
        "min_volume = 5\ntiers.core = {} #",
        "smc.universe.min_volume = 5, give either min_volume, for all markets above it, or tiers",
    ),
    ("max_symbols = 648 ", "max_symbols = 0 ", "smc.universe.max_symbols = 0, allowed 1 to 1,000"),
    ('every = "1h" ', 'every = "1s" ', 'smc.universe.every = "1s", allowed "1m" to "1d"'),
    ('max_age = "3h" ', 'max_age = "30m" ', 'max_age = "30m", below every: each survey would be'),
    ("cycles = 3 ", "cycle = 3 ", "cycle is not known, did you mean traders.smc.universe.cycles?"),
    (
        '# never = ["LUNA"]',
        'never = ["LU NA"]',
        'never[0] = "LU NA", allowed coins, as in ["LUNA"]',
    ),
    ("spread_bps = 20", "spread_bps = 0", "tiers.core.max_spread_bps = 0, allowed above 0 to 1,00"),
    ("{ min_volume = 2_0", "{ volume = 2_0", "event.volume is not known, did you mean"),
    ("drawdown = 0.005", "drawdwn = 0.005", "alerts.drawdwn is not known, did you mean alerts.dr"),
]


@pytest.mark.parametrize(("right", "wrong", "told"), WRONG, ids=[wrong for _, wrong, _ in WRONG])
def test_a_mistake_is_told_with_its_line_and_what_is_allowed(
    file: Path, right: str, wrong: str, told: str
) -> None:
    line = change(file, right, wrong)
    sentence = next(s for s in mistakes(file) if told.format(limits="traders.majors.limits.") in s)
    assert sentence.startswith(f"bot.toml {line}: ")


def test_a_universe_needs_a_least_volume_or_tiers(file: Path) -> None:
    change(file, "min_volume = 5_000_000", "#")
    assert mistakes(file)[0].endswith(
        "traders.smc.universe.min_volume is not set, give either min_volume, for all markets "
        "above it, or tiers"
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    for right, wrong in (
        ("max_positions = 3", "max_positions = 0"),
        ('mode = "paper"', 'mode = "real"'),
        ('venue = "paper"', 'venue = "papr"'),
        ('log_level = "info"', 'log_level = "loud"'),
    ):
        change(file, right, wrong)
    told = mistakes(file, **{LIMITS + "MAX_EXPOSURE": "2"})
    assert [re.sub(r"^bot.toml \d+: | =.*", "", sentence) for sentence in told] == [
        "bot.log_level",
        "traders.majors.venue",
        "traders.majors.mode",
        "traders.majors.limits.max_positions",
        LIMITS + "MAX_EXPOSURE",
    ]


def test_a_key_in_the_wrong_section_is_shown_where_it_belongs(file: Path) -> None:
    change(file, "capital = 10000", "max_exposure = 0.5")
    assert "did you mean traders.majors.limits.max_exposure?" in mistakes(file)[0]


def test_a_missing_key_is_told_at_its_section(file: Path) -> None:
    change(file, 'strategy = "ema_cross"', "#")
    line = change(file, "[traders.majors]", "[traders.majors]")
    assert mistakes(file) == [
        f"bot.toml {line}: traders.majors.strategy is missing, wanted: the name of a strategy"
    ]


def test_without_a_trader_there_is_nothing_to_run(file: Path) -> None:
    change(file, "enabled = true        # false: it", "enabled = false # it")
    (told,) = mistakes(file)
    assert told.endswith("traders: none is enabled, there is nothing to run")


def test_all_is_no_name_for_a_trader(file: Path) -> None:
    file.write_text(file.read_text().replace("traders.majors", "traders.all"))
    assert '"all" means every trader, choose another' in mistakes(file)[0]


def test_a_symbol_of_a_live_account_has_one_owner_and_on_paper_one_each(file: Path) -> None:
    text = file.read_text()
    second = text[text.index("[traders.majors]") : text.index("[traders.smc]")]
    file.write_text(text + second.replace("traders.majors", "traders.twin"))
    assert load(file, {}).traders.keys() >= {"majors", "twin"}
    file.write_text(file.read_text().replace('mode = "paper"', 'mode = "live"'))
    assert "paper is the account of majors, and a live account has one trader" in "\n".join(
        mistakes(file)
    )


# -- lines --------------------------------------------------------------------------------


def test_lines_are_found_through_lists_and_texts_of_several_lines(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    file.write_text(
        textwrap.dedent('''\
        [bot]
        name = """
        [traders.fake]
        speed = 1
        """  # 5
        [venues.paper]
        kind = "paper"
        [feeds."crash"]
        kind = "replay"
        [traders.majors]  # 10
        venue = "paper"
        feed = "crash"
        strategy = "ema_cross"
        symbols = [
          "BTC/USDT",  # 15
          # "[traders.fake]"
        ]
        limits.max_positions = 0
        exits = {break_even = 7}
        ''')
    )
    assert [re.sub(" =.*", "", s, flags=re.DOTALL) for s in mistakes(file)] == [
        "bot.toml 2: bot.name",
        "bot.toml 18: traders.majors.limits.max_positions",
        "bot.toml 19: traders.majors.exits.break_even",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[bot]\nname", 'bot.toml 2: a key is followed by "=" and its value'),
        ("[bot]\nname = harbour", "bot.toml 2: no value that can be read; text stands in quotes"),
        ('[bot]\nname = "harbour', "bot.toml 2: a text is not closed with its quote"),
        ('[bot]\nname = "a"\nname = "b"', "bot.toml 3: this key stands here for the second time"),
        ("[bot]\n[bot]", "bot.toml 2: this section stands here for the second time"),
        ("[bot\n", 'bot.toml 1: a section is not closed with "]"'),
        ("a = [1,\n\n", "bot.toml 1: "),
    ],
)
def test_what_is_not_toml_is_told_in_plain_words(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    (sentence,) = mistakes(file)
    assert sentence.startswith(told)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (told,) = mistakes(tmp_path / "nowhere.toml")
    assert told.startswith(f"{tmp_path}/nowhere.toml cannot be read: No such file")
    (tmp_path / "bot.toml").write_bytes(b"\xff\xfe")
    assert mistakes(tmp_path / "bot.toml") == ["bot.toml is not text in UTF-8"]


# -- the environment ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (LIMITS + "MAX_POSITIONS", "0", f"{LIMITS}MAX_POSITIONS = 0, allowed 1 to 50"),
        (LIMITS + "MAX_POSTIONS", "1", f"is no setting, did you mean {LIMITS}MAX_POSITIONS?"),
        ("QUARTERDECK__BOT__X__Y", "1", "QUARTERDECK__BOT__X__Y is no setting; known here: name,"),
        ("QUARTERDECK__BOT__NAME__X", "1", "is no setting: bot.name has no keys of its own"),
        ("QUARTERDECK__BOTT__NAME", "1", "did you mean QUARTERDECK__BOT__NAME?"),
        ("QUARTERDECK__", "1", "QUARTERDECK__ names no setting"),
        ("QUARTERDECK__BOT____NAME", "1", "QUARTERDECK__BOT____NAME names no setting"),
        ("QUARTERDECK_BOT__NAME", "1", "is not read; settings begin with QUARTERDECK__BOT__"),
        ("QUARTERDECK__TRADERS__MAJORS__SYMBOLS", "[", "= [, lists and maps are JSON"),
        ("QUARTERDECK__TRADERS__MAJORS__SYMBOLS", "BTC/USDT", "= BTC/USDT, allowed 1 to 1,000"),
        (
            "QUARTERDECK__TRADERS__MAJROS__ENABLED",
            "false",
            "no [traders.majros] in bot.toml, did you mean QUARTERDECK__TRADERS__MAJORS__ENABLED?",
        ),
        (
            "QUARTERDECK__TRADERS__MAJORS__LIMITS",
            '{"max_positions": 0}',
            "QUARTERDECK__TRADERS__MAJORS__LIMITS: traders.majors.limits.max_positions = 0, al",
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    file: Path, name: str, value: str, told: str
) -> None:
    (sentence,) = mistakes(file, **{name: value})
    assert name in sentence
    assert told in sentence


# -- secrets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["api_key = 'hush'", "Bot_Token = 'hush'", "password = 'hush'", f"note = '{TOKEN}'"]
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(file: Path, line: str) -> None:
    change(file, "slow = 48", line)
    told = "\n".join(mistakes(file))
    variable = "QUARTERDECK__TRADERS__MAJORS__PARAMETERS__" + line.split(maxsplit=1)[0].upper()
    assert f"looks like a secret; take it out of the file and set {variable}" in told
    assert "hush" not in told
    assert TOKEN not in told


def test_an_unknown_key_that_holds_a_secret_is_told_once(file: Path) -> None:
    change(file, 'name = "harbour"', 'token = "hush"')
    (told,) = mistakes(file)
    assert "looks like a secret" in told


def test_a_secret_of_the_environment_is_masked_everywhere(file: Path) -> None:
    name = "QUARTERDECK__TRADERS__MAJORS__PARAMETERS__API_KEY"
    settings = load(file, {name: "hush"})
    assert settings.secrets() == ("hush",)
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings.model_dump())
    assert "hush" not in settings.mistake("traders", "majors", "parameters", "api_key", why="bad")
    assert "hush" not in settings.mistake("traders", "majors", "parameters", why="bad")


def test_a_token_in_the_wrong_variable_is_not_repeated(file: Path) -> None:
    told = mistakes(file, QUARTERDECK__BOT__LOG_LEVEL=TOKEN)
    assert told == ["QUARTERDECK__BOT__LOG_LEVEL = ***, allowed debug, info, warning or error"]


def test_settings_are_made_by_load_only() -> None:
    with pytest.raises((KeyError, ValueError)):
        Settings()


@pytest.mark.parametrize(
    "value", ["har\udcf6bour", "har\u202ebour", "har\x1b[2Jbour", "har\ufeffbour"]
)
def test_what_nobody_sees_is_named_and_not_taken(file: Path, value: str) -> None:
    told = "\n".join(mistakes(file, QUARTERDECK__BOT__NAME=value))
    assert "QUARTERDECK__BOT__NAME holds something that is not seen" in told
    assert clean(told) == told
    change(file, 'name = "harbour"', f"name = {json.dumps(value.replace(chr(0xDCF6), chr(0)))}")
    assert "bot.name holds something that is not seen" in "".join(mistakes(file))


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("3%", "3 % is 0.03"),
        ("3 %", "3 % is 0.03"),
        ("0,5%", "0.5 % is 0.005"),
        ("12.5 percent", "12.5 % is 0.125"),
        ("-3%", "-3 % is -0.03"),
    ],
)
def test_a_percentage_where_a_share_is_wanted_gets_its_hint(
    file: Path, said: str, hint: str
) -> None:
    place = LIMITS + "MAX_DAILY_LOSS"
    assert f"{place} = {said}, a share is written as a part of 1: {hint}" in mistakes(
        file, **{place: said}
    )
    change(file, "max_daily_loss = 0.03", f'max_daily_loss = "{said}"')
    assert hint in "".join(mistakes(file))


def test_a_percentage_where_a_plain_number_is_wanted_gets_its_hint(file: Path) -> None:
    (told,) = mistakes(file, QUARTERDECK__TRADERS__MAJORS__CAPITAL="300%")
    assert told.endswith("a number is wanted, without a sign behind it, as in 300")


def test_a_byte_order_mark_before_the_file_is_skipped(file: Path) -> None:
    name, folder = load(file, {}).bot.name, locate(file, {})
    change(file, 'state_dir = "state"', 'state_dir = "there"')
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load(file, {}).bot.name == name
    assert locate(file, {}) == folder.with_name("there")


def test_variables_in_small_letters_are_told(file: Path) -> None:
    settings = load(file, {"quarterdeck__bot__name": "one"})
    assert settings.bot.name == "one"
    assert settings.notices == ("quarterdeck__bot__name is read as QUARTERDECK__BOT__NAME",)
    assert load(file, {"QUARTERDECK__BOT__NAME": "one"}).notices == ()
    (told,) = mistakes(file, quarterdeck__bot__name="one", QUARTERDECK__BOT__NAME="two")
    assert "are the same setting; keep one of them" in told


@pytest.mark.parametrize(
    ("mode", "told"),
    [(0o602, "everybody: chmod o-w "), (0o666, "everybody: chmod o-w "), (0o644, "")],
)
def test_settings_that_others_may_write_are_refused(file: Path, mode: int, told: str) -> None:
    file.chmod(mode)
    if told:
        (sentence,) = mistakes(file)
        assert sentence == f"bot.toml may be written by {told}{file}"
    else:
        load(file, {})


def test_settings_in_a_folder_where_others_may_put_theirs_are_refused(file: Path) -> None:
    file.parent.chmod(0o777)
    (sentence,) = mistakes(file)
    assert f"chmod o-w {file.parent}" in sentence
    file.parent.chmod(0o1777)
    load(file, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_settings_of_another_user_or_another_group_are_refused(file: Path) -> None:
    os.chown(file, 65534, 0)
    assert "may be written by its owner" in "".join(mistakes(file))
    os.chown(file, 0, 65534)
    file.chmod(0o660)
    assert "may be written by its group" in "".join(mistakes(file))
