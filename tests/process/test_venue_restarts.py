"""What a desk finds when it comes back to a real exchange's protocol: what happened meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from tests.process.desk_process import confirmation
from tests.process.exchange_desk import PRICE, Exchange, LiveDesk, doubled, live_desk
from tests.servers.exchange import Hold

pytestmark = pytest.mark.slow


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with Exchange(market="swap") as venue:
        yield venue


def test_an_order_that_was_accepted_before_the_death_is_there_once(
    venue: Exchange, tmp_path: Path
) -> None:
    with live_desk(tmp_path, venue) as desk:
        held = venue.on("POST", "*/order", Hold(done=True), where={"side": "BUY"})
        asked = desk.say("/buy BTC 500")
        with desk.saying(confirmation(asked)):
            desk.until(lambda: held.acted, "the exchange has it")
            desk.kill()
        venue.do(lambda v: v.faults.clear())

        desk.start()

        desk.until(lambda: desk.positions() == ["BTC"], "it is found, filled meanwhile")
        desk.until(lambda: venue.stops("BTC"), "and protected")
        assert venue.held("BTC") == Decimal("0.01")
        assert len(venue.entries()) == 1
        assert "fill" in desk.alerts("TraderStarted", count=2)[-1] or desk.alerts("PositionOpened")
        assert desk.complaints() == []


def test_what_filled_at_the_exchange_while_it_was_dead_is_booked(
    venue: Exchange, tmp_path: Path
) -> None:
    """A resting entry of one coin is bought; the stop of the other is reached."""
    venue.rise("ETH", to=PRICE - 500)
    desk = LiveDesk(tmp_path, venue, style="limit")
    desk.ran_until_yesterday()
    try:
        desk.start().hears_prices()
        desk.say("/scan")
        desk.bought("BTC")
        assert len(venue.stops("ETH")) == 1
        desk.kill()
        venue.trades_at("ETH", PRICE - 600)
        venue.trades_at("BTC", PRICE - 2_000)

        desk.start()

        desk.until(lambda: desk.positions() == ["ETH"], "both are booked")
        desk.until(lambda: venue.legs("ETH") == ["stop", "target"], "the new one is protected")
        assert desk.alerts("PositionClosed", "BTC", "stop")
        assert venue.stops("BTC") == []
        assert desk.complaints() == []
    finally:
        desk.kill()


def test_on_spot_a_sale_a_stop_and_an_entry_that_came_while_it_was_dead_are_booked_once(
    tmp_path: Path,
) -> None:
    """What it sells a second time would be the operator's own, which lie beside."""
    with Exchange(market="spot", bases=("BTC", "ETH", "SOL")) as venue:
        venue.rise("ETH", to=PRICE - 500)
        desk = LiveDesk(tmp_path, venue, style="limit")
        desk.ran_until_yesterday()
        own = venue.held("SOL")
        try:
            desk.start().hears_prices()
            desk.say("/scan")
            desk.bought("BTC", "SOL")
            sale = {"symbol": "SOLUSDT", "side": "SELL", "type": "MARKET"}
            held = venue.on("POST", "*/order", Hold(done=True), where=sale)
            with desk.saying(confirmation(desk.say("/close SOL"))):
                desk.until(lambda: held.acted, "the exchange has sold it")
                desk.kill()
            venue.do(lambda v: v.faults.clear())
            venue.trades_at("ETH", PRICE - 600)
            venue.trades_at("BTC", PRICE - 2_000)

            desk.start()

            desk.until(lambda: desk.positions() == ["ETH"], "all three are booked")
            desk.until(lambda: venue.legs("ETH") == ["stop", "target"], "the new one is protected")
            assert desk.alerts("PositionClosed", "BTC", "stop")
            assert_sold_once(venue, "BTC", "SOL", own=own)
            assert desk.complaints() == []
        finally:
            desk.kill()


def assert_sold_once(venue: Exchange, *bases: str, own: Decimal) -> None:
    """All that was bought, and no more of what lay there before."""
    dust = Decimal("0.00002")
    assert all(0 <= venue.held(base) - own < dust for base in bases)
    assert [venue.stops(base) for base in bases] == [[] for _ in bases]
    assert doubled([r for r in venue.asked("POST") if r.is_new_order]) == set()


def test_hedge_legs_warm_cold_and_beside_a_leg_of_the_operators_own(tmp_path: Path) -> None:
    with (
        Exchange(market="swap", hedge=True) as venue,
        live_desk(tmp_path / "one", venue) as desk,
    ):
        desk.bought("BTC")
        venue.sells("BTC", "0.02", position_side="SHORT")
        own = {"type": "LIMIT", "price": Decimal(40_000), "client_id": "my-own"}
        venue.buys("BTC", "0.005", position_side="SHORT", **own)
        before = venue.resting()
        sides = [(side, leg) for _, side, _, _, leg in before]
        assert sides == [("BUY", "SHORT"), ("SELL", "LONG")]

        desk.restart()

        assert desk.positions() == ["BTC"]
        assert "BTC: -0.02 at the venue is not ours" in desk.say("/status")["plain"]
        assert both_legs(venue) == (Decimal("0.01"), Decimal("-0.02"))
        assert venue.resting() == before, "our stop was kept, not doubled; the operator's order too"
        desk.kill()
        for file in desk.state.glob("history.db*"):
            file.unlink()

        desk.start()  # with books of nobody: it is another desk now

        assert desk.positions() == [], "what it knows nothing of is not its own"
        assert "Halted" in desk.say("/status")["title"], "a stop of another desk rests there"
        assert desk.alerts("BooksDiffered", "ours 0, venue 0.01")
        assert desk.alerts("BooksDiffered", "ours 0, venue -0.02")
        desk.do("/flatten")
        assert both_legs(venue) == (Decimal("0.01"), Decimal("-0.02")), "flattened is what is ours"
        assert venue.resting() == before


def both_legs(venue: Exchange) -> tuple[Decimal, Decimal]:
    return venue.leg("BTC", "LONG"), venue.leg("BTC", "SHORT")


def test_a_second_desk_on_the_account_starts_halted_and_touches_nothing(
    venue: Exchange, tmp_path: Path
) -> None:
    with live_desk(tmp_path / "one", venue) as first:
        first.bought("BTC")
        second = LiveDesk(tmp_path / "two", venue)
        try:
            second.start()

            assert "Halted" in second.say("/status")["title"]
            assert second.do("/flatten")["outcome"] in {"done", "refused"}
            assert venue.held("BTC") == Decimal("0.01")
            assert len(venue.stops("BTC")) == 1
            assert first.positions() == ["BTC"]
        finally:
            second.kill()


@pytest.mark.parametrize("seed", [5])
def test_killed_at_random_moments_books_equal_the_exchange(seed: int, tmp_path: Path) -> None:
    """Twelve times: while it starts, or once it was told to buy or to close.

    The moment itself is what is random; nothing is waited for.
    """
    luck = random.Random(seed)
    with Exchange(market="swap", bases=("BTC",)) as venue:
        desk = LiveDesk(tmp_path, venue)
        try:
            for life in range(12):
                if life % 4 == 3:
                    moment = luck.uniform(0.2, 1.5)
                    desk.launch()
                    time.sleep(moment)
                    desk.kill()
                else:
                    desk.start().hears_prices()
                    desk.until(partial(settled, desk), f"seed {seed}, life {life}: books equal")
                    killed_amid(desk, luck.uniform(0, 0.12))
            desk.start()
            desk.until(partial(settled, desk), f"seed {seed}: the books equal at the end")
            assert doubled([r for r in venue.asked("POST") if r.is_new_order]) == set()
            assert venue.entries(), "something was traded"
            assert "differ" not in desk.say("/status")["plain"]
            assert desk.complaints() == []
        finally:
            desk.kill()


def killed_amid(desk: LiveDesk, moment: float) -> None:
    """*moment* seconds after it was told to close what it has, or else to buy."""
    asked = desk.say("/close BTC" if "BTC" in desk.positions() else "/buy BTC 500")
    assert asked["outcome"] == "confirm", asked
    with desk.saying(confirmation(asked)):
        time.sleep(moment)
        desk.kill()


def settled(desk: LiveDesk) -> bool:
    held = desk.venue.held("BTC")
    ours = Decimal("0.01") if desk.positions() else Decimal(0)
    stops = [stop.wish.quantity for stop in desk.venue.stops("BTC")]
    return held == ours and stops == ([held] if held else [])
