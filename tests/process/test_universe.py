"""A live desk that finds its symbols on the exchange, and knows them still after `kill -9`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from tests.process.exchange_desk import PRICE, Exchange, LiveDesk

pytestmark = pytest.mark.slow

UNIVERSE = """
[traders.majors.universe]
min_volume = 5_000_000
every = "1m"
cycles = 1
"""


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with Exchange(market="swap", bases=("BTC", "ETH", "XRP")) as venue:
        for base, traded in (("BTC", 1_000), ("ETH", 200), ("XRP", 1)):
            venue.do(lambda v, b=base, q=traded: v.engine.others_trade(f"{b}USDT", PRICE, q))  # type: ignore[misc]
        yield venue


@pytest.fixture
def desk(venue: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    desk = LiveDesk(tmp_path_factory.mktemp("universe"), venue)
    file = desk.folder / "bot.toml"
    listed = 'symbols = ["BTC/USDT", "ETH/USDT", "XRP/USDT"]'
    text = file.read_text("utf-8")
    assert listed in text
    file.write_text(text.replace(listed, 'symbols = ["BTC/USDT"]') + UNIVERSE, "utf-8")
    try:
        yield desk
    finally:
        desk.kill()


def members(desk: LiveDesk) -> set[str]:
    table = desk.say("/universe in")["table"]
    return {row[0] for row in table["rows"]} if table else set()


def long_ago(desk: LiveDesk) -> None:
    """As if it had been down for two minutes: the next survey is due."""
    name = "universe:majors"
    with closing(sqlite3.connect(desk.state / "history.db")) as history, history:
        ((kept,),) = history.execute("SELECT value FROM notes WHERE name = ?", [name])
        saved = json.loads(kept)
        earlier = datetime.fromisoformat(saved["at"]) - timedelta(minutes=2)
        text = json.dumps(saved | {"at": earlier.isoformat()})
        history.execute("UPDATE notes SET value = ? WHERE name = ?", [text, name])


def test_what_was_discovered_is_traded_and_known_after_a_kill(
    desk: LiveDesk, venue: Exchange
) -> None:
    desk.start()
    desk.until(lambda: members(desk) == {"BTC", "ETH"}, "the market is surveyed")
    desk.until(lambda: "Price" in desk.say("/price ETH")["plain"], "ETH is followed")
    assert "3 symbols" not in desk.say("/universe")["title"]

    refused = desk.do("/buy XRP 500")
    assert refused["outcome"] == "refused"
    assert "No entry in XRP: outside the universe" in refused["title"]
    why = desk.say("/why XRP")["plain"]
    assert "outside the universe, volume 50 k < 5 M" in why

    desk.bought("ETH")
    held = venue.held("ETH")
    assert held > 0

    desk.kill()
    long_ago(desk)
    venue.do(lambda v: v.engine.tape["ETHUSDT"].clear())  # nobody trades it any more
    desk.start()
    assert desk.positions() == ["ETH"]
    desk.until(lambda: "ETH" not in members(desk), "ETH has left")
    assert desk.positions() == ["ETH"]
    assert venue.stops("ETH"), "it stays protected"
    assert "No entry now: outside the universe" in desk.say("/why ETH")["plain"]
    desk.until(lambda: "now" in desk.say("/position ETH")["plain"], "its price is known")

    answer = desk.do("/close ETH")
    assert answer["outcome"] == "done", answer
    desk.until(lambda: venue.held("ETH") == 0, "it is closed")
    assert desk.complaints() == []
