from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from trading.strategies import names, settings_in_use, strategy, summary
from trading.strategies.ema_cross import EmaCross


def test_a_strategy_is_found_by_its_name() -> None:
    made = strategy("ema_cross", {"fast": 12, "slow": 48})
    assert isinstance(made, EmaCross)
    assert made.name == "ema_cross"


def test_every_strategy_is_named_like_its_file() -> None:
    assert "ema_cross" in names()
    assert "base" not in names()


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("ema", {}, "there is no strategy 'ema'; there is ema_cross"),
        ("ema_cross", {"fats": 1}, "no setting 'fats', only .* did you mean 'fast'?"),
        ("ema_cross", {"fast": 12}, "ema_cross needs slow"),
        ("ema_cross", {"fast": 50, "slow": 20}, "ema_cross: fast is 50 and slow is 20"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    name: str, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        strategy(name, settings)


def test_talib_is_loaded_only_when_there_is_something_to_compute() -> None:
    code = """
import sys
from decimal import Decimal
from trading.strategies import strategy
strategy("ema_cross", {"fast": 12, "slow": 48})
assert not {"talib", "pandas", "polars"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_in_use_are_those_given_and_the_defaults() -> None:
    used = settings_in_use("ema_cross", {"fast": 5, "slow": 20, "stop_atr": Decimal("1.5")})

    assert list(used) == ["fast", "slow", "atr", "stop_atr", "target_atr", "short"]
    assert (used["fast"], used["stop_atr"], used["atr"], used["short"]) == (5, 1.5, 14, True)


@pytest.mark.parametrize("name", names())
def test_every_strategy_says_in_one_line_what_it_does(name: str) -> None:
    assert 20 < len(summary(name)) < 120
