"""The command line, run as an operator runs it: plain sentences, never a traceback."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from chatbot import logs
from chatbot.cli import docs
from chatbot.cli import program as cli
from chatbot.folder.state import StateFolder
from chatbot.settings import load
from storage import latch
from tests.chatbot.cli.test_say import quarterdeck
from trading.clocks import SystemClock
from trading.errors import Refused

SHIPPED = Path(__file__).parents[3] / "bot.toml"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with the shipped settings in it."""
    (tmp_path / "bot.toml").write_text(SHIPPED.read_text())
    return tmp_path


async def test_there_is_one_version() -> None:
    ended = await quarterdeck("--version")
    assert (ended.code, ended.out) == (0, f"quarterdeck {version('quarterdeck')}\n")


async def test_help_names_the_commands() -> None:
    ended = await quarterdeck("--help")
    assert ended.code == 0
    for command in ("run", "say", "stop"):
        assert f"\n  {command}  " in ended.out


@pytest.mark.parametrize("arguments", [["rum"], ["run", "--fro", "3"], ["run", "--for", "-1"]])
async def test_wrong_usage_is_two(arguments: list[str]) -> None:
    ended = await quarterdeck(*arguments)
    assert ended.code == 2
    assert "Usage: quarterdeck" in ended.err


async def test_mistakes_in_the_settings_are_listed_and_nothing_starts(here: Path) -> None:
    ended = await quarterdeck(
        "run", cwd=here, QUARTERDECK__BOT__LOG_LEVEL="loud", QUARTERDECK__BOT__NAMES="x"
    )
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "2 mistakes in the settings:\n"
        "  QUARTERDECK__BOT__LOG_LEVEL = loud, allowed debug, info, warning or error\n"
        "  QUARTERDECK__BOT__NAMES is no setting, did you mean QUARTERDECK__BOT__NAME?\n"
        "Nothing was started.\n"
    )
    assert not (here / "state").exists()


async def test_without_settings_there_is_a_sentence(tmp_path: Path) -> None:
    ended = await quarterdeck("run", cwd=tmp_path)
    assert ended.code == 2
    assert "bot.toml cannot be read: No such file or directory; name another" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
async def test_one_desk_per_folder_and_no_fresh_start_under_one(
    here: Path, fresh: list[str]
) -> None:
    with StateFolder(here / "state"):
        (here / "state" / "history.db").write_text("precious")
        ended = await quarterdeck("run", *fresh, cwd=here)
    assert ended.code == 1
    assert f"Another desk (pid {os.getpid()}) runs on" in ended.err
    assert (here / "state" / "history.db").read_text() == "precious"


def test_a_fresh_start_says_where_the_old_state_is_and_that_halts_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state"
    with StateFolder(path) as folder:
        latch.request_stop(path, by="anna", why="lunch", at=SystemClock().now())
        cli._start_anew(folder)
        assert latch.read_request(path / latch.NAME) is not None
    said = capsys.readouterr().err
    assert said.startswith(f"The old state is in {path}.20")
    assert said.endswith("A halt that was active is still active.\n")


def test_what_nobody_expected_is_one_sentence_and_a_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StateFolder(tmp_path)
    with logs.writing(folder.logs, level="info", console="info"):
        assert cli._guarded(lambda: 1 // 0, folder) == 1
    said = capsys.readouterr().err
    entry = json.loads((folder.logs / logs.FILE).read_text())
    assert said == (
        "Quarterdeck ended on an unexpected error (ZeroDivisionError), "
        f"reference {entry['reference']}: see {folder.logs / logs.FILE}\n"
    )
    assert "Traceback" in entry["exception"]


def test_what_was_refused_is_said_as_it_is(tmp_path: Path) -> None:
    def refuse() -> int:
        raise Refused("no")

    with pytest.raises(Refused, match="no"):
        cli._guarded(refuse, StateFolder(tmp_path))


def test_the_page_of_commands_tells_them_all() -> None:
    assert "/stop" in docs.pages()["commands.md"]


# -- the second factor --------------------------------------------------------------------


async def test_a_second_factor_is_made_and_works_as_its_steps_say(here: Path) -> None:
    made = await quarterdeck("totp", "local:1000", cwd=here)

    assert (made.code, made.err) == (0, "")
    secret = re.search(r"^Secret: ([A-Z2-7]{32})$", made.out, re.MULTILINE)
    variable = re.search(r"^ +QUARTERDECK__ACCESS__TOTP='(.+)'$", made.out, re.MULTILINE)
    assert secret
    assert variable
    assert f"otpauth://totp/Quarterdeck:local%3A1000?secret={secret[1]}" in made.out
    settings = load(here / "bot.toml", {"QUARTERDECK__ACCESS__TOTP": variable[1]})
    assert settings.access.totp["local:1000"].get_secret_value() == secret[1]
    assert [path.name for path in here.iterdir()] == ["bot.toml"]


@pytest.mark.parametrize("person", ["ben", "telegram:", "telegram:ben", "signal:5", "telegram:1 "])
async def test_a_second_factor_is_somebodys(person: str) -> None:
    ended = await quarterdeck("totp", person)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"{person} is nobody: write telegram:111, discord:222 or local:1000\n"
