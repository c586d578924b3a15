"""Settings of feeds that vote: what cannot be is a sentence."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.settings import Settings, load
from chatbot.settings.feeds import VoteFeedSettings
from chatbot.wiring.trading import own_prices
from tests.chatbot.settings.test_venues import KEYS, mistakes, write

MANY = """
[feeds.many]
kind = "vote"
sources = [{feed = "binance", weight = 2}, {feed = "spot", weight = 1}]
far = "0.5%"
least = 2

[feeds.binance]
kind = "ccxt"
exchange = "binance"
market = "swap"

[feeds.spot]
kind = "ccxt"
exchange = "binance"
market = "spot"

[feeds.again]
kind = "replay"

[feeds.slower]
kind = "replay"
speed = 30

[feeds.hourly]
kind = "replay"
data = "hours_2026_03"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def loaded(folder: Path, more: str = MANY, **trader: str) -> Settings:
    return load(write(folder, more=more, feed="many", **trader), KEYS)


def refusals(folder: Path, old: str, new: str, **trader: str) -> list[str]:
    assert old in MANY
    return mistakes(write(folder, more=MANY.replace(old, new, 1), feed="many", **trader), KEYS)


def test_a_feed_of_several_that_vote(folder: Path) -> None:
    settings = loaded(folder)
    many = settings.feeds["many"]
    assert isinstance(many, VoteFeedSettings)
    assert (many.far, many.least) == (Decimal("0.005"), 2)
    assert [(each.feed, each.weight) for each in many.sources] == [("binance", 2), ("spot", 1)]


def test_far_may_be_a_part_of_one(folder: Path) -> None:
    many = loaded(folder, MANY.replace('"0.5%"', "0.01")).feeds["many"]
    assert isinstance(many, VoteFeedSettings)
    assert many.far == Decimal("0.01")


def test_exits_go_by_the_market_that_the_orders_go_to(folder: Path) -> None:
    heavy_spot = MANY.replace("weight = 1", "weight = 5")
    live = loaded(folder, heavy_spot)
    assert own_prices(live, live.traders["big"]) == "binance"
    paper = loaded(folder, heavy_spot, venue="paper", mode="paper")
    assert own_prices(paper, paper.traders["big"]) == "spot", "the heaviest on paper"
    assert own_prices(live, live.traders["majors"]) == "crash"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"spot", w', '"spto", w', "there is no [feeds.spto]; did you mean spot?"),
        ('"spot", w', '"many", w', "a feed is no source of itself"),
        ('"spot", w', '"binance", w', "binance stands there twice, and has one vote"),
        ("weight = 1", "weight = 0", "feeds.many.sources[1].weight = 0, allowed 1 to 100"),
        ("weight = 1", "weight = -2", "weight = -2, allowed 1 to 100"),
        ("weight = 1", "weight = 0.5", "weight = 0.5, allowed 1 to 100"),
        ('"0.5%"', '"0%"', 'feeds.many.far = "0%", allowed 0.0001 to 0.05'),
        ('"0.5%"', '"20%"', 'feeds.many.far = "20%", allowed 0.0001 to 0.05'),
        ('"0.5%"', "5", "feeds.many.far = 5, allowed 0.0001 to 0.05"),
        ("least = 2", "least = 3", "there are 2 sources, so so many can never agree"),
        ("least = 2", "least = 0", "feeds.many.least = 0, allowed 1 to 5"),
        (', {feed = "spot", weight = 1}', "", "2 to 5 of {feed, weight}"),
        (
            'market = "spot"',
            'market = "swap"',
            "binance and spot are both binance swap, which has one vote",
        ),
    ],
)
def test_what_cannot_vote_is_told(folder: Path, old: str, new: str, sentence: str) -> None:
    told = refusals(folder, old, new, mode="dry_run")
    assert [sentence in each for each in told] == [True], told


def test_feeds_that_vote_do_not_vote_about_each_other(folder: Path) -> None:
    circle = MANY + (
        '[feeds.two]\nkind = "vote"\n'
        'sources = [{feed = "many", weight = 1}, {feed = "spot", weight = 1}]\n'
    )
    circle = circle.replace('"binance", weight', '"two", weight')
    told = mistakes(write(folder, more=circle, feed="many", venue="paper", mode="paper"), KEYS)
    assert len(told) == 2
    assert "many votes itself, and only feeds that have prices of their own do here" in told[1]


def test_orders_go_to_a_market_that_has_a_vote(folder: Path) -> None:
    other = MANY.replace('"binance", w', '"crash", w').replace('"spot", w', '"again", w')
    told = mistakes(write(folder, more=other, feed="many", timeframe="1m"), KEYS)
    why = "a venue of kind ccxt needs a feed of kind ccxt, and many is none"
    assert told == [f'traders.big.feed = "many", {why}']


def test_recordings_and_real_prices_do_not_vote_about_each_other(folder: Path) -> None:
    told = refusals(folder, '"spot", w', '"again", w', timeframe="1m")
    why = "recorded prices and real ones are not of the same time"
    assert told == [f"feeds.many.sources: {why}"]


def test_recordings_vote_about_the_same_candles_at_the_same_speed(folder: Path) -> None:
    paper = {"venue": "paper", "mode": "paper", "timeframe": "1m"}
    same = MANY.replace('"binance", w', '"crash", w').replace('"spot", w', '"again", w')
    assert loaded(folder, same, **paper)
    for other in ("slower", "hourly"):
        text = same.replace('"again", w', f'"{other}", w')
        told = mistakes(write(folder, more=text, feed="many", **paper), KEYS)
        assert "recordings vote about the same candles, at the same speed" in told[0]


def test_recordings_that_vote_have_the_candles_that_they_have(folder: Path) -> None:
    same = MANY.replace('"binance", w', '"crash", w').replace('"spot", w', '"again", w')
    told = mistakes(write(folder, more=same, feed="many", venue="paper", mode="paper"), KEYS)
    assert told == ['traders.big.timeframe = "15m", feed many has candles of 1m only']
