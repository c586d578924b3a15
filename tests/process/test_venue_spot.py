"""Spot: the desk's coins lie beside the operator's own, and its stops lock what they would sell."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest

from tests.process.desk_process import confirmation
from tests.process.exchange_desk import Exchange, LiveDesk, live_desk
from tests.servers.exchange import DROP_REPLY, ExchangeServer, Recorded, Refuse, Wish

pytestmark = pytest.mark.slow

OWN = Decimal(1)
"""Of each coin, from before; no business of the desk's."""
DUST = Decimal("0.00002")
"""Of each coin: less than that may be left of what was bought."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    with (
        Exchange(market="spot", bases=("BTC", "ETH", "SOL", "XRP", "LTC", "DOT")) as venue,
        live_desk(tmp_path_factory.mktemp("spot"), venue) as desk,
    ):
        yield desk


@pytest.fixture
def desk(running: LiveDesk) -> Iterator[LiveDesk]:
    yield running
    running.at_ease()
    assert running.complaints() == []


def orders(desk: LiveDesk, base: str, side: str) -> list[Recorded]:
    """All that the desk has sent."""
    sent = desk.venue.asked("POST", "*/order")
    return [r for r in sent if (r.params["symbol"], r.params["side"]) == (f"{base}USDT", side)]


def sales(desk: LiveDesk, base: str) -> list[Recorded]:
    """Orders of the desk that sold at once; its stops did not."""
    return [r for r in orders(desk, base, "SELL") if r.params["type"] == "MARKET"]


def amount(request: Recorded) -> Decimal:
    return Decimal(request.params["quantity"])


def ours(desk: LiveDesk, base: str) -> Decimal:
    """What it has more of than the operator; a sale too many makes it negative."""
    return desk.venue.held(base) - OWN


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


def test_a_sale_that_is_refused_leaves_its_coin_protected_and_is_tried_again(
    desk: LiveDesk,
) -> None:
    """Its stop was cancelled for the sale: it has to rest again before the next try."""
    desk.bought("BTC", "SOL", "XRP")
    selling = {"symbol": "SOLUSDT", "side": "SELL", "type": "MARKET"}
    desk.venue.on("POST", "*/order", Refuse(400, -2010, "No."), where=selling)

    desk.say(confirmation(desk.say("/flatten")))

    desk.until(lambda: desk.positions() == [], "all three are sold")
    assert [r.params["type"] for r in orders(desk, "SOL", "SELL")][-3:] == [
        "MARKET",
        "STOP_LOSS",
        "MARKET",
    ]
    assert desk.alerts("OrderRefused", "SOL"), "it is told which"
    assert all(0 <= ours(desk, base) < DUST for base in ("BTC", "SOL", "XRP"))
    assert desk.venue.stops("SOL") == []


def test_a_sale_whose_answer_was_lost_is_not_made_twice(desk: LiveDesk) -> None:
    """A second one would sell the operator's own coins."""
    desk.bought("LTC")
    selling = {"symbol": "LTCUSDT", "side": "SELL", "type": "MARKET"}
    lost = desk.venue.on("POST", "*/order", DROP_REPLY, where=selling)
    desk.venue.do(lambda v: v.faults.on_event("executionReport", "drop", times=None))

    desk.do("/flatten")

    desk.until(lambda: "LTC" not in desk.positions(), "it is found")
    assert lost.acted == 1
    assert len(sales(desk, "LTC")) == 1
    assert 0 <= ours(desk, "LTC") < DUST


def test_a_stop_whose_answer_was_lost_rests_once(desk: LiveDesk) -> None:
    """Two would lock twice what is ours, and sell it."""
    stop = {"symbol": "DOTUSDT", "type": "STOP_LOSS"}
    lost = desk.venue.on("POST", "*/order", DROP_REPLY, where=stop)

    desk.bought("DOT")

    desk.until(lambda: "venue" in desk.say("/position DOT")["plain"], "it is known to rest there")
    assert lost.acted == 1
    assert len(desk.venue.stops("DOT")) == 1
    assert locked(desk, "DOT") <= ours(desk, "DOT")
    assert len([r for r in orders(desk, "DOT", "SELL") if r.params["type"] == "STOP_LOSS"]) == 1


def test_coins_sold_by_hand_are_booked_and_their_stops_shrink_and_go(desk: LiveDesk) -> None:
    """The operator's own, and with them half of our XRP and all of our LTC."""
    desk.bought("XRP", "LTC", money=1_000)
    half = (ours(desk, "XRP") / 2).quantize(Decimal("0.00001"))

    desk.venue.do(partial(sold_by_hand, "XRP", OWN + half))
    desk.venue.do(partial(sold_by_hand, "LTC", desk.venue.held("LTC") // DUST * DUST))

    desk.until(partial(only_one_is_left, desk, "XRP"), "what is gone is booked")
    desk.until(
        lambda: 0 < sum(s.wish.quantity for s in desk.venue.stops("XRP")) <= desk.venue.held("XRP"),
        "a stop rests for what is left",
    )
    desk.until(lambda: desk.venue.stops("LTC") == [], "and for nothing else")
    for base in ("XRP", "LTC"):
        assert desk.alerts("BooksDiffered", base)
        desk.venue.buys(base, str(OWN))
    desk.until(lambda: desk.do("/accept_books")["outcome"] == "done", "the operator explains")


def only_one_is_left(desk: LiveDesk, base: str) -> bool:
    """Asked for the difference, it compares now: the next time by itself would be in 5 s."""
    desk.say("/accept_books")
    return desk.positions() == [base]


def sold_by_hand(base: str, quantity: Decimal, venue: ExchangeServer) -> None:
    """The operator takes the stop away that locks them, and sells, before anybody can look."""
    market = f"{base}USDT"
    for order in venue.engine.open_orders(market):
        venue.engine.cancel(market, order_id=order.id)
    venue.engine.place(Wish(symbol=market, side="SELL", quantity=quantity, type="MARKET"))


def test_told_to_flatten_by_two_at_once_it_sells_once(desk: LiveDesk) -> None:
    desk.bought("BTC", "ETH")
    before = {base: len(sales(desk, base)) for base in ("BTC", "ETH")}
    asked = [confirmation(desk.say("/flatten")) for _ in range(2)]

    with ThreadPoolExecutor(2) as people:
        answers = list(people.map(desk.say, asked))

    desk.until(lambda: desk.positions() == [], "it is flat")
    assert {answer["outcome"] for answer in answers} == {"done"}
    assert {base: len(sales(desk, base)) - count for base, count in before.items()} == {
        "BTC": 1,
        "ETH": 1,
    }
    assert all(0 <= ours(desk, base) < DUST for base in ("BTC", "ETH"))
