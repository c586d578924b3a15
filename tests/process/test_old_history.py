"""An older history is put back: what the desk did since is at the venue, and is taken over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.desk_process import quarterdeck
from tests.process.exchange_desk import Exchange, LiveDesk, doubled, keys

pytestmark = pytest.mark.slow

OWN = {"spot": Decimal(1), "swap": Decimal(0)}
"""Of each coin, from before; no business of the desk's."""
DUST = Decimal("0.00002")


@pytest.fixture(params=["swap", "spot"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveDesk]:
    """Started, with a copy of its history from before it ever traded."""
    with Exchange(market=request.param) as venue:
        desk = LiveDesk(tmp_path, venue)
        try:
            desk.start().hears_prices()
            assert quarterdeck("backup", "old.db", cwd=desk.folder, **keys()).code == 0
            yield desk
        finally:
            desk.kill()


def put_back(desk: LiveDesk) -> None:
    """As an operator does it, after a `kill -9`."""
    desk.kill()
    for file in desk.state.glob("history.db*"):
        file.unlink()
    (desk.folder / "old.db").replace(desk.state / "history.db")


def ours(desk: LiveDesk, base: str) -> Decimal:
    return desk.venue.held(base) - OWN[desk.venue.market]


def test_what_was_bought_since_is_held_protected_by_the_stop_that_rests_and_flattened(
    desk: LiveDesk,
) -> None:
    desk.bought("BTC", "ETH")
    held, rests = ours(desk, "BTC"), desk.venue.resting()
    put_back(desk)

    desk.start().hears_prices()

    assert sorted(desk.positions()) == ["BTC", "ETH"]
    assert desk.venue.resting() == rests, "neither swept nor doubled"
    (told,) = desk.alerts("OrdersFound", "BTC")
    assert "history lacked them" in told
    assert "Its stop is the one that rests" in told
    assert "Halted" in desk.say("/status")["title"], "a person looks first"
    assert desk.alerts_so_far("BooksDiffered") == []
    strange = re.findall(r"([\d.]+) (?:BTC|ETH) on the account", "".join(desk.told()))
    assert {Decimal(quantity) for quantity in strange} <= {OWN["spot"]}, "the operator's, no more"
    assert abs(ours(desk, "BTC") - held) == 0
    assert desk.do("/resume")["outcome"] == "done"
    assert "not ours" not in desk.say("/status")["plain"]

    desk.do("/flatten")
    desk.until(lambda: abs(ours(desk, "BTC")) < DUST, "it is sold")
    desk.until(lambda: abs(ours(desk, "ETH")) < DUST, "the other one too")
    desk.until(lambda: desk.venue.resting() == [], "its stops are gone")
    desk.until(lambda: desk.positions() == [], "and it says so")
    assert doubled([r for r in desk.venue.asked("POST") if r.is_new_order]) == set()
    assert desk.complaints() == []


def test_what_was_bought_and_sold_since_is_neither_held_nor_protected(desk: LiveDesk) -> None:
    desk.bought("BTC", "ETH")
    assert desk.do("/close BTC")["outcome"] == "done"
    assert desk.do("/close ETH 50%")["outcome"] == "done"
    desk.until(lambda: len(desk.venue.stops("ETH")) == 1, "the rest is protected")
    rests = desk.venue.resting()
    put_back(desk)

    desk.start().hears_prices()

    assert desk.positions() == ["ETH"]
    assert desk.venue.resting() == rests
    assert desk.alerts_so_far("BooksDiffered") == []
    assert "Halted" in desk.say("/status")["title"]
    ((_, closed, why, _),) = desk.say("/trades")["table"]["rows"]
    assert (closed, why) == ("BTC long", "unknown"), "who wished it is lost with the history"


def test_a_stop_over_what_the_venue_lists_no_entry_of_is_left_alone_and_never_called_flat(
    desk: LiveDesk,
) -> None:
    desk.bought("BTC")
    rests, held = desk.venue.resting(), ours(desk, "BTC")
    desk.kill()
    desk.venue.forget_ended()
    put_back(desk)

    desk.start().hears_prices()

    assert desk.positions() == []
    desk.alerts("OrdersUnproven", "no fill proves")
    answer = desk.do("/flatten")
    assert "not called flat" in answer["text"]
    desk.until(lambda: "Not flat" in "".join(desk.told()), "it is told as such")
    desk.restart().hears_prices()
    assert "Flat:" not in "".join(desk.told())
    assert "no fill proves" in desk.say("/status")["plain"]
    assert (desk.venue.resting(), ours(desk, "BTC")) == (rests, held), "untouched"

    asked = desk.say("/accept_books")
    assert "no fill proves" in asked["text"]
    assert desk.do("/accept_books")["outcome"] == "done"

    desk.until(lambda: "Flat:" in "".join(desk.told()), "ours is flat")
    assert (desk.venue.resting(), ours(desk, "BTC")) == (rests, held), "left to the operator"
    assert desk.complaints() == []
