"""What may be tuned is said beside the setting itself, and the command line changes it."""

from __future__ import annotations

import itertools

import pytest

from trading.optimize.spaces import Dimension, space
from trading.strategies import names, settings_in_use, strategy, tunables


@pytest.mark.parametrize("name", names())
def test_a_strategy_accepts_every_corner_of_the_ranges_that_it_declares(name: str) -> None:
    dimensions = space(name).dimensions
    for ends in itertools.product((False, True), repeat=len(dimensions)):
        values = {
            each.name: each.value(each.high if high else each.low)
            for each, high in zip(dimensions, ends, strict=True)
        }
        assert strategy(name, values).warmup > 0


@pytest.mark.parametrize("name", names())
def test_ranges_are_of_settings_that_there_are_and_their_ends_lie_on_steps(name: str) -> None:
    for each in space(name).dimensions:
        assert each.low < each.high
        assert each.holds(each.high)
        assert each.name in {*settings_in_use(name, {}), "fast", "slow"}


@pytest.mark.parametrize("name", ["smc", "rules"])
def test_what_is_the_default_lies_within_its_range(name: str) -> None:
    defaults = settings_in_use(name, {})
    assert all(each.holds(defaults[each.name]) for each in space(name).dimensions)


def test_exits_and_limits_are_not_tuned_unasked() -> None:
    assert not [d.name for name in names() for d in space(name).dimensions if "." in d.name]


def test_a_range_can_be_narrowed_and_a_setting_fixed() -> None:
    found = space("ema_cross", ["fast=5:50:5", "stop_atr=2", "target_atr=2.5"])
    dimensions = {each.name: each for each in found.dimensions}
    assert dimensions["fast"] == Dimension(name="fast", kind=int, low=5, high=50, step=5)
    assert "stop_atr" not in dimensions
    assert found.fixed == {"stop_atr": 2.0, "target_atr": 2.5}


def test_what_is_not_tuned_by_itself_can_be_asked_for() -> None:
    found = space("ema_cross", ["atr=7:28", "short=false:true", "exits.trail_r=1:3:0.5"])
    kinds = {each.name: each.kind for each in found.dimensions}
    assert (kinds["atr"], kinds["short"], kinds["exits.trail_r"]) == (int, bool, float)
    assert tunables("ema_cross")["atr"] == (int, None)


def test_the_end_of_a_range_lies_on_a_step() -> None:
    (*_, found) = space("ema_cross", ["atr=7:20:5"]).dimensions
    assert (found.low, found.high) == (7, 17)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("fast", "--space fast is no range; as in fast=5:50, fast=5:50:5 or stop_atr=2"),
        ("fats=5:50", "ema_cross has no setting fats that can be tuned: fast, slow"),
        ("fast=50:5", "must go up"),
        ("fast=5:50:100", "must go up"),
        ("fast=a:b", "its ends are no numbers"),
        ("fast=5.5:50", "takes whole numbers only"),
    ],
)
def test_what_is_no_range_is_refused_in_words(said: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("(", r"\(")):
        space("ema_cross", [said])


def test_with_everything_fixed_there_is_nothing_to_tune() -> None:
    with pytest.raises(ValueError, match="Nothing of rules is left to tune"):
        space("rules", ["conviction=0.5", "dips=true", "calm=0.6"])


def test_a_value_is_what_the_setting_takes() -> None:
    tenth = Dimension(name="x", kind=float, low=0.1, high=0.9, step=0.1)
    assert tenth.value(0.1 + 0.2) == 0.3
    assert tenth.holds(0.1 + 0.2)
    assert not tenth.holds(0.35)
    assert not tenth.holds("0.3")
    assert not tenth.holds(None)
