"""Closing on a real exchange's protocol: all of it, each position once, whatever goes wrong.

One desk serves several stories, each with a coin of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.process.desk_process import confirmation
from tests.process.exchange_desk import TEN, Exchange, LiveDesk, live_desk
from tests.servers.exchange import DROP_REPLY, Refuse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with (
        Exchange(market="swap", bases=TEN) as venue,
        live_desk(tmp_path_factory.mktemp("closes"), venue) as desk,
    ):
        yield desk


@pytest.fixture
def desk(running: LiveDesk) -> Iterator[LiveDesk]:
    yield running
    running.at_ease()
    assert running.complaints() == []


def test_a_close_whose_answer_was_lost_is_not_made_twice(desk: LiveDesk) -> None:
    desk.bought("UNI")
    selling = {"symbol": "UNIUSDT", "side": "SELL"}
    lost = desk.venue.on("POST", "*/order", DROP_REPLY, where=selling)
    desk.venue.do(lambda v: v.faults.on_event("ORDER_TRADE_UPDATE", "drop", times=None))

    desk.do("/flatten")

    desk.until(lambda: "UNI" not in desk.positions(), "it is found")
    assert lost.acted == 1
    sent = [r for r in desk.venue.asked("POST", "*/order") if r.params["symbol"] == "UNIUSDT"]
    assert [r.params["side"] for r in sent] == ["BUY", "SELL"]


def test_a_stop_whose_answer_was_lost_rests_once(desk: LiveDesk) -> None:
    lost = desk.venue.on("POST", "*/algoOrder", DROP_REPLY, where={"symbol": "LINKUSDT"})

    desk.bought("LINK")

    desk.until(lambda: "venue" in desk.say("/position LINK")["plain"], "it is known to rest there")
    assert lost.acted == 1
    assert len(desk.venue.stops("LINK")) == 1
    sent = desk.venue.asked("POST", "*/algoOrder")
    assert len([r for r in sent if r.params["symbol"] == "LINKUSDT"]) == 1


def test_told_to_flatten_by_two_at_once_it_closes_once(desk: LiveDesk) -> None:
    desk.bought("DOT", "UNI")
    asked = [confirmation(desk.say("/flatten")) for _ in range(2)]
    since = time.monotonic_ns()

    with ThreadPoolExecutor(2) as people:
        answers = list(people.map(desk.say, asked))

    desk.until(lambda: desk.positions() == [], "it is flat")
    assert {answer["outcome"] for answer in answers} == {"done"}
    closes = [r.params["symbol"] for r in desk.venue.asked("POST", "*/order", since=since)]
    assert sorted(closes) == ["DOTUSDT", "UNIUSDT"]
    assert desk.is_flat()


def test_what_was_stopped_can_be_flattened(desk: LiveDesk) -> None:
    desk.bought("LINK", "UNI")
    desk.say("/stop")

    answer = desk.do("/flatten")

    assert answer["title"].startswith("✓ Flat")
    assert desk.is_flat()
    desk.until(lambda: desk.venue.open_orders() == [], "their stops go")


def test_when_the_third_of_ten_closes_fails_nine_are_closed_and_it_is_retried(
    desk: LiveDesk,
) -> None:
    desk.bought(*TEN)
    third = {"symbol": "XRPUSDT", "side": "SELL"}
    fault = desk.venue.on("POST", "*/order", Refuse(400, -4131, "No."), where=third)

    desk.say(confirmation(desk.say("/flatten")))

    assert fault.acted >= 1
    desk.until(desk.is_flat, "all ten are closed")
    assert desk.alerts("OrderRefused", "XRP"), "it is told which"
    sold = [r.params["symbol"] for r in desk.venue.asked("POST", "*/order", since=0)
            if r.params["side"] == "SELL"][-11:]  # fmt: skip
    assert sorted(sold) == sorted([f"{base}USDT" for base in TEN] + ["XRPUSDT"])
