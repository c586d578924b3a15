"""`[traders.NAME.universe]`: which universe a trader gets by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from chatbot.settings.universe import UniverseSection
from tests.builders import BTC, ETH
from trading.market.universe import CORE, EVENT, ROTATIONAL, Tier, Universe

D = Decimal


def test_tiers_are_the_usual_ones_with_what_is_listed_as_the_core() -> None:
    plan = UniverseSection.model_validate({"tiers": {}}).build((BTC, ETH))

    core = replace(CORE, bases=frozenset({"BTC", "ETH"}))
    assert plan.empty == Universe(tiers=(core, ROTATIONAL, EVENT))
    assert plan.listed == (BTC, ETH)
    assert (plan.every, plan.max_age) == (timedelta(hours=1), timedelta(hours=3))


def test_what_is_said_of_a_tier_is_in_place_of_its_default() -> None:
    said = {"tiers": {"event": {"min_volume": 1_000_000, "base_size": "0.005"}}, "never": ["luna "]}
    universe = UniverseSection.model_validate(said).build((BTC,)).empty

    assert universe.tiers[2] == replace(EVENT, min_volume=D(1_000_000), base_size=D("0.005"))
    assert universe.never == {"LUNA"}


def test_a_least_volume_takes_every_liquid_market() -> None:
    said = {"min_volume": 5_000_000, "max_symbols": 648, "cycles": 2}
    universe = UniverseSection.model_validate(said).build((BTC,)).empty

    liquid = Tier(number=1, name="liquid", min_volume=D(5_000_000))
    assert universe == Universe(tiers=(liquid,), cycles=2, most=648)
