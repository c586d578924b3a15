"""A live desk on spot whose exchange takes no stops, changes its rules, and loses sales."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.process.exchange_desk import Exchange, LiveDesk, live_desk
from tests.servers.exchange import UNKNOWN_OUTCOME, Garble, Refuse
from tests.servers.exchange.faults import Act
from tests.servers.exchange.rules import LIMITS_ONLY

pytestmark = pytest.mark.slow

D = Decimal
OWN = D(1)
"""Of each coin, from before; no business of the desk's."""
BASES = ("BTC", "ETH", "SOL", "XRP", "LTC", "DOT", "ADA")
LIMITED = "XRP"
"""It takes stops as limits only."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with Exchange(market="spot", bases=BASES) as venue:
        venue.do(lambda v: v.engine.change_rules(f"{LIMITED}USDT", types=LIMITS_ONLY))
        with live_desk(tmp_path_factory.mktemp("protection"), venue) as desk:
            yield desk


@pytest.fixture
def desk(running: LiveDesk) -> Iterator[LiveDesk]:
    yield running
    running.at_ease()
    assert running.complaints() == []


def stop_quantity(desk: LiveDesk, base: str) -> Decimal:
    return sum((order.wish.quantity for order in desk.venue.stops(base)), D(0))


@pytest.mark.parametrize(
    ("base", "act"),
    [
        ("BTC", Refuse(400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS")),
        ("ETH", Refuse(400, -2010, "Account has insufficient balance for requested action.")),
        ("ADA", Garble()),
    ],
)
def test_a_close_whose_stop_is_refused_says_so_until_it_rests(
    desk: LiveDesk, base: str, act: Act
) -> None:
    desk.bought(base, money=1_000)
    where = {"symbol": f"{base}USDT", "type": "STOP_LOSS"}
    desk.venue.on("POST", "*/order", act, where=where, times=None)

    answer = desk.do(f"/close {base} 50%")

    assert desk.venue.stops(base) == []
    assert "Not done: its stop." in answer["text"], answer["plain"]
    assert "venue confirmed" not in answer["text"]
    status = desk.say("/status")
    assert "nothing needs you" not in status["title"]
    assert base in status["plain"]
    assert "desk" in desk.say(f"/position {base}")["plain"]

    desk.venue.do(lambda v: v.faults.clear())
    desk.until(lambda: desk.venue.stops(base), "the stop rests")
    desk.until(lambda: f"{base} unprotected" not in desk.say("/status")["plain"], "that is told")
    assert stop_quantity(desk, base) <= desk.venue.held(base) - OWN


def test_rules_that_changed_under_way_cost_no_stop(desk: LiveDesk) -> None:
    desk.bought("LTC", money=1_000)
    before, held = desk.venue.resting(), desk.venue.held("LTC")
    desk.venue.do(lambda v: v.engine.change_rules("LTCUSDT", lot=D(1), least=D(1)))

    half, whole = desk.do("/close LTC 50%"), desk.do("/close LTC")

    for answer in (half, whole):
        assert "its stop was not touched" in answer["plain"], answer["plain"]
    assert (desk.venue.resting(), desk.venue.held("LTC")) == (before, held)
    usual = D("0.00001")
    desk.venue.do(lambda v: v.engine.change_rules("LTCUSDT", lot=usual, least=usual))
    assert desk.do("/close LTC")["outcome"] == "done"


def test_a_sale_that_was_lost_is_told_as_bare_and_sent_again(desk: LiveDesk) -> None:
    desk.bought("SOL", money=1_000)
    selling = {"symbol": "SOLUSDT", "side": "SELL", "type": "MARKET"}
    desk.venue.on("POST", "*/order", UNKNOWN_OUTCOME, where=selling)

    answer = desk.do("/close SOL")

    assert answer["title"].startswith("? Unknown"), answer["plain"]
    assert "No stop rests since" in answer["text"], answer["plain"]
    assert "SOL unprotected" in desk.say("/status")["title"]
    assert desk.alerts("Unprotected")
    desk.until(lambda: "SOL" not in desk.positions(), "it is sent again")
    desk.alerts("ExitSentAgain")  # and that is told
    sold = [
        r for r in desk.venue.asked("POST", "*/order")
        if selling.items() <= r.params.items()
    ]  # fmt: skip
    ids = [r.params["newClientOrderId"] for r in sold]
    assert len(ids) == len(set(ids)) == 2
    assert desk.venue.stops("SOL") == []


def test_a_symbol_of_stop_limits_is_told_guarded_and_sold_beyond_the_gap(desk: LiveDesk) -> None:
    assert desk.alerts("StopsAreLimits", LIMITED)
    desk.bought(LIMITED, money=500)
    (stop,) = (o for o in desk.venue.stops(LIMITED) if o.wish.type.startswith("STOP"))
    assert stop.wish.type == "STOP_LOSS_LIMIT"
    assert "venue" in desk.say(f"/position {LIMITED}")["plain"]

    desk.venue.trades_at(LIMITED, int(stop.wish.stop_price * D("0.97")))

    desk.until(lambda: LIMITED not in desk.positions(), "it is sold at market")
    assert desk.venue.held(LIMITED) - OWN < D("0.00002")
    assert desk.venue.stops(LIMITED) == []
