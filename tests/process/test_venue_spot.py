"""Spot: the desk's coins lie beside the operator's own, and its stops lock what they would sell."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.process.exchange_desk import Exchange, LiveDesk, live_desk
from tests.servers.exchange import Recorded

pytestmark = pytest.mark.slow

OWN = Decimal(1)
"""Of each coin, from before; no business of the desk's."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with (
        Exchange(market="spot", bases=("BTC", "ETH", "SOL")) as venue,
        live_desk(tmp_path_factory.mktemp("spot"), venue) as desk,
    ):
        yield desk


@pytest.fixture
def desk(running: LiveDesk) -> Iterator[LiveDesk]:
    yield running
    running.at_ease()
    assert running.complaints() == []


def sales(desk: LiveDesk, base: str) -> list[Recorded]:
    """Orders of the desk that sold at once; its stops did not."""
    sent = desk.venue.asked("POST", "*/order")
    asked = [r for r in sent if (r.params["symbol"], r.params["side"]) == (f"{base}USDT", "SELL")]
    return [r for r in asked if r.params["type"] == "MARKET"]


def amount(request: Recorded) -> Decimal:
    return Decimal(request.params["quantity"])


def locked(desk: LiveDesk, base: str) -> Decimal:
    return desk.venue.do(lambda v: Decimal(v.engine.locked(base)))


def test_what_a_stop_has_locked_is_freed_sold_and_the_rest_protected_again(desk: LiveDesk) -> None:
    desk.bought("BTC", money=1_000)
    ours = desk.venue.held("BTC") - OWN

    answer = desk.do("/close BTC 50%")

    assert answer["outcome"] == "done", answer
    left = desk.venue.held("BTC") - OWN
    assert Decimal(0) < left < ours
    assert sum(map(amount, sales(desk, "BTC"))) == ours - left, "what was sold was ours"
    desk.until(
        lambda: (
            sum(stop.wish.quantity for stop in desk.venue.stops("BTC")) <= left
            and desk.venue.stops("BTC")
        ),
        "the rest is protected",
    )


def test_the_operators_coins_and_orders_are_untouched_and_dust_is_told(desk: LiveDesk) -> None:
    own = {"type": "LIMIT", "price": Decimal(60_000), "client_id": "my-own"}
    desk.venue.sells("ETH", "0.5", **own)
    (before,) = desk.venue.resting()
    desk.bought("ETH", money=600)
    bought = desk.venue.held("ETH") - OWN
    assert bought > 0
    assert before in desk.venue.resting()

    answer = desk.do("/flatten")

    assert answer["title"].startswith("✓ Flat"), answer["plain"]
    sold = sum(map(amount, sales(desk, "ETH")))
    dust = bought - sold
    assert Decimal(0) <= dust < Decimal("0.00002"), "never more than was bought"
    assert desk.venue.held("ETH") == OWN + dust, "the operator's own is there to the last digit"
    assert desk.venue.resting() == [before]
    (order,) = desk.venue.stops("ETH")
    assert (order.filled, locked(desk, "ETH")) == (0, Decimal("0.5")), "and still locks its coins"
    desk.until(lambda: desk.positions() == [], "nothing of ours is open")
    assert desk.alerts("DustLeft"), "what is too small to sell is named"
