"""A strategy of whatever form is found, made, tested and tuned: no `__init__` is needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chatbot.cli.test_backtest import SHIPPED
from tests.chatbot.cli.test_optimize import HOURS

BODY = """
    name = "{name}"
    warmup = 24

    def signals(self, candles):
        every = np.zeros(candles.close.shape)
        every[:, 24::24] = 60
        return Signals(score=every, stop=candles.close * 0.97, target=candles.close * 1.04)

    def explain(self, candles, row, column):
        return "a day is over"
"""
IMPORTS = """from __future__ import annotations
from dataclasses import dataclass
from typing import Annotated, ClassVar
import numpy as np
from trading.strategies.base import Signals, Strategy, Tunable
"""
FORMS = {
    "plain": "class Plain:",
    "by_protocol": "class ByProtocol(Strategy):",
    "inherited": "class Base:\n    def __init__(self, days: Annotated[float, Tunable(1, 3)] = 1):\n"
    "        self.days = days\n\n\nclass Inherited(Base):",
    "as_data": "@dataclass\nclass AsData:\n    days: Annotated[int, Tunable(1, 3)] = 1\n",
}
"""By the name of the strategy; what is tuned of the last two is their `days`."""
PROGRAM = """
import sys
from trading import strategies
strategies.__path__.append(sys.argv.pop(1))
from chatbot.__main__ import main
sys.exit(main())
"""


def quarterdeck(folder: Path, *arguments: object) -> str:
    """What the program says that has one more strategy, `folder/own`."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder / "own", *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_strategy_of_any_form_is_backtested_and_tuned(form: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    text = f"{IMPORTS}\n\n{FORMS[form]}{BODY.format(name=form)}"
    (tmp_path / "own" / f"{form}.py").write_text(text, encoding="utf-8")
    own = SHIPPED.replace('strategy = "ema_cross"', f'strategy = "{form}"', 1)
    own = re.sub(r"\[traders\.majors\.parameters\].*?\n\[", "[", own, count=1, flags=re.DOTALL)
    (tmp_path / "bot.toml").write_text(own, encoding="utf-8")
    on = ("--trader", "majors", "--data", HOURS, "--timeframe", "1h", "--symbols", "all", "--json")

    traded = json.loads(quarterdeck(tmp_path, "backtest", *on))
    assert len(traded["trades"]) > 3

    search = ("--folds", "1", "--trials", "3", "--seed", "1", "--from", "2021-05-04")
    tuned = json.loads(
        quarterdeck(tmp_path, "optimize", *on, *search, "--space", "exits.trail_r=1:4:1")
    )
    (fold,) = tuned["folds"]
    settings = {"days"} if form in {"inherited", "as_data"} else set()
    assert fold["values"].keys() == {"exits.trail_r", *settings}
