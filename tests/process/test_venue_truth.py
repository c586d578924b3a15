"""Orders and positions on a real exchange's protocol: the desk knows what is true.

One desk serves several stories, each with a coin of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.process.exchange_desk import TEN, Exchange, LiveDesk, live_desk
from tests.servers.exchange import BANNED, DROP_REPLY, TOO_MANY, Plight
from tests.servers.exchange.wires.binance.plights import PLIGHTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with (
        Exchange(market="swap", bases=TEN) as venue,
        live_desk(tmp_path_factory.mktemp("truth"), venue) as desk,
    ):
        yield desk


@pytest.fixture
def desk(running: LiveDesk) -> Iterator[LiveDesk]:
    yield running
    running.at_ease()
    assert running.complaints() == []


def test_it_says_that_the_money_is_real(desk: LiveDesk) -> None:
    (started,) = desk.alerts("TraderStarted")
    assert "LIVE on binance swap: real money." in started
    assert "(live)" in desk.say("/status")["title"]


def test_an_order_whose_answer_was_lost_is_one_order_here_and_there(desk: LiveDesk) -> None:
    desk.venue.on("POST", "*/order", DROP_REPLY, where={"symbol": "BTCUSDT", "side": "BUY"})

    desk.do("/buy BTC 500")

    desk.until(lambda: desk.positions() == ["BTC"], "it is found")
    desk.until(lambda: desk.venue.stops("BTC"), "and protected")
    assert desk.venue.held("BTC") == Decimal("0.01")
    assert len([r for r in desk.venue.entries() if r.params["symbol"] == "BTCUSDT"]) == 1


def test_a_position_closed_by_hand_is_gone_and_so_is_its_stop(desk: LiveDesk) -> None:
    desk.bought("SOL")

    desk.venue.sells("SOL", "0.01", reduce_only=True)

    desk.until(lambda: "SOL" not in desk.positions(), "it is noticed")
    desk.until(lambda: not desk.venue.stops("SOL"), "its stop goes")
    assert desk.venue.held("SOL") == 0


def test_a_position_closed_by_half_by_hand_keeps_a_stop_for_the_other_half(desk: LiveDesk) -> None:
    desk.bought("LTC", money=1_000)

    desk.venue.sells("LTC", "0.01", reduce_only=True)

    def one_stop_of_half() -> bool:
        return [stop.wish.quantity for stop in desk.venue.stops("LTC")] == [Decimal("0.01")]

    desk.until(one_stop_of_half, "the stop shrinks")
    assert "LTC" in desk.positions()


def test_a_stop_that_fills_at_the_exchange_is_booked_and_told(desk: LiveDesk) -> None:
    desk.bought("DOT")

    desk.venue.trades_at("DOT", 48_000)

    desk.until(lambda: "DOT" not in desk.positions(), "it is noticed")
    assert desk.alerts("PositionClosed", "DOT", "stop")
    assert desk.venue.held("DOT") == 0


def test_a_price_that_is_wrong_for_a_moment_halts_nobody(desk: LiveDesk) -> None:
    """Measured from it, all that follows would be a drawdown past the limit."""
    desk.bought("XRP", money=1_800)

    desk.venue.trades_at("XRP", 80_000)
    desk.until(lambda: "80,000" in desk.say("/price XRP")["title"], "it is read")
    desk.venue.trades_at("XRP", 50_000)

    desk.until(lambda: "80,000" not in desk.say("/price XRP")["title"], "the price is back")
    back = time.monotonic()
    desk.until(lambda: time.monotonic() > back + 4, "three readings after it")
    assert "Halted" not in desk.say("/status")["title"]
    assert desk.venue.held("XRP") == Decimal("0.036")


def test_one_wrong_tick_far_below_every_stop_sells_nothing(desk: LiveDesk) -> None:
    """The stop rests at the venue, which goes by its mark price."""
    desk.bought("ADA", money=1_800)
    before, told = desk.venue.resting(), time.monotonic_ns()

    desk.venue.trades_once_at("ADA", 30_000)
    desk.until(lambda: "30,000" in desk.say("/price ADA")["title"], "it is read")
    seen = time.monotonic()
    desk.until(lambda: time.monotonic() > seen + 1, "a look or two at it")
    desk.venue.trades_at("ADA", 50_000)

    desk.until(lambda: "30,000" not in desk.say("/price ADA")["title"], "the price is back")
    back = time.monotonic()
    desk.until(lambda: time.monotonic() > back + 3, "three readings after it")
    assert [r for r in desk.venue.asked("*", "*rder", since=told) if r.method != "GET"] == []
    assert desk.venue.held("ADA") == Decimal("0.036")
    assert desk.venue.resting() == before
    assert desk.positions() == ["ADA"]
    assert "Halted" not in desk.say("/status")["title"]


@pytest.mark.parametrize("ban", [TOO_MANY, BANNED], ids=["429", "418"])
def test_a_ban_is_told_with_its_time_and_obeyed(desk: LiveDesk, ban: Plight) -> None:
    short, words = replace(ban, retry_after=2), PLIGHTS[ban.name].text
    desk.venue.on("POST", "*/order", short, where={"symbol": "DOGEUSDT"})

    answer = desk.do("/buy DOGE 500")

    assert answer["outcome"] == "failed"
    told = rf"Refused until \d\d:\d\d:\d\d UTC: {re.escape(words)} Nothing was sent\."
    assert re.fullmatch(told, answer["text"])
    refused = desk.venue.asked("POST", "*/order")[-1].arrived
    meanwhile = desk.do("/buy DOGE 500")
    assert meanwhile["outcome"] == "refused"
    assert meanwhile["text"].endswith("Nothing was sent.")
    assert desk.venue.asked(since=refused + 1) == [], "whoever asks"
    desk.until(lambda: time.monotonic_ns() > refused + 2_200_000_000, "the ban is over")
    early = [r for r in desk.venue.asked(since=refused + 1) if r.arrived < refused + 1_950_000_000]
    assert early == []
    desk.until(lambda: desk.do("/buy DOGE 500")["outcome"] == "done", "it trades again")


def test_a_stop_during_a_ban_tells_until_when_it_waits(desk: LiveDesk) -> None:
    """What may still fill is named, and so is what the exchange has confirmed, once it has."""
    long = replace(BANNED, retry_after=4)
    desk.venue.on("POST", "*/order", long, where={"symbol": "DOGEUSDT"})
    desk.do("/buy DOGE 500")

    seen = [""]

    def waits() -> bool:
        seen.append(desk.halts())
        refused = re.search(r"Venue refuses us until [\d:]{8}.UTC, try \d", seen[-1])
        return refused is not None and " saved\n" in seen[-1]

    with desk.saying("/stop") as stopped:
        desk.until(waits, "the stop waits for the ban's end")
        assert "refuses us until" in desk.say("/status")["plain"]
        answer = stopped()

    assert "Not confirmed yet: cancels.\n" in seen[-1]
    assert answer is not None
    assert "LATCHED, RETRYING" in answer["title"]
    desk.until(lambda: "cancels confirmed" in desk.halts(), "the ban is over")
    assert "Not confirmed" not in desk.halts()


def test_stopped_by_two_at_once_it_is_one_halt(desk: LiveDesk) -> None:
    with ThreadPoolExecutor(2) as people:
        said = [people.submit(desk.say, f"/stop by {name}") for name in ("anna", "ben")]
    first, second = sorted((each.result() for each in said), key=lambda answer: answer["title"])
    assert first["title"].startswith("■ Already stopped")
    assert second["title"].startswith("■ Stopped")
    assert desk.say("/halts")["title"].startswith("■ 1 halt")
