"""From settings of a feed that votes to the feed, and to the paper venue that fills in its bars."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from chatbot.settings import Settings, load
from chatbot.wiring.connections import Connections
from chatbot.wiring.trading import feed_of, own_prices, venue_of
from storage.memory import MemoryJournal
from tests.builders import NOON
from tests.chatbot.settings.test_whole import SHIPPED
from trading.clocks import ManualClock
from trading.ports import FeedState
from trading.venues.paper.venue import PaperVenue
from trading.venues.vote import VoteFeed

MANY = """
[feeds.twin]
kind = "replay"

[feeds.many]
kind = "vote"
sources = [{ feed = "crash", weight = 1 }, { feed = "twin", weight = 2 }]

[traders.majors]"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    text = SHIPPED.read_text().replace("[traders.majors]", MANY, 1)
    file = tmp_path / "bot.toml"
    file.write_text(text.replace('feed = "crash" ', 'feed = "many" ', 1))
    return load(file, {})


def test_the_heaviest_source_is_the_market_that_paper_trades_on(settings: Settings) -> None:
    clock = ManualClock(NOON)
    connections = Connections(settings, clock)
    feed = feed_of(settings, "majors", clock, connections)
    assert isinstance(feed, VoteFeed)
    assert (feed.name, feed.sources, feed.own.name) == ("many", ["crash", "twin"], "twin")
    assert own_prices(settings, settings.traders["majors"]) == "twin"
    venue = venue_of(
        settings, "majors", feed, book=MemoryJournal(), clock=clock, connections=connections
    )
    assert isinstance(venue, PaperVenue)
    assert all(venue.rules(symbol) for symbol in feed.symbols)


async def test_two_that_show_the_same_agree_on_every_bar(settings: Settings) -> None:
    clock = ManualClock(NOON)
    feed = feed_of(settings, "majors", clock, Connections(settings, clock))
    first = feed.first_cursor
    feed.resume(first)
    feed.handled(first)
    clock.advance(3)
    (bar, *_) = await feed.closes(first)
    assert bar == first + timedelta(minutes=1)
    candles = feed.candles(bar, 50)
    assert candles.bars == 50
    assert np.isfinite(candles.close).all()
    assert not any(feed.objection(symbol) for symbol in feed.symbols)
    assert feed.doubts() == []
    assert feed.state() is FeedState.LIVE
