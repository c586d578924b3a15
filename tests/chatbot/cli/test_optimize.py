"""`quarterdeck optimize` as an operator runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chatbot.cli.test_backtest import SHIPPED
from tests.chatbot.cli.test_say import quarterdeck

HOURS = Path(__file__).parents[2] / "data" / "crashes" / "majors_2021_05_1h.parquet"
ASKED = (
    "optimize", "--trader", "majors", "--data", HOURS, "--timeframe", "1h", "--symbols", "all",
    "--from", "2021-05-04", "--folds", "1", "--trials", "3", "--seed", "1",
    "--space", "slow=36:40:4",
)  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "bot.toml").write_text(SHIPPED, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
async def test_it_tells_both_sides_and_its_doubts_and_writes_a_page(here: Path) -> None:
    ended = await quarterdeck(*ASKED, "--html", "page.html", cwd=here)
    assert ended.code == 0, ended.err
    for words in ("Sharpe in", "deflated", "setting", "Newest values: fast = ", "⚠ "):
        assert words in ended.out
    assert "Fold 1 of 1: 3 of 3 tries" in ended.err
    assert "<h2>In sample and out of it</h2>" in (here / "page.html").read_text("utf-8")


@pytest.mark.slow
async def test_two_processes_find_it_together_and_json_holds_everything(here: Path) -> None:
    ended = await quarterdeck(*ASKED, "--jobs", "2", "--json", cwd=here)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    (fold,) = found["folds"]
    assert fold["values"].keys() == {"fast", "slow", "stop_atr", "target_atr"}
    assert fold["tries"] >= 3
    assert found["joined"]["chosen"] == fold["chosen"]["out_of_sample"]
    assert found["doubts"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--folds", "40"), "whole days are too few for 40 folds"),
        (("--space", "fats=1:2"), "ema_cross has no setting fats"),
        (("--storage", "postgresql://a:s3cret@127.0.0.1:1/x"), "The storage failed"),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(
    here: Path, changed: tuple[str, ...], said: str
) -> None:
    ended = await quarterdeck(*ASKED, *changed, cwd=here)
    assert ended.code == 1
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert "s3cret" not in ended.err
