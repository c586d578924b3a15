"""A strategy is one file: a made-up one, without `__init__`, is there for everybody who asks.

In a process of its own: there the file lies beside ours, as it would after somebody wrote it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.chatbot.cli.test_backtest import as_csv
from trading.market.recording import crash_of_may_2021

FILE = '''
"""Buys every third bar."""
import numpy as np
from trading.strategies.base import Signals

class EveryThird:
    """Buys every third bar, whatever the market does."""

    name = "every_third"
    warmup = 1

    def signals(self, candles):
        score = np.zeros(candles.close.shape)
        score[:, ::3] = 60.0
        wished = score > 0
        stop = np.where(wished, candles.close * 0.98, np.nan)
        target = np.where(wished, candles.close * 1.03, np.nan)
        return Signals(score=score, stop=stop, target=target)

    def explain(self, candles, row, column):
        return "another third bar"
'''
PROGRAM = """
import sys
import trading.strategies
trading.strategies.__path__.append(sys.argv.pop(1))
from chatbot.__main__ import main
main()
"""
SETTINGS = """
[venues.paper]
kind = "paper"

[feeds.crash]
kind = "replay"

[traders.third]
venue = "paper"
feed = "crash"
strategy = "every_third"
symbols = ["BTC/USDT"]
"""


@pytest.mark.slow
def test_a_file_is_enough_to_be_checked_and_tested(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/every_third.py").write_text(FILE)
    (tmp_path / "bot.toml").write_text(SETTINGS)

    def quarterdeck(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "mine"), *words],
            cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    checked = quarterdeck("check")
    assert "every_third" not in checked.stderr, checked.stderr
    data = tmp_path / "crash.csv"
    as_csv(crash_of_may_2021().candles, data)
    tested = quarterdeck("backtest", "--trader", "third", "--data", str(data), "--json")
    assert tested.returncode == 0, tested.stderr
    assert json.loads(tested.stdout)["trades"]
